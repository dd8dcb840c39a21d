//! The local stack, which `cargo run` starts and the tests drive: a gateway before the functions' own handlers, the APIs of DynamoDB,
//! Secrets Manager, SQS and Plivo, an inbox, and a clock that can be moved. All of it runs in this process, on 127.0.0.1.
//!
//! | module | for |
//! |---|---|
//! | [`gateway`] | HTTP to Lambda events and back |
//! | `server` | where the gateway listens |
//! | [`functions`] | runs the functions' handlers as Lambda does |
//! | [`dynamodb`], [`secrets`], [`sqs`] | the APIs of DynamoDB, Secrets Manager and SQS |
//! | [`simulator`] | Plivo's API and its callbacks |
//! | [`event_sources`] | EventBridge, SNS and Lambda as far as they send messages |
//! | [`captcha`] | a captcha service |
//! | [`inbox`] | the messages that the simulator delivered, what happened behind the responses, and what the tables hold |
//! | `home` | the page at `/` |
//! | `console` | the operator's console at `/_local/console` |
//! | `control_api` | `/_local/config`, `/_local/environment`, `/_local/clock`, `/_local/inbound`, `/_local/plivo` |
//! | [`differences`] | the settings that differ from a deployment's |
//! | [`seed`] | loads users, challenges, counts and sessions from a file |
//! | `demo` | a page with the web component `<phone-login>` |
//! | [`events`] | the event files and the responses that their names promise |
//! | [`clock`] | a clock that can be moved |
//! | [`openapi`] | the API's OpenAPI document and the page that shows it |
//! | [`metrics`] | the metrics that the functions write |
//! | [`template`] | reads `template.yaml`, for tests |
//! | [`iam`] | enforces the permissions of `template.yaml`, for tests |
//! | [`fault_proxy`] | injects faults and records calls, for tests and the benchmark |
//! | [`runtime_api`] | runs a function's binary as Lambda does, for tests and the benchmark |

pub mod captcha;
pub mod clock;
mod console;
mod control_api;
mod demo;
pub mod differences;
pub mod dynamodb;
pub mod event_sources;
pub mod events;
pub mod fault_proxy;
pub mod functions;
pub mod gateway;
mod home;
pub mod iam;
pub mod inbox;
pub mod metrics;
pub mod openapi;
pub mod runtime_api;
pub mod secrets;
pub mod seed;
mod server;
pub mod simulator;
pub mod sqs;
pub mod template;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use shared::app::App;
use shared::auth::password::Cost;
use shared::aws::AwsClients;
use shared::clock::Clock as _;
use shared::http_client::{self, AwsHttpClient};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::captcha::Captcha;
use crate::clock::{MovableClock, Pace};
use crate::event_sources::EventSources;
use crate::functions::Functions;
use crate::gateway::Gateway;
use crate::iam::Iam;
use crate::inbox::starts::Starts;
use crate::inbox::tables::Tables;
use crate::inbox::{Inbox, OpenInbox};
use crate::metrics::CountedMetrics;
use crate::secrets::Secrets;
use crate::simulator::Simulator;
use crate::sqs::{DEAD_LETTERS, Queues};

/// The local application's ID. This and the keys below are public: they protect nothing.
pub const APP_ID: &str = "10CA1000-0000-0000-0000-0000000000A1";
/// The local application's key.
pub const API_KEY: &str = "10CA1000-0000-0000-0000-0000000000B2";
/// The local key of `sendMessage`.
pub const MESSAGE_KEY: &str = "local-message-key-0123456789";
/// The local root key. It is fixed so that kept data and seeds stay readable.
pub const ROOT_KEY: &str = "local-root-key-0123456789abcdef0123456789";
/// The local secret key of the captcha service.
pub const CAPTCHA_KEY: &str = "local-captcha-key-0123456789";
/// The local key that signs JWTs, as public as the others.
pub const JWT_KEY: &str = include_str!("../jwt-key.pem");
/// The simulator's account.
pub const PLIVO_AUTH_ID: &str = "MALOCALLOCALLOCALLOC";
/// The simulator's token.
pub const PLIVO_AUTH_TOKEN: &str = "bG9jYWwtcGxpdm8tYXV0aC10b2tlbi0wMTIzNDU2";

/// Where the data is kept.
#[derive(Debug, Clone, Default)]
pub enum Data {
    /// In memory, lost when the stack stops.
    #[default]
    Memory,
    /// In a file in this folder, kept between runs.
    Folder(PathBuf),
    /// In another stack, whose DynamoDB API has this URL.
    At(String),
}

/// How to start a stack.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The gateway's port; 0 picks a free one.
    pub port: u16,
    /// Where the gateway listens besides 127.0.0.1.
    pub host: Option<IpAddr>,
    /// Lets other machines use what is for this machine only, too: the inbox, the rest of `/_local`, the pages and the simulator.
    pub open_inbox: bool,
    /// Where the data is kept.
    pub data: Data,
    /// Settings and `AWS_…` variables that override the stack's own.
    pub settings: Vec<(String, String)>,
    /// A file of users, challenges, counts and sessions to load.
    pub seed: Option<PathBuf>,
    /// Whether the clock runs by itself.
    pub pace: Pace,
    /// How far the clock is behind the machine's. The benchmark records operations in the past with it.
    pub behind: Duration,
    /// Limits each function to what its role allows. Without it, every function may do everything.
    pub iam: Option<Iam>,
    /// The cost of hashing a password. Tests that hash many lower it.
    pub password_cost: Cost,
    /// Prints each message, each start that sent nothing, and each rejected code.
    pub print: Option<inbox::Print>,
}

/// A stack that cannot start.
#[derive(Debug)]
pub struct StackError {
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StackError {
    /// Wraps another error, for `map_err`.
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

/// How to reach a running stack: the body of `GET /_local/config`.
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
    /// SQS's API. It is not in that body, whose form is fixed; `GET /_local/environment` has it.
    #[serde(skip)]
    pub sqs_endpoint: String,
}

impl Config {
    fn new(url: String, app: &App, apis: &Apis) -> Self {
        Self {
            url,
            app_id: app.settings.app_id.clone(),
            api_key: app.settings.api_key.clone(),
            message_key: MESSAGE_KEY.to_owned(),
            plivo_auth_id: PLIVO_AUTH_ID.to_owned(),
            plivo_auth_token: PLIVO_AUTH_TOKEN.to_owned(),
            dynamodb_endpoint: apis.dynamodb.clone(),
            secrets_endpoint: apis.secrets.clone(),
            sqs_endpoint: apis.sqs.clone(),
        }
    }
}

/// A running stack. Stops when dropped.
pub struct Stack {
    /// How to reach it.
    pub config: Config,
    /// Its clock.
    pub clock: Arc<MovableClock>,
    /// Its captcha service.
    pub captcha: Captcha,
    /// Its Plivo.
    pub simulator: Simulator,
    /// The functions' environment.
    pub settings: HashMap<String, String>,
    /// An app like the functions' own, through which seeds and tests reach storage.
    pub app: Arc<App>,
    /// Its secrets.
    pub secrets: Secrets,
    /// Its queues.
    pub queues: Queues,
    /// The metrics that its functions write.
    pub metrics: CountedMetrics,
    functions: Arc<Functions>,
    stop: watch::Sender<()>,
    servers: Vec<JoinHandle<()>>,
}

impl Stack {
    /// Starts all parts and returns when all of them accept requests.
    ///
    /// # Errors
    /// [`StackError`], for example when a port is taken or a setting is wrong.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let (stop, stopped) = watch::channel(());
        let clock = Arc::new(MovableClock::new(options.pace, options.behind));
        let (listeners, port) = server::listen(options.host, options.port).await?;
        let url = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);

        let apis = Apis::start(&options.data, Arc::clone(&clock), &stopped).await?;
        let checked = match &options.iam {
            Some(iam) => apis.behind(iam, &stopped).await?,
            None => apis.clone(),
        };
        let metrics = CountedMetrics::default();
        let mut settings = environment(&url, &checked.dynamodb, &checked.secrets, &checked.sqs);
        settings.extend(options.settings);
        let app = make_app(&settings, clock.clone(), &metrics, options.password_cost)?;
        let simulator = make_simulator(&clock, &options.data)?;
        let callback_url = settings.get("PLIVO_CALLBACK_URL").filter(|base| !base.is_empty()).unwrap_or(&url);
        simulator.set_application(&format!("{callback_url}/plivo/inbound"), &settings["PLIVO_SENDER"]);
        if options.pace == Pace::Runs {
            simulator.deliver_until(clock.subscribe(), stopped.clone());
        }
        let starts = Starts::new(simulator.clone(), options.print);
        starts.print_until(stopped.clone());
        let functions = Functions::new(&settings, clock.clone(), &metrics, &starts.hints(), options.password_cost);
        let functions = Arc::new(functions.map_err(StackError::new("a setting is wrong"))?);
        let config = Config::new(url, &app, &apis);
        let clients = direct(&apis.dynamodb, &apis.secrets)?;
        let console = console::router(clients.clone(), &app, &metrics, &stopped);
        let (secrets, queues, captcha) = (apis.secrets_api, apis.queues, Captcha::new(clock.clone()));
        sqs::mapping::start(&queues, &functions, &stopped);
        let sources = EventSources { functions: functions.clone(), queues: queues.clone(), clock: clock.clone() };
        let gateway = Gateway {
            functions: functions.clone(),
            app: app.clone(),
            url: config.url.clone(),
            clock: clock.clone(),
            starts: starts.clone(),
        };
        let tables = Tables { client: clients.dynamodb(), app: app.clone(), simulator: simulator.clone(), starts };
        let router = router(&config, &settings, gateway, tables, sources, &captcha, console);
        let router = if options.open_inbox { router.layer(Extension(OpenInbox)) } else { router };
        let servers = server::serve(listeners, &router, simulator.clone(), &stopped);
        if let Some(file) = &options.seed {
            seed::load(&app, file).await?;
        }
        Ok(Self {
            config,
            clock,
            captcha,
            simulator,
            settings,
            app,
            secrets,
            queues,
            metrics,
            functions,
            stop,
            servers,
        })
    }

    /// Lets each function do the work of its cold start. Otherwise the first request does it.
    pub async fn warm(&self) {
        self.functions.warm().await;
    }

    /// Waits until the functions' background tasks are done and the queues' messages are delivered.
    pub async fn settle(&self) {
        self.functions.settle().await;
        self.queues.settle().await;
    }

    /// Invokes a function with any event, as `aws lambda invoke` does, and waits for its background tasks.
    ///
    /// # Errors
    /// The error of a failed invocation.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, Diagnostic> {
        let answer = self.functions.invoke(function, event).await;
        self.settle().await;
        answer
    }

    /// Like [`Self::invoke`], with Lambda's context, and without waiting for background tasks.
    ///
    /// # Errors
    /// The error of a failed invocation.
    pub async fn invoke_in(&self, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        self.functions.invoke_in(function, event).await
    }

    /// Stops accepting requests and waits at most this long for those in flight.
    pub async fn stop(self, longest: Duration) {
        let Self { stop, servers, functions, .. } = self;
        drop(stop);
        let ended = async {
            for server in servers {
                let _ = server.await;
            }
            functions.settle().await;
        };
        // A client that has sent half a request would keep the server from ending.
        let _ = tokio::time::timeout(longest, ended).await;
    }
}

/// The APIs of AWS's services and their URLs.
#[derive(Clone)]
struct Apis {
    dynamodb: String,
    secrets: String,
    sqs: String,
    secrets_api: Secrets,
    queues: Queues,
}

impl Apis {
    async fn start(data: &Data, clock: Arc<MovableClock>, stopped: &watch::Receiver<()>) -> Result<Self, StackError> {
        let dynamodb = match data {
            Data::Memory => dynamodb::start(None, stopped.clone()).await?,
            Data::Folder(folder) => dynamodb::start(Some(folder), stopped.clone()).await?,
            Data::At(endpoint) => endpoint.clone(),
        };
        dynamodb::make_tables(&direct(&dynamodb, "")?.dynamodb()).await?;
        let secrets_api = Secrets::of_the_stack();
        let secrets = secrets_api.start(stopped.clone()).await?;
        let queues = Queues::new(clock);
        let sqs = queues.start(stopped.clone()).await?;
        Ok(Self { dynamodb, secrets, sqs, secrets_api, queues })
    }

    /// The same APIs, each behind the IAM check.
    async fn behind(&self, iam: &Iam, stopped: &watch::Receiver<()>) -> Result<Self, StackError> {
        Ok(Self {
            dynamodb: iam.start_before(&self.dynamodb, stopped.clone()).await?,
            secrets: iam.start_before(&self.secrets, stopped.clone()).await?,
            sqs: iam.start_before(&self.sqs, stopped.clone()).await?,
            ..self.clone()
        })
    }
}

/// What the stack itself works with, apart from the functions.
fn make_app(
    settings: &HashMap<String, String>,
    clock: Arc<MovableClock>,
    metrics: &CountedMetrics,
    password_cost: Cost,
) -> Result<Arc<App>, StackError> {
    let app = App::new(&|name| settings.get(name).cloned(), clock, metrics.sink());
    let mut app = app.map_err(StackError::new("a setting is wrong"))?;
    app.password_cost = password_cost;
    Ok(Arc::new(app))
}

/// Plivo, which keeps its messages where the data is kept.
fn make_simulator(clock: &Arc<MovableClock>, data: &Data) -> Result<Simulator, StackError> {
    let clock = Arc::clone(clock);
    let simulator = Simulator::new(PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, Arc::new(move || clock.now().as_millis()));
    if let Data::Folder(folder) = data {
        simulator.keep_in(&folder.join("messages.jsonl")).map_err(dynamodb::unusable(folder))?;
    }
    Ok(simulator)
}

/// The router of the gateway's port: the API, for everybody, and what is for this machine only.
fn router(
    config: &Config,
    settings: &HashMap<String, String>,
    gateway: Gateway,
    tables: Tables,
    sources: EventSources,
    captcha: &Captcha,
    console: Router,
) -> Router {
    let Tables { app, simulator, starts, .. } = tables.clone();
    let EventSources { functions, queues, clock } = sources.clone();
    let local = inbox::router(Inbox { simulator: simulator.clone(), starts })
        .merge(inbox::tables::router(tables))
        .merge(control_api::router(config.clone(), settings, clock, simulator.clone()))
        .merge(console)
        .layer(from_fn_with_state((functions, queues.clone()), settled))
        .merge(control_api::plivo_router(&simulator))
        .merge(queues.router())
        .merge(sources.router())
        .merge(captcha.router())
        .merge(simulator.router())
        .merge(openapi::router(&app.settings, &config.url))
        .merge(demo::router());
    let api = home::router(config).fallback(gateway::respond).with_state(Arc::new(gateway));
    api.merge(inbox::local_only(local))
}

/// Waits for background tasks and queues, so that a client that asks for messages finds those of earlier requests.
async fn settled(
    State((functions, queues)): State<(Arc<Functions>, Queues)>,
    request: Request,
    next: Next,
) -> Response {
    functions.settle().await;
    queues.settle().await;
    next.run(request).await
}

/// Clients of the APIs themselves, without the IAM check or a fault proxy in between.
fn direct(dynamodb: &str, secrets: &str) -> Result<AwsClients, StackError> {
    let environment = environment("", dynamodb, secrets, "");
    let lookup = |name: &str| environment.get(name).cloned().filter(|value| !value.is_empty());
    let http = AwsHttpClient::new(&lookup).map_err(StackError::new("no HTTP client"))?;
    AwsClients::from_environment(&lookup, http).map_err(StackError::new("no storage client"))
}

/// An HTTP client that calls the service, with the functions' TLS and without proxies.
///
/// # Errors
/// [`StackError`] when it cannot be built.
pub fn http_client() -> Result<reqwest::Client, StackError> {
    let tls = http_client::tls(&|_| None).map_err(StackError::new("no TLS"))?;
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().map_err(StackError::new("no HTTP client"))
}

/// Completes when the stack stops or is dropped.
pub(crate) async fn stopped(mut stop: watch::Receiver<()>) {
    // The sender never sends; it is dropped with the stack.
    let _ = stop.changed().await;
}

/// The environment of a function that runs beside a stack: the settings that the template would set, and the URLs of AWS's APIs.
pub fn environment(url: &str, dynamodb: &str, secrets: &str, sqs: &str) -> HashMap<String, String> {
    let [dead_letters, dead_letters_fifo] = DEAD_LETTERS.map(|queue| sqs::url(sqs, queue));
    let own = [
        ("USERS_TABLE", "users"),
        ("PHONES_TABLE", "phones"),
        ("SESSIONS_TABLE", "sessions"),
        ("CONTROLS_TABLE", "controls"),
        ("MESSAGES_TABLE", "messages"),
        ("COUNTERS_TABLE", "counters"),
        ("DECISIONS_TABLE", "decisions"),
        ("CONSENTS_TABLE", "consents"),
        ("DEAD_LETTER_QUEUE", &dead_letters),
        ("DEAD_LETTER_FIFO_QUEUE", &dead_letters_fifo),
        ("METRICS_NAMESPACE", "Otpost/local"),
        ("PLIVO_SECRET", "plivo"),
        ("ROOT_SECRET", "root"),
        ("MESSAGE_SECRET", "message"),
        ("CAPTCHA_SECRET", "captcha"),
        ("JWT_SECRET", "jwt"),
        ("JWT_ISSUER", url),
        ("CAPTCHA_VERIFY_URL", &format!("{url}{}", captcha::SITEVERIFY)),
        ("APP_ID", APP_ID),
        ("API_KEY", API_KEY),
        ("PLIVO_SENDER", "+14155550199"),
        // All clients here have the address of this machine.
        ("STARTS_PER_ADDRESS", "10000"),
        ("PLIVO_API_URL", url),
        ("PLIVO_CALLBACK_URL", url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets),
        ("AWS_ENDPOINT_URL_SQS", sqs),
    ];
    own.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}
