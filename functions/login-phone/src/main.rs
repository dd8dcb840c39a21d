//! The function `login-phone`: see its library.

use std::process::ExitCode;

use shared::function::run;
use shared::secrets::Need;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-phone", &[Need::Keys, Need::Plivo], login_phone::handle).await
}
