//! The gateway: each HTTP request becomes the event that API Gateway would send, goes through `lambda_http` to the very handler
//! that Lambda runs, and its answer comes back as HTTP. Uses `shared::routes` for who answers, the functions' libraries, `event`, `cors`.

pub mod cors;
mod event;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use lambda_http::Adapter;
use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::http::serve;
use shared::routes::{self, FALLBACK, Found};
use shared::service::Service;
use shared::uuid;
use tower::ServiceExt as _;

use crate::clock::MovableClock;

/// API Gateway's own limit on a body, in bytes (AWS: "Quotas for HTTP APIs").
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// What the gateway needs.
pub(crate) struct Gateway {
    pub(crate) service: Arc<Service>,
    pub(crate) clock: Arc<MovableClock>,
}

/// Answers every path that is not the stack's own.
pub(crate) async fn answer(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let origins = &gateway.service.settings.allowed_origins;
    if let Some(response) = cors::preflight(&parts, origins) {
        return response;
    }
    // `OPTIONS *`
    if !parts.uri.path().starts_with('/') {
        return plain(StatusCode::BAD_REQUEST, "Bad Request");
    }
    let mut response = match axum::body::to_bytes(body, LARGEST_BODY).await {
        Ok(body) => {
            let (function, event) = gateway.event(&parts, &body, source);
            invoke(gateway.service.clone(), function, event).await
        }
        Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
    };
    cors::add(&parts.headers, &mut response, origins);
    response
}

impl Gateway {
    /// Who answers, and the event that it gets.
    fn event(&self, parts: &Parts, body: &Bytes, source: SocketAddr) -> (&'static str, Value) {
        let function = match routes::find(parts.method.as_str(), parts.uri.path()) {
            Found::Route(found) => found.route.function,
            Found::OtherMethods(_) | Found::Nothing => FALLBACK,
        };
        let id = shared::random::bytes().map(|bytes| uuid::format(&bytes)).unwrap_or_default();
        (function, event::from_request(parts, body, &source.ip().to_string(), self.clock.now(), &id))
    }
}

/// What Lambda does: JSON in, the handler, JSON out.
async fn invoke(service: Arc<Service>, function: &'static str, event: Value) -> Response<Body> {
    let request = match serde_json::from_value::<LambdaRequest>(event) {
        Ok(request) => request,
        Err(error) => return failed(function, &error),
    };
    let event = LambdaEvent::new(request, lambda_runtime::Context::default());
    let Ok(answer) = Adapter::from(Handler { service, function }).oneshot(event).await;
    match serde_json::to_value(answer) {
        Ok(answer) => event::to_response(&answer).unwrap_or_else(|| failed(function, &"an answer of another shape")),
        Err(error) => failed(function, &error),
    }
}

/// What API Gateway answers for a function that fails.
fn failed(function: &str, error: &dyn std::fmt::Display) -> Response<Body> {
    tracing::error!(function, %error, "function failed");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// A function, called as its binary calls it.
struct Handler {
    service: Arc<Service>,
    function: &'static str,
}

impl tower::Service<lambda_http::Request> for Handler {
    type Response = lambda_http::Response<lambda_http::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: lambda_http::Request) -> Self::Future {
        let (service, function) = (Arc::clone(&self.service), self.function);
        Box::pin(async move {
            let service = service.as_ref();
            Ok(match function {
                "register" => serve(service, function, request, register::handle).await,
                "login-phone" => serve(service, function, request, login_phone::handle).await,
                "login-password" => serve(service, function, request, login_password::handle).await,
                "login-code" => serve(service, function, request, login_code::handle).await,
                "send-message" => serve(service, function, request, send_message::handle).await,
                _ => serve(service, function, request, session::handle).await,
            })
        })
    }
}

/// The gateway's own answers have one field.
fn plain(status: StatusCode, message: &str) -> Response<Body> {
    (status, axum::Json(json!({ "message": message }))).into_response()
}
