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

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{LambdaEvent, Request, RequestExt as _};
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::http::{self, Answer, Duplicates, Problem, Reason};
use shared::messaging::{self, IdempotencyKey};
use shared::queue::DeadLetters;
use shared::secrets::Need;
use shared::service::Service;

use event::{Carried, Event};
use queue::Batch;

const NAME: &str = "send-message";

/// What is fetched and opened at its start.
pub const NEEDS: &[Need] = &[Need::Message, Need::Plivo, Need::Keys];

/// A failed invocation. What Lambda's runtime prints of it is the reason only: the message can quote what the sender wrote.
pub struct Failure(Problem);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "invocation failed: {}", self.0.reason().word())
    }
}

impl From<Failure> for Diagnostic {
    fn from(Failure(problem): Failure) -> Self {
        Self { error_type: problem.reason().word().to_owned(), error_message: problem.body().to_string() }
    }
}

/// Answers any of its events. HTTP gets HTTP's answers. A queue gets the messages that it must deliver again. Whoever invokes
/// the function with a message gets Plivo's answer; or a failed invocation, whose type is the reason and whose message is the
/// body of HTTP's answer, so that Lambda tries an asynchronous one again and hands it to the failure destination.
///
/// # Errors
/// What a failed invocation leaves.
pub async fn answer(
    service: &Service,
    dead_letters: &DeadLetters,
    event: LambdaEvent<Value>,
) -> Result<Value, Failure> {
    let request_id = event.context.request_id.clone();
    let deadline = deadline(event.context.deadline, service.clock.now());
    let outcome = match Event::read(event.payload, &request_id) {
        Ok(Event::Http(payload)) => {
            let answer = http::answer(service, NAME, LambdaEvent::new(payload, event.context), handle).await;
            answer.map_err(|_| Problem::new(Reason::UnknownEvent))
        }
        Ok(Event::Queue(records)) => Ok(Batch { service, dead_letters, deadline }.send(records).await),
        Ok(Event::Notifications(carried)) => send_all(service, carried).await,
        Ok(Event::One(carried)) => send(service, carried).await,
        Err(problem) => Err(problem),
    };
    outcome.map_err(|problem| {
        problem.report(service, NAME);
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
pub async fn handle(service: &Service, request: Request) -> Answer {
    messaging::authorize(service, http::bearer(&request).as_ref()).await?;
    let header = http::idempotency_key(&request)?;
    let (message, own) = message::read(service, http::body(&request, Duplicates::Service)?)?;
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
    let accepted = messaging::send(service, &key, &message).await?;
    Ok(http::ok(&json!(accepted)))
}

/// Sends a message of an event. Its own idempotency key stands before the event's.
async fn send(service: &Service, carried: Carried) -> Result<Value, Problem> {
    let (message, own) = message::read(service, carried.fields?)?;
    let accepted = messaging::send(service, &own.unwrap_or(carried.key), &message).await?;
    Ok(json!(accepted))
}

/// Sends all messages of an event; fails with the first failure, once all have been tried. When the event comes again, those that
/// were sent are not sent again.
async fn send_all(service: &Service, messages: Vec<Carried>) -> Result<Value, Problem> {
    let mut failure = None;
    for carried in messages {
        if let Err(problem) = send(service, carried).await {
            failure.get_or_insert(problem);
        }
    }
    failure.map_or(Ok(Value::Null), Err)
}
