//! A distance before an HTTP API: each call takes this much longer, as if it were not in this process, and is noted. Without it, an
//! answer could be there before the next call that was begun beside it, and calls side by side would look like calls in turn.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use local::fault_proxy::Call;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::Failure;

/// Far more than the handlers take to begin calls side by side, even in a debug build on a busy machine.
const DISTANCE: Duration = Duration::from_millis(50);

/// A running one. Stops with its runtime.
#[derive(Clone)]
pub(crate) struct Distance {
    /// Its own address.
    pub(crate) url: String,
    target: String,
    client: reqwest::Client,
    /// Their operations are the API's name.
    calls: Arc<Mutex<Vec<Call>>>,
    api: &'static str,
}

impl Distance {
    /// Starts it before this API at `target`.
    pub(crate) async fn before(api: &'static str, target: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = local::http_client()?;
        let distance = Self { url, target: target.to_owned(), client, calls: Arc::default(), api };
        let app = Router::new().fallback(pass).with_state(distance.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(distance)
    }

    /// Takes what was noted so far.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, started: Instant) {
        let call = Call {
            operation: self.api.to_owned(),
            started,
            ended: Instant::now(),
            request: Value::Null,
            answer: Value::Null,
        };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

async fn pass(
    State(distance): State<Distance>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let started = Instant::now();
    tokio::time::sleep(DISTANCE).await;
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let url = format!("{}{uri}", distance.target);
    let Ok(answer) = distance.client.request(method, url).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, kind) = (answer.status(), answer.headers().get(header::CONTENT_TYPE).cloned());
    match answer.bytes().await {
        Ok(bytes) => {
            distance.note(started);
            let mut answer = (status, bytes).into_response();
            answer.headers_mut().extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
            answer
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
