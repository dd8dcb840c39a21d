//! The function `login-password`: see its library.

use std::process::ExitCode;

use shared::function::run;
use shared::secrets::Need;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-password", &[Need::Keys, Need::Plivo], login_password::handle).await
}
