//! The table of messages: one item per idempotency key holds the message's outcome, so that the message is sent at most once, however often it
//! is requested. The item says `sending` before Plivo is called. Items expire when no repeat can come any more.
//! What became of a message that was sent stands in items of its own (`message_reports`).
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

/// How long a `sending` is taken for true: longer than a call to Plivo and the write after it can take.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long an item is kept whose message was sent or refused: a day longer than a message can wait in a queue (SQS: at most 14 days).
const RETENTION: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// How long a `sending` that nobody settles is kept, and an `unknown`: its message may be put back from the dead-letter queue, where it
/// waits for 14 days, again and again. These are rare.
const UNSETTLED_RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The outcome of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageState {
    /// Plivo took it; its answer, as JSON.
    Sent(String),
    /// Plivo refused it; why.
    Rejected(String),
    /// Unknown: Plivo did not answer, or the function that sent it is gone. It is never sent again.
    Unknown,
}

/// What a claim found.
#[derive(Debug)]
pub enum Claimed {
    /// The key was free. Now the item says `sending`.
    Acquired(Claim),
    /// Another request is sending it, for at most this much longer.
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

/// The messages table.
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

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::tests::{Fault, NOW, after, hash, start};
    use super::*;

    const LEASE_SECONDS: u64 = LEASE.as_secs();

    async fn claim(store: &Store, message: &str, now: Timestamp) -> Claimed {
        store.messages.claim(&hash("key"), &hash(message), now).await.unwrap()
    }

    async fn acquire(store: &Store, now: Timestamp) -> Claim {
        match claim(store, "message", now).await {
            Claimed::Acquired(claim) => claim,
            found => panic!("{found:?}"),
        }
    }

    /// What a claim finds that acquires nothing.
    async fn found(store: &Store, now: Timestamp) -> Result<MessageState, Duration> {
        match claim(store, "message", now).await {
            Claimed::Settled(state) => Ok(state),
            Claimed::InFlight(remaining) => Err(remaining),
            found => panic!("{found:?}"),
        }
    }

    fn sent() -> MessageState {
        MessageState::Sent("uuid".to_owned())
    }

    #[tokio::test]
    async fn of_two_claims_one_sends_and_the_other_waits_at_most_for_its_lease() {
        let (store, _) = start().await;
        let (one, two) = tokio::join!(claim(&store, "message", NOW), claim(&store, "message", NOW));
        assert!(
            matches!(
                (&one, &two),
                (Claimed::Acquired(_), Claimed::InFlight(LEASE)) | (Claimed::InFlight(LEASE), Claimed::Acquired(_))
            ),
            "{one:?} {two:?}"
        );
        assert_eq!(found(&store, after(LEASE_SECONDS - 1)).await, Err(Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn a_key_of_another_message_is_refused_whatever_became_of_that() {
        let (store, _) = start().await;
        let owner = acquire(&store, NOW).await;
        for now in [NOW, after(LEASE_SECONDS)] {
            assert!(matches!(claim(&store, "another", now).await, Claimed::OtherMessage));
        }
        store.messages.settle(&owner, &sent(), NOW).await.unwrap();
        assert!(matches!(claim(&store, "another", NOW).await, Claimed::OtherMessage));
        assert_eq!(found(&store, NOW).await, Ok(sent()));
    }

    #[tokio::test]
    async fn what_became_of_a_message_is_found_by_later_claims_and_changes_no_more() {
        for state in [sent(), MessageState::Rejected("no such number".to_owned())] {
            let (store, _) = start().await;
            let owner = acquire(&store, NOW).await;
            for late in [&state, &MessageState::Rejected("late".to_owned()), &MessageState::Unknown] {
                store.messages.settle(&owner, late, NOW).await.unwrap();
                assert_eq!(found(&store, after(LEASE_SECONDS)).await, Ok(state.clone()));
            }
        }
    }

    #[tokio::test]
    async fn a_message_whose_lease_is_over_is_unknown_until_its_owner_settles_it_late() {
        let (store, _) = start().await;
        let owner = acquire(&store, NOW).await;
        for now in [after(LEASE_SECONDS), NOW] {
            assert_eq!(found(&store, now).await, Ok(MessageState::Unknown));
        }
        store.messages.settle(&owner, &sent(), after(LEASE_SECONDS)).await.unwrap();
        assert_eq!(found(&store, after(LEASE_SECONDS)).await, Ok(sent()));
    }

    #[tokio::test]
    async fn only_the_owner_settles_or_frees_a_key() {
        let (store, _) = start().await;
        let owner = acquire(&store, NOW).await;
        let other = Claim { id: owner.id.clone(), owner: "another".to_owned() };
        store.messages.release(&other).await.unwrap();
        store.messages.settle(&other, &sent(), NOW).await.unwrap();
        assert_eq!(found(&store, NOW).await, Err(LEASE));
        store.messages.release(&owner).await.unwrap();
        let next = acquire(&store, NOW).await;
        store.messages.release(&owner).await.unwrap();
        assert_eq!(found(&store, NOW).await, Err(LEASE), "the key has a new owner");
        store.messages.settle(&next, &sent(), NOW).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_can_be_claimed_again_when_its_item_has_expired() {
        for (state, retention) in
            [(Some(sent()), RETENTION), (Some(MessageState::Unknown), UNSETTLED_RETENTION), (None, UNSETTLED_RETENTION)]
        {
            let (store, _) = start().await;
            let owner = acquire(&store, NOW).await;
            if let Some(state) = &state {
                store.messages.settle(&owner, state, NOW).await.unwrap();
            }
            let almost = after(retention.as_secs() - 1);
            assert!(matches!(claim(&store, "another", almost).await, Claimed::OtherMessage), "{state:?}");
            assert!(matches!(claim(&store, "another", NOW.plus(retention)).await, Claimed::Acquired(_)), "{state:?}");
        }
    }

    #[tokio::test]
    async fn lost_responses_change_nothing() {
        let (store, http) = start().await;
        http.spoil("PutItem", Fault::LoseResponse, 1);
        let owner = acquire(&store, NOW).await;
        http.spoil("UpdateItem", Fault::LoseResponse, 1);
        assert_eq!(found(&store, after(LEASE_SECONDS)).await, Ok(MessageState::Unknown));
        http.spoil("UpdateItem", Fault::LoseResponse, 1);
        store.messages.settle(&owner, &sent(), NOW).await.unwrap();
        assert_eq!(found(&store, NOW).await, Ok(sent()));
        http.spoil("DeleteItem", Fault::LoseResponse, 1);
        store.messages.release(&owner).await.unwrap();
        acquire(&store, NOW).await;
    }

    #[tokio::test]
    async fn a_claim_that_fails_though_it_was_written_leaves_the_key_free() {
        let (store, http) = start().await;
        http.spoil("PutItem", Fault::LoseResponse, 3);
        assert!(store.messages.claim(&hash("key"), &hash("message"), NOW).await.is_err());
        acquire(&store, NOW).await;
    }

    #[tokio::test]
    async fn an_item_that_cannot_be_read_is_an_error_and_stays() {
        let (store, _) = start().await;
        let table = &store.messages.table;
        let item = Item::from([("expires_at".to_owned(), number(i64::MAX))]);
        write(|| table.put(&hash("key").long(), item.clone()).send()).await.unwrap();
        let error = store.messages.claim(&hash("key"), &hash("message"), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed { table: "messages", .. }), "{error:?}");
    }
}
