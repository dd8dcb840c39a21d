//! Phone numbers and sender names as Plivo accepts them. Plivo knows every country's numbering plan; this check is deliberately coarse,
//! because the service itself checks numbers before it sends.

use serde::{Deserialize, Serialize};

/// The maximum number of digits of a destination ("Plivo: Send a message" page).
const MAX_DIGITS: usize = 14;
/// The minimum number of digits of an international number.
const MIN_DIGITS: usize = 8;
/// The maximum length of an alphanumeric sender ("Plivo: Send a message" page).
const MAX_NAME: usize = 11;
/// The minimum number of digits of a short code.
const MIN_SHORT_CODE: usize = 3;
/// The maximum number of digits of a short code.
const MAX_SHORT_CODE: usize = 6;

/// The digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A destination without the characters that Plivo strips: `/ - . + ( )` and spaces.
pub(super) fn strip(destination: &str) -> String {
    destination.chars().filter(|c| !"/-.+()".contains(*c) && !c.is_whitespace()).collect()
}

/// Whether a stripped destination can be a number with its country code.
pub(super) fn is_destination(number: &str) -> bool {
    let digits_only = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits_only
        && match number.as_bytes()[0] {
            b'0' => false,
            b'1' => is_north_american(number),
            _ => (MIN_DIGITS..=MAX_DIGITS).contains(&number.len()),
        }
}

/// Whether a number has country code 1: eleven digits, and an area code that does not begin with 0 or 1.
pub(super) fn is_north_american(number: &str) -> bool {
    number.len() == 11 && number.starts_with('1') && !matches!(number.as_bytes()[1], b'0' | b'1')
}

/// The sender of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Sender {
    /// A number with its country code, or a short code: digits only.
    Number(String),
    /// An alphanumeric sender id.
    Name(String),
    /// A pool of numbers, by its UUID; Plivo picks one.
    Powerpack(String),
}

impl Sender {
    /// Parses `src`. Like Plivo, it first strips everything but letters and digits.
    pub(super) fn parse(src: &str) -> Option<Self> {
        let stripped: String = src.chars().filter(char::is_ascii_alphanumeric).collect();
        let length = stripped.len();
        if stripped.bytes().all(|byte| byte.is_ascii_digit()) {
            (MIN_SHORT_CODE..=MAX_DIGITS).contains(&length).then_some(Self::Number(stripped))
        } else {
            (length <= MAX_NAME).then_some(Self::Name(stripped))
        }
    }

    /// Only numbers and short codes of the United States and Canada can send MMS.
    pub(super) fn can_send_media(&self) -> bool {
        match self {
            Self::Number(number) => is_north_american(number) || number.len() <= MAX_SHORT_CODE,
            Self::Name(_) => false,
            Self::Powerpack(_) => true,
        }
    }
}

/// A number with its `+`.
pub(super) fn international(number: &str) -> String {
    format!("+{number}")
}

/// Masks the middle of a number as Plivo does when logging is off: `141XXXXX528`.
pub(super) fn mask(number: &str) -> String {
    let last = number.len().saturating_sub(3);
    let hide = |(index, c)| if (3..last).contains(&index) { 'X' } else { c };
    number.chars().enumerate().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_that_are_no_numbers_are_refused() {
        for text in [
            "",
            "1111111",
            "0155500011",
            "123456789012345",
            "1555000111",
            "11550001111",
            "155500011112",
            "49abc12345",
            "٤٩١٧٠١٢٣٤",
        ] {
            assert!(!is_destination(text), "{text}");
        }
    }

    #[test]
    fn destinations_of_any_country_are_taken() {
        for text in ["15550001111", "14155550100", "4915112345678", "29012345", "12345678901"] {
            assert!(is_destination(text), "{text}");
        }
    }

    #[test]
    fn punctuation_is_stripped() {
        assert_eq!(strip("+1 (415) 555-01.00/"), "14155550100");
        assert_eq!(strip("['1555'"), "['1555'");
        assert_eq!(digits(" 1555-000"), "1555000");
    }

    #[test]
    fn senders_that_plivo_would_refuse_are_refused() {
        for text in ["", "+", "12", "123456789012345", "TwelveLetter"] {
            assert_eq!(Sender::parse(text), None, "{text}");
        }
    }

    #[test]
    fn senders_are_numbers_short_codes_or_names() {
        assert_eq!(Sender::parse("+1 (415) 000-0001"), Some(Sender::Number("14150000001".to_owned())));
        assert_eq!(Sender::parse("54321"), Some(Sender::Number("54321".to_owned())));
        assert_eq!(Sender::parse("My Shop!"), Some(Sender::Name("MyShop".to_owned())));
    }

    #[test]
    fn media_needs_a_sender_of_north_america() {
        for (src, allowed) in [("14155550100", true), ("54321", true), ("491511234567", false), ("MyShop", false)] {
            assert_eq!(Sender::parse(src).unwrap().can_send_media(), allowed, "{src}");
        }
    }

    #[test]
    fn masks_keep_three_digits_at_either_end() {
        assert_eq!(mask("14155550528"), "141XXXXX528");
        assert_eq!(mask("12345"), "12345");
    }
}
