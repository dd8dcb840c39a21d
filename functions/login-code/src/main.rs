//! The function `login-code`: see its library.

use std::process::ExitCode;

use shared::function::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-code", login_code::NEEDS, login_code::handle).await
}
