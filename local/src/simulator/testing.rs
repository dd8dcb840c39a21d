//! Requests to the simulator's router without a network, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Simulator;

/// An auth ID in the form that the official SDKs check.
pub(super) const ACCOUNT: &str = "MAXXXXXXXXXXXXXXXXXX";
/// The authorization of this account with the token `token`.
pub(super) const BASIC: &str = "Basic TUFYWFhYWFhYWFhYWFhYWFhYWFg6dG9rZW4=";

/// The clock of a simulator under test.
pub(super) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(super) fn set(&self, time: i64) {
        self.0.store(time, Ordering::Relaxed);
    }
}

/// A simulator and its clock, set to a time.
pub(super) fn at(time: i64) -> (Simulator, Clock) {
    let clock = Arc::new(AtomicI64::new(time));
    let now = Arc::clone(&clock);
    let simulator = Simulator::new(ACCOUNT, "token", Arc::new(move || now.load(Ordering::Relaxed)));
    (simulator, Clock(clock))
}

/// A response and its body; `json` is null if the body is not JSON.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) text: String,
    pub(super) json: Value,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(super) async fn get(simulator: &Simulator, resource: &str) -> Reply {
    request(simulator, "GET", resource, "").await
}

pub(super) async fn sms(simulator: &Simulator, dst: &str, text: &str) -> Reply {
    send(simulator, json!({"src": "14155550100", "dst": dst, "text": text})).await
}

pub(super) async fn send(simulator: &Simulator, body: Value) -> Reply {
    request(simulator, "POST", "Message/", &body.to_string()).await
}

/// A request with the account's credentials.
pub(super) async fn request(simulator: &Simulator, method: &str, resource: &str, body: &str) -> Reply {
    read(simulator, method, &format!("/v1/Account/{ACCOUNT}/{resource}"), Some(BASIC), body).await
}

/// Any request.
pub(super) async fn read(
    simulator: &Simulator,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: &str,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    send_request(simulator, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// A message sent as a form.
pub(super) async fn form(simulator: &Simulator, body: &str) -> Reply {
    let request = Request::post(format!("/v1/Account/{ACCOUNT}/Message/"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        .header(header::AUTHORIZATION, BASIC);
    send_request(simulator, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn send_request(simulator: &Simulator, request: Request<Body>) -> Reply {
    let response = simulator.router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, headers, text, json }
}
