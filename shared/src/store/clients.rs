//! Client networks, in the table of counters: one item each, with the starts and the wrong codes that came from it. Items expire a day after their last use.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `client#` and 64 bits of the network's keyed hash |
//! | `version` | random, new with each write: the condition of the next |
//! | `starts` | the starts of the last hour whose code has not come back: times, and for which phone |
//! | `wrong_codes` | the wrong codes of the last day: times, and for which phone |
//! | `countries` | when each country was last called |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::optimistic::{self, Versioned};
use super::table::Table;
use super::{PhoneKey, StoreError};
use crate::clock::Timestamp;

/// The key of a client network's item: 64 bits of its keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientKey(pub [u8; 8]);

impl ClientKey {
    pub(super) fn id(self) -> String {
        format!("client#{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Tells the phones apart that one network asked for: 32 bits of a phone's keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneTag(u32);

impl From<PhoneKey> for PhoneTag {
    fn from(PhoneKey([.., a, b, c, d]): PhoneKey) -> Self {
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

/// What is kept about a client network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRecord {
    #[serde(default)]
    version: Option<String>,
    /// Starts whose code has not come back, oldest first.
    #[serde(default)]
    pub starts: Vec<(Timestamp, PhoneTag)>,
    /// Wrong codes, oldest first.
    #[serde(default)]
    pub wrong_codes: Vec<(Timestamp, PhoneTag)>,
    /// When each country was last called.
    #[serde(default)]
    pub countries: BTreeMap<String, Timestamp>,
}

impl Versioned for ClientRecord {
    const TABLE: &'static str = "counters";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

/// The items of client networks.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(super) table: Table,
}

impl Clients {
    /// Lets `decide` change `record` and writes it with optimistic locking.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update<T, E>(
        &self,
        client: ClientKey,
        record: ClientRecord,
        expires: Timestamp,
        decide: impl FnMut(&mut ClientRecord) -> Result<T, E>,
    ) -> Result<Result<(T, ClientRecord), E>, StoreError> {
        optimistic::update(&self.table, &client.id(), record, |_| Some(expires), decide).await
    }
}
