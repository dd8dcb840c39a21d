//! The local stack: what `cargo run` starts and what the tests drive. The gateway with the very handlers of the functions, storage
//! and secrets by AWS's own APIs, Plivo's API, an inbox, a clock that can be moved; all in this process, all on 127.0.0.1.
//!
//! | module | for |
//! |---|---|
//! | [`gateway`] | HTTP to Lambda events and back |
//! | [`functions`] | the functions, each as Lambda runs it |
//! | [`dynamodb`], [`secrets`], [`sqs`] | the APIs of DynamoDB, Secrets Manager and SQS |
//! | [`simulator`] | Plivo's API |
//! | [`inbox`] | what was "delivered", for people and programs |
//! | `control_api` | `/_local/config`, `/_local/environment`, `/_local/clock` |
//! | [`seed`] | users, transactions, counts and sessions from a file |
//! | [`events`] | the event files, and what their names say |
//! | [`clock`] | the clock that is moved |
//! | [`metrics`] | what the functions count |
//! | [`template`], [`iam`] | what `template.yaml` says, and its permissions in force, for tests |
//! | [`fault_proxy`] | faults and measurements, for tests and the benchmark |
//! | [`runtime_api`] | runs a function binary as Lambda does, for tests |
//!
//! Uses `shared` and the functions; nothing uses it but tests and the benchmark.

pub mod clock;
mod control_api;
pub mod dynamodb;
pub mod events;
pub mod fault_proxy;
pub mod functions;
pub mod gateway;
pub mod iam;
pub mod inbox;
pub mod metrics;
pub mod runtime_api;
pub mod secrets;
pub mod seed;
pub mod simulator;
pub mod sqs;
pub mod template;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::app::App;
use shared::auth::password::Cost;
use shared::aws::AwsClients;
use shared::clock::Clock as _;
use shared::http_client::{self, AwsHttpClient};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{MovableClock, Pace};
use crate::functions::Functions;
use crate::gateway::Gateway;
use crate::iam::Iam;
use crate::metrics::CountedMetrics;
use crate::secrets::Secrets;
use crate::simulator::Simulator;
use crate::sqs::{QUEUES, Queues};

/// The local application's id. This and what follows are known to everybody: nothing here is worth a secret.
pub const APP_ID: &str = "10CA1000-0000-0000-0000-0000000000A1";
/// The local application's key.
pub const API_KEY: &str = "10CA1000-0000-0000-0000-0000000000B2";
/// The local key of `sendMessage`.
pub const MESSAGE_KEY: &str = "local-message-key-0123456789";
/// The local root key. Fixed, so that kept data and seeds stay readable.
pub const ROOT_KEY: &str = "local-root-key-0123456789abcdef0123456789";
/// The simulator's account.
pub const PLIVO_AUTH_ID: &str = "MALOCALLOCALLOCALLOC";
/// The simulator's token.
pub const PLIVO_AUTH_TOKEN: &str = "bG9jYWwtcGxpdm8tYXV0aC10b2tlbi0wMTIzNDU2";

/// Where the data is.
#[derive(Debug, Clone, Default)]
pub enum Data {
    /// In memory, gone with the stack.
    #[default]
    Memory,
    /// In a file below this folder, kept.
    Folder(PathBuf),
    /// With another stack, whose DynamoDB API is at this address.
    At(String),
}

/// How to start a stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The gateway's port; 0 picks a free one.
    pub port: u16,
    /// Where the data is.
    pub data: Data,
    /// Settings (and `AWS_…` variables) that stand over the stack's own.
    pub settings: Vec<(String, String)>,
    /// A file of users, transactions and sessions to load.
    pub seed: Option<PathBuf>,
    /// What the clock does by itself.
    pub pace: Pace,
    /// How far the clock is behind the machine's, so that what happens here lies in the past of who reads it there.
    pub behind: Duration,
    /// What lets each function do what its role allows; without one, each may do all.
    pub iam: Option<Iam>,
    /// What hashing a password costs. Only the benchmark has another than the default.
    pub password_cost: Cost,
}

/// The stack cannot start.
#[derive(Debug)]
pub struct StackError {
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StackError {
    /// Makes one of another error, for `map_err`.
    pub(crate) fn new<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let what = what.into();
        move |source| Self { what, source: Some(source.into()) }
    }

    pub(crate) fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }
}

impl std::fmt::Display for StackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for StackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What programs need to know of a running stack: the body of `GET /_local/config`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The gateway.
    pub url: String,
    /// The application's id.
    pub app_id: String,
    /// The application's key.
    pub api_key: String,
    /// The key of `sendMessage`.
    pub message_key: String,
    /// Plivo's account.
    pub plivo_auth_id: String,
    /// Plivo's token.
    pub plivo_auth_token: String,
    /// DynamoDB's API.
    pub dynamodb_endpoint: String,
    /// Secrets Manager's API.
    pub secrets_endpoint: String,
    /// SQS's API. Not in that body, whose form is fixed; `GET /_local/environment` names it.
    #[serde(skip)]
    pub sqs_endpoint: String,
}

/// A running stack. Stops when dropped.
pub struct Stack {
    /// Where and how to reach it.
    pub config: Config,
    /// Its clock.
    pub clock: Arc<MovableClock>,
    /// Its Plivo.
    pub simulator: Simulator,
    /// The functions' environment.
    pub settings: HashMap<String, String>,
    /// What a function would use; seeds and tests look through it into storage.
    pub app: Arc<App>,
    /// Its secrets.
    pub secrets: Secrets,
    /// Messages that could not be sent.
    pub dead_letters: Queues,
    /// What the functions count.
    pub metrics: CountedMetrics,
    functions: Arc<Functions>,
    stop: watch::Sender<()>,
    server: JoinHandle<()>,
}

impl Stack {
    /// Starts all parts and answers when all of them take requests.
    ///
    /// # Errors
    /// [`StackError`], like a port that is taken or a setting that is wrong.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let (stop, stopped) = watch::channel(());
        let clock = Arc::new(MovableClock::new(options.pace, options.behind));
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(StackError::new(format!("port {} cannot be used (try --port 0)", options.port)))?;
        let url = format!("http://{}", listener.local_addr().map_err(StackError::new("the gateway has no port"))?);

        let apis = Apis::start(&options.data, &stopped).await?;
        let checked = match &options.iam {
            Some(iam) => apis.behind(iam, &stopped).await?,
            None => apis.clone(),
        };
        let metrics = CountedMetrics::default();
        let mut settings = environment(&url, &checked.dynamodb, &checked.secrets, &checked.sqs);
        settings.extend(options.settings);
        let app = App::new(&|name| settings.get(name).cloned(), clock.clone(), metrics.sink());
        let mut app = app.map_err(StackError::new("a setting is wrong"))?;
        app.password_cost = options.password_cost;
        let app = Arc::new(app);
        let functions = Functions::new(&settings, clock.clone(), &metrics, options.password_cost);
        let functions = Arc::new(functions.map_err(StackError::new("a setting is wrong"))?);
        let simulator = Simulator::new(PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, {
            let clock = clock.clone();
            Arc::new(move || clock.now().as_millis())
        });
        let config = Config {
            url,
            app_id: app.settings.app_id.clone(),
            api_key: app.settings.api_key.clone(),
            message_key: MESSAGE_KEY.to_owned(),
            plivo_auth_id: PLIVO_AUTH_ID.to_owned(),
            plivo_auth_token: PLIVO_AUTH_TOKEN.to_owned(),
            dynamodb_endpoint: apis.dynamodb,
            secrets_endpoint: apis.secrets,
            sqs_endpoint: apis.sqs,
        };
        let (secrets, dead_letters) = (apis.secrets_api, apis.dead_letters);
        let gateway = Gateway {
            functions: functions.clone(),
            origins: app.settings.allowed_origins.clone(),
            clock: clock.clone(),
        };
        let router = router(&config, &settings, gateway, &simulator).merge(dead_letters.router());
        let server = serve(listener, router, simulator.clone(), stopped);
        if let Some(file) = &options.seed {
            seed::load(&app, file).await?;
        }
        Ok(Self { config, clock, simulator, settings, app, secrets, dead_letters, metrics, functions, stop, server })
    }

    /// Has each function do what it does at its start. Without it they do so with their first requests.
    pub async fn warm(&self) {
        self.functions.warm().await;
    }

    /// Waits until all is done that functions do after the answers that they have given.
    pub async fn settle(&self) {
        self.functions.settle().await;
    }

    /// Hands a function an event, whatever it came from, as `aws lambda invoke` does, and waits until the function would take the next.
    ///
    /// # Errors
    /// What a failed invocation leaves.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, Diagnostic> {
        let answer = self.functions.invoke(function, event).await;
        self.settle().await;
        answer
    }

    /// The same, with what Lambda would tell the function about the invocation.
    ///
    /// # Errors
    /// What a failed invocation leaves.
    pub async fn invoke_in(&self, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        self.functions.invoke_in(function, event).await
    }

    /// Stops taking requests and waits until those under way are answered, or for so long.
    pub async fn stop(self, longest: Duration) {
        let Self { stop, server, functions, .. } = self;
        drop(stop);
        let ended = async {
            let _ = server.await;
            functions.settle().await;
        };
        // A client that has sent half a request would keep the server waiting.
        let _ = tokio::time::timeout(longest, ended).await;
    }
}

/// Where AWS's services are.
#[derive(Clone)]
struct Apis {
    dynamodb: String,
    secrets: String,
    sqs: String,
    secrets_api: Secrets,
    dead_letters: Queues,
}

impl Apis {
    async fn start(data: &Data, stopped: &watch::Receiver<()>) -> Result<Self, StackError> {
        let dynamodb = match data {
            Data::Memory => dynamodb::start(None, stopped.clone()).await?,
            Data::Folder(folder) => dynamodb::start(Some(folder), stopped.clone()).await?,
            Data::At(endpoint) => endpoint.clone(),
        };
        dynamodb::make_tables(&direct(&dynamodb)?).await?;
        let secrets_api = local_secrets();
        let secrets = secrets_api.start(stopped.clone()).await?;
        let dead_letters = Queues::default();
        let sqs = dead_letters.start(stopped.clone()).await?;
        Ok(Self { dynamodb, secrets, sqs, secrets_api, dead_letters })
    }

    /// The same, each behind a iam.
    async fn behind(&self, iam: &Iam, stopped: &watch::Receiver<()>) -> Result<Self, StackError> {
        Ok(Self {
            dynamodb: iam.before(&self.dynamodb, stopped.clone()).await?,
            secrets: iam.before(&self.secrets, stopped.clone()).await?,
            sqs: iam.before(&self.sqs, stopped.clone()).await?,
            ..self.clone()
        })
    }
}

/// Everything that the gateway's port answers.
fn router(config: &Config, settings: &HashMap<String, String>, gateway: Gateway, simulator: &Simulator) -> Router {
    let (clock, functions) = (Arc::clone(&gateway.clock), Arc::clone(&gateway.functions));
    let gateway = Arc::new(gateway);
    let own = inbox::router(simulator.clone())
        .merge(control_api::router(config.clone(), settings, clock, simulator.clone()))
        .layer(from_fn_with_state(functions, settled));
    Router::new().fallback(gateway::respond).with_state(gateway).merge(simulator.router()).merge(own)
}

/// Whoever asks the stack itself, like for a message, finds what earlier answers led to.
async fn settled(State(functions): State<Arc<Functions>>, request: Request, next: Next) -> Response {
    functions.settle().await;
    next.run(request).await
}

/// Serves until the stack stops; then lets those who wait for messages go, and ends with the last request.
fn serve(listener: TcpListener, router: Router, simulator: Simulator, stop: watch::Receiver<()>) -> JoinHandle<()> {
    let served = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopped(stop.clone()));
    tokio::spawn(async move {
        stopped(stop).await;
        simulator.wake();
    });
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the gateway stopped");
        }
    })
}

/// DynamoDB's API itself, whatever stands in the handlers' way.
fn direct(dynamodb: &str) -> Result<aws_sdk_dynamodb::Client, StackError> {
    let environment = environment("", dynamodb, "", "");
    let lookup = |name: &str| environment.get(name).cloned().filter(|value| !value.is_empty());
    let http = AwsHttpClient::new(&lookup).map_err(StackError::new("no HTTP client"))?;
    let aws = AwsClients::from_environment(&lookup, http).map_err(StackError::new("no storage client"))?;
    Ok(aws.dynamodb())
}

/// An HTTP client for whoever calls the service, on this machine: the functions' TLS, no proxies.
///
/// # Errors
/// [`StackError`] when it cannot be built.
pub fn http_client() -> Result<reqwest::Client, StackError> {
    http_client_from(Ipv4Addr::LOCALHOST)
}

/// The same from another address of this machine (127.0.0.0/8, on Linux).
///
/// # Errors
/// [`StackError`] when it cannot be built.
pub fn http_client_from(address: Ipv4Addr) -> Result<reqwest::Client, StackError> {
    let tls = http_client::tls(&|_| None).map_err(StackError::new("no TLS"))?;
    let builder =
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().local_address(IpAddr::from(address));
    builder.redirect(reqwest::redirect::Policy::none()).build().map_err(StackError::new("no HTTP client"))
}

/// Ends when the stack stops or is dropped.
pub(crate) async fn stopped(mut stop: watch::Receiver<()>) {
    // An error means that the stack is gone, which is the signal.
    let _ = stop.changed().await;
}

fn local_secrets() -> Secrets {
    let secrets = Secrets::default();
    let plivo = serde_json::json!({ "authId": PLIVO_AUTH_ID, "authToken": PLIVO_AUTH_TOKEN });
    secrets.put("plivo", &plivo.to_string());
    secrets.put("root", ROOT_KEY);
    secrets.put("message", MESSAGE_KEY);
    secrets
}

/// The environment of a function that runs beside a stack: the settings that the template would make, and where AWS is.
pub fn environment(url: &str, dynamodb: &str, secrets: &str, sqs: &str) -> HashMap<String, String> {
    let [dead_letters, dead_letters_fifo] = QUEUES.map(|name| format!("{sqs}/000000000000/{name}"));
    let own = [
        ("USERS_TABLE", "users"),
        ("PHONES_TABLE", "phones"),
        ("SESSIONS_TABLE", "sessions"),
        ("CONTROLS_TABLE", "controls"),
        ("MESSAGES_TABLE", "messages"),
        ("COUNTERS_TABLE", "counters"),
        ("DECISIONS_TABLE", "decisions"),
        ("DEAD_LETTER_QUEUE", &dead_letters),
        ("DEAD_LETTER_FIFO_QUEUE", &dead_letters_fifo),
        ("METRICS_NAMESPACE", "Otpost/local"),
        ("PLIVO_SECRET", "plivo"),
        ("ROOT_SECRET", "root"),
        ("MESSAGE_SECRET", "message"),
        ("APP_ID", APP_ID),
        ("API_KEY", API_KEY),
        ("PLIVO_SENDER", "+14155550199"),
        // Everybody here comes from this machine.
        ("STARTS_PER_ADDRESS", "10000"),
        ("PLIVO_API_URL", url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets),
        ("AWS_ENDPOINT_URL_SQS", sqs),
    ];
    own.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}
