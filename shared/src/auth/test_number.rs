//! Test numbers: numbers with fixed codes, listed in `TEST_NUMBERS`, for app-store reviews and end-to-end tests. A start for one makes a challenge
//! whose code is the fixed one, and sends nothing. It costs no money, counts in no limit, and is no sign of pumping; what remains is five attempts of
//! a challenge, the wrong codes of a network and those of all phones, wrong passwords, and kill switches.
//!
//! **Nobody's number is taken over.** The operator may list a number by mistake, and testers know its code. So only numbers that are reserved for
//! films are test numbers at once. Any other, which may be a person's, must have been proven: a code that was sent there came back. And since
//! it may be the person who proved it, it must have no user, or one who was registered by the fixed code: who registers by a sent code is never
//! reached by a fixed one. Nor does a fixed code move another user to the number. Otherwise the number is treated like any other.

use std::time::Duration;

use crate::config::TestNumber;
use crate::store::PhoneOwner;

/// How long a number is proven by a code that came back.
pub(super) const PROVEN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of a phone whose number is listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListedPhone<'a> {
    /// Its user, if it has one who may log in.
    pub owner: Option<&'a PhoneOwner>,
    /// Whether it has a user who may not log in.
    pub is_disabled: bool,
    /// Whether a code that was sent to it has come back within [`PROVEN_FOR`].
    pub is_proven: bool,
}

/// Whether a listed number is a test number.
pub(super) fn is_test(listed: &TestNumber, phone: ListedPhone<'_>) -> bool {
    listed.phone.is_fictional() || phone.owner.map_or(phone.is_proven && !phone.is_disabled, |owner| owner.test)
}

#[cfg(test)]
mod tests {
    use phone_number::{Country, PhoneNumber};

    use super::*;
    use crate::auth::otp::OneTimeCode;
    use crate::clock::Timestamp;

    fn listed(number: &str) -> TestNumber {
        let phone = PhoneNumber::parse(number, Country::parse("US").unwrap()).unwrap();
        TestNumber { phone, code: OneTimeCode::parse("123456", 6).unwrap(), end: Timestamp::from_millis(0) }
    }

    fn owner(test: bool) -> PhoneOwner {
        PhoneOwner { user: "user".to_owned(), password: None, disabled: false, test }
    }

    #[test]
    fn a_person_s_number_is_none_unless_it_is_proven_and_has_no_user_of_their_own() {
        let (listed, person, tester) = (listed("+14155560123"), owner(false), owner(true));
        for (owner, is_disabled, is_proven, expected) in [
            (None, false, false, false),
            (None, true, true, false),
            (Some(&person), false, true, false),
            (Some(&person), false, false, false),
            (None, false, true, true),
            (Some(&tester), false, false, true),
        ] {
            let phone = ListedPhone { owner, is_disabled, is_proven };
            assert_eq!(is_test(&listed, phone), expected, "{phone:?}");
        }
    }

    #[test]
    fn a_number_of_a_film_is_one_at_once() {
        let phone = ListedPhone { owner: None, is_disabled: false, is_proven: false };
        assert!(is_test(&listed("+14155550123"), phone) && is_test(&listed("+447700900123"), phone));
    }
}
