//! Sends the app's own SMS and MMS, for `POST services/Plivo/sendMessage` and for the events of other AWS services, and says what became of
//! them. All carry messages of
//! one schema (`docs/message.schema.json`), and no message is sent twice.
//!
//! | module | for |
//! |---|---|
//! | `consent` | what phones have consented to |
//! | `event` | the kinds of events |
//! | `message` | parses a message |
//! | `queue` | batches from SQS |

mod consent;
pub mod event;
pub mod message;
pub mod queue;

use std::sync::Arc;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{LambdaEvent, Request, RequestExt as _};
use serde_json::{Value, json};
use shared::app::App;
use shared::aws::dead_letters::DeadLetters;
use shared::aws::secrets::Secret;
use shared::clock::Timestamp;
use shared::http::routes::{self, CONSENT, CONSENTS, Found, MESSAGE_STATUS};
use shared::http::{self, Duplicates, HandlerResult, Problem, Reason};
use shared::messaging::{self, IdempotencyKey, delivery};

use event::{Carried, Event};
use queue::Batch;

const NAME: &str = "send-message";

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::MessageKey, Secret::Plivo, Secret::RootKey];

/// A failed invocation. Its `Debug` form, which Lambda's runtime logs, is only the reason: the message can quote the sender's input.
pub struct Failure(Problem);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "invocation failed: {}", self.0.reason().as_str())
    }
}

impl From<Failure> for Diagnostic {
    fn from(Failure(problem): Failure) -> Self {
        Self { error_type: problem.reason().as_str().to_owned(), error_message: problem.body().to_string() }
    }
}

/// Handles an event of any kind. HTTP gets an HTTP response. A queue gets the messages that SQS must deliver again. A direct invocation
/// gets Plivo's response, or fails: the error's type is the reason, and its message is what the body of the HTTP response would be. Lambda
/// then retries an asynchronous invocation, and finally passes it to the failure destination.
///
/// # Errors
/// The error of a failed invocation.
pub async fn respond(app: &Arc<App>, dead_letters: &DeadLetters, event: LambdaEvent<Value>) -> Result<Value, Failure> {
    let request_id = event.context.request_id.clone();
    let deadline = deadline(event.context.deadline, app.clock.now());
    let outcome = match Event::read(event.payload, &request_id) {
        Ok(Event::Http(payload)) => {
            let response = http::respond(app, NAME, LambdaEvent::new(payload, event.context), handle).await;
            response.map_err(|_| Problem::new(Reason::UnknownEvent))
        }
        Ok(Event::Queue(records)) => Ok(Batch { app, dead_letters, deadline }.send(records).await),
        Ok(Event::Notifications(carried)) => send_all(app, carried).await,
        Ok(Event::One(carried)) => send(app, carried).await,
        Err(problem) => Err(problem),
    };
    outcome.map_err(|problem| {
        problem.report(app, NAME);
        Failure(problem)
    })
}

/// The invocation's deadline. One in the past is ignored: `cargo lambda watch` sends ten minutes after the start of 1970 with every event.
fn deadline(millis: u64, now: Timestamp) -> Option<Timestamp> {
    let deadline = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    (now < deadline).then_some(deadline)
}

/// Responds according to the route, to clients that have the key.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    messaging::authorize(&app.secrets, http::bearer_token(&request).as_ref(), app.clock.now()).await?;
    let Found::Route(found) = routes::find(request.method().as_str(), request.uri().path()) else {
        return Err(Problem::new(Reason::NotFound));
    };
    let parameter = found.parameter.unwrap_or_default();
    match found.route.path {
        CONSENT => consent::add(&app, &request).await,
        CONSENTS => consent::show(&app, parameter).await,
        MESSAGE_STATUS => Ok(http::ok(&http::message_status(parameter, &delivery::status(&app, parameter).await?))),
        _ => send_one(&app, &request).await,
    }
}

/// `POST services/Plivo/sendMessage`: responds with Plivo's response.
async fn send_one(app: &App, request: &Request) -> HandlerResult {
    let header = http::idempotency_key(request)?;
    let (message, own) = message::read(&app.settings, http::body(request, Duplicates::Service)?)?;
    let key = match (header, own) {
        (Some(header), Some(own)) if header != own => {
            return Err(Problem::field(Reason::InvalidIdempotencyKey, "idempotencyKey"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => {
            let context = request.lambda_context_ref().ok_or_else(|| Problem::new(Reason::Internal))?;
            IdempotencyKey::of("invocation", &context.request_id)
        }
    };
    let accepted = messaging::send(app, &key, &message).await?;
    Ok(http::ok(&json!(accepted)))
}

/// Sends the message of an event. The message's own idempotency key overrides the event's.
async fn send(app: &App, carried: Carried) -> Result<Value, Problem> {
    let (message, own) = message::read(&app.settings, carried.fields?)?;
    let accepted = messaging::send(app, &own.unwrap_or(carried.key), &message).await?;
    Ok(json!(accepted))
}

/// Sends all messages of an event, then fails with the first error, if any. When the event is delivered again, those that were sent are
/// not sent again.
async fn send_all(app: &App, messages: Vec<Carried>) -> Result<Value, Problem> {
    let mut failure = None;
    for carried in messages {
        if let Err(problem) = send(app, carried).await {
            failure.get_or_insert(problem);
        }
    }
    failure.map_or(Ok(Value::Null), Err)
}
