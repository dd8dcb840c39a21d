//! The functions, each as Lambda runs it: with a service of its own, under its own credentials (the function's name), an event in
//! and an answer out. Uses the functions' libraries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lambda_http::lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::auth::password::Cost;
use shared::clock::{Clock, Timestamp};
use shared::http::answer;
use shared::queue::DeadLetters;
use shared::service::Service;
use shared::settings::SettingError;
use shared::uuid;
use tokio::sync::watch;

use crate::metrics::Counted;

/// All functions.
pub const NAMES: [&str; 6] = ["register", "login-phone", "login-password", "login-code", "send-message", "session"];

/// How long an invocation may take, as in the template.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The functions of a stack.
pub(crate) struct Functions {
    services: HashMap<&'static str, Service>,
    dead_letters: DeadLetters,
    clock: Arc<dyn Clock>,
    /// What functions do after their answers: each ends when its sender is gone.
    afterwards: Mutex<Vec<watch::Receiver<()>>>,
}

impl Functions {
    /// Builds each function's service from the stack's settings.
    pub(crate) fn new(
        settings: &HashMap<String, String>,
        clock: Arc<dyn Clock>,
        counted: &Counted,
        password_cost: Cost,
    ) -> Result<Self, SettingError> {
        let service = |name: &'static str| {
            let lookup = |setting: &str| match setting {
                "AWS_ACCESS_KEY_ID" => Some(name.to_owned()),
                _ => settings.get(setting).cloned(),
            };
            let mut service = Service::new(&lookup, Arc::clone(&clock), counted.sink())?;
            service.password_cost = password_cost;
            Ok::<_, SettingError>(service)
        };
        let dead_letters = service("send-message")?.dead_letters();
        let services = NAMES.into_iter().map(|name| Ok((name, service(name)?))).collect::<Result<_, _>>()?;
        Ok(Self { services, dead_letters, clock, afterwards: Mutex::default() })
    }

    /// What each does at its start.
    pub(crate) async fn warm(&self) {
        for (name, service) in &self.services {
            let needs = match *name {
                "register" => register::NEEDS,
                "login-phone" => login_phone::NEEDS,
                "login-password" => login_password::NEEDS,
                "login-code" => login_code::NEEDS,
                "send-message" => send_message::NEEDS,
                _ => session::NEEDS,
            };
            service.warm(needs).await;
        }
    }

    /// What Lambda does: JSON in, the handler, JSON out. The error is what a failed invocation leaves.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, Diagnostic> {
        self.invoke_in(function, LambdaEvent::new(event, context(self.clock.now()))).await
    }

    /// Waits until all is done that functions do after the answers that they have given.
    pub(crate) async fn settle(&self) {
        let afterwards = self.afterwards.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for mut work in afterwards {
            // It never changes: an error is its end, also where it panicked.
            let _ = work.changed().await;
        }
    }

    /// The same, with what Lambda would tell about the invocation.
    pub(crate) async fn invoke_in(&self, function: &str, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let unknown = || failure("Unknown", "there is no such function");
        let (&name, service) = self.services.get_key_value(function).ok_or_else(unknown)?;
        let answer = match name {
            "register" => answer(service, name, event, register::handle).await,
            "login-phone" => answer(service, name, event, login_phone::handle).await,
            "login-password" => answer(service, name, event, login_password::handle).await,
            "login-code" => answer(service, name, event, login_code::handle).await,
            "send-message" => {
                return send_message::answer(service, &self.dead_letters, event).await.map_err(Diagnostic::from);
            }
            _ => answer(service, name, event, session::handle).await,
        };
        let (doing, done) = watch::channel(());
        let work = service.later.take();
        tokio::spawn(async move {
            work.await;
            drop(doing);
        });
        let mut afterwards = self.afterwards.lock().unwrap_or_else(PoisonError::into_inner);
        afterwards.retain(|work| work.has_changed().is_ok());
        afterwards.push(done);
        drop(afterwards);
        answer.map_err(|error| failure("Event", error))
    }
}

fn failure(kind: &str, problem: impl ToString) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: problem.to_string() }
}

/// What Lambda tells a function about an invocation.
fn context(now: Timestamp) -> Context {
    let mut context = Context::default();
    context.request_id = shared::random::bytes().map(|bytes| uuid::format(&bytes)).unwrap_or_default();
    context.deadline = u64::try_from(now.plus(TIMEOUT).as_millis()).unwrap_or_default();
    context
}
