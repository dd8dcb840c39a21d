//! What is told of a code's message, and when: the same for one that was sent and for a decoy, which was not.
//!
//! **It is told in steps of five seconds.** For the first step a message is queued; then it is sent; it is delivered or failed from the end of the
//! step on in which Plivo's report came; and when the code has expired without one, unknown. Most reports come within the first step, whatever the
//! carrier, so their exact time, which no decoy could know, does not show. Nor does whether Plivo has reported "sent", or has refused the message
//! of a login after its answer.
//!
//! **A decoy ends as messages to that phone end.** If one was really sent to it lately, what became of that one is told again, after about the same
//! time; since a registration sends to any phone, a login must not tell another story. Otherwise a keyed hash draws the ending, always the same for
//! a phone: some per mille fail or are never reported, as among real phones.

use std::time::Duration;

use crate::crypto::Keys;
use crate::store::PhoneKey;

/// How exactly the time of a report is told.
pub(super) const STEP: Duration = Duration::from_secs(5);
/// Of the phones without a user, per mille: those to which a message fails ...
const FAILING: u16 = 15;
/// ... and those about which no report comes.
const UNREPORTED: u16 = 15;
/// The shares of the others, per mille, whose report comes in the first step and by the end of the second. The rest takes up to six.
const IN_ONE_STEP: u16 = 940;
const IN_TWO_STEPS: u16 = 985;

/// The state of a code's message, as an app is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ToldState {
    /// It is about to be sent.
    Queued,
    /// It is on its way.
    Sent,
    /// The phone has it.
    Delivered,
    /// The phone will not get it.
    Failed,
    /// The code has expired, and no final report has come.
    Unknown,
}

impl ToldState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// How long after the start.
    pub after: Duration,
    /// Plivo's error code if it failed, 0 where there is none.
    pub failed: Option<u16>,
}

/// How the last message that was really sent to a phone ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastEnding {
    /// Plivo has reported its end.
    Reported(Ending),
    /// No final report came in time.
    Unreported,
    /// No message was sent, or none long enough ago.
    Unknown,
}

/// What is told of a message this long after its start. `life`: from its start to its code's expiry.
pub(super) fn told(ending: Option<Ending>, passed: Duration, life: Duration) -> ToldState {
    let steps = Duration::from_secs(passed.as_secs() / STEP.as_secs() * STEP.as_secs());
    match ending {
        _ if steps.is_zero() && passed < life => ToldState::Queued,
        Some(Ending { after, failed }) if after <= steps.min(life) => {
            if failed.is_some() {
                ToldState::Failed
            } else {
                ToldState::Delivered
            }
        }
        _ if passed < life => ToldState::Sent,
        _ => ToldState::Unknown,
    }
}

/// How a decoy ends; `None` where no report is to come.
pub(super) fn decoy_ending(keys: &Keys, phone: PhoneKey, send: &str, last: LastEnding) -> Option<Ending> {
    let [high, low, more, _, ..] = keys.decoy(send).short();
    let drawn = u16::from_be_bytes([high, low]) % 1000;
    match last {
        // Between three and five quarters of the time.
        LastEnding::Reported(Ending { after, failed }) => {
            Some(Ending { after: after * (768 + 2 * u32::from(more)) / 1024, failed })
        }
        LastEnding::Unreported => None,
        LastEnding::Unknown => {
            let [high, low, ..] = keys.decoy(&format!("{:016x}", u64::from_be_bytes(phone.0))).short();
            drawn_ending(u16::from_be_bytes([high, low]) % 1000, drawn, more)
        }
    }
}

/// The ending that numbers below 1000 draw, and one below 256.
fn drawn_ending(of_phone: u16, of_send: u16, fraction: u8) -> Option<Ending> {
    if of_phone < UNREPORTED {
        return None;
    }
    let failed = (of_phone < UNREPORTED + FAILING).then_some(0);
    let (from, steps) = match of_send {
        0..IN_ONE_STEP => (0, 1),
        IN_ONE_STEP..IN_TWO_STEPS => (1, 1),
        _ => (2, 4),
    };
    let after = STEP * from + STEP * steps * (u32::from(fraction) + 1) / 256;
    Some(Ending { after, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(300);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn delivered(after: u64) -> Option<Ending> {
        Some(Ending { after: seconds(after), failed: None })
    }

    fn keys() -> Keys {
        Keys::derive(&"0123456789abcdef".repeat(2).into()).unwrap()
    }

    #[test]
    fn a_message_is_told_in_steps() {
        use ToldState::{Delivered, Failed, Queued, Sent, Unknown};
        let failed = Some(Ending { after: seconds(5), failed: Some(30) });
        for (ending, passed, expected) in [
            (None, 0, Queued),
            (delivered(0), 0, Queued),
            (delivered(1), 4, Queued),
            (delivered(1), 5, Delivered),
            (delivered(5), 5, Delivered),
            (delivered(6), 9, Sent),
            (delivered(6), 10, Delivered),
            (failed, 4, Queued),
            (failed, 5, Failed),
            (None, 299, Sent),
            (None, 300, Unknown),
            (delivered(300), 299, Sent),
            (delivered(300), 300, Delivered),
            (delivered(301), 900, Unknown),
            (delivered(6), 100_000, Delivered),
        ] {
            assert_eq!(told(ending, seconds(passed), LIFE), expected, "{ending:?} {passed}");
        }
        assert_eq!(told(None, seconds(3), seconds(3)), Unknown, "a code that expires at once");
    }

    #[test]
    fn a_decoy_ends_as_the_last_message_to_the_phone_did_and_after_about_as_long() {
        let phone = PhoneKey([1; 8]);
        assert_eq!(decoy_ending(&keys(), phone, "send", LastEnding::Unreported), None);
        for number in 0..100 {
            let last = LastEnding::Reported(Ending { after: seconds(40), failed: Some(30) });
            let ending = decoy_ending(&keys(), phone, &number.to_string(), last).unwrap();
            assert_eq!(ending.failed, Some(30));
            assert!((seconds(30)..=seconds(50)).contains(&ending.after), "{ending:?}");
        }
    }

    #[test]
    fn a_decoy_to_a_new_phone_always_ends_alike_and_each_time_after_another_while() {
        let mut endings = std::collections::BTreeSet::new();
        for phone in 0..2000_u64 {
            let phone = PhoneKey(phone.to_be_bytes());
            let of = |send| decoy_ending(&keys(), phone, send, LastEnding::Unknown);
            assert_eq!(of("a"), of("a"));
            assert_eq!(of("a").map(|ending| ending.failed), of("b").map(|ending| ending.failed));
            endings.insert(of("a").map(|ending| ending.failed));
        }
        assert_eq!(endings.len(), 3, "delivered, failed and unreported ones");
    }

    /// In all that can be drawn: 97 of 100 are delivered, nearly all of them in the first step, and none later than in the sixth.
    #[test]
    fn decoys_are_spread_as_messages_are() {
        let all = || (0..1000).map(|send| drawn_ending(999, send, 255).unwrap().after);
        assert_eq!(all().filter(|after| *after <= STEP).count(), 940);
        assert_eq!(all().filter(|after| *after <= 2 * STEP).count(), 985);
        assert!(all().all(|after| after <= 6 * STEP));
        let phones = |failed: Option<Option<u16>>| {
            (0..1000).filter(|phone| drawn_ending(*phone, 0, 0).map(|ending| ending.failed) == failed).count()
        };
        assert_eq!((phones(None), phones(Some(Some(0))), phones(Some(None))), (15, 15, 970));
    }
}
