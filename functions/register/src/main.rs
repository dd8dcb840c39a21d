//! The function `register`: see its library.

use std::process::ExitCode;

use shared::function::run;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run("register", register::NEEDS, register::handle).await
}
