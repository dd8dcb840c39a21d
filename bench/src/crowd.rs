//! A store of many users on a file. Each has the three rows of a user, a pending login and a session, in the form that the service
//! itself writes: one user's items are taken from its own code (`shared::store`, as the local stack's seeds do), the others' are copies
//! with names of their own, which go into the file by the store's bulk import. That a copy is what the service would have written is
//! checked each time. All have one password.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dynoxide::{AttributeValue, Database, Item};
use local::fault_proxy::FaultProxy;
use local::{Data, Options, Stack};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use shared::app::App;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::limits::ATTEMPTS_PER_CHALLENGE;
use shared::auth::password::{Cost, Password};
use shared::clock::Timestamp;
use shared::crypto::identifier;
use shared::crypto::{KeyedHash, Keys};
use shared::flow::Flow;
use shared::store::{Challenge, ENABLED, NewSession, NewUser, PhoneKey, Profile};

use crate::Failure;
use crate::flow::phone_of;

/// So many users go into the file at once.
const CHUNK: usize = 50_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// Makes the file that a stack with its data in this folder opens.
pub(crate) async fn make(folder: &Path, users: usize) -> Result<(), Failure> {
    // The stack makes the tables.
    Stack::start(Options { data: Data::Folder(folder.to_owned()), ..Options::default() }).await?.stop(MINUTE).await;
    let original = Original::record().await?;
    let database = local::dynamodb::open(Some(folder))?;
    database.enable_bulk_loading()?;
    for first in (0..users).step_by(CHUNK) {
        let persons = first..users.min(first + CHUNK);
        let names = persons.map(|person| Names::of(&original.keys, person)).collect::<Result<Vec<_>, _>>()?;
        original.import(&database, &names)?;
    }
    Ok(database.disable_bulk_loading()?)
}

/// The token of a person's session.
pub(crate) fn token(person: usize) -> String {
    identifier::format(&token_bytes(person))
}

fn token_bytes(person: usize) -> [u8; 16] {
    (person as u128).to_be_bytes()
}

/// All that is a person's own.
struct Names {
    phone: String,
    email: String,
    user: String,
    owner: KeyedHash,
    identity: KeyedHash,
    transaction: String,
    code: String,
    token: [u8; 16],
}

impl Names {
    fn of(keys: &Keys, person: usize) -> Result<Self, Failure> {
        let (phone, email) = (phone_of(person), format!("person{person}@example.com"));
        let owner = keys.phone(&phone);
        let transaction = ChallengeId::new(keys, PhoneKey(owner.short()), Flow::Login).text();
        Ok(Self {
            identity: keys.identity(&email),
            user: identifier::random(),
            code: keys.seal_code("012345", &transaction)?,
            token: token_bytes(person),
            phone,
            email,
            owner,
            transaction,
        })
    }

    /// As they stand in items, always in the same order.
    fn texts(&self) -> [String; 10] {
        [
            self.phone.clone(),
            self.email.clone(),
            self.user.clone(),
            format!("user#{}", self.user),
            format!("phone#{}", self.owner.long()),
            format!("identity#{}", self.identity.long()),
            format!("{:016x}", u64::from_be_bytes(self.owner.short())),
            self.transaction.clone(),
            self.code.clone(),
            URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.token)),
        ]
    }
}

/// The items of one person, as the service has written them.
struct Original {
    keys: Arc<Keys>,
    texts: [String; 10],
    items: Vec<(String, Item)>,
}

impl Original {
    async fn record() -> Result<Self, Failure> {
        let store = Stack::start(Options::default()).await?;
        let address = store.config.dynamodb_endpoint.clone();
        let proxy = FaultProxy::start(&address).await?;
        let settings = vec![("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), proxy.url.clone())];
        let stack = Stack::start(Options { data: Data::At(address), settings, ..Options::default() }).await?;
        let (app, now) = (&stack.app, stack.app.clock.now());
        let keys = app.secrets.keys(now).await?;
        let password = Password::entered("correct horse battery").hash(&keys, Cost::default()).await?;
        let (names, other) = (Names::of(&keys, 0)?, Names::of(&keys, 1)?);
        write(app, &names, &password).await?;
        let original = Self { texts: names.texts(), items: items(&proxy)?, keys };
        write(app, &other, &password).await?;
        original.check(&other, &items(&proxy)?)?;
        Ok(original)
    }

    /// A copy must be what the service writes, but for times and what it draws at random.
    fn check(&self, other: &Names, written: &[(String, Item)]) -> Result<(), Failure> {
        let texts = other.texts();
        let fixed = |item: &Item| {
            let mut item: Value = serde_json::to_value(item)?;
            drop_times(&mut item);
            Ok::<_, serde_json::Error>(item)
        };
        for ((table, item), (_, written)) in self.items.iter().zip(written) {
            let (copy, written) = (fixed(&self.copy(item, &texts))?, fixed(written)?);
            if copy != written || self.items.len() != 5 {
                return Err(format!("a copy for {table} is not what the service writes: {copy}, {written}").into());
            }
        }
        Ok(())
    }

    fn import(&self, database: &Database, persons: &[Names]) -> Result<(), Failure> {
        let texts: Vec<_> = persons.iter().map(Names::texts).collect();
        for (table, item) in &self.items {
            let mut copies: Vec<_> = texts.iter().map(|texts| self.copy(item, texts)).collect();
            // In the order of the file's own index, which is quicker.
            copies.sort_by_cached_key(|item| item.get("id").map(ToString::to_string));
            database.import_items(table, copies, dynoxide::ImportOptions::default())?;
        }
        Ok(())
    }

    fn copy(&self, item: &Item, texts: &[String; 10]) -> Item {
        item.iter().map(|(name, value)| (name.clone(), self.copied(value, texts))).collect()
    }

    fn copied(&self, value: &AttributeValue, texts: &[String; 10]) -> AttributeValue {
        match value {
            AttributeValue::S(text) => match self.texts.iter().position(|own| own == text) {
                Some(position) => AttributeValue::S(texts[position].clone()),
                None => value.clone(),
            },
            AttributeValue::M(map) => AttributeValue::M(self.copy(map, texts)),
            other => other.clone(),
        }
    }
}

/// The profile of somebody who has just registered.
pub(crate) fn profile(phone: &str, email: Option<&str>, now: Timestamp) -> Profile {
    Profile {
        phone: phone.to_owned(),
        email: email.map(str::to_owned),
        created: now,
        updated: None,
        last_login: None,
        status: ENABLED.to_owned(),
        locale: "en".to_owned(),
        properties: "{}".to_owned(),
    }
}

/// Has the service's own code write a person.
async fn write(app: &App, names: &Names, password: &str) -> Result<(), Failure> {
    let now = app.clock.now();
    let profile = profile(&names.phone, Some(&names.email), now);
    let (id, identity) = (names.user.as_str(), Some(&names.identity));
    app.store.users.create(&NewUser { id, phone: &names.owner, identity, password, profile: &profile }).await?;
    let pending = Challenge {
        id: names.transaction.clone(),
        code: Some(names.code.clone()),
        // For as long as the benchmark may take.
        expires: now.plus(DAY),
        max_attempts: ATTEMPTS_PER_CHALLENGE,
        attempts: BTreeMap::new(),
        redeemed_by: None,
        user: Some(names.user.clone()),
    };
    let phone = PhoneKey(names.owner.short());
    let record = app.store.phones.get(phone).await?;
    let change = app.store.phones.update(phone, record, now.plus(2 * DAY), |record| {
        // Past the wait for the next message.
        record.without_password.starts = vec![now.minus(MINUTE)];
        record.challenges.insert(Flow::Login, pending.clone());
        Ok::<_, Infallible>(())
    });
    change.await??;
    let settings = &app.settings;
    let session =
        NewSession { token: &names.token, user: id, now, idle: settings.session_idle, life: settings.session_life };
    Ok(app.store.sessions.create(&session).await.map(drop)?)
}

/// The items of the writes since the last time, with their tables.
fn items(proxy: &FaultProxy) -> Result<Vec<(String, Item)>, Failure> {
    let mut items = Vec::new();
    for call in proxy.take_calls() {
        let actions = call.request["TransactItems"].as_array().into_iter().flatten().map(|action| &action["Put"]);
        for put in actions.chain([&call.request]).filter(|put| put["Item"].is_object()) {
            let table = put["TableName"].as_str().ok_or("a write names no table")?;
            items.push((table.to_owned(), serde_json::from_value(put["Item"].clone())?));
        }
    }
    Ok(items)
}

/// Takes out what differs between two writes of the same: times, and the revision.
fn drop_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "N" && name != "revision");
            fields.values_mut().for_each(drop_times);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use shared::app::App;
    use shared::crypto::KeyedHash;
    use shared::store::{ClientKey, StartKeys, StartState};

    use super::*;

    async fn read(app: &App, owner: &KeyedHash, now: Timestamp) -> StartState {
        let (phone, owner) = (PhoneKey(owner.short()), owner.clone());
        let keys = StartKeys { phone, owner, prefix: [0; 8], client: ClientKey([0; 8]), shards: vec![0, 1, 2, 3] };
        app.store.load_start_state(&keys, now).await.unwrap()
    }

    #[tokio::test]
    async fn every_user_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), 3).await.unwrap();
        let data = Data::Folder(folder.path().to_owned());
        let stack = Stack::start(Options { data, ..Options::default() }).await.unwrap();
        let (app, now) = (&stack.app, stack.app.clock.now());
        let keys = app.secrets.keys(now).await.unwrap();
        for person in 0..3 {
            let owner = keys.phone(&phone_of(person));
            let before = read(app, &owner, now).await;
            let login = before.login.unwrap();
            let profile = app.store.users.profile(&login.user).await.unwrap().unwrap();
            assert_eq!(profile.phone, phone_of(person));
            assert_eq!(before.phone.challenges[&Flow::Login].user.as_ref(), Some(&login.user));
            let session = app.store.sessions.touch(&token_bytes(person), now, DAY).await.unwrap().unwrap();
            assert_eq!(session.user, login.user);
        }
        assert!(read(app, &keys.phone(&phone_of(3)), now).await.login.is_none());
    }
}
