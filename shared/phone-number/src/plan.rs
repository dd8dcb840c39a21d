//! What is known of a numbering plan, as the tables hold it: plain numbers, for the fields that are automata where they begin. Uses
//! `automaton`, `tables`.

use crate::automaton;
use crate::tables::{CALLING_CODES, EDITS, PLANS};

/// The numbering plan of a country, or that of a calling code without one.
pub(super) struct Plan {
    pub(super) calling_code: u16,
    /// A bit for each length that a national number can have, to be dialled from everywhere: not without its area code.
    pub(super) lengths: u32,
    /// Automaton: whether digits look like a national number, of whatever length and kind.
    pub(super) general: u16,
    /// Automaton: how many digits the prefix of international calls has, like `00` or `011`.
    pub(super) international_prefix: u16,
    /// Automaton: the place of the [`Edit`] that takes the prefix of national calls away, like `0`.
    pub(super) national_prefix: u16,
}

impl Plan {
    /// Whether a national number can be this long.
    pub(super) const fn is_possible(&self, length: usize) -> bool {
        length < 32 && self.lengths >> length & 1 == 1
    }

    /// Whether all national numbers are shorter.
    pub(super) const fn is_too_long(&self, length: usize) -> bool {
        length >= 32 || self.lengths >> length == 0
    }

    /// Whether the digits look like a national number.
    pub(super) fn matches(&self, digits: &str) -> bool {
        automaton::outcome(self.general, digits) != 0
    }

    /// What follows the prefix of international calls, if there is one. No calling code begins with 0.
    pub(super) fn after_international_prefix<'a>(&self, digits: &'a str) -> Option<&'a str> {
        let length = automaton::outcome(self.international_prefix, digits);
        let rest = &digits[usize::from(length)..];
        (length > 0 && !rest.starts_with('0')).then_some(rest)
    }

    /// The digits without the prefix of national calls, unless only with it they look like a national number.
    pub(super) fn without_national_prefix(&self, digits: &str) -> String {
        let edit = &EDITS[usize::from(automaton::outcome(self.national_prefix, digits))];
        let edited = edit.apply(digits);
        if self.matches(digits) && !self.matches(&edited) { digits.to_owned() } else { edited }
    }
}

/// What a national prefix does to the digits: mostly it goes. In some countries an area code comes instead, and Argentina's
/// `0 area 15` becomes `9 area`.
pub(super) struct Edit {
    /// Digits that come first, padded with spaces.
    pub(super) insert: [u8; 4],
    /// From where to where digits stay behind them.
    pub(super) kept: (u8, u8),
    /// From where all digits stay.
    pub(super) rest: u8,
}

impl Edit {
    fn apply(&self, digits: &str) -> String {
        let mut edited: String = self.insert.iter().filter(|digit| **digit != b' ').copied().map(char::from).collect();
        edited.push_str(&digits[usize::from(self.kept.0)..usize::from(self.kept.1)]);
        edited.push_str(&digits[usize::from(self.rest)..]);
        edited
    }
}

/// A calling code. Countries may share one.
pub(super) struct CallingCode {
    pub(super) code: u16,
    /// The place of its main country's plan, or of its only plan.
    pub(super) main: u8,
    /// Automaton: the place of a national number's country, and [`NOT_SERVED`] when it is a kind of number that is not sent to. Only
    /// for lengths that the main plan has.
    pub(super) numbers: u16,
}

/// A number that is not a person's. `is_a_persons` in `phone-number-generator` decides which kinds are.
const NOT_SERVED: u16 = 1 << 8;

impl CallingCode {
    pub(super) fn find(code: u16) -> Option<&'static Self> {
        let place = CALLING_CODES.binary_search_by_key(&code, |known| known.code).ok()?;
        Some(&CALLING_CODES[place])
    }

    pub(super) fn plan(&self) -> &'static Plan {
        &PLANS[usize::from(self.main)]
    }

    /// The place of the country of a national number, and whether it is sent to. A number that no known range holds is the main country's.
    pub(super) fn country(&self, national: &str) -> (u8, bool) {
        let outcome = automaton::outcome(self.numbers, national);
        let [country, _] = outcome.to_le_bytes();
        (country, outcome & NOT_SERVED == 0)
    }
}
