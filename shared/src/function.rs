//! How a function binary starts: logging, settings, secrets. Uses `service`, `logging`.

use std::process::ExitCode;
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::logging;
use crate::metrics;
use crate::secrets::Need;
use crate::service::Service;
use crate::settings::environment;

/// Builds the service from the environment and fetches the secrets that the function needs.
///
/// # Errors
/// The exit code, after one line that names the setting which is missing or wrong.
pub async fn start(needs: &[Need]) -> Result<Service, ExitCode> {
    logging::init();
    match Service::new(&environment, Arc::new(SystemClock), metrics::to_stdout()) {
        Ok(service) => {
            service.warm(needs).await;
            Ok(service)
        }
        Err(error) => {
            tracing::error!("{error}");
            Err(ExitCode::FAILURE)
        }
    }
}
