//! CORS as API Gateway does it: the gateway answers preflights itself, and adds `access-control-allow-origin` to every response to a
//! request with an `Origin`. If a function answered preflights, a login could have to wait for two cold starts.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

/// The request headers that pages may send: those of the SDK, and the key of `sendMessage`.
pub const HEADERS: &str = "content-type,user-token,bl-execution-type,authorization,idempotency-key,application-id,secret-key,application-type,device-token,captcha-token";
/// The methods of the SDK.
pub const METHODS: &str = "GET,POST,PUT,DELETE,OPTIONS";
/// The response headers that pages may read.
pub const EXPOSED: &str = "retry-after,ratelimit,ratelimit-policy";
/// How long a browser may cache a preflight, in seconds: Chromium's maximum.
pub const MAX_AGE: &str = "7200";

/// The response to a preflight; `None` if the request is not one.
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

/// Adds the headers of every other response.
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
