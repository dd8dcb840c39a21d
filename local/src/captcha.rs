//! A captcha service in this process: `siteverify`, as Turnstile, hCaptcha and reCAPTCHA have it, and `POST /_local/captcha`, which makes a token
//! without a puzzle. Each token works once, for five minutes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::{Clock as _, Timestamp};
use shared::crypto::identifier;

use crate::clock::MovableClock;
use crate::inbox::refusal;

/// The path of `siteverify`.
pub const SITEVERIFY: &str = "/_local/captcha/siteverify";
/// Turnstile: "Tokens expire after 300 seconds".
const LIFE: Duration = Duration::from_secs(300);

/// The tokens that were made and not used. Clones share them.
#[derive(Clone)]
pub struct Captcha {
    tokens: Arc<Mutex<HashMap<String, Token>>>,
    is_down: Arc<AtomicBool>,
    clock: Arc<MovableClock>,
}

/// What a token was made for.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    hostname: String,
    #[serde(default)]
    action: String,
    #[serde(skip, default = "never")]
    made: Timestamp,
}

const fn never() -> Timestamp {
    Timestamp::from_millis(0)
}

#[derive(Deserialize)]
struct Question {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    response: String,
}

impl Captcha {
    pub(crate) fn new(clock: Arc<MovableClock>) -> Self {
        Self { tokens: Arc::default(), is_down: Arc::default(), clock }
    }

    /// Whether the service fails every call.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    /// Makes a token, as a page's widget does when its puzzle is solved.
    pub fn solve(&self, hostname: &str, action: &str) -> String {
        let (hostname, action) = (hostname.to_owned(), action.to_owned());
        self.make(Token { hostname, action, made: self.clock.now() })
    }

    fn make(&self, token: Token) -> String {
        let text = identifier::random();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone(), token);
        text
    }

    fn verify(&self, question: &Question) -> Value {
        let refused = |code: &str| json!({ "success": false, "error-codes": [code] });
        if question.secret != crate::CAPTCHA_KEY {
            return refused("invalid-input-secret");
        }
        let used = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&question.response);
        match used {
            Some(token) if self.clock.now() < token.made.plus(LIFE) => json!({
                "success": true, "challenge_ts": token.made.as_millis(), "hostname": token.hostname,
                "action": token.action, "error-codes": [],
            }),
            _ => refused("timeout-or-duplicate"),
        }
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().route("/_local/captcha", post(solve)).route(SITEVERIFY, post(siteverify)).with_state(self.clone())
    }
}

async fn siteverify(State(captcha): State<Captcha>, Form(question): Form<Question>) -> Response {
    if captcha.is_down.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(captcha.verify(&question)).into_response()
}

async fn solve(State(captcha): State<Captcha>, body: Bytes) -> Response {
    match serde_json::from_slice::<Token>(&body) {
        Ok(token) => {
            Json(json!({ "token": captcha.make(Token { made: captcha.clock.now(), ..token }) })).into_response()
        }
        Err(_) => {
            let text = "The body must be {\"hostname\": HOST, \"action\": ACTION}.";
            refusal(StatusCode::BAD_REQUEST, "invalid_captcha", text)
        }
    }
}
