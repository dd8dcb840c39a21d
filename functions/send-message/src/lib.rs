//! Sends the app's own SMS and MMS: for `POST services/Plivo/sendMessage`, and for the events of other AWS services. All of them
//! carry one shape of message (`docs/message.schema.json`), and none sends one message twice.
//!
//! | module | for |
//! |---|---|
//! | `event` | which kind of event it is |
//! | `message` | the shape of a message |
//! | `queue` | batches from SQS |

pub mod event;
pub mod message;
mod queue;

use std::sync::Arc;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{LambdaEvent, Request, RequestExt as _};
use serde_json::{Value, json};
use shared::app::App;
use shared::aws::dead_letters::DeadLetters;
use shared::aws::secrets::Secret;
use shared::clock::Timestamp;
use shared::http::{self, Duplicates, HandlerResult, Problem, Reason};
use shared::messaging::{self, IdempotencyKey};

use event::{Carried, Event};
use queue::Batch;

const NAME: &str = "send-message";

/// The secrets that it fetches at its cold start.
pub const SECRETS: &[Secret] = &[Secret::MessageKey, Secret::Plivo, Secret::RootKey];

/// A failed invocation. What Lambda's runtime prints of it is the reason only: the message can quote what the sender wrote.
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

/// Answers any of its events. HTTP gets HTTP's answers. A queue gets the messages that it must deliver again. Whoever invokes
/// the function with a message gets Plivo's answer; or a failed invocation, whose type is the reason and whose message is the
/// body of HTTP's answer, so that Lambda tries an asynchronous one again and hands it to the failure destination.
///
/// # Errors
/// What a failed invocation leaves.
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

/// When the invocation ends. Lambda stops a function at its deadline, so one that has passed before the function begins is none:
/// `cargo lambda watch` sends ten minutes past 1970 with every event.
fn deadline(millis: u64, now: Timestamp) -> Option<Timestamp> {
    let deadline = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    (now < deadline).then_some(deadline)
}

/// `POST services/Plivo/sendMessage`, for who has the key: answers what Plivo answered.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    messaging::authorize(&app.secrets, http::bearer_token(&request).as_ref(), app.clock.now()).await?;
    let header = http::idempotency_key(&request)?;
    let (message, own) = message::read(&app.settings, http::body(&request, Duplicates::Service)?)?;
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
    let accepted = messaging::send(&app, &key, &message).await?;
    Ok(http::ok(&json!(accepted)))
}

/// Sends a message of an event. Its own idempotency key stands before the event's.
async fn send(app: &App, carried: Carried) -> Result<Value, Problem> {
    let (message, own) = message::read(&app.settings, carried.fields?)?;
    let accepted = messaging::send(app, &own.unwrap_or(carried.key), &message).await?;
    Ok(json!(accepted))
}

/// Sends all messages of an event; fails with the first failure, once all have been tried. When the event comes again, those that
/// were sent are not sent again.
async fn send_all(app: &App, messages: Vec<Carried>) -> Result<Value, Problem> {
    let mut failure = None;
    for carried in messages {
        if let Err(problem) = send(app, carried).await {
            failure.get_or_insert(problem);
        }
    }
    failure.map_or(Ok(Value::Null), Err)
}
