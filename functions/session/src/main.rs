//! The function `session`: see its library.

use std::process::ExitCode;

use shared::function::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("session", session::NEEDS, session::handle).await
}
