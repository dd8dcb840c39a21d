//! The function `login-code`: see its library.

use std::process::ExitCode;

use shared::function::run;
use shared::secrets::Need;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("login-code", &[Need::Keys, Need::SecondConnection], login_code::handle).await
}
