//! DynamoDB's operations, as far as the tables use them: one item by its key `id`, several at once, a conditional write, a
//! transaction of such writes. Uses `aws`' client, `random`.
//!
//! Conflicts: DynamoDB refuses a write that meets a transaction on the same item. That says nothing about the condition, so it is
//! tried again, a bounded number of times, and never taken for a condition that failed.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use super::{Item, StoreError};
use crate::aws::AwsError;
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
    client: Client,
    name: String,
}

impl Table {
    pub(crate) const fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// The item of this key.
    pub(super) async fn get(&self, id: &str, read: Read) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key(id)));
        let answer = Box::pin(get.consistent_read(read == Read::Strong).send()).await.map_err(AwsError::from)?;
        Ok(answer.item)
    }

    /// A write of the whole item, which replaces what is there.
    pub(super) fn put(&self, mut item: Item, id: &str) -> Write<'_> {
        item.extend(key(id));
        Write::new(self, Kind::Put, item)
    }

    /// A change of the item, or its creation.
    pub(super) fn update<'a>(&'a self, id: &str, expression: &'a str) -> Write<'a> {
        Write { update: Some(expression), ..Write::new(self, Kind::Update, key(id)) }
    }

    /// The end of the item.
    pub(super) fn delete(&self, id: &str) -> Write<'_> {
        Write::new(self, Kind::Delete, key(id))
    }

    /// Carries a write out.
    pub(super) async fn write(&self, write: &Write<'_>) -> Result<Written, StoreError> {
        let mut tries = Tries::default();
        loop {
            match Box::pin(write.send(None)).await {
                Ok(written) => return Ok(written),
                Err(error) if error.code() == Some("TransactionConflictException") && tries.next().await? => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Carries a write out, or not: it is never sent a second time, so it is not carried out twice.
    pub(super) async fn write_once(&self, write: &Write<'_>) -> Result<(), StoreError> {
        let once = Builder::new().retry_config(RetryConfig::disabled());
        match Box::pin(write.send(Some(once))).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(_) => Err(StoreError::Throttled("a write without a condition")),
        }
    }

    /// Carries all writes out or none, whatever tables they are to. A lost answer does not write twice: all tries of one call have one
    /// token.
    pub(super) async fn transact(&self, writes: &[Write<'_>]) -> Result<Outcome, StoreError> {
        let mut tries = Tries::default();
        loop {
            let actions = writes.iter().map(Write::action).collect::<Result<Vec<_>, _>>();
            let actions = actions.map_err(|error| StoreError::malformed("any", error))?;
            let token = uuid::format(&random::bytes()?);
            let request = self.client.transact_write_items().set_transact_items(Some(actions));
            let error = match Box::pin(request.client_request_token(token).send()).await {
                Ok(_) => return Ok(Outcome::Done),
                Err(error) => error,
            };
            let position = |reason: &str| match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().iter().position(|cancelled| cancelled.code() == Some(reason))
                }
                _ => None,
            };
            if let Some(position) = position("ConditionalCheckFailed") {
                return Ok(Outcome::Refused(position));
            }
            let passing = PASSING.iter().any(|reason| position(reason).is_some());
            if !passing || !tries.next().await? {
                return Err(AwsError::from(error).into());
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
    let mut asked: HashMap<String, (Vec<Item>, bool)> = HashMap::new();
    for Key { table, id, read } in keys {
        let (keys, strong) = asked.entry(table.name.clone()).or_default();
        keys.push(key(id));
        *strong = *read == Read::Strong;
    }
    let keys = asked.into_iter().map(|(table, (keys, strong))| {
        Ok((table, KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(strong).build()?))
    });
    let mut asked = keys.collect::<Result<_, BuildError>>().map_err(|error| StoreError::malformed("any", error))?;
    let mut tries = Tries::default();
    loop {
        let request = first.table.client.batch_get_item().set_request_items(Some(asked));
        let answer = Box::pin(request.send()).await.map_err(AwsError::from)?;
        for (table, items) in answer.responses.unwrap_or_default() {
            let items = items.into_iter().filter_map(|item| Some((id_of(&item)?, item)));
            found.0.entry(table).or_default().extend(items);
        }
        // What a table had no capacity for is asked for again.
        asked = answer.unprocessed_keys.unwrap_or_default();
        if asked.is_empty() {
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

/// A write of one item, by itself or in a transaction.
#[derive(Debug)]
pub(super) struct Write<'a> {
    table: &'a Table,
    kind: Kind,
    /// The item of a put, else its key.
    item: Item,
    update: Option<&'a str>,
    condition: Option<&'a str>,
    names: HashMap<String, String>,
    values: Item,
    values_returned: Option<ReturnValue>,
    found_returned: Option<ReturnValuesOnConditionCheckFailure>,
}

/// Fills what all kinds of writes have in common, alone and in transactions.
macro_rules! fill {
    ($write:ident, $builder:expr) => {
        $builder
            .table_name(&$write.table.name)
            .set_condition_expression($write.condition.map(str::to_owned))
            .set_expression_attribute_names((!$write.names.is_empty()).then(|| $write.names.clone()))
            .set_expression_attribute_values((!$write.values.is_empty()).then(|| $write.values.clone()))
            .set_return_values_on_condition_check_failure($write.found_returned.clone())
    };
}

/// Sends a write. A condition that did not hold is an ordinary answer.
macro_rules! send {
    ($write:ident, $once:ident, $error:ident, $builder:expr) => {{
        let request = fill!($write, $builder).set_return_values($write.values_returned.clone()).customize();
        let request = match $once {
            Some(once) => request.config_override(once),
            None => request,
        };
        match request.send().await {
            Ok(answer) => Ok(Written::Done(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some($error::ConditionalCheckFailedException(refused)) => {
                    Ok(Written::Refused(refused.item().cloned().unwrap_or_default()))
                }
                _ => Err(error.into()),
            },
        }
    }};
}

impl<'a> Write<'a> {
    fn new(table: &'a Table, kind: Kind, item: Item) -> Self {
        let (names, values) = (HashMap::new(), HashMap::new());
        let (update, condition, values_returned, found_returned) = (None, None, None, None);
        Self { table, kind, item, update, condition, names, values, values_returned, found_returned }
    }

    /// Only where this holds.
    pub(super) const fn when(mut self, condition: &'a str) -> Self {
        self.condition = Some(condition);
        self
    }

    /// What a `#name` of the expressions stands for.
    pub(super) fn name(mut self, name: &str, attribute: &str) -> Self {
        self.names.insert(name.to_owned(), attribute.to_owned());
        self
    }

    /// What a `:value` of the expressions stands for.
    pub(super) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }

    /// [`Written::Done`] holds the item as it then is.
    pub(super) fn returning_new(mut self) -> Self {
        self.values_returned = Some(ReturnValue::AllNew);
        self
    }

    /// [`Written::Refused`] holds the item that stood in the way.
    pub(super) fn returning_found(mut self) -> Self {
        self.found_returned = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self
    }

    async fn send(&self, once: Option<Builder>) -> Result<Written, AwsError> {
        let (client, item) = (&self.table.client, Some(self.item.clone()));
        match self.kind {
            Kind::Put => send!(self, once, PutItemError, client.put_item().set_item(item)),
            Kind::Delete => send!(self, once, DeleteItemError, client.delete_item().set_key(item)),
            Kind::Update => {
                let update = client.update_item().set_key(item).set_update_expression(self.update.map(str::to_owned));
                send!(self, once, UpdateItemError, update)
            }
        }
    }

    fn action(&self) -> Result<TransactWriteItem, BuildError> {
        let (item, action) = (Some(self.item.clone()), TransactWriteItem::builder());
        let action = match self.kind {
            Kind::Put => action.put(fill!(self, Put::builder().set_item(item)).build()?),
            Kind::Delete => action.delete(fill!(self, Delete::builder().set_key(item)).build()?),
            Kind::Update => {
                let update = Update::builder().set_key(item).set_update_expression(self.update.map(str::to_owned));
                action.update(fill!(self, update).build()?)
            }
        };
        Ok(action.build())
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

fn key(id: &str) -> Item {
    HashMap::from([("id".to_owned(), AttributeValue::S(id.to_owned()))])
}
