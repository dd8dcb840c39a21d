//! What has happened to a phone, for the operator who is asked why no code came. The events stand in the phone's item and are written with it, so
//! they take no call of their own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::DeviceSlot;
use crate::clock::Timestamp;
use crate::flow::Flow;

/// How many events are kept for a phone when a start writes its item: the oldest go. Until the next start, the entries of codes add a few.
pub(super) const MAX_EVENTS: u8 = 20;
/// How long they keep the item from TTL.
pub(super) const EVENTS_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A refusal is noted once in this time.
const REFUSAL_SPAN: Duration = Duration::from_secs(60 * 60);

/// Something that has happened to a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneEvent {
    /// The time.
    pub at: Timestamp,
    /// From where: `device 2`, or `network` and the beginning of its keyed hash.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub what: PhoneAction,
}

impl PhoneEvent {
    /// Who does something: on one of the phone's devices, or in the network of this keyed hash.
    pub fn by(device: Option<DeviceSlot>, network: &str) -> String {
        let start: String = network.chars().take(8).collect();
        device.map_or_else(|| format!("network {start}"), |slot| format!("device {slot}"))
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum PhoneAction {
    /// A flow was started.
    Started {
        /// The flow.
        flow: Flow,
        /// The id of its send.
        send: String,
        /// When its code expires.
        expires: Timestamp,
        /// Why no message went out, where none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_sent: Option<String>,
    },
    /// A start was refused, or a code that came too late or too often.
    Refused {
        /// The flow.
        flow: Flow,
        /// By which limit or rule.
        reason: String,
    },
    /// A code was entered. It was wrong where it is not redeemed.
    Entered {
        /// What the code is for.
        flow: Flow,
        /// The attempt's id, shortened.
        attempt: String,
    },
    /// An entered code was right and has done its work: for a login, begun a session.
    Redeemed {
        /// What the code is for.
        flow: Flow,
        /// The attempt's id, shortened.
        attempt: String,
    },
}

/// The beginning of an attempt's id, which tells it from a phone's others.
pub(super) fn short_id(attempt: &str) -> String {
    attempt.chars().take(8).collect()
}

/// Whether this refusal would be noted: not where the same was noted within an hour.
pub fn is_new_refusal(events: &[PhoneEvent], refusal: &PhoneAction, now: Timestamp) -> bool {
    !events.iter().any(|event| event.what == *refusal && event.at > now.minus(REFUSAL_SPAN))
}
