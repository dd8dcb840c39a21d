//! How much one client network may start, and how many wrong codes may come from it. Pure decisions on a record that the store then writes on
//! condition that nobody else did.
//!
//! A start whose code comes back from the same network counts no longer, nor do the wrong codes for that phone: so an office or a carrier
//! behind one address is not refused for logging in.

use super::limits::{self, Limit, LimitRule, Limited};
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::store::{ClientRecord, PhoneTag};

/// Counts a start that this client makes for a phone in this country.
pub(super) fn count_start(
    record: &mut ClientRecord,
    phone: PhoneTag,
    country: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Limited> {
    let starts = LimitRule { max: settings.starts_per_address, ..Limit::StartsPerAddress.rule() };
    let countries = LimitRule { max: settings.countries_per_address, ..Limit::CountriesPerAddress.rule() };
    prune(record, now);
    let mut others: Vec<_> =
        record.countries.iter().filter(|(known, _)| *known != country).map(|(_, time)| *time).collect();
    others.sort_unstable();
    let is_new = others.len() == record.countries.len();
    let country_allowed = if is_new { countries.check(&others, now) } else { Ok(()) };
    limits::check_all([starts.check(&times(&record.starts), now), country_allowed])?;
    record.starts.push((now, phone));
    record.countries.insert(country.to_owned(), now);
    Ok(())
}

/// Counts a code that this client enters as a wrong one, before it is compared.
pub(super) fn count_code(record: &mut ClientRecord, phone: PhoneTag, now: Timestamp) -> Result<(), Limited> {
    prune(record, now);
    Limit::WrongCodesPerAddress.rule().check(&times(&record.wrong_codes), now)?;
    record.wrong_codes.push((now, phone));
    Ok(())
}

/// Uncounts the starts and the wrong codes of phones for which a right code has come.
pub(super) fn forgive(record: &mut ClientRecord, phones: &[PhoneTag]) {
    record.starts.retain(|(_, phone)| !phones.contains(phone));
    record.wrong_codes.retain(|(_, phone)| !phones.contains(phone));
}

/// When the record may expire: when nothing in it counts any more.
pub(super) fn expires(now: Timestamp) -> Timestamp {
    now.plus(Limit::CountriesPerAddress.rule().window)
}

fn prune(record: &mut ClientRecord, now: Timestamp) {
    let [start, code, country] = [Limit::StartsPerAddress, Limit::WrongCodesPerAddress, Limit::CountriesPerAddress]
        .map(|limit| now.minus(limit.rule().window));
    record.starts.retain(|(time, _)| *time > start);
    record.wrong_codes.retain(|(time, _)| *time > code);
    record.countries.retain(|_, time| *time > country);
}

fn times(counted: &[(Timestamp, PhoneTag)]) -> Vec<Timestamp> {
    counted.iter().map(|(time, _)| *time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PhoneKey;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn phone(number: u8) -> PhoneTag {
        PhoneKey([number; 8]).into()
    }

    fn settings() -> Settings {
        let lookup = |name: &str| match name {
            "APP_ID" | "API_KEY" => Some("test".to_owned()),
            "PLIVO_SENDER" => Some("Otpost".to_owned()),
            name => crate::config::RESOURCE_NAMES.contains(&name).then(|| "any".to_owned()),
        };
        Settings::from_lookup(&lookup).unwrap()
    }

    #[test]
    fn the_twenty_first_start_of_an_hour_waits_until_the_first_is_an_hour_old() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for second in 0..20 {
            count_start(&mut record, phone(1), "US", &settings, at(second)).unwrap();
        }
        let limited = count_start(&mut record, phone(1), "US", &settings, at(20)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.rule.max, limited.retry_after), (Limit::StartsPerAddress, 20, 3580));
        assert!(count_start(&mut record, phone(1), "US", &settings, at(3599)).is_err());
        count_start(&mut record, phone(1), "US", &settings, at(3600)).unwrap();
    }

    #[test]
    fn a_sixth_country_in_a_day_is_refused_and_the_five_are_not() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for (place, country) in ["US", "CA", "DE", "FR", "GB"].into_iter().enumerate() {
            count_start(&mut record, phone(1), country, &settings, at(i64::try_from(place).unwrap() * 10)).unwrap();
        }
        let limited = count_start(&mut record, phone(1), "IT", &settings, at(100)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CountriesPerAddress, 86_300));
        count_start(&mut record, phone(1), "GB", &settings, at(100)).unwrap();
        count_start(&mut record, phone(1), "IT", &settings, at(86_400)).unwrap();
    }

    #[test]
    fn of_two_limits_the_later_end_is_told() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for number in 0..20 {
            let country = ["US", "CA", "DE", "FR", "GB"][number % 5];
            count_start(&mut record, phone(1), country, &settings, at(0)).unwrap();
        }
        let limited = count_start(&mut record, phone(1), "IT", &settings, at(0)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CountriesPerAddress, 86_400));
    }

    #[test]
    fn twenty_five_wrong_codes_end_a_network_s_day_whatever_the_phones() {
        let mut record = ClientRecord::default();
        for number in 0..25 {
            count_code(&mut record, phone(number), at(i64::from(number))).unwrap();
        }
        let limited = count_code(&mut record, phone(99), at(100)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongCodesPerAddress, 86_300));
        count_code(&mut record, phone(99), at(86_400)).unwrap();
    }

    #[test]
    fn a_right_code_takes_its_phone_out_and_no_other() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for number in [1, 1, 2] {
            count_start(&mut record, phone(number), "US", &settings, at(0)).unwrap();
            count_code(&mut record, phone(number), at(1)).unwrap();
        }
        forgive(&mut record, &[phone(1)]);
        assert_eq!((record.starts, record.wrong_codes), (vec![(at(0), phone(2))], vec![(at(1), phone(2))]));
    }
}
