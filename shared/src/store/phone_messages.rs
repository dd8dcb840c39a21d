//! The app's own messages to each phone, in the table of counters: one item a phone. Items expire a day after the last message.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `messages#` and 64 bits of the phone's keyed hash |
//! | `version` | random, new with each write: the condition of the next |
//! | `times` | when messages were sent, in the last day |
//! | `expires_at` | for TTL, seconds |

use serde::{Deserialize, Serialize};

use super::optimistic::{self, Versioned};
use super::table::Table;
use super::{PhoneKey, StoreError};
use crate::clock::Timestamp;

/// What is kept about a phone's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneMessages {
    #[serde(default)]
    version: Option<String>,
    /// When each was sent, oldest first.
    #[serde(default)]
    pub times: Vec<Timestamp>,
}

impl Versioned for PhoneMessages {
    const TABLE: &'static str = "counters";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

/// The items of phones that got messages.
#[derive(Debug, Clone)]
pub struct PhoneMessagesTable {
    pub(super) table: Table,
}

/// The item's key.
pub(super) fn id(PhoneKey(hash): PhoneKey) -> String {
    format!("messages#{:016x}", u64::from_be_bytes(hash))
}

impl PhoneMessagesTable {
    /// Lets `decide` change `record` and writes it with optimistic locking.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update<T, E>(
        &self,
        phone: PhoneKey,
        record: PhoneMessages,
        expires: Timestamp,
        decide: impl FnMut(&mut PhoneMessages) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneMessages), E>, StoreError> {
        optimistic::update(&self.table, &id(phone), record, |_| Some(expires), decide).await
    }
}
