//! The function `login-phone`: see its library.

use std::process::ExitCode;

use shared::function::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-phone", login_phone::NEEDS, login_phone::handle).await
}
