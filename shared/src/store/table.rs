//! What the tables have in common: reads by the key `id`, conditional writes, transactions of them.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem, Update};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{Item, StoreError, text};
use crate::aws::AwsError;
use crate::crypto::random;

/// The most attempts of a call that meets only conflicts.
const ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt, in milliseconds; it doubles with each.
const BACKOFF_MILLIS: u64 = 20;
/// Cancellation reasons that say nothing about the conditions (DynamoDB: TransactWriteItems).
const RETRYABLE: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// How current a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consistency {
    /// Sees everything that was written before. One read unit for 4 KB.
    Strong,
    /// May be a moment late. Half a unit.
    Eventual,
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

impl Table {
    pub(super) async fn get(&self, id: &str, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.name).key("id", text(id));
        let get = get.consistent_read(consistency == Consistency::Strong);
        Ok(Box::pin(get.send()).await.map_err(AwsError::from)?.item)
    }

    /// All items, or those whose key begins with this. Reads the whole table: for an operator's commands, since the functions' roles allow no
    /// scans.
    pub(super) async fn scan(&self, beginning: Option<&str>) -> Result<Vec<Item>, StoreError> {
        let mut scan = self.client.scan().table_name(&self.name).consistent_read(true);
        if let Some(beginning) = beginning {
            scan = scan
                .filter_expression("begins_with(id, :beginning)")
                .expression_attribute_values(":beginning", text(beginning));
        }
        let (mut items, mut found) = (scan.into_paginator().items().send(), Vec::new());
        while let Some(item) = items.next().await {
            found.push(item.map_err(AwsError::from)?);
        }
        Ok(found)
    }

    /// A write of the whole item, which replaces what is there.
    pub(super) fn put(&self, id: &str, item: Item) -> PutItemFluentBuilder {
        self.client.put_item().table_name(&self.name).set_item(Some(item)).item("id", text(id))
    }

    /// A change of the item, or its creation.
    pub(super) fn update(&self, id: &str, expression: impl Into<String>) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).key("id", text(id)).update_expression(expression)
    }

    pub(super) fn delete(&self, id: &str) -> DeleteItemFluentBuilder {
        self.client.delete_item().table_name(&self.name).key("id", text(id))
    }

    /// The part of a transaction that makes an item: on condition that there is none.
    pub(super) fn creation(&self, id: &str, item: Item) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).item("id", text(id));
        Ok(TransactWriteItem::builder().put(put.condition_expression("attribute_not_exists(id)").build()?).build())
    }

    /// The part of a transaction that removes an item, if it is there.
    pub(super) fn removal(&self, id: &str) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder().table_name(&self.name).key("id", text(id)).build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// The same, on this condition.
    pub(super) fn removal_if(
        &self,
        id: &str,
        condition: &str,
        names: Option<HashMap<String, String>>,
        values: Option<Item>,
    ) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder().table_name(&self.name).key("id", text(id)).condition_expression(condition);
        let delete = delete.set_expression_attribute_names(names).set_expression_attribute_values(values).build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// The part of a transaction that changes an item, on this condition.
    pub(super) fn change(
        &self,
        id: &str,
        (expression, condition): (&str, &str),
        names: Option<HashMap<String, String>>,
        values: Option<Item>,
    ) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder().table_name(&self.name).key("id", text(id)).update_expression(expression);
        let update = update.condition_expression(condition).set_expression_attribute_names(names);
        let update = update.set_expression_attribute_values(values).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Carries out all writes or none, whatever tables they are to. A lost response does not write twice: the SDK gives all attempts of a
    /// call one token. Conflicts are retried a bounded number of times, and never taken for a condition that failed.
    pub(super) async fn transact(
        &self,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
    ) -> Result<Transacted, StoreError> {
        let writes = writes.map_err(|error| StoreError::malformed("any", error))?;
        let mut backoff = Backoff::default();
        loop {
            let request = self.client.transact_write_items().set_transact_items(Some(writes.clone()));
            let Err(error) = Box::pin(request.send()).await else { return Ok(Transacted::Done) };
            if let Some(position) = position(&error, "ConditionalCheckFailed") {
                return Ok(Transacted::ConditionFailed(position));
            }
            let is_retryable = RETRYABLE.iter().any(|reason| position(&error, reason).is_some());
            if !is_retryable || !backoff.pause().await {
                return Err(AwsError::from(error).into());
            }
        }
    }
}

/// The first write that was cancelled for this reason.
fn position(error: &SdkError<TransactWriteItemsError, HttpResponse>, reason: &str) -> Option<usize> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons().iter().position(|cancelled| cancelled.code() == Some(reason))
        }
        _ => None,
    }
}

/// How a conditional write ended.
#[derive(Debug)]
pub(super) enum Written<T> {
    /// It is written.
    Done(T),
    /// The condition did not hold. The item as it stands, where the write asked for it and there is one.
    ConditionFailed(Item),
}

impl<T> Written<T> {
    /// The item that made the condition fail, if it did.
    pub(super) fn conflicting_item(self) -> Option<Item> {
        match self {
            Self::Done(_) => None,
            Self::ConditionFailed(found) => Some(found),
        }
    }
}

/// How a transaction ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Transacted {
    /// All of it is written.
    Done,
    /// None of it is: the condition of the write at this position did not hold (the first such).
    ConditionFailed(usize),
}

/// Sends a write. A condition that does not hold is an ordinary result. DynamoDB also refuses a write of an item that is part of a transaction
/// at that moment; this says nothing about the condition, so the write is retried a bounded number of times.
pub(super) async fn write<T, E, F>(send: impl Fn() -> F) -> Result<Written<T>, StoreError>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata,
    AwsError: From<SdkError<E, HttpResponse>>,
    aws_sdk_dynamodb::Error: From<SdkError<E, HttpResponse>>,
{
    let mut backoff = Backoff::default();
    loop {
        let error = match Box::pin(send()).await {
            Ok(output) => return Ok(Written::Done(output)),
            Err(error) => error,
        };
        match error.code() {
            Some("ConditionalCheckFailedException") => {
                let aws_sdk_dynamodb::Error::ConditionalCheckFailedException(failed) = error.into() else { continue };
                return Ok(Written::ConditionFailed(failed.item.unwrap_or_default()));
            }
            Some("TransactionConflictException") if backoff.pause().await => {}
            _ => return Err(AwsError::from(error).into()),
        }
    }
}

/// An item's place.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) table: &'a Table,
    pub(super) id: String,
    /// All items of one table are read alike.
    pub(super) consistency: Consistency,
}

/// The items of these keys, in one call: a cold start then needs one connection, and a warm one signs once. At most 100.
pub(super) async fn get_all(keys: &[Key<'_>]) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(first) = keys.first() else { return Ok(found) };
    let mut by_table: HashMap<&str, (Vec<Item>, bool)> = HashMap::new();
    for Key { table, id, consistency } in keys {
        let (keys, is_strong) = by_table.entry(&table.name).or_default();
        keys.push(HashMap::from([("id".to_owned(), text(id))]));
        *is_strong = *consistency == Consistency::Strong;
    }
    let requests = by_table.into_iter().map(|(table, (keys, is_strong))| {
        Ok((table.to_owned(), KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build()?))
    });
    let mut requested =
        requests.collect::<Result<_, BuildError>>().map_err(|error| StoreError::malformed("any", error))?;
    let mut backoff = Backoff::default();
    loop {
        let request = first.table.client.batch_get_item().set_request_items(Some(requested));
        let response = Box::pin(request.send()).await.map_err(AwsError::from)?;
        for (table, items) in response.responses.unwrap_or_default() {
            let items = items.into_iter().filter_map(|item| Some((id_of(&item)?, item)));
            found.0.entry(table).or_default().extend(items);
        }
        // Keys that a table had no capacity for are requested again.
        requested = response.unprocessed_keys.unwrap_or_default();
        if requested.is_empty() {
            return Ok(found);
        }
        if !backoff.pause().await {
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

pub(super) fn id_of(item: &Item) -> Option<String> {
    match item.get("id") {
        Some(AttributeValue::S(id)) => Some(id.clone()),
        _ => None,
    }
}

/// Random pauses between attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// Waits before the next attempt; `false` when there is none.
    pub(super) async fn pause(&mut self) -> bool {
        self.0 += 1;
        if self.0 >= ATTEMPTS {
            return false;
        }
        let pause = random::below(BACKOFF_MILLIS << (self.0 - 1));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::tests::{PHONE, connect};
    use crate::tests::drops_idle_connections;

    #[tokio::test]
    async fn a_call_on_a_connection_that_was_dropped_while_idle_is_repeated_on_another() {
        let (url, connections) = drops_idle_connections(200, "{}").await;
        let (store, http, _) = connect(url.strip_prefix("http://").unwrap());
        store.phones.get(PHONE).await.unwrap();
        store.phones.get(PHONE).await.unwrap();
        assert_eq!(connections.load(Ordering::Relaxed), 2);
        assert_eq!(http.take_calls().len(), 3, "the second call needs a second attempt");
    }
}
