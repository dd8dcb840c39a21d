//! The fewest round trips that a cold start waits for: those that cannot be made in parallel.
//!
//! | wait | round trips |
//! |---|---:|
//! | the first connection | 1 |
//! | its TLS 1.3 handshake | 1 |
//! | the secrets, in one call, where the operation needs any: no key of an item is known before | 1 |
//! | each call to storage or Plivo that needs the response to the one before | 1 |
//!
//! Connections to further hosts can be opened meanwhile, so the number of hosts changes nothing. (Ours to Plivo is not: it is opened with the
//! message, as `shared/src/http_client.rs` explains, which costs two round trips more over TLS.)

use std::time::Duration;

/// What an operation waits for, one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waits {
    pub(crate) secrets: bool,
    /// To storage and Plivo, before the answer.
    pub(crate) calls: usize,
}

impl Waits {
    /// The fewest round trips from a cold start to the answer.
    pub(crate) fn minimum(self, has_tls: bool) -> usize {
        let calls = usize::from(self.secrets) + self.calls;
        if calls == 0 { 0 } else { 1 + usize::from(has_tls) + calls }
    }
}

/// How many round trips a time holds that is so much longer than `near` when a round trip takes so much longer.
pub(crate) fn round_trips(near: Duration, far: Duration, added: Duration) -> f64 {
    (far.as_secs_f64() - near.as_secs_f64()) / added.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_another_counts() {
        let login = Waits { secrets: true, calls: 3 };
        assert_eq!((login.minimum(false), login.minimum(true)), (5, 6));
        let session = Waits { secrets: false, calls: 1 };
        assert_eq!((session.minimum(false), session.minimum(true)), (2, 3));
        assert_eq!(Waits::default().minimum(true), 0);
    }

    #[test]
    fn the_slope_counts_round_trips() {
        let millis = Duration::from_millis;
        assert!((round_trips(millis(10), millis(70), millis(20)) - 3.0).abs() < 1e-9);
    }
}
