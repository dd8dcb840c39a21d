//! DynamoDB: one struct per table, each method named after what it is for, each condition documented. Knows no rules (those are in `auth`
//! and `spend`) and no HTTP.
//!
//! Every write that decides something is conditional and says so; expiry is in the condition, TTL only tidies up. A write that is repeated
//! because its response was lost finds what it wrote and counts once. Two exceptions: the end of a session, which is then reported as
//! refused though the session is over; and a counter, which may count twice.

mod clients;
mod controls;
mod counters;
mod decision_log;
mod messages;
mod optimistic;
mod phones;
mod sessions;
mod start_state;
mod table;
#[cfg(test)]
mod testing;
mod users;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::AwsError;
use crate::config::Resources;

pub use clients::{ClientKey, ClientRecord, Clients};
pub use controls::{
    Controls, Failures, KillSwitchChange, KillSwitchRecord, MAX_AGE as SERVICE_STATUS_MAX_AGE, ServiceStatus,
};
pub use counters::{CounterKey, Counters};
pub use decision_log::{DecisionLog, DecisionLogEntry};
#[cfg(test)]
pub(crate) use messages::LEASE;
pub use messages::{Claim, Claimed, MessageState, Messages};
pub use phones::{Attempt, Challenge, PhoneCounts, PhoneKey, PhoneRecord, Phones, VerifiedCode};
pub use sessions::{NewSession, Session, Sessions};
pub use start_state::{StartKeys, StartState};
pub use users::{ENABLED, Login, NewUser, Profile, Registered, Users};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// All tables.
#[derive(Debug, Clone)]
pub struct Store {
    /// Users.
    pub users: Users,
    /// What is kept about phones.
    pub phones: Phones,
    /// Sessions.
    pub sessions: Sessions,
    /// What concerns everybody.
    pub controls: Controls,
    /// What became of messages.
    pub messages: Messages,
    /// What client networks asked for.
    pub clients: Clients,
    /// What was spent, sent and verified.
    pub counters: Counters,
    /// How sends were decided.
    pub decision_log: DecisionLog,
}

impl Store {
    /// The tables of these names; calls nobody.
    pub fn new(client: &Client, names: &Resources) -> Self {
        let table = |name: &String| table::Table { client: client.clone(), name: name.clone() };
        Self {
            users: Users { table: table(&names.users_table) },
            phones: Phones { table: table(&names.phones_table) },
            sessions: Sessions { table: table(&names.sessions_table) },
            controls: Controls::new(table(&names.controls_table)),
            messages: Messages { table: table(&names.messages_table) },
            clients: Clients { table: table(&names.counters_table) },
            counters: Counters { table: table(&names.counters_table) },
            decision_log: DecisionLog { table: table(&names.decisions_table) },
        }
    }
}

/// Storage failed. A condition that did not hold is never one of these: it is an ordinary result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled or unreachable for longer than we try: worth another request.
    #[error("storage does not answer")]
    Unavailable(#[from] AwsError),
    /// No capacity for a part of what was asked, or every race was lost, for longer than we try: worth another request.
    #[error("storage does not answer: {0} was throttled or lost every race")]
    Throttled(&'static str),
    /// An item that cannot be read or written as what it should be.
    #[error("an item of {table} cannot be read")]
    Malformed {
        /// Which table's.
        table: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    fn malformed(table: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Malformed { table, source: Box::new(source) }
    }
}

/// What the `#names` of an expression stand for.
fn names<const N: usize>(names: [(&str, &str); N]) -> Option<HashMap<String, String>> {
    Some(names.map(|(name, attribute)| (name.to_owned(), attribute.to_owned())).into())
}

/// What the `:values` of an expression stand for.
fn values<const N: usize>(values: [(&str, AttributeValue); N]) -> Option<Item> {
    Some(values.map(|(name, value)| (name.to_owned(), value)).into())
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
