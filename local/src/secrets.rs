//! Secrets Manager's API in this process: `GetSecretValue` and `BatchGetSecretValue` of the stack's secrets. Tests can change them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::StackError;

/// The secrets, by name. Clones share them.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<HashMap<String, String>>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// The stack's secrets, with the values that every stack has.
    pub fn of_the_stack() -> Self {
        let secrets = Self::default();
        let plivo = json!({ "authId": crate::PLIVO_AUTH_ID, "authToken": crate::PLIVO_AUTH_TOKEN });
        secrets.put("plivo", &plivo.to_string());
        secrets.put("root", crate::ROOT_KEY);
        secrets.put("message", crate::MESSAGE_KEY);
        secrets.put("captcha", crate::CAPTCHA_KEY);
        secrets.put("jwt", crate::JWT_KEY);
        secrets
    }

    /// Sets a secret's value, as `aws secretsmanager put-secret-value` does.
    pub fn put(&self, name: &str, value: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value.to_owned());
    }

    /// A secret, as both operations return it.
    fn value(&self, name: &str) -> Option<Value> {
        let secret = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        Some(json!({
            "ARN": format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-local"),
            "Name": name, "SecretString": secret, "VersionId": "local-version", "VersionStages": ["AWSCURRENT"],
        }))
    }

    /// Starts the API and returns its URL.
    pub(crate) async fn start(&self, stop: watch::Receiver<()>) -> Result<String, StackError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("secrets have no port"))?;
        let address = listener.local_addr().map_err(StackError::new("secrets have no port"))?;
        let app = Router::new().route("/", post(respond)).with_state(self.clone());
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(crate::stopped(stop)).into_future());
        Ok(format!("http://{address}"))
    }
}

/// Responds to a request of Secrets Manager's protocol, which is AWS JSON 1.1.
pub async fn respond(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match target {
        "secretsmanager.GetSecretValue" => match secrets.value(body["SecretId"].as_str().unwrap_or_default()) {
            Some(value) => response(StatusCode::OK, &value),
            None => response(StatusCode::BAD_REQUEST, &json!({ "__type": NOT_FOUND, "Message": NOT_FOUND_MESSAGE })),
        },
        "secretsmanager.BatchGetSecretValue" => {
            let (mut values, mut errors) = (Vec::new(), Vec::new());
            for id in body["SecretIdList"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                match secrets.value(id) {
                    Some(value) => values.push(value),
                    None => {
                        errors.push(json!({ "SecretId": id, "ErrorCode": NOT_FOUND, "Message": NOT_FOUND_MESSAGE }))
                    }
                }
            }
            response(StatusCode::OK, &json!({ "SecretValues": values, "Errors": errors }))
        }
        _ => response(StatusCode::BAD_REQUEST, &json!({ "__type": "UnknownOperationException" })),
    }
}

const NOT_FOUND: &str = "ResourceNotFoundException";
const NOT_FOUND_MESSAGE: &str = "Secrets Manager can't find the specified secret.";

fn response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}
