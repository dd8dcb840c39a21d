//! The function `login-password`: see its library.

use std::process::ExitCode;

use shared::function::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-password", login_password::NEEDS, login_password::handle).await
}
