//! The function `login-phone`: see its library.

use std::process::ExitCode;

use shared::lambda::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-phone", login_phone::SECRETS, login_phone::handle).await
}
