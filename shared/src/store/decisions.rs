//! The table of decisions: one item for each start that got past the limits of its phone and its address, with what was known, what was
//! decided and what came of it. Functions only write it; `otpost replay` reads it. Items expire after 30 days. Uses `sending`.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | random |
//! | `phone`, `prefix`, `address` | 64 bits of each one's keyed hash, in hex |
//! | `inputs`, `decision` | `sending::decision` |
//! | `sent` | whether a message went out, or was meant to |
//! | `expires_at` | for TTL, seconds |

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::record::revision;
use super::table::Table;
use super::{AddressKey, Item, PhoneKey, StoreError, number};
use crate::sending::decision::{Decision, Inputs};

const TABLE: &str = "decisions";
/// How long a decision is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A decision as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The phone's keyed hash.
    pub phone: String,
    /// That of its prefix.
    pub prefix: String,
    /// That of the network that asked.
    pub address: String,
    /// What was known.
    pub inputs: Inputs,
    /// What was decided.
    pub decision: Decision,
    /// Whether a message went out: also one that is allowed does not where there is no user, or to a phone that was sent enough.
    pub sent: bool,
}

impl DecisionRecord {
    /// A record of a decision about these.
    pub fn new(who: (PhoneKey, [u8; 8], AddressKey), inputs: Inputs, decision: Decision, sent: bool) -> Self {
        let (phone, prefix, address) = who;
        let hex = |hash: [u8; 8]| format!("{:016x}", u64::from_be_bytes(hash));
        Self { phone: hex(phone.0), prefix: hex(prefix), address: hex(address.0), inputs, decision, sent }
    }

    /// Reads an item of the table.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_item(item: Item) -> Result<Self, StoreError> {
        from_item(item).map_err(|error| StoreError::malformed(TABLE, error))
    }
}

/// The table.
#[derive(Debug, Clone)]
pub struct Decisions {
    table: Table,
}

impl Decisions {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Keeps a decision.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(&self, record: &DecisionRecord) -> Result<(), StoreError> {
        let mut item: Item = to_item(record).map_err(|error| StoreError::malformed(TABLE, error))?;
        item.insert("expires_at".to_owned(), number(record.inputs.at.plus(KEPT).as_seconds()));
        self.table.write(&self.table.put(item, &revision()?)).await.map(drop)
    }
}
