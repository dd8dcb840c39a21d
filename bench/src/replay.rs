//! Storage and Plivo that answer at once: DynamoDB's answers are those of a recorded operation, by its calls' operation and tables
//! (no operation makes two calls that share both), Plivo's are fixed. It runs on a thread of its own, so that its work is
//! not counted as the handlers'. `cold` answers from the same, behind TLS and at a distance.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use local::fault_proxy::Call;
use serde_json::{Value, json};

use crate::{Failure, cpu};

/// What DynamoDB answers, by [`key`].
pub(crate) type Answers = HashMap<Key, Bytes>;

/// A call's operation, and the tables that it names anywhere.
pub(crate) type Key = (String, Vec<String>);

/// The key of a call.
pub(crate) fn key(operation: &str, request: &Value) -> Key {
    let mut tables = Vec::new();
    name_tables(request, &mut tables);
    tables.sort_unstable();
    tables.dedup();
    (operation.to_owned(), tables)
}

fn name_tables(value: &Value, tables: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| name_tables(value, tables)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("TableName", Value::String(table)) => tables.push(table.clone()),
                    // Of batches, whose tables are names of fields.
                    ("RequestItems", Value::Object(items)) => tables.extend(items.keys().cloned()),
                    _ => name_tables(value, tables),
                }
            }
        }
        _ => {}
    }
}

/// The answers to these calls. Nobody asks for capacity in production.
pub(crate) fn answers(calls: &[Call]) -> Answers {
    let recorded = calls.iter().map(|call| {
        let mut answer = call.answer.clone();
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("ConsumedCapacity");
        }
        (key(&call.operation, &call.request), Bytes::from(answer.to_string()))
    });
    recorded.collect()
}

/// The answer to a call. What was recorded as one batch also answers who reads other parts of it: a function that keeps what it read
/// for a while, and peers in other languages. Their writes succeed, too.
pub(crate) fn find(answers: &Answers, operation: &str, request: &Value) -> Option<Bytes> {
    let key = key(operation, request);
    let recorded = answers.get(&key).cloned();
    recorded.or_else(|| match (operation, key.1.as_slice()) {
        ("BatchGetItem", tables) => {
            let found =
                tables.iter().map(|table| (table.clone(), in_batches(answers, table).unwrap_or_default().into()));
            let responses: serde_json::Map<_, Value> = found.collect();
            Some(Bytes::from(json!({ "Responses": responses, "UnprocessedKeys": {} }).to_string()))
        }
        ("PutItem", _) => Some(Bytes::from_static(b"{}")),
        _ => None,
    })
}

/// What any recorded batch found in this table.
fn in_batches(answers: &Answers, table: &str) -> Option<Vec<Value>> {
    answers.iter().find_map(|((operation, _), answer)| {
        let batch: Value = (operation == "BatchGetItem").then(|| serde_json::from_slice(answer).ok())??;
        batch["Responses"][table].as_array().cloned()
    })
}

/// A running one. Ends with the process.
pub(crate) struct Replay {
    pub(crate) url: String,
    /// Its thread, for `cpu`.
    pub(crate) thread: Option<String>,
    answers: Arc<Mutex<Answers>>,
}

impl Replay {
    pub(crate) fn start() -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let answers = Arc::<Mutex<Answers>>::default();
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
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers(calls);
    }
}

async fn answer(
    State(answers): State<Arc<Mutex<Answers>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path().starts_with("/v1/Account/") {
        let (status, body) = plivo(method.as_str());
        let status = StatusCode::from_u16(status).unwrap_or_default();
        return (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let recorded = find(&answers.lock().unwrap_or_else(PoisonError::into_inner), operation, &request);
    match recorded {
        Some(answer) => ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response(),
        None => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

/// What Plivo answers when a message is sent, and when it is asked for the account: status and body.
pub(crate) fn plivo(method: &str) -> (u16, String) {
    let id = "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46";
    if method == "POST" {
        (202, json!({ "message": "message(s) queued", "message_uuid": [id], "api_id": id }).to_string())
    } else {
        (200, json!({ "account_type": "standard", "auth_id": local::PLIVO_AUTH_ID, "api_id": id }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_wherever_a_request_names_them() {
        let tables = |request: Value| key("", &request).1;
        assert_eq!(tables(json!({ "TableName": "users", "Key": { "id": { "S": "TableName" } } })), ["users"]);
        let batch = json!({ "RequestItems": { "users": { "Keys": [] }, "phones": { "Keys": [] } } });
        assert_eq!(tables(batch), ["phones", "users"]);
        let put = |table: &str| json!({ "Put": { "TableName": table } });
        assert_eq!(
            tables(json!({ "TransactItems": [put("users"), put("phones"), put("users")] })),
            ["phones", "users"]
        );
    }

    #[test]
    fn parts_of_a_batch_are_answered_from_it() {
        let key = ("BatchGetItem".to_owned(), vec!["phones".to_owned(), "users".to_owned()]);
        let answer = json!({ "Responses": { "users": [{ "id": { "S": "1" } }], "phones": [] } });
        let answers = Answers::from([(key, Bytes::from(answer.to_string()))]);
        let request = json!({ "RequestItems": { "users": { "Keys": [] } } });
        let found: Value = serde_json::from_slice(&find(&answers, "BatchGetItem", &request).unwrap()).unwrap();
        assert_eq!(found["Responses"], json!({ "users": [{ "id": { "S": "1" } }] }));
        let asked = |operation| find(&answers, operation, &json!({ "TableName": "phones" }));
        assert_eq!(asked("PutItem").unwrap(), "{}");
        assert_eq!(asked("UpdateItem"), None);
    }
}
