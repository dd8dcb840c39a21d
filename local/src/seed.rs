//! Seeds: users, transactions, what was counted for phones, messages and sessions, from a JSON file: what event files refer to. Uses
//! `shared::store`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::auth::Purpose;
use shared::auth::limits::TRIES_PER_TRANSACTION;
use shared::auth::password::Password;
use shared::auth::properties::Properties;
use shared::auth::transaction::TransactionId;
use shared::keys::Keys;
use shared::messaging::{IdempotencyKey, Message};
use shared::phone::PhoneNumber;
use shared::service::Service;
use shared::store::{Claimed, Counts, ENABLED, NewSession, NewUser, Pending, PhoneKey, PhoneRecord, Profile, Sent};
use shared::uuid;

use crate::StackError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What was counted for a phone was counted so long ago: past the wait for the next message, and for almost a day to come.
const AGO: Duration = Duration::from_secs(60);

/// A seed file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// Users, who are there as if they had registered.
    #[serde(default)]
    pub users: Vec<SeedUser>,
    /// Transactions, which are pending unless they say otherwise.
    #[serde(default)]
    pub transactions: Vec<SeedTransaction>,
    /// What was counted for phones.
    #[serde(default)]
    pub phones: Vec<SeedPhone>,
    /// Messages that were asked for before.
    #[serde(default)]
    pub messages: Vec<SeedMessage>,
    /// Sessions, which stand as if their users had just logged in, unless they say otherwise.
    #[serde(default)]
    pub sessions: Vec<SeedSession>,
}

/// A user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    /// An upper-case UUID.
    pub object_id: String,
    /// In any spelling.
    pub phone_number: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The password.
    pub password: String,
    /// `ENABLED` (default) or `DISABLED`.
    pub user_status: Option<String>,
    /// The app's own properties.
    #[serde(default)]
    pub properties: Map<String, Value>,
}

/// A transaction. One that is pending stays so for a day, so that a stack that was started a while ago still knows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedTransaction {
    /// An id that belongs to the phone and the purpose; a wrong one is answered with one that would do.
    pub transaction_id: String,
    /// `register`, `login` or `secondFactor`.
    pub purpose: String,
    /// In any spelling.
    pub phone_number: String,
    /// The code, as it would be sent.
    pub code: String,
    /// Who logs in.
    pub object_id: Option<String>,
    /// How long ago it expired, in seconds.
    pub expired_for: Option<u64>,
    /// How many wrong codes were entered for it; five are all it takes.
    #[serde(default)]
    pub wrong_codes: usize,
    /// Whether its code was used.
    #[serde(default)]
    pub used: bool,
}

/// What was counted for a phone a minute ago.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedPhone {
    /// In any spelling.
    pub phone_number: String,
    /// Starts without a password, each of which may send a code message.
    #[serde(default)]
    pub messages: usize,
    /// Wrong codes that needed no password, beside those of its transactions.
    #[serde(default)]
    pub wrong_codes: usize,
    /// Wrong codes after a right password.
    #[serde(default)]
    pub wrong_codes_after_password: usize,
    /// Starts behind the password.
    #[serde(default)]
    pub messages_after_password: usize,
    /// Wrong passwords in a row.
    #[serde(default)]
    pub wrong_passwords: u32,
}

/// A message that was asked for before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedMessage {
    /// Its idempotency key.
    pub idempotency_key: String,
    /// In any spelling.
    pub phone_number: String,
    /// The text.
    pub message: String,
    /// What became of it.
    pub state: SeedState,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedState {
    /// Somebody is sending it, for a day.
    Sending,
    /// Plivo took it.
    Sent,
    /// Whoever was sending it is gone.
    Unknown,
}

/// A session.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedSession {
    /// The token, a UUID.
    pub user_token: String,
    /// Whose it is.
    pub object_id: String,
    /// How long ago it ended, in seconds.
    pub ended_for: Option<u64>,
}

/// Loads a file. Users and sessions that are there already stay, transactions and counts are made anew: a kept store can be
/// started with the same seed again.
pub(crate) async fn load(service: &Service, file: &Path) -> Result<(), StackError> {
    let text = std::fs::read(file).map_err(StackError::new(format!("seed file {} cannot be read", file.display())))?;
    let seed: Seed = serde_json::from_slice(&text)
        .map_err(StackError::new(format!("seed file {} is not a seed", file.display())))?;
    let keys = service.secrets.keys(service.clock.now()).await.map_err(StackError::new("no keys for seeds"))?;
    for user in &seed.users {
        add_user(service, &keys, user).await?;
    }
    for transaction in &seed.transactions {
        add_transaction(service, &keys, transaction).await?;
    }
    for phone in &seed.phones {
        add_phone(service, &keys, phone).await?;
    }
    for message in &seed.messages {
        add_message(service, &keys, message).await?;
    }
    for session in &seed.sessions {
        add_session(service, session).await?;
    }
    Ok(())
}

async fn add_user(service: &Service, keys: &Keys, seed: &SeedUser) -> Result<(), StackError> {
    let phone = phone(service, &seed.phone_number)?;
    let properties =
        Properties::from_rest(seed.properties.clone()).map_err(StackError::new("a seed's properties are refused"))?;
    let password = Password::entered(&seed.password).hash(keys, service.password_cost).await;
    let password = password.map_err(StackError::new("a seed's password"))?;
    let profile = Profile {
        phone: phone.e164().to_owned(),
        email: seed.email.clone(),
        created: service.clock.now(),
        updated: None,
        last_login: None,
        status: seed.user_status.clone().unwrap_or_else(|| ENABLED.to_owned()),
        locale: "en".to_owned(),
        properties: properties.to_text(),
    };
    let (owner, identity) =
        (keys.phone(phone.e164()), seed.email.as_deref().map(|email| keys.identity(&email.to_lowercase())));
    let user = NewUser {
        id: &seed.object_id,
        phone: &owner,
        identity: identity.as_ref(),
        password: &password,
        profile: &profile,
    };
    service.users.create(&user).await.map(drop).map_err(StackError::new("a seed's user"))
}

async fn add_transaction(service: &Service, keys: &Keys, seed: &SeedTransaction) -> Result<(), StackError> {
    let purpose = match seed.purpose.as_str() {
        "register" => Purpose::Register,
        "login" => Purpose::Login,
        "secondFactor" => Purpose::SecondFactor,
        other => {
            return Err(StackError::plain(format!("a seed's purpose is register, login or secondFactor, not {other}")));
        }
    };
    let key = key(service, keys, &seed.phone_number)?;
    let id = TransactionId::parse(&seed.transaction_id).filter(|id| id.open(keys).contains(&(key, purpose)));
    let Some(id) = id else {
        let fitting = TransactionId::new(keys, key, purpose).map_err(StackError::new("no randomness"))?.text();
        return Err(StackError::plain(format!(
            "seed transactionId {} is not of its phone and purpose; {fitting} would be",
            seed.transaction_id
        )));
    };
    let now = service.clock.now();
    let sealed = keys.seal_code(&seed.code, &id.text()).map_err(StackError::new("no randomness"))?;
    let mut tries: BTreeMap<_, _> = (1..=seed.wrong_codes).map(|number| (format!("wrong {number}"), now)).collect();
    let used = seed.used.then(|| "right".to_owned());
    tries.extend(used.iter().map(|mark| (mark.clone(), now)));
    let pending = Pending {
        id: id.text(),
        code: Some(sealed).filter(|_| !seed.used),
        expires: match seed.expired_for {
            None => now.plus(DAY),
            Some(seconds) => now.minus(Duration::from_secs(seconds)),
        },
        allowance: TRIES_PER_TRANSACTION,
        tries,
        used,
        user: seed.object_id.clone(),
    };
    change(service, key, |record| *record.slot_mut(purpose.slot()) = Some(pending.clone())).await
}

async fn add_phone(service: &Service, keys: &Keys, seed: &SeedPhone) -> Result<(), StackError> {
    let then = service.clock.now().minus(AGO);
    change(service, key(service, keys, &seed.phone_number)?, |record| {
        let counts = |messages, wrong_codes| Counts { sends: vec![then; messages], wrong: vec![then; wrong_codes] };
        record.without_password = counts(seed.messages, seed.wrong_codes);
        record.after_password = counts(seed.messages_after_password, seed.wrong_codes_after_password);
        record.passwords_in_a_row = seed.wrong_passwords;
    })
    .await
}

/// Changes what is kept about a phone.
async fn change(service: &Service, key: PhoneKey, change: impl Fn(&mut PhoneRecord)) -> Result<(), StackError> {
    let record = service.phones.get(key).await.map_err(StackError::new("storage"))?;
    let decide = |record: &mut PhoneRecord| {
        change(record);
        Ok::<_, Infallible>(())
    };
    let changed = service.phones.change(key, record, service.clock.now().plus(2 * DAY), decide).await;
    changed.map(drop).map_err(StackError::new("a seed's phone"))
}

async fn add_message(service: &Service, keys: &Keys, seed: &SeedMessage) -> Result<(), StackError> {
    let to = phone(service, &seed.phone_number)?;
    let message = Message::new(service, to, seed.message.clone(), Vec::new())
        .map_err(StackError::new("a seed's message is refused"))?;
    let key = IdempotencyKey::parse(&seed.idempotency_key).map_err(StackError::new("a seed's message is refused"))?;
    let (key, message) = (keys.message(key.as_str()), keys.message(&message.content()));
    let claimed = service.messages.claim(&key, &message, service.clock.now().plus(DAY)).await;
    let Claimed::Mine(claim) = claimed.map_err(StackError::new("a seed's message"))? else { return Ok(()) };
    let answer = serde_json::json!({ "message": "message(s) queued", "message_uuid": ["seeded"], "api_id": "seeded" });
    let settled = match seed.state {
        SeedState::Sending => Ok(()),
        SeedState::Sent => service.messages.settle(&claim, &Sent::Sent(answer.to_string()), service.clock.now()).await,
        SeedState::Unknown => service.messages.settle(&claim, &Sent::Unknown, service.clock.now()).await,
    };
    settled.map_err(StackError::new("a seed's message"))
}

async fn add_session(service: &Service, seed: &SeedSession) -> Result<(), StackError> {
    let token = uuid::parse(&seed.user_token).ok_or_else(|| StackError::plain("a seed's userToken is a UUID"))?;
    let (now, settings) = (service.clock.now(), &service.settings);
    let (now, idle, life) = match seed.ended_for {
        None => (now, settings.session_idle, settings.session_life),
        Some(seconds) => (now.minus(Duration::from_secs(seconds)), Duration::ZERO, Duration::ZERO),
    };
    let session = NewSession { token: &token, user: &seed.object_id, now, idle, life };
    service.sessions.begin(&session).await.map(drop).map_err(StackError::new("a seed's session"))
}

fn phone(service: &Service, text: &str) -> Result<PhoneNumber, StackError> {
    PhoneNumber::parse(text, service.settings.default_country)
        .map_err(StackError::new("a seed's phoneNumber is refused"))
}

fn key(service: &Service, keys: &Keys, number: &str) -> Result<PhoneKey, StackError> {
    Ok(PhoneKey(keys.phone(phone(service, number)?.e164()).short()))
}
