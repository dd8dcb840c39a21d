//! Lambda's Runtime API on 127.0.0.1. It runs a function's binary as Lambda does and passes it events, for tests of the binaries.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use lambda_http::lambda_runtime::Diagnostic;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

use crate::{Options, Stack, StackError, environment, events};

/// A function's binary that runs beside a stack, with the stack's storage, secrets and Plivo. It is killed when dropped.
pub struct Function {
    events: mpsc::Sender<Value>,
    responses: mpsc::Receiver<Result<Value, Diagnostic>>,
    _process: Child,
}

struct Runtime {
    events: Mutex<mpsc::Receiver<Value>>,
    responses: mpsc::Sender<Result<Value, Diagnostic>>,
}

impl Function {
    /// Starts a binary beside a stack.
    ///
    /// # Errors
    /// [`StackError`] when it cannot be started.
    pub async fn start(binary: &Path, config: &crate::Config) -> Result<Self, StackError> {
        let (events, queue) = mpsc::channel(1);
        let (sender, responses) = mpsc::channel(1);
        let runtime = Arc::new(Runtime { events: Mutex::new(queue), responses: sender });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(runtime);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("the runtime has no port"))?;
        let address = listener.local_addr().map_err(StackError::new("the runtime has no port"))?;
        tokio::spawn(axum::serve(listener, app).into_future());
        let process = Command::new(binary)
            .env_clear()
            .envs(environment(&config.url, &config.dynamodb_endpoint, &config.secrets_endpoint, &config.sqs_endpoint))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "local")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(StackError::new("the function does not start"))?;
        Ok(Self { events, responses, _process: process })
    }

    /// Invokes the function and waits for its response.
    ///
    /// # Errors
    /// The error of a failed invocation, also if the function has ended.
    pub async fn invoke(&mut self, event: Value) -> Result<Value, Diagnostic> {
        let ended = || failed("Ended", "the function has ended");
        self.events.send(event).await.map_err(|_| ended())?;
        self.responses.recv().await.unwrap_or_else(|| Err(ended()))
    }
}

fn failed(kind: &str, message: &str) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: message.to_owned() }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> impl IntoResponse {
    let event = runtime.events.lock().await.recv().await.unwrap_or_default();
    let id = shared::crypto::identifier::random();
    let known = |text: &str| text.to_owned();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", known("4102444800000")),
        ("lambda-runtime-invoked-function-arn", known("arn:aws:lambda:us-east-1:000000000000:function:local")),
        ("lambda-runtime-trace-id", known("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")),
    ];
    (headers, event.to_string())
}

async fn response(
    State(runtime): State<Arc<Runtime>>,
    PathParameter(_): PathParameter<String>,
    body: Bytes,
) -> StatusCode {
    let answer = serde_json::from_slice(&body).map_err(|_| failed("Answer", "the answer is not JSON"));
    // Sending fails only when the test is over.
    let _ = runtime.responses.send(answer).await;
    StatusCode::ACCEPTED
}

async fn error(
    State(runtime): State<Arc<Runtime>>,
    PathParameter(_): PathParameter<String>,
    body: Bytes,
) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let _ = runtime.responses.send(Err(failed(text("errorType"), text("errorMessage")))).await;
    StatusCode::ACCEPTED
}

/// Invokes a binary with all event files of its function, in order, beside a stack with their seeds.
///
/// # Errors
/// [`StackError`] when a response is not the one that the file's name promises.
pub async fn run_event_files(function: &str, binary: &str) -> Result<(), StackError> {
    let stack = Stack::start(Options { seed: Some(events::seed()), ..Options::default() }).await?;
    let mut process = Function::start(Path::new(binary), &stack.config).await?;
    for file in events::all()?.into_iter().filter(|file| file.function == function) {
        let answer = process.invoke(file.event.clone()).await;
        file.check(&answer)?;
    }
    Ok(())
}

/// Starts a binary without any setting and returns the one line that it logs.
///
/// # Errors
/// [`StackError`] when it logs anything else, or exits with success.
pub fn start_without_settings(binary: &str) -> Result<String, StackError> {
    let output = std::process::Command::new(binary).env_clear().output();
    let output = output.map_err(StackError::new("the function does not start"))?;
    let line: Value =
        serde_json::from_slice(&output.stdout).map_err(StackError::new("the function left no JSON line"))?;
    match (output.status.code(), line["message"].as_str()) {
        (Some(1), Some(message)) => Ok(message.to_owned()),
        (code, _) => Err(StackError::plain(format!("the function ended with {code:?} and {line}"))),
    }
}
