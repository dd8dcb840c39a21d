//! The table of consents: one item per phone says whether it has opted out of messages, and holds the records of what it has consented to.
//! An opt-out never expires. An item that holds neither expires 30 days after its last inbound message.
//!
//! One stack is one sender, whatever number it sends from: an opt-out still holds after a change of `PLIVO_SENDER`.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, of a key of its own, 64 bits in hex |
//! | `version` | random, new with each write: the condition of the next |
//! | `opted_out` | while the phone is opted out: `at` when, `by` which word or `plivo_200`, `uuid` of the message |
//! | `lifted` | when the phone last lifted an opt-out |
//! | `helped` | when a HELP of the phone was last answered |
//! | `handled` | the last inbound messages, by Plivo's id: each has an effect once |
//! | `records` | `at` when, `kind` (`consent`, `opt_out`, `opt_in`), `text`, `source` and `uuid` |
//! | `expires_at` | for TTL, seconds |

use serde::{Deserialize, Serialize};

use super::optimistic::{self, Versioned};
use super::table::{Consistency, Table, id_of};
use super::{Item, StoreError};
use crate::clock::Timestamp;

/// The key of a phone's item: 64 bits of its keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentKey(pub [u8; 8]);

impl ConsentKey {
    pub(super) fn id(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// A phone's refusal to get messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// When it was received.
    pub at: Timestamp,
    /// The word, or `plivo_200` where Plivo said so.
    pub by: String,
    /// Plivo's id of the message.
    pub uuid: String,
}

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentKind {
    /// The phone's owner has agreed to get messages.
    Consent,
    /// The phone has opted out.
    OptOut,
    /// The phone has lifted its opt-out.
    OptIn,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// When it was recorded.
    pub at: Timestamp,
    /// Of what.
    pub kind: ConsentKind,
    /// What the owner was shown or has written; none once the user is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where it comes from, like a page of the app, `sms` or `plivo_200`.
    pub source: String,
    /// Plivo's id of the message, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// What is kept about a phone's consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneConsents {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Its opt-out, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<OptOut>,
    /// When it last lifted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Timestamp>,
    /// When a HELP was last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helped: Option<Timestamp>,
    /// The last inbound messages, oldest first.
    #[serde(default)]
    pub handled: Vec<String>,
    /// The records, oldest first.
    #[serde(default)]
    pub records: Vec<ConsentEntry>,
}

impl Versioned for PhoneConsents {
    const TABLE: &'static str = "consents";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

/// The consents table.
#[derive(Debug, Clone)]
pub struct Consents {
    pub(super) table: Table,
}

impl Consents {
    /// What is kept about a phone now; an empty record where there is nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, phone: ConsentKey) -> Result<PhoneConsents, StoreError> {
        optimistic::read(self.table.get(&phone.id(), Consistency::Strong).await?)
    }

    /// All items with their keys, in the keys' order. Scans the table, which only an operator may.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<(String, PhoneConsents)>, StoreError> {
        let read = |item: Item| Ok((id_of(&item).unwrap_or_default(), optimistic::read(Some(item))?));
        let mut all = self.table.scan(None).await?.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(all)
    }

    /// Lets `decide` change `record` and writes it with optimistic locking. `expires` is when the item may be removed if it holds neither an
    /// opt-out nor a record. A refusal by `decide` writes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update<T, E>(
        &self,
        phone: ConsentKey,
        record: PhoneConsents,
        expires: Timestamp,
        decide: impl FnMut(&mut PhoneConsents) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneConsents), E>, StoreError> {
        let expires =
            |record: &PhoneConsents| (record.opted_out.is_none() && record.records.is_empty()).then_some(expires);
        optimistic::update(&self.table, &phone.id(), record, expires, decide).await
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::tests::{Fault, NOW, after, start};
    use super::super::{AttributeValue, Store};
    use super::*;

    const PHONE: ConsentKey = ConsentKey([7; 8]);

    async fn change(store: &Store, decide: impl Fn(&mut PhoneConsents)) {
        let record = store.consents.get(PHONE).await.unwrap();
        let decide = |record: &mut PhoneConsents| {
            decide(record);
            Ok::<_, Infallible>(())
        };
        let Ok(_) = store.consents.update(PHONE, record, after(60), decide).await.unwrap();
    }

    fn opt_out(record: &mut PhoneConsents) {
        record.opted_out = Some(OptOut { at: NOW, by: "STOP".to_owned(), uuid: "one".to_owned() });
    }

    #[tokio::test]
    async fn only_what_holds_neither_an_opt_out_nor_a_record_expires() {
        let (store, _) = start().await;
        let expires = async || {
            let item = store.consents.table.get(&PHONE.id(), Consistency::Strong).await.unwrap().unwrap();
            item.get("expires_at").cloned()
        };
        change(&store, |record| record.handled.push("one".to_owned())).await;
        assert_eq!(expires().await, Some(AttributeValue::N(after(60).as_seconds().to_string())));
        change(&store, opt_out).await;
        assert_eq!(expires().await, None);
        change(&store, |record| record.opted_out = None).await;
        assert!(expires().await.is_some());
        let (text, source) = (Some("Text me.".to_owned()), "app".to_owned());
        let entry = ConsentEntry { at: NOW, kind: ConsentKind::Consent, text, source, uuid: None };
        change(&store, |record| record.records.push(entry.clone())).await;
        assert_eq!(expires().await, None);
    }

    #[tokio::test]
    async fn of_two_changes_at_once_none_is_lost_and_a_lost_response_changes_nothing() {
        let (store, http) = start().await;
        http.spoil("PutItem", Fault::LoseResponse, 1);
        // Whose response was lost decides again on what the other wrote upon it.
        let handle = |record: &mut PhoneConsents| {
            if record.handled.is_empty() {
                record.handled.push("two".to_owned());
            }
        };
        tokio::join!(change(&store, opt_out), change(&store, handle));
        let record = store.consents.get(PHONE).await.unwrap();
        assert_eq!((record.opted_out.is_some(), record.handled.as_slice()), (true, &["two".to_owned()][..]));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_so_that_nothing_is_sent() {
        let (store, _) = start().await;
        let item = Item::from([("opted_out".to_owned(), AttributeValue::S("yes".to_owned()))]);
        store.consents.table.put(&PHONE.id(), item).send().await.unwrap();
        let error = store.load_message_limits((super::super::PhoneKey([1; 8]), PHONE), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed { table: "consents", .. }), "{error:?}");
    }
}
