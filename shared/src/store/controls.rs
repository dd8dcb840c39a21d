//! The table of what concerns everybody: how Plivo has been doing, so that callers are told early while it is down, and what is switched
//! off. It stands in no transaction. Every start needs both, so a function keeps what it read for a while: one
//! item bears 6,000 such reads a second, and no rate of starts may hang on it (`docs/scale.md`).
//!
//! | `id` (key) | attributes |
//! |---|---|
//! | `plivo` | `failures`: since the last success; `last_failure`: milliseconds |
//! | `switches` | `revision`; `off`: names of what is switched off; `changes`: the last changes, each with `at`, `by`, `name`, `off`, `why` |

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::record::{self, Record};
use super::table::{Found, Key, Read, Table, get_all};
use super::{Item, StoreError, number};
use crate::clock::Timestamp;
use crate::sending::switches::{Switch, Switches};

const TABLE: &str = "controls";
const PROVIDER: &str = "plivo";
const SWITCHES: &str = "switches";
/// How long what was read is used, whether there was anything or not: a switch works after so long at the latest.
pub const KEPT: Duration = Duration::from_secs(15);
/// So many changes of switches are kept.
const CHANGES: usize = 100;

/// How Plivo has been doing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Provider {
    /// Failures since the last success.
    pub failures: u64,
    /// When the last one was.
    pub last_failure: Timestamp,
}

/// What is known to concern everybody.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// How Plivo has been doing; `None` when its last answer was good.
    pub provider: Option<Provider>,
    /// What is switched off.
    pub switches: Arc<Switches>,
}

/// What is kept about switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRecord {
    #[serde(default)]
    revision: Option<String>,
    /// What is switched off.
    #[serde(default)]
    pub off: BTreeSet<String>,
    /// The last changes, oldest first.
    #[serde(default)]
    pub changes: Vec<SwitchChange>,
}

/// A change of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchChange {
    /// When.
    pub at: Timestamp,
    /// Who says that he did it.
    pub by: String,
    /// Which.
    pub name: String,
    /// Whether it was switched off; else on.
    pub off: bool,
    /// Why, as he says.
    pub why: String,
}

impl Record for SwitchRecord {
    const TABLE: &'static str = TABLE;

    fn revision(&mut self) -> &mut Option<String> {
        &mut self.revision
    }
}

impl SwitchRecord {
    fn switches(&self) -> Switches {
        Switches(self.off.iter().filter_map(|name| Switch::parse(name)).collect())
    }
}

/// The table.
#[derive(Debug, Clone)]
pub struct Controls {
    table: Table,
    kept: Arc<Mutex<Kept>>,
}

/// What was read or written last.
#[derive(Debug, Default)]
struct Kept {
    until: Option<Timestamp>,
    known: Known,
}

impl Controls {
    pub(crate) fn new(table: Table) -> Self {
        Self { table, kept: Arc::default() }
    }

    /// What is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known(&self, now: Timestamp) -> Result<Known, StoreError> {
        match self.kept(now) {
            Some(known) => Ok(known),
            None => self.read(&mut get_all(&self.keys()).await?, now),
        }
    }

    /// What is known without asking; `None` when that is too old.
    pub(super) fn kept(&self, now: Timestamp) -> Option<Known> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.until.is_some_and(|until| now < until).then(|| kept.known.clone())
    }

    /// The items that hold it: a moment late is in time.
    pub(super) fn keys(&self) -> [Key<'_>; 2] {
        [PROVIDER, SWITCHES].map(|id| Key::new(&self.table, id.to_owned(), Read::Eventual))
    }

    /// Takes it from what was found, and keeps it.
    pub(super) fn read(&self, found: &mut Found, now: Timestamp) -> Result<Known, StoreError> {
        let provider = found.take(&self.table, PROVIDER).map(from_item).transpose();
        let provider = provider.map_err(|error| StoreError::malformed(TABLE, error))?;
        let switches = record::read::<SwitchRecord>(found.take(&self.table, SWITCHES))?.switches();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept.known.switches != switches {
            tracing::warn!(event = "sys_switches_changed", off = %switches, "switches have changed");
        }
        *kept = Kept { until: Some(now.plus(KEPT)), known: Known { provider, switches: Arc::new(switches) } };
        Ok(kept.known.clone())
    }

    /// What was written is known at once; what was read beside it stays as old as it is.
    fn keep_provider(&self, provider: Option<Provider>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).known.provider = provider;
    }

    /// Notes that so many failures in a row are known now. Two that are noted at once may count as one, which only delays what
    /// follows from them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provider_failed(&self, failures: u64, now: Timestamp) -> Result<(), StoreError> {
        self.keep_provider(Some(Provider { failures, last_failure: now }));
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
        self.keep_provider(None);
        self.table.write(&self.table.delete(PROVIDER)).await.map(drop)
    }

    /// Switches something off or on, and notes who did it; whoever has the table may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn switch(&self, switch: &Switch, change: SwitchChange) -> Result<SwitchRecord, StoreError> {
        let decide = |record: &mut SwitchRecord| {
            if change.off {
                record.off.insert(switch.to_string());
            } else {
                record.off.remove(&switch.to_string());
            }
            record.changes.push(change.clone());
            let too_many = record.changes.len().saturating_sub(CHANGES);
            record.changes.drain(..too_many);
            Ok::<_, Infallible>(())
        };
        let record = self.switch_record().await?;
        let Ok(((), changed)) = record::change(&self.table, SWITCHES, record, |_| None, decide).await?;
        Ok(changed)
    }

    /// What is switched off, and the last changes (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn switch_record(&self) -> Result<SwitchRecord, StoreError> {
        let item: Option<Item> = self.table.get(SWITCHES, Read::Strong).await?;
        record::read(item)
    }
}
