//! SQS's API in this process: `SendMessage` to the two dead-letter queues, whose messages people and tests can read.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::StackError;

/// The dead-letter queues of the standard queue and of the FIFO queue.
pub const QUEUES: [&str; 2] = ["dead-letters", "dead-letters.fifo"];

/// A message in a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// The queue's name.
    pub queue: String,
    /// The text.
    pub body: String,
    /// Its attributes, all of them strings.
    pub attributes: Map<String, Value>,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    #[serde(skip)]
    deduplication_id: Option<String>,
}

/// The queues.
#[derive(Debug, Clone, Default)]
pub struct Queues(Arc<Mutex<Vec<Queued>>>);

impl Queues {
    /// All messages, oldest first.
    pub fn messages(&self) -> Vec<Queued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the API and returns its URL.
    pub(crate) async fn start(&self, stop: watch::Receiver<()>) -> Result<String, StackError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("queues have no port"))?;
        let address = listener.local_addr().map_err(StackError::new("queues have no port"))?;
        let app = Router::new().route("/", post(respond)).with_state(self.clone());
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(crate::stopped(stop)).into_future());
        Ok(format!("http://{address}"))
    }

    /// `GET /_local/dead-letters`: all messages as JSON.
    pub(crate) fn router(&self) -> Router {
        let queues = self.clone();
        Router::new()
            .route("/_local/dead-letters", get(move || async move { Json(queues.messages()) }))
            .layer(axum::middleware::from_fn(crate::inbox::loopback_only))
    }

    /// Adds a message. A FIFO queue accepts each deduplication ID once.
    fn add(&self, message: Queued) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &Queued| other.queue == message.queue && other.deduplication_id == message.deduplication_id;
        if message.deduplication_id.is_none() || !messages.iter().any(same) {
            messages.push(message);
        }
    }
}

/// SQS's protocol is AWS JSON 1.0.
async fn respond(State(queues): State<Queues>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let queue = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).filter(|name| QUEUES.contains(name));
    let (Some("AmazonSQS.SendMessage"), Some(queue)) = (target, queue) else {
        return response(StatusCode::BAD_REQUEST, &json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist"}));
    };
    let (group, deduplication_id) = (text("MessageGroupId"), text("MessageDeduplicationId"));
    if queue.ends_with(".fifo") != (group.is_some() && deduplication_id.is_some()) {
        return response(
            StatusCode::BAD_REQUEST,
            &json!({"__type": "com.amazon.coral.service#InvalidParameterValueException"}),
        );
    }
    let attributes = body["MessageAttributes"].as_object().cloned().unwrap_or_default();
    let attributes = attributes.into_iter().map(|(name, value)| (name, value["StringValue"].clone())).collect();
    let body = text("MessageBody").unwrap_or_default();
    queues.add(Queued { queue: queue.to_owned(), body, attributes, group, deduplication_id });
    let id = shared::crypto::identifier::random();
    response(StatusCode::OK, &json!({ "MessageId": id }))
}

fn response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}
