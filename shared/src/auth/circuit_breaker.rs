//! The circuit breaker before Plivo, which all functions share: after a few failures in a row clients are refused at once, and none of
//! their limits are spent, until it is worth another try.
//!
//! Some failures may be of one number alone, such as a 500. They open the circuit only if they come from numbers of several prefixes: otherwise
//! whoever knows one number at which Plivo fails could stop everybody.

use std::collections::BTreeSet;
use std::time::Duration;

use super::AuthError;
use crate::clock::Timestamp;
use crate::logging;
use crate::plivo::PlivoError;
use crate::store::{Controls, Failures};

/// This many failures in a row, with no success between, are more than bad luck; or failures at this many prefixes.
const FAILURE_THRESHOLD: u64 = 3;
/// After the last failure, starts are refused for this long.
const OPEN_FOR: Duration = Duration::from_secs(30);
/// A failure that is older than this says nothing about now. Longer than [`OPEN_FOR`], so that the first try after it counts on.
const MEMORY: Duration = Duration::from_secs(300);

/// Refuses while the circuit is open.
pub(super) fn check(failures: Option<&Failures>, now: Timestamp) -> Result<(), AuthError> {
    let Some(Failures { failures, prefixes, last_failure }) = failures else { return Ok(()) };
    let is_down = (*failures).max(prefixes.len() as u64) >= FAILURE_THRESHOLD;
    let until = last_failure.plus(OPEN_FOR);
    if is_down && now < until {
        return Err(AuthError::SmsDown { retry_after: now.until(until).as_secs().max(1) });
    }
    Ok(())
}

/// Records how a send went, for everybody. Only where every number is sent to: what is recorded at a passwordless login, where some are not,
/// would tell the next client who is a user. What cannot be recorded is logged: the call itself is over.
pub(super) async fn record<T>(
    controls: &Controls,
    known: Option<&Failures>,
    prefix: String,
    outcome: &Result<T, PlivoError>,
    now: Timestamp,
) {
    let recorded = match (after(known, prefix, outcome.as_ref().err(), now), known) {
        (Some(failures), _) => controls.record_failures(failures).await,
        // An answer, if only a refusal of this one message, shows that Plivo is there.
        (None, Some(_)) => controls.record_success().await,
        (None, None) => Ok(()),
    };
    if let Err(error) = recorded {
        tracing::warn!(cause = logging::chain(&error), "Plivo's state is not recorded");
    }
}

/// The failures after this outcome; `None` when Plivo has not failed.
fn after(known: Option<&Failures>, prefix: String, error: Option<&PlivoError>, now: Timestamp) -> Option<Failures> {
    let error = error.filter(|error| error.concerns_everybody() || error.may_concern_everybody())?;
    let recent = known.filter(|known| now < known.last_failure.plus(MEMORY)).cloned();
    let none = Failures { failures: 0, prefixes: BTreeSet::new(), last_failure: now };
    let mut failures = Failures { last_failure: now, ..recent.unwrap_or(none) };
    if error.concerns_everybody() {
        failures.failures += 1;
    } else if (failures.prefixes.len() as u64) < FAILURE_THRESHOLD {
        failures.prefixes.insert(prefix);
    }
    Some(failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// After failures at numbers of these prefixes, one a second.
    fn fail(known: Option<Failures>, error: &PlivoError, prefixes: &[&str], start: i64) -> Option<Failures> {
        prefixes
            .iter()
            .zip(start..)
            .fold(known, |known, (prefix, second)| after(known.as_ref(), (*prefix).to_owned(), Some(error), at(second)))
    }

    #[test]
    fn old_failures_are_forgotten() {
        let error = PlivoError::Credentials;
        let known = fail(None, &error, &["a", "a", "a"], 98);
        assert_eq!(fail(known.clone(), &error, &["a"], 131).unwrap().failures, 4, "the first try after the pause");
        assert_eq!(fail(known, &error, &["a"], 400).unwrap().failures, 1);
    }

    #[test]
    fn a_few_failures_open_the_circuit_for_a_while() {
        for error in [PlivoError::Credentials, PlivoError::Credit, PlivoError::Unavailable(503)] {
            assert!(check(fail(None, &error, &["a", "a"], 99).as_ref(), at(100)).is_ok());
            let failures = fail(None, &error, &["a", "a", "a"], 98);
            let refused = check(failures.as_ref(), at(101)).unwrap_err();
            assert!(matches!(refused, AuthError::SmsDown { retry_after: 29 }), "{refused:?}");
            assert!(check(failures.as_ref(), at(130)).is_ok(), "then one may try again");
        }
        assert!(check(None, at(100)).is_ok());
    }

    /// Found by a review: three 500s for one destination stopped everybody, and one request per pause kept it so.
    #[test]
    fn failures_at_one_number_s_prefix_stop_nobody_and_at_three_prefixes_everybody() {
        for error in [PlivoError::Unavailable(500), PlivoError::Unavailable(502), PlivoError::Unreadable] {
            let one = fail(None, &error, &["a"; 50], 0);
            assert!(check(one.as_ref(), at(49)).is_ok());
            let two = fail(one, &error, &["b"; 50], 50);
            assert!(check(two.as_ref(), at(99)).is_ok());
            assert!(check(fail(two, &error, &["c"], 100).as_ref(), at(100)).is_err());
        }
        for error in [PlivoError::Throttled, PlivoError::Rejected(String::new()), PlivoError::Forbidden(String::new())]
        {
            assert_eq!(fail(None, &error, &["a", "b", "c"], 0), None);
        }
    }
}
