//! The decision log: one item for each start that got past the limits of its phone and its client, with what was known, what was decided
//! and what came of it. Functions only write it; `otpost replay` reads it. Items expire after 30 days.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | random |
//! | `phone`, `prefix`, `client` | 64 bits of each one's keyed hash, in hex |
//! | `inputs`, `decision` | `spend::pumping` |
//! | `sent` | whether a message went out, or was meant to |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::table::{Table, write};
use super::{ClientKey, Item, PhoneKey, StoreError, number};
use crate::crypto::identifier;
use crate::spend::pumping::{Decision, Inputs};

/// How long an entry is kept.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionLogEntry {
    /// The phone's keyed hash.
    pub phone: String,
    /// That of its prefix.
    pub prefix: String,
    /// That of the client network.
    pub client: String,
    /// What was known.
    pub inputs: Inputs,
    /// What was decided.
    pub decision: Decision,
    /// Whether a message went out: one that is allowed does not where there is no user, or to a phone that was sent enough.
    pub sent: bool,
}

impl DecisionLogEntry {
    /// An entry about these.
    pub fn new(
        (phone, prefix, client): (PhoneKey, [u8; 8], ClientKey),
        inputs: Inputs,
        decision: Decision,
        sent: bool,
    ) -> Self {
        let hex = |hash: [u8; 8]| format!("{:016x}", u64::from_be_bytes(hash));
        Self { phone: hex(phone.0), prefix: hex(prefix), client: hex(client.0), inputs, decision, sent }
    }

    /// Reads an item of the table.
    ///
    /// # Errors
    /// When it is not an entry.
    pub fn from_item(item: Item) -> Result<Self, StoreError> {
        from_item(item).map_err(|error| StoreError::malformed("decisions", error))
    }
}

/// The decisions table.
#[derive(Debug, Clone)]
pub struct DecisionLog {
    pub(super) table: Table,
}

impl DecisionLog {
    /// The whole log, oldest entry first. Scans the table, which only an operator may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<DecisionLogEntry>, StoreError> {
        let items = self.table.scan(None).await?.into_iter();
        let mut entries = items.map(DecisionLogEntry::from_item).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| entry.inputs.at);
        Ok(entries)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add(&self, entry: &DecisionLogEntry) -> Result<(), StoreError> {
        let mut item: Item = to_item(entry).map_err(|error| StoreError::malformed("decisions", error))?;
        item.insert("expires_at".to_owned(), number(entry.inputs.at.plus(RETENTION).as_seconds()));
        let put = self.table.put(&identifier::random(), item);
        write(|| put.clone().send()).await.map(drop)
    }
}
