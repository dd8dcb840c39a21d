//! CORS as API Gateway does it for an HTTP API that is configured for it: preflights are answered without calling a function, and
//! `access-control-allow-origin` is on every answer to a request that has an `Origin`. That the gateway does it, here and on
//! AWS, is the one decision: a preflight through a function would be a second cold start before each login. Uses `axum`.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

/// What pages may send: what the SDK sends, and the key of `sendMessage`.
pub const HEADERS: &str = "content-type,user-token,bl-execution-type,authorization,idempotency-key,application-id,secret-key,application-type";
/// The methods of the SDK.
pub const METHODS: &str = "GET,POST,PUT,DELETE,OPTIONS";
/// What pages may read of the answers' headers.
pub const EXPOSED: &str = "retry-after,ratelimit,ratelimit-policy";
/// How long a browser may keep a preflight's answer, in seconds: the longest that Chromium keeps it.
pub const MAX_AGE: &str = "7200";

/// A preflight's answer; `None` when the request is none.
pub(crate) fn preflight(parts: &Parts, origins: &[String]) -> Option<Response<Body>> {
    let asked =
        parts.headers.contains_key(header::ORIGIN) && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if parts.method != Method::OPTIONS || !asked {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(origin) = allowed(&parts.headers, origins) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        set(headers, header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    Some(response)
}

/// Adds the headers that every answer carries.
pub(crate) fn add(request: &HeaderMap, response: &mut Response<Body>, origins: &[String]) {
    if let Some(origin) = allowed(request, origins) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if !origins.iter().any(|origin| origin == "*") {
            set(headers, header::VARY, "origin");
        }
    }
}

fn allowed(request: &HeaderMap, origins: &[String]) -> Option<HeaderValue> {
    let origin = request.get(header::ORIGIN)?;
    if origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
