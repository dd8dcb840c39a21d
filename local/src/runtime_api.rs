//! Lambda's Runtime API on 127.0.0.1. It runs a function's binary as Lambda does and passes it events, for tests of the binaries and for the
//! benchmark, to which it says when each request came.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use lambda_http::lambda_runtime::Diagnostic;
use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{Options, Stack, StackError, environment, events, functions};

/// What a function's runtime asks of the Runtime API.
#[derive(Debug)]
pub enum RuntimeRequest {
    /// For the next event. After an invocation, this also says that its background tasks are done.
    Next,
    /// To pass on a response, or the error of a failed invocation.
    Done(Result<Value, Diagnostic>),
}

/// A function's binary that runs as Lambda runs it. It is killed when dropped.
pub struct Function {
    /// The process.
    pub process: Child,
    /// When the process was spawned.
    pub started: Instant,
    events: mpsc::Sender<Value>,
    requests: mpsc::Receiver<(Instant, RuntimeRequest)>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Runtime {
    events: Mutex<mpsc::Receiver<Value>>,
    timeout: Duration,
    requests: mpsc::Sender<(Instant, RuntimeRequest)>,
}

impl Function {
    /// Starts a binary beside a stack, with the stack's storage, secrets and Plivo.
    ///
    /// # Errors
    /// [`StackError`] when it cannot be started.
    pub async fn start(binary: &Path, config: &crate::Config) -> Result<Self, StackError> {
        let crate::Config { url, dynamodb_endpoint, secrets_endpoint, sqs_endpoint, .. } = config;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment(url, dynamodb_endpoint, secrets_endpoint, sqs_endpoint))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let function = binary.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self::run(command, functions::timeout(&function)).await
    }

    /// Runs a command with Lambda's variables added to its environment. Each invocation has this long.
    ///
    /// # Errors
    /// [`StackError`] when it cannot be started.
    pub async fn run(mut command: Command, timeout: Duration) -> Result<Self, StackError> {
        let (events, queue) = mpsc::channel(1);
        let (sender, requests) = mpsc::channel(4);
        let runtime = Arc::new(Runtime { events: Mutex::new(queue), timeout, requests: sender });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(runtime);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("the runtime has no port"))?;
        let address = listener.local_addr().map_err(StackError::new("the runtime has no port"))?;
        let server = tokio::spawn(axum::serve(listener, app).into_future());
        command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "local")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .kill_on_drop(true);
        let started = Instant::now();
        let process = command.spawn().map_err(StackError::new("the function does not start"))?;
        Ok(Self { process, started, events, requests, server })
    }

    /// Invokes the function and waits for its response.
    ///
    /// # Errors
    /// The error of a failed invocation, also if the function has ended.
    pub async fn invoke(&mut self, event: Value) -> Result<Value, Diagnostic> {
        self.send(event).await;
        loop {
            if let (_, RuntimeRequest::Done(result)) = self.request().await? {
                return result;
            }
        }
    }

    /// Passes an event to the function, whether or not it has asked for one.
    pub async fn send(&self, event: Value) {
        // It fails only when the server has stopped, and then no request comes either.
        let _ = self.events.send(event).await;
    }

    /// Waits for the function's next request, and says when it came.
    ///
    /// # Errors
    /// The function has ended.
    pub async fn request(&mut self) -> Result<(Instant, RuntimeRequest), Diagnostic> {
        tokio::select! {
            biased;
            Some(request) = self.requests.recv() => Ok(request),
            status = self.process.wait() => Err(failed("Ended", &format!("the function has ended: {status:?}"))),
        }
    }
}

fn failed(kind: &str, message: &str) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: message.to_owned() }
}

async fn next(State(runtime): State<Arc<Runtime>>) -> impl IntoResponse {
    runtime.tell(RuntimeRequest::Next).await;
    let event = runtime.events.lock().await.recv().await.unwrap_or_default();
    let id = shared::crypto::identifier::random();
    let known = |text: &str| text.to_owned();
    let deadline = SystemClock.now().plus(runtime.timeout).as_millis().to_string();
    let headers = [
        ("content-type", known("application/json")),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline),
        ("lambda-runtime-invoked-function-arn", known("arn:aws:lambda:us-east-1:000000000000:function:local")),
        ("lambda-runtime-trace-id", known("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")),
    ];
    (headers, event.to_string())
}

impl Runtime {
    async fn tell(&self, request: RuntimeRequest) {
        // It fails only when the function is no longer watched.
        let _ = self.requests.send((Instant::now(), request)).await;
    }
}

async fn response(
    State(runtime): State<Arc<Runtime>>,
    PathParameter(_): PathParameter<String>,
    body: Bytes,
) -> StatusCode {
    let result = serde_json::from_slice(&body).map_err(|_| failed("Response", "the response is not JSON"));
    runtime.tell(RuntimeRequest::Done(result)).await;
    StatusCode::ACCEPTED
}

async fn error(
    State(runtime): State<Arc<Runtime>>,
    PathParameter(_): PathParameter<String>,
    body: Bytes,
) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    runtime.tell(RuntimeRequest::Done(Err(failed(text("errorType"), text("errorMessage"))))).await;
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
