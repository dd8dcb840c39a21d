//! A network with a round-trip time, at the server's end of a connection on loopback. A byte that was sent is there half a round trip
//! later, whatever is sent before or after it; and nothing can be sent before the connection's own round trip (SYN, SYN-ACK) is over.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::time::Instant;

/// So much later than asked a thread wakes, half by the kernel's timer slack, half by what waking takes.
const WAKING: Duration = Duration::from_micros(80);

/// A connection as the server at its far end sees it.
pub(crate) struct Link {
    arriving: Receiver<(Instant, Vec<u8>)>,
    arrived: io::Cursor<Vec<u8>>,
    leaving: Sender<(Instant, Vec<u8>)>,
    opened: Instant,
    round_trip: Duration,
}

impl Link {
    /// To be made as soon as the connection is accepted.
    pub(crate) fn new(stream: TcpStream, round_trip: Duration) -> io::Result<Self> {
        let opened = Instant::now();
        let (sent, arriving) = channel();
        let (leaving, left) = channel();
        let from = stream.try_clone()?;
        std::thread::spawn(move || receive(from, &sent));
        std::thread::spawn(move || deliver(stream, &left));
        Ok(Self { arriving, arrived: io::Cursor::default(), leaving, opened, round_trip })
    }
}

/// When what the client hands over at `sent` reaches the server.
fn arrival(opened: Instant, sent: Instant, round_trip: Duration) -> Instant {
    sent.max(opened + round_trip) + round_trip / 2
}

/// Notes when bytes were sent.
fn receive(mut from: TcpStream, sent: &Sender<(Instant, Vec<u8>)>) {
    let mut piece = [0; 16 * 1024];
    // Both ends of it end with the connection.
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if sent.send((Instant::now(), piece[..length].to_vec())).is_err() {
            return;
        }
    }
}

/// Hands bytes to the client when they are due.
fn deliver(mut to: TcpStream, left: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in left {
        wait_until(due);
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[expect(clippy::disallowed_methods, reason = "tokio's timer knows milliseconds, and this is no clock but a distance")]
fn wait_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now()).saturating_sub(WAKING);
    if !wait.is_zero() {
        std::thread::sleep(wait);
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.arrived.position() == self.arrived.get_ref().len() as u64 {
            let Ok((sent, bytes)) = self.arriving.recv() else { return Ok(0) };
            wait_until(arrival(self.opened, sent, self.round_trip));
            self.arrived = io::Cursor::new(bytes);
        }
        self.arrived.read(into)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let due = Instant::now() + self.round_trip / 2;
        self.leaving.send((due, bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
