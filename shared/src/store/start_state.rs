//! What a start reads, what the entry of a code reads, and what a message of the app's own reads: each in one call.

use super::controls::ServiceStatus;
use super::counters::{self, CounterKey};
use super::table::{Consistency, Key, get_all};
use super::{
    ClientKey, ClientRecord, ConsentKey, Consents, PhoneConsents, PhoneKey, PhoneMessages, PhoneOwner, PhoneRecord,
    Store, StoreError, optimistic, phone_messages, users,
};
use crate::clock::Timestamp;
use crate::crypto::KeyedHash;
use crate::spend::counter::VersionedCounter;

/// Which items a start reads.
#[derive(Debug)]
pub struct StartKeys {
    /// The phone's item.
    pub phone: PhoneKey,
    /// The phone's keyed hash, which leads to its user.
    pub phone_hash: KeyedHash,
    /// The counter of its prefix.
    pub prefix: [u8; 8],
    /// The client network's item.
    pub client: ClientKey,
    /// The shards of the budgets that it may take from, the phone's own first.
    pub shards: Vec<usize>,
}

/// What is known before a code is compared.
#[derive(Debug)]
pub struct CodeState {
    /// What is kept about the client network.
    pub client: ClientRecord,
    /// Wrong codes of this day, for all phones; 0 where they do not matter.
    pub wrong_codes: usize,
}

/// What is known before a message of the app's own.
#[derive(Debug)]
pub struct MessageLimits {
    /// What such messages have cost.
    pub budget: VersionedCounter,
    /// Those that the phone got.
    pub phone: PhoneMessages,
    /// What the phone has consented to, and whether it has opted out.
    pub consents: PhoneConsents,
    /// What concerns everybody.
    pub status: ServiceStatus,
}

/// What is known before a start.
#[derive(Debug)]
pub struct StartState {
    /// What is kept about the phone.
    pub phone: PhoneRecord,
    /// Its user, if it has one who may log in.
    pub owner: Option<PhoneOwner>,
    /// Whether it has a user who may not log in.
    pub is_disabled: bool,
    /// What is kept about the client network.
    pub client: ClientRecord,
    /// The shards, with their numbers.
    pub shards: Vec<(usize, VersionedCounter)>,
    /// The prefix's counter.
    pub prefix: VersionedCounter,
    /// What concerns everybody.
    pub status: ServiceStatus,
}

impl Store {
    /// Reads all of it in one call. The phone and its user are read strongly consistent; the rest may be a moment late: what is decided on it
    /// is either written on condition, or no matter of one message.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_start_state(&self, keys: &StartKeys, now: Timestamp) -> Result<StartState, StoreError> {
        let Self { phones, users, controls, clients, counters, .. } = self;
        let key = |table, id: &str, consistency| Key { table, id: id.to_owned(), consistency };
        let (phone, owner, client) = (keys.phone.id(), users::phone_id(&keys.phone_hash), keys.client.id());
        let prefix = CounterKey::Prefix(keys.prefix).id();
        let mut requested = vec![
            key(&phones.table, &phone, Consistency::Strong),
            key(&users.table, &owner, Consistency::Strong),
            key(&clients.table, &client, Consistency::Eventual),
            key(&counters.table, &prefix, Consistency::Eventual),
        ];
        let shard_id = |shard: usize| CounterKey::Shard(shard).id();
        requested
            .extend(keys.shards.iter().map(|shard| key(&counters.table, &shard_id(*shard), Consistency::Eventual)));
        requested.extend(users.root_key_unless_known());
        let cached = controls.cached(now);
        if cached.is_none() {
            requested.extend(controls.keys(now));
        }
        let mut found = get_all(&requested).await?;
        users.take_root_key(&mut found)?;
        let mut read_shard =
            |shard: &usize| Ok((*shard, counters::read(found.take(&counters.table, &shard_id(*shard)))?));
        let shards = keys.shards.iter().map(&mut read_shard).collect::<Result<_, StoreError>>()?;
        let owner: Option<PhoneOwner> = users::read(found.take(&users.table, &owner))?;
        Ok(StartState {
            phone: optimistic::read(found.take(&phones.table, &phone))?,
            is_disabled: owner.as_ref().is_some_and(|owner| owner.disabled),
            // One who may not log in gets no code: then the phone is like one without a user.
            owner: owner.filter(|owner| !owner.disabled),
            client: optimistic::read(found.take(&clients.table, &client))?,
            prefix: counters::read(found.take(&counters.table, &prefix))?,
            shards,
            status: match cached {
                Some(status) => status,
                None => controls.take(&mut found, now)?,
            },
        })
    }
}

impl Store {
    /// Reads what the entry of a code depends on besides the phone: the client, and if `counts_wrong_codes` how many this day has had. Not from a
    /// cache: each wrong code counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_code_state(
        &self,
        client: ClientKey,
        counts_wrong_codes: bool,
        now: Timestamp,
    ) -> Result<CodeState, StoreError> {
        let Self { controls, clients, .. } = self;
        let mut requested = vec![Key { table: &clients.table, id: client.id(), consistency: Consistency::Eventual }];
        requested.extend(counts_wrong_codes.then(|| controls.wrong_codes_key(now)));
        let mut found = get_all(&requested).await?;
        let client = optimistic::read(found.take(&clients.table, &client.id()))?;
        Ok(CodeState { client, wrong_codes: controls.take_wrong_codes(&mut found, now)? })
    }
}

impl Store {
    /// Reads what a message of the app's own depends on, in one call. Whether the phone has opted out is read strongly consistent, since nothing
    /// is sent any more once an opt-out is confirmed. The rest may be a moment late: what is decided on it is written on condition.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_message_limits(
        &self,
        (phone, consents): (PhoneKey, ConsentKey),
        now: Timestamp,
    ) -> Result<MessageLimits, StoreError> {
        let Self { controls, counters, consents: Consents { table }, .. } = self;
        let (budget, phone, consents) = (CounterKey::Messages.id(), phone_messages::id(phone), consents.id());
        let cached = controls.cached(now);
        let key = |id: &str| Key { table: &counters.table, id: id.to_owned(), consistency: Consistency::Eventual };
        let opt_out = Key { table, id: consents.clone(), consistency: Consistency::Strong };
        let mut requested = vec![key(&budget), key(&phone), opt_out];
        if cached.is_none() {
            requested.extend(controls.keys(now));
        }
        let mut found = get_all(&requested).await?;
        Ok(MessageLimits {
            budget: counters::read(found.take(&counters.table, &budget))?,
            phone: optimistic::read(found.take(&counters.table, &phone))?,
            consents: optimistic::read(found.take(table, &consents))?,
            status: match cached {
                Some(status) => status,
                None => controls.take(&mut found, now)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CHALLENGE, Fault, NOW, PHONE, hash, issue, start};
    use super::*;
    use crate::flow::Flow;

    fn keys() -> StartKeys {
        let (phone, client) = (PHONE, ClientKey([1; 8]));
        StartKeys { phone, phone_hash: hash("+14155550100"), prefix: [2; 8], client, shards: vec![3, 0] }
    }

    #[tokio::test]
    async fn one_call_finds_what_is_there_and_takes_the_rest_for_empty() {
        let (store, http) = start().await;
        issue(&store, Flow::Login, 5).await;
        http.take_calls();
        let state = store.load_start_state(&keys(), NOW).await.unwrap();
        assert_eq!(http.take_calls(), ["BatchGetItem"]);
        assert_eq!(state.phone.challenges[&Flow::Login.into()].id, CHALLENGE);
        assert!(state.owner.is_none());
        assert_eq!(state.shards.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [3, 0]);
    }

    #[tokio::test]
    async fn keys_without_capacity_are_asked_for_again_and_then_given_up() {
        let (store, http) = start().await;
        issue(&store, Flow::Login, 5).await;
        http.spoil("BatchGetItem", Fault::Unprocessed, 2);
        let state = store.load_start_state(&keys(), NOW).await.unwrap();
        assert_eq!(state.phone.challenges[&Flow::Login.into()].id, CHALLENGE);
        http.spoil("BatchGetItem", Fault::Unprocessed, 10);
        let error = store.load_start_state(&keys(), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Throttled("BatchGetItem")), "{error:?}");
    }
}
