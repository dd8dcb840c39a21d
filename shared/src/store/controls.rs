//! The table of what concerns everybody. Its one item so far, `plivo`, counts Plivo's failures in a row, so that callers are
//! told early while it is down. It stands in no transaction.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `plivo` |
//! | `failures` | since the last success |
//! | `last_failure` | milliseconds |

use serde::Deserialize;

use super::table::Table;
use super::{Item, StoreError, number};
use crate::clock::Timestamp;

const TABLE: &str = "controls";
pub(super) const PROVIDER: &str = "plivo";

/// How Plivo has been doing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Provider {
    /// Failures since the last success.
    pub failures: u64,
    /// When the last one was.
    pub last_failure: Timestamp,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Controls {
    pub(super) table: Table,
}

impl Controls {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Notes that so many failures in a row are known now. Two that are noted at once may count as one, which only delays what
    /// follows from them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_failed(&self, failures: u64, now: Timestamp) -> Result<(), StoreError> {
        let write = self
            .table
            .update(PROVIDER, "SET failures = :failures, last_failure = :now")
            .value(":failures", number(i64::try_from(failures).unwrap_or(i64::MAX)))
            .value(":now", number(now.as_millis()));
        self.table.write(&write).await.map(drop)
    }

    /// Forgets the failures.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_recovered(&self) -> Result<(), StoreError> {
        self.table.write(&self.table.delete(PROVIDER)).await.map(drop)
    }
}

/// How Plivo has been doing; `None` when its last answer was good.
pub(super) fn read_provider(item: Option<Item>) -> Result<Option<Provider>, StoreError> {
    item.map(serde_dynamo::from_item).transpose().map_err(|error| StoreError::malformed(TABLE, error))
}
