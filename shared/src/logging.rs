//! Logs: one JSON object a line on standard output, which Lambda sends to CloudWatch. Never logged: codes, passwords, tokens, secrets, bodies,
//! paths (they hold keys and tokens) and full phone numbers. A request logs once, where its response is made (`http::serve`); a failure that
//! does not end a request logs where that is decided.
//!
//! **Auth events** have a field `event`, a name of OWASP's Logging Vocabulary (`authn_login_success`, `authn_login_fail`,
//! `authn_login_fail_max`, `excess_rate_limit_exceeded`, `authz_fail`, `session_use_after_expire`, `session_expired`, `user_created`,
//! `input_validation_fail`, and our own `sys_kill_switches_changed`); the result in `reason` or `flow`; and in the span `request` the
//! client (a provider's network), the `phone`, masked, and the `user`.

use std::error::Error;

use tracing::Span;
use tracing::field::Empty;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use phone_number::PhoneNumber;

use crate::client_network::ClientNetwork;

/// Starts logging: to standard output in a function, elsewhere in tests, which read there what CloudWatch would get. Levels below `info` are
/// off, since HTTP libraries print what they send at `trace`.
pub fn init<W>(writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_target(false);
    // Lambda's runtime would log each failed invocation a second time.
    let once = Targets::new().with_default(LevelFilter::INFO).with_target("lambda_runtime::layers", LevelFilter::OFF);
    // A second start in one process keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(once).with(layer.with_writer(writer)).try_init();
}

/// The span in which a request is answered.
pub(crate) fn request_span(client: &ClientNetwork) -> Span {
    tracing::info_span!("request", client = client.coarse(), phone = Empty, user = Empty)
}

/// Records in the request's span which phone it is about.
pub(crate) fn record_phone(phone: &PhoneNumber) {
    Span::current().record("phone", phone.to_string());
}

/// Records in the request's span which user it is about.
pub(crate) fn record_user(user: &str) {
    Span::current().record("user", user);
}

/// An error and its causes in one text: the JSON format would drop the causes.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
