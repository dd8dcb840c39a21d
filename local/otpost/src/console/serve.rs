//! `otpost console`: serves the console on this machine until Ctrl-C.

use std::error::Error;
use std::future::Future;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Operator, access};

/// Listens on this port of 127.0.0.1 (0 picks a free one), calls `say` with the address that opens the console, and serves until `stop`.
///
/// # Errors
/// When the port cannot be used.
pub async fn serve(
    operator: impl FnOnce(watch::Receiver<()>) -> Operator,
    port: u16,
    say: impl FnOnce(&str),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    let (stopping, stopped) = watch::channel(());
    let (router, opening) = access::protected(operator(stopped), port);
    say(&format!("http://127.0.0.1:{port}{opening}"));
    let stop = async move {
        stop.await;
        // Ends the event streams, which would otherwise keep the server from ending.
        drop(stopping);
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?)
}
