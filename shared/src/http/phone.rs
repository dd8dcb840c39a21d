//! Phone numbers in requests. The refusal of one without a country code says how to write it.

use phone_number::{PhoneError, PhoneNumber};

use super::{Problem, Reason};
use crate::config::Settings;

/// Parses a phone number that came in this field.
///
/// # Errors
/// Not a number, or a kind of number that is not served.
pub fn phone_number(settings: &Settings, name: &str, text: &str) -> Result<PhoneNumber, Problem> {
    let country = settings.default_country;
    PhoneNumber::parse(text, country).map_err(|error| match error {
        PhoneError::NotServed => Problem::new(Reason::NumberNotServed),
        PhoneError::Invalid => {
            let problem = Problem::field(Reason::InvalidPhoneNumber, name);
            let is_national = text.contains(|character: char| character.is_ascii_digit()) && !text.contains('+');
            if is_national { problem.with_hint(&without_country_code(&country.code())) } else { problem }
        }
    })
}

fn without_country_code(country: &str) -> String {
    format!("it has no country code, so it was read as a number of {country}. Write it like +14155550100")
}
