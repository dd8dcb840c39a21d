//! What users do with their own account: change it, delete it, take its data along.
//!
//! **A lost update is refused.** The SDK sends the whole object back, with the `updated` that it has read. If the user has been changed since then,
//! the change is refused, since it would silently undo the other. A client that sends no `updated` changes what it sends and nothing else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::challenge_id::ChallengeId;
use super::check_code::{self, EnteredCode, RightCode, check_code};
use super::email::Email;
use super::finish_login::count_verified;
use super::notice;
use super::otp::OneTimeCode;
use super::password::Password;
use super::properties::Properties;
use super::start::Changing;
use super::{AuthError, Requester, own_password, session, start};
use crate::app::App;
use crate::clock::Timestamp;
use crate::config::{Identity, Purpose, Settings};
use crate::crypto::{KeyedHash, Keys};
use crate::flow::Flow;
use crate::hints::CodeRejection;
use crate::logging;
use crate::messaging::consent;
use crate::store::{PhoneChange, PhoneKey, PhoneMoved, Profile, Session, UserChange, VerifiedCode};
use phone_number::PhoneNumber;

/// How long after a login the phone may be changed without the password.
const FRESH_FOR_PHONE: Duration = Duration::from_secs(20 * 60);
/// How often a change is decided anew when another was faster.
const ATTEMPTS: usize = 5;

/// A change whose every part has been checked for its form.
#[derive(Debug)]
pub struct ProfileChange {
    /// The `updated` that the client has read, if it says so.
    pub seen: Option<Option<Timestamp>>,
    /// The phone: another one than the user's is first to be proven.
    pub phone: Option<PhoneNumber>,
    /// The challenge that was sent to a new phone, and its code.
    pub proof: Option<(ChallengeId, OneTimeCode)>,
    /// The e-mail address.
    pub email: Option<Email>,
    /// Two letters.
    pub locale: Option<String>,
    /// A new password.
    pub password: Option<Password>,
    /// The old one.
    pub current: Option<Password>,
    /// The app's own properties that change.
    pub properties: Properties,
}

/// How a change ended.
#[derive(Debug)]
pub enum Changed {
    /// The user as it is now.
    Done(Profile),
    /// Nothing is changed yet: a code went to the new phone, for the challenge of this id.
    CodeSent(Profile, String),
}

/// Changes the own user. A new password or phone ends all other sessions and the tokens of devices, and a message to the phone that the user had
/// tells.
///
/// # Errors
/// As [`session::own_profile`]; [`AuthError::UserChanged`], [`AuthError::Fixed`], [`AuthError::Properties`], [`AuthError::SessionNotFresh`], and the errors
/// of a password and of a start.
pub async fn update(
    app: &Arc<App>,
    token: &str,
    user: &str,
    change: ProfileChange,
    requester: &Requester,
) -> Result<Changed, AuthError> {
    let (session, profile) = session::own(app, token, user).await?;
    let new_phone = change.phone.as_ref().filter(|phone| phone.e164() != profile.phone);
    let starts = new_phone.is_some() && change.proof.is_none();
    if starts || change.password.is_some() {
        let fresh = if change.password.is_some() { own_password::FRESH } else { FRESH_FOR_PHONE };
        let who = (&session, &profile);
        own_password::authorize(app, who, change.current.as_ref(), fresh, requester).await?;
    }
    match (new_phone, &change.proof) {
        (Some(phone), None) => {
            let locale = change.locale.as_ref().unwrap_or(&profile.locale);
            let requester = requester.clone().in_locale(locale);
            let is_test = PhoneNumber::parse(&profile.phone, app.settings.default_country)
                .is_ok_and(|present| app.settings.test_number(&present, app.clock.now()).is_some());
            let challenge = start::change_of_phone(app, phone, Changing { user, is_test }, &requester).await?;
            Ok(Changed::CodeSent(profile, challenge))
        }
        (Some(phone), Some((challenge, code))) => {
            let changed = async {
                let code = prove(app, user, (phone, *challenge, code), requester).await?;
                write(app, &session, profile, &change, Some((phone, code)), requester).await
            };
            let outcome = changed.await;
            check_code::tell(app, *challenge, &outcome);
            outcome.map(Changed::Done)
        }
        (None, _) => write(app, &session, profile, &change, None, requester).await.map(Changed::Done),
    }
}

/// Checks the code that went to a user's new phone, for a challenge of this user.
async fn prove(
    app: &App,
    user: &str,
    (phone, challenge, code): (&PhoneNumber, ChallengeId, &OneTimeCode),
    requester: &Requester,
) -> Result<RightCode, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    let owner = PhoneKey(keys.phone(phone.e164()).short());
    let opened = check_code::open(challenge, &keys, check_code::only(owner, Flow::ChangePhone))?;
    let right = check_code(app, &keys, EnteredCode { challenge, opened: &opened, code, requester }, now).await?;
    let is_own = right.attempt.challenge.user.as_deref() == Some(user);
    if is_own { Ok(right) } else { Err(AuthError::CodeRejected(CodeRejection::OtherUser)) }
}

/// Decides on the profile as it is, and writes it; again where another change was faster.
async fn write(
    app: &Arc<App>,
    session: &Session,
    mut profile: Profile,
    change: &ProfileChange,
    moved: Option<(&PhoneNumber, RightCode)>,
    requester: &Requester,
) -> Result<Profile, AuthError> {
    let (now, user) = (app.clock.now(), session.user.as_str());
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let hash = match &change.password {
        Some(chosen) => Some(own_password::hash(app, &profile, chosen).await?),
        None => None,
    };
    for _ in 0..ATTEMPTS {
        let mut changed = apply(&app.settings, &profile, change, now)?;
        if let Some((phone, _)) = &moved {
            phone.e164().clone_into(&mut changed.phone);
        }
        let ends_others = hash.is_some() || moved.is_some();
        let mut ended = profile.session_entries();
        ended.retain(|entry| ends_others && entry.id != session.id);
        // No session may begin meanwhile that would not end.
        let sessions_of = ends_others.then_some(&profile);
        let (old, new) = (keys.phone(&profile.phone), keys.phone(&changed.phone));
        let password = hash.as_deref().map(|hash| (&old, hash));
        let (seen, ended) = (profile.updated, ended.as_slice());
        let written = UserChange { user, seen, profile: &changed, password, ended, sessions_of };
        let is_done = match &moved {
            Some((_, code)) => move_phone(app, (&old, &new), code, written, now).await?,
            None => app.store.users.change(&app.store.sessions, &written).await?,
        };
        if !is_done {
            profile = session::enabled(app.store.users.profile(user).await?)?;
            continue;
        }
        if let Some((phone, code)) = &moved {
            count_verified(app, &keys, phone, (Flow::ChangePhone, &code.attempt), now);
        }
        if ends_others {
            let notice = if moved.is_some() { Purpose::PhoneChanged } else { Purpose::PasswordChanged };
            let mut items = notice::challenge_items(&keys, &profile);
            items.push(PhoneKey(new.short()));
            let language = requester.language_for(&changed.locale);
            notice::after_change(app, (notice, language), &profile.phone, items);
        }
        logging::record_user(user);
        tracing::info!(event = "user_updated", reason = "by its user", "changed");
        return Ok(changed);
    }
    Err(AuthError::UserChanged)
}

/// Writes a change together with a new phone, from the old one's keyed hash to the new one's; `false` where another change was faster.
async fn move_phone(
    app: &App,
    (old, new): (&KeyedHash, &KeyedHash),
    code: &RightCode,
    change: UserChange<'_>,
    now: Timestamp,
) -> Result<bool, AuthError> {
    let (users, phones, sessions) = (&app.store.users, &app.store.phones, &app.store.sessions);
    let mut owner = users.owner(old).await?.filter(|owner| owner.user == change.user).ok_or(AuthError::UserChanged)?;
    owner.password = change.password.map(|(_, hash)| hash.to_owned()).or(owner.password);
    owner.test = code.attempt.challenge.test;
    let change = PhoneChange { old, new, owner: &owner, user: change };
    let code = VerifiedCode { phone: code.phone, key: code.key, attempt: &code.attempt, device: None };
    match users.move_phone(phones, sessions, code, &change, now).await? {
        PhoneMoved::Done => Ok(true),
        PhoneMoved::CodeUsed => Err(AuthError::CodeRejected(CodeRejection::Used)),
        PhoneMoved::Taken => Err(AuthError::UserExists),
        PhoneMoved::Changed => Ok(false),
    }
}

/// The profile after a change. Changes nothing else.
fn apply(settings: &Settings, old: &Profile, change: &ProfileChange, now: Timestamp) -> Result<Profile, AuthError> {
    if change.seen.is_some_and(|seen| seen != old.updated) {
        return Err(AuthError::UserChanged);
    }
    // It is the version that the next change is decided on, so no two changes have the same.
    let updated = old.updated.map_or(now, |last| now.max(last.plus(Duration::from_millis(1))));
    let mut new = Profile { updated: Some(updated), ..old.clone() };
    if let Some(email) = &change.email {
        let known = old.email.as_deref().and_then(Email::parse);
        let is_same = known.is_some_and(|known| known.identity() == email.identity());
        // Whether another address is taken would be an oracle, and whose it is, nobody has shown.
        if settings.identity == Identity::Email && !is_same {
            return Err(AuthError::Fixed("email".to_owned()));
        }
        new.email = Some(email.as_str().to_owned());
    }
    if let Some(locale) = &change.locale {
        new.locale.clone_from(locale);
    }
    new.properties = change.properties.merged_into(&old.properties)?.to_text();
    Ok(new)
}

/// Longer than any code lives.
const ANY_CODE_LIFE: Duration = Duration::from_hours(24);

/// Deletes the own user: profile, login, claim of the e-mail address and sessions in one transaction; then what the phone's item holds of the user,
/// which is worth nothing by then. Returns when.
///
/// # Errors
/// As [`session::own_profile`]; [`AuthError::SessionNotFresh`].
pub async fn delete(app: &App, token: &str, user: &str) -> Result<Timestamp, AuthError> {
    let (session, mut profile) = session::own(app, token, user).await?;
    let now = app.clock.now();
    if now >= session.created.plus(own_password::FRESH) {
        return Err(AuthError::SessionNotFresh);
    }
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    for _ in 0..ATTEMPTS {
        let owner = keys.phone(&profile.phone);
        let identity = profile.email.as_deref().and_then(Email::parse).map(|email| keys.identity(email.identity()));
        if app.store.users.delete(&app.store.sessions, user, &profile, &owner, identity.as_ref()).await? {
            tokio::join!(forget_codes(app, &keys, &profile, now), forget_consents(app, &keys, &profile, now));
            logging::record_user(user);
            tracing::info!(event = "user_deleted", reason = "by its user", "deleted");
            return Ok(now);
        }
        profile = session::enabled(app.store.users.profile(user).await?)?;
    }
    Err(AuthError::UserChanged)
}

/// Removes the devices and codes of a user that is deleted.
async fn forget_codes(app: &App, keys: &Keys, profile: &Profile, now: Timestamp) {
    for item in notice::challenge_items(keys, profile) {
        if let Err(error) = app.store.phones.forget_devices_and_codes(item, now.plus(ANY_CODE_LIFE), now).await {
            tracing::warn!(cause = logging::chain(&error), "devices of a deleted user stay until they expire");
        }
    }
}

/// Removes the texts that a user who is deleted has consented to. An opt-out stays.
async fn forget_consents(app: &App, keys: &Keys, profile: &Profile, now: Timestamp) {
    if let Err(error) = consent::forget_texts(&app.store, consent::key(keys, &profile.phone), now).await {
        tracing::error!(cause = logging::chain(&error), "texts that a deleted user has consented to stay");
    }
}

/// Everything that is kept about the own user.
///
/// # Errors
/// As [`session::me`].
pub async fn export(
    app: &App,
    token: &str,
    object: impl Fn(&Settings, &str, &Profile) -> Value,
) -> Result<Value, AuthError> {
    let (Session { user, .. }, profile) = session::current(app, token).await?;
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    let phone = PhoneKey(keys.phone(&profile.phone).short());
    let consents = consent::key(&keys, &profile.phone);
    let entries = profile.session_entries();
    let (record, limits, sessions) = tokio::try_join!(
        app.store.phones.get(phone),
        app.store.load_message_limits((phone, consents), now),
        app.store.sessions.list(&entries, now)
    )?;
    let device = |id: &str| entries.iter().find(|entry| entry.id == id).map(|entry| entry.device.as_str());
    let listed = |session: &Session| {
        let (id, created, seen) = (&session.id, session.created, session.last_seen);
        json!({ "id": id, "device": device(id), "created": created, "lastSeen": seen })
    };
    let mut limits_of_phone = json!(record);
    if let Some(fields) = limits_of_phone.as_object_mut() {
        // Ours, and no facts about the user.
        fields.retain(|name, _| name != "version" && name != "challenges");
    }
    let sessions: Vec<_> = sessions.iter().map(listed).collect();
    Ok(Value::Object(Map::from_iter([
        ("user".to_owned(), object(&app.settings, &user, &profile)),
        ("sessions".to_owned(), json!(sessions)),
        ("phone".to_owned(), limits_of_phone),
        ("messages".to_owned(), json!(limits.phone.times)),
        ("consents".to_owned(), consent::to_json(&limits.consents, now)),
    ])))
}
