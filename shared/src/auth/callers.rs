//! What is decided about who asks: how much one network may start, and how often a password may be tried. Pure decisions on records that the
//! store then writes on condition that nobody else did. Uses `limits`, `store`'s records.
//!
//! **Passwords.** A try is counted before it is compared, as if it were wrong, and no longer once it was right. Networks from which a right code
//! came before are known: each has its own five free tries and its own wait. All others share the phone's. So a stranger's tries make
//! strangers wait, and never the owner where he usually is. A right password forgets only what came from its own network.

use super::limits::{Limit, Limited, PASSWORDS_IN_A_ROW, Rule, check_passwords};
use crate::clock::Timestamp;
use crate::settings::Settings;
use crate::store::{AddressRecord, PhoneRecord};

/// Counts a start that this network makes for a phone in this country.
pub(super) fn count_start(
    record: &mut AddressRecord,
    country: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Limited> {
    let starts = Rule { most: settings.starts_per_address, ..Limit::StartsPerAddress.rule() };
    let countries = Rule { most: settings.countries_per_address, ..Limit::CountriesPerAddress.rule() };
    starts.forget(&mut record.starts, now);
    record.countries.retain(|_, time| *time > now.minus(countries.window));
    starts.check(&record.starts, now)?;
    if !record.countries.contains_key(country) {
        let mut times: Vec<_> = record.countries.values().copied().collect();
        times.sort_unstable();
        countries.check(&times, now)?;
    }
    record.starts.push(now);
    record.countries.insert(country.to_owned(), now);
    Ok(())
}

/// Counts a password that this network tries.
pub(super) fn count_password(record: &mut PhoneRecord, network: &str, now: Timestamp) -> Result<(), Limited> {
    let day = Limit::WrongPasswords.rule();
    record.wrong_passwords.retain(|(time, _)| *time > now.minus(day.window));
    let is_known = record.networks.contains_key(network);
    let shared = |from: &str| !record.networks.contains_key(from);
    let counts = |from: &str| if is_known { from == network } else { shared(from) };
    let times: Vec<_> = record.wrong_passwords.iter().filter(|(_, from)| counts(from)).map(|(time, _)| *time).collect();
    check_passwords(&times, now)?;
    if !is_known {
        if record.passwords_in_a_row >= PASSWORDS_IN_A_ROW {
            return Err(day.until(now, now.plus(day.window)));
        }
        record.passwords_in_a_row += 1;
    }
    record.wrong_passwords.push((now, network.to_owned()));
    Ok(())
}

/// Forgets the tries of a network whose password was right.
pub(super) fn forgive_passwords(record: &mut PhoneRecord, network: &str) {
    let before = record.wrong_passwords.len();
    record.wrong_passwords.retain(|(_, from)| from != network);
    if !record.networks.contains_key(network) {
        let forgiven = u32::try_from(before - record.wrong_passwords.len()).unwrap_or(u32::MAX);
        record.passwords_in_a_row = record.passwords_in_a_row.saturating_sub(forgiven);
    }
}

/// A password that was not compared after all was no try.
pub(super) fn take_back_password(record: &mut PhoneRecord, network: &str, tried: Timestamp) {
    let is_it = |(time, from): &(Timestamp, String)| *time == tried && from == network;
    if let Some(place) = record.wrong_passwords.iter().position(is_it) {
        record.wrong_passwords.remove(place);
        if !record.networks.contains_key(network) {
            record.passwords_in_a_row = record.passwords_in_a_row.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn settings() -> Settings {
        let lookup = |name: &str| match name {
            "APP_ID" | "API_KEY" => Some("test".to_owned()),
            "PLIVO_SENDER" => Some("Otpost".to_owned()),
            name => crate::settings::RESOURCE_NAMES.contains(&name).then(|| "any".to_owned()),
        };
        Settings::from_lookup(&lookup).unwrap()
    }

    #[test]
    fn the_twenty_first_start_of_an_hour_waits_until_the_first_is_an_hour_old() {
        let (settings, mut record) = (settings(), AddressRecord::default());
        for second in 0..20 {
            count_start(&mut record, "US", &settings, at(second)).unwrap();
        }
        let limited = count_start(&mut record, "US", &settings, at(20)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.rule.most, limited.retry_after), (Limit::StartsPerAddress, 20, 3580));
        assert!(count_start(&mut record, "US", &settings, at(3599)).is_err());
        count_start(&mut record, "US", &settings, at(3600)).unwrap();
    }

    #[test]
    fn a_sixth_country_in_a_day_is_refused_and_the_five_are_not() {
        let (settings, mut record) = (settings(), AddressRecord::default());
        for (place, country) in ["US", "CA", "DE", "FR", "GB"].into_iter().enumerate() {
            count_start(&mut record, country, &settings, at(i64::try_from(place).unwrap() * 10)).unwrap();
        }
        let limited = count_start(&mut record, "IT", &settings, at(100)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CountriesPerAddress, 86_300));
        count_start(&mut record, "GB", &settings, at(100)).unwrap();
        count_start(&mut record, "IT", &settings, at(86_400)).unwrap();
    }

    #[test]
    fn a_stranger_s_passwords_make_strangers_wait_and_not_the_owner() {
        let mut record = PhoneRecord::default();
        record.networks.insert("home".into(), at(0));
        for stranger in 0..5 {
            count_password(&mut record, &format!("stranger {stranger}"), at(10)).unwrap();
        }
        let limited = count_password(&mut record, "another stranger", at(10)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongPasswords, 30));
        for _ in 0..5 {
            count_password(&mut record, "home", at(10)).unwrap();
        }
        assert_eq!(count_password(&mut record, "home", at(10)).unwrap_err().retry_after, 30, "a guest at home");
    }

    #[test]
    fn a_right_password_forgives_its_own_network_only() {
        let mut record = PhoneRecord::default();
        for network in ["a", "a", "b", "b", "b"] {
            count_password(&mut record, network, at(0)).unwrap();
        }
        forgive_passwords(&mut record, "a");
        assert_eq!((record.wrong_passwords.len(), record.passwords_in_a_row), (3, 3));
    }

    #[test]
    fn a_password_that_was_not_compared_takes_back_itself_only() {
        let mut record = PhoneRecord::default();
        record.networks.insert("home".into(), at(0));
        for (network, second) in [("a", 0), ("a", 1), ("b", 1), ("home", 1)] {
            count_password(&mut record, network, at(second)).unwrap();
        }
        take_back_password(&mut record, "a", at(1));
        assert_eq!((record.wrong_passwords.len(), record.passwords_in_a_row), (3, 2));
        take_back_password(&mut record, "a", at(1));
        assert_eq!((record.wrong_passwords.len(), record.passwords_in_a_row), (3, 2), "once");
        take_back_password(&mut record, "home", at(1));
        assert_eq!((record.wrong_passwords.len(), record.passwords_in_a_row), (2, 2));
    }

    #[test]
    fn after_a_hundred_in_a_row_a_stranger_waits_for_a_right_code() {
        let mut record = PhoneRecord::default();
        record.passwords_in_a_row = 99;
        record.networks.insert("home".into(), at(0));
        count_password(&mut record, "stranger", at(0)).unwrap();
        assert!(count_password(&mut record, "stranger", at(200_000)).is_err());
        count_password(&mut record, "home", at(200_000)).unwrap();
        record.passwords_in_a_row = 0; // as a right code makes it
        count_password(&mut record, "stranger", at(200_000)).unwrap();
    }
}
