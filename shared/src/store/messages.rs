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

use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Table, Written};
use super::{Item, StoreError, number, text};
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
    table: Table,
}

impl Messages {
    pub(crate) const fn new(table: Table) -> Self {
        Self { table }
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
        let item = Item::from([
            ("message".to_owned(), text(message.long())),
            ("state".to_owned(), text("sending")),
            ("owner".to_owned(), text(&claim.owner)),
            ("lease".to_owned(), number(now.plus(LEASE).as_millis())),
            ("expires_at".to_owned(), number(now.plus(UNSETTLED_KEPT).as_seconds())),
        ]);
        let write = self
            .table
            .put(item, &claim.id)
            .when("attribute_not_exists(id) OR expires_at <= :now")
            .value(":now", number(now.as_seconds()))
            .returning_found();
        match self.table.write(&write).await? {
            Written::Done(_) => Ok(None),
            Written::Refused(found) => from_item(found).map(Some).map_err(|error| StoreError::malformed(TABLE, error)),
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
        let expression = match answer {
            Some(_) => "SET #state = :state, expires_at = :expires, answer = :answer",
            None => "SET #state = :state, expires_at = :expires",
        };
        let mut write = self
            .table
            .update(&claim.id, expression)
            .when("#owner = :owner AND #state IN (:sending, :unknown)")
            .name("#state", "state")
            .name("#owner", "owner")
            .value(":state", text(state))
            .value(":expires", number(now.plus(kept).as_seconds()))
            .value(":owner", text(&claim.owner))
            .value(":sending", text("sending"))
            .value(":unknown", text("unknown"));
        if let Some(answer) = answer {
            write = write.value(":answer", text(answer));
        }
        Ok(matches!(self.table.write(&write).await?, Written::Done(_)))
    }

    /// Gives the key back, for a message that surely was not sent and may be tried again: on condition that the claim is still
    /// the key's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let write = self
            .table
            .delete(&claim.id)
            .when("#owner = :owner")
            .name("#owner", "owner")
            .value(":owner", text(&claim.owner));
        self.table.write(&write).await.map(drop)
    }
}
