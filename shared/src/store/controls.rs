//! The table of service-wide state: the circuit breaker, so that clients learn early that Plivo is down, and the kill switches. No
//! transaction includes it. Every start needs both items, so a function caches them for a while: DynamoDB serves 6,000 such reads of one item
//! a second, and the rate of starts must not depend on that (`docs/scale.md`).
//!
//! | `id` (key) | attributes |
//! |---|---|
//! | `circuit_breaker` | since the last success: `failures`, and the `prefixes` of numbers that failed; `last_failure`: milliseconds |
//! | `wrong_codes#` and the day (UTC), like `wrong_codes#20783` | `count`: wrong codes of that day; `expires_at` |
//! | `audit#`, milliseconds, random | an operator's change: [`AuditEntry`]; kept |
//! | `kill_switches` | `version`; `off`: names of what is switched off; `changes`: the last changes, each with `at`, `by`, `name`, `off`, `why` |

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::optimistic::{self, Versioned};
use super::table::{Consistency, Found, Key, Table, get_all, write};
use super::{Item, StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::identifier;
use crate::spend::kill_switch::{KillSwitch, KillSwitches};

const CIRCUIT_BREAKER: &str = "circuit_breaker";
const KILL_SWITCHES: &str = "kill_switches";
/// What the keys of the audit log's items begin with.
const AUDIT: &str = "audit#";
/// How long the items are cached, whether or not they exist: a kill switch takes effect after this long at the latest.
pub const MAX_AGE: Duration = Duration::from_secs(15);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The most changes of kill switches that are kept.
const MAX_CHANGES: usize = 100;

/// How Plivo has been doing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failures {
    /// Failures since the last success that do not depend on the number.
    pub failures: u64,
    /// Prefixes, as keyed hashes, whose numbers had failures that may depend on it.
    #[serde(default)]
    pub prefixes: BTreeSet<String>,
    /// When the last one was.
    pub last_failure: Timestamp,
}

/// The service-wide state.
#[derive(Debug, Clone, Default)]
pub struct ServiceStatus {
    /// Plivo's failures; `None` when its last answer was good.
    pub failures: Option<Failures>,
    /// What is switched off.
    pub kill_switches: Arc<KillSwitches>,
    /// Wrong codes of this day, for all phones.
    pub wrong_codes: usize,
}

#[derive(Deserialize)]
struct WrongCodes {
    count: usize,
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
    /// The time of the change.
    pub at: Timestamp,
    /// Who did it, as they stated.
    pub by: String,
    /// The name of the kill switch.
    pub name: String,
    /// Whether it was switched off; otherwise on.
    pub off: bool,
    /// Why, as they stated.
    pub why: String,
}

/// An operator's change, in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The time of the change.
    pub at: Timestamp,
    /// Who makes it, as they state.
    pub by: String,
    /// Whose credentials they use, as AWS knows them: the caller's ARN. `None` where AWS was not asked or did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Why, as they state.
    pub why: String,
    /// What is done, like `off DE` or `disable`.
    pub action: String,
    /// To whom: a user's objectId or a phone's keyed hash. `None` where it concerns everybody.
    #[serde(default, alias = "user", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl KillSwitchChange {
    /// The change as an entry of the audit log.
    pub fn audit_entry(&self, arn: Option<String>) -> AuditEntry {
        let Self { at, by, name, off, why } = self.clone();
        let action = format!("{} {name}", if off { "off" } else { "on" });
        AuditEntry { at, by, arn, why, action, target: None }
    }
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

/// The items that every start needs.
fn ids(now: Timestamp) -> [String; 3] {
    [CIRCUIT_BREAKER.to_owned(), KILL_SWITCHES.to_owned(), wrong_codes_id(now)]
}

fn wrong_codes_id(now: Timestamp) -> String {
    let day = now.as_millis().div_euclid(i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX));
    format!("wrong_codes#{day}")
}

fn read_wrong_codes(item: Option<Item>) -> Result<usize, StoreError> {
    let codes: Option<WrongCodes> =
        item.map(from_item).transpose().map_err(|error| StoreError::malformed(KillSwitchRecord::TABLE, error))?;
    Ok(codes.map_or(0, |codes| codes.count))
}

/// The controls table.
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
    pub(super) fn new(table: Table) -> Self {
        Self { table, cached: Arc::default() }
    }

    /// The service-wide state: as it was read within the last [`MAX_AGE`], or else read now, in two parallel calls. At a cold start these open
    /// the two connections that the first request needs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn status(&self, now: Timestamp) -> Result<ServiceStatus, StoreError> {
        if let Some(status) = self.cached(now) {
            return Ok(status);
        }
        let [failures, rest @ ..] = self.keys(now);
        let failures = self.table.get(&failures.id, failures.consistency);
        let (failures, mut rest) = tokio::try_join!(failures, get_all(&rest))?;
        let [_, switches, codes] = ids(now).map(|id| rest.take(&self.table, &id));
        self.cache([failures, switches, codes], now)
    }

    /// What is cached and not too old.
    pub(super) fn cached(&self, now: Timestamp) -> Option<ServiceStatus> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.until.is_some_and(|until| now < until).then(|| cached.status.clone())
    }

    /// The keys of its items, to read them together with others.
    pub(super) fn keys(&self, now: Timestamp) -> [Key<'_>; 3] {
        ids(now).map(|id| Key { table: &self.table, id, consistency: Consistency::Eventual })
    }

    /// The key of the item that counts the day's wrong codes.
    pub(super) fn wrong_codes_key(&self, now: Timestamp) -> Key<'_> {
        Key { table: &self.table, id: wrong_codes_id(now), consistency: Consistency::Eventual }
    }

    /// Takes the day's wrong codes from what was found; none where they were not counted or not read.
    pub(super) fn take_wrong_codes(&self, found: &mut Found, now: Timestamp) -> Result<usize, StoreError> {
        read_wrong_codes(found.take(&self.table, &wrong_codes_id(now)))
    }

    /// Takes it from what was found, and caches it.
    pub(super) fn take(&self, found: &mut Found, now: Timestamp) -> Result<ServiceStatus, StoreError> {
        self.cache(ids(now).map(|id| found.take(&self.table, &id)), now)
    }

    fn cache(
        &self,
        [failures, switches, codes]: [Option<Item>; 3],
        now: Timestamp,
    ) -> Result<ServiceStatus, StoreError> {
        let failures = failures.map(from_item).transpose();
        let failures = failures.map_err(|error| StoreError::malformed(KillSwitchRecord::TABLE, error))?;
        let switches = optimistic::read::<KillSwitchRecord>(switches)?.switches();
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if *cached.status.kill_switches != switches {
            tracing::warn!(event = "sys_kill_switches_changed", off = %switches, "kill switches have changed");
        }
        let wrong_codes = read_wrong_codes(codes)?;
        let status = ServiceStatus { failures, kill_switches: Arc::new(switches), wrong_codes };
        *cached = Cached { until: Some(now.plus(MAX_AGE)), status: status.clone() };
        Ok(status)
    }

    /// A written value is cached at once; it does not renew the age of what was read beside it.
    fn cache_failures(&self, failures: Option<Failures>) {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner).status.failures = failures;
    }

    /// Records the failures since the last success. Of two that are recorded at once one may be lost, which only opens the circuit later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_failures(&self, failures: Failures) -> Result<(), StoreError> {
        let prefixes = AttributeValue::L(failures.prefixes.iter().map(text).collect());
        let update = self
            .table
            .update(CIRCUIT_BREAKER, "SET failures = :failures, prefixes = :prefixes, last_failure = :now")
            .set_expression_attribute_values(values([
                (":failures", number(i64::try_from(failures.failures).unwrap_or(i64::MAX))),
                (":prefixes", prefixes),
                (":now", number(failures.last_failure.as_millis())),
            ]));
        self.cache_failures(Some(failures));
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

    /// Counts a wrong code.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_wrong_code(&self, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .table
            .update(&wrong_codes_id(now), "ADD #count :one SET expires_at = :expires")
            .set_expression_attribute_names(names([("#count", "count")]))
            .set_expression_attribute_values(values([
                (":one", number(1)),
                (":expires", number(now.plus(2 * DAY).as_seconds())),
            ]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Switches something off or on, and records who did it. Anybody who may write the table may do this.
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

    /// Records an operator's change in the audit log, in an item of its own, which is kept. Called before the change is made: none is
    /// missing, and one that then failed is in it, too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let item = to_item(entry).map_err(|error| StoreError::malformed(KillSwitchRecord::TABLE, error))?;
        let put = self.table.put(&format!("{AUDIT}{}#{}", entry.at.as_millis(), identifier::random()), item);
        write(|| put.clone().send()).await.map(drop)
    }

    /// The whole audit log, newest first. Scans the table, which only an operator may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_log(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let read = |item| from_item(item).map_err(|error| StoreError::malformed(KillSwitchRecord::TABLE, error));
        let items = self.table.scan(Some(AUDIT)).await?.into_iter();
        let mut entries = items.map(read).collect::<Result<Vec<AuditEntry>, _>>()?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok(entries)
    }

    /// What is switched off, and the last changes (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn kill_switches(&self) -> Result<KillSwitchRecord, StoreError> {
        optimistic::read(self.table.get(KILL_SWITCHES, Consistency::Strong).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::tests::{Fault, NOW, after, start};
    use super::*;

    const AGE: u64 = MAX_AGE.as_secs();

    /// What another process sees.
    fn another(store: &Store) -> Controls {
        Controls::new(store.controls.table.clone())
    }

    fn failures(failures: u64, last_failure: Timestamp) -> Failures {
        Failures { failures, prefixes: ["p".to_owned()].into(), last_failure }
    }

    async fn switch(controls: &Controls, name: &str, off: bool, at: Timestamp) -> KillSwitchRecord {
        let (by, name, why) = ("anna".to_owned(), name.to_owned(), "pumping".to_owned());
        let switch = KillSwitch::parse(&name).unwrap();
        controls.switch(&switch, KillSwitchChange { at, by, name, off, why }).await.unwrap()
    }

    async fn status(controls: &Controls, now: Timestamp) -> (Option<(u64, Timestamp)>, String) {
        let ServiceStatus { failures, kill_switches, .. } = controls.status(now).await.unwrap();
        (failures.map(|failures| (failures.failures, failures.last_failure)), kill_switches.to_string())
    }

    #[tokio::test]
    async fn the_status_is_read_once_in_fifteen_seconds_whether_there_is_anything_or_not() {
        let (store, http) = start().await;
        let almost = Timestamp::from_millis(after(AGE).as_millis() - 1);
        for (now, calls) in [(NOW, 2), (NOW, 0), (almost, 0), (after(AGE), 2), (after(2 * AGE - 1), 0)] {
            assert_eq!(status(&store.controls, now).await, (None, "nothing".to_owned()));
            let mut made = http.take_calls();
            made.sort_unstable();
            assert_eq!(made, ["BatchGetItem", "GetItem"][..calls], "{now:?}");
        }
    }

    #[tokio::test]
    async fn what_others_change_is_seen_when_the_cached_status_is_old() {
        let (store, _) = start().await;
        assert_eq!(status(&store.controls, NOW).await, (None, "nothing".to_owned()));
        let other = another(&store);
        switch(&other, "DE", true, NOW).await;
        other.record_failures(failures(3, NOW)).await.unwrap();
        assert_eq!(status(&store.controls, after(AGE - 1)).await, (None, "nothing".to_owned()));
        assert_eq!(status(&store.controls, after(AGE)).await, (Some((3, NOW)), "DE".to_owned()));
    }

    #[tokio::test]
    async fn own_failures_are_known_at_once_and_make_nothing_else_younger() {
        let (store, http) = start().await;
        status(&store.controls, NOW).await;
        switch(&another(&store), "DE", true, NOW).await;
        store.controls.record_failures(failures(1, after(AGE - 1))).await.unwrap();
        http.take_calls();
        assert_eq!(status(&store.controls, after(AGE - 1)).await, (Some((1, after(AGE - 1))), "nothing".to_owned()));
        assert!(http.take_calls().is_empty());
        assert_eq!(status(&store.controls, after(AGE)).await, (Some((1, after(AGE - 1))), "DE".to_owned()));
        store.controls.record_success().await.unwrap();
        assert_eq!(status(&store.controls, after(AGE)).await.0, None);
        assert_eq!(status(&another(&store), after(AGE)).await.0, None);
    }

    #[tokio::test]
    async fn wrong_codes_are_counted_by_the_day() {
        let (store, _) = start().await;
        let day = Timestamp::from_millis(20_834 * 86_400_000);
        let at = |seconds: u64| day.plus(Duration::from_secs(seconds));
        for seconds in [0, 86_399, 86_400] {
            another(&store).count_wrong_code(at(seconds)).await.unwrap();
        }
        for (seconds, count) in [(0, 2), (86_399, 2), (86_400, 1), (2 * 86_400, 0)] {
            assert_eq!(another(&store).status(at(seconds)).await.unwrap().wrong_codes, count, "{seconds}");
        }
    }

    #[tokio::test]
    async fn a_change_is_recorded_with_who_made_it_and_why() {
        let (store, http) = start().await;
        switch(&store.controls, "login", true, NOW).await;
        http.spoil("PutItem", Fault::LoseResponse, 1);
        switch(&store.controls, "DE", true, after(1)).await;
        let record = switch(&store.controls, "login", false, after(2)).await;
        assert_eq!(record, store.controls.kill_switches().await.unwrap());
        assert_eq!(record.off, ["DE".to_owned()].into());
        let change = |seconds, name: &str, off| {
            let (by, why) = ("anna".to_owned(), "pumping".to_owned());
            KillSwitchChange { at: after(seconds), by, name: name.to_owned(), off, why }
        };
        assert_eq!(record.changes, [change(0, "login", true), change(1, "DE", true), change(2, "login", false)]);
    }

    #[tokio::test]
    async fn the_audit_log_has_the_newest_first_and_reads_entries_of_before_arns() {
        let (store, _) = start().await;
        let entry = |seconds, arn: Option<&str>, target: Option<&str>| AuditEntry {
            at: after(seconds),
            by: "anna".to_owned(),
            arn: arn.map(str::to_owned),
            why: "asked".to_owned(),
            action: "disable".to_owned(),
            target: target.map(str::to_owned),
        };
        let entries = [entry(0, Some("arn:aws:iam::1:user/anna"), Some("U-1")), entry(2, None, None)];
        for entry in &entries {
            store.controls.record_audit(entry).await.unwrap();
        }
        let old = [("by", "anna"), ("why", "asked"), ("user", "U-2"), ("action", "disable")];
        let mut item: Item = old.map(|(name, value)| (name.to_owned(), text(value))).into();
        item.insert("at".to_owned(), number(after(1).as_millis()));
        store.controls.table.put("audit#1#old", item).send().await.unwrap();
        store.controls.count_wrong_code(NOW).await.unwrap();
        let [first, last] = entries;
        assert_eq!(store.controls.audit_log().await.unwrap(), [last, entry(1, None, Some("U-2")), first]);
    }

    #[tokio::test]
    async fn of_two_operators_at_once_both_are_recorded() {
        let (store, _) = start().await;
        let other = another(&store);
        tokio::join!(switch(&store.controls, "DE", true, NOW), switch(&other, "FR", true, NOW));
        let record = store.controls.kill_switches().await.unwrap();
        assert_eq!((record.off.len(), record.changes.len()), (2, 2));
    }

    #[tokio::test]
    async fn the_last_hundred_changes_are_kept_and_all_that_is_off() {
        let (store, _) = start().await;
        switch(&store.controls, "DE", true, NOW).await;
        for second in 1..=100 {
            switch(&store.controls, "login", second % 2 == 1, after(second)).await;
        }
        let record = store.controls.kill_switches().await.unwrap();
        let times = [record.changes.first(), record.changes.last()].map(|change| change.unwrap().at);
        assert_eq!((record.changes.len(), times), (100, [after(1), after(100)]));
        assert_eq!(record.off, ["DE".to_owned()].into());
    }
}
