//! Checks permissions as IAM does, for tests. The check is a proxy in front of the APIs of DynamoDB, Secrets Manager and SQS. It lets each
//! function do only what its role in `template.yaml` allows, and records which permissions the function uses. The access key is the
//! function's name; a client with another key may do everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::StackError;
use crate::template::{ANY, Template};

/// An action, like `dynamodb:GetItem`, and the logical id of the resource.
pub type Permission = (String, String);

/// The permissions of the functions' roles. Clones share the record of those used.
#[derive(Debug, Clone)]
pub struct Iam {
    /// Permissions by function.
    allowed: Arc<BTreeMap<String, BTreeSet<Permission>>>,
    /// Logical IDs by the resources' local names.
    resources: Arc<HashMap<String, String>>,
    used: Arc<Mutex<BTreeMap<String, BTreeSet<Permission>>>>,
}

#[derive(Clone)]
struct Check {
    iam: Iam,
    target: String,
    http: reqwest::Client,
}

impl Iam {
    /// Reads the roles from the template.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn new() -> Result<Self, StackError> {
        let template = Template::read()?;
        let local = crate::environment("", "", "", "");
        let known = template.environment.iter().filter_map(|(name, logical)| {
            let value = local.get(name)?;
            Some((value.rsplit('/').next().unwrap_or(value).to_owned(), logical.clone()))
        });
        let resources = known.collect();
        let allowed = template.functions.into_iter().map(|(name, function)| (name, function.permissions)).collect();
        Ok(Self { allowed: Arc::new(allowed), resources: Arc::new(resources), used: Arc::default() })
    }

    /// The permissions that each function has used so far.
    pub fn used(&self) -> BTreeMap<String, BTreeSet<Permission>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the check before the API at this URL, and returns the URL to call instead.
    pub(crate) async fn start_before(&self, target: &str, stop: watch::Receiver<()>) -> Result<String, StackError> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("the IAM check has no port"))?;
        let address = listener.local_addr().map_err(StackError::new("the IAM check has no port"))?;
        let http = crate::http_client()?;
        let check = Check { iam: self.clone(), target: target.to_owned(), http };
        let app = Router::new().fallback(forward).with_state(check);
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(crate::stopped(stop)).into_future());
        Ok(format!("http://{address}"))
    }

    /// Records the permissions that a call needs. Returns the first one that the function lacks as the error.
    fn check(&self, function: &str, operation: &str, request: &Value) -> Result<(), String> {
        let Some(allowed) = self.allowed.get(function) else { return Ok(()) };
        for (action, name) in needs(operation, request) {
            let logical = self.resources.get(&name).cloned().unwrap_or(name);
            let permission = (action, logical);
            if !allowed.contains(&permission) {
                return Err(format!("{function} is not authorized to perform {} on {}", permission.0, permission.1));
            }
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.entry(function.to_owned()).or_default().insert(permission);
        }
        Ok(())
    }
}

/// The permissions that a call needs, with resources by name. A transaction needs those of the operations in it (AWS: "Amazon DynamoDB
/// Transactions: How it works", IAM).
fn needs(operation: &str, request: &Value) -> Vec<Permission> {
    let named = |prefix: &str, name: &Value| {
        let name = name.as_str().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name);
        vec![(format!("{prefix}:{}", operation.rsplit('.').next().unwrap_or_default()), name.to_owned())]
    };
    match operation.split('.').next().unwrap_or_default() {
        // The batch itself has no resource, and each secret needs its own permission (API reference: "BatchGetSecretValue").
        "secretsmanager" if operation.ends_with(".BatchGetSecretValue") => {
            let ids = request["SecretIdList"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let each = ids.map(|id| ("secretsmanager:GetSecretValue".to_owned(), id.to_owned()));
            each.chain([("secretsmanager:BatchGetSecretValue".to_owned(), ANY.to_owned())]).collect()
        }
        "secretsmanager" => named("secretsmanager", &request["SecretId"]),
        "AmazonSQS" => named("sqs", &request["QueueUrl"]),
        _ if operation.ends_with(".TransactWriteItems") => {
            let actions = request["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
            let inside = actions.flatten().map(|(kind, action)| {
                let kind =
                    if kind == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{kind}Item") };
                (format!("dynamodb:{kind}"), action["TableName"].as_str().unwrap_or_default().to_owned())
            });
            inside.collect()
        }
        _ if operation.ends_with(".BatchGetItem") => {
            let tables = request["RequestItems"].as_object().into_iter().flatten().map(|(table, _)| table.clone());
            tables.map(|table| ("dynamodb:BatchGetItem".to_owned(), table)).collect()
        }
        _ => named("dynamodb", &request["TableName"]),
    }
}

async fn forward(State(check): State<Check>, mut headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (operation, authorization) = (text("x-amz-target"), text("authorization"));
    let function = authorization.split_once("Credential=").and_then(|(_, scope)| scope.split('/').next());
    let request = serde_json::from_slice(&body).unwrap_or_default();
    if let Err(problem) = check.iam.check(function.unwrap_or_default(), &operation, &request) {
        tracing::error!("{problem}");
        let body = json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": problem });
        return (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string())
            .into_response();
    }
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let passed = async {
        let answer = check.http.post(format!("{}/", check.target)).headers(headers).body(body).send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
    };
    match passed.await {
        Ok((status, headers, body)) => {
            let kind = headers.get(header::CONTENT_TYPE).cloned();
            let kind = kind.unwrap_or(header::HeaderValue::from_static("application/x-amz-json-1.0"));
            (status, [(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
