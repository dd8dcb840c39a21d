//! The table of what concerns everybody: the circuit breaker of Plivo, so that callers are told early while it is down, and the kill
//! switches. It stands in no transaction. Every start needs both, so a function keeps what it read for a while: one item bears 6,000 such
//! reads a second, and no rate of starts may depend on it (`docs/scale.md`).
//!
//! | `id` (key) | attributes |
//! |---|---|
//! | `circuit_breaker` | `failures`: since the last success; `last_failure`: milliseconds |
//! | `kill_switches` | `version`; `off`: names of what is switched off; `changes`: the last changes, each with `at`, `by`, `name`, `off`, `why` |

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::optimistic::{self, Versioned};
use super::table::{Consistency, Found, Key, Table, write};
use super::{Item, StoreError, number, values};
use crate::clock::Timestamp;
use crate::spend::kill_switch::{KillSwitch, KillSwitches};

const CIRCUIT_BREAKER: &str = "circuit_breaker";
const KILL_SWITCHES: &str = "kill_switches";
/// How long what was read is used, whether there was anything or not: a kill switch works after this long at the latest.
pub const MAX_AGE: Duration = Duration::from_secs(15);
/// So many changes of kill switches are kept.
const MAX_CHANGES: usize = 100;

/// How Plivo has been doing.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Failures {
    /// Failures since the last success.
    pub failures: u64,
    /// When the last one was.
    pub last_failure: Timestamp,
}

/// What concerns everybody.
#[derive(Debug, Clone, Default)]
pub struct ServiceStatus {
    /// Plivo's failures; `None` when its last answer was good.
    pub failures: Option<Failures>,
    /// What is switched off.
    pub kill_switches: Arc<KillSwitches>,
}

/// What is kept about kill switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitchRecord {
    #[serde(default)]
    version: Option<String>,
    /// What is switched off.
    #[serde(default)]
    pub off: BTreeSet<String>,
    /// The last changes, oldest first.
    #[serde(default)]
    pub changes: Vec<KillSwitchChange>,
}

/// A change of a kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitchChange {
    /// When.
    pub at: Timestamp,
    /// Who did it, by their own word.
    pub by: String,
    /// Which.
    pub name: String,
    /// Whether it was switched off; otherwise on.
    pub off: bool,
    /// Why, by their own word.
    pub why: String,
}

impl Versioned for KillSwitchRecord {
    const TABLE: &'static str = "controls";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

impl KillSwitchRecord {
    fn switches(&self) -> KillSwitches {
        KillSwitches(self.off.iter().filter_map(|name| KillSwitch::parse(name)).collect())
    }
}

/// The table.
#[derive(Debug, Clone)]
pub struct Controls {
    pub(super) table: Table,
    cached: Arc<Mutex<Cached>>,
}

/// What was read or written last.
#[derive(Debug, Default)]
struct Cached {
    until: Option<Timestamp>,
    status: ServiceStatus,
}

impl Controls {
    /// The table of this name, for an operator's commands; calls nobody.
    pub fn of(client: &Client, table: &str) -> Self {
        Self::new(Table { client: client.clone(), name: table.to_owned() })
    }

    pub(super) fn new(table: Table) -> Self {
        Self { table, cached: Arc::default() }
    }

    /// What concerns everybody: as it was read within the last [`MAX_AGE`], otherwise read now, in two calls side by side. At a cold start
    /// these open the two connections that the first request needs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn status(&self, now: Timestamp) -> Result<ServiceStatus, StoreError> {
        if let Some(status) = self.cached(now) {
            return Ok(status);
        }
        let get = |id| self.table.get(id, Consistency::Eventual);
        let (failures, switches) = tokio::try_join!(get(CIRCUIT_BREAKER), get(KILL_SWITCHES))?;
        self.cache(failures, switches, now)
    }

    /// What is cached and not too old.
    pub(super) fn cached(&self, now: Timestamp) -> Option<ServiceStatus> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.until.is_some_and(|until| now < until).then(|| cached.status.clone())
    }

    /// The items that hold it, for whoever reads them with others.
    pub(super) fn keys(&self) -> [Key<'_>; 2] {
        [CIRCUIT_BREAKER, KILL_SWITCHES].map(|id| Key {
            table: &self.table,
            id: id.to_owned(),
            consistency: Consistency::Eventual,
        })
    }

    /// Takes it from what was found, and caches it.
    pub(super) fn take(&self, found: &mut Found, now: Timestamp) -> Result<ServiceStatus, StoreError> {
        let [failures, switches] = [CIRCUIT_BREAKER, KILL_SWITCHES].map(|id| found.take(&self.table, id));
        self.cache(failures, switches, now)
    }

    fn cache(
        &self,
        failures: Option<Item>,
        switches: Option<Item>,
        now: Timestamp,
    ) -> Result<ServiceStatus, StoreError> {
        let failures = failures.map(from_item).transpose();
        let failures = failures.map_err(|error| StoreError::malformed(KillSwitchRecord::TABLE, error))?;
        let switches = optimistic::read::<KillSwitchRecord>(switches)?.switches();
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if *cached.status.kill_switches != switches {
            tracing::warn!(event = "sys_kill_switches_changed", off = %switches, "kill switches have changed");
        }
        let status = ServiceStatus { failures, kill_switches: Arc::new(switches) };
        *cached = Cached { until: Some(now.plus(MAX_AGE)), status: status.clone() };
        Ok(status)
    }

    /// What was written is known at once; what was read beside it stays as old as it is.
    fn cache_failures(&self, failures: Option<Failures>) {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).status.failures = failures;
    }

    /// Records the number of failures in a row. Two that are recorded at once may count as one, which only opens the circuit later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_failure(&self, failures: u64, now: Timestamp) -> Result<(), StoreError> {
        self.cache_failures(Some(Failures { failures, last_failure: now }));
        let update = self
            .table
            .update(CIRCUIT_BREAKER, "SET failures = :failures, last_failure = :now")
            .set_expression_attribute_values(values([
                (":failures", number(i64::try_from(failures).unwrap_or(i64::MAX))),
                (":now", number(now.as_millis())),
            ]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Forgets the failures.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_success(&self) -> Result<(), StoreError> {
        self.cache_failures(None);
        write(|| self.table.delete(CIRCUIT_BREAKER).send()).await.map(drop)
    }

    /// Switches something off or on, and records who did it; whoever may write the table may do this.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn switch(&self, switch: &KillSwitch, change: KillSwitchChange) -> Result<KillSwitchRecord, StoreError> {
        let decide = |record: &mut KillSwitchRecord| {
            if change.off {
                record.off.insert(switch.to_string());
            } else {
                record.off.remove(&switch.to_string());
            }
            record.changes.push(change.clone());
            let surplus = record.changes.len().saturating_sub(MAX_CHANGES);
            record.changes.drain(..surplus);
            Ok::<_, Infallible>(())
        };
        let record = self.kill_switches().await?;
        let Ok(((), record)) = optimistic::update(&self.table, KILL_SWITCHES, record, |_| None, decide).await?;
        Ok(record)
    }

    /// What is switched off, and the last changes (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kill_switches(&self) -> Result<KillSwitchRecord, StoreError> {
        optimistic::read(self.table.get(KILL_SWITCHES, Consistency::Strong).await?)
    }
}
