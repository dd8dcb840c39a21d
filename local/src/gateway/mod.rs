//! The gateway. It turns each HTTP request into the event that API Gateway would send, invokes the function of the route, and turns
//! the function's response back into HTTP.

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
use shared::clock::Clock as _;
use shared::http::routes::{self, FALLBACK, Found};

use crate::clock::MovableClock;
use crate::functions::Functions;
use crate::inbox::starts::Starts;

/// API Gateway's own limit on a body, in bytes (AWS: "Quotas for HTTP APIs").
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// What the gateway needs to respond.
pub(crate) struct Gateway {
    pub(crate) functions: Arc<Functions>,
    pub(crate) origins: Vec<String>,
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
    let origins = &gateway.origins;
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
            gateway.invoke(function, event, nearest::hint(&parts.method, parts.uri.path())).await
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
            Found::OtherMethods(_) | Found::Nothing => FALLBACK,
        };
        let id = shared::crypto::identifier::random();
        (function, event::from_request(parts, body, &client.ip().to_string(), self.clock.now(), &id))
    }

    /// `hint` says what is wrong with method or path. It goes to the terminal and, beside the function's own answer, to the client.
    async fn invoke(&self, function: &'static str, event: Value, hint: Option<String>) -> Response<Body> {
        match self.functions.invoke(function, event).await {
            Ok(mut answer) if hint.is_some() => {
                let hint = hint.unwrap_or_default();
                self.starts.print(self.clock.now().as_millis(), "", &hint);
                nearest::add(&mut answer, &hint);
                event::to_response(&answer).unwrap_or_else(|| failed(function, "an answer of another shape"))
            }
            Ok(answer) => event::to_response(&answer).unwrap_or_else(|| failed(function, "an answer of another shape")),
            Err(error) => failed(function, &error.error_message),
        }
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
