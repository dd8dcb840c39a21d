//! What a start reads, in one call. Uses `table`, and the tables that it reads from.

use super::addresses::{AddressKey, AddressRecord};
use super::controls::Known;
use super::record;
use super::table::{Key, Read, get_all};
use super::tallies::{Kept, TallyKey, read_tally};
use super::users::{phone_id, read_row};
use super::{Addresses, Controls, Login, PhoneKey, PhoneRecord, Phones, StoreError, Tallies, Users};
use crate::clock::Timestamp;
use crate::keys::KeyedHash;

/// From where it is read.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Phones.
    pub phones: &'a Phones,
    /// Users.
    pub users: &'a Users,
    /// What concerns everybody.
    pub controls: &'a Controls,
    /// Addresses.
    pub addresses: &'a Addresses,
    /// Tallies.
    pub tallies: &'a Tallies,
}

/// Whom it is about.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The phone's item.
    pub phone: PhoneKey,
    /// The phone's keyed hash.
    pub owner: &'a KeyedHash,
    /// The prefix's tally.
    pub prefix: [u8; 8],
    /// The network's item.
    pub address: AddressKey,
    /// The slices of the budgets that it may take from, its own first.
    pub slices: &'a [usize],
}

/// What is known before a start.
#[derive(Debug)]
pub struct BeforeStart {
    /// What is kept about the phone.
    pub record: PhoneRecord,
    /// How its user logs in, if it has one.
    pub login: Option<Login>,
    /// What concerns everybody.
    pub controls: Known,
    /// What is kept about the network.
    pub address: AddressRecord,
    /// These slices, with their numbers.
    pub slices: Vec<(usize, Kept)>,
    /// The prefix's tally.
    pub prefix: Kept,
}

/// All of it, in one call. The phone and its user are read strongly consistent; the rest may be a moment late: what is decided on it is
/// either written on condition, or no matter of one message.
///
/// # Errors
/// [`StoreError`].
pub async fn before_start(from: Sources<'_>, who: Who<'_>, now: Timestamp) -> Result<BeforeStart, StoreError> {
    let Sources { phones, users, controls, addresses, tallies } = from;
    let (phone, owner, address) = (who.phone.id(), phone_id(who.owner), who.address.id());
    let prefix = TallyKey::Prefix(who.prefix).id();
    let mut keys = vec![
        Key::new(&phones.table, phone.clone(), Read::Strong),
        Key::new(&users.table, owner.clone(), Read::Strong),
        Key::new(&addresses.table, address.clone(), Read::Eventual),
        Key::new(&tallies.table, prefix.clone(), Read::Eventual),
    ];
    let slice_id = |slice: &usize| TallyKey::Slice(*slice).id();
    keys.extend(who.slices.iter().map(|slice| Key::new(&tallies.table, slice_id(slice), Read::Eventual)));
    let known = controls.kept(now);
    if known.is_none() {
        keys.extend(controls.keys());
    }
    let mut found = get_all(&keys).await?;
    let mut read = |slice: &usize| Ok((*slice, read_tally(found.take(&tallies.table, &slice_id(slice)))?));
    let slices = who.slices.iter().map(&mut read).collect::<Result<_, StoreError>>()?;
    Ok(BeforeStart {
        record: record::read(found.take(&phones.table, &phone))?,
        login: read_row(found.take(&users.table, &owner))?,
        address: record::read(found.take(&addresses.table, &address))?,
        prefix: read_tally(found.take(&tallies.table, &prefix))?,
        slices,
        controls: match known {
            Some(known) => known,
            None => controls.read(&mut found, now)?,
        },
    })
}
