//! Turns HTTP requests into API Gateway's events (HTTP API, payload 2.0), and functions' responses into HTTP, so that handlers see what
//! they see on AWS. For the shapes, see AWS, "Working with AWS Lambda proxy integrations for HTTP APIs".

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use shared::clock::Timestamp;

/// The gateway's name. Handlers see it instead of the client's `Host` header, just as they see the API's name on AWS.
const HOST: &str = "localhost";

/// The event of a request. `client` is the client's address.
pub(crate) fn from_request(parts: &Parts, body: &Bytes, client: &str, now: Timestamp, request_id: &str) -> Value {
    // The gateway passes on a decoded path and a query as it came.
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let (body, base64) = encode(parts, body);
    let mut headers = headers(parts);
    // The gateway sets these, whatever the client sends.
    for (name, value) in [("host", HOST), ("x-forwarded-for", client), ("x-forwarded-proto", "http")] {
        headers.insert(name.to_owned(), json!(value));
    }
    let user_agent = headers.get("user-agent").cloned().unwrap_or(Value::Null);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": HOST,
            "domainPrefix": "local",
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": now.as_millis(),
            "http": { "method": parts.method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": client, "userAgent": user_agent },
        },
        "isBase64Encoded": base64,
    });
    if let Some(body) = body {
        event["body"] = Value::String(body);
    }
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies: Vec<_> = cookies.flat_map(|value| value.split("; ")).collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if let Some(query) = parts.uri.query() {
        event["queryStringParameters"] = query_parameters(query);
    }
    event
}

/// The headers, with names in lower case and duplicates joined by commas. Cookies are a list of their own.
fn headers(parts: &Parts) -> Map<String, Value> {
    let mut headers = Map::new();
    for name in parts.headers.keys().filter(|name| *name != header::COOKIE) {
        let values: Vec<_> =
            parts.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), json!(values.join(",")));
    }
    headers
}

/// The body: text if its content type is a known text type, otherwise base64.
fn encode(parts: &Parts, body: &Bytes) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = media_type.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&media_type.as_str())
        || media_type.ends_with("+json");
    match std::str::from_utf8(body) {
        Ok(text) if known => (Some(text.to_owned()), false),
        _ => (Some(STANDARD.encode(body)), true),
    }
}

fn query_parameters(query: &str) -> Value {
    let mut parameters = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let joined = match parameters.get(name).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.to_owned(),
        };
        parameters.insert(name.to_owned(), Value::String(joined));
    }
    Value::Object(parameters)
}

/// A function's response as HTTP; `None` if it does not have API Gateway's shape.
pub(crate) fn to_response(answer: &Value) -> Option<Response<axum::body::Body>> {
    let status = u16::try_from(answer["statusCode"].as_u64()?).ok()?;
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"].as_bool().unwrap_or_default() {
        STANDARD.decode(body).ok()?
    } else {
        body.as_bytes().to_vec()
    };
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name).ok()?;
        response.headers_mut().insert(name, HeaderValue::try_from(value.as_str()?).ok()?);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn event(request: axum::http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        from_request(&parts, &Bytes::from_static(body), "127.0.0.1", Timestamp::from_millis(1_590_527_533_000), "id")
    }

    #[test]
    fn a_body_without_a_known_type_is_base64() {
        for content_type in
            [None, Some("application/octet-stream"), Some("application/x-www-form-urlencoded"), Some("nonsense")]
        {
            let mut request = Request::post("/api/services/Plivo/loginWithPhoneNumber");
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let event = event(request, b"+15550001111");
            assert_eq!(
                (&event["body"], &event["isBase64Encoded"]),
                (&json!("KzE1NTUwMDAxMTEx"), &json!(true)),
                "{content_type:?}"
            );
        }
    }

    #[test]
    fn a_body_of_a_text_type_is_text() {
        for content_type in ["application/json", "text/plain;charset=UTF-8", "application/problem+json"] {
            let event = event(Request::post("/").header("Content-Type", content_type), b"+15550001111");
            assert_eq!(
                (&event["body"], &event["isBase64Encoded"]),
                (&json!("+15550001111"), &json!(false)),
                "{content_type}"
            );
        }
    }

    #[test]
    fn no_body_is_none() {
        assert_eq!(event(Request::get("/api/info"), b"").get("body"), None);
    }

    #[test]
    fn headers_are_lower_case_and_joined() {
        let request = Request::get("/api/info?a=1&b=&a=2")
            .header("X-Forwarded-For", "192.0.2.7")
            .header("X-Two", "1")
            .header("X-Two", "2")
            .header("User-Token", "T");
        let event = event(request, b"");
        let own = json!({"x-two": "1,2", "user-token": "T", "host": "localhost", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http"});
        assert_eq!(event["headers"], own);
        assert_eq!(event["rawQueryString"], "a=1&b=&a=2");
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": ""}));
    }

    #[test]
    fn a_path_is_decoded_and_a_query_is_not() {
        let event =
            event(Request::get("/api/users/isvalidusertoken/a%22b%20c?a=%22").header("cookie", "a=1; b=2"), b"");
        assert_eq!(event["rawPath"], "/api/users/isvalidusertoken/a\"b c");
        assert_eq!(event["rawQueryString"], "a=%22");
        assert_eq!((&event["cookies"], &event["headers"]["cookie"]), (&json!(["a=1", "b=2"]), &Value::Null));
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        for answer in [
            json!(null),
            json!({}),
            json!({"statusCode": 99}),
            json!({"statusCode": 200, "headers": {"bad name": "x"}}),
        ] {
            assert!(to_response(&answer).is_none(), "{answer}");
        }
    }
}
