//! The function `register`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("register", register::SECRETS, register::handle).await
}
