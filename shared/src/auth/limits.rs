//! The limiter: every limit of the service is one of [`Limit`], and every one is a rolling window over the exact times of what it
//! counts. There is no fixed window that would allow twice the number at its edge. Where the times are kept and how a race is
//! decided is the store's matter; this decides. Uses `clock`.

use std::time::Duration;

use crate::clock::Timestamp;

/// Tries of one transaction's code.
pub const TRIES_PER_TRANSACTION: usize = 5;

/// Everything that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Code messages to one phone, against impatience.
    CodeMessageSpacing,
    /// Code messages to one phone, against harassment and cost. All flows share them.
    CodeMessagesPerDay,
    /// Wrong codes for one phone over all transactions that need no password: 25 of 1,000,000 a day.
    WrongCodes,
    /// Wrong codes for one phone behind its right password. Counted apart, so that a stranger's guesses do not shut out an
    /// owner who has a password.
    WrongCodesAfterPassword,
}

impl Limit {
    /// At most this many in any span of this length.
    pub const fn rule(self) -> (usize, Duration) {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        match self {
            Self::CodeMessageSpacing => (1, Duration::from_secs(30)),
            Self::CodeMessagesPerDay => (5, DAY),
            Self::WrongCodes | Self::WrongCodesAfterPassword => (25, DAY),
        }
    }

    /// For logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeMessageSpacing => "code_message_spacing",
            Self::CodeMessagesPerDay => "code_messages_per_day",
            Self::WrongCodes => "wrong_codes",
            Self::WrongCodesAfterPassword => "wrong_codes_after_password",
        }
    }

    /// How many more are allowed now, given the times of what was counted, oldest first.
    pub fn left(self, times: &[Timestamp], now: Timestamp) -> usize {
        let (most, window) = self.rule();
        most.saturating_sub(times.iter().filter(|time| **time > now.minus(window)).count())
    }

    /// Whether one more is allowed now.
    ///
    /// # Errors
    /// [`Limited`] says when it will be.
    pub fn check(self, times: &[Timestamp], now: Timestamp) -> Result<(), Limited> {
        if self.left(times, now) > 0 {
            return Ok(());
        }
        let (most, window) = self.rule();
        let again = times[times.len() - most].plus(window);
        Err(Limited::until(self, now, again))
    }

    /// Removes times that no longer count.
    pub fn forget(self, times: &mut Vec<Timestamp>, now: Timestamp) {
        let (_, window) = self.rule();
        times.retain(|time| *time > now.minus(window));
    }
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Which.
    pub limit: Limit,
    /// When it is worth asking again, in whole seconds, at least 1.
    pub retry_after: u64,
}

impl Limited {
    /// Limited until this moment.
    pub fn until(limit: Limit, now: Timestamp, again: Timestamp) -> Self {
        let millis = u64::try_from(now.until(again).as_millis()).unwrap_or(u64::MAX);
        Self { limit, retry_after: millis.div_ceil(1000).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Limit; 4] =
        [Limit::CodeMessageSpacing, Limit::CodeMessagesPerDay, Limit::WrongCodes, Limit::WrongCodesAfterPassword];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn each_limit_trips_and_recovers_at_its_second() {
        for limit in ALL {
            let (most, window) = limit.rule();
            let times = vec![at(0); most];
            let window = i64::try_from(window.as_secs()).unwrap();
            assert_eq!(limit.check(&times[1..], at(0)), Ok(()), "{limit:?}: one is left");
            assert_eq!(limit.check(&times, at(0)).unwrap_err().retry_after, window.unsigned_abs(), "{limit:?}");
            assert_eq!(limit.check(&times, at(window - 1)).unwrap_err().retry_after, 1, "{limit:?}");
            assert_eq!(limit.check(&times, at(window)), Ok(()), "{limit:?}");
        }
    }

    #[test]
    fn a_window_rolls_and_has_no_edge_to_use() {
        // Five at the end of one day and five at the start of the next: a fixed window would let them pass.
        let times = [at(86_000), at(86_100), at(86_200), at(86_300), at(86_390)];
        let limited = Limit::CodeMessagesPerDay.check(&times, at(86_410)).unwrap_err();
        assert_eq!(limited.retry_after, 86_000 + 86_400 - 86_410);
    }

    proptest! {
        /// Whoever asks whenever is told to wait, and never gets more than the rule in any window.
        #[test]
        fn no_window_holds_more_than_its_number(steps in prop::collection::vec(0..40_000_000_i64, 1..200)) {
            for limit in ALL {
                let (most, window) = limit.rule();
                let (mut now, mut times) = (Timestamp::from_millis(0), Vec::new());
                for step in &steps {
                    now = now.plus(Duration::from_millis(step.unsigned_abs()));
                    if let Err(limited) = limit.check(&times, now) {
                        prop_assert!(limit.check(&times, now.plus(Duration::from_secs(limited.retry_after))).is_ok());
                        prop_assert!(limit.check(&times, now.plus(Duration::from_secs(limited.retry_after - 1))).is_err());
                    } else {
                        times.push(now);
                    }
                    let within = times.iter().filter(|time| **time > now.minus(window)).count();
                    prop_assert!(within <= most);
                }
            }
        }
    }
}
