//! The function `login-code`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-code", login_code::SECRETS, login_code::handle).await
}
