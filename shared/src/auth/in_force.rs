//! The limits that hold a phone up now, and when each ends: for the operator, who is asked why no code came.

use std::time::Duration;

use phone_number::Country;
use serde::Serialize;

use super::challenge::close_ended;
use super::limits::{Limit, Limited, check_passwords, check_spacing};
use super::{AuthError, circuit_breaker};
use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::spend::kill_switch::SMS;
use crate::spend::pumping::Outcome;
use crate::spend::{SpendRequest, SpendRules};
use crate::store::{DeviceSlot, PhoneRecord, StartState};

/// A limit that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// Its name.
    pub limit: &'static str,
    /// The device that it holds up; without one, everybody who sends no device token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u8>,
    /// Whether it holds up logins after a password; otherwise all other flows.
    pub after_password: bool,
    /// How many there may be.
    pub max: usize,
    /// From then on it holds nobody up.
    pub until: Timestamp,
}

/// All limits of a phone that are reached. `is_confirmed`: whether it has a user.
pub fn in_force(record: &PhoneRecord, is_confirmed: bool, now: Timestamp) -> Vec<InForce> {
    let mut record = record.clone();
    close_ended(&mut record, now);
    let devices: Vec<_> = record.devices.keys().copied().map(Some).collect();
    let mut found = Vec::new();
    for device in std::iter::once(None).chain(devices) {
        for flow in [Flow::Login, Flow::SecondFactor] {
            found.extend(of_flow(&mut record, device, flow, now));
        }
    }
    let unconfirmed = Limit::UnconfirmedMessagesPerDay.rule().check(&record.unconfirmed_sends, now);
    if let (false, Err(limited)) = (is_confirmed, unconfirmed) {
        found.push(InForce::of(&limited, None, Flow::Register));
    }
    found
}

/// What holds up every start of a flow for a country's numbers, or for this number's prefix: its name, and when it ends, if by itself.
pub fn in_force_for_all(
    state: &StartState,
    rules: &SpendRules,
    (flow, country): (Flow, Country),
    now: Timestamp,
) -> Vec<(String, Option<Timestamp>)> {
    let after = |seconds: u64| Some(now.plus(Duration::from_secs(seconds)));
    let code = country.code();
    let concerned = [flow.as_str(), &code, SMS];
    let switches = state.status.kill_switches.0.iter().map(ToString::to_string);
    let mut found: Vec<_> = switches
        .filter(|name| concerned.contains(&name.as_str()))
        .map(|name| (format!("kill switch {name}"), None))
        .collect();
    if let Err(AuthError::SmsDown { retry_after }) = circuit_breaker::check(state.status.failures.as_ref(), now) {
        found.push(("sms_down".to_owned(), after(retry_after)));
    }
    let request = SpendRequest { flow, country: &code, channel: Channel::Sms, segments: 1, now, captcha_passed: false };
    let decision = rules.decide(&request, &state.shards, &state.prefix).decision;
    if let Some(rule) = decision.rule.filter(|_| decision.outcome != Outcome::Send) {
        found.push((rule.as_str().to_owned(), after(decision.retry_after(now))));
    }
    found
}

/// The limits of one kind of flows, for one device or for all others.
fn of_flow(record: &mut PhoneRecord, device: Option<DeviceSlot>, flow: Flow, now: Timestamp) -> Vec<InForce> {
    let verified = record.last_verified;
    let is_after_password = flow == Flow::SecondFactor;
    let limits = record.limits(device);
    let wrong_passwords: Vec<_> = limits.wrong_passwords.iter().map(|(time, _)| *time).collect();
    let counts = limits.counts(flow);
    let wrong_codes = if is_after_password { Limit::WrongCodesAfterPassword } else { Limit::WrongCodes };
    let mut checks = vec![
        check_spacing(&counts.starts, verified, now),
        Limit::StartsPerDay.rule().check(&counts.starts, now),
        wrong_codes.rule().check(&counts.wrong_codes, now),
    ];
    if is_after_password {
        let since = |start| wrong_passwords.iter().copied().filter(|time| *time > start).collect::<Vec<_>>();
        let day = since(now.minus(Limit::WrongPasswords.rule().window));
        let in_a_row = since(verified.unwrap_or(Timestamp::from_millis(i64::MIN)));
        checks.push(check_passwords(&day, now));
        checks.push(Limit::WrongPasswordsPerMonth.rule().check(&in_a_row, now));
    }
    checks.into_iter().filter_map(Result::err).map(|limited| InForce::of(&limited, device, flow)).collect()
}

impl InForce {
    fn of(limited: &Limited, device: Option<DeviceSlot>, flow: Flow) -> Self {
        Self {
            limit: limited.rule.limit.name(),
            device: device.map(DeviceSlot::number),
            after_password: flow == Flow::SecondFactor,
            max: limited.rule.max,
            until: limited.again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Device;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn names(record: &PhoneRecord, is_confirmed: bool, now: i64) -> Vec<(&'static str, i64)> {
        let found = in_force(record, is_confirmed, at(now));
        found.iter().map(|limit| (limit.limit, limit.until.as_millis() / 1000)).collect()
    }

    #[test]
    fn no_limit_is_in_force_where_nothing_was_counted_or_nothing_counts_any_more() {
        assert_eq!(in_force(&PhoneRecord::default(), false, at(0)), []);
        let mut record = PhoneRecord::default();
        record.shared.without_password.starts = vec![at(0); 10];
        record.shared.without_password.wrong_codes = vec![at(0); 25];
        record.unconfirmed_sends = vec![at(0); 5];
        assert_eq!(in_force(&record, false, at(86_400)), []);
    }

    #[test]
    fn each_limit_is_told_with_its_end() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.starts = vec![at(0); 10];
        record.shared.without_password.wrong_codes = vec![at(1); 25];
        record.shared.after_password.wrong_codes = vec![at(2); 25];
        record.shared.wrong_passwords = vec![(at(3), "a".to_owned()); 100];
        record.unconfirmed_sends = vec![at(4); 5];
        let expected = [
            ("start_spacing", 1920),
            ("starts_per_day", 86_400),
            ("wrong_codes", 86_401),
            ("wrong_codes_after_password", 86_402),
            ("wrong_passwords", 3603),
            ("wrong_passwords_per_month", 30 * 86_400 + 3),
        ];
        assert_eq!(names(&record, true, 10), expected);
        assert_eq!(names(&record, false, 10), [&expected[..], &[("unconfirmed_messages_per_day", 86_404)]].concat());
    }

    #[test]
    fn a_device_has_limits_of_its_own_and_keeps_them_when_the_phone_is_unblocked() {
        let (mut record, slot) = (PhoneRecord::default(), DeviceSlot::new(2).unwrap());
        let mut device = Device { id: "home".to_owned(), since: at(0), limits: Default::default() };
        device.limits.without_password.starts = vec![at(0)];
        record.devices.insert(slot, device);
        record.shared.without_password.starts = vec![at(5)];
        record.shared.wrong_passwords = vec![(at(5), "a".to_owned()); 5];
        record.unconfirmed_sends = vec![at(5); 5];
        let devices = |record: &PhoneRecord| -> Vec<_> {
            in_force(record, false, at(6)).iter().map(|limit| (limit.limit, limit.device)).collect()
        };
        assert_eq!(
            devices(&record),
            [
                ("start_spacing", None),
                ("wrong_passwords", None),
                ("start_spacing", Some(2)),
                ("unconfirmed_messages_per_day", None)
            ]
        );
        record.clear_limits();
        assert_eq!(devices(&record), [("start_spacing", Some(2))]);
    }
}
