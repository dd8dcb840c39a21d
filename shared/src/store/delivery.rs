//! What Plivo reports about a message: the same in the item of a phone and in that of a message. Reports come late, twice and in any order, one
//! for each part of a long text; a part's state changes only by a report with a higher sequence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::clock::Timestamp;

/// The state of a message or a part of one, in Plivo's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryState {
    /// Plivo has taken it.
    Queued,
    /// The carrier has taken it.
    Sent,
    /// The phone has it.
    #[strum(serialize = "delivered", serialize = "read")]
    Delivered,
    /// The carrier could not bring it to the phone.
    Undelivered,
    /// It never left Plivo.
    Failed,
}

impl DeliveryState {
    /// Whether nothing follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Undelivered | Self::Failed)
    }

    /// Whether the phone will not get it.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Undelivered | Self::Failed)
    }
}

/// A report about one part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The part's number, from 1, and how many there are.
    pub part: (u8, u8),
    /// What it says.
    pub content: Part,
}

/// What is known about one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Plivo's id of the message.
    pub uuid: String,
    /// The state.
    pub state: DeliveryState,
    /// The report's place in Plivo's order.
    pub sequence: u32,
    /// Plivo's error code, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The carrier, by mobile country and network code, like `310-260`, where the report says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// When the report came.
    pub at: Timestamp,
}

/// What is known about a message. Its parts are always written, so that an expression can set one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// By number.
    #[serde(default)]
    pub parts: BTreeMap<String, Part>,
    /// How many there are, once a report has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_count: Option<u8>,
}

impl Delivery {
    /// The state of the whole: failed with its first failed part, delivered with the last. `None` before the first report.
    pub fn state(&self) -> Option<DeliveryState> {
        if let Some(failed) = self.failure() {
            return Some(failed.state);
        }
        let least = self.parts.values().map(|part| part.state).min()?;
        let is_whole = self.parts.len() >= usize::from(self.part_count.unwrap_or(1));
        Some(if least == DeliveryState::Delivered && !is_whole { DeliveryState::Sent } else { least })
    }

    /// The same after a report.
    #[must_use]
    pub fn after(&self, report: &Report) -> Self {
        let (number, count) = report.part;
        let mut after = self.clone();
        after.parts.insert(number.to_string(), report.content.clone());
        after.part_count = Some(count);
        after
    }

    /// The final state, if there was none before.
    pub fn ended(&self, before: &Self) -> Option<DeliveryState> {
        let is_final = |state: &DeliveryState| state.is_final();
        if before.state().as_ref().is_some_and(is_final) { None } else { self.state().filter(is_final) }
    }

    /// The part that failed first, if any.
    pub fn failure(&self) -> Option<&Part> {
        self.parts.values().filter(|part| part.state.is_failure()).min_by_key(|part| part.at)
    }
}

#[cfg(test)]
mod tests {
    use super::DeliveryState::{Delivered, Failed, Queued, Sent, Undelivered};
    use super::*;

    fn of(states: &[DeliveryState], count: u8) -> Option<DeliveryState> {
        let part = |state| Part {
            uuid: "u".to_owned(),
            state,
            sequence: 1,
            error: None,
            carrier: None,
            at: Timestamp::from_millis(0),
        };
        let parts = states.iter().enumerate().map(|(number, state)| (number.to_string(), part(*state)));
        Delivery { parts: parts.collect(), part_count: Some(count) }.state()
    }

    #[test]
    fn a_message_is_delivered_with_its_last_part_and_failed_with_its_first_failed_one() {
        for (states, count, whole) in [
            (&[][..], 1, None),
            (&[Queued], 1, Some(Queued)),
            (&[Delivered], 1, Some(Delivered)),
            (&[Delivered], 2, Some(Sent)),
            (&[Delivered, Queued], 2, Some(Queued)),
            (&[Delivered, Delivered], 2, Some(Delivered)),
            (&[Delivered, Undelivered], 2, Some(Undelivered)),
            (&[Failed], 3, Some(Failed)),
        ] {
            assert_eq!(of(states, count), whole, "{states:?} of {count}");
        }
    }

    #[test]
    fn a_message_ends_once() {
        let report = |part, state| {
            let at = Timestamp::from_millis(0);
            Report { part, content: Part { uuid: "u".to_owned(), state, sequence: 1, error: None, carrier: None, at } }
        };
        let reports = [((1, 2), Sent), ((1, 2), Delivered), ((2, 2), Failed), ((1, 2), Failed)];
        let mut delivery = Delivery::default();
        let ended = reports.map(|(part, state)| {
            let after = delivery.after(&report(part, state));
            let ended = after.ended(&delivery);
            delivery = after;
            ended
        });
        assert_eq!(ended, [None, None, Some(Failed), None]);
    }

    #[test]
    fn plivo_s_words_are_read() {
        for (word, state) in [("queued", Some(Queued)), ("read", Some(Delivered)), ("undelivered", Some(Undelivered))] {
            assert_eq!(word.parse().ok(), state);
        }
        assert_eq!("lost".parse::<DeliveryState>().ok(), None);
    }
}
