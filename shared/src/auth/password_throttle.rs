//! How often a password may be tried: pure decisions on a record that the store then writes on condition that nobody else has written it.
//!
//! An attempt is counted as wrong before the password is compared, and uncounted if it was right. Networks from which a right code has come
//! are known: each has its own five free attempts and its own wait. All others share those of the phone. So a stranger's attempts make
//! strangers wait, and never the owner in a known network. A right password clears only the attempts from its own network.

use super::limits::{Limit, Limited, MAX_WRONG_PASSWORDS_IN_A_ROW, check_passwords};
use crate::clock::Timestamp;
use crate::store::PhoneRecord;

/// Counts an attempt from this network.
pub(super) fn count(record: &mut PhoneRecord, network: &str, now: Timestamp) -> Result<(), Limited> {
    let day = Limit::WrongPasswords.rule();
    record.wrong_passwords.retain(|(time, _)| *time > now.minus(day.window));
    let is_known = record.known_networks.contains_key(network);
    let is_shared = |from: &str| !record.known_networks.contains_key(from);
    let counts = |from: &str| if is_known { from == network } else { is_shared(from) };
    let times: Vec<_> = record.wrong_passwords.iter().filter(|(_, from)| counts(from)).map(|(time, _)| *time).collect();
    check_passwords(&times, now)?;
    if !is_known {
        if record.wrong_passwords_in_a_row >= MAX_WRONG_PASSWORDS_IN_A_ROW {
            return Err(day.until(now, now.plus(day.window)));
        }
        record.wrong_passwords_in_a_row += 1;
    }
    record.wrong_passwords.push((now, network.to_owned()));
    Ok(())
}

/// Clears the attempts from a network whose password was right.
pub(super) fn forgive(record: &mut PhoneRecord, network: &str) {
    let before = record.wrong_passwords.len();
    record.wrong_passwords.retain(|(_, from)| from != network);
    if !record.known_networks.contains_key(network) {
        let forgiven = u32::try_from(before - record.wrong_passwords.len()).unwrap_or(u32::MAX);
        record.wrong_passwords_in_a_row = record.wrong_passwords_in_a_row.saturating_sub(forgiven);
    }
}

/// Uncounts an attempt whose password was not compared after all.
pub(super) fn rollback(record: &mut PhoneRecord, network: &str, tried: Timestamp) {
    let is_it = |(time, from): &(Timestamp, String)| *time == tried && from == network;
    if let Some(position) = record.wrong_passwords.iter().position(is_it) {
        record.wrong_passwords.remove(position);
        if !record.known_networks.contains_key(network) {
            record.wrong_passwords_in_a_row = record.wrong_passwords_in_a_row.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_stranger_s_passwords_make_strangers_wait_and_not_the_owner() {
        let mut record = PhoneRecord::default();
        record.known_networks.insert("home".into(), at(0));
        for stranger in 0..5 {
            count(&mut record, &format!("stranger {stranger}"), at(10)).unwrap();
        }
        let limited = count(&mut record, "another stranger", at(10)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongPasswords, 30));
        for _ in 0..5 {
            count(&mut record, "home", at(10)).unwrap();
        }
        assert_eq!(count(&mut record, "home", at(10)).unwrap_err().retry_after, 30, "a guest at home");
    }

    #[test]
    fn a_right_password_forgives_its_own_network_only() {
        let mut record = PhoneRecord::default();
        for network in ["a", "a", "b", "b", "b"] {
            count(&mut record, network, at(0)).unwrap();
        }
        forgive(&mut record, "a");
        assert_eq!((record.wrong_passwords.len(), record.wrong_passwords_in_a_row), (3, 3));
    }

    #[test]
    fn a_password_that_was_not_compared_is_rolled_back_alone() {
        let mut record = PhoneRecord::default();
        record.known_networks.insert("home".into(), at(0));
        for (network, second) in [("a", 0), ("a", 1), ("b", 1), ("home", 1)] {
            count(&mut record, network, at(second)).unwrap();
        }
        rollback(&mut record, "a", at(1));
        assert_eq!((record.wrong_passwords.len(), record.wrong_passwords_in_a_row), (3, 2));
        rollback(&mut record, "a", at(1));
        assert_eq!((record.wrong_passwords.len(), record.wrong_passwords_in_a_row), (3, 2), "once");
        rollback(&mut record, "home", at(1));
        assert_eq!((record.wrong_passwords.len(), record.wrong_passwords_in_a_row), (2, 2));
    }

    #[test]
    fn after_a_hundred_in_a_row_a_stranger_waits_for_a_right_code() {
        let mut record = PhoneRecord::default();
        record.wrong_passwords_in_a_row = 99;
        record.known_networks.insert("home".into(), at(0));
        count(&mut record, "stranger", at(0)).unwrap();
        assert!(count(&mut record, "stranger", at(200_000)).is_err());
        count(&mut record, "home", at(200_000)).unwrap();
        record.wrong_passwords_in_a_row = 0; // as a right code makes it
        count(&mut record, "stranger", at(200_000)).unwrap();
    }
}
