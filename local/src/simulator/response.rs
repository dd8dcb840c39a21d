//! The shapes of Plivo's responses: JSON with an `api_id`, or plain text if the credentials are wrong.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::rand::SystemRandom;
use serde_json::{Map, Value, json};

/// A response with these fields and a new `api_id`.
pub(super) fn object(status: StatusCode, fields: Value) -> Response {
    let mut body = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    body.insert("api_id".to_owned(), uuid().into());
    (status, Json(body)).into_response()
}

/// An error response, for all errors except wrong credentials.
pub(super) fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({"api_id": uuid(), "error": text}))).into_response()
}

/// The reason why Plivo would refuse a request, with status 400.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        error(StatusCode::BAD_REQUEST, &self.0)
    }
}

/// The error response that belongs to a status.
pub(super) fn of_status(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::UNAUTHORIZED => return unauthorized(),
        StatusCode::PAYMENT_REQUIRED => "Insufficient Credit",
        StatusCode::FORBIDDEN => "Permission to reach this destination country is not enabled for the account.",
        StatusCode::NOT_FOUND => "not found",
        StatusCode::METHOD_NOT_ALLOWED => "method not allowed",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests for this account.",
        other => other.canonical_reason().unwrap_or("error"),
    };
    error(status, text)
}

/// The only response that is not JSON. Its text is the one that Plivo's users quote.
fn unauthorized() -> Response {
    const TEXT: &str = "Could not verify your access level for that URL. You have to login with proper credentials";
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::WWW_AUTHENTICATE, "Basic realm=\"Login Required\""),
    ];
    (StatusCode::UNAUTHORIZED, headers, TEXT).into_response()
}

/// A random UUID (version 4).
#[expect(clippy::expect_used, reason = "without the operating system's generator nothing of the stack can run")]
pub(super) fn uuid() -> String {
    let bytes: [u8; 16] = ring::rand::generate(&SystemRandom::new()).expect("the system's random generator").expose();
    let value = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different_uuids_of_version_four() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.len(), 36);
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
            assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
    }
}
