//! Why a code's message failed, in words for a person. `docs/status.md` lists the reasons.

use strum::IntoStaticStr;

/// Why a message to a phone failed, by Plivo's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum FailureReason {
    /// The phone has refused messages from this sender by STOP.
    OptedOut,
    /// The phone is switched off, has no reception, or no network leads to it.
    Unreachable,
    /// The number takes no SMS.
    NotAMobileNumber,
    /// The carrier blocks the message.
    BlockedByCarrier,
    /// The phone was in another call when it was called.
    LineBusy,
    /// Nobody answered the call.
    NotAnswered,
    /// All others.
    NotDelivered,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::OptedOut,
        Self::Unreachable,
        Self::NotAMobileNumber,
        Self::BlockedByCarrier,
        Self::LineBusy,
        Self::NotAnswered,
        Self::NotDelivered,
    ];

    /// The reason for one of Plivo's error codes of messages, or of its causes of a hang-up, which have four digits.
    pub const fn of(code: u16) -> Self {
        match code {
            200 => Self::OptedOut,
            20 | 70 | 80 | 90 | 420 => Self::Unreachable,
            50 => Self::NotAMobileNumber,
            30 | 100 => Self::BlockedByCarrier,
            3010 => Self::LineBusy,
            3000 => Self::NotAnswered,
            _ => Self::NotDelivered,
        }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What a person can do about it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::OptedOut => {
                "This phone has opted out of our messages. Text START to our number, then ask for a new code."
            }
            Self::Unreachable => {
                "The phone could not be reached. Switch it on, check its reception, then ask for a new code."
            }
            Self::NotAMobileNumber => "This number cannot receive text messages. Use a mobile phone's number.",
            Self::BlockedByCarrier => {
                "The phone's carrier has blocked the message. Ask for a new code later, or use another number."
            }
            Self::LineBusy => "The line was busy. Ask for another call.",
            Self::NotAnswered => "Nobody answered the call. Ask for another one.",
            Self::NotDelivered => "The code could not be delivered. Check the number, then ask for a new code.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_reason_with_its_codes_and_words() {
        let document = include_str!("../../../docs/status.md");
        for reason in FailureReason::ALL {
            let codes: Vec<_> =
                (0..=9999).filter(|code| FailureReason::of(*code) == reason).map(|code| code.to_string()).collect();
            let codes = if reason == FailureReason::NotDelivered { "all others".to_owned() } else { codes.join(", ") };
            let row = format!("| `{}` | {codes} | {} |", reason.as_str(), reason.message());
            assert!(document.contains(&row), "docs/status.md lacks: {row}");
        }
    }
}
