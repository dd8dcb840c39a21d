//! Optimistic locking: records that are decided on and written as a whole. Each write has a new random version, which is the condition of
//! the next. Of two that race one wins, and the other decides again on what stands then.

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::table::{Table, write};
use super::{Item, StoreError, number, text};
use crate::clock::Timestamp;
use crate::crypto::identifier;

/// Maximum number of attempts, each of which lost a race.
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

/// Lets `decide` change `record` and writes it, on condition that nobody wrote in between; otherwise decides again on what stands then.
/// `expires` says when TTL may remove the item, if ever, by what is written. Returns what was decided and the record as written. A refusal
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
    let version = identifier::random();
    for _ in 0..ATTEMPTS {
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
    let put = match seen {
        Some(seen) => {
            let put = put.condition_expression("#version = :seen").expression_attribute_names("#version", "version");
            put.expression_attribute_values(":seen", text(seen))
        }
        None => put.condition_expression("attribute_not_exists(id)"),
    };
    // Empty where TTL removed it in between: the next decision starts from nothing.
    write(|| put.clone().send()).await?.conflicting_item().map(|item| read(Some(item))).transpose()
}
