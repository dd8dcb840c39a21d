//! The function `account`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("account", account::SECRETS, account::handle).await
}
