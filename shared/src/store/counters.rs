//! Counters, in the table of counters: what was spent, sent and verified, by budget shard and by number prefix,
//! and for the app's own messages.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `shard#` and its number; `prefix#` and 64 bits of the prefix's keyed hash; or `messages` |
//! | `version` | one more with each change |
//! | `hour` | hours since 1970 |
//! | scope and field, like `US-register_sends` | [`Field`] |
//! | `expires_at` | for TTL, seconds |
//!
//! Within an hour, changes only add, each on condition that the sums stay within bounds, so they do not get in each other's way: an item
//! takes as many as DynamoDB takes writes of one, 1,000 a second. Only the first in a new hour writes the whole item, on condition of its
//! version.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::table::{Backoff, Consistency, Key, Table, get_all, write};
use super::{Item, StoreError, names, number, values};
use crate::aws::AwsError;
use crate::clock::Timestamp;
use crate::spend::counter::{Addition, Counter, Field, RETENTION, VersionedCounter, hour_of};
use crate::spend::reservation::Reservation;

/// What the keys of prefixes' counters begin with.
const PREFIX: &str = "prefix#";
/// The most keys that DynamoDB reads in one call.
const READ_AT_ONCE: usize = 100;
/// Attributes that are no counts.
const FIXED: [&str; 4] = ["id", "version", "hour", "expires_at"];

/// A counter's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterKey {
    /// A shard of the budgets.
    Shard(usize),
    /// A number's prefix.
    Prefix([u8; 8]),
    /// The budget of the app's own messages.
    Messages,
}

impl CounterKey {
    pub(super) fn id(self) -> String {
        match self {
            Self::Shard(shard) => format!("shard#{shard}"),
            Self::Prefix(hash) => format!("{PREFIX}{:016x}", u64::from_be_bytes(hash)),
            Self::Messages => "messages".to_owned(),
        }
    }
}

/// A prefix's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixCounter {
    /// 64 bits of the prefix's keyed hash, in hex, as in the decision log.
    pub prefix: String,
    /// What it holds.
    pub counter: Counter,
}

/// The items of counters.
#[derive(Debug, Clone)]
pub struct Counters {
    pub(super) table: Table,
}

impl Counters {
    /// All shards of the budgets of codes, and the counter of the app's own messages, for an operator's commands (strongly consistent).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn budgets(&self, shards: usize) -> Result<(Vec<Counter>, Counter), StoreError> {
        let ids: Vec<_> =
            (0..shards).map(CounterKey::Shard).chain([CounterKey::Messages]).map(CounterKey::id).collect();
        let mut counters = Vec::with_capacity(ids.len());
        for ids in ids.chunks(READ_AT_ONCE) {
            let key = |id: &String| Key { table: &self.table, id: id.clone(), consistency: Consistency::Strong };
            let mut found = get_all(&ids.iter().map(key).collect::<Vec<_>>()).await?;
            for id in ids {
                counters.push(read(found.take(&self.table, id))?.counter);
            }
        }
        let messages = counters.pop().unwrap_or_default();
        Ok((counters, messages))
    }

    /// The counters of all prefixes. Scans the table, which only an operator may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prefixes(&self) -> Result<Vec<PrefixCounter>, StoreError> {
        let of = |item: Item| {
            let id = item.get("id").and_then(|id| id.as_s().ok()).and_then(|id| id.strip_prefix(PREFIX));
            Ok(PrefixCounter { prefix: id.unwrap_or_default().to_owned(), counter: read(Some(item))?.counter })
        };
        self.table.scan(Some(PREFIX)).await?.into_iter().map(of).collect()
    }

    /// Adds all of it, on condition that no sum exceeds its maximum; `false` when one would. `current` is what was read a moment ago. Where
    /// a response is lost, an addition may count twice: then less is left, never more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add(
        &self,
        key: CounterKey,
        mut current: VersionedCounter,
        additions: &[Addition],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = key.id();
        // The first write of a new hour waits a little: others may still count in the old one.
        let mut backoff = Backoff::default();
        loop {
            let counter = current.counter.at(now);
            if !additions.iter().all(|addition| addition.fits(&counter)) {
                return Ok(false);
            }
            let found = match current.version {
                Some(_) if counter.hour == current.counter.hour => {
                    self.add_within_hour(&id, counter.hour, additions).await?
                }
                version => self.replace(&id, counter, version, additions, now).await?,
            };
            match found {
                None => return Ok(true),
                Some(found) => current = read(Some(found))?,
            }
            if !backoff.pause().await {
                return Err(StoreError::Throttled("UpdateItem"));
            }
        }
    }

    /// Takes a message's price from the first shard that still has room; `None` when none has. More than one is asked only while a budget
    /// runs out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reserve(&self, reservation: &Reservation, now: Timestamp) -> Result<Option<usize>, StoreError> {
        for (shard, counter) in &reservation.shards {
            if self.add(CounterKey::Shard(*shard), counter.clone(), &reservation.additions, now).await? {
                return Ok(Some(*shard));
            }
        }
        Ok(None)
    }

    /// The usual way: an addition within the counter's own hour. Returns the item that refused it.
    async fn add_within_hour(&self, id: &str, hour: i64, additions: &[Addition]) -> Result<Option<Item>, StoreError> {
        let update = self.addition(id, hour, additions);
        let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(write(|| update.clone().send()).await?.conflicting_item())
    }

    /// The first change in a new hour.
    async fn replace(
        &self,
        id: &str,
        mut counter: Counter,
        version: Option<i64>,
        additions: &[Addition],
        now: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        for addition in additions {
            *counter.counts.entry(addition.name.clone()).or_default() += addition.amount;
        }
        let mut item: Item = counter.counts.into_iter().map(|(name, count)| (name, number(count))).collect();
        item.insert("version".to_owned(), number(version.unwrap_or_default() + 1));
        item.insert("hour".to_owned(), number(counter.hour.max(hour_of(now))));
        item.insert("expires_at".to_owned(), number(now.plus(RETENTION).as_seconds()));
        let put = self.table.put(id, item);
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match version {
            Some(version) => put
                .condition_expression("#version = :seen")
                .set_expression_attribute_names(names([("#version", "version")]))
                .expression_attribute_values(":seen", number(version)),
            None => put.condition_expression("attribute_not_exists(id)"),
        };
        Ok(write(|| put.clone().send()).await?.conflicting_item())
    }

    /// Counts what became of a message that was counted there: a code that came back right, or one that was not delivered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_one(&self, key: CounterKey, field: Field, scope: &str) -> Result<(), StoreError> {
        let update = self
            .table
            .update(&key.id(), "ADD #field :one, #version :one")
            .condition_expression("attribute_exists(id)")
            .set_expression_attribute_names(names([("#field", &field.of(scope)), ("#version", "version")]))
            .set_expression_attribute_values(values([(":one", number(1))]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Gives back what was added, where the hour is still the same. Never retried, so that it is not given back twice: what is lost here
    /// only leaves less than there is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, key: CounterKey, additions: &[Addition], now: Timestamp) -> Result<(), StoreError> {
        let negated =
            |addition: &Addition| Addition { name: addition.name.clone(), amount: -addition.amount, max: None };
        let negated: Vec<_> = additions.iter().map(negated).collect();
        let update = self.addition(&key.id(), hour_of(now), &negated).customize();
        let once = update.config_override(Builder::new().retry_config(RetryConfig::disabled()));
        match Box::pin(once.send()).await.map_err(AwsError::from) {
            Err(error) if error.code() != Some("ConditionalCheckFailedException") => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Adds all, where it is still that hour and no sum exceeds its maximum.
    fn addition(&self, id: &str, hour: i64, additions: &[Addition]) -> UpdateItemFluentBuilder {
        let (mut expression, mut condition) = ("ADD #version :one".to_owned(), "#hour = :hour".to_owned());
        let mut update = self
            .table
            .update(id, "")
            .set_expression_attribute_names(names([("#version", "version"), ("#hour", "hour")]))
            .set_expression_attribute_values(values([(":one", number(1)), (":hour", number(hour))]));
        for (position, Addition { name, amount, max }) in additions.iter().enumerate() {
            expression += &format!(", #name{position} :amount{position}");
            update = update
                .expression_attribute_names(format!("#name{position}"), name)
                .expression_attribute_values(format!(":amount{position}"), number(*amount));
            if let Some(max) = max {
                condition +=
                    &format!(" AND (attribute_not_exists(#name{position}) OR #name{position} <= :max{position})");
                update = update.expression_attribute_values(format!(":max{position}"), number(max - amount));
            }
        }
        update.update_expression(expression).condition_expression(condition)
    }
}

/// A counter from its item; an empty one where there is none.
pub(super) fn read(item: Option<Item>) -> Result<VersionedCounter, StoreError> {
    let Some(item) = item.filter(|item| !item.is_empty()) else { return Ok(VersionedCounter::default()) };
    let number = |name: &str| match item.get(name) {
        Some(AttributeValue::N(number)) => {
            number.parse::<i64>().map_err(|error| StoreError::malformed("counters", error))
        }
        _ => Ok(0),
    };
    let counts: BTreeMap<_, _> = item
        .keys()
        .filter(|name| !FIXED.contains(&name.as_str()))
        .map(|name| Ok((name.clone(), number(name)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(VersionedCounter { version: Some(number("version")?), counter: Counter { hour: number("hour")?, counts } })
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::super::Store;
    use super::super::tests::{Fault, NOW, after, start};
    use super::*;

    const HOUR: u64 = 3600;
    const KEY: CounterKey = CounterKey::Shard(1);

    fn addition(amount: i64, max: i64) -> Addition {
        Addition { name: "US_spent_hour".to_owned(), amount, max: Some(max) }
    }

    fn in_day(amount: i64, max: i64) -> Addition {
        Addition { name: "US_spent_day".to_owned(), ..addition(amount, max) }
    }

    async fn stored(store: &Store, key: CounterKey) -> VersionedCounter {
        read(store.counters.table.get(&key.id(), Consistency::Strong).await.unwrap()).unwrap()
    }

    async fn counts(store: &Store, key: CounterKey) -> [i64; 2] {
        let counter = stored(store, key).await.counter;
        ["US_spent_hour", "US_spent_day"].map(|name| counter.counts.get(name).copied().unwrap_or_default())
    }

    async fn add(store: &Store, seen: &VersionedCounter, additions: &[Addition], now: Timestamp) -> bool {
        store.counters.add(KEY, seen.clone(), additions, now).await.unwrap()
    }

    #[tokio::test]
    async fn no_sum_exceeds_its_maximum_whatever_was_read_before() {
        let (store, _) = start().await;
        let nothing = VersionedCounter::default();
        assert!(!add(&store, &nothing, &[addition(11, 10)], NOW).await);
        assert_eq!(stored(&store, KEY).await, nothing);
        assert!(add(&store, &nothing, &[addition(4, 10)], NOW).await);
        let seen = stored(&store, KEY).await;
        assert!(add(&store, &seen, &[addition(6, 10), in_day(6, 6)], NOW).await);
        for seen in [nothing, seen, stored(&store, KEY).await] {
            assert!(!add(&store, &seen, &[addition(1, 10)], NOW).await);
            assert!(!add(&store, &seen, &[in_day(1, 6), addition(1, 99)], NOW).await, "all or none");
        }
        assert_eq!(counts(&store, KEY).await, [10, 6]);
    }

    #[tokio::test]
    async fn of_many_at_once_only_as_many_count_as_there_is_room_for() {
        let (store, _) = start().await;
        let nothing = VersionedCounter::default();
        let additions = [addition(1, 5)];
        let added = join_all((0..8).map(|_| add(&store, &nothing, &additions, NOW))).await;
        assert_eq!(added.into_iter().filter(|added| *added).count(), 5);
        assert_eq!(counts(&store, KEY).await, [5, 0]);
    }

    #[tokio::test]
    async fn the_first_in_a_new_hour_replaces_the_counter_and_later_ones_add_to_it() {
        let (store, http) = start().await;
        let both = [addition(2, 9), in_day(2, 9)];
        assert!(add(&store, &VersionedCounter::default(), &both, NOW).await);
        let old = stored(&store, KEY).await;
        http.take_calls();
        for (now, write, expected) in [
            (after(HOUR - 1), "UpdateItem", [4, 4]),
            (after(HOUR), "PutItem", [2, 6]),
            (after(HOUR), "UpdateItem", [4, 8]),
            (after(HOUR - 1), "UpdateItem", [5, 9]), // a clock that is behind counts in the hour that has begun
        ] {
            let seen = stored(&store, KEY).await;
            http.take_calls();
            let amount = expected[1] - counts(&store, KEY).await[1];
            http.take_calls();
            assert!(add(&store, &seen, &[addition(amount, 9), in_day(amount, 9)], now).await);
            assert_eq!(http.take_calls(), [write]);
            assert_eq!(counts(&store, KEY).await, expected);
            assert_eq!(stored(&store, KEY).await.version, seen.version.map(|version| version + 1));
        }
        assert!(!add(&store, &old, &[in_day(1, 9)], after(HOUR)).await, "what was read an hour ago does not count");
        let item = store.counters.table.get(&KEY.id(), Consistency::Strong).await.unwrap().unwrap();
        assert_eq!(item["expires_at"], number(after(HOUR).plus(RETENTION).as_seconds()));
    }

    #[tokio::test]
    async fn none_is_lost_where_the_hour_rolls() {
        let (store, _) = start().await;
        assert!(add(&store, &VersionedCounter::default(), &[in_day(1, 99)], NOW).await);
        let old = stored(&store, KEY).await;
        let additions = [addition(1, 99), in_day(1, 99)];
        // Two still count in the old hour, with a clock that is behind.
        let times = [after(HOUR), after(HOUR - 1), after(HOUR), after(HOUR - 1)];
        assert_eq!(join_all(times.map(|now| add(&store, &old, &additions, now))).await, [true; 4]);
        let counter = stored(&store, KEY).await.counter;
        assert_eq!((counter.hour, counter.get("US", Field::SpentDay)), (hour_of(after(HOUR)), 5));
    }

    #[tokio::test]
    async fn what_ttl_removed_in_between_begins_anew() {
        let (store, _) = start().await;
        let gone = VersionedCounter { version: Some(3), counter: Counter { hour: hour_of(NOW), ..Counter::default() } };
        assert!(add(&store, &gone, &[addition(2, 9)], NOW).await);
        assert_eq!(stored(&store, KEY).await.version, Some(1));
    }

    #[tokio::test]
    async fn a_lost_response_may_count_twice_but_never_beyond_the_maximum() {
        for (max, counted, expected) in [(9, true, 2), (1, false, 1)] {
            let (store, http) = start().await;
            http.spoil("PutItem", Fault::LoseResponse, 1);
            let added = add(&store, &VersionedCounter::default(), &[addition(1, max)], NOW).await;
            assert_eq!((added, counts(&store, KEY).await), (counted, [expected, 0]));
        }
    }

    #[tokio::test]
    async fn what_was_added_is_given_back_in_the_same_hour_only_and_never_tried_twice() {
        let (store, http) = start().await;
        let both = [addition(2, 4), in_day(2, 4)];
        assert!(add(&store, &VersionedCounter::default(), &both, NOW).await);
        for now in [after(HOUR), NOW.minus(std::time::Duration::from_millis(1))] {
            store.counters.release(KEY, &both, now).await.unwrap();
            assert_eq!(counts(&store, KEY).await, [2, 2], "another hour");
        }
        for (fault, left) in [(Fault::Throttle, [2, 2]), (Fault::Conflict, [2, 2]), (Fault::LoseResponse, [0, 0])] {
            http.take_calls();
            http.spoil("UpdateItem", fault, 1);
            assert!(store.counters.release(KEY, &both, after(HOUR - 1)).await.is_err());
            assert_eq!(http.take_calls(), ["UpdateItem"], "{fault:?}");
            assert_eq!(counts(&store, KEY).await, left, "{fault:?}");
        }
        store.counters.release(CounterKey::Shard(2), &both, NOW).await.unwrap();
        assert_eq!(stored(&store, CounterKey::Shard(2)).await, VersionedCounter::default(), "nothing was added");
    }

    #[tokio::test]
    async fn an_operator_finds_all_shards_and_prefixes_and_nothing_else() {
        let (store, http) = start().await;
        let add = async |key, amount| {
            store.counters.add(key, VersionedCounter::default(), &[addition(amount, 999)], NOW).await.unwrap()
        };
        let prefixes = [CounterKey::Prefix([0, 1, 2, 3, 4, 5, 6, 7]), CounterKey::Prefix([1; 8])];
        for (key, amount) in [0, 120, 121].map(CounterKey::Shard).into_iter().chain(prefixes).zip(1..) {
            assert!(add(key, amount).await);
        }
        assert!(add(CounterKey::Messages, 9).await);
        http.take_calls();
        let (shards, messages) = store.counters.budgets(121).await.unwrap();
        assert_eq!(http.take_calls(), ["BatchGetItem"; 2]);
        let counts: Vec<_> = shards.iter().map(|shard| shard.get("US", Field::SpentHour)).collect();
        assert_eq!((counts.len(), counts[0], counts[120], counts.iter().sum::<i64>()), (121, 1, 2, 3));
        assert_eq!(messages.get("US", Field::SpentHour), 9);
        let mut found = store.counters.prefixes().await.unwrap();
        found.sort_by(|one, other| one.prefix.cmp(&other.prefix));
        let found = found.iter().map(|found| (found.prefix.as_str(), found.counter.get("US", Field::SpentHour)));
        assert_eq!(found.collect::<Vec<_>>(), [("0001020304050607", 4), ("0101010101010101", 5)]);
    }

    #[tokio::test]
    async fn a_right_code_is_counted_only_where_a_message_was() {
        let (store, _) = start().await;
        store.counters.count_one(KEY, Field::Verified, "login").await.unwrap();
        assert_eq!(stored(&store, KEY).await, VersionedCounter::default());
        assert!(add(&store, &VersionedCounter::default(), &[addition(1, 9)], NOW).await);
        store.counters.count_one(KEY, Field::Verified, "login").await.unwrap();
        let VersionedCounter { version, counter } = stored(&store, KEY).await;
        assert_eq!((version, counter.get("login", Field::Verified)), (Some(2), 1));
    }

    #[tokio::test]
    async fn a_price_is_taken_from_the_first_shard_that_has_room() {
        let (store, http) = start().await;
        let shards = [1, 2].map(|shard| (shard, VersionedCounter::default())).into();
        let reservation = Reservation { additions: vec![addition(5, 9)], shards };
        for (shard, expected) in [(Some(1), [5, 0]), (Some(2), [5, 5]), (None, [5, 5]), (None, [5, 5])] {
            assert_eq!(store.counters.reserve(&reservation, NOW).await.unwrap(), shard);
            let [one, two] = [counts(&store, CounterKey::Shard(1)).await, counts(&store, CounterKey::Shard(2)).await];
            assert_eq!([one[0], two[0]], expected);
        }
        http.take_calls();
        let room = Reservation {
            additions: vec![addition(1, 9)],
            shards: vec![(1, stored(&store, KEY).await), (2, VersionedCounter::default())],
        };
        assert_eq!(store.counters.reserve(&room, NOW).await.unwrap(), Some(1));
        assert_eq!(http.take_calls(), ["GetItem", "UpdateItem"], "only the first is asked");
    }
}
