//! Tallies, in the table of counters: what was spent, sent and verified, in slices of the budgets and by number prefix. Uses `table`,
//! `sending::tally`.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | `slice#` and its number, or `prefix#` and 64 bits of the prefix's keyed hash |
//! | `version` | one more with each change |
//! | `hour` | hours since 1970 |
//! | scope and count, like `US-register_sends` | `sending::tally::Count` |
//! | `expires_at` | for TTL, seconds |
//!
//! Within an hour, changes only add, each on condition that the sums stay within bounds, so none gets into another's way: an item takes as many
//! as DynamoDB takes writes of one, 1,000 a second. Only the first in a new hour writes the whole item, on condition of its version.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::table::{Table, Tries, Write, Written};
use super::{Item, StoreError, number};
use crate::clock::Timestamp;
use crate::sending::tally::{Count, KEPT, Tally, hour_of};

const TABLE: &str = "counters";
const FIXED: [&str; 4] = ["id", "version", "hour", "expires_at"];

/// A tally's item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TallyKey {
    /// A slice of the budgets.
    Slice(usize),
    /// A number's prefix.
    Prefix([u8; 8]),
}

impl TallyKey {
    pub(super) fn id(self) -> String {
        match self {
            Self::Slice(slice) => format!("slice#{slice}"),
            Self::Prefix(hash) => format!("prefix#{:016x}", u64::from_be_bytes(hash)),
        }
    }
}

/// A tally as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    version: Option<i64>,
    /// What it holds.
    pub tally: Tally,
}

/// What is to be added: the name of a count, how much, and the most that it may be then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// [`Count::of`].
    pub name: String,
    /// How much.
    pub amount: i64,
    /// The most, where there is one.
    pub most: Option<i64>,
}

impl Addition {
    /// Whether the sum stays within its most.
    pub(crate) fn fits(&self, tally: &Tally) -> bool {
        let before = tally.counts.get(&self.name).copied().unwrap_or_default();
        self.most.is_none_or(|most| before.saturating_add(self.amount) <= most)
    }
}

/// The items of tallies.
#[derive(Debug, Clone)]
pub struct Tallies {
    pub(super) table: Table,
}

impl Tallies {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// Adds all of it, on condition that no sum is over its most; `false` when one would be. `kept` is what was read a moment ago. Where an
    /// answer is lost, an addition may count twice: then there is less left, never more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add(
        &self,
        key: TallyKey,
        mut kept: Kept,
        additions: &[Addition],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = key.id();
        // Who meets the first of a new hour waits a little: others may still count in the old one.
        let mut tries = Tries::default();
        loop {
            let current = kept.tally.at(now);
            if !additions.iter().all(|addition| addition.fits(&current)) {
                return Ok(false);
            }
            let found = match kept.version {
                Some(_) if current.hour == kept.tally.hour => self.add_in_hour(&id, current.hour, additions).await?,
                version => self.put(&id, current, version, additions, now).await?,
            };
            match found {
                None => return Ok(true),
                Some(found) => kept = read_tally(Some(found))?,
            }
            if !tries.next().await? {
                return Err(StoreError::Throttled("UpdateItem"));
            }
        }
    }

    /// The usual way: an addition in the tally's own hour. Answers the item that stood in the way.
    async fn add_in_hour(&self, id: &str, hour: i64, additions: &[Addition]) -> Result<Option<Item>, StoreError> {
        let (update, condition, places) = expressions(additions);
        let write = self.table.update(id, &update).when(&condition).returning_found();
        self.carry_out(&fill_in(write, hour, additions, &places)).await
    }

    /// The first change in a new hour.
    async fn put(
        &self,
        id: &str,
        mut tally: Tally,
        version: Option<i64>,
        additions: &[Addition],
        now: Timestamp,
    ) -> Result<Option<Item>, StoreError> {
        for addition in additions {
            *tally.counts.entry(addition.name.clone()).or_default() += addition.amount;
        }
        tally.hour = tally.hour.max(hour_of(now));
        let mut item: Item = tally.counts.into_iter().map(|(name, count)| (name, number(count))).collect();
        item.insert("version".to_owned(), number(version.unwrap_or_default() + 1));
        item.insert("hour".to_owned(), number(tally.hour));
        item.insert("expires_at".to_owned(), number(now.plus(KEPT).as_seconds()));
        let write = self.table.put(item, id).returning_found();
        let write = match version {
            Some(version) => write.when("#version = :seen").name("#version", "version").value(":seen", number(version)),
            None => write.when("attribute_not_exists(id)"),
        };
        self.carry_out(&write).await
    }

    async fn carry_out(&self, write: &Write<'_>) -> Result<Option<Item>, StoreError> {
        match self.table.write(write).await? {
            Written::Done(_) => Ok(None),
            Written::Refused(found) => Ok(Some(found)),
        }
    }

    /// Counts a code that came back right, where the tally is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verified(&self, key: TallyKey, scope: &str) -> Result<(), StoreError> {
        let name = Count::Verified.of(scope);
        let write = self.table.update(&key.id(), "ADD #verified :one, #version :one").when("attribute_exists(id)");
        let write = write.name("#verified", &name).name("#version", "version").value(":one", number(1));
        self.table.write(&write).await.map(drop)
    }

    /// Gives back what was added, where the hour is still the same, and once at most: what is lost here only leaves less than there is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_back(&self, key: TallyKey, additions: &[Addition], now: Timestamp) -> Result<(), StoreError> {
        let taken =
            |addition: &Addition| Addition { name: addition.name.clone(), amount: -addition.amount, most: None };
        let taken: Vec<_> = additions.iter().map(taken).collect();
        let (update, condition, places) = expressions(&taken);
        let write = self.table.update(&key.id(), &update).when(&condition);
        let write = fill_in(write, hour_of(now), &taken, &places);
        self.table.write_once(&write).await
    }
}

/// An addition's name, amount and limit in the expressions.
type Place = (String, String, String);

/// Adds all, where it is still that hour and no sum gets over its most.
fn expressions(additions: &[Addition]) -> (String, String, Vec<Place>) {
    let places: Vec<Place> =
        (0..additions.len()).map(|place| (format!("#n{place}"), format!(":a{place}"), format!(":m{place}"))).collect();
    let mut update = "ADD #version :one".to_owned();
    let mut condition = "#hour = :hour".to_owned();
    for (addition, (name, amount, most)) in additions.iter().zip(&places) {
        update += &format!(", {name} {amount}");
        if addition.most.is_some() {
            condition += &format!(" AND (attribute_not_exists({name}) OR {name} <= {most})");
        }
    }
    (update, condition, places)
}

/// What the names in [`expressions`] stand for.
fn fill_in<'a>(write: Write<'a>, hour: i64, additions: &'a [Addition], places: &'a [Place]) -> Write<'a> {
    let write = write.name("#version", "version").value(":one", number(1));
    let mut write = write.name("#hour", "hour").value(":hour", number(hour));
    for (addition, (name, amount, most)) in additions.iter().zip(places) {
        write = write.name(name, &addition.name).value(amount, number(addition.amount));
        if let Some(limit) = addition.most {
            write = write.value(most, number(limit - addition.amount));
        }
    }
    write
}

/// A tally from its item; an empty one where there is none.
pub(super) fn read_tally(item: Option<Item>) -> Result<Kept, StoreError> {
    let Some(item) = item.filter(|item| !item.is_empty()) else { return Ok(Kept::default()) };
    let number = |name: &str| match item.get(name) {
        Some(AttributeValue::N(number)) => number.parse::<i64>().map_err(|error| StoreError::malformed(TABLE, error)),
        _ => Ok(0),
    };
    let counts: BTreeMap<_, _> = item
        .keys()
        .filter(|name| !FIXED.contains(&name.as_str()))
        .map(|name| Ok((name.clone(), number(name)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(Kept { version: Some(number("version")?), tally: Tally { hour: number("hour")?, counts } })
}
