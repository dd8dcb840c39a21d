//! From a text to a calling code and a national number: the steps of libphonenumber's `parse`, in its order, and our exceptions, for texts of the
//! characters that `PhoneNumber` takes. Those spell neither extensions nor letters.

use crate::plan::{CallingCode, Plan};
use crate::{PhoneError, exceptions};

/// No national number has more digits.
const LONGEST_NATIONAL: usize = 17;
/// libphonenumber keeps no more zeros than this before a national number.
const LEADING_ZEROS: usize = 10;

/// A number in its two parts.
pub(super) struct Number {
    calling_code: &'static CallingCode,
    national: String,
}

impl Number {
    /// Reads a text; one without a calling code belongs to the home's numbering plan.
    pub(super) fn read(text: &str, home: Option<&'static Plan>) -> Result<Self, PhoneError> {
        let (has_plus, digits) = digits(text).ok_or(PhoneError::Invalid)?;
        let split = if has_plus { after_plus(&digits, home)? } else { after_prefix(&digits, home)? };
        let (calling_code, plan, national) = match split {
            Some((calling_code, national)) => (calling_code, calling_code.plan(), national),
            None => {
                let home = home.ok_or(PhoneError::Invalid)?;
                (CallingCode::find(home.calling_code).ok_or(PhoneError::Invalid)?, home, digits)
            }
        };
        let national = significant(national, plan);
        if national.len() > LONGEST_NATIONAL {
            return Err(PhoneError::Invalid);
        }
        let national = exceptions::mobile_form(calling_code.code, without_many_zeros(national));
        Ok(Self { calling_code, national })
    }

    /// Whether it can be dialled from everywhere, by its length.
    pub(super) fn is_possible(&self) -> bool {
        self.calling_code.plan().is_possible(self.national.len())
    }

    /// The place of its country and whether it is sent to. Only for numbers that are possible.
    pub(super) fn country(&self) -> (u8, bool) {
        self.calling_code.country(&self.national)
    }

    /// Whether it is a service's, although the metadata does not say so.
    pub(super) fn is_service(&self) -> bool {
        exceptions::is_service(self.calling_code.code, &self.national)
    }

    /// `+14155550100`.
    pub(super) fn e164(&self) -> String {
        format!("+{}{}", self.calling_code.code, self.national)
    }
}

/// A calling code and the digits behind it; `None` for digits without one.
type Split = Option<(&'static CallingCode, String)>;

/// Whether there is a plus before the digits, and the digits. What is before and behind does not count.
fn digits(text: &str) -> Option<(bool, String)> {
    let start = text.find(|character: char| character.is_ascii_digit() || character == '+')?;
    let last = text.rfind(|character: char| character.is_ascii_digit())?;
    let number = &text[start..=last];
    let spelling = number.trim_start_matches('+');
    let has_plus = spelling.len() < number.len();
    let digits: String = spelling.chars().filter(char::is_ascii_digit).collect();
    (!spelling.contains('+')).then_some((has_plus, digits))
}

/// The digits behind a plus. People also put it before a prefix of international calls.
fn after_plus(digits: &str, home: Option<&Plan>) -> Result<Split, PhoneError> {
    match split(digits) {
        None => Ok(Some(after_prefix(digits, home)?.ok_or(PhoneError::Invalid)?)),
        found => Ok(found),
    }
}

/// The digits without a plus: behind the home's prefix of international calls there is a calling code; else there can be the home's.
fn after_prefix(digits: &str, home: Option<&Plan>) -> Result<Split, PhoneError> {
    let Some(home) = home else { return Ok(None) };
    let Some(rest) = home.after_international_prefix(digits) else { return Ok(after_own_code(digits, home)) };
    split(rest).map(Some).ok_or(PhoneError::Invalid)
}

/// The digits behind the home's calling code, when they look more like a number without it or are too many with it.
fn after_own_code(digits: &str, home: &Plan) -> Split {
    let rest = home.without_national_prefix(digits.strip_prefix(&home.calling_code.to_string())?);
    let is_better = (!home.matches(digits) && home.matches(&rest)) || home.is_too_long(digits.len());
    CallingCode::find(home.calling_code).filter(|_| is_better).map(|calling_code| (calling_code, rest))
}

/// Takes the calling code off. None begins with another or with 0.
fn split(digits: &str) -> Split {
    let lengths = if digits.starts_with('0') { 0..0 } else { 1..4 };
    lengths.into_iter().find_map(|length| {
        let (code, rest) = digits.split_at_checked(length)?;
        Some((CallingCode::find(code.parse().ok()?)?, rest.to_owned()))
    })
}

/// The digits without the prefix of national calls, unless they are too few without it.
fn significant(digits: String, plan: &Plan) -> String {
    let stripped = plan.without_national_prefix(&digits);
    if plan.is_possible(stripped.len()) || plan.is_too_long(stripped.len()) { stripped } else { digits }
}

fn without_many_zeros(mut national: String) -> String {
    let zeros = national.bytes().take_while(|digit| *digit == b'0').count().min(national.len().saturating_sub(1));
    national.drain(..zeros.saturating_sub(LEADING_ZEROS));
    national
}
