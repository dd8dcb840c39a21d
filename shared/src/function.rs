//! How a function binary starts: logging, settings, secrets; and how one behind the gateway runs. Uses `http`, `service`, `logging`.

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_http::lambda_runtime::Runtime;
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::{Adapter, Request, service_fn};

use crate::clock::SystemClock;
use crate::http::{Answer, Answered, serve};
use crate::later::Afterwards;
use crate::logging;
use crate::metrics;
use crate::secrets::Need;
use crate::service::Service;
use crate::settings::environment;

/// Builds the service from the environment and fetches the secrets that the function needs. It lives as long as the process.
///
/// # Errors
/// The exit code, after one line that names the setting which is missing or wrong.
pub async fn start(needs: &[Need]) -> Result<&'static Service, ExitCode> {
    logging::init();
    match Service::new(&environment, Arc::new(SystemClock), metrics::to_stdout()) {
        Ok(service) => {
            service.warm(needs).await;
            Ok(Box::leak(Box::new(service)))
        }
        Err(error) => {
            tracing::error!("{error}");
            Err(ExitCode::FAILURE)
        }
    }
}

/// Runs a function that only the gateway calls.
pub async fn run<F: Future<Output = Answer> + Send + 'static>(
    name: &'static str,
    needs: &'static [Need],
    handler: impl Fn(&'static Service, Request) -> F + Copy + Send + 'static,
) -> ExitCode {
    let service = match start(needs).await {
        Ok(service) => service,
        Err(code) => return code,
    };
    let answer = |request| async move { Ok::<_, Infallible>(Answered(serve(service, name, request, handler).await)) };
    // What `lambda_http::run` does, and the work after each answer, in the request's span.
    let runtime =
        Runtime::new(Adapter::from(service_fn(answer))).layer(Afterwards(&service.later)).layer(TracingLayer::new());
    ended(runtime.run().await)
}

/// The exit code of a function that Lambda has stopped, or whose Runtime API is gone.
pub fn ended(outcome: Result<(), lambda_http::Error>) -> ExitCode {
    outcome.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
