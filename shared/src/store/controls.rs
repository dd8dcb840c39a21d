//! The table of what concerns everybody. Its one item so far, `plivo`, counts Plivo's failures in a row, so that callers are
//! told early while it is down. It stands in no transaction. Every start needs it, so a function keeps what it read for a while: one
//! item bears 6,000 such reads a second, and no rate of starts may hang on it (`docs/scale.md`).
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `plivo` |
//! | `failures` | since the last success |
//! | `last_failure` | milliseconds |

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::table::Table;
use super::{Item, StoreError, number};
use crate::clock::Timestamp;

const TABLE: &str = "controls";
pub(super) const PROVIDER: &str = "plivo";
/// How long what was read is used, whether there was anything or not.
pub const KEPT: Duration = Duration::from_secs(15);

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
    kept: Arc<Mutex<Option<Kept>>>,
}

/// What was read or written last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    until: Timestamp,
    pub(super) provider: Option<Provider>,
}

impl Controls {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, kept: Arc::default() }
    }

    /// What is known without asking; `None` when that is too old.
    pub(super) fn known(&self, now: Timestamp) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).filter(|kept| now < kept.until)
    }

    pub(super) fn keep(&self, provider: Option<Provider>, now: Timestamp) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { until: now.plus(KEPT), provider });
    }

    /// Notes that so many failures in a row are known now. Two that are noted at once may count as one, which only delays what
    /// follows from them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_failed(&self, failures: u64, now: Timestamp) -> Result<(), StoreError> {
        self.keep(Some(Provider { failures, last_failure: now }), now);
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
    pub async fn provider_recovered(&self, now: Timestamp) -> Result<(), StoreError> {
        self.keep(None, now);
        self.table.write(&self.table.delete(PROVIDER)).await.map(drop)
    }
}

/// How Plivo has been doing; `None` when its last answer was good.
pub(super) fn read_provider(item: Option<Item>) -> Result<Option<Provider>, StoreError> {
    item.map(serde_dynamo::from_item).transpose().map_err(|error| StoreError::malformed(TABLE, error))
}
