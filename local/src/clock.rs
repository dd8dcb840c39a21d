//! A clock that can be moved: by people through `/_local/clock`, by tests directly.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shared::clock::{Clock, SystemClock, Timestamp};
use tokio::sync::watch;

/// Whether the clock runs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// It runs with the machine's clock.
    #[default]
    Runs,
    /// It stands still until it is moved, so that tests are exact to the second on a slow machine. It begins with the next day (UTC), so that
    /// no test meets the end of an hour or a day by chance.
    Stands,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that can be moved forward. It never goes back.
#[derive(Debug)]
pub struct MovableClock {
    /// Where a clock that stands begins.
    started: Timestamp,
    pace: Pace,
    ahead_millis: AtomicI64,
    moves: watch::Sender<()>,
}

impl MovableClock {
    /// A clock that is this far behind the machine's.
    pub fn new(pace: Pace, behind: Duration) -> Self {
        let ahead = -i64::try_from(behind.as_millis()).unwrap_or(i64::MAX / 4);
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let next_day = SystemClock.now().as_millis().div_euclid(day) + 1;
        Self {
            started: Timestamp::from_millis(next_day * day),
            pace,
            ahead_millis: AtomicI64::new(ahead),
            moves: watch::Sender::new(()),
        }
    }

    /// Moves the clock forward and returns the new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        self.ahead_millis.fetch_add(by, Ordering::SeqCst);
        self.moves.send_replace(());
        self.now()
    }

    /// Hears of each move.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.moves.subscribe()
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
