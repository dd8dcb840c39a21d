//! Storage and Plivo that answer at once: DynamoDB's answers are those of a recorded operation, by its calls' operation and table
//! (no operation makes two calls that share both), Plivo's are fixed. It runs on a thread of its own, so that its work is
//! not counted as the handlers'.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use local::proxy::Call;
use serde_json::{Value, json};

use crate::{Failure, cpu};

type Answers = Arc<Mutex<HashMap<(String, String), Bytes>>>;

/// A running one. Ends with the process.
pub(crate) struct Replay {
    pub(crate) url: String,
    /// Its thread, for `cpu`.
    pub(crate) thread: Option<String>,
    answers: Answers,
}

impl Replay {
    pub(crate) fn start() -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let answers = Answers::default();
        let app = Router::new().fallback(answer).with_state(answers.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Nobody waits any more only when the benchmark is over.
            let _ = tell.send(cpu::this_thread());
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            })
        });
        Ok(Self { url, thread: told.recv()?, answers })
    }

    /// Answers as these calls were answered from now on.
    pub(crate) fn load(&self, calls: &[Call]) {
        let recorded = calls.iter().map(|call| {
            let mut answer = call.answer.clone();
            // Nobody asks for it in production.
            if let Some(answer) = answer.as_object_mut() {
                answer.remove("ConsumedCapacity");
            }
            ((call.operation.clone(), table(&call.request)), Bytes::from(answer.to_string()))
        });
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = recorded.collect();
    }
}

fn table(request: &Value) -> String {
    request["TableName"].as_str().unwrap_or_default().to_owned()
}

async fn answer(State(answers): State<Answers>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if uri.path().starts_with("/v1/Account/") {
        return plivo(&method);
    }
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let recorded = answers.lock().unwrap_or_else(PoisonError::into_inner).get(&(operation, table(&request))).cloned();
    match recorded {
        Some(answer) => ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response(),
        None => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

fn plivo(method: &Method) -> Response {
    let id = "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46";
    let (status, body) = if method == Method::POST {
        (StatusCode::ACCEPTED, json!({ "message": "message(s) queued", "message_uuid": [id], "api_id": id }))
    } else {
        (StatusCode::OK, json!({ "account_type": "standard", "auth_id": local::PLIVO_AUTH_ID, "api_id": id }))
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
