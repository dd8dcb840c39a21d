//! Records that are decided on and written as a whole: each write has a new random revision, which is the condition of the next. So two that
//! race cannot both win, and the one that lost decides again on what stands then. Uses `table`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::table::{Table, Written};
use super::{Item, StoreError, number, text};
use crate::clock::Timestamp;
use crate::random;
use crate::uuid;

/// So often somebody may be quicker.
const TRIES: usize = 500;

/// A record with a revision, in an item of its own.
pub(super) trait Record: Default + Serialize + DeserializeOwned {
    /// Its table, for errors.
    const TABLE: &'static str;

    /// The attribute `revision`.
    fn revision(&mut self) -> &mut Option<String>;
}

/// A record from its item; an empty one where there is none.
pub(super) fn read<R: Record>(item: Option<Item>) -> Result<R, StoreError> {
    let read = |item| from_item(item).map_err(|error| StoreError::malformed(R::TABLE, error));
    item.map_or_else(|| Ok(R::default()), read)
}

/// Decides on `record` and writes it, on condition that nobody wrote in between; else decides again on what stands then.
/// `expires` is when TTL may remove the item, if ever, by what is written. Answers what was decided and the record as it was
/// written. A refusal by `decide` writes nothing and is the inner error.
///
/// # Errors
/// [`StoreError`]; `Throttled` when conflicts do not end.
pub(super) async fn change<R: Record, T, E>(
    table: &Table,
    id: &str,
    mut record: R,
    expires: impl Fn(&R) -> Option<Timestamp>,
    mut decide: impl FnMut(&mut R) -> Result<T, E>,
) -> Result<Result<(T, R), E>, StoreError> {
    let revision = revision()?;
    for _ in 0..TRIES {
        let seen = record.revision().take();
        let decided = match decide(&mut record) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        *record.revision() = Some(revision.clone());
        match put(table, id, &record, seen, expires(&record)).await? {
            None => return Ok(Ok((decided, record))),
            Some(current) => record = current,
        }
        // The answer to our own write was lost, and a further try met it.
        if record.revision().as_ref() == Some(&revision) {
            return Ok(Ok((decided, record)));
        }
    }
    Err(StoreError::Throttled("PutItem"))
}

/// Writes the record where `seen` still stands; what stands instead where it does not.
async fn put<R: Record>(
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
    let write = table.put(item, id).returning_found();
    let write = match seen {
        Some(seen) => write.when("revision = :seen").value(":seen", text(seen)),
        None => write.when("attribute_not_exists(id)"),
    };
    match table.write(&write).await? {
        Written::Done(_) => Ok(None),
        // Empty where TTL removed it in between: the next decision starts from nothing.
        Written::Refused(found) => read(Some(found)).map(Some),
    }
}

/// A revision that nobody has.
pub(super) fn revision() -> Result<String, StoreError> {
    Ok(uuid::format(&random::bytes()?))
}
