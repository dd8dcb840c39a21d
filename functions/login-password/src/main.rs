//! The function `login-password`: see its library.

use std::convert::Infallible;
use std::process::ExitCode;

use lambda_http::{run, service_fn};
use shared::function::start;
use shared::http::serve;
use shared::secrets::Need;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let service = match start(&[Need::Keys, Need::Plivo]).await {
        Ok(service) => service,
        Err(code) => return code,
    };
    let answer =
        async |request| Ok::<_, Infallible>(serve(&service, "login-password", request, login_password::handle).await);
    match run(service_fn(answer)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
