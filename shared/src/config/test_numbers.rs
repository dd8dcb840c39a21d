//! Numbers with fixed codes, for app-store reviews and end-to-end tests: `auth::test_number`.

use phone_number::PhoneNumber;
use time::{Date, Month};

use super::{Lookup, SettingError, default_country, ensure, number, present};
use crate::auth::otp::OneTimeCode;
use crate::clock::Timestamp;

/// The most test numbers.
const MAX_NUMBERS: usize = 20;

/// A number that is listed with a fixed code.
#[derive(Debug, Clone)]
pub struct TestNumber {
    /// The number.
    pub phone: PhoneNumber,
    /// Its code.
    pub code: OneTimeCode,
    /// From then on it is a number like any other.
    pub end: Timestamp,
}

/// The entries of `TEST_NUMBERS`, like `+14155550123=123456@2027-12-31`, separated by commas.
///
/// # Errors
/// When an entry, or a setting that they depend on, is wrong.
pub fn test_numbers(lookup: Lookup<'_>, name: &'static str) -> Result<Vec<TestNumber>, SettingError> {
    let Some(text) = present(lookup, name) else { return Ok(Vec::new()) };
    let code_length = number(6, 6, 10)(lookup, "CODE_LENGTH")?;
    let mut numbers: Vec<TestNumber> = Vec::new();
    for (place, entry) in text.split(',').enumerate() {
        // Not the entry itself, which holds the code.
        let problem = format!(
            "must be entries like +14155550123=123456@2027-12-31 (a number, a code of CODE_LENGTH or eight digits, the last day), \
             separated by commas; entry {} is not",
            place + 1
        );
        let read = read(entry.trim(), code_length, |text| {
            let phone = PhoneNumber::parse(text, default_country(lookup, "DEFAULT_COUNTRY").ok()?).ok()?;
            (phone.e164() == text).then_some(phone)
        });
        let listed = read.ok_or_else(|| SettingError::new(name, problem))?;
        let is_new = numbers.iter().all(|other| other.phone != listed.phone);
        ensure(is_new, name, format!("must list each number once; entry {} repeats one", place + 1))?;
        numbers.push(listed);
    }
    ensure(numbers.len() <= MAX_NUMBERS, name, format!("must list at most {MAX_NUMBERS} numbers"))?;
    Ok(numbers)
}

fn read(entry: &str, code_length: usize, phone: impl Fn(&str) -> Option<PhoneNumber>) -> Option<TestNumber> {
    let (number, rest) = entry.split_once('=')?;
    let (code, day) = rest.split_once('@')?;
    let code = OneTimeCode::parse(code, code_length)?;
    Some(TestNumber { phone: phone(number)?, code, end: end_of(day)? })
}

/// The end of a day like `2027-12-31` (UTC).
fn end_of(day: &str) -> Option<Timestamp> {
    let is_plain = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let mut parts = day.split('-').filter(|_| is_plain);
    let (year, month, date) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let is_form = (year.len(), date.len(), parts.next()) == (4, 2, None);
    let day = Date::from_calendar_date(year.parse().ok()?, month, date.parse().ok()?).ok().filter(|_| is_form)?;
    Some(Timestamp::from_millis(day.next_day()?.midnight().assume_utc().unix_timestamp() * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, length: &str) -> Result<Vec<TestNumber>, SettingError> {
        let lookup = |name: &str| match name {
            "TEST_NUMBERS" => Some(value.to_owned()),
            "CODE_LENGTH" => Some(length.to_owned()),
            _ => None,
        };
        test_numbers(&lookup, "TEST_NUMBERS")
    }

    #[test]
    fn wrong_entries_are_refused_in_a_line_that_holds_no_code() {
        let good = "+14155550123=123456@2027-12-31";
        for (wrong, place) in [
            ("+14155550123", 1),
            ("+14155550123=123456", 1),
            ("+14155550123@2027-12-31", 1),
            ("4155550123=123456@2027-12-31", 1),
            ("+1 415 555 0123=123456@2027-12-31", 1),
            ("+19005550123=123456@2027-12-31", 1),
            ("+1415=123456@2027-12-31", 1),
            ("+14155550123=12345@2027-12-31", 1),
            ("+14155550123=1234567@2027-12-31", 1),
            ("+14155550123=123456789@2027-12-31", 1),
            ("+14155550123=12345a@2027-12-31", 1),
            ("+14155550123=123456@2027-02-29", 1),
            ("+14155550123=123456@2027-13-01", 1),
            ("+14155550123=123456@2027-1-011", 1),
            ("+14155550123=123456@2027-001-1", 1),
            ("+14155550123=123456@31.12.2027", 1),
            (&format!("{good},"), 2),
            (&format!("{good},+14155550124=654321"), 2),
        ] {
            let error = read(wrong, "6").unwrap_err().to_string();
            assert!(error.starts_with("setting TEST_NUMBERS must") && !error.contains('\n'), "{error}");
            assert!(error.contains(&format!("entry {place} is not")) && !error.contains("654321"), "{wrong}: {error}");
        }
        assert!(read(good, "8").is_err(), "a code that is shorter than the others");
        assert!(read("+14155550123=12345678@2027-12-31", "6").is_ok(), "as codes are during an attack");
        let twice = read(&format!("{good},+14155550123=654321@2027-12-30"), "6").unwrap_err();
        assert!(twice.to_string().contains("entry 2 repeats one"), "{twice}");
        let list = |count| (0..count).map(|line| format!("+141555501{line:02}=123456@2027-12-31")).collect::<Vec<_>>();
        assert_eq!(read(&list(20).join(","), "6").unwrap().len(), 20);
        assert!(read(&list(21).join(","), "6").unwrap_err().to_string().contains("at most 20"));
    }

    #[test]
    fn an_entry_lasts_until_its_day_ends_and_does_not_print_its_code() {
        let listed = read("+14155550123=012345@2027-12-31, +447700900123=654321@2028-02-29", "6").unwrap();
        assert_eq!(listed[0].code.expose(), "012345");
        let ends: Vec<_> = listed.iter().map(|number| number.end.as_millis()).collect();
        assert_eq!(ends, [1_830_297_600_000, 1_835_481_600_000]);
        assert!(!format!("{listed:?}").contains("012345"), "{listed:?}");
        assert!(read("", "6").unwrap().is_empty());
    }
}
