//! The table of phones: one item per phone holds all that must be decided at once about it — the code messages it was sent,
//! the wrong codes entered for it, and its pending transactions, one per purpose. So a limit and what it limits are written
//! together, by a condition on one item, and two that race cannot both win. Items expire a day after their last use.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, 64 bits in hex |
//! | `revision` | random, new with each write: the condition of the next |
//! | `without_password`, `after_password` | `sends`: times of the starts of the last day; `wrong`: times of its wrong codes; apart by whether a password came first |
//! | `unconfirmed` | times of the code messages of the last day while nobody had confirmed the phone here |
//! | `right_code` | when a right code last came back |
//! | `register`, `login`, `second_factor` | the pending transaction of each purpose |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::table::{Read, Table, Write, Written};
use super::{Item, StoreError, number, text};
use crate::clock::Timestamp;
use crate::random;
use crate::uuid;

const TABLE: &str = "phones";

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
        read_record(self.table.get(&phone.id(), Read::Strong).await?)
    }

    /// Decides on `record` and writes it, on condition that nobody wrote in between; else decides again on what stands then.
    /// `expires` is when TTL may remove the item. A refusal by `decide` writes nothing and is the inner error.
    ///
    /// # Errors
    /// [`StoreError`]; `Unavailable` when conflicts do not end.
    pub async fn change<T, E>(
        &self,
        phone: PhoneKey,
        mut record: PhoneRecord,
        expires: Timestamp,
        mut decide: impl FnMut(&mut PhoneRecord) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let revision = revision()?;
        loop {
            let seen = record.revision.take();
            let decided = match decide(&mut record) {
                Ok(decided) => decided,
                Err(refused) => return Ok(Err(refused)),
            };
            record.revision = Some(revision.clone());
            match self.put(phone, &record, seen, expires).await? {
                None => return Ok(Ok(decided)),
                Some(current) => record = current,
            }
            // The answer to our own write was lost, and a further try met it.
            if record.revision.as_ref() == Some(&revision) {
                return Ok(Ok(decided));
            }
        }
    }

    /// Writes the record where `seen` still stands; what stands instead where it does not.
    async fn put(
        &self,
        phone: PhoneKey,
        record: &PhoneRecord,
        seen: Option<String>,
        expires: Timestamp,
    ) -> Result<Option<PhoneRecord>, StoreError> {
        let mut item: Item = serde_dynamo::to_item(record).map_err(|error| StoreError::malformed(TABLE, error))?;
        item.insert("expires_at".to_owned(), number(expires.as_seconds()));
        let write = self.table.put(item, &phone.id()).returning_found();
        let write = match seen {
            Some(seen) => write.when("revision = :seen").value(":seen", text(seen)),
            None => write.when("attribute_not_exists(id)"),
        };
        match self.table.write(&write).await? {
            Written::Done(_) => Ok(None),
            // Empty where TTL removed it in between: the next decision starts from nothing.
            Written::Refused(found) => read(found).map(Some),
        }
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
        let record = read(item)?;
        Ok(record.slot(slot).cloned().map(|pending| Counted { pending, mark }))
    }

    /// Whether this very try used up the code: what became of a transaction whose answer was lost for good.
    pub(super) async fn was_used(&self, phone: PhoneKey, slot: Slot, counted: &Counted) -> Result<bool, StoreError> {
        let record = self.get(phone).await?;
        Ok(record.slot(slot).is_some_and(|pending| pending.used.as_ref() == Some(&counted.mark)))
    }

    /// The part of a transaction that uses up the code: on condition that it stands and is not used.
    pub(super) fn use_up(
        &self,
        phone: PhoneKey,
        slot: Slot,
        counted: &Counted,
        now: Timestamp,
    ) -> Result<Write<'_>, StoreError> {
        let write = self
            .table
            .update(&phone.id(), "SET #slot.used = :mark, right_code = :now, revision = :revision REMOVE #slot.code")
            .when("#slot.id = :transaction AND #slot.expires > :now AND attribute_not_exists(#slot.used)")
            .name("#slot", slot.attribute())
            .value(":mark", text(&counted.mark))
            .value(":revision", text(revision()?))
            .value(":now", number(now.as_millis()))
            .value(":transaction", text(&counted.pending.id));
        Ok(write)
    }
}

/// A record from its item; an empty one where there is none.
pub(super) fn read_record(item: Option<Item>) -> Result<PhoneRecord, StoreError> {
    item.map_or_else(|| Ok(PhoneRecord::default()), read)
}

fn read(item: Item) -> Result<PhoneRecord, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(TABLE, error))
}

fn revision() -> Result<String, StoreError> {
    Ok(uuid::format(&random::bytes()?))
}
