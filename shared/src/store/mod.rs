//! DynamoDB: one small struct per table, each method named after what it is for, each condition documented. The only place that
//! knows DynamoDB. Knows no rules (those are in `auth`) and no HTTP. Uses `aws`, `clock`, `random`, and the types of `sending`.
//!
//! Every write that decides something is conditional and says so; expiry is in the condition, TTL only tidies up. A write that
//! is repeated because its answer was lost finds its own mark and counts once. But the end of a session leaves none, and is then told
//! as refused though it is over; and a tally may count twice.

mod addresses;
mod controls;
mod decisions;
mod messages;
mod phones;
mod record;
mod sessions;
mod start;
mod table;
mod tallies;
mod users;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::AwsError;

pub use addresses::{AddressKey, AddressRecord, Addresses};
pub use controls::{Controls, KEPT as CONTROLS_KEPT, Known, Provider, SwitchChange, SwitchRecord};
pub use decisions::{DecisionRecord, Decisions};
#[cfg(test)]
pub(crate) use messages::LEASE;
pub use messages::{Claim, Claimed, Messages, Sent};
pub use phones::{Code, Counted, Counts, Pending, PhoneKey, PhoneRecord, Phones, Slot};
pub use sessions::{NewSession, Session, Sessions};
pub use start::{BeforeStart, Sources, Who, before_start};
pub(crate) use table::Table;
pub use tallies::{Addition, Kept, Tallies, TallyKey};
pub use users::{ENABLED, Login, NewUser, Profile, Registered, Users};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// Storage failed. A condition that did not hold is never one of these: it is an ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled or unreachable for longer than we try: worth another request.
    #[error("storage does not answer")]
    Unavailable(#[from] AwsError),
    /// No capacity for a part of what was asked, or others were quicker each time, for longer than we try: worth another request.
    #[error("storage does not answer: {0} was throttled or met others too often")]
    Throttled(&'static str),
    /// An item that does not hold what it must.
    #[error("an item of {table} cannot be read")]
    Malformed {
        /// Which table's.
        table: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No random bytes for a revision.
    #[error(transparent)]
    Random(#[from] crate::random::RandomError),
}

impl StoreError {
    fn malformed(table: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Malformed { table, source: Box::new(source) }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
