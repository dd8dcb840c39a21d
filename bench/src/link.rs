//! A network with a round-trip time: a forwarder of TCP connections on loopback. A byte that was sent arrives half a round trip later, whatever
//! is sent before or after it; and nothing can be sent before the connection's own round trip (SYN, SYN-ACK) is over. It waits on threads
//! and not on tasks, since Tokio's timer knows milliseconds only.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use tokio::time::Instant;

/// How much later than asked a thread wakes, half by the kernel's timer slack, half by what waking takes.
const WAKING: Duration = Duration::from_micros(80);

/// Starts a link to a server and returns the address of its near end. It ends with the process.
pub(crate) fn to(server: SocketAddr, round_trip: Duration) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A connection that breaks is one whose process was ended.
            let _ = connect(client, server, round_trip);
        }
    });
    Ok(address)
}

fn connect(client: TcpStream, server: SocketAddr, round_trip: Duration) -> io::Result<()> {
    let opened = Instant::now();
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    one_way(from_client, server, move |sent| arrival(opened, sent, round_trip));
    one_way(from_server, client, move |sent| sent + round_trip / 2);
    Ok(())
}

/// When what the client sends at `sent` reaches the server.
fn arrival(opened: Instant, sent: Instant, round_trip: Duration) -> Instant {
    sent.max(opened + round_trip) + round_trip / 2
}

/// One thread notes when bytes were sent, the other passes them on when they are due.
fn one_way(mut from: TcpStream, mut to: TcpStream, due: impl Fn(Instant) -> Instant + Send + 'static) {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut piece = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if sender.send((due(Instant::now()), piece[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in receiver {
            wait_until(due);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both)
    });
}

#[expect(clippy::disallowed_methods, reason = "this is no clock but a distance")]
fn wait_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now()).saturating_sub(WAKING);
    if !wait.is_zero() {
        std::thread::sleep(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_half_a_round_trip_under_way_and_waits_for_the_connection() {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let arrival = |sent| arrival(zero, at(sent), Duration::from_millis(20));
        // At once after the connection: its own round trip, then half of one.
        assert_eq!(arrival(0), at(30));
        assert_eq!(arrival(20), at(30));
        // Behind another: not later for it.
        assert_eq!(arrival(21), at(31));
        assert_eq!(arrival(100), at(110));
    }
}
