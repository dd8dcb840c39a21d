//! Whether Plivo is down, as all functions know it together: after a few failures in a row callers are told at once, and none of
//! their limits are spent, until it is worth a try again. Uses `store`, `plivo`.

use std::time::Duration;

use super::AuthError;
use crate::clock::Timestamp;
use crate::logging;
use crate::plivo::PlivoError;
use crate::service::Service;
use crate::store::Provider;

/// This many failures in a row, with no success between, are more than bad luck.
const FAILURES: u64 = 3;
/// After the last failure, for so long nobody tries.
const PAUSE: Duration = Duration::from_secs(30);
/// A failure that is older than this says nothing about today. Longer than the pause, so that the first try after it counts on.
const MEMORY: Duration = Duration::from_secs(300);

/// Refuses while Plivo is known to be down.
pub(super) fn check(provider: Option<Provider>, now: Timestamp) -> Result<(), AuthError> {
    match provider {
        Some(Provider { failures, last_failure }) if failures >= FAILURES && now < last_failure.plus(PAUSE) => {
            let wait = now.until(last_failure.plus(PAUSE)).as_secs().max(1);
            Err(AuthError::SmsDown { retry_after: wait })
        }
        _ => Ok(()),
    }
}

/// Notes how a send went, for everybody. Only where every number is sent to: what is noted at a passwordless login, where some are
/// not, would tell the next caller who is a user. What cannot be noted is logged: the call itself is over.
pub(super) async fn note<T>(
    service: &Service,
    known: Option<Provider>,
    outcome: &Result<T, PlivoError>,
    now: Timestamp,
) {
    let failed = outcome.as_ref().err().is_some_and(PlivoError::concerns_everybody);
    let noted = match known {
        _ if failed => service.controls.provider_failed(failures_before(known, now) + 1, now).await,
        // An answer, if only a refusal of this one message, shows that Plivo is there.
        Some(_) => service.controls.provider_recovered().await,
        None => Ok(()),
    };
    if let Err(error) = noted {
        tracing::warn!(cause = logging::chain(&error), "Plivo's state not noted");
    }
}

fn failures_before(known: Option<Provider>, now: Timestamp) -> u64 {
    known.filter(|known| now < known.last_failure.plus(MEMORY)).map_or(0, |known| known.failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_failures_are_forgotten() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let known = Some(Provider { failures: 3, last_failure: at(100) });
        assert_eq!(failures_before(None, at(100)), 0);
        assert_eq!(failures_before(known, at(131)), 3, "the first try after the pause");
        assert_eq!(failures_before(known, at(400)), 0);
    }

    #[test]
    fn a_few_failures_stop_everybody_for_a_while() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let provider = |failures| Some(Provider { failures, last_failure: at(100) });
        assert!(check(None, at(100)).is_ok());
        assert!(check(provider(2), at(100)).is_ok());
        let refused = check(provider(3), at(101)).unwrap_err();
        assert!(matches!(refused, AuthError::SmsDown { retry_after: 29 }), "{refused:?}");
        assert!(check(provider(9), at(130)).is_ok(), "then one may try again");
    }
}
