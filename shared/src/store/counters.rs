//! Counters, in the table of counters: what was spent, sent and verified, by budget shard and by number prefix.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `shard#` and its number, or `prefix#` and 64 bits of the prefix's keyed hash |
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

use super::table::{Backoff, Table, write};
use super::{Item, StoreError, names, number, values};
use crate::aws::AwsError;
use crate::clock::Timestamp;
use crate::spend::counter::{Addition, Counter, Field, RETENTION, VersionedCounter, hour_of};
use crate::spend::reservation::Reservation;

/// Attributes that are no counts.
const FIXED: [&str; 4] = ["id", "version", "hour", "expires_at"];

/// A counter's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterKey {
    /// A shard of the budgets.
    Shard(usize),
    /// A number's prefix.
    Prefix([u8; 8]),
}

impl CounterKey {
    pub(super) fn id(self) -> String {
        match self {
            Self::Shard(shard) => format!("shard#{shard}"),
            Self::Prefix(hash) => format!("prefix#{:016x}", u64::from_be_bytes(hash)),
        }
    }
}

/// The items of counters.
#[derive(Debug, Clone)]
pub struct Counters {
    pub(super) table: Table,
}

impl Counters {
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
        // Whoever meets the first change of a new hour waits a little: others may still count in the old one.
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

    /// Counts a code that came back right.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_verified(&self, key: CounterKey, scope: &str) -> Result<(), StoreError> {
        let update = self
            .table
            .update(&key.id(), "ADD #verified :one, #version :one")
            .condition_expression("attribute_exists(id)")
            .set_expression_attribute_names(names([("#verified", &Field::Verified.of(scope)), ("#version", "version")]))
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
