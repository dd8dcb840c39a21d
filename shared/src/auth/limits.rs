//! The limits: each is a [`Limit`], and all but spacing and passwords are rolling windows over the exact times of what they count. There is
//! no fixed window that would allow twice the number at its edge. Where the times are kept and how a race is decided is the store's matter;
//! this decides.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::{COUNTRIES_PER_ADDRESS, MESSAGES_PER_PHONE, STARTS_PER_ADDRESS};
use strum::IntoStaticStr;

/// Attempts to enter the code of one challenge.
pub const ATTEMPTS_PER_CHALLENGE: usize = 5;
/// Between a phone's first code message and its second; it doubles with each further one.
pub const SHORTEST_SPACING: Duration = Duration::from_secs(30);
/// It doubles no further: 32 minutes.
const MOST_DOUBLINGS: u32 = 6;

/// Wrong passwords in a day before the first wait.
const FREE_PASSWORDS: usize = 5;
/// After them comes this wait, and twice as long after each further one (NIST SP 800-63B, rate limiting), up to [`LONGEST_PASSWORD_WAIT`].
const SHORTEST_PASSWORD_WAIT: Duration = Duration::from_secs(30);
const LONGEST_PASSWORD_WAIT: Duration = HOUR;
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Everything that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Limit {
    /// How soon one start for a phone follows another, against impatience and harassment: see [`check_spacing`].
    StartSpacing,
    /// Starts for one phone, each of which may send a code message. Flows without a password share one count, and starts after the right
    /// password have their own, so that a stranger's starts do not shut out an owner who has a password.
    StartsPerDay,
    /// Code messages to a phone that has no user. Further starts still count towards
    /// [`Limit::StartsPerDay`], send nothing, and are answered like the others: a client must not learn by a limit whether there is a user.
    UnconfirmedMessagesPerDay,
    /// Wrong codes for one phone over all challenges of flows without a password: 25 guesses among 1,000,000 codes a day.
    WrongCodes,
    /// Wrong codes for one phone behind its right password. Counted apart, so that a stranger's guesses do not shut out an
    /// owner who has a password.
    WrongCodesAfterPassword,
    /// Wrong passwords for one phone: see [`check_passwords`].
    WrongPasswords,
    /// Wrong passwords for one phone since its last right code (NIST SP 800-63B-4 has 100 as the most in a row).
    WrongPasswordsPerMonth,
    /// Starts from one client network (an address, in settings) whose code has not come back from it; `STARTS_PER_ADDRESS` is how many.
    StartsPerAddress,
    /// Wrong codes from one client network, over all phones: each guess of a sprayer is for another phone.
    WrongCodesPerAddress,
    /// The app's own messages to one phone; `MESSAGES_PER_PHONE` is how many.
    MessagesPerPhone,
    /// Countries that one client network calls; `COUNTRIES_PER_ADDRESS` is how many.
    CountriesPerAddress,
}

impl Limit {
    /// The limits that are the same everywhere: at most this many in any span of this length. Those of addresses and of messages are
    /// settings, so their number here is their default.
    pub const fn rule(self) -> LimitRule {
        let (max, window) = match self {
            Self::StartSpacing => (1, SHORTEST_SPACING),
            Self::StartsPerDay => (10, DAY),
            Self::UnconfirmedMessagesPerDay => (5, DAY),
            Self::CountriesPerAddress => (COUNTRIES_PER_ADDRESS, DAY),
            Self::WrongCodes | Self::WrongCodesAfterPassword | Self::WrongCodesPerAddress => (25, DAY),
            Self::WrongPasswords => (FREE_PASSWORDS, DAY),
            Self::WrongPasswordsPerMonth => (100, MONTH),
            Self::StartsPerAddress => (STARTS_PER_ADDRESS, HOUR),
            Self::MessagesPerPhone => (MESSAGES_PER_PHONE, DAY),
        };
        LimitRule { limit: self, max, window }
    }

    /// Refuses until this long after the last one. For limits whose wait grows each time.
    fn wait(self, last: Timestamp, window: Duration, now: Timestamp) -> Result<(), Limited> {
        let again = last.plus(window);
        if now < again { Err(LimitRule { limit: self, max: 1, window }.until(now, again)) } else { Ok(()) }
    }

    /// For logs, and in the header `RateLimit`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A limit with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRule {
    /// The limit that this is the rule of.
    pub limit: Limit,
    /// At most this many ...
    pub max: usize,
    /// ... in any span of this length.
    pub window: Duration,
}

impl LimitRule {
    /// How many more are allowed now, given the times of what was counted, oldest first.
    pub fn left(self, times: &[Timestamp], now: Timestamp) -> usize {
        self.max.saturating_sub(times.iter().filter(|time| **time > now.minus(self.window)).count())
    }

    /// Whether one more is allowed now.
    ///
    /// # Errors
    /// [`Limited`] says when it will be.
    pub fn check(self, times: &[Timestamp], now: Timestamp) -> Result<(), Limited> {
        if self.left(times, now) > 0 {
            return Ok(());
        }
        Err(self.until(now, times[times.len() - self.max].plus(self.window)))
    }

    /// Removes times that no longer count.
    pub fn prune(self, times: &mut Vec<Timestamp>, now: Timestamp) {
        times.retain(|time| *time > now.minus(self.window));
    }

    /// Limited until this moment.
    pub fn until(self, now: Timestamp, again: Timestamp) -> Limited {
        let millis = u64::try_from(now.until(again).as_millis()).unwrap_or(u64::MAX);
        Limited { rule: self, again, retry_after: millis.div_ceil(1000).max(1) }
    }
}

/// Whether one more code message may follow those at these times of the last day, oldest first: 30 s after the first, then twice as
/// long after each, up to 32 minutes. A right code, which only the phone's owner can enter, ends the wait: whoever has just proven the phone may
/// go on at once.
///
/// # Errors
/// [`Limited`] says when it may.
pub fn check_spacing(times: &[Timestamp], right_code: Option<Timestamp>, now: Timestamp) -> Result<(), Limited> {
    let Some(last) = times.last() else { return Ok(()) };
    let count = times.iter().filter(|time| right_code.is_none_or(|right| **time > right)).count();
    let Some(doublings) = count.checked_sub(1) else { return Ok(()) };
    let doublings = u32::try_from(doublings).unwrap_or(MOST_DOUBLINGS).min(MOST_DOUBLINGS);
    Limit::StartSpacing.wait(*last, SHORTEST_SPACING * (1 << doublings), now)
}

/// Whether one more password may be tried after wrong ones at these times of the last day, oldest first: five are free, then it waits 30 s
/// after the last one, then twice as long after each, up to an hour. So a day holds 35 at most.
///
/// # Errors
/// [`Limited`] says when it may.
pub fn check_passwords(times: &[Timestamp], now: Timestamp) -> Result<(), Limited> {
    let (Some(last), Some(doublings)) = (times.last(), times.len().checked_sub(FREE_PASSWORDS)) else { return Ok(()) };
    let doublings = u32::try_from(doublings).unwrap_or(u32::MAX).min(u32::BITS - 1);
    let wait = SHORTEST_PASSWORD_WAIT.saturating_mul(1 << doublings).min(LONGEST_PASSWORD_WAIT);
    Limit::WrongPasswords.wait(*last, wait, now)
}

/// Refuses if one of these does: by the one that ends last, so that it is worth waiting for.
///
/// # Errors
/// [`Limited`].
pub fn check_all<const N: usize>(checks: [Result<(), Limited>; N]) -> Result<(), Limited> {
    let latest = checks.into_iter().filter_map(Result::err).max_by_key(|limited| limited.retry_after);
    latest.map_or(Ok(()), Err)
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limited by {}", rule.limit.name())]
pub struct Limited {
    /// Which, and its numbers.
    pub rule: LimitRule,
    /// The moment from which on it is worth asking again.
    pub again: Timestamp,
    /// How long that is, in whole seconds, at least 1.
    pub retry_after: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOWS: [Limit; 7] = [
        Limit::StartsPerDay,
        Limit::UnconfirmedMessagesPerDay,
        Limit::WrongCodes,
        Limit::WrongCodesAfterPassword,
        Limit::WrongPasswordsPerMonth,
        Limit::StartsPerAddress,
        Limit::WrongCodesPerAddress,
    ];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn each_limit_trips_and_recovers_at_its_second() {
        for limit in WINDOWS {
            let LimitRule { max, window, .. } = limit.rule();
            let times = vec![at(0); max];
            let window = i64::try_from(window.as_secs()).unwrap();
            assert_eq!(limit.rule().check(&times[1..], at(0)), Ok(()), "{limit:?}: one is left");
            assert_eq!(limit.rule().check(&times, at(0)).unwrap_err().retry_after, window.unsigned_abs(), "{limit:?}");
            assert_eq!(limit.rule().check(&times, at(window - 1)).unwrap_err().retry_after, 1, "{limit:?}");
            assert_eq!(limit.rule().check(&times, at(window)), Ok(()), "{limit:?}");
        }
    }

    #[test]
    fn a_window_rolls_and_has_no_edge_to_use() {
        // Five at the end of one day and five at the start of the next: a fixed window would let them pass.
        let times = [at(86_000), at(86_100), at(86_200), at(86_300), at(86_390)];
        let limited = Limit::UnconfirmedMessagesPerDay.rule().check(&times, at(86_410)).unwrap_err();
        assert_eq!(limited.retry_after, 86_000 + 86_400 - 86_410);
    }

    #[test]
    fn spacing_doubles_from_thirty_seconds_to_thirty_two_minutes_and_recovers_at_its_second() {
        let mut times = Vec::new();
        let mut now = 0;
        assert_eq!(check_spacing(&times, None, at(now)), Ok(()));
        for wait in [30_i64, 60, 120, 240, 480, 960, 1920, 1920, 1920] {
            times.push(at(now));
            assert_eq!(check_spacing(&times, None, at(now)).unwrap_err().retry_after, wait.unsigned_abs());
            assert_eq!(check_spacing(&times, None, at(now + wait - 1)).unwrap_err().retry_after, 1);
            now += wait;
            assert_eq!(check_spacing(&times, None, at(now)), Ok(()), "after {wait} s");
        }
    }

    #[test]
    fn a_right_code_ends_the_wait_and_spacing_begins_anew() {
        let times = [at(0), at(30), at(90), at(210)];
        assert_eq!(check_spacing(&times, None, at(220)).unwrap_err().retry_after, 230);
        assert_eq!(check_spacing(&times, Some(at(215)), at(220)), Ok(()), "none since then");
        assert_eq!(check_spacing(&times, Some(at(100)), at(220)).unwrap_err().retry_after, 20, "one since then");
        assert_eq!(check_spacing(&times, Some(at(50)), at(220)).unwrap_err().retry_after, 50, "two since then");
    }

    #[test]
    fn five_wrong_passwords_are_free_and_then_the_wait_doubles_to_an_hour() {
        let (mut times, mut now) = (vec![at(0); 4], 0);
        assert_eq!(check_passwords(&times, at(0)), Ok(()));
        for wait in [30_i64, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
            times.push(at(now));
            assert_eq!(check_passwords(&times, at(now)).unwrap_err().retry_after, wait.unsigned_abs());
            assert_eq!(check_passwords(&times, at(now + wait - 1)).unwrap_err().retry_after, 1);
            now += wait;
            assert_eq!(check_passwords(&times, at(now)), Ok(()), "after {wait} s");
        }
    }

    proptest! {
        /// At whatever times one asks: no window ever holds more than the rule allows, and a refusal says how long to wait.
        #[test]
        fn no_window_holds_more_than_its_number(steps in prop::collection::vec(0..40_000_000_i64, 1..200)) {
            for limit in WINDOWS {
                let LimitRule { max, window, .. } = limit.rule();
                let (mut now, mut times) = (Timestamp::from_millis(0), Vec::new());
                for step in &steps {
                    now = now.plus(Duration::from_millis(step.unsigned_abs()));
                    if let Err(limited) = limit.rule().check(&times, now) {
                        prop_assert!(limit.rule().check(&times, now.plus(Duration::from_secs(limited.retry_after))).is_ok());
                        prop_assert!(limit.rule().check(&times, now.plus(Duration::from_secs(limited.retry_after - 1))).is_err());
                    } else {
                        times.push(now);
                    }
                    let within = times.iter().filter(|time| **time > now.minus(window)).count();
                    prop_assert!(within <= max);
                }
            }
        }
    }
}
