//! An operation: the request that asks for it and the function that answers.

use std::sync::Arc;

use lambda_http::http::{HeaderName, Method};
use lambda_http::{Body, Context, Request, RequestExt as _, Response};
use local::fault_proxy::Call;
use serde_json::{Value, json};
use shared::app::App;
use shared::crypto::identifier;
use shared::http::serve;
use tokio::time::Instant;

use crate::Failure;

/// The functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Register,
    LoginPhone,
    LoginPassword,
    LoginCode,
    SendMessage,
    Session,
    Account,
}

impl Function {
    /// Of the binary, and in the template.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::LoginPhone => "login-phone",
            Self::LoginPassword => "login-password",
            Self::LoginCode => "login-code",
            Self::SendMessage => "send-message",
            Self::Session => "session",
            Self::Account => "account",
        }
    }
}

/// A request that can be made again and again.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) function: Function,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) header: Option<(HeaderName, String)>,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { function: Function::Session, method: Method::GET, path: path.into(), header: None, body: String::new() }
    }

    pub(crate) fn post(function: Function, path: &str, body: &Value) -> Self {
        Self { function, method: Method::POST, path: path.to_owned(), header: None, body: body.to_string() }
    }

    /// The same request, as another function's and with this method.
    pub(crate) fn of(self, function: Function, method: Method) -> Self {
        Self { function, method, ..self }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    fn request(&self) -> Result<Request, Failure> {
        let mut request = lambda_http::http::Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header("content-type", "application/json");
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        let mut context = Context::default();
        context.request_id = identifier::random();
        Ok(request.body(Body::from(self.body.as_str()))?.with_lambda_context(context))
    }

    /// Has the function answer it, and do what it does after the answer; and says when it had answered.
    pub(crate) async fn answer(&self, app: &Arc<App>) -> Result<(Response<Body>, Instant), Failure> {
        let request = self.request()?;
        let name = self.function.name();
        let answer = match self.function {
            Function::Register => serve(app, name, request, register::handle).await,
            Function::LoginPhone => serve(app, name, request, login_phone::handle).await,
            Function::LoginPassword => serve(app, name, request, login_password::handle).await,
            Function::LoginCode => serve(app, name, request, login_code::handle).await,
            Function::SendMessage => serve(app, name, request, send_message::handle).await,
            Function::Session => serve(app, name, request, session::handle).await,
            Function::Account => serve(app, name, request, account::handle).await,
        };
        let answered = Instant::now();
        app.background.take().await;
        Ok((answer, answered))
    }

    /// The event that API Gateway makes of it.
    pub(crate) fn event(&self) -> Value {
        let mut headers = json!({ "accept": "*/*", "content-type": "application/json", "host": "example.com" });
        if let Some((name, value)) = &self.header {
            headers[name.as_str()] = json!(value);
        }
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": self.path, "rawQueryString": "", "headers": headers,
            "requestContext": {
                "http": {
                    "method": self.method.as_str(), "path": self.path, "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "bench",
                },
                "stage": "$default", "requestId": "bench", "routeKey": "$default",
            },
            "isBase64Encoded": false, "body": self.body,
        })
    }
}

/// Whether an operation ends well, or is refused as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// For a wrong password or code.
    Refusal,
}

impl Ending {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Success => 200,
            Self::Refusal => 401,
        }
    }
}

/// Whether an operation hashes a password, which takes longer than all the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashing {
    None,
    Argon2id,
}

/// An operation that was carried out once.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
    pub(crate) ending: Ending,
    pub(crate) hashing: Hashing,
    /// Its calls to storage.
    pub(crate) calls: Vec<Call>,
    /// Its calls to Plivo.
    pub(crate) plivo: Vec<Call>,
    /// When it had answered: calls that began later kept nobody waiting.
    pub(crate) answered: Instant,
}

impl Operation {
    /// The calls that were made before the answer, or after it.
    pub(crate) fn all_calls(&self, before: bool) -> Vec<Call> {
        let all = self.calls.iter().chain(&self.plivo);
        all.filter(|call| (call.started < self.answered) == before).cloned().collect()
    }
}
