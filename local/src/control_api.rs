//! The stack's own API for programs: `GET /_local/config`, `GET /_local/environment`, `POST /_local/clock`, `POST /_local/inbound`, and Plivo's
//! faults at `/_local/plivo`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::clock::MovableClock;
use crate::inbox::refusal;
use crate::simulator::{FaultPlan, NotWritten, Simulator};
use crate::{Config, event_sources, sqs};

/// How far the clock may be moved at once, in seconds: a hundred years.
const MAX_ADVANCE: u64 = 100 * 366 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockRequest {
    advance: u64,
}

/// What a phone writes, and to which number; without one, to the number that wrote to it last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboundRequest {
    from: String,
    text: String,
    to: Option<String>,
}

/// The routes.
pub(crate) fn router(
    config: Config,
    settings: &HashMap<String, String>,
    clock: Arc<MovableClock>,
    simulator: Simulator,
) -> Router {
    let environment = environment_file(settings, &config.url);
    let phones = simulator.clone();
    Router::new()
        .route("/_local/environment", get(move || async move { environment }))
        .route("/_local/config", get(move || async move { Json(config) }))
        .route("/_local/clock", post(move |body: Bytes| async move { advance(&clock, &simulator, &body).await }))
        .route("/_local/inbound", post(move |body: Bytes| async move { write(&phones, &body).await }))
}

/// `POST /_local/plivo` injects a fault into Plivo, `GET` shows what is left of it, `DELETE` ends it. It waits for no background task: one
/// may be waiting for Plivo.
pub(crate) fn plivo_router(simulator: &Simulator) -> Router {
    let (set, shown, ended) = (simulator.clone(), simulator.clone(), simulator.clone());
    let show = |plan: Option<FaultPlan>| Json(json!({ "fault": plan })).into_response();
    let inject = move |body: Bytes| async move {
        match FaultPlan::parse(&body) {
            Ok(plan) => {
                set.set_plan(Some(plan));
                show(set.plan())
            }
            Err(form) => refusal(StatusCode::BAD_REQUEST, "invalid_fault", form),
        }
    };
    let end = move || async move {
        ended.set_plan(None);
        show(None)
    };
    Router::new().route("/_local/plivo", post(inject).get(move || async move { show(shown.plan()) }).delete(end))
}

/// The environment of a function that runs beside the stack, as a file for `cargo lambda watch --env-file`, and what the commands of
/// docs/messages.md need: the AWS CLI finds the stack by `AWS_ENDPOINT_URL`.
fn environment_file(settings: &HashMap<String, String>, url: &str) -> String {
    let aws = format!("{url}{}", event_sources::PATH);
    let [queue, fifo_queue] = sqs::SOURCES;
    let [dead_letters, fifo_dead_letters] = sqs::DEAD_LETTERS;
    let for_senders = [
        ("MESSAGE_QUEUE_URL", sqs::url(&aws, queue)),
        ("MESSAGE_FIFO_QUEUE_URL", sqs::url(&aws, fifo_queue)),
        ("MESSAGE_QUEUE_ARN", sqs::arn(queue)),
        ("MESSAGE_FIFO_QUEUE_ARN", sqs::arn(fifo_queue)),
        ("DEAD_LETTER_QUEUE_ARN", sqs::arn(dead_letters)),
        ("DEAD_LETTER_FIFO_QUEUE_ARN", sqs::arn(fifo_dead_letters)),
        ("TOPIC_ARN", event_sources::TOPIC.to_owned()),
        ("SEND_MESSAGE_ARN", event_sources::FUNCTION.to_owned()),
        ("AWS_ENDPOINT_URL", aws),
        // The first version of the AWS CLI reads no other.
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ];
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = settings.chain(for_senders.iter().map(|(name, value)| (*name, value.as_str())));
    let mut lines: Vec<_> = all.map(|(name, value)| format!("{name}={value}\n")).collect();
    lines.sort_unstable();
    lines.concat()
}

/// Moves the clock, and responds when all callbacks that are then due are answered. The body is JSON whatever its content type: `curl -d` calls
/// it a form.
async fn advance(clock: &MovableClock, simulator: &Simulator, body: &[u8]) -> Response {
    match serde_json::from_slice(body) {
        Ok(ClockRequest { advance }) if advance <= MAX_ADVANCE => {
            let now = clock.advance(Duration::from_secs(advance));
            simulator.deliver_due().await;
            simulator.wake();
            Json(json!({ "now": now })).into_response()
        }
        _ => refusal(StatusCode::BAD_REQUEST, "invalid_advance", "The body must be {\"advance\": SECONDS}."),
    }
}

/// Writes a message as a phone, and responds when the application has answered it.
async fn write(simulator: &Simulator, body: &[u8]) -> Response {
    const FORM: &str = "The body must be {\"from\": NUMBER, \"text\": TEXT}, and may hold \"to\": a number of yours.";
    let written = match serde_json::from_slice(body) {
        Ok(InboundRequest { from, text, to }) => simulator.write(&from, to.as_deref(), &text),
        Err(_) => Err(NotWritten(FORM)),
    };
    match written {
        Ok(id) => {
            simulator.deliver_due().await;
            Json(json!({ "id": id })).into_response()
        }
        Err(NotWritten(why)) => refusal(StatusCode::BAD_REQUEST, "invalid_message", why),
    }
}
