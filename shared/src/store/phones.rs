//! The table of phones: one item per phone holds all that must be decided at once about it — the code messages it was sent,
//! the wrong codes entered for it, and its pending transactions, one per purpose. So a limit and what it limits are written
//! together, by a condition on one item, and two that race cannot both win. Items expire a day after their last use.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, 64 bits in hex |
//! | `revision` | random, new with each write: the condition of the next |
//! | `sends` | times of the code messages of the last day |
//! | `wrong`, `wrong_after_password` | times of wrong codes, by whether a password came first |
//! | `register`, `login`, `second_factor` | the pending transaction of each purpose |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure, Update};
use serde::{Deserialize, Serialize};

use super::conflict::Tries;
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
    fn id(self) -> String {
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

/// All that is kept about a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    #[serde(default)]
    revision: Option<String>,
    /// Times of the code messages, oldest first.
    #[serde(default)]
    pub sends: Vec<Timestamp>,
    /// Times of wrong codes that needed no password, oldest first; those of live transactions are in these.
    #[serde(default)]
    pub wrong: Vec<Timestamp>,
    /// Times of wrong codes after a right password.
    #[serde(default)]
    pub wrong_after_password: Vec<Timestamp>,
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
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Phones {
    pub(crate) const fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }

    /// What is kept about the phone now (strongly consistent); an empty record for an unknown one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, phone: PhoneKey) -> Result<PhoneRecord, StoreError> {
        let request = self.client.get_item().table_name(&self.table).key("id", text(phone.id())).consistent_read(true);
        let answer = request.send().await.map_err(|error| StoreError::unavailable("GetItem", error))?;
        answer.item.map_or_else(|| Ok(PhoneRecord::default()), read)
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
        let mut tries = Tries::default();
        let revision = revision()?;
        loop {
            let seen = record.revision.take();
            let decided = match decide(&mut record) {
                Ok(decided) => decided,
                Err(refused) => return Ok(Err(refused)),
            };
            record.revision = Some(revision.clone());
            match self.put(phone, &record, seen, expires).await? {
                Written::Done => return Ok(Ok(decided)),
                Written::Changed(current) => record = *current,
                Written::Conflict(error) => {
                    if !tries.next().await? {
                        return Err(error);
                    }
                    record = self.get(phone).await?;
                }
            }
            // The answer to our own write was lost, and a further try met it.
            if record.revision.as_ref() == Some(&revision) {
                return Ok(Ok(decided));
            }
        }
    }

    async fn put(
        &self,
        phone: PhoneKey,
        record: &PhoneRecord,
        seen: Option<String>,
        expires: Timestamp,
    ) -> Result<Written, StoreError> {
        let item: Item = serde_dynamo::to_item(record).map_err(|error| StoreError::malformed(TABLE, error))?;
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .item("id", text(phone.id()))
            .item("expires_at", number(expires.as_seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = match seen {
            Some(seen) => {
                request.condition_expression("revision = :seen").expression_attribute_values(":seen", text(seen))
            }
            None => request.condition_expression("attribute_not_exists(id)"),
        };
        let error = match request.send().await {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        match error.as_service_error() {
            // No item: TTL removed it in between, and the next decision starts from nothing.
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let current = failed.item.clone().map_or_else(|| Ok(PhoneRecord::default()), read)?;
                Ok(Written::Changed(Box::new(current)))
            }
            Some(PutItemError::TransactionConflictException(_)) => {
                Ok(Written::Conflict(StoreError::unavailable("PutItem", error)))
            }
            _ => Err(StoreError::unavailable("PutItem", error)),
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
        let mut tries = Tries::default();
        loop {
            let request = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("id", text(phone.id()))
                .update_expression("SET #slot.tries.#mark = :now, revision = :mark")
                .condition_expression(
                    "#slot.id = :transaction AND #slot.expires > :now AND attribute_not_exists(#slot.used) \
                     AND (size(#slot.tries) < #slot.allowance OR attribute_exists(#slot.tries.#mark))",
                )
                .expression_attribute_names("#slot", slot.attribute())
                .expression_attribute_names("#mark", &mark)
                .expression_attribute_values(":mark", text(&mark))
                .expression_attribute_values(":now", number(now.as_millis()))
                .expression_attribute_values(":transaction", text(transaction))
                .return_values(ReturnValue::AllNew);
            let error = match request.send().await {
                Ok(answer) => {
                    let record = read(answer.attributes.unwrap_or_default())?;
                    return Ok(record.slot(slot).cloned().map(|pending| Counted { pending, mark }));
                }
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(None),
                Some(UpdateItemError::TransactionConflictException(_)) if tries.next().await? => {}
                _ => return Err(StoreError::unavailable("UpdateItem", error)),
            }
        }
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
    ) -> Result<Update, StoreError> {
        Update::builder()
            .table_name(&self.table)
            .key("id", text(phone.id()))
            .update_expression("SET #slot.used = :mark, revision = :revision REMOVE #slot.code")
            .condition_expression(
                "#slot.id = :transaction AND #slot.expires > :now AND attribute_not_exists(#slot.used)",
            )
            .expression_attribute_names("#slot", slot.attribute())
            .expression_attribute_values(":mark", text(&counted.mark))
            .expression_attribute_values(":revision", text(revision()?))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":transaction", text(&counted.pending.id))
            .build()
            .map_err(|error| StoreError::malformed(TABLE, error))
    }
}

enum Written {
    Done,
    Changed(Box<PhoneRecord>),
    Conflict(StoreError),
}

fn read(item: Item) -> Result<PhoneRecord, StoreError> {
    serde_dynamo::from_item(item).map_err(|error| StoreError::malformed(TABLE, error))
}

fn revision() -> Result<String, StoreError> {
    Ok(uuid::format(&random::bytes()?))
}
