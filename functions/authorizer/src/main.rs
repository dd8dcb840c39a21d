//! The function `authorizer`: see its library.

use std::process::ExitCode;

use lambda_http::{LambdaEvent, lambda_runtime, service_fn};
use serde_json::Value;
use shared::lambda::{exit_code, init};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let app = match init(authorizer::SECRETS).await {
        Ok(app) => app,
        Err(code) => return code,
    };
    let respond = |event: LambdaEvent<Value>| {
        let app = &app;
        async move { Ok::<_, lambda_http::Error>(authorizer::respond(app, &event.payload).await) }
    };
    exit_code(lambda_runtime::run(service_fn(respond)).await)
}
