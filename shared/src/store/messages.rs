//! The table of messages: one item per idempotency key, which says what became of the message, so that it is sent at most once, however
//! often it is asked for. The item says `sending` before Plivo is called. Items expire when nobody can ask again.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the idempotency key's keyed hash |
//! | `message` | the message's keyed hash: another message under the same key is a mistake |
//! | `state` | `sending`, `sent`, `rejected` or `unknown` |
//! | `owner` | random: whose claim it is |
//! | `lease` | milliseconds; a `sending` that is older has lost its owner |
//! | `answer` | what Plivo answered, where it did |
//! | `expires_at` | for TTL, seconds |
//!
//! ```text
//! (nothing) ──claim──▶ sending ──settle──▶ sent, rejected, unknown
//!     ▲                 │    │
//!     └────release──────┘    └──lease over, found by the next claim──▶ unknown ──settle, late──▶ sent, rejected
//! ```

use std::time::Duration;

use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Table, Written, write};
use super::{Item, StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::{KeyedHash, identifier};

/// How long a `sending` is believed: longer than a call to Plivo and the write after it can take.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long an item is kept whose message was sent or refused: a day longer than a message can wait in a queue (SQS: at most 14 days).
const RETENTION: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// How long a `sending` that nobody settles is kept, and an `unknown`: its message may be put back from the dead-letter queue, where it
/// waits for 14 days, again and again. These are rare.
const UNSETTLED_RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageState {
    /// Plivo took it; its answer, as JSON.
    Sent(String),
    /// Plivo refused it; why.
    Rejected(String),
    /// Nobody knows: Plivo did not answer, or whoever asked it is gone. It is never sent again.
    Unknown,
}

/// What a claim found.
#[derive(Debug)]
pub enum Claimed {
    /// The key was free. Now the item says `sending`.
    Acquired(Claim),
    /// Another request is sending it, for at most so much longer.
    InFlight(Duration),
    /// It was sent, or not, before.
    Settled(MessageState),
    /// The key was used for another message.
    OtherMessage,
}

/// The right to send once.
#[derive(Debug)]
pub struct Claim {
    id: String,
    owner: String,
}

#[derive(Deserialize)]
struct Record {
    message: String,
    owner: String,
    state: String,
    lease: Timestamp,
    #[serde(default)]
    answer: Option<String>,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Messages {
    pub(super) table: Table,
}

impl Messages {
    /// Claims the key for this message: on condition that nobody has it, or that its item has expired. A `sending` whose lease is over
    /// becomes `unknown`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, key: &KeyedHash, message: &KeyedHash, now: Timestamp) -> Result<Claimed, StoreError> {
        let claim = Claim { id: key.long(), owner: identifier::random() };
        loop {
            let record = match self.put(&claim, message, now).await {
                Ok(None) => return Ok(Claimed::Acquired(claim)),
                Ok(Some(record)) => record,
                Err(error) => {
                    // It may be written all the same. Then nobody sends it, and nobody should wait for it.
                    drop(self.release(&claim).await);
                    return Err(error);
                }
            };
            // An earlier attempt of this very call was carried out and its response lost.
            if record.owner == claim.owner {
                return Ok(Claimed::Acquired(claim));
            }
            if record.message != message.long() {
                return Ok(Claimed::OtherMessage);
            }
            return Ok(match (record.state.as_str(), record.answer) {
                ("sending", _) if now < record.lease => Claimed::InFlight(now.until(record.lease)),
                ("sending", _) => {
                    let lost = Claim { id: claim.id.clone(), owner: record.owner };
                    if !self.write(&lost, &MessageState::Unknown, now).await? {
                        continue; // its owner was late, not lost, and has settled it
                    }
                    Claimed::Settled(MessageState::Unknown)
                }
                ("sent", Some(answer)) => Claimed::Settled(MessageState::Sent(answer)),
                ("rejected", Some(answer)) => Claimed::Settled(MessageState::Rejected(answer)),
                _ => Claimed::Settled(MessageState::Unknown),
            });
        }
    }

    /// Writes `sending` where nothing is; returns what is there.
    async fn put(&self, claim: &Claim, message: &KeyedHash, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let item = Item::from([
            ("message".to_owned(), text(message.long())),
            ("state".to_owned(), text("sending")),
            ("owner".to_owned(), text(&claim.owner)),
            ("lease".to_owned(), number(now.plus(LEASE).as_millis())),
            ("expires_at".to_owned(), number(now.plus(UNSETTLED_RETENTION).as_seconds())),
        ]);
        let put = self
            .table
            .put(&claim.id, item)
            .condition_expression("attribute_not_exists(id) OR expires_at <= :now")
            .set_expression_attribute_values(values([(":now", number(now.as_seconds()))]))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let found = write(|| put.clone().send()).await?.conflicting_item();
        found.map(from_item).transpose().map_err(|error| StoreError::malformed("messages", error))
    }

    /// Records what became of the message. Late is better than never: it may be `unknown` by then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle(&self, claim: &Claim, state: &MessageState, now: Timestamp) -> Result<(), StoreError> {
        self.write(claim, state, now).await.map(drop)
    }

    /// On condition that the claim still holds the key and the message is not settled; `false` when one of these does not hold.
    async fn write(&self, claim: &Claim, state: &MessageState, now: Timestamp) -> Result<bool, StoreError> {
        let (state, retention, answer) = match state {
            MessageState::Sent(answer) => ("sent", RETENTION, Some(answer)),
            MessageState::Rejected(answer) => ("rejected", RETENTION, Some(answer)),
            MessageState::Unknown => ("unknown", UNSETTLED_RETENTION, None),
        };
        let mut expression = "SET #state = :state, expires_at = :expires".to_owned();
        if answer.is_some() {
            expression += ", answer = :answer";
        }
        let mut update = self
            .table
            .update(&claim.id, expression)
            .condition_expression("#owner = :owner AND #state IN (:sending, :unknown)")
            .set_expression_attribute_names(names([("#state", "state"), ("#owner", "owner")]))
            .set_expression_attribute_values(values([
                (":state", text(state)),
                (":expires", number(now.plus(retention).as_seconds())),
                (":owner", text(&claim.owner)),
                (":sending", text("sending")),
                (":unknown", text("unknown")),
            ]));
        if let Some(answer) = answer {
            update = update.expression_attribute_values(":answer", text(answer));
        }
        Ok(matches!(write(|| update.clone().send()).await?, Written::Done(_)))
    }

    /// Frees the key of a message that surely was not sent and may be tried again: on condition that the claim still holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let delete = self
            .table
            .delete(&claim.id)
            .condition_expression("#owner = :owner")
            .set_expression_attribute_names(names([("#owner", "owner")]))
            .set_expression_attribute_values(values([(":owner", text(&claim.owner))]));
        write(|| delete.clone().send()).await.map(drop)
    }
}
