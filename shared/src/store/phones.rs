//! The table of phones: one item per phone holds all that must be decided together about it: the code messages it was sent, the wrong codes
//! and passwords entered for it, and its challenges, one per flow. So a limit and what it limits are one conditional write, and of two that
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
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::optimistic::{self, Versioned};
use super::table::{Consistency, Table, Written, write};
use super::{StoreError, names, number, text, values};
use crate::clock::Timestamp;
use crate::crypto::identifier;
use crate::flow::Flow;

/// The most networks that are remembered for a phone.
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

/// What is counted for a phone, separately for flows without a password and after one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneCounts {
    /// Times of the starts, oldest first.
    #[serde(default)]
    pub starts: Vec<Timestamp>,
    /// Times of wrong codes, oldest first, without those of live challenges, which the challenges hold.
    #[serde(default)]
    pub wrong_codes: Vec<Timestamp>,
}

/// All that is kept about a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    #[serde(default)]
    version: Option<String>,
    /// Counts of flows without a password.
    #[serde(default)]
    pub without_password: PhoneCounts,
    /// Counts of logins after the right password.
    #[serde(default)]
    pub after_password: PhoneCounts,
    /// Times of the code messages while the phone had no user, oldest first.
    #[serde(default)]
    pub unconfirmed_sends: Vec<Timestamp>,
    /// When a right code last came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified: Option<Timestamp>,
    /// The networks that the last right codes came from, and when: somebody there has the phone.
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

/// The phones table.
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
            // Nothing is written a second time where a response was lost: the version would be set back, and others have read it.
            .condition_expression(
                "challenges.#flow.id = :challenge AND challenges.#flow.expires > :now \
                 AND attribute_not_exists(challenges.#flow.redeemed_by) \
                 AND size(challenges.#flow.attempts) < challenges.#flow.max_attempts \
                 AND attribute_not_exists(challenges.#flow.attempts.#attempt)",
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
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (written, item) = match write(|| update.clone().send()).await? {
            Written::Done(output) => (true, output.attributes),
            Written::ConditionFailed(found) => (false, Some(found).filter(|found| !found.is_empty())),
        };
        let mut record: PhoneRecord = optimistic::read(item)?;
        let known_networks = std::mem::take(&mut record.known_networks);
        let begun = |challenge: &Challenge| written || challenge.attempts.contains_key(&id);
        let challenge = record.challenges.remove(&flow).filter(begun);
        Ok(challenge.map(|challenge| Attempt { id, challenge, known_networks }))
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::future::join_all;

    use super::super::Store;
    use super::super::table::Transacted;
    use super::super::tests::{CHALLENGE, CHALLENGE_LIFE, Fault, NOW, PHONE, after, attempt, issue, start};
    use super::*;

    const DAY: u64 = 86_400;

    fn code<'a>(attempt: &'a Attempt, network: &'a str) -> VerifiedCode<'a> {
        VerifiedCode { phone: PHONE, flow: Flow::Login, attempt, network }
    }

    async fn redeem(store: &Store, attempt: &Attempt, network: &str, now: Timestamp) -> bool {
        let write = store.phones.redeem(code(attempt, network), now).map(|write| vec![write]);
        store.phones.table.transact(write).await.unwrap() == Transacted::Done
    }

    async fn change(store: &Store, record: PhoneRecord, mut change: impl FnMut(&mut PhoneRecord)) {
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        store.phones.update(PHONE, record, after(DAY), decide).await.unwrap().unwrap();
    }

    async fn expires_at(store: &Store) -> Option<super::super::AttributeValue> {
        store.phones.table.get(&PHONE.id(), Consistency::Strong).await.unwrap().unwrap().remove("expires_at")
    }

    #[tokio::test]
    async fn no_attempt_begins_where_there_is_no_live_challenge() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 1).await;
        let before = store.phones.get(PHONE).await.unwrap();
        let last = after(CHALLENGE_LIFE);
        for (case, phone, flow, challenge, now) in [
            ("unknown phone", PhoneKey([0; 8]), Flow::Login, CHALLENGE, NOW),
            ("unknown challenge", PHONE, Flow::Login, "another", NOW),
            ("another flow", PHONE, Flow::Register, CHALLENGE, NOW),
            ("another flow of users", PHONE, Flow::SecondFactor, CHALLENGE, NOW),
            ("expired", PHONE, Flow::Login, CHALLENGE, last),
        ] {
            let begun = store.phones.begin_attempt(phone, flow, challenge, now).await.unwrap();
            assert!(begun.is_none(), "{case}");
            assert_eq!(store.phones.get(PHONE).await.unwrap(), before, "{case}");
            assert_eq!(store.phones.get(PhoneKey([0; 8])).await.unwrap(), PhoneRecord::default(), "{case}");
        }
        let almost = Timestamp::from_millis(last.as_millis() - 1);
        assert!(store.phones.begin_attempt(PHONE, Flow::Login, CHALLENGE, almost).await.unwrap().is_some());
        assert!(store.phones.begin_attempt(PHONE, Flow::Login, CHALLENGE, NOW).await.unwrap().is_none(), "none left");
    }

    #[tokio::test]
    async fn no_attempt_begins_on_a_redeemed_code() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        assert!(redeem(&store, &attempt(&store, Flow::Login).await, "home", NOW).await);
        assert!(store.phones.begin_attempt(PHONE, Flow::Login, CHALLENGE, NOW).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_attempt_is_stored_before_anybody_sees_the_code() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let attempt = attempt(&store, Flow::Login).await;
        assert_eq!(attempt.challenge.code.as_deref(), Some("sealed"));
        assert_eq!(attempt.challenge.attempts, [(attempt.id.clone(), NOW)].into());
        assert_eq!(store.phones.get(PHONE).await.unwrap().challenges.get(&Flow::Login), Some(&attempt.challenge));
    }

    #[tokio::test]
    async fn an_attempt_whose_response_is_lost_counts_once_even_if_it_is_the_last() {
        for max_attempts in [1, 5] {
            let (store, http) = start().await;
            issue(&store, Flow::Login, max_attempts).await;
            http.take_calls();
            http.spoil("UpdateItem", Fault::LoseResponse, 2);
            assert_eq!(attempt(&store, Flow::Login).await.challenge.attempts.len(), 1);
            assert_eq!(http.take_calls().len(), 3);
        }
    }

    /// Found by a review: the retry set the version back to one that had been read, so what was written in between could be erased.
    #[tokio::test]
    async fn an_attempt_whose_response_is_lost_brings_no_version_back() {
        let (store, http) = start().await;
        issue(&store, Flow::Login, 5).await;
        http.spoil("UpdateItem", Fault::HoldResponse, 1);
        let begin = attempt(&store, Flow::Login);
        let (attempt, stale) = tokio::join!(begin, async {
            http.held.notified().await;
            let stale = store.phones.get(PHONE).await.unwrap();
            change(&store, stale.clone(), |record| record.unconfirmed_sends.push(NOW)).await;
            http.released.notify_one();
            stale
        });
        change(&store, stale, |record| record.unconfirmed_sends.push(NOW)).await;
        let record = store.phones.get(PHONE).await.unwrap();
        assert_eq!((record.unconfirmed_sends.len(), attempt.challenge.attempts.len()), (2, 1));
        assert_eq!(record.challenges[&Flow::Login].attempts, attempt.challenge.attempts);
    }

    #[tokio::test]
    async fn of_attempts_at_once_no_more_begin_than_are_left() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 3).await;
        let begin = || store.phones.begin_attempt(PHONE, Flow::Login, CHALLENGE, NOW);
        let begun = join_all((0..8).map(|_| begin())).await;
        assert_eq!(begun.into_iter().filter_map(Result::unwrap).count(), 3);
    }

    #[tokio::test]
    async fn an_attempt_or_a_redemption_is_not_overwritten_by_what_was_decided_before_it() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let before_attempt = store.phones.get(PHONE).await.unwrap();
        let attempt = attempt(&store, Flow::Login).await;
        let before_redemption = store.phones.get(PHONE).await.unwrap();
        change(&store, before_attempt, |record| record.unconfirmed_sends.push(NOW)).await;
        assert!(redeem(&store, &attempt, "home", NOW).await);
        change(&store, before_redemption, |record| record.unconfirmed_sends.push(NOW)).await;
        let record = store.phones.get(PHONE).await.unwrap();
        let challenge = &record.challenges[&Flow::Login];
        assert_eq!((record.unconfirmed_sends.len(), challenge.attempts.len()), (2, 1));
        assert_eq!(challenge.redeemed_by.as_ref(), Some(&attempt.id));
    }

    #[tokio::test]
    async fn a_code_is_not_redeemed_where_its_challenge_is_gone_expired_or_redeemed() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let (first, second) = (attempt(&store, Flow::Login).await, attempt(&store, Flow::Login).await);
        assert!(!redeem(&store, &first, "home", after(CHALLENGE_LIFE)).await, "expired");
        assert!(!store.phones.was_redeemed(code(&first, "home")).await.unwrap());
        assert!(redeem(&store, &first, "home", NOW).await);
        let redeemed = store.phones.get(PHONE).await.unwrap();
        assert!(!redeem(&store, &first, "home", NOW).await, "redeemed");
        assert!(!redeem(&store, &second, "elsewhere", NOW).await, "redeemed by another attempt");
        assert_eq!(store.phones.get(PHONE).await.unwrap(), redeemed);
        assert!(store.phones.was_redeemed(code(&first, "home")).await.unwrap());
        assert!(!store.phones.was_redeemed(code(&second, "elsewhere")).await.unwrap());
        change(&store, redeemed, |record| record.challenges.get_mut(&Flow::Login).unwrap().id = "replaced".to_owned())
            .await;
        assert!(!redeem(&store, &second, "elsewhere", NOW).await, "replaced");
    }

    #[tokio::test]
    async fn of_two_that_redeem_at_once_one_wins() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let (one, two) = (attempt(&store, Flow::Login).await, attempt(&store, Flow::Login).await);
        let (one, two) = tokio::join!(redeem(&store, &one, "home", NOW), redeem(&store, &two, "work", NOW));
        assert!(one != two, "{one} {two}");
    }

    #[tokio::test]
    async fn what_a_right_code_proves_is_kept_and_the_code_is_not() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let record = store.phones.get(PHONE).await.unwrap();
        change(&store, record, |record| record.wrong_passwords_in_a_row = 9).await;
        assert!(redeem(&store, &attempt(&store, Flow::Login).await, "home", after(1)).await);
        let record = store.phones.get(PHONE).await.unwrap();
        assert_eq!(record.challenges[&Flow::Login].code, None);
        assert_eq!((record.last_verified, record.wrong_passwords_in_a_row), (Some(after(1)), 0));
        assert_eq!(record.known_networks, [("home".to_owned(), after(1))].into());
        assert_eq!(expires_at(&store).await, Some(number(after(1).plus(LONG_RETENTION).as_seconds())));
    }

    #[tokio::test]
    async fn the_four_networks_that_were_used_last_are_known() {
        let (store, _) = start().await;
        for (second, network) in (0..).zip(["a", "b", "c", "d", "a", "e"]) {
            issue(&store, Flow::Login, 5).await;
            assert!(redeem(&store, &attempt(&store, Flow::Login).await, network, after(second)).await);
        }
        let known = store.phones.get(PHONE).await.unwrap().known_networks;
        let expected = [("a", 4), ("c", 2), ("d", 3), ("e", 5)];
        assert_eq!(known, expected.map(|(network, second)| (network.to_owned(), after(second))).into());
    }

    #[tokio::test]
    async fn an_item_is_kept_for_as_long_as_something_in_it_counts() {
        let home = || BTreeMap::from([("home".to_owned(), NOW)]);
        let cases = [
            ("starts", PhoneRecord::default(), after(DAY)),
            ("verified", PhoneRecord { last_verified: Some(NOW), ..Default::default() }, after(DAY)),
            (
                "known networks",
                PhoneRecord { last_verified: Some(NOW), known_networks: home(), ..Default::default() },
                after(400 * DAY),
            ),
            (
                "wrong passwords in a row",
                PhoneRecord { wrong_passwords_in_a_row: 1, ..Default::default() },
                after(401 * DAY),
            ),
        ];
        for (case, record, expires) in cases {
            let (store, _) = start().await;
            change(&store, record, |_| ()).await;
            assert_eq!(expires_at(&store).await, Some(number(expires.as_seconds())), "{case}");
        }
    }
}
