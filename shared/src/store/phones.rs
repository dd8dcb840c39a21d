//! The table of phones: one item per phone holds all that must be decided at once about it — the code messages it was sent,
//! the wrong codes entered for it, and its pending transactions, one per purpose. So a limit and what it limits are written
//! together, by a condition on one item, and two that race cannot both win. Items expire a day after their last use, or 400 days after it
//! where something in them counts for longer.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, 64 bits in hex |
//! | `revision` | random, new with each write: the condition of the next |
//! | `without_password`, `after_password` | `sends`: times of the starts of the last day; `wrong`: times of its wrong codes; apart by whether a password came first |
//! | `unconfirmed` | times of the code messages of the last day while nobody had confirmed the phone here |
//! | `right_code` | when a right code last came back |
//! | `networks` | from where the last right codes came: keyed hashes and times |
//! | `wrong_passwords` | times of wrong passwords of the last day, and from where |
//! | `passwords_in_a_row` | wrong passwords since the last right code |
//! | `register`, `login`, `second_factor` | the pending transaction of each purpose |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::record::{self, Record, revision};
use super::table::{Read, Table, Write, Written};
use super::{StoreError, number, text};
use crate::clock::Timestamp;

/// The key of a phone's item: 64 bits of its keyed hash. Two phones that meet (one pair in 30,000,000 deployments of a
/// million users) would share their limits and pending transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneKey(pub [u8; 8]);

impl PhoneKey {
    pub(super) fn id(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Where in the item a purpose's pending transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Registration.
    Register,
    /// Passwordless login.
    Login,
    /// Login after a password.
    SecondFactor,
}

impl Slot {
    const fn attribute(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::SecondFactor => "second_factor",
        }
    }
}

/// A started transaction: one purpose (its slot), one phone (its item), one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The transaction's id.
    pub id: String,
    /// The code, sealed for this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// How many codes may be tried.
    pub allowance: usize,
    /// The tries so far: a random mark and the time of each.
    #[serde(default)]
    pub tries: BTreeMap<String, Timestamp>,
    /// The try that was right, once it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// Who logs in; nobody for a registration, or where the phone has no user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What is counted for a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Times of the starts, oldest first.
    #[serde(default)]
    pub sends: Vec<Timestamp>,
    /// Times of wrong codes, oldest first; those of live transactions are in these.
    #[serde(default)]
    pub wrong: Vec<Timestamp>,
}

/// All that is kept about a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    #[serde(default)]
    revision: Option<String>,
    /// Of who comes without a password.
    #[serde(default)]
    pub without_password: Counts,
    /// Of who comes behind the right password.
    #[serde(default)]
    pub after_password: Counts,
    /// Times of the code messages while nobody had confirmed the phone here, oldest first.
    #[serde(default)]
    pub unconfirmed: Vec<Timestamp>,
    /// When a right code last came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right_code: Option<Timestamp>,
    /// From where the last right codes came, and when: networks of somebody who has the phone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, Timestamp>,
    /// Wrong passwords, oldest first: when, and from which network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong_passwords: Vec<(Timestamp, String)>,
    /// How many of them there were since the last right code, from networks that are not known.
    #[serde(default)]
    pub passwords_in_a_row: u32,
    /// The pending registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<Pending>,
    /// The pending passwordless login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Pending>,
    /// The pending login after a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<Pending>,
}

impl PhoneRecord {
    /// What is counted for a slot.
    pub const fn counts(&self, slot: Slot) -> &Counts {
        match slot {
            Slot::Register | Slot::Login => &self.without_password,
            Slot::SecondFactor => &self.after_password,
        }
    }

    /// The same, to be changed.
    pub const fn counts_mut(&mut self, slot: Slot) -> &mut Counts {
        match slot {
            Slot::Register | Slot::Login => &mut self.without_password,
            Slot::SecondFactor => &mut self.after_password,
        }
    }

    /// The slot's pending transaction.
    pub const fn slot_mut(&mut self, slot: Slot) -> &mut Option<Pending> {
        match slot {
            Slot::Register => &mut self.register,
            Slot::Login => &mut self.login,
            Slot::SecondFactor => &mut self.second_factor,
        }
    }

    fn slot(&self, slot: Slot) -> Option<&Pending> {
        match slot {
            Slot::Register => self.register.as_ref(),
            Slot::Login => self.login.as_ref(),
            Slot::SecondFactor => self.second_factor.as_ref(),
        }
    }
}

/// A try that was counted.
#[derive(Debug)]
pub struct Counted {
    /// The transaction as it stood then.
    pub pending: Pending,
    /// The try's mark.
    pub mark: String,
    /// From where right codes came before.
    networks: BTreeMap<String, Timestamp>,
}

/// So many networks are known for a phone.
const NETWORKS: usize = 4;
/// What counts until it is replaced is kept for so long: known networks after the last right code, passwords in a row after the last.
const LONGEST_KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Counted {
    /// The networks that are known when the code is used up.
    fn networks_with(&self, network: &str, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let mut networks = self.networks.clone();
        networks.insert(network.to_owned(), now);
        while networks.len() > NETWORKS {
            let oldest = networks.iter().min_by_key(|(_, time)| **time).map(|(network, _)| network.clone());
            oldest.and_then(|oldest| networks.remove(&oldest));
        }
        networks
    }
}

/// A right code that is to be used up.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// The phone that it went to.
    pub phone: PhoneKey,
    /// Its purpose's place.
    pub slot: Slot,
    /// The try.
    pub counted: &'a Counted,
    /// From where it came, a keyed hash.
    pub network: &'a str,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Phones {
    pub(super) table: Table,
}

impl Phones {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
    }

    /// What is kept about the phone now (strongly consistent); an empty record for an unknown one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, phone: PhoneKey) -> Result<PhoneRecord, StoreError> {
        record::read(self.table.get(&phone.id(), Read::Strong).await?)
    }

    /// Decides on `record` and writes it, as `record::change` does. An item with known networks, or with wrong passwords since the last right
    /// code, is kept for longer, whether or not the phone has a user.
    ///
    /// # Errors
    /// [`StoreError`]; `Throttled` when conflicts do not end.
    pub async fn change<T, E>(
        &self,
        phone: PhoneKey,
        record: PhoneRecord,
        expires: Timestamp,
        decide: impl FnMut(&mut PhoneRecord) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneRecord), E>, StoreError> {
        let expires = |record: &PhoneRecord| {
            let known = record.right_code.filter(|_| !record.networks.is_empty()).map(|time| time.plus(LONGEST_KEPT));
            let wrong = (record.passwords_in_a_row > 0).then(|| expires.plus(LONGEST_KEPT));
            known.into_iter().chain(wrong).chain([expires]).max()
        };
        record::change(&self.table, &phone.id(), record, expires, decide).await
    }

    /// Counts one try of a code, before anybody looks at it: on condition that the transaction stands, is not used, has not
    /// expired and has tries left. `None` when one of these does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_try(
        &self,
        phone: PhoneKey,
        slot: Slot,
        transaction: &str,
        now: Timestamp,
    ) -> Result<Option<Counted>, StoreError> {
        let mark = revision()?;
        let write = self
            .table
            .update(&phone.id(), "SET #slot.tries.#mark = :now, revision = :mark")
            .when(
                "#slot.id = :transaction AND #slot.expires > :now AND attribute_not_exists(#slot.used) \
                 AND (size(#slot.tries) < #slot.allowance OR attribute_exists(#slot.tries.#mark))",
            )
            .name("#slot", slot.attribute())
            .name("#mark", &mark)
            .value(":mark", text(&mark))
            .value(":now", number(now.as_millis()))
            .value(":transaction", text(transaction))
            .returning_new();
        let Written::Done(item) = self.table.write(&write).await? else { return Ok(None) };
        let record: PhoneRecord = record::read(Some(item))?;
        Ok(record.slot(slot).cloned().map(|pending| Counted { pending, mark, networks: record.networks }))
    }

    /// Whether this very try used up the code: what became of a transaction whose answer was lost for good.
    pub(super) async fn was_used(&self, code: Code<'_>) -> Result<bool, StoreError> {
        let Code { phone, slot, counted, .. } = code;
        let record = self.get(phone).await?;
        Ok(record.slot(slot).is_some_and(|pending| pending.used.as_ref() == Some(&counted.mark)))
    }

    /// The part of a transaction that uses up the code, which came from this network: on condition that it stands and is not used.
    pub(super) fn use_up(&self, code: Code<'_>, now: Timestamp) -> Result<Write<'_>, StoreError> {
        let Code { phone, slot, counted, network } = code;
        let networks: AttributeValue = to_attribute_value(counted.networks_with(network, now))
            .map_err(|error| StoreError::malformed(PhoneRecord::TABLE, error))?;
        let write = self
            .table
            .update(
                &phone.id(),
                "SET #slot.used = :mark, right_code = :now, networks = :networks, passwords_in_a_row = :zero, \
                 expires_at = :expires, revision = :revision REMOVE #slot.code",
            )
            .value(":networks", networks)
            .value(":zero", number(0))
            .value(":expires", number(now.plus(LONGEST_KEPT).as_seconds()))
            .when("#slot.id = :transaction AND #slot.expires > :now AND attribute_not_exists(#slot.used)")
            .name("#slot", slot.attribute())
            .value(":mark", text(&counted.mark))
            .value(":revision", text(revision()?))
            .value(":now", number(now.as_millis()))
            .value(":transaction", text(&counted.pending.id));
        Ok(write)
    }
}

impl Record for PhoneRecord {
    const TABLE: &'static str = "phones";

    fn revision(&mut self) -> &mut Option<String> {
        &mut self.revision
    }
}
