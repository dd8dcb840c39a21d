//! The operator's console at `/_local/console`, with this stack's tables, clock and metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use otpost::console::{self, Operator};
use shared::app::App;
use shared::aws::AwsClients;
use shared::aws::secrets::Secrets;
use shared::store::Store;
use tokio::sync::watch;

use crate::metrics::CountedMetrics;

/// Where it is.
const PATH: &str = "/_local/console";

/// The console, which acts for whoever uses this machine.
pub(crate) fn router(
    clients: AwsClients,
    app: &App,
    metrics: &CountedMetrics,
    stopped: &watch::Receiver<()>,
) -> Router {
    let resources = &app.settings.resources;
    let operator = Operator {
        store: Store::new(&clients.dynamodb(), resources),
        secrets: Secrets::new(clients, resources.clone()),
        settings: app.settings.clone(),
        clock: Arc::clone(&app.clock),
        arn: None,
        place: "The stack on this machine".to_owned(),
        links: vec![("Start page", "/"), ("Phone, clock and STOP", "/_local/"), ("Demo", "/demo/")],
        counts: metrics.counts(),
        refresh: Duration::from_secs(1),
        stopped: stopped.clone(),
    };
    console::router(operator, PATH)
}
