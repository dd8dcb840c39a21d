//! The edge: requests in, responses out. The only place that knows status codes, Backendless' error codes and the wire's field names.

mod error;
mod fields;
mod json;
mod phone;
mod reason;
mod request;
mod response;
pub mod routes;

pub use error::Problem;
pub use fields::{Duplicates, Fields, body, fields, form, locale, query_channel, text_body};
pub use phone::phone_number;
pub use reason::Reason;
pub use request::{bearer_token, idempotency_key, requester, user_token};
pub use response::{
    LambdaResponse, columns, done, jwt, logged_in, message_status, ok, openid_configuration, options, public,
    registered, sessions, status, user, xml,
};

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::http::header::{self, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, LambdaEvent, Request, Response, Service as _, service_fn};
use serde_json::Value;
use tracing::Instrument as _;

use crate::app::App;
use crate::config::Settings;
use crate::logging;
use request::{client_network, make_readable, source_network};
use routes::{FALLBACK, FROM_PLIVO, Found};

/// What a handler returns.
pub type HandlerResult = Result<Response<Body>, Problem>;

/// The largest body, in bytes. The longest message with ten links fits in it.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Lets a handler answer one of the gateway's events: JSON in, JSON out.
///
/// # Errors
/// When the event does not come from the gateway.
pub async fn respond<'a, F: Future<Output = HandlerResult> + Send>(
    app: &'a Arc<App>,
    function: &'static str,
    event: LambdaEvent<Value>,
    handler: impl Fn(Arc<App>, Request) -> F + Send + Sync + 'a,
) -> Result<Value, lambda_http::Error> {
    let LambdaEvent { mut payload, context } = event;
    let is_http = make_readable(&mut payload);
    let event = LambdaEvent::new(serde_json::from_value::<LambdaRequest>(payload)?, context);
    let handler = &handler;
    let handle = move |app, request| async move {
        if is_http { handler(app, request).await } else { Err(Problem::new(Reason::InvalidRequest)) }
    };
    let serving = |request| {
        let response = serve(app, function, request, handle);
        async { Ok::<_, Infallible>(LambdaResponse(response.await)) }
    };
    let Ok(response) = Adapter::from(service_fn(serving)).call(event).await;
    Ok(serde_json::to_value(response)?)
}

/// Calls a handler and makes its result a response: a refusal is a response too, and is logged here, once.
pub async fn serve<F: Future<Output = HandlerResult>>(
    app: &Arc<App>,
    function: &'static str,
    request: Request,
    handler: impl FnOnce(Arc<App>, Request) -> F,
) -> Response<Body> {
    // Plivo comes by a gateway of its own, before which no proxy stands; its signature stands for it.
    let client = match function {
        FROM_PLIVO => Ok(source_network(&request)),
        _ => client_network(&app.settings, &request),
    };
    let span = logging::request_span(client.as_ref().unwrap_or(&source_network(&request)));
    let response = async {
        let result = match client.and(check_path(&app.settings, function, &request)) {
            Ok(()) => handler(Arc::clone(app), request).await,
            Err(problem) => Err(problem),
        };
        result.unwrap_or_else(|problem| {
            problem.report(app, function);
            problem.into_response()
        })
    };
    let mut response = response.instrument(span).await;
    // Responses hold tokens and ids that no cache may keep, but for public keys.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if !matches!(response.body(), Body::Empty) {
        response.headers_mut().entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
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
