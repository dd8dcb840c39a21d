//! Source addresses, in the table of counters: one item per network, with the starts that came from it. Items expire a day after their last use.
//! Uses `record`.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `address#` and 64 bits of the network's keyed hash |
//! | `revision` | random, new with each write: the condition of the next |
//! | `starts` | times of the starts of the last hour |
//! | `countries` | when each country was last called |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::record::{self, Record};
use super::table::Table;
use crate::clock::Timestamp;

/// The key of a network's item: 64 bits of its keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressKey(pub [u8; 8]);

impl AddressKey {
    pub(super) fn id(self) -> String {
        format!("address#{:016x}", u64::from_be_bytes(self.0))
    }
}

/// What is kept about a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRecord {
    #[serde(default)]
    revision: Option<String>,
    /// Times of the starts, oldest first.
    #[serde(default)]
    pub starts: Vec<Timestamp>,
    /// When each country was last called.
    #[serde(default)]
    pub countries: BTreeMap<String, Timestamp>,
}

impl Record for AddressRecord {
    const TABLE: &'static str = "counters";

    fn revision(&mut self) -> &mut Option<String> {
        &mut self.revision
    }
}

/// The items of addresses.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub(super) table: Table,
}

impl Addresses {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Decides on `record` and writes it, as `record::change` does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn change<T, E>(
        &self,
        address: AddressKey,
        record: AddressRecord,
        expires: Timestamp,
        decide: impl FnMut(&mut AddressRecord) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let changed = record::change(&self.table, &address.id(), record, |_| Some(expires), decide).await?;
        Ok(changed.map(|(decided, _)| decided))
    }
}
