//! The circuit breaker before Plivo, which all functions share: after a few failures in a row clients are refused at once, and none of
//! their limits are spent, until it is worth another try.

use std::time::Duration;

use super::AuthError;
use crate::clock::Timestamp;
use crate::logging;
use crate::plivo::PlivoError;
use crate::store::{Controls, Failures};

/// This many failures in a row, with no success between, are more than bad luck.
const FAILURE_THRESHOLD: u64 = 3;
/// After the last failure, starts are refused for this long.
const OPEN_FOR: Duration = Duration::from_secs(30);
/// A failure that is older than this says nothing about now. Longer than [`OPEN_FOR`], so that the first try after it counts on.
const MEMORY: Duration = Duration::from_secs(300);

/// Refuses while the circuit is open.
pub(super) fn check(failures: Option<Failures>, now: Timestamp) -> Result<(), AuthError> {
    match failures {
        Some(Failures { failures, last_failure })
            if failures >= FAILURE_THRESHOLD && now < last_failure.plus(OPEN_FOR) =>
        {
            let retry_after = now.until(last_failure.plus(OPEN_FOR)).as_secs().max(1);
            Err(AuthError::SmsDown { retry_after })
        }
        _ => Ok(()),
    }
}

/// Records how a send went, for everybody. Only where every number is sent to: what is recorded at a passwordless login, where some are not,
/// would tell the next client who is a user. What cannot be recorded is logged: the call itself is over.
pub(super) async fn record<T>(
    controls: &Controls,
    known: Option<Failures>,
    outcome: &Result<T, PlivoError>,
    now: Timestamp,
) {
    let has_failed = outcome.as_ref().err().is_some_and(PlivoError::concerns_everybody);
    let recorded = match known {
        _ if has_failed => controls.record_failure(failures_before(known, now) + 1, now).await,
        // An answer, if only a refusal of this one message, shows that Plivo is there.
        Some(_) => controls.record_success().await,
        None => Ok(()),
    };
    if let Err(error) = recorded {
        tracing::warn!(cause = logging::chain(&error), "Plivo's state is not recorded");
    }
}

fn failures_before(known: Option<Failures>, now: Timestamp) -> u64 {
    known.filter(|known| now < known.last_failure.plus(MEMORY)).map_or(0, |known| known.failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_failures_are_forgotten() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let known = Some(Failures { failures: 3, last_failure: at(100) });
        assert_eq!(failures_before(None, at(100)), 0);
        assert_eq!(failures_before(known, at(131)), 3, "the first try after the pause");
        assert_eq!(failures_before(known, at(400)), 0);
    }

    #[test]
    fn a_few_failures_open_the_circuit_for_a_while() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let provider = |failures| Some(Failures { failures, last_failure: at(100) });
        assert!(check(None, at(100)).is_ok());
        assert!(check(provider(2), at(100)).is_ok());
        let refused = check(provider(3), at(101)).unwrap_err();
        assert!(matches!(refused, AuthError::SmsDown { retry_after: 29 }), "{refused:?}");
        assert!(check(provider(9), at(130)).is_ok(), "then one may try again");
    }
}
