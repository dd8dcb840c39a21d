//! `otpost console`: serves the console on this machine until Ctrl-C.

use std::error::Error;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use shared::aws::AwsClients;
use shared::aws::secrets::Secrets;
use shared::clock::SystemClock;
use shared::config::{Lookup, Resources};
use shared::store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::figures::Counts;
use super::{Operator, access};
use crate::texts::settings;

/// What must be known of a stack.
const NEEDED: [&str; 8] = [
    "USERS_TABLE",
    "SESSIONS_TABLE",
    "PHONES_TABLE",
    "CONTROLS_TABLE",
    "CONSENTS_TABLE",
    "COUNTERS_TABLE",
    "DECISIONS_TABLE",
    "ROOT_SECRET",
];
/// How often the overview's figures are read again. Each time costs a read of the budgets' counters and of CloudWatch.
const REFRESH: Duration = Duration::from_secs(60);

/// An operator with these credentials and settings. `arn` is whose credentials they are, `place` which stack it is, in words.
///
/// # Errors
/// When a name or a setting is missing or wrong.
pub fn operator(
    clients: AwsClients,
    lookup: Lookup<'_>,
    (arn, place): (Option<String>, String),
    counts: Counts,
    stopped: watch::Receiver<()>,
) -> Result<Operator, Box<dyn Error>> {
    // The settings have placeholders for what no view needs.
    let resources = Resources::of_command(lookup, &NEEDED)?;
    Ok(Operator {
        store: Store::new(&clients.dynamodb(), &resources),
        secrets: Secrets::new(clients, resources),
        settings: settings(lookup)?,
        clock: Arc::new(SystemClock),
        arn,
        place,
        links: Vec::new(),
        counts,
        refresh: REFRESH,
        stopped,
    })
}

/// Listens on this port of 127.0.0.1 (0 picks a free one), calls `say` with the address that opens the console, and serves until `stop`.
///
/// # Errors
/// When the port cannot be used.
pub async fn serve(
    operator: impl FnOnce(watch::Receiver<()>) -> Result<Operator, Box<dyn Error>>,
    port: u16,
    say: impl FnOnce(&str),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    let (stopping, stopped) = watch::channel(());
    let (router, opening) = access::protected(operator(stopped)?, port);
    say(&format!("http://127.0.0.1:{port}{opening}"));
    let stop = async move {
        stop.await;
        // Ends the event streams, which would otherwise keep the server from ending.
        drop(stopping);
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?)
}
