//! How much one client network may start. Pure decisions on a record that the store then writes on condition that nobody else did.

use super::limits::{Limit, LimitRule, Limited};
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::store::ClientRecord;

/// Counts a start that this client makes for a phone in this country.
pub(super) fn count_start(
    record: &mut ClientRecord,
    country: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Limited> {
    let starts = LimitRule { max: settings.starts_per_address, ..Limit::StartsPerAddress.rule() };
    let countries = LimitRule { max: settings.countries_per_address, ..Limit::CountriesPerAddress.rule() };
    starts.prune(&mut record.starts, now);
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
            name => crate::config::RESOURCE_NAMES.contains(&name).then(|| "any".to_owned()),
        };
        Settings::from_lookup(&lookup).unwrap()
    }

    #[test]
    fn the_twenty_first_start_of_an_hour_waits_until_the_first_is_an_hour_old() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for second in 0..20 {
            count_start(&mut record, "US", &settings, at(second)).unwrap();
        }
        let limited = count_start(&mut record, "US", &settings, at(20)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.rule.max, limited.retry_after), (Limit::StartsPerAddress, 20, 3580));
        assert!(count_start(&mut record, "US", &settings, at(3599)).is_err());
        count_start(&mut record, "US", &settings, at(3600)).unwrap();
    }

    #[test]
    fn a_sixth_country_in_a_day_is_refused_and_the_five_are_not() {
        let (settings, mut record) = (settings(), ClientRecord::default());
        for (place, country) in ["US", "CA", "DE", "FR", "GB"].into_iter().enumerate() {
            count_start(&mut record, country, &settings, at(i64::try_from(place).unwrap() * 10)).unwrap();
        }
        let limited = count_start(&mut record, "IT", &settings, at(100)).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CountriesPerAddress, 86_300));
        count_start(&mut record, "GB", &settings, at(100)).unwrap();
        count_start(&mut record, "IT", &settings, at(86_400)).unwrap();
    }
}
