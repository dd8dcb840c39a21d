//! Logs: one JSON object a line on standard output, which Lambda sends to CloudWatch. What is never logged: codes, passwords,
//! tokens, secrets, bodies, paths (they hold keys and tokens) and full phone numbers. A request logs once, where its answer is
//! made (`http::serve`); a failure that does not end a request logs where it is decided so. Uses nothing of this crate.

use std::error::Error;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging for a function, on standard output.
pub fn init() {
    init_to(std::io::stdout);
}

/// Starts logging to another place, in the same form, so that tests see what CloudWatch would. `info` and above: at `trace`, HTTP
/// libraries print what they send.
pub fn init_to<W>(writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_target(false);
    // Lambda's runtime prints each failed invocation once more.
    let once = Targets::new().with_default(LevelFilter::INFO).with_target("lambda_runtime::layers", LevelFilter::OFF);
    // A second start in one process keeps the first one's subscriber.
    let _ = tracing_subscriber::registry().with(once).with(layer.with_writer(writer)).try_init();
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
