//! Seeds: loads the users, challenges, counts, messages and sessions of a JSON file, to which the event files refer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use phone_number::PhoneNumber;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::app::App;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::email::Email;
use shared::auth::limits::ATTEMPTS_PER_CHALLENGE;
use shared::auth::password::Password;
use shared::auth::properties::Properties;
use shared::crypto::Keys;
use shared::crypto::identifier;
use shared::flow::Flow;
use shared::messaging::{IdempotencyKey, Message, consent};
use shared::store::{
    Challenge, Claimed, ENABLED, MessageState, NewSession, NewUser, OptOut, PhoneConsents, PhoneCounts, PhoneKey,
    PhoneRecord, Profile,
};

use crate::StackError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The age of a phone's counts: old enough that the wait for the next message is over, and valid for almost another day.
const AGO: Duration = Duration::from_secs(60);

/// A seed file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// Registered users.
    #[serde(default)]
    pub users: Vec<SeedUser>,
    /// Challenges, which are open unless they say otherwise.
    #[serde(default)]
    pub challenges: Vec<SeedChallenge>,
    /// Counts of phones.
    #[serde(default)]
    pub phones: Vec<SeedPhone>,
    /// Messages that were requested before.
    #[serde(default)]
    pub messages: Vec<SeedMessage>,
    /// Sessions, which have just begun unless they say otherwise.
    #[serde(default)]
    pub sessions: Vec<SeedSession>,
}

/// A user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedUser {
    /// An upper-case UUID.
    pub object_id: String,
    /// The phone number, in any spelling.
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

/// A challenge. It stays open for a day, so that a stack that was started hours ago still accepts its code.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedChallenge {
    /// An ID that belongs to the phone and the flow. The error for any other ID shows one that would.
    pub transaction_id: String,
    /// The flow.
    pub flow: Flow,
    /// The phone number, in any spelling.
    pub phone_number: String,
    /// The code.
    pub code: String,
    /// The user who logs in.
    pub object_id: Option<String>,
    /// How long ago it expired, in seconds.
    pub expired_for: Option<u64>,
    /// The number of wrong codes that were entered; five end it.
    #[serde(default)]
    pub wrong_codes: usize,
    /// Whether its code was used.
    #[serde(default)]
    pub used: bool,
}

/// A phone's counts, a minute old.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedPhone {
    /// The phone number, in any spelling.
    pub phone_number: String,
    /// Starts without a password.
    #[serde(default)]
    pub messages: usize,
    /// Wrong codes without a password, besides those of its challenges.
    #[serde(default)]
    pub wrong_codes: usize,
    /// Wrong codes after a right password.
    #[serde(default)]
    pub wrong_codes_after_password: usize,
    /// Starts after a right password.
    #[serde(default)]
    pub messages_after_password: usize,
    /// Wrong passwords.
    #[serde(default)]
    pub wrong_passwords: usize,
    /// Whether it has opted out of messages.
    #[serde(default)]
    pub opted_out: bool,
}

/// A message that was requested before.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedMessage {
    /// Its idempotency key.
    pub idempotency_key: String,
    /// The phone number, in any spelling.
    pub phone_number: String,
    /// The text.
    pub message: String,
    /// Its state.
    pub state: SeedState,
}

/// The state of a message.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeedState {
    /// It is being sent, and remains so for a day.
    Sending,
    /// Plivo accepted it.
    Sent,
    /// Nobody knows whether it was sent.
    Unknown,
}

/// A session.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedSession {
    /// The token, a UUID.
    pub user_token: String,
    /// Its user.
    pub object_id: String,
    /// How long ago it ended, in seconds.
    pub ended_for: Option<u64>,
}

/// Loads a seed file. Existing users and sessions stay; challenges and counts are replaced. So a stack that keeps its data can be
/// started with the same seed again.
pub(crate) async fn load(app: &App, file: &Path) -> Result<(), StackError> {
    let text = std::fs::read(file).map_err(StackError::new(format!("seed file {} cannot be read", file.display())))?;
    let seed: Seed = serde_json::from_slice(&text)
        .map_err(StackError::new(format!("seed file {} is not a seed", file.display())))?;
    let keys = app.secrets.keys(app.clock.now()).await.map_err(StackError::new("no keys for seeds"))?;
    for user in &seed.users {
        add_user(app, &keys, user).await?;
    }
    for challenge in &seed.challenges {
        add_challenge(app, &keys, challenge).await?;
    }
    for phone in &seed.phones {
        add_phone(app, &keys, phone).await?;
    }
    for message in &seed.messages {
        add_message(app, &keys, message).await?;
    }
    for session in &seed.sessions {
        add_session(app, session).await?;
    }
    Ok(())
}

async fn add_user(app: &App, keys: &Keys, seed: &SeedUser) -> Result<(), StackError> {
    let phone = phone(app, &seed.phone_number)?;
    let properties =
        Properties::from_rest(seed.properties.clone()).map_err(StackError::new("a seed's properties are refused"))?;
    let password = Password::entered(&seed.password).hash(keys, app.password_cost).await;
    let password = password.map_err(StackError::new("a seed's password"))?;
    let profile = Profile {
        phone: phone.e164().to_owned(),
        email: seed.email.clone(),
        created: app.clock.now(),
        updated: None,
        last_login: None,
        status: seed.user_status.clone().unwrap_or_else(|| ENABLED.to_owned()),
        locale: "en".to_owned(),
        properties: properties.to_text(),
        sessions: [].into(),
        roles: [].into(),
    };
    let email = seed
        .email
        .as_deref()
        .map(|email| Email::parse(email).ok_or_else(|| StackError::plain("a seed's email is none")));
    let identity = email.transpose()?.map(|email| keys.identity(email.identity()));
    let owner = keys.phone(phone.e164());
    let user = NewUser {
        id: &seed.object_id,
        phone: &owner,
        identity: identity.as_ref(),
        password: Some(&password),
        test: false,
        profile: &profile,
        session: None,
    };
    app.store.users.create(&user).await.map(drop).map_err(StackError::new("a seed's user"))
}

async fn add_challenge(app: &App, keys: &Keys, seed: &SeedChallenge) -> Result<(), StackError> {
    let (flow, key) = (seed.flow, key(app, keys, &seed.phone_number)?);
    let id = ChallengeId::parse(&seed.transaction_id).filter(|id| id.open(keys).contains(&(key, flow.into())));
    let Some(id) = id else {
        let fitting = ChallengeId::new(keys, key, flow.into()).text();
        return Err(StackError::plain(format!(
            "seed transactionId {} does not belong to its phone and flow; {fitting} would",
            seed.transaction_id
        )));
    };
    let now = app.clock.now();
    let sealed = keys.seal_code(&seed.code, &id.text()).map_err(StackError::new("no randomness"))?;
    let mut attempts: BTreeMap<_, _> = (1..=seed.wrong_codes).map(|number| (format!("wrong {number}"), now)).collect();
    let used = seed.used.then(|| "right".to_owned());
    attempts.extend(used.iter().map(|attempt_id| (attempt_id.clone(), now)));
    let challenge = Challenge {
        id: id.text(),
        code: Some(sealed).filter(|_| !seed.used),
        expires: match seed.expired_for {
            None => now.plus(DAY),
            Some(seconds) => now.minus(Duration::from_secs(seconds)),
        },
        max_attempts: ATTEMPTS_PER_CHALLENGE,
        attempts,
        redeemed_by: used,
        user: seed.object_id.clone(),
        send: None,
        test: false,
    };
    update(app, key, |record| drop(record.challenges.insert(flow.into(), challenge.clone()))).await
}

async fn add_phone(app: &App, keys: &Keys, seed: &SeedPhone) -> Result<(), StackError> {
    let then = app.clock.now().minus(AGO);
    if seed.opted_out {
        opt_out(app, keys, &seed.phone_number).await?;
    }
    update(app, key(app, keys, &seed.phone_number)?, |record| {
        let counts =
            |messages, wrong_codes| PhoneCounts { starts: vec![then; messages], wrong_codes: vec![then; wrong_codes] };
        record.shared.without_password = counts(seed.messages, seed.wrong_codes);
        record.shared.after_password = counts(seed.messages_after_password, seed.wrong_codes_after_password);
        record.shared.wrong_passwords = vec![(then, "seed".to_owned()); seed.wrong_passwords];
    })
    .await
}

/// Opts a phone out of messages.
async fn opt_out(app: &App, keys: &Keys, number: &str) -> Result<(), StackError> {
    let phone = consent::key(keys, phone(app, number)?.e164());
    let record = app.store.consents.get(phone).await.map_err(StackError::new("storage"))?;
    let now = app.clock.now();
    let decide = |record: &mut PhoneConsents| {
        record.opted_out = Some(OptOut { at: now, by: "STOP".to_owned(), uuid: "seeded".to_owned() });
        Ok::<_, Infallible>(())
    };
    let changed = app.store.consents.update(phone, record, now, decide).await;
    changed.map(drop).map_err(StackError::new("a seed's opt-out"))
}

/// Updates a phone's record.
async fn update(app: &App, key: PhoneKey, change: impl Fn(&mut PhoneRecord)) -> Result<(), StackError> {
    let record = app.store.phones.get(key).await.map_err(StackError::new("storage"))?;
    let decide = |record: &mut PhoneRecord| {
        change(record);
        Ok::<_, Infallible>(())
    };
    let changed = app.store.phones.update(key, record, app.clock.now().plus(2 * DAY), decide).await;
    changed.map(drop).map_err(StackError::new("a seed's phone"))
}

async fn add_message(app: &App, keys: &Keys, seed: &SeedMessage) -> Result<(), StackError> {
    let to = phone(app, &seed.phone_number)?;
    let message = Message::new(&app.settings, to, seed.message.clone(), Vec::new())
        .map_err(StackError::new("a seed's message is refused"))?;
    let key = IdempotencyKey::parse(&seed.idempotency_key).map_err(StackError::new("a seed's message is refused"))?;
    let (key, message) = (keys.message(key.as_str()), keys.message(&message.content()));
    let claimed = app.store.messages.claim(&key, &message, app.clock.now().plus(DAY)).await;
    let Claimed::Acquired(claim) = claimed.map_err(StackError::new("a seed's message"))? else { return Ok(()) };
    let answer = serde_json::json!({ "message": "message(s) queued", "message_uuid": ["seeded"], "api_id": "seeded" });
    let settled = match seed.state {
        SeedState::Sending => Ok(()),
        SeedState::Sent => {
            app.store.messages.settle(&claim, &MessageState::Sent(answer.to_string()), app.clock.now()).await
        }
        SeedState::Unknown => app.store.messages.settle(&claim, &MessageState::Unknown, app.clock.now()).await,
    };
    settled.map_err(StackError::new("a seed's message"))
}

async fn add_session(app: &App, seed: &SeedSession) -> Result<(), StackError> {
    let token = identifier::parse(&seed.user_token).ok_or_else(|| StackError::plain("a seed's userToken is a UUID"))?;
    let (now, settings) = (app.clock.now(), &app.settings);
    let (now, idle, life) = match seed.ended_for {
        None => (now, settings.session_idle, settings.session_life),
        Some(seconds) => (now.minus(Duration::from_secs(seconds)), Duration::ZERO, Duration::ZERO),
    };
    let session =
        NewSession { token: &token, user: &seed.object_id, device: "a seed", flow: Flow::Login, now, idle, life };
    app.store
        .users
        .add_session(&app.store.sessions, &session)
        .await
        .map(drop)
        .map_err(StackError::new("a seed's session"))
}

fn phone(app: &App, text: &str) -> Result<PhoneNumber, StackError> {
    PhoneNumber::parse(text, app.settings.default_country).map_err(StackError::new("a seed's phoneNumber is refused"))
}

fn key(app: &App, keys: &Keys, number: &str) -> Result<PhoneKey, StackError> {
    Ok(PhoneKey(keys.phone(phone(app, number)?.e164()).short()))
}
