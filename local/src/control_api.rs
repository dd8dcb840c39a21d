//! What programs ask of the stack itself: `GET /_local/config`, `GET /_local/environment`, `POST /_local/clock`. Uses `clock`, and
//! wakes the inbox.

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

use crate::Config;
use crate::clock::MovableClock;
use crate::simulator::Simulator;

/// The longest step of the clock, in seconds: a hundred years.
const LONGEST_STEP: u64 = 100 * 366 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    advance: u64,
}

/// The routes.
pub(crate) fn router(
    config: Config,
    settings: &HashMap<String, String>,
    clock: Arc<MovableClock>,
    simulator: Simulator,
) -> Router {
    let environment = environment_file(settings);
    Router::new()
        .route("/_local/environment", get(move || async move { environment }))
        .route("/_local/config", get(move || async move { Json(config) }))
        .route("/_local/clock", post(move |step: Bytes| async move { advance(&clock, &simulator, &step) }))
        .layer(axum::middleware::from_fn(crate::inbox::loopback_only))
}

/// What a function binary that runs beside the stack needs, in the form of `cargo lambda watch --env-file`.
fn environment_file(settings: &HashMap<String, String>) -> String {
    let mut lines: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    lines.sort_unstable();
    lines.concat()
}

/// The body is JSON whatever its content type says: `curl -d` calls it a form.
fn advance(clock: &MovableClock, simulator: &Simulator, step: &[u8]) -> Response {
    match serde_json::from_slice(step) {
        Ok(Step { advance }) if advance <= LONGEST_STEP => {
            let now = clock.advance(Duration::from_secs(advance));
            simulator.wake();
            Json(json!({ "now": now })).into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({ "error": "the body must be {\"advance\": SECONDS}" })))
            .into_response(),
    }
}
