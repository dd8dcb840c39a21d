//! The clock that tests move: the machine's time and what was added to it. Uses `shared::clock`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shared::clock::{Clock, SystemClock, Timestamp};

/// The machine's clock, moved forward. It never goes back.
#[derive(Debug, Default)]
pub struct MovableClock {
    ahead_millis: AtomicI64,
}

impl MovableClock {
    /// Moves the time forward and answers it.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        self.ahead_millis.fetch_add(by, Ordering::SeqCst);
        self.now()
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis().saturating_add(self.ahead_millis.load(Ordering::SeqCst)))
    }
}
