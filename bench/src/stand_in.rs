//! DynamoDB, Secrets Manager and Plivo on loopback, optionally behind TLS and at a distance. DynamoDB's responses are those of a recorded
//! operation, since no operation succeeds twice; the other two are the local stack's. They run on a thread of their own, so that their work
//! is not counted as the functions'.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use local::fault_proxy::Call;
use local::secrets::{self, Secrets};
use local::simulator::Simulator;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use crate::{Failure, link, process};

/// DynamoDB's responses, by [`key`].
pub(crate) type Responses = HashMap<Key, Bytes>;

/// A call's operation, and the tables that it names anywhere. No operation makes two calls that share both.
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

/// The responses to these calls, without the capacity, which only the benchmark asks for.
pub(crate) fn responses(calls: &[Call]) -> Responses {
    let recorded = calls.iter().map(|call| {
        let mut response = call.answer.clone();
        if let Some(response) = response.as_object_mut() {
            response.remove("ConsumedCapacity");
        }
        (key(&call.operation, &call.request), Bytes::from(response.to_string()))
    });
    recorded.collect()
}

/// The response to a call. A recorded batch also answers batches of other parts of it, from a function that caches what it read and from
/// peers in other languages. Their writes succeed, too. The control items, which a function reads at its start, do not exist.
fn find(responses: &Responses, operation: &str, request: &Value) -> Option<Bytes> {
    let key = key(operation, request);
    let recorded = responses.get(&key).cloned();
    recorded.or_else(|| match (operation, key.1.as_slice()) {
        ("BatchGetItem", tables) => {
            let found =
                tables.iter().map(|table| (table.clone(), in_batches(responses, table).unwrap_or_default().into()));
            let found: serde_json::Map<_, Value> = found.collect();
            Some(Bytes::from(json!({ "Responses": found, "UnprocessedKeys": {} }).to_string()))
        }
        ("PutItem", _) => Some(Bytes::from_static(b"{}")),
        ("GetItem", [table]) if table == "controls" => Some(Bytes::from_static(b"{}")),
        _ => None,
    })
}

/// What any recorded batch found in this table.
fn in_batches(responses: &Responses, table: &str) -> Option<Vec<Value>> {
    responses.iter().find_map(|((operation, _), response)| {
        let batch: Value = (operation == "BatchGetItem").then(|| serde_json::from_slice(response).ok())??;
        batch["Responses"][table].as_array().cloned()
    })
}

/// Where the services are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// All at one address, by plain HTTP.
    Plain,
    /// All at one address.
    TlsOne,
    /// Each at its own.
    TlsThree,
}

impl Hosts {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::TlsOne, Self::TlsThree];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::TlsOne => "TLS, one host",
            Self::TlsThree => "TLS, three hosts",
        }
    }
}

/// The thread that servers run on. Ends with the process.
pub(crate) struct Servers {
    handle: Handle,
    /// Its id, where Linux tells it.
    pub(crate) thread: Option<String>,
}

impl Servers {
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // The receiver waits below.
            let _ = sender.send(process::this_thread());
            runtime.block_on(std::future::pending::<()>());
        });
        Ok(Self { handle, thread: receiver.recv()? })
    }
}

/// Running services.
pub(crate) struct StandIn {
    pub(crate) dynamodb: String,
    pub(crate) secrets: String,
    pub(crate) plivo: String,
    state: Arc<Services>,
}

#[derive(Default)]
struct Services {
    /// Connections, and calls to Secrets Manager, DynamoDB and Plivo.
    counts: [AtomicUsize; 4],
    responses: Mutex<Arc<Responses>>,
    secrets: Secrets,
}

impl StandIn {
    /// Starts them. `tls` shows the certificate where the hosts have TLS.
    pub(crate) fn start(
        servers: &Servers,
        hosts: Hosts,
        round_trip: Duration,
        tls: Option<&TlsAcceptor>,
    ) -> Result<Self, Failure> {
        let state = Arc::new(Services { secrets: Secrets::of_the_stack(), ..Services::default() });
        let now = Arc::new(|| SystemClock.now().as_millis());
        let simulator = Simulator::new(local::PLIVO_AUTH_ID, local::PLIVO_AUTH_TOKEN, now);
        let router = Router::new().route("/", post(aws)).with_state(state.clone()).merge(simulator.router());
        let router = router.layer(from_fn_with_state(state.clone(), count));
        let tls = tls.filter(|_| hosts != Hosts::Plain);
        let host = || -> Result<String, Failure> {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            servers.handle.spawn(accept(listener, tls.cloned(), router.clone(), state.clone()));
            let address = if round_trip.is_zero() { address } else { link::to(address, round_trip)? };
            Ok(format!("{}://{address}", if tls.is_some() { "https" } else { "http" }))
        };
        let dynamodb = host()?;
        let (secrets, plivo) =
            if hosts == Hosts::TlsThree { (host()?, host()?) } else { (dynamodb.clone(), dynamodb.clone()) };
        Ok(Self { dynamodb, secrets, plivo, state })
    }

    /// Sets DynamoDB's responses, and resets the counts.
    pub(crate) fn load(&self, responses: &Arc<Responses>) {
        self.take_counts();
        *self.state.responses.lock().unwrap_or_else(PoisonError::into_inner) = responses.clone();
    }

    /// Connections, and calls to Secrets Manager, DynamoDB and Plivo since this was last called.
    pub(crate) fn take_counts(&self) -> [usize; 4] {
        self.state.counts.each_ref().map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// Serves each connection. By hyper itself, since `axum::serve` would wait for one TLS handshake before it takes the next connection.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, state: Arc<Services>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        state.counts[0].fetch_add(1, Ordering::Relaxed);
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            match tls {
                Some(tls) => serve(tls.accept(stream).await?, router).await,
                None => serve(stream, router).await,
            }
            Ok::<_, std::io::Error>(())
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router) {
    // A connection that breaks is one whose process was ended.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

/// What an AWS request is for, like `secretsmanager.GetSecretValue`.
fn target(headers: &HeaderMap) -> &str {
    headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn count(State(state): State<Arc<Services>>, request: Request, next: Next) -> Response {
    let service = match target(request.headers()) {
        "" => 3,
        target if target.starts_with("DynamoDB") => 2,
        _ => 1,
    };
    state.counts[service].fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

async fn aws(State(state): State<Arc<Services>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(operation) = target(&headers).strip_prefix("DynamoDB_20120810.") else {
        return secrets::respond(State(state.secrets.clone()), headers, body).await;
    };
    let responses = state.responses.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    match find(&responses, operation, &request) {
        Some(response) => ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], response).into_response(),
        None => {
            let missing = format!("not recorded: {:?}", key(operation, &request));
            (StatusCode::NOT_IMPLEMENTED, json!({ "__type": "NotRecorded", "message": missing }).to_string())
                .into_response()
        }
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
    fn parts_of_a_batch_are_found_in_it() {
        let key = ("BatchGetItem".to_owned(), vec!["phones".to_owned(), "users".to_owned()]);
        let response = json!({ "Responses": { "users": [{ "id": { "S": "1" } }], "phones": [] } });
        let responses = Responses::from([(key, Bytes::from(response.to_string()))]);
        let request = json!({ "RequestItems": { "users": { "Keys": [] } } });
        let found: Value = serde_json::from_slice(&find(&responses, "BatchGetItem", &request).unwrap()).unwrap();
        assert_eq!(found["Responses"], json!({ "users": [{ "id": { "S": "1" } }] }));
        let asked = |operation| find(&responses, operation, &json!({ "TableName": "phones" }));
        assert_eq!(asked("PutItem").unwrap(), "{}");
        assert_eq!(asked("UpdateItem"), None);
        assert_eq!(asked("GetItem"), None);
    }
}
