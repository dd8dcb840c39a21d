//! How often a password may be tried: pure decisions on a record that the store then writes on condition that nobody else has written it.
//!
//! An attempt is counted as wrong before the password is compared, and uncounted if it was right. A device that sent its token has its own
//! count; everybody else shares the phone's. So a stranger's attempts make strangers wait, and never the owner on a device. A right password
//! clears only the attempts of its own device, or those from its own network.

use super::limits::{self, Limit, Limited, check_passwords};
use crate::clock::Timestamp;
use crate::store::{DeviceSlot, PhoneRecord};

/// Who tries a password.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guesser<'a> {
    pub device: Option<DeviceSlot>,
    /// A keyed hash.
    pub network: &'a str,
}

/// Counts an attempt.
pub(super) fn count(record: &mut PhoneRecord, guesser: Guesser<'_>, now: Timestamp) -> Result<(), Limited> {
    let (day, month) = (Limit::WrongPasswords.rule(), Limit::WrongPasswordsPerMonth.rule());
    let verified = record.last_verified;
    let wrong = &mut record.limits(guesser.device).wrong_passwords;
    wrong.retain(|(time, _)| *time > now.minus(month.window));
    let since = |start: Timestamp| wrong.iter().map(|(time, _)| *time).filter(|time| *time > start).collect::<Vec<_>>();
    // A right code, which only the owner can enter, ends the row of wrong ones.
    let in_a_row = since(verified.unwrap_or(Timestamp::from_millis(i64::MIN)));
    limits::check_all([check_passwords(&since(now.minus(day.window)), now), month.check(&in_a_row, now)])?;
    wrong.push((now, guesser.network.to_owned()));
    Ok(())
}

/// Clears the attempts of a device whose password was right, or from the network that it came from.
pub(super) fn forgive(record: &mut PhoneRecord, guesser: Guesser<'_>) {
    let is_known = guesser.device.is_some();
    record.limits(guesser.device).wrong_passwords.retain(|(_, from)| !is_known && from != guesser.network);
}

/// Uncounts an attempt whose password was not compared after all.
pub(super) fn rollback(record: &mut PhoneRecord, guesser: Guesser<'_>, tried: Timestamp) {
    let wrong = &mut record.limits(guesser.device).wrong_passwords;
    if let Some(position) = wrong.iter().position(|(time, from)| *time == tried && from == guesser.network) {
        wrong.remove(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Device;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn stranger(network: &str) -> Guesser<'_> {
        Guesser { device: None, network }
    }

    /// A phone with one device, and the owner on it, behind the same address as everybody else.
    fn with_device() -> (PhoneRecord, Guesser<'static>) {
        let (mut record, slot) = (PhoneRecord::default(), DeviceSlot::new(1).unwrap());
        record.devices.insert(slot, Device { id: "phone".into(), since: at(0), limits: Default::default() });
        (record, Guesser { device: Some(slot), network: "a" })
    }

    #[test]
    fn a_stranger_s_passwords_make_strangers_wait_and_not_the_owner_on_a_device() {
        let (mut record, owner) = with_device();
        for _ in 0..5 {
            count(&mut record, stranger("a"), at(10)).unwrap();
        }
        let limited = count(&mut record, stranger("b"), at(10)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongPasswords, 30));
        for _ in 0..5 {
            count(&mut record, owner, at(10)).unwrap();
        }
        assert_eq!(count(&mut record, owner, at(10)).unwrap_err().retry_after, 30, "a stolen device waits, too");
    }

    #[test]
    fn a_right_password_forgives_its_own_network_or_device_only() {
        let (mut record, owner) = with_device();
        for guesser in [stranger("a"), stranger("a"), stranger("b"), owner, owner] {
            count(&mut record, guesser, at(0)).unwrap();
        }
        forgive(&mut record, stranger("a"));
        assert_eq!(record.shared.wrong_passwords, [(at(0), "b".to_owned())]);
        assert_eq!(record.limits(owner.device).wrong_passwords.len(), 2);
        forgive(&mut record, owner);
        assert_eq!((record.limits(owner.device).wrong_passwords.len(), record.shared.wrong_passwords.len()), (0, 1));
    }

    #[test]
    fn a_password_that_was_not_compared_is_rolled_back_alone() {
        let (mut record, owner) = with_device();
        for (guesser, second) in [(stranger("a"), 0), (stranger("a"), 1), (stranger("b"), 1), (owner, 1)] {
            count(&mut record, guesser, at(second)).unwrap();
        }
        for _ in 0..2 {
            rollback(&mut record, stranger("a"), at(1));
            assert_eq!(record.shared.wrong_passwords, [(at(0), "a".to_owned()), (at(1), "b".to_owned())], "once");
        }
        rollback(&mut record, owner, at(1));
        assert_eq!((record.limits(owner.device).wrong_passwords.len(), record.shared.wrong_passwords.len()), (0, 2));
    }

    /// Strangers who try for four days: the hundred end with the month in which they were tried, or with a right code.
    #[test]
    fn after_a_hundred_in_a_month_a_stranger_waits_for_the_first_to_be_a_month_old_or_for_a_right_code() {
        const MONTH: i64 = 30 * 86_400;
        let (mut record, owner) = with_device();
        record.shared.wrong_passwords = (0..100).map(|number| (at(number * 3600), "a".to_owned())).collect();
        let now = 5 * 86_400;
        let limited = count(&mut record, stranger("b"), at(now)).unwrap_err();
        assert_eq!(limited.rule.limit, Limit::WrongPasswordsPerMonth);
        assert_eq!(limited.retry_after, u64::try_from(MONTH - now).unwrap(), "and that is true:");
        assert!(count(&mut record, stranger("b"), at(MONTH - 1)).is_err());
        count(&mut record.clone(), stranger("b"), at(MONTH)).unwrap();
        count(&mut record, owner, at(now)).unwrap();
        record.last_verified = Some(at(now));
        count(&mut record, stranger("b"), at(now + 1)).unwrap();
    }
}
