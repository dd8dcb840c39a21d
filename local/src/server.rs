//! Where the gateway listens, and how it serves until the stack stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::simulator::Simulator;
use crate::{StackError, stopped};

/// Listens on 127.0.0.1, and on another address if one is given. An address that stands for all (`0.0.0.0`) includes 127.0.0.1. Also returns
/// the port.
pub(crate) async fn listen(host: Option<IpAddr>, port: u16) -> Result<(Vec<TcpListener>, u16), StackError> {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let all = host.filter(IpAddr::is_unspecified);
    let taken = format!(
        "port {port} cannot be used: stop what is running there, perhaps another Otpost, or choose a port with --port (0 picks one)"
    );
    let first = TcpListener::bind((all.unwrap_or(loopback), port)).await.map_err(StackError::new(taken))?;
    let port = first.local_addr().map_err(StackError::new("the gateway has no port"))?.port();
    let mut listeners = vec![first];
    if let Some(host) = host.filter(|host| all.is_none() && *host != loopback) {
        let not_ours = format!("the gateway cannot listen on {host}: --host must be an address of this machine");
        listeners.push(TcpListener::bind((host, port)).await.map_err(StackError::new(not_ours))?);
    }
    Ok((listeners, port))
}

/// Serves until the stack stops. Then it ends the inbox's long polls, and itself after the last request.
pub(crate) fn serve(
    listeners: Vec<TcpListener>,
    router: &Router,
    simulator: Simulator,
    stop: &watch::Receiver<()>,
) -> Vec<JoinHandle<()>> {
    let stopping = stopped(stop.clone());
    tokio::spawn(async move {
        stopping.await;
        simulator.wake();
    });
    let serve_on = |listener| {
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service).with_graceful_shutdown(stopped(stop.clone()));
        tokio::spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the gateway stopped");
            }
        })
    };
    listeners.into_iter().map(serve_on).collect()
}
