//! Optimistic locking of records that are written as a whole. Each write sets a new random version, which is the condition of the next. Of two
//! writes that race one wins, and the other decides again on the new record.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::table::{Table, write};
use super::{Item, StoreError, number, text};
use crate::clock::Timestamp;
use crate::crypto::identifier;

/// The most attempts, each of which lost a race.
const ATTEMPTS: usize = 500;

/// A record with a version, in an item of its own.
pub(super) trait Versioned: Default + Serialize + DeserializeOwned {
    /// Its table, for errors.
    const TABLE: &'static str;

    /// The attribute `version`.
    fn version(&mut self) -> &mut Option<String>;
}

/// A record from its item; an empty one where there is none.
pub(super) fn read<R: Versioned>(item: Option<Item>) -> Result<R, StoreError> {
    let read = |item| from_item(item).map_err(|error| StoreError::malformed(R::TABLE, error));
    item.map_or_else(|| Ok(R::default()), read)
}

/// Lets `decide` change `record` and writes it, on condition that nobody wrote in between; otherwise decides again on the record as it is then.
/// `expires` says, by the new record, when TTL may remove the item, if ever. Returns what was decided and the record as written. A refusal
/// by `decide` writes nothing and is the inner error.
///
/// # Errors
/// [`StoreError`]; `Throttled` when the races do not end.
pub(super) async fn update<R: Versioned, T, E>(
    table: &Table,
    id: &str,
    mut record: R,
    expires: impl Fn(&R) -> Option<Timestamp>,
    mut decide: impl FnMut(&mut R) -> Result<T, E>,
) -> Result<Result<(T, R), E>, StoreError> {
    for _ in 0..ATTEMPTS {
        // A new one each time: were an earlier one written again, a stale write on condition of it would succeed.
        let version = identifier::random();
        let seen = record.version().take();
        let decided = match decide(&mut record) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        *record.version() = Some(version.clone());
        match put(table, id, &record, seen, expires(&record)).await? {
            None => return Ok(Ok((decided, record))),
            Some(current) => record = current,
        }
        // The response to our own write was lost, and a retry met it.
        if record.version().as_ref() == Some(&version) {
            return Ok(Ok((decided, record)));
        }
    }
    Err(StoreError::Throttled("PutItem"))
}

/// Writes the record where `seen` still stands; returns what stands instead where it does not.
async fn put<R: Versioned>(
    table: &Table,
    id: &str,
    record: &R,
    seen: Option<String>,
    expires: Option<Timestamp>,
) -> Result<Option<R>, StoreError> {
    let mut item: Item = to_item(record).map_err(|error| StoreError::malformed(R::TABLE, error))?;
    if let Some(expires) = expires {
        item.insert("expires_at".to_owned(), number(expires.as_seconds()));
    }
    let put = table.put(id, item).return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = put.expression_attribute_names("#version", "version");
    let put = match seen {
        Some(seen) => put.condition_expression("#version = :seen").expression_attribute_values(":seen", text(seen)),
        // Also where an item has none, as from an import: it could never be written otherwise.
        None => put.condition_expression("attribute_not_exists(#version)"),
    };
    // Empty where TTL removed it in between: the next decision starts from nothing.
    write(|| put.clone().send()).await?.conflicting_item().map(|item| read(Some(item))).transpose()
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use serde::Deserialize;

    use super::super::AttributeValue;
    use super::super::table::Consistency;
    use super::super::tests::{Fault, start};
    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Record {
        #[serde(default)]
        version: Option<String>,
        #[serde(default)]
        count: u32,
    }

    impl Versioned for Record {
        const TABLE: &'static str = "records";

        fn version(&mut self) -> &mut Option<String> {
            &mut self.version
        }
    }

    async fn stored(table: &Table) -> Record {
        read(table.get("id", Consistency::Strong).await.unwrap()).unwrap()
    }

    /// Adds one up to a maximum; returns what was found by each decision.
    async fn add(table: &Table, record: Record, max: u32) -> Result<Result<Vec<u32>, u32>, StoreError> {
        let mut seen = Vec::new();
        let decide = |record: &mut Record| {
            seen.push(record.count);
            record.count += 1;
            if record.count > max { Err(record.count) } else { Ok(()) }
        };
        let updated = update(table, "id", record, |_| None, decide).await?;
        Ok(updated.map(|_| seen))
    }

    #[tokio::test]
    async fn a_refusal_writes_nothing() {
        let (store, http) = start().await;
        assert_eq!(add(&store.phones.table, Record::default(), 0).await.unwrap(), Err(1));
        assert!(http.take_calls().is_empty());
    }

    #[tokio::test]
    async fn of_two_that_race_the_second_decides_again_on_what_the_first_wrote() {
        let (store, _) = start().await;
        let table = &store.phones.table;
        for count in [0, 2] {
            let old = stored(table).await;
            assert_eq!(add(table, old.clone(), 9).await.unwrap(), Ok(vec![count]));
            assert_eq!(add(table, old.clone(), 9).await.unwrap(), Ok(vec![count, count + 1]));
            assert_eq!(add(table, old, count + 2).await.unwrap(), Err(count + 3), "refused on what stands then");
        }
        assert_eq!(stored(table).await.count, 4);
    }

    #[tokio::test]
    async fn of_many_at_once_none_is_lost() {
        let (store, _) = start().await;
        let table = &store.phones.table;
        let added = join_all((0..8).map(|_| add(table, Record::default(), 5))).await;
        assert_eq!(added.into_iter().filter(|added| added.as_ref().unwrap().is_ok()).count(), 5);
        assert_eq!(stored(table).await.count, 5);
    }

    #[tokio::test]
    async fn a_write_whose_response_is_lost_is_recognised() {
        let (store, http) = start().await;
        let table = &store.phones.table;
        for count in 0..2 {
            http.spoil("PutItem", Fault::LoseResponse, 1);
            assert_eq!(add(table, stored(table).await, 9).await.unwrap(), Ok(vec![count]));
            assert_eq!(stored(table).await.count, count + 1);
        }
    }

    /// Found by a review: a later round wrote the version of a round whose response was lost.
    #[tokio::test]
    async fn a_write_whose_response_is_lost_brings_no_version_back() {
        let (store, http) = start().await;
        let table = &store.phones.table;
        http.spoil("PutItem", Fault::HoldResponse, 1);
        let (added, stale) = tokio::join!(add(table, Record::default(), 9), async {
            http.held.notified().await;
            let stale = stored(table).await;
            add(table, stale.clone(), 9).await.unwrap().unwrap();
            http.released.notify_one();
            stale
        });
        added.unwrap().unwrap();
        let before = stored(table).await.count;
        assert_eq!(add(table, stale, 9).await.unwrap(), Ok(vec![1, before]));
        assert_eq!(stored(table).await.count, before + 1);
    }

    #[tokio::test]
    async fn what_ttl_removed_in_between_is_decided_anew() {
        let (store, _) = start().await;
        let table = &store.phones.table;
        add(table, Record::default(), 9).await.unwrap().unwrap();
        let old = stored(table).await;
        write(|| table.delete("id").send()).await.unwrap();
        assert_eq!(add(table, old, 9).await.unwrap(), Ok(vec![1, 0]));
        assert_eq!(stored(table).await.count, 1);
    }

    #[tokio::test]
    async fn races_that_do_not_end_and_items_that_cannot_be_read_are_errors() {
        let (store, _) = start().await;
        let table = &store.phones.table;
        // It is there, so no write is on condition of none, and is read as none.
        let item = Item::from([("version".to_owned(), AttributeValue::Null(true))]);
        write(|| table.put("id", item.clone()).send()).await.unwrap();
        let error = add(table, Record::default(), 9999).await.unwrap_err();
        assert!(matches!(error, StoreError::Throttled("PutItem")), "{error:?}");
        let item = Item::from([("count".to_owned(), text("one")), ("version".to_owned(), text("1"))]);
        write(|| table.put("id", item.clone()).send()).await.unwrap();
        let error = add(table, Record::default(), 9).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed { table: "records", .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_item_without_a_version_is_given_one() {
        let (store, _) = start().await;
        let table = &store.phones.table;
        write(|| table.put("id", Item::from([("count".to_owned(), number(1))])).send()).await.unwrap();
        let old = stored(table).await;
        assert_eq!(add(table, old.clone(), 9).await.unwrap(), Ok(vec![1]));
        assert_eq!(add(table, old, 9).await.unwrap(), Ok(vec![1, 2]), "once");
    }
}
