//! What programs ask of the stack itself: `GET /_local/config`, `POST /_local/clock`. Uses `clock`, and wakes
//! the inbox.

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

/// The two routes.
pub(crate) fn router(config: Config, clock: Arc<MovableClock>, simulator: Simulator) -> Router {
    Router::new()
        .route("/_local/config", get(move || async move { Json(config) }))
        .route("/_local/clock", post(move |step: Bytes| async move { advance(&clock, &simulator, &step) }))
        .layer(axum::middleware::from_fn(crate::inbox::loopback_only))
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
