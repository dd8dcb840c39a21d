//! The edge: requests in, answers out. The only place that knows status codes, Backendless' error codes and the wire's field
//! names. Uses every other module; only the functions use it.

mod answer;
mod error;
mod fields;
mod json;

pub use answer::{logged_in, ok, options, registered, user};
pub use error::{Problem, Reason};
pub use fields::{Duplicates, Fields, body, text_body};

use lambda_http::http::header::{self, HeaderValue};
use lambda_http::{Body, Request, Response};
use secrecy::SecretString;

use crate::routes::{self, Found};
use crate::service::Service;
use crate::settings::Settings;

/// What a handler answers.
pub type Answer = Result<Response<Body>, Problem>;

/// The largest body, in bytes. The longest message with ten links fits in it.
pub const LARGEST_BODY: usize = 16 * 1024;

/// Calls a handler and makes its answer the function's: a refusal is an answer too, and is logged here, once.
pub async fn serve<'a, F: Future<Output = Answer>>(
    service: &'a Service,
    function: &'static str,
    request: Request,
    handler: impl FnOnce(&'a Service, Request) -> F,
) -> Response<Body> {
    let answer = match check_application(&service.settings, &request) {
        Ok(()) => handler(service, request).await,
        Err(problem) => Err(problem),
    };
    let mut response = answer.unwrap_or_else(|problem| {
        problem.log(function);
        problem.into_response()
    });
    // Answers hold tokens and ids that no cache may keep.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !matches!(response.body(), Body::Empty) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// Refuses another application's id or key.
fn check_application(settings: &Settings, request: &Request) -> Result<(), Problem> {
    match routes::find(request.method().as_str(), request.uri().path()) {
        Found::Route(found) => match found.application {
            Some(application) if application != (settings.app_id.as_str(), settings.api_key.as_str()) => {
                Err(Problem::new(Reason::UnknownApplication))
            }
            _ => Ok(()),
        },
        Found::OtherMethods(_) | Found::Nothing => Ok(()),
    }
}

/// The session's token, from the header `user-token`.
///
/// # Errors
/// [`Reason::SessionInvalid`] when there is none.
pub fn user_token(request: &Request) -> Result<&str, Problem> {
    let token = request.headers().get("user-token").and_then(|value| value.to_str().ok());
    token.ok_or_else(|| Problem::new(Reason::SessionInvalid))
}

/// The key of `Authorization: Bearer …`.
pub fn bearer(request: &Request) -> Option<SecretString> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().into())
}
