//! The function `send-message`: see its library.

use std::process::ExitCode;

use lambda_http::{lambda_runtime, service_fn};
use shared::function::{ended, start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let service = match start(send_message::NEEDS).await {
        Ok(service) => service,
        Err(code) => return code,
    };
    let dead_letters = service.dead_letters();
    let answer = async |event| send_message::answer(service, &dead_letters, event).await;
    ended(lambda_runtime::run(service_fn(answer)).await)
}
