//! The functions, each as Lambda runs it: with a service of its own, under its own credentials (the function's name), an event in
//! and an answer out. Uses the functions' libraries.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lambda_http::Adapter;
use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde_json::Value;
use shared::clock::{Clock, Timestamp};
use shared::http::serve;
use shared::service::Service;
use shared::settings::SettingError;
use shared::uuid;
use tower::ServiceExt as _;

/// All functions.
pub const NAMES: [&str; 6] = ["register", "login-phone", "login-password", "login-code", "send-message", "session"];

/// How long an invocation may take, as in the template.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The functions of a stack.
pub(crate) struct Functions {
    services: HashMap<&'static str, Arc<Service>>,
    clock: Arc<dyn Clock>,
}

impl Functions {
    /// Builds each function's service from the stack's settings.
    pub(crate) fn new(settings: &HashMap<String, String>, clock: Arc<dyn Clock>) -> Result<Self, SettingError> {
        let service = |name: &'static str| {
            let lookup = |setting: &str| match setting {
                "AWS_ACCESS_KEY_ID" => Some(name.to_owned()),
                _ => settings.get(setting).cloned(),
            };
            Ok((name, Arc::new(Service::new(&lookup, Arc::clone(&clock))?)))
        };
        let services = NAMES.into_iter().map(service).collect::<Result<_, _>>()?;
        Ok(Self { services, clock })
    }

    /// What Lambda does: JSON in, the handler, JSON out. The error is what a failed invocation leaves.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, Diagnostic> {
        let unknown = || failure("Unknown", "there is no such function");
        let (name, service) = self.services.get_key_value(function).ok_or_else(unknown)?;
        let request: LambdaRequest = serde_json::from_value(event).map_err(|error| failure("Event", error))?;
        let event = LambdaEvent::new(request, context(self.clock.now()));
        let handler = Handler { service: Arc::clone(service), function: name };
        let Ok(answer) = Adapter::from(handler).oneshot(event).await;
        serde_json::to_value(answer).map_err(|error| failure("Answer", error))
    }
}

fn failure(kind: &str, problem: impl ToString) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: problem.to_string() }
}

/// What Lambda tells a function about an invocation.
fn context(now: Timestamp) -> lambda_runtime::Context {
    let mut context = lambda_runtime::Context::default();
    context.request_id = shared::random::bytes().map(|bytes| uuid::format(&bytes)).unwrap_or_default();
    context.deadline = u64::try_from(now.plus(TIMEOUT).as_millis()).unwrap_or_default();
    context
}

/// A function behind the gateway, called as its binary calls it.
struct Handler {
    service: Arc<Service>,
    function: &'static str,
}

impl tower::Service<lambda_http::Request> for Handler {
    type Response = lambda_http::Response<lambda_http::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: lambda_http::Request) -> Self::Future {
        let (service, function) = (Arc::clone(&self.service), self.function);
        Box::pin(async move {
            let service = service.as_ref();
            Ok(match function {
                "register" => serve(service, function, request, register::handle).await,
                "login-phone" => serve(service, function, request, login_phone::handle).await,
                "login-password" => serve(service, function, request, login_password::handle).await,
                "login-code" => serve(service, function, request, login_code::handle).await,
                "send-message" => serve(service, function, request, send_message::handle).await,
                _ => serve(service, function, request, session::handle).await,
            })
        })
    }
}
