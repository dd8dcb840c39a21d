//! What refuses a start before anything is written: kill switches, the circuit breaker, the phone's limits.

use super::challenge::{self, Admitted, ChallengeRequest};
use super::{AuthError, circuit_breaker};
use crate::flow::Flow;
use crate::spend::kill_switch;
use crate::store::{Challenge, PhoneRecord, ServiceStatus};
use phone_number::Country;

/// Refuses what the operator has switched off.
pub(super) fn check_kill_switches(status: &ServiceStatus, flow: Flow, country: Country) -> Result<(), AuthError> {
    let is_off = status.kill_switches.stop(flow.as_str(), country, kill_switch::SMS);
    if is_off { Err(AuthError::SwitchedOff) } else { Ok(()) }
}

/// Refuses while Plivo is down, and by the phone's limits, as they were read. Changes nothing. A test number does not need Plivo.
pub(super) fn admit_start(
    status: &ServiceStatus,
    phone: &PhoneRecord,
    request: &ChallengeRequest<'_>,
    is_usable: impl Fn(&Challenge) -> bool,
) -> Result<Admitted, AuthError> {
    if !request.test {
        circuit_breaker::check(status.failures.as_ref(), request.now)?;
    }
    Ok(challenge::check_phone_limits(&mut phone.clone(), request, is_usable)?)
}
