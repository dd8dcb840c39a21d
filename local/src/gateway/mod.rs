//! The gateway. It turns each HTTP request into the event that API Gateway would send, invokes the function of the route, and turns
//! the function's response back into HTTP.

mod advice;
pub mod cors;
mod event;
mod nearest;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use shared::app::App;
use shared::clock::Clock as _;
use shared::http::routes::{self, FALLBACK, Found};

use self::advice::Refused;
use crate::clock::MovableClock;
use crate::functions::{Functions, NO_ROUTE};
use crate::inbox::starts::Starts;

/// API Gateway's own limit on a body, in bytes (AWS: "Quotas for HTTP APIs").
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// What the gateway needs to respond.
pub(crate) struct Gateway {
    pub(crate) functions: Arc<Functions>,
    /// For settings.
    pub(crate) app: Arc<App>,
    /// Where the gateway listens.
    pub(crate) url: String,
    pub(crate) clock: Arc<MovableClock>,
    pub(crate) starts: Starts,
}

/// Responds to every path that is not the stack's own.
pub(crate) async fn respond(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let origins = &gateway.app.settings.allowed_origins;
    if let Some(response) = cors::preflight(&parts, origins) {
        return response;
    }
    // `OPTIONS *`
    if !parts.uri.path().starts_with('/') {
        return plain(StatusCode::BAD_REQUEST, "Bad Request");
    }
    let mut response = match axum::body::to_bytes(body, LARGEST_BODY).await {
        Ok(body) => {
            let (function, event) = gateway.event(&parts, &body, client);
            gateway.invoke(function, event, &parts, &body).await
        }
        Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
    };
    cors::add(&parts.headers, &mut response, origins);
    response
}

impl Gateway {
    /// The function of a request, and the event for it.
    fn event(&self, parts: &Parts, body: &Bytes, client: SocketAddr) -> (&'static str, Value) {
        let function = match routes::find(parts.method.as_str(), parts.uri.path()) {
            Found::Route(found) => found.route.function,
            Found::OtherMethods(_) => FALLBACK,
            Found::Nothing => NO_ROUTE,
        };
        let id = shared::crypto::identifier::random();
        (function, event::from_request(parts, body, &client.ip().to_string(), self.clock.now(), &id))
    }

    /// Invokes the function. A hint at what is wrong with the request goes to the terminal and, beside the function's own answer, to the client.
    async fn invoke(&self, function: &'static str, event: Value, parts: &Parts, body: &Bytes) -> Response<Body> {
        match self.functions.invoke(function, event).await {
            Ok(mut answer) => {
                if let Some(hint) = self.hint(parts, body, &answer) {
                    self.starts.print(self.clock.now().as_millis(), "", &hint);
                    add_hint(&mut answer, &hint);
                }
                event::to_response(&answer).unwrap_or_else(|| failed(function, "an answer of another shape"))
            }
            Err(error) => failed(function, &error.error_message),
        }
    }

    fn hint(&self, parts: &Parts, body: &Bytes, answer: &Value) -> Option<String> {
        let request = Refused { parts, body, settings: &self.app.settings };
        nearest::hint(&parts.method, parts.uri.path(), &self.url).or_else(|| advice::hint(&request, answer))
    }
}

/// Adds a hint to the `errorData` of a function's answer.
fn add_hint(answer: &mut Value, hint: &str) {
    let body = answer["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    if let Some(mut body) = body.filter(|body| body["errorData"].is_object()) {
        body["errorData"]["hint"] = json!(hint);
        answer["body"] = json!(body.to_string());
    }
}

/// API Gateway's response when a function fails.
fn failed(function: &str, error: &str) -> Response<Body> {
    tracing::error!(function, error, "function failed");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The gateway's own responses have one field.
fn plain(status: StatusCode, message: &str) -> Response<Body> {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_s_data_gets_the_hint() {
        let mut answer = json!({"body": r#"{"code":1,"errorData":{"reason":"not_found"}}"#});
        add_hint(&mut answer, "why");
        assert_eq!(answer["body"], r#"{"code":1,"errorData":{"reason":"not_found","hint":"why"}}"#);
        for other in [json!({}), json!({"body": ""}), json!({"body": "{}"})] {
            let mut same = other.clone();
            add_hint(&mut same, "why");
            assert_eq!(same, other);
        }
    }
}
