//! The function `send-message`: see its library.

use std::process::ExitCode;

use lambda_http::{lambda_runtime, service_fn};
use shared::lambda::{exit_code, init};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let app = match init(send_message::SECRETS).await {
        Ok(app) => app,
        Err(code) => return code,
    };
    let dead_letters = app.dead_letters();
    // Boxed because the compiler limits how deep futures may nest.
    let respond = |event| Box::pin(send_message::respond(&app, &dead_letters, event));
    exit_code(lambda_runtime::run(service_fn(respond)).await)
}
