//! The edge: requests in, answers out. The only place that knows status codes, Backendless' error codes and the wire's field
//! names. Uses every other module; only the functions use it.

mod answer;
mod error;
mod fields;
mod json;

pub use answer::{Answered, logged_in, ok, options, registered, user};
pub use error::{Problem, Reason};
pub use fields::{Duplicates, Fields, body, fields, text_body};

use std::convert::Infallible;

use lambda_http::http::header::{self, HeaderValue};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Adapter, Body, LambdaEvent, Request, RequestExt as _, Response, Service as _, service_fn};
use secrecy::SecretString;
use serde_json::Value;
use tracing::Instrument as _;

use crate::logging;
use crate::messaging::{IdempotencyKey, KeyError};
use crate::network::Network;
use crate::routes::{self, FALLBACK, Found};
use crate::service::Service;
use crate::settings::Settings;

/// What a handler answers.
pub type Answer = Result<Response<Body>, Problem>;

/// The largest body, in bytes. The longest message with ten links fits in it.
pub const LARGEST_BODY: usize = 16 * 1024;

/// Lets a handler answer one of the gateway's events: JSON in, JSON out.
///
/// # Errors
/// When the event is none of the gateway's.
pub async fn answer<'a, F: Future<Output = Answer> + Send>(
    service: &'a Service,
    function: &'static str,
    event: LambdaEvent<Value>,
    handler: impl Fn(&'a Service, Request) -> F + Send + Sync + 'a,
) -> Result<Value, serde_json::Error> {
    let event = LambdaEvent::new(serde_json::from_value::<LambdaRequest>(event.payload)?, event.context);
    let handler = &handler;
    let serving = |request| {
        let answer = serve(service, function, request, handler);
        async { Ok::<_, Infallible>(Answered(answer.await)) }
    };
    let Ok(answer) = Adapter::from(service_fn(serving)).call(event).await;
    serde_json::to_value(answer)
}

/// Calls a handler and makes its answer the function's: a refusal is an answer too, and is logged here, once.
pub async fn serve<'a, F: Future<Output = Answer>>(
    service: &'a Service,
    function: &'static str,
    request: Request,
    handler: impl FnOnce(&'a Service, Request) -> F,
) -> Response<Body> {
    let span = logging::caller(&caller(&request));
    let answer = async {
        let answer = match check_path(&service.settings, function, &request) {
            Ok(()) => handler(service, request).await,
            Err(problem) => Err(problem),
        };
        answer.unwrap_or_else(|problem| {
            problem.report(service, function);
            problem.into_response()
        })
    };
    let mut response = answer.instrument(span).await;
    // Answers hold tokens and ids that no cache may keep.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !matches!(response.body(), Body::Empty) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

/// Refuses another application's id or key, and a path that is another function's: API Gateway compares paths a little
/// differently (`/api/x/users/register` is a route's to it), and this must not depend on how.
fn check_path(settings: &Settings, function: &str, request: &Request) -> Result<(), Problem> {
    let found = match routes::find(request.method().as_str(), request.uri().path()) {
        Found::Route(found) if found.route.function == function => found,
        _ if function == FALLBACK => return Ok(()),
        _ => return Err(Problem::new(Reason::NotFound)),
    };
    match found.application {
        Some(application) if application != (settings.app_id.as_str(), settings.api_key.as_str()) => {
            Err(Problem::new(Reason::UnknownApplication))
        }
        _ => Ok(()),
    }
}

/// Where a request comes from, as the gateway saw it. What headers say is the caller's own word.
pub fn caller(request: &Request) -> Network {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Network::of(context.http.source_ip.as_deref()),
        _ => Network::of(None),
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

/// The header `idempotency-key`; `None` when there is none.
///
/// # Errors
/// [`Reason::InvalidIdempotencyKey`].
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    Ok(Some(IdempotencyKey::parse(value.to_str().map_err(|_| KeyError)?)?))
}

/// The key of `Authorization: Bearer …`.
pub fn bearer(request: &Request) -> Option<SecretString> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().into())
}
