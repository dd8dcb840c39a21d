//! What a start reads, in one call. Uses `table`, and the tables that it reads from.

use super::controls::{PROVIDER, read_provider};
use super::phones::read_record;
use super::table::{Read, get_each};
use super::users::{phone_id, read_row};
use super::{Controls, Login, PhoneKey, PhoneRecord, Phones, Provider, StoreError, Users};
use crate::keys::KeyedHash;

/// What is kept about the phone (strongly consistent), and how Plivo has been doing (a moment late is in time).
///
/// # Errors
/// [`StoreError`].
pub async fn before_registration(
    phones: &Phones,
    controls: &Controls,
    phone: PhoneKey,
) -> Result<(PhoneRecord, Option<Provider>), StoreError> {
    let [record, provider] =
        get_each([(&phones.table, &phone.id(), Read::Strong), (&controls.table, PROVIDER, Read::Eventual)]).await?;
    Ok((read_record(record)?, read_provider(provider)?))
}

/// The same, and how the phone's user logs in (strongly consistent).
///
/// # Errors
/// [`StoreError`].
pub async fn before_login(
    phones: &Phones,
    users: &Users,
    controls: &Controls,
    phone: PhoneKey,
    owner: &KeyedHash,
) -> Result<(PhoneRecord, Option<Login>, Option<Provider>), StoreError> {
    let [record, login, provider] = get_each([
        (&phones.table, &phone.id(), Read::Strong),
        (&users.table, &phone_id(owner), Read::Strong),
        (&controls.table, PROVIDER, Read::Eventual),
    ])
    .await?;
    Ok((read_record(record)?, read_row(login)?, read_provider(provider)?))
}
