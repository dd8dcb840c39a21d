//! The function `plivo-events`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("plivo-events", plivo_events::SECRETS, plivo_events::handle).await
}
