//! Phone numbers: what a text means, as Google's libphonenumber reads it, but from tables that cost nothing at start.
//!
//! libphonenumber decodes the metadata of all countries and compiles regular expressions before the first number, longer than a
//! cold start takes without it. `phone-number-generator` writes that metadata as automata, proves that they are current, and compares what this
//! module says with what libphonenumber says.
//!
//! | module | for |
//! |---|---|
//! | `reading` | from a text to a calling code and a national number |
//! | `exceptions` | what we know beyond the metadata |
//! | `plan` | what is known of a numbering plan |
//! | `automaton` | how an automaton is followed |
//! | `tables` | the data, written by `phone-number-generator` |

mod automaton;
pub mod exceptions;
mod plan;
mod reading;
#[rustfmt::skip]
mod tables;

use std::fmt;

use plan::Plan;
use reading::Number;
use tables::{GEOGRAPHIC, KNOWN, PLANS};

/// `+` and 15 digits (ITU-T E.164, "Maximum number length"). Some plans of libphonenumber have longer ones.
const LONGEST_E164: usize = 16;

/// No spelling of a number is longer than this many bytes.
const LONGEST_SPELLING: usize = 64;

/// The countries that Plivo carries MMS to (Plivo: "Send a message", `type`).
const MMS_COUNTRIES: [&str; 2] = ["US", "CA"];

/// The code of numbers of no country, like those of satellite networks.
const NO_COUNTRY: &str = "001";

// Its place in `KNOWN` and in `PLANS`; the place after the last is that of `NO_COUNTRY`.
/// A country by its two-letter ISO 3166-1 code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(u8);

impl Country {
    /// Reads `US`; `None` when no phone numbers are known for it.
    pub fn parse(code: &str) -> Option<Self> {
        let code: [u8; 2] = code.as_bytes().try_into().ok()?;
        let place = KNOWN.as_bytes().chunks(3).position(|known| known[..2] == code)?;
        u8::try_from(place).ok().map(Self)
    }

    /// The two letters.
    pub fn code(self) -> String {
        self.letters().to_owned()
    }

    /// The same without a copy.
    pub fn letters(self) -> &'static str {
        let start = 3 * usize::from(self.0); // two letters and a space each
        KNOWN.get(start..start + 2).unwrap_or(NO_COUNTRY)
    }

    fn plan(self) -> Option<&'static Plan> {
        PLANS[..GEOGRAPHIC].get(usize::from(self.0))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({})", self.letters())
    }
}

/// Why a text is not a number that we send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not a number: letters, other characters, an impossible length, an unknown country code.
    #[error("not a phone number")]
    Invalid,
    /// A number that costs its caller extra or is not a person's: premium rate, shared cost, toll free and the like.
    #[error("a kind of number that is not sent to")]
    NotServed,
}

/// A phone number in E.164 that can be a person's. Two spellings of one number are equal. Prints masked.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    e164: String,
    country: Country,
}

impl PhoneNumber {
    /// Reads a number as people write it; one without `+` belongs to the default country.
    ///
    /// Numbers that no known range holds are taken when their length is possible: ranges open faster than metadata
    /// reaches a deployed function, and the list of countries bounds what they can cost.
    ///
    /// # Errors
    /// [`PhoneError`]; it never holds the text.
    pub fn parse(text: &str, default_country: Country) -> Result<Self, PhoneError> {
        let text = text.trim();
        if text.len() > LONGEST_SPELLING || !text.chars().all(is_part_of_a_number) {
            return Err(PhoneError::Invalid);
        }
        let number = Number::read(text, default_country.plan())?;
        // One that is possible only within its own area, without its code, is none.
        if !number.is_possible() {
            return Err(PhoneError::Invalid);
        }
        let (country, is_served) = number.country();
        if !is_served || number.is_service() {
            return Err(PhoneError::NotServed);
        }
        let e164 = number.e164();
        // Some numbers of no known range, with zeros before them, are read otherwise once they are written in full: one phone
        // would have two names.
        let reads_as_itself = Number::read(&e164, None).is_ok_and(|again| again.e164() == e164);
        if reads_as_itself && e164.len() <= LONGEST_E164 {
            Ok(Self { e164, country: Country(country) })
        } else {
            Err(PhoneError::Invalid)
        }
    }

    /// `+14155550100`.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// The last ten digits: what people know a number by, whatever stands before it.
    pub fn last_digits(&self) -> &str {
        &self.e164[self.e164.len().saturating_sub(10).max(1)..]
    }

    /// All but the last four digits: what ten thousand neighbours have in common.
    pub fn prefix(&self) -> &str {
        &self.e164[..self.e164.len() - 4]
    }

    /// The number's country: `001` for numbers of no country, like those of satellite networks.
    pub const fn country(&self) -> Country {
        self.country
    }

    /// Whether it is reserved for films and books, so that it is nobody's.
    pub fn is_fictional(&self) -> bool {
        exceptions::is_fictional(&self.e164)
    }

    /// Whether Plivo carries media to it.
    pub fn takes_media(&self) -> bool {
        MMS_COUNTRIES.contains(&self.country.letters())
    }
}

/// Digits, a plus, and what people put between digits. Letters are no digits here, nor are digits of other scripts.
fn is_part_of_a_number(character: char) -> bool {
    character.is_ascii_digit() || "+-.()/".contains(character) || character == ' ' || character == '\u{a0}'
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// For logs: the first two and the last four characters, `+1•••0100`; of a short number the last two.
impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.e164.len() >= 10 { 4 } else { 2 };
        write!(f, "{}•••{}", &self.e164[..2], &self.e164[self.e164.len() - shown..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

    use super::*;

    fn parse(text: &str) -> Result<String, PhoneError> {
        PhoneNumber::parse(text, Country::parse("US").unwrap()).map(|phone| phone.e164().to_owned())
    }

    #[test]
    fn countries_are_those_that_libphonenumber_knows() {
        let mut codes: Vec<_> = PHONE_NUMBER_UTIL.get_supported_regions().map(|region| region.to_string()).collect();
        codes.sort_unstable();
        assert_eq!(KNOWN.split(' ').collect::<Vec<_>>(), codes);
        for code in ["XX", "ZZ", "us", "USA", "U", "", " US"] {
            assert!(Country::parse(code).is_none(), "{code}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            " ",
            "+",
            "1",
            "12",
            "911",
            "5550100",
            "555-0100",
            "+15550100",
            "phone",
            "+1 415 555 010",
            "+1415555010000000",
            "+999123456789",
            "1-800-FLOWERS",
            "+1415555CALL",
            "+14155550100;ext=5",
            "+14155550100 x5",
            "tel:+14155550100",
            "+１４１５５５５０１００",
            "+14155550100\0",
            "+1415\n5550100",
            "[\"+14155550100\"]",
            "true",
            "+٠١٢٣٤٥٦٧٨٩",
            &"5".repeat(10_000),
        ] {
            assert_eq!(parse(text), Err(PhoneError::Invalid), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_not_a_persons_are_refused() {
        for text in ["+19002345678", "+449012345678", "+448431234567", "+18002345678"] {
            assert_eq!(parse(text), Err(PhoneError::NotServed), "{text}");
        }
        let by_our_rules = [
            "+19001550100",
            "+12129765555",
            "+14155551212",
            "+15005550100",
            "+16002345678",
            "+17002345678",
            "+17102345678",
        ];
        for text in by_our_rules {
            assert_eq!(parse(text), Err(PhoneError::NotServed), "{text}");
        }
        let mut seen = 0;
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            for kind in [PhoneNumberType::PremiumRate, PhoneNumberType::SharedCost] {
                let Ok(example) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind) else {
                    continue;
                };
                let text = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164).into_owned();
                // The metadata holds examples that another of its patterns claims first.
                if PHONE_NUMBER_UTIL.get_number_type(&example) == kind {
                    assert!(parse(&text).is_err(), "{region} {kind:?} {text}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 150, "only {seen} examples");
    }

    #[test]
    fn spellings_of_one_number_are_one_number() {
        for text in [
            "+14155550100",
            "14155550100",
            "4155550100",
            "(415) 555-0100",
            " +1 (415) 555-0100\u{a0}",
            "+1.415.555.0100",
            "1/415/555/0100",
        ] {
            assert_eq!(parse(text).as_deref(), Ok("+14155550100"), "{text}");
        }
    }

    #[test]
    fn a_mobile_number_that_is_written_in_two_ways_is_one() {
        for text in ["+54 9 343 555 1212", "+54 343 555 1212", "0343 15 555 1212", "0343 555 1212"] {
            let phone = PhoneNumber::parse(text, Country::parse("AR").unwrap());
            assert_eq!(phone.map(|phone| phone.e164), Ok("+5493435551212".to_owned()), "{text}");
        }
        for text in ["+52 1 55 1234 5678", "+52 55 1234 5678", "55 1234 5678"] {
            let phone = PhoneNumber::parse(text, Country::parse("MX").unwrap());
            assert_eq!(phone.map(|phone| phone.e164), Ok("+525512345678".to_owned()), "{text}");
        }
    }

    #[test]
    fn only_numbers_that_are_reserved_for_films_are_fictional() {
        let is_fictional =
            |text: &str| PhoneNumber::parse(text, Country::parse("US").unwrap()).map(|phone| phone.is_fictional());
        for text in ["+14155550099", "+14155550200", "+14155560100", "+14155501000", "+447700899999", "+447700901000"] {
            assert_eq!(is_fictional(text), Ok(false), "{text}");
        }
        for text in ["+14155550100", "+16045550199", "415 555 0123", "+447700900000", "+44 7700 900999"] {
            assert_eq!(is_fictional(text), Ok(true), "{text}");
        }
    }

    #[test]
    fn the_default_country_reads_national_numbers() {
        let germany = Country::parse("DE").unwrap();
        let phone = PhoneNumber::parse("0151 23456789", germany).unwrap();
        assert_eq!(phone.e164(), "+4915123456789");
        assert_eq!(phone.country().code(), "DE");
        assert!(!phone.takes_media());
    }

    #[test]
    fn prefixes_of_national_and_international_calls_are_read() {
        for (country, text, e164) in [
            ("AR", "0343 15 555 1212", "+5493435551212"),
            ("BR", "0 31 85 9 8222 2222", "+5585982222222"),
            ("BB", "255 0100", "+12462550100"),
            ("SM", "886377", "+3780549886377"),
            ("IT", "02 1234 5678", "+390212345678"),
            ("RU", "8 912 345-67-89", "+79123456789"),
            ("GB", "00 1 415 555 0100", "+14155550100"),
            ("US", "011 44 7400 123456", "+447400123456"),
            ("DE", "+00 44 7400 123456", "+447400123456"),
        ] {
            let phone = PhoneNumber::parse(text, Country::parse(country).unwrap());
            assert_eq!(phone.map(|phone| phone.e164), Ok(e164.to_owned()), "{country} {text}");
        }
    }

    #[test]
    fn countries_are_told_apart_within_one_calling_code() {
        let country = |text| PhoneNumber::parse(text, Country::parse("US").unwrap()).unwrap().country().code();
        assert_eq!(country("+14155550100"), "US");
        assert_eq!(country("+16135550100"), "CA");
        assert_eq!(country("+18765550100"), "JM");
        assert_eq!(country("+15550001111"), "US", "no range holds it: the main country of +1");
    }

    #[test]
    fn numbers_of_no_country_are_of_one_that_cannot_be_set() {
        let satellite = PhoneNumber::parse("+870773111632", Country::parse("US").unwrap()).unwrap();
        assert_eq!(satellite.country().code(), "001");
        assert!(Country::parse("001").is_none());
    }

    #[test]
    fn a_number_prints_masked() {
        let phone = PhoneNumber::parse("+14155550142", Country::parse("US").unwrap()).unwrap();
        assert_eq!(format!("{phone} {phone:?}"), "+1•••0142 +1•••0142");
        let short = PhoneNumber::parse("+2474612", Country::parse("AC").unwrap()).unwrap_or(phone);
        assert!(!short.to_string().contains(&short.e164()[4..]), "{short}");
    }

    /// Found by fuzzing.
    #[test]
    fn a_number_that_would_read_otherwise_once_it_is_written_in_full_is_none() {
        let uruguay = Country::parse("UY").unwrap();
        assert_eq!(PhoneNumber::parse("0000-1111", uruguay), Err(PhoneError::Invalid));
    }

    /// Found by fuzzing.
    #[test]
    fn a_number_of_more_than_fifteen_digits_is_none() {
        assert_eq!(parse("+23414259141550100"), Err(PhoneError::Invalid));
    }

    #[test]
    fn countries_are_two_known_letters() {
        for code in ["", "U", "us", "USA", "ZZ", "U1", "ÄÖ"] {
            assert_eq!(Country::parse(code), None, "{code}");
        }
        assert_eq!(Country::parse("GB").map(Country::code).as_deref(), Some("GB"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn separators_make_no_other_number(area in 200..999_u32, line in 0..9_999_u32, separator in "[-. ]") {
            let spelt = format!("+1{separator}{area}{separator}555{separator}{line:04}");
            let plain = format!("+1{area}555{line:04}");
            prop_assert_eq!(parse(&spelt), parse(&plain));
        }
    }
}
