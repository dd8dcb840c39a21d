//! What Plivo's error codes of messages mean (Plivo: "Message error codes"), and its causes of a call's hang-up, which have four digits: in words for
//! operators and servers, and as a reason for an app. `docs/status.md` lists the reasons.

use strum::IntoStaticStr;

/// Why a code did not reach a phone, as an app is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FailureReason {
    /// The phone has refused messages from this sender by STOP.
    OptedOut,
    /// The phone is switched off or has no reception.
    Unreachable,
    /// The number takes no SMS.
    NotAMobileNumber,
    /// The carrier blocks the message.
    BlockedByCarrier,
    /// The phone was in another call when it was called.
    LineBusy,
    /// Nobody answered the call.
    NotAnswered,
    /// All others. The only reason given where an exact one would reveal who is a user.
    NotDelivered,
}

use FailureReason::{BlockedByCarrier, LineBusy, NotAMobileNumber, NotAnswered, NotDelivered, OptedOut, Unreachable};

/// Each known code, what it means, and what an app is told.
const KNOWN: [(u16, &str, FailureReason); 20] = [
    (10, "The message was invalid.", NotDelivered),
    (20, "The carrier's network had an error.", Unreachable),
    (30, "The carrier took the message for spam.", BlockedByCarrier),
    (40, "The sender's number is not valid there.", NotDelivered),
    (50, "This is not a number that can get messages.", NotAMobileNumber),
    (60, "The message went round in a loop.", NotDelivered),
    (70, "The phone cannot be reached any more.", NotAMobileNumber),
    (80, "The phone could not be reached. It may be switched off or out of coverage.", Unreachable),
    (90, "No carrier takes messages to this number.", NotAMobileNumber),
    (100, "The carrier does not let this message through.", BlockedByCarrier),
    (110, "The message was too long.", NotDelivered),
    (120, "The media were too large.", NotDelivered),
    (200, "The phone has opted out of messages from this sender.", OptedOut),
    (201, "A toll-free number of the United States cannot send to Canada.", NotDelivered),
    (420, "The message waited too long and was given up.", Unreachable),
    (450, "The Plivo account does not send to this country.", NotDelivered),
    (900, "The Plivo account has no credit.", NotDelivered),
    (1000, "The carrier did not say why.", NotDelivered),
    (3000, "Nobody answered the call.", NotAnswered),
    (3010, "The line was busy.", LineBusy),
];

fn known(code: u16) -> Option<(&'static str, FailureReason)> {
    KNOWN.iter().find(|(known, ..)| *known == code).map(|(_, words, reason)| (*words, *reason))
}

/// What a code means.
pub fn in_words(code: &str) -> &'static str {
    let known = code.parse().ok().and_then(known);
    known.map_or("This error code is not known here: see Plivo's list.", |(words, _)| words)
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 7] =
        [OptedOut, Unreachable, NotAMobileNumber, BlockedByCarrier, LineBusy, NotAnswered, NotDelivered];

    /// The reason for a code.
    pub fn of(code: u16) -> Self {
        known(code).map_or(NotDelivered, |(_, reason)| reason)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What a person can do about it.
    pub const fn message(self) -> &'static str {
        match self {
            OptedOut => "This phone has opted out of our messages. Text START to our number, then ask for a new code.",
            Unreachable => {
                "The phone could not be reached. Switch it on, check its reception, then ask for a new code."
            }
            NotAMobileNumber => "This number cannot receive text messages. Use a mobile phone's number.",
            BlockedByCarrier => {
                "The phone's carrier has blocked the message. Ask for a new code later, or use another number."
            }
            LineBusy => "The line was busy. Ask for another call.",
            NotAnswered => "Nobody answered the call. Ask for another one.",
            NotDelivered => "The code could not be delivered. Check the number, then ask for a new code.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_not_known_says_so() {
        for code in ["77", "", "99999", "x"] {
            assert!(in_words(code).contains("not known"), "{code}");
        }
        assert_eq!(FailureReason::of(77), NotDelivered);
    }

    #[test]
    fn no_phone_can_be_switched_on_where_no_carrier_takes_messages() {
        assert_eq!(FailureReason::of(90), NotAMobileNumber);
    }

    #[test]
    fn the_document_lists_every_reason_with_its_codes_and_words() {
        let document = include_str!("../../../docs/status.md");
        for reason in FailureReason::ALL {
            let codes: Vec<_> =
                (0..=9999).filter(|code| FailureReason::of(*code) == reason).map(|code| code.to_string()).collect();
            let codes = if reason == NotDelivered { "all others".to_owned() } else { codes.join(", ") };
            let row = format!("| `{}` | {codes} | {} |", reason.as_str(), reason.message());
            assert!(document.contains(&row), "docs/status.md lacks: {row}");
        }
    }
}
