//! DynamoDB's operations, as far as the tables use them: one item by its key `id`, several at once, a conditional write, a
//! transaction of such writes. Uses `aws`, `random`.
//!
//! Conflicts: DynamoDB refuses a write that meets a transaction on the same item. That says nothing about the condition, so it is
//! tried again, a bounded number of times, and never taken for a condition that failed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::AttributeValue;

use super::{Item, StoreError};
use crate::aws::{Api, AwsError, Refusal};
use crate::random::{self, RandomError};
use crate::uuid;

/// How often a write is tried that meets conflicts only.
const TRIES: u32 = 5;
/// The longest pause before the second try; it doubles with each.
const PAUSE_MILLIS: u64 = 20;
/// Reasons of a cancellation that say nothing about the conditions (DynamoDB: TransactWriteItems).
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// How current a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// All that was written before is seen. One read unit for 4 KB.
    Strong,
    /// A moment late. Half a unit.
    Eventual,
}

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    api: Api,
    name: String,
}

impl Table {
    pub(crate) const fn new(api: Api, name: String) -> Self {
        Self { api, name }
    }

    /// The item of this key.
    pub(super) async fn get(&self, id: &str, read: Read) -> Result<Option<Item>, StoreError> {
        let request = GetItem { table_name: &self.name, key: key(id), consistent_read: read == Read::Strong };
        let answer: GotItem = self.api.call("GetItem", &request).await?;
        Ok(answer.item)
    }

    /// A write of the whole item, which replaces what is there.
    pub(super) fn put(&self, mut item: Item, id: &str) -> Write<'_> {
        item.extend(key(id));
        Write { item: Some(item), ..Write::new(Kind::Put, &self.name) }
    }

    /// A change of the item, or its creation.
    pub(super) fn update<'a>(&'a self, id: &str, expression: &'a str) -> Write<'a> {
        Write { key: Some(key(id)), update_expression: Some(expression), ..Write::new(Kind::Update, &self.name) }
    }

    /// The end of the item.
    pub(super) fn delete(&self, id: &str) -> Write<'_> {
        Write { key: Some(key(id)), ..Write::new(Kind::Delete, &self.name) }
    }

    /// Carries a write out.
    pub(super) async fn write(&self, write: &Write<'_>) -> Result<Written, StoreError> {
        let mut tries = Tries::default();
        loop {
            let error = match self.api.call::<WrittenItem>(write.kind.operation(), write).await {
                Ok(answer) => return Ok(Written::Done(answer.attributes)),
                Err(error) => error,
            };
            match error.refusal() {
                Some(refusal) if refusal.kind == "ConditionalCheckFailedException" => {
                    return found(refusal).map(Written::Refused).map_err(|error| StoreError::malformed("any", error));
                }
                Some(refusal) if refusal.kind == "TransactionConflictException" && tries.next().await? => {}
                _ => return Err(error.into()),
            }
        }
    }

    /// Carries a write out, or not: it is never sent a second time, so it is not carried out twice.
    pub(super) async fn write_once(&self, write: &Write<'_>) -> Result<(), StoreError> {
        let WrittenItem { .. } = self.api.call_once(write.kind.operation(), write).await?;
        Ok(())
    }

    /// Carries all writes out or none, whatever tables they are to. A lost answer does not write twice: all tries of one call have one
    /// token.
    pub(super) async fn transact(&self, writes: &[Write<'_>]) -> Result<Outcome, StoreError> {
        let mut tries = Tries::default();
        loop {
            let actions = writes.iter().map(|write| BTreeMap::from([(write.kind.action(), write)])).collect();
            let token = uuid::format(&random::bytes()?);
            let request = TransactWriteItems { transact_items: actions, client_request_token: token };
            let error = match self.api.call::<Nothing>("TransactWriteItems", &request).await {
                Ok(Nothing {}) => return Ok(Outcome::Done),
                Err(error) => error,
            };
            if let Some(position) = position(&error, "ConditionalCheckFailed") {
                return Ok(Outcome::Refused(position));
            }
            let passing = PASSING.iter().any(|reason| position(&error, reason).is_some());
            if !passing || !tries.next().await? {
                return Err(error.into());
            }
        }
    }
}

/// An item's place.
#[derive(Debug)]
pub(super) struct Key<'a> {
    table: &'a Table,
    id: String,
    read: Read,
}

impl<'a> Key<'a> {
    /// The item of this id in a table. All items of one table are read alike.
    pub(super) const fn new(table: &'a Table, id: String, read: Read) -> Self {
        Self { table, id, read }
    }
}

/// The items of these keys, in one call: a cold start then needs one connection, and a warm one signs once. At most 100.
pub(super) async fn get_all(keys: &[Key<'_>]) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(first) = keys.first() else { return Ok(found) };
    let mut request_items: HashMap<String, Keys> = HashMap::new();
    for Key { table, id, read } in keys {
        let asked = request_items.entry(table.name.clone()).or_default();
        asked.keys.push(key(id));
        asked.consistent_read = *read == Read::Strong;
    }
    let mut tries = Tries::default();
    loop {
        let answer: GotItems = first.table.api.call("BatchGetItem", &BatchGetItem { request_items }).await?;
        for (table, items) in answer.responses {
            let items = items.into_iter().filter_map(|item| Some((id_of(&item)?, item)));
            found.0.entry(table).or_default().extend(items);
        }
        // What a table had no capacity for is asked for again.
        request_items = answer.unprocessed_keys;
        if request_items.is_empty() {
            return Ok(found);
        }
        if !tries.next().await? {
            return Err(StoreError::Throttled("BatchGetItem"));
        }
    }
}

/// What was found, by table and id.
#[derive(Debug, Default)]
pub(super) struct Found(HashMap<String, HashMap<String, Item>>);

impl Found {
    /// Takes an item out, if it was found.
    pub(super) fn take(&mut self, table: &Table, id: &str) -> Option<Item> {
        self.0.get_mut(&table.name)?.remove(id)
    }
}

fn id_of(item: &Item) -> Option<String> {
    match item.get("id") {
        Some(AttributeValue::S(id)) => Some(id.clone()),
        _ => None,
    }
}

/// How a write ended.
#[derive(Debug)]
pub(super) enum Written {
    /// It is written; the attributes that were asked for.
    Done(Item),
    /// The condition did not hold; the item as it stands, where it was asked for and there is one.
    Refused(Item),
}

/// How a transaction ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it is written.
    Done,
    /// None of it is: the condition of the write at this position did not hold (the first such).
    Refused(usize),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Update,
    Delete,
}

impl Kind {
    const fn operation(self) -> &'static str {
        match self {
            Self::Put => "PutItem",
            Self::Update => "UpdateItem",
            Self::Delete => "DeleteItem",
        }
    }

    /// In a transaction.
    const fn action(self) -> &'static str {
        match self {
            Self::Put => "Put",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

/// A write of one item, by itself or in a transaction (DynamoDB: PutItem, UpdateItem, DeleteItem).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Write<'a> {
    #[serde(skip)]
    kind: Kind,
    table_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    expression_attribute_names: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    expression_attribute_values: BTreeMap<&'a str, AttributeValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_values: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_values_on_condition_check_failure: Option<&'static str>,
}

impl<'a> Write<'a> {
    const fn new(kind: Kind, table_name: &'a str) -> Self {
        Self {
            kind,
            table_name,
            key: None,
            item: None,
            update_expression: None,
            condition_expression: None,
            expression_attribute_names: BTreeMap::new(),
            expression_attribute_values: BTreeMap::new(),
            return_values: None,
            return_values_on_condition_check_failure: None,
        }
    }

    /// Only where this holds.
    pub(super) const fn when(mut self, condition: &'a str) -> Self {
        self.condition_expression = Some(condition);
        self
    }

    /// What a `#name` of the expressions stands for.
    pub(super) fn name(mut self, name: &'a str, attribute: &'a str) -> Self {
        self.expression_attribute_names.insert(name, attribute);
        self
    }

    /// What a `:value` of the expressions stands for.
    pub(super) fn value(mut self, name: &'a str, value: AttributeValue) -> Self {
        self.expression_attribute_values.insert(name, value);
        self
    }

    /// [`Written::Done`] holds the item as it then is.
    pub(super) const fn returning_new(mut self) -> Self {
        self.return_values = Some("ALL_NEW");
        self
    }

    /// [`Written::Refused`] holds the item that stood in the way.
    pub(super) const fn returning_found(mut self) -> Self {
        self.return_values_on_condition_check_failure = Some("ALL_OLD");
        self
    }
}

/// Counts tries and waits between them.
#[derive(Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Waits a random while before the next try; `false` when there is none.
    pub(super) async fn next(&mut self) -> Result<bool, RandomError> {
        self.0 += 1;
        if self.0 >= TRIES {
            return Ok(false);
        }
        let pause = random::below(PAUSE_MILLIS << (self.0 - 1))?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(true)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetItem<'a> {
    table_name: &'a str,
    key: Item,
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GotItem {
    item: Option<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGetItem {
    request_items: HashMap<String, Keys>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Vec<Item>,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GotItems {
    #[serde(default)]
    responses: HashMap<String, Vec<Item>>,
    #[serde(default)]
    unprocessed_keys: HashMap<String, Keys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenItem {
    #[serde(default)]
    attributes: Item,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TransactWriteItems<'a> {
    transact_items: Vec<BTreeMap<&'static str, &'a Write<'a>>>,
    client_request_token: String,
}

#[derive(Deserialize)]
struct Nothing {}

fn key(id: &str) -> Item {
    HashMap::from([("id".to_owned(), AttributeValue::S(id.to_owned()))])
}

/// The item in a refusal; empty where there is none.
fn found(refusal: &Refusal) -> serde_json::Result<Item> {
    refusal.details.get("Item").map_or_else(|| Ok(Item::new()), Item::deserialize)
}

/// The first write that was cancelled for this reason.
fn position(error: &AwsError, reason: &str) -> Option<usize> {
    let cancelled = error.refusal().filter(|refusal| refusal.kind == "TransactionCanceledException")?;
    let reasons = cancelled.details.get("CancellationReasons")?.as_array()?;
    reasons.iter().position(|cancelled| cancelled["Code"] == reason)
}
