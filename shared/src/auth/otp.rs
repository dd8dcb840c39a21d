//! One-time codes: drawn, read from what a client sent, and compared in constant time.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::guessing::LONG_CODE;
use crate::crypto::random;

/// Digits that prove a phone. Prints nothing.
#[derive(Clone, derive_more::Debug)]
#[debug("OneTimeCode")]
pub struct OneTimeCode(SecretString);

impl OneTimeCode {
    /// Draws a code of this many digits (6 to 10), each code equally likely; leading zeros are kept.
    pub fn draw(length: usize) -> Self {
        let bound = (0..length).fold(1, |bound: u64, _| bound.saturating_mul(10));
        Self(format!("{:0length$}", random::below(bound)).into())
    }

    /// Parses what a client sent: exactly this many ASCII digits, or as many as codes have while guessing is braked; `None` for anything
    /// else.
    pub fn parse(text: &str, length: usize) -> Option<Self> {
        let is_long_enough = text.len() == length || text.len() == LONG_CODE && length < LONG_CODE;
        (is_long_enough && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(text.into()))
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &SecretString) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
    }

    /// The digits, for the line that sends or seals them.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<SecretString> for OneTimeCode {
    fn from(code: SecretString) -> Self {
        Self(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_so_many_digits_is_refused() {
        for text in [
            "",
            "12345",
            "123456789",
            "1234567",
            "12 456",
            " 123456",
            "123456 ",
            "12345a",
            "-12345",
            "+12345",
            "١٢٣٤٥٦",
            "１２３４５６",
            "12345\0",
            "0x1234",
        ] {
            assert!(OneTimeCode::parse(text, 6).is_none(), "{text}");
        }
    }

    #[test]
    fn codes_match_only_themselves() {
        let code = OneTimeCode::parse("012345", 6).unwrap();
        assert!(code.matches(&"012345".into()));
        assert!(!code.matches(&"12345".into()) && !code.matches(&"012346".into()) && !code.matches(&"".into()));
    }

    #[test]
    fn drawn_codes_have_their_length_and_every_first_digit() {
        for length in 6..=10 {
            let mut first = [false; 10];
            for _ in 0..1000 {
                let code = OneTimeCode::draw(length);
                assert!(OneTimeCode::parse(code.expose(), length).is_some());
                first[usize::from(code.expose().as_bytes()[0] - b'0')] = true;
            }
            assert_eq!(first, [true; 10], "a zero first is as likely as any");
        }
    }

    /// A million codes, each digit at each place: the statistic stays below the value that chance exceeds once in a million.
    #[test]
    fn every_digit_is_as_likely_at_every_place() {
        const CODES: u32 = 1_000_000;
        let mut counts = [[0_u32; 10]; 6];
        for _ in 0..CODES {
            for (place, digit) in OneTimeCode::draw(6).expose().bytes().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        let expected = f64::from(CODES) / 10.0;
        for (place, counts) in counts.iter().enumerate() {
            let chi_square: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
            // Nine degrees of freedom.
            assert!(chi_square < 45.1, "place {place}: {chi_square} {counts:?}");
        }
    }

    #[test]
    fn a_code_does_not_print() {
        assert_eq!(format!("{:?}", OneTimeCode::parse("123456", 6)), "Some(OneTimeCode)");
    }
}
