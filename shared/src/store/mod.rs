//! DynamoDB: one small struct per table, each method named after what it is for, each condition documented. The only place that
//! knows DynamoDB. Knows no rules (those are in `auth`) and no HTTP. Uses `clock`, `random`.
//!
//! Every write that decides something is conditional and says so; expiry is in the condition, TTL only tidies up. A write that
//! the SDK repeats because its answer was lost finds its own mark and counts once.

mod conflict;
mod controls;
mod messages;
mod phones;
mod sessions;
mod users;

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;

pub use controls::{Controls, Provider};
#[cfg(test)]
pub(crate) use messages::LEASE;
pub use messages::{Claim, Claimed, Messages, Sent};
pub use phones::{Counted, Pending, PhoneKey, PhoneRecord, Phones, Slot};
pub use sessions::{NewSession, Session, Sessions};
pub use users::{ENABLED, Login, NewUser, Profile, Registered, Users};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// Storage failed. A condition that did not hold is never one of these: it is an ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled, unreachable, or in conflict for longer than we try: worth another request.
    #[error("storage does not answer: {operation}")]
    Unavailable {
        /// The DynamoDB operation.
        operation: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
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
    fn unavailable<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        Self::Unavailable { operation, source: error.into() }
    }

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
