//! The function `register`: see its library.

use std::process::ExitCode;

use shared::function::run;
use shared::secrets::Need;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("register", &[Need::Keys, Need::Plivo], register::handle).await
}
