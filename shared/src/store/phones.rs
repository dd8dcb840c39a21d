//! The table of phones: one item per phone holds all that must be decided together about it: the code messages it was sent, the wrong codes
//! and passwords entered for it, and its challenges, one per flow. So a limit and what it limits are one write write, and of two that
//! race only one wins. Items expire a day after their last use, or 400 days after it where something in them counts for longer.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, 64 bits in hex |
//! | `version` | random, new with each write: the condition of the next |
//! | `without_password`, `after_password` | `starts`: times of the starts of the last day; `wrong_codes`: times of wrong codes; apart by whether a password came first |
//! | `unconfirmed_sends` | times of the code messages of the last day while the phone had no user |
//! | `last_verified` | when a right code last came back |
//! | `known_networks` | from where the last right codes came: keyed hashes and times |
//! | `wrong_passwords` | times of wrong passwords of the last day, and from where |
//! | `wrong_passwords_in_a_row` | wrong passwords since the last right code |
//! | `challenges` | the challenge of each flow |
//! | `expires_at` | for TTL, seconds |

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::optimistic::{self, Versioned};
use super::table::{Consistency, Table, Written, write};
use super::{StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::identifier;
use crate::flow::Flow;

/// So many networks are known for a phone.
const KNOWN_NETWORKS: usize = 4;
/// How long an item is kept that holds what counts until it is replaced: known networks, wrong passwords in a row.
const LONG_RETENTION: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The key of a phone's item: 64 bits of its keyed hash. Two phones with the same key (one pair in 30,000,000 deployments of a million
/// users) would share their limits and challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneKey(pub [u8; 8]);

impl PhoneKey {
    pub(super) fn id(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// A code that was issued for one flow and one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The id, `transactionId` on the wire.
    pub id: String,
    /// The code, encrypted for this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// How many codes may be tried.
    pub max_attempts: usize,
    /// The attempts so far: a random id and the time of each.
    #[serde(default)]
    pub attempts: BTreeMap<String, Timestamp>,
    /// The attempt that redeemed the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_by: Option<String>,
    /// Who logs in; nobody for a registration, or where the phone has no user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What is counted for a phone, apart by whether a password came first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneCounts {
    /// Times of the starts, oldest first.
    #[serde(default)]
    pub starts: Vec<Timestamp>,
    /// Times of wrong codes, oldest first; those of live challenges stand in these.
    #[serde(default)]
    pub wrong_codes: Vec<Timestamp>,
}

/// All that is kept about a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    #[serde(default)]
    version: Option<String>,
    /// Of flows without a password.
    #[serde(default)]
    pub without_password: PhoneCounts,
    /// Of what comes after the right password.
    #[serde(default)]
    pub after_password: PhoneCounts,
    /// Times of the code messages while the phone had no user, oldest first.
    #[serde(default)]
    pub unconfirmed_sends: Vec<Timestamp>,
    /// When a right code last came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified: Option<Timestamp>,
    /// From where the last right codes came, and when: networks of somebody who has the phone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known_networks: BTreeMap<String, Timestamp>,
    /// Wrong passwords, oldest first: when, and from which network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong_passwords: Vec<(Timestamp, String)>,
    /// How many of them there were since the last right code, from networks that are not known.
    #[serde(default)]
    pub wrong_passwords_in_a_row: u32,
    /// The challenge of each flow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challenges: BTreeMap<Flow, Challenge>,
}

impl PhoneRecord {
    /// What is counted for a flow.
    pub const fn counts(&mut self, flow: Flow) -> &mut PhoneCounts {
        match flow {
            Flow::Register | Flow::Login => &mut self.without_password,
            Flow::SecondFactor => &mut self.after_password,
        }
    }

    /// When TTL may remove the item: not before `expires`, and later where something in it counts for longer.
    fn expires(&self, expires: Timestamp) -> Timestamp {
        let known = self.last_verified.filter(|_| !self.known_networks.is_empty());
        let wrong = (self.wrong_passwords_in_a_row > 0).then_some(expires);
        let longer = known.max(wrong).map(|since| since.plus(LONG_RETENTION));
        longer.map_or(expires, |longer| longer.max(expires))
    }
}

impl Versioned for PhoneRecord {
    const TABLE: &'static str = "phones";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

/// An attempt to enter a code, which is counted.
#[derive(Debug)]
pub struct Attempt {
    /// The attempt's id.
    pub id: String,
    /// The challenge as it stood then.
    pub challenge: Challenge,
    known_networks: BTreeMap<String, Timestamp>,
}

impl Attempt {
    /// The networks that are known once the code is redeemed from this one.
    fn known_networks_with(&self, network: &str, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let mut networks = self.known_networks.clone();
        networks.insert(network.to_owned(), now);
        while networks.len() > KNOWN_NETWORKS {
            let oldest = networks.iter().min_by_key(|(_, time)| **time).map(|(network, _)| network.clone());
            oldest.and_then(|oldest| networks.remove(&oldest));
        }
        networks
    }
}

/// A right code that is to be redeemed.
#[derive(Debug, Clone, Copy)]
pub struct VerifiedCode<'a> {
    /// The phone that it went to.
    pub phone: PhoneKey,
    /// Its flow.
    pub flow: Flow,
    /// The attempt that entered it.
    pub attempt: &'a Attempt,
    /// From where it came, a keyed hash.
    pub network: &'a str,
}

/// The table.
#[derive(Debug, Clone)]
pub struct Phones {
    pub(super) table: Table,
}

impl Phones {
    /// What is kept about the phone now (strongly consistent); an empty record for an unknown one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, phone: PhoneKey) -> Result<PhoneRecord, StoreError> {
        optimistic::read(self.table.get(&phone.id(), Consistency::Strong).await?)
    }

    /// Lets `decide` change `record` and writes it with optimistic locking. `expires` is when TTL may remove the item at the earliest.
    ///
    /// # Errors
    /// [`StoreError`]; `Throttled` when races do not end.
    pub async fn update<T, E>(
        &self,
        phone: PhoneKey,
        record: PhoneRecord,
        expires: Timestamp,
        decide: impl FnMut(&mut PhoneRecord) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneRecord), E>, StoreError> {
        let expires = |record: &PhoneRecord| Some(record.expires(expires));
        optimistic::update(&self.table, &phone.id(), record, expires, decide).await
    }

    /// Counts one attempt to enter a code, before anybody compares it: on condition that the challenge is there, is not redeemed, has not
    /// expired and has attempts left. `None` when one of these does not hold.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_attempt(
        &self,
        phone: PhoneKey,
        flow: Flow,
        challenge: &str,
        now: Timestamp,
    ) -> Result<Option<Attempt>, StoreError> {
        let id = identifier::random();
        let update = self
            .table
            .update(&phone.id(), "SET challenges.#flow.attempts.#attempt = :now, #version = :attempt")
            // The attempt is there already where the response to this write was lost and it is sent again.
            .condition_expression(
                "challenges.#flow.id = :challenge AND challenges.#flow.expires > :now \
                 AND attribute_not_exists(challenges.#flow.redeemed_by) \
                 AND (size(challenges.#flow.attempts) < challenges.#flow.max_attempts \
                 OR attribute_exists(challenges.#flow.attempts.#attempt))",
            )
            .set_expression_attribute_names(names([
                ("#flow", flow.as_str()),
                ("#attempt", &id),
                ("#version", "version"),
            ]))
            .set_expression_attribute_values(values([
                (":attempt", text(&id)),
                (":now", number(now.as_millis())),
                (":challenge", text(challenge)),
            ]))
            .return_values(ReturnValue::AllNew);
        let Written::Done(output) = write(|| update.clone().send()).await? else { return Ok(None) };
        let mut record: PhoneRecord = optimistic::read(output.attributes)?;
        let known_networks = std::mem::take(&mut record.known_networks);
        Ok(record.challenges.remove(&flow).map(|challenge| Attempt { id, challenge, known_networks }))
    }

    /// Whether this very attempt redeemed the code: what became of a transaction whose response was lost for good.
    pub(super) async fn was_redeemed(&self, code: VerifiedCode<'_>) -> Result<bool, StoreError> {
        let challenge = self.get(code.phone).await?.challenges.remove(&code.flow);
        Ok(challenge.is_some_and(|challenge| challenge.redeemed_by.as_ref() == Some(&code.attempt.id)))
    }

    /// The part of a transaction that redeems the code: on condition that the challenge is there, has not expired and is not redeemed.
    pub(super) fn redeem(&self, code: VerifiedCode<'_>, now: Timestamp) -> Result<TransactWriteItem, BuildError> {
        let VerifiedCode { phone, flow, attempt, network } = code;
        let networks = to_attribute_value(attempt.known_networks_with(network, now));
        self.table.change(
            &phone.id(),
            (
                "SET challenges.#flow.redeemed_by = :attempt, last_verified = :now, known_networks = :networks, \
                 wrong_passwords_in_a_row = :zero, expires_at = :expires, #version = :version REMOVE challenges.#flow.code",
                "challenges.#flow.id = :challenge AND challenges.#flow.expires > :now \
                 AND attribute_not_exists(challenges.#flow.redeemed_by)",
            ),
            names([("#flow", flow.as_str()), ("#version", "version")]),
            values([
                (":attempt", text(&attempt.id)),
                (":challenge", text(&attempt.challenge.id)),
                (":networks", networks.map_err(BuildError::other)?),
                (":zero", number(0)),
                (":expires", number(now.plus(LONG_RETENTION).as_seconds())),
                (":version", text(identifier::random())),
                (":now", number(now.as_millis())),
            ]),
        )
    }
}
