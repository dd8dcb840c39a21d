//! Runs the functions' handlers as Lambda does. Each function has its own app and its own credentials, with its name as the access key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lambda_http::lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::app::App;
use shared::auth::password::Cost;
use shared::aws::dead_letters::DeadLetters;
use shared::clock::{Clock, Timestamp};
use shared::config::SettingError;
use shared::hints::Hints;
use shared::http::respond;
use shared::http::routes::FALLBACK;
use tokio::sync::watch;

use crate::metrics::CountedMetrics;

/// The names of all functions.
pub const NAMES: [&str; 9] = [
    "register",
    "login-phone",
    "login-password",
    "login-code",
    "send-message",
    "session",
    "authorizer",
    "account",
    "plivo-events",
];

/// The name under which [`FALLBACK`] is invoked for a path without a route, so that the log does not blame the function.
pub(crate) const NO_ROUTE: &str = "gateway";

/// The timeout of a function's invocation, as in the template.
pub fn timeout(function: &str) -> Duration {
    match function {
        "send-message" => send_message::queue::TIMEOUT,
        "session" | "plivo-events" => Duration::from_secs(25),
        "authorizer" => Duration::from_secs(10),
        _ => Duration::from_secs(29),
    }
}

/// The functions of a stack.
pub(crate) struct Functions {
    apps: HashMap<&'static str, Arc<App>>,
    dead_letters: DeadLetters,
    clock: Arc<dyn Clock>,
    /// The background tasks. Each receiver fails once its task is done.
    background: Mutex<Vec<watch::Receiver<()>>>,
}

impl Functions {
    /// Builds each function's app from the stack's settings.
    pub(crate) fn new(
        settings: &HashMap<String, String>,
        clock: Arc<dyn Clock>,
        metrics: &CountedMetrics,
        hints: &Hints,
        password_cost: Cost,
    ) -> Result<Self, SettingError> {
        let app = |name: &'static str| {
            let lookup = |setting: &str| match setting {
                "AWS_ACCESS_KEY_ID" => Some(name.to_owned()),
                _ => settings.get(setting).cloned(),
            };
            let mut app = App::new(&lookup, Arc::clone(&clock), metrics.sink())?;
            app.password_cost = password_cost;
            app.hints = hints.clone();
            Ok::<_, SettingError>(app)
        };
        let dead_letters = app("send-message")?.dead_letters();
        let apps = NAMES.into_iter().map(|name| Ok((name, Arc::new(app(name)?)))).collect::<Result<_, _>>()?;
        Ok(Self { apps, dead_letters, clock, background: Mutex::default() })
    }

    /// Does the work of each function's cold start.
    pub(crate) async fn warm(&self) {
        for (name, app) in &self.apps {
            let secrets = match *name {
                "register" => register::SECRETS,
                "login-phone" => login_phone::SECRETS,
                "login-password" => login_password::SECRETS,
                "login-code" => login_code::SECRETS,
                "send-message" => send_message::SECRETS,
                "session" => session::SECRETS,
                "authorizer" => authorizer::SECRETS,
                "account" => account::SECRETS,
                "plivo-events" => plivo_events::SECRETS,
                other => unreachable!("{other} has no handler"),
            };
            app.warm_up(secrets).await;
        }
    }

    /// Invokes a function as Lambda does. Returns the error of a failed invocation.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, Diagnostic> {
        self.invoke_in(function, LambdaEvent::new(event, context(self.clock.now(), timeout(function)))).await
    }

    /// Waits until all background tasks are done.
    pub(crate) async fn settle(&self) {
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for mut work in background {
            // Nothing is ever sent. The error means that the task has ended, even if by a panic.
            let _ = work.changed().await;
        }
    }

    /// Like [`Self::invoke`], but with Lambda's context.
    pub(crate) async fn invoke_in(&self, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let unknown = || failure("Unknown", "there is no such function");
        let known = if function == NO_ROUTE { FALLBACK } else { function };
        let (&name, app) = self.apps.get_key_value(known).ok_or_else(unknown)?;
        let answer = match name {
            FALLBACK if function == NO_ROUTE => respond(app, NO_ROUTE, event, session::handle).await,
            "register" => respond(app, name, event, register::handle).await,
            "login-phone" => respond(app, name, event, login_phone::handle).await,
            "login-password" => respond(app, name, event, login_password::handle).await,
            "login-code" => respond(app, name, event, login_code::handle).await,
            "send-message" => {
                return send_message::respond(app, &self.dead_letters, event).await.map_err(Diagnostic::from);
            }
            "session" => respond(app, name, event, session::handle).await,
            "authorizer" => return Ok(authorizer::respond(app, &event.payload).await),
            "account" => respond(app, name, event, account::handle).await,
            "plivo-events" => respond(app, name, event, plivo_events::handle).await,
            _ => return Err(unknown()),
        };
        self.in_background(app.background.take());
        answer.map_err(|error| failure("Event", error))
    }

    /// Does work that [`Self::settle`] waits for.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let (doing, done) = watch::channel(());
        tokio::spawn(async move {
            work.await;
            drop(doing);
        });
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        background.retain(|work| work.has_changed().is_ok());
        background.push(done);
    }
}

fn failure(kind: &str, problem: impl ToString) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: problem.to_string() }
}

/// The context that Lambda gives a function with an invocation.
pub(crate) fn context(now: Timestamp, timeout: Duration) -> Context {
    let mut context = Context::default();
    context.request_id = shared::crypto::identifier::random();
    context.deadline = u64::try_from(now.plus(timeout).as_millis()).unwrap_or_default();
    context
}
