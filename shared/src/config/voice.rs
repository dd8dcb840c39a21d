//! Calls that read a code aloud: where they may go, what they cost, and who calls. Off by default.

use phone_number::Country;

use super::{Lookup, SettingError, countries, ensure, present, with_default};
use crate::spend::Calls;
use crate::spend::price::Prices;

/// Where calls may go, `VOICE_COUNTRIES`, and what one costs, `VOICE_PRICES`.
///
/// # Errors
/// The one that is wrong.
pub(super) fn calls(lookup: Lookup<'_>) -> Result<Calls, SettingError> {
    let countries = voice_countries(lookup)?;
    // A call lasts less than a minute, which is the least that Plivo bills.
    let prices = Prices::parse(&with_default(lookup, "VOICE_PRICES", "US=0.0115,CA=0.0115,*=0.5"));
    Ok(Calls { countries, prices: prices.map_err(|problem| SettingError::new("VOICE_PRICES", problem))? })
}

fn voice_countries(lookup: Lookup<'_>) -> Result<Vec<Country>, SettingError> {
    Ok(countries(lookup, "VOICE_COUNTRIES")?.unwrap_or_default())
}

/// The number that calls, `PLIVO_CALLER`. Where there are calls, it must be set: not every sender can call.
pub(super) fn caller(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let caller = present(lookup, name);
    if let Some(number) = &caller {
        ensure(is_e164(number), name, format!("must be a number like +14155550100, not '{number}'"))?;
    }
    let is_needed = !voice_countries(lookup)?.is_empty();
    ensure(caller.is_some() || !is_needed, name, "is missing: with VOICE_COUNTRIES, a number must be set that calls")?;
    Ok(caller)
}

/// `+`, a country code, and the number: 7 to 15 digits, as short codes cannot call.
fn is_e164(number: &str) -> bool {
    let Some(digits) = number.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller_of(values: &[(&str, &str)]) -> Result<Option<String>, SettingError> {
        let lookup = |name: &str| values.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        caller(&lookup, "PLIVO_CALLER")
    }

    #[test]
    fn calls_need_a_number_that_calls() {
        for (number, problem) in [
            ("", "is missing"),
            ("Otpost", "must be a number"),
            ("4155550199", "must be a number"),
            ("+04155550199", "must be a number"),
            ("+141555", "must be a number"),
            ("+1415555019912345", "must be a number"),
            ("+1 415 555 0199", "must be a number"),
        ] {
            let error = caller_of(&[("PLIVO_CALLER", number), ("VOICE_COUNTRIES", "US")]).unwrap_err().to_string();
            assert!(error.contains("PLIVO_CALLER") && error.contains(problem), "{number}: {error}");
        }
        assert!(caller_of(&[("PLIVO_CALLER", "Otpost")]).is_err(), "whether or not there are calls");
        assert_eq!(caller_of(&[]), Ok(None));
        let caller = caller_of(&[("PLIVO_CALLER", "+14155550188"), ("VOICE_COUNTRIES", "US,CA")]);
        assert_eq!(caller.unwrap().as_deref(), Some("+14155550188"));
    }

    #[test]
    fn calls_go_nowhere_by_default() {
        let calls = calls(&|_| None).unwrap();
        assert!(calls.countries.is_empty());
        assert_eq!(calls.prices.of("DE").to_string(), "0.50");
    }
}
