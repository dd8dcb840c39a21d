//! The table of messages: one item per idempotency key, which says what became of the message, so that it is sent at most
//! once, whoever asks how often. The item says `sending` before Plivo is called. Items expire when nobody can ask again.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the idempotency key's keyed hash |
//! | `message` | the message's keyed hash: another message under the same key is a mistake |
//! | `state` | `sending`, `sent`, `rejected` or `unknown` |
//! | `owner` | random: whose `sending` it is |
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

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::Deserialize;

use super::{StoreError, number, text};
use crate::clock::Timestamp;
use crate::keys::KeyedHash;
use crate::random;
use crate::uuid;

const TABLE: &str = "messages";

/// How long a `sending` is believed: longer than a call to Plivo and the write after it can take.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long an item is kept whose message was sent or refused: a day longer than a message can wait in a queue (SQS: at most 14 days).
const KEPT: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// How long a `sending` that nobody settles is kept, and an `unknown`: its message may be put back from the dead-letter queue, where it
/// waits for 14 days, again and again. These are rare.
const UNSETTLED_KEPT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Plivo took it; its answer, as JSON.
    Sent(String),
    /// Plivo refused it; why.
    Rejected(String),
    /// Nobody knows: Plivo did not answer, or whoever asked it is gone. It is never sent again.
    Unknown,
}

/// Who asks for a key first may send.
#[derive(Debug)]
pub enum Claimed {
    /// The key was free. Now the item says `sending`.
    Mine(Claim),
    /// Somebody else is sending it, for at most so much longer.
    InFlight(Duration),
    /// It was sent, or not, before.
    Before(Sent),
    /// The key is another message's.
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
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Messages {
    pub(crate) const fn new(client: aws_sdk_dynamodb::Client, table: String) -> Self {
        Self { client, table }
    }

    /// Takes the key for this message: on condition that nobody has it, or that its time is over. A `sending` whose lease is over
    /// becomes `unknown`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, key: &KeyedHash, message: &KeyedHash, now: Timestamp) -> Result<Claimed, StoreError> {
        let claim = Claim { id: key.long(), owner: uuid::format(&random::bytes()?) };
        loop {
            let record = match self.put(&claim, message, now).await {
                Ok(None) => return Ok(Claimed::Mine(claim)),
                Ok(Some(record)) => record,
                Err(error) => {
                    // It may be written all the same. Then nobody sends it, and nobody should wait for it.
                    drop(self.release(&claim).await);
                    return Err(error);
                }
            };
            // The first try of this very call was carried out and its answer lost.
            if record.owner == claim.owner {
                return Ok(Claimed::Mine(claim));
            }
            if record.message != message.long() {
                return Ok(Claimed::OtherMessage);
            }
            return Ok(match (record.state.as_str(), record.answer) {
                ("sending", _) if now < record.lease => Claimed::InFlight(now.until(record.lease)),
                ("sending", _) => {
                    let lost = Claim { id: claim.id.clone(), owner: record.owner };
                    if !self.write(&lost, &Sent::Unknown, now).await? {
                        continue; // its owner was late, not lost, and has written something better
                    }
                    Claimed::Before(Sent::Unknown)
                }
                ("sent", Some(answer)) => Claimed::Before(Sent::Sent(answer)),
                ("rejected", Some(answer)) => Claimed::Before(Sent::Rejected(answer)),
                _ => Claimed::Before(Sent::Unknown),
            });
        }
    }

    /// Writes `sending` where nothing is; answers what is there.
    async fn put(&self, claim: &Claim, message: &KeyedHash, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("id", text(&claim.id))
            .item("message", text(message.long()))
            .item("state", text("sending"))
            .item("owner", text(&claim.owner))
            .item("lease", number(now.plus(LEASE).as_millis()))
            .item("expires_at", number(now.plus(UNSETTLED_KEPT).as_seconds()))
            .condition_expression("attribute_not_exists(id) OR expires_at <= :now")
            .expression_attribute_values(":now", number(now.as_seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = request.send().await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let record = serde_dynamo::from_item(failed.item.clone().unwrap_or_default());
                record.map(Some).map_err(|error| StoreError::malformed(TABLE, error))
            }
            _ => Err(StoreError::unavailable("PutItem", error)),
        }
    }

    /// Writes down what became of it. Late is better than never: it may already be called `unknown`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle(&self, claim: &Claim, sent: &Sent, now: Timestamp) -> Result<(), StoreError> {
        self.write(claim, sent, now).await.map(drop)
    }

    /// On condition that the claim is still the key's and nothing better is known; `false` when one of these does not hold.
    async fn write(&self, claim: &Claim, sent: &Sent, now: Timestamp) -> Result<bool, StoreError> {
        let (state, kept, answer) = match sent {
            Sent::Sent(answer) => ("sent", KEPT, Some(answer)),
            Sent::Rejected(answer) => ("rejected", KEPT, Some(answer)),
            Sent::Unknown => ("unknown", UNSETTLED_KEPT, None),
        };
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", text(&claim.id))
            .update_expression("SET #state = :state, expires_at = :expires")
            .condition_expression("#owner = :owner AND #state IN (:sending, :unknown)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":state", text(state))
            .expression_attribute_values(":expires", number(now.plus(kept).as_seconds()))
            .expression_attribute_values(":owner", text(&claim.owner))
            .expression_attribute_values(":sending", text("sending"))
            .expression_attribute_values(":unknown", text("unknown"));
        if let Some(answer) = answer {
            request = request
                .update_expression("SET #state = :state, expires_at = :expires, answer = :answer")
                .expression_attribute_values(":answer", text(answer));
        }
        let Err(error) = request.send().await else { return Ok(true) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(StoreError::unavailable("UpdateItem", error)),
        }
    }

    /// Gives the key back, for a message that surely was not sent and may be tried again: on condition that the claim is still
    /// the key's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let request = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("id", text(&claim.id))
            .condition_expression("#owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(&claim.owner));
        let Err(error) = request.send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(StoreError::unavailable("DeleteItem", error)),
        }
    }
}
