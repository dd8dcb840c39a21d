//! The function `login-password`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-password", login_password::SECRETS, login_password::handle).await
}
