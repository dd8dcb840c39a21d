//! How a function binary starts: logging, settings, secrets; and how one behind the gateway runs.

use std::process::ExitCode;
use std::sync::Arc;

use lambda_http::lambda_runtime::Runtime;
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::tower::util::MapFutureLayer;
use lambda_http::{Request, service_fn};

use crate::app::App;
use crate::aws::secrets::Secret;
use crate::clock::SystemClock;
use crate::config::environment;
use crate::http::{HandlerResult, respond};
use crate::logging;
use crate::metrics;

/// Builds the app from the environment and fetches the secrets that the function needs.
///
/// # Errors
/// The exit code, after one line that names the setting which is missing or wrong.
pub async fn init(secrets: &[Secret]) -> Result<Arc<App>, ExitCode> {
    logging::init(std::io::stdout);
    match App::new(&environment, Arc::new(SystemClock), metrics::to_stdout()) {
        Ok(app) => {
            app.warm_up(secrets).await;
            Ok(Arc::new(app))
        }
        Err(error) => {
            tracing::error!("{error}");
            Err(ExitCode::FAILURE)
        }
    }
}

/// Runs a function that only the gateway calls.
pub async fn run<F: Future<Output = HandlerResult> + Send + 'static>(
    name: &'static str,
    secrets: &'static [Secret],
    handler: impl Fn(Arc<App>, Request) -> F + Copy + Send + Sync + 'static,
) -> ExitCode {
    let app = match init(secrets).await {
        Ok(app) => app,
        Err(code) => return code,
    };
    let respond = |event| respond(&app, name, event, handler);
    // What `lambda_http::run` does, and the background tasks after each answer, in the request's span.
    let with_tasks = MapFutureLayer::new(|answer| app.background.run_after(answer));
    let runtime = Runtime::new(service_fn(respond)).layer(with_tasks).layer(TracingLayer::new());
    exit_code(runtime.run().await)
}

/// The exit code of a function that Lambda has stopped, or whose Runtime API is gone.
pub fn exit_code(outcome: Result<(), lambda_http::Error>) -> ExitCode {
    outcome.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
