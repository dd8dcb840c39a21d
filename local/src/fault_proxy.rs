//! A proxy between the functions and another API, for tests and the benchmark. It records every call, can delay them and can inject faults:
//! the embedded DynamoDB never throttles, never has a conflict and never loses a response.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::StackError;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another transaction holds the item; nothing is written.
    Conflict,
    /// The table is throttled; nothing is written.
    Throttle,
    /// The service fails; nothing is written.
    Fail,
    /// The call is carried out, and the connection closes before the response.
    LoseAnswer,
    /// The connection closes; nothing is carried out.
    HangUp,
    /// No response ever comes; nothing is carried out.
    Stall,
    /// A batch read returns all keys as unprocessed.
    Unprocessed,
}

/// A call that went through.
#[derive(Debug, Clone)]
pub struct Call {
    /// An AWS operation, like `PutItem`; empty in calls of other APIs.
    pub operation: String,
    /// When the proxy received it.
    pub started: Instant,
    /// When the response came back.
    pub ended: Instant,
    /// The request's body.
    pub request: Value,
    /// The response's body.
    pub answer: Value,
}

#[derive(Default)]
struct ProxyState {
    faults: VecDeque<(&'static str, &'static str, Fault)>,
    always: Option<Fault>,
    calls: Vec<Call>,
    measure: bool,
    delay: Duration,
}

/// A running fault proxy. It stops with its Tokio runtime. Clones share its state.
#[derive(Clone)]
pub struct FaultProxy {
    /// Its URL.
    pub url: String,
    target: String,
    client: reqwest::Client,
    state: Arc<Mutex<ProxyState>>,
}

impl FaultProxy {
    /// Starts a proxy to the API at this URL.
    ///
    /// # Errors
    /// [`StackError`] when there is no port.
    pub async fn start(target: &str) -> Result<Self, StackError> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("the fault proxy has no port"))?;
        let address = listener.local_addr().map_err(StackError::new("the fault proxy has no port"))?;
        let client = crate::http_client()?;
        let proxy = Self { url: format!("http://{address}"), target: target.to_owned(), client, state: Arc::default() };
        let app = Router::new().fallback(respond).with_state(proxy.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(proxy)
    }

    /// Injects a fault into the next call of this operation. Several faults take effect in turn.
    pub fn once(&self, operation: &'static str, fault: Fault) {
        self.once_of(operation, "", fault);
    }

    /// Like [`Self::once`], for a table whose name ends with `table`.
    pub fn once_of(&self, operation: &'static str, table: &'static str, fault: Fault) {
        self.state().faults.push_back((operation, table, fault));
    }

    /// Injects a fault into every call from now on; `None` ends it.
    pub fn always(&self, fault: Option<Fault>) {
        self.state().always = fault;
    }

    /// Has DynamoDB return `ConsumedCapacity` with every response.
    pub fn measure(&self) {
        self.state().measure = true;
    }

    /// Delays every call from now on.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Takes the calls recorded so far.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// Takes the operations recorded so far, sorted by name. `PutItem` and `UpdateItem` are both called `write`: the first write of a
    /// counter in an hour is a put, the others are updates.
    pub fn take_operations(&self) -> Vec<String> {
        let name = |call: Call| match call.operation.as_str() {
            "PutItem" | "UpdateItem" => "write".to_owned(),
            _ => call.operation,
        };
        let mut operations: Vec<_> = self.take_calls().into_iter().map(name).collect();
        operations.sort_unstable();
        operations
    }

    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, operation: &str, request: &Value) -> Option<Fault> {
        let mut state = self.state();
        let name = request["TableName"].as_str().unwrap_or_default();
        let position = state.faults.iter().position(|(of, table, _)| *of == operation && name.ends_with(table));
        let once = position.and_then(|position| state.faults.remove(position)).map(|(.., fault)| fault);
        once.or(state.always)
    }

    async fn forward(&self, mut parts: Parts, body: Bytes) -> Result<(StatusCode, Bytes), reqwest::Error> {
        parts.headers.remove(header::HOST);
        parts.headers.remove(header::CONTENT_LENGTH);
        let url = format!("{}{}", self.target, parts.uri);
        let answer = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await?;
        Ok((answer.status(), answer.bytes().await?))
    }
}

async fn respond(State(proxy): State<FaultProxy>, parts: Parts, mut body: Bytes) -> Response {
    let started = Instant::now();
    let delay = proxy.state().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let mut request: Value = serde_json::from_slice(&body).unwrap_or_default();
    if proxy.state().measure {
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        body = request.to_string().into();
    }
    let fault = proxy.fault(&operation, &request);
    match fault {
        Some(Fault::Conflict) => conflict(&operation, &request),
        Some(Fault::Throttle) => error(
            StatusCode::BAD_REQUEST,
            json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}),
        ),
        Some(Fault::Fail) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "no"}),
        ),
        Some(Fault::HangUp) => hang_up(),
        Some(Fault::Unprocessed) => {
            Json(json!({ "Responses": {}, "UnprocessedKeys": request["RequestItems"] })).into_response()
        }
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::LoseAnswer) | None => match proxy.forward(parts, body).await {
            Ok((status, bytes)) => {
                let answer = serde_json::from_slice(&bytes).unwrap_or_default();
                proxy.state().calls.push(Call { operation, started, ended: Instant::now(), request, answer });
                if fault.is_some() {
                    hang_up()
                } else {
                    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], bytes).into_response()
                }
            }
            Err(_) => hang_up(),
        },
    }
}

fn conflict(operation: &str, request: &Value) -> Response {
    const PREFIX: &str = "com.amazonaws.dynamodb.v20120810#";
    if operation != "TransactWriteItems" {
        let body = json!({"__type": format!("{PREFIX}TransactionConflictException"), "message": "Transaction is ongoing for the item"});
        return error(StatusCode::BAD_REQUEST, body);
    }
    let actions = request["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); actions];
    reasons[0] = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
    let body = json!({
        "__type": format!("{PREFIX}TransactionCanceledException"),
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons [TransactionConflict]",
        "CancellationReasons": reasons,
    });
    error(StatusCode::BAD_REQUEST, body)
}

fn error(status: StatusCode, body: Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}

/// Announces a body of one byte and ends before it, so that the connection closes without a response.
fn hang_up() -> Response {
    ([(header::CONTENT_LENGTH, "1")], Body::from_stream(Body::empty().into_data_stream())).into_response()
}
