//! The clock that is moved: by people through `/_local/clock`, by tests directly. Uses `shared::clock`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shared::clock::{Clock, SystemClock, Timestamp};

/// What the clock does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// It runs with the machine's.
    #[default]
    Runs,
    /// It stands still until it is moved: in a test, no machine is too slow for a second to be exact.
    Stands,
}

/// A clock that can be moved forward. It never goes back.
#[derive(Debug)]
pub struct MovableClock {
    started: Timestamp,
    pace: Pace,
    ahead_millis: AtomicI64,
}

impl MovableClock {
    /// A clock that shows the machine's time, or one that is so far behind it.
    pub fn new(pace: Pace, behind: Duration) -> Self {
        let ahead = -i64::try_from(behind.as_millis()).unwrap_or(i64::MAX / 4);
        Self { started: SystemClock.now(), pace, ahead_millis: AtomicI64::new(ahead) }
    }

    /// Moves the time forward and answers it.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        self.ahead_millis.fetch_add(by, Ordering::SeqCst);
        self.now()
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let own = match self.pace {
            Pace::Runs => SystemClock.now(),
            Pace::Stands => self.started,
        };
        Timestamp::from_millis(own.as_millis().saturating_add(self.ahead_millis.load(Ordering::SeqCst)))
    }
}
