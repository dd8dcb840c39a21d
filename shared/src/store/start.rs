//! What a start reads, in one call. Uses `table`, and the tables that it reads from.

use super::controls::{Kept, PROVIDER, read_provider};
use super::phones::read_record;
use super::table::{Key, Read, get_each};
use super::users::{phone_id, read_row};
use super::{Controls, Item, Login, PhoneKey, PhoneRecord, Phones, Provider, StoreError, Users};
use crate::clock::Timestamp;
use crate::keys::KeyedHash;

/// What is kept about the phone and how its user logs in (both strongly consistent), and how Plivo has been doing (a moment late is in
/// time).
///
/// # Errors
/// [`StoreError`].
pub async fn before_start(
    phones: &Phones,
    users: &Users,
    controls: &Controls,
    phone: (PhoneKey, &KeyedHash),
    now: Timestamp,
) -> Result<(PhoneRecord, Option<Login>, Option<Provider>), StoreError> {
    let (phone, owner) = phone;
    let known = controls.known(now);
    let [record, login, provider] = get_each([
        Some((&phones.table, &phone.id(), Read::Strong)),
        Some((&users.table, &phone_id(owner), Read::Strong)),
        provider_key(controls, known),
    ])
    .await?;
    Ok((read_record(record)?, read_row(login)?, read_or_known(controls, provider, known, now)?))
}

/// What is to be read where it is not known.
fn provider_key(controls: &Controls, known: Option<Kept>) -> Option<Key<'_>> {
    known.is_none().then_some((&controls.table, PROVIDER, Read::Eventual))
}

fn read_or_known(
    controls: &Controls,
    read: Option<Item>,
    known: Option<Kept>,
    now: Timestamp,
) -> Result<Option<Provider>, StoreError> {
    if let Some(known) = known {
        return Ok(known.provider);
    }
    let provider = read_provider(read)?;
    controls.keep(provider, now);
    Ok(provider)
}
