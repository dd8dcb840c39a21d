//! What users do with their own account: change it, delete it, take its data along.
//!
//! **A lost update is refused.** The SDK sends the whole object back, with the `updated` that it has read. If the user has been changed since then,
//! the change is refused, since it would silently undo the other. A client that sends no `updated` changes what it sends and nothing else.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::email::Email;
use super::own_password::{self, NewPassword};
use super::properties::Properties;
use super::{AuthError, Requester, session};
use crate::app::App;
use crate::clock::Timestamp;
use crate::config::{Identity, Settings};
use crate::logging;
use crate::store::{PhoneKey, Profile, Session, UserChange};
use phone_number::PhoneNumber;

/// How often a change is decided anew when another was faster.
const ATTEMPTS: usize = 5;

/// A change whose every part has been checked for its form.
#[derive(Debug)]
pub struct ProfileChange {
    /// The `updated` that the client has read, if it says so.
    pub seen: Option<Option<Timestamp>>,
    /// The phone: only the user's own.
    pub phone: Option<PhoneNumber>,
    /// The e-mail address.
    pub email: Option<Email>,
    /// Two letters.
    pub locale: Option<String>,
    /// A new password.
    pub password: Option<NewPassword>,
    /// The app's own properties that change.
    pub properties: Properties,
}

/// Changes the own user. A new password ends all other sessions and the tokens of devices, and a message to the phone tells.
///
/// # Errors
/// As [`session::own`]; [`AuthError::UserChanged`], [`AuthError::Fixed`], [`AuthError::Properties`], [`AuthError::SessionNotFresh`], and the errors
/// of a password.
pub async fn update(
    app: &Arc<App>,
    token: &str,
    user: &str,
    change: ProfileChange,
    requester: &Requester,
) -> Result<Profile, AuthError> {
    let (session, mut profile) = session::own(app, token, user).await?;
    let now = app.clock.now();
    let password = match &change.password {
        Some(new) => Some(own_password::prepare(app, &session, &profile, new, requester).await?),
        None => None,
    };
    for _ in 0..ATTEMPTS {
        let changed = apply(&app.settings, &profile, &change, now)?;
        let ended: Vec<_> = profile.session_entries().into_iter().filter(|entry| entry.id != session.id).collect();
        let ended = if password.is_some() { &ended[..] } else { &[] };
        let (seen, password) = (profile.updated, password.as_ref().map(|new| (&new.owner, new.hash.as_str())));
        let written = UserChange { user, seen, profile: &changed, password, ended };
        if app.store.users.change(&app.store.sessions, &written).await? {
            if let Some(new) = password {
                own_password::changed(app, PhoneKey(new.0.short()), &changed);
            }
            logging::record_user(user);
            tracing::info!(event = "user_updated", reason = "by its user", "profile changed");
            return Ok(changed);
        }
        profile = session::enabled(app.store.users.profile(user).await?)?;
    }
    Err(AuthError::UserChanged)
}

/// The profile after a change. Changes nothing else.
fn apply(settings: &Settings, old: &Profile, change: &ProfileChange, now: Timestamp) -> Result<Profile, AuthError> {
    if change.seen.is_some_and(|seen| seen != old.updated) {
        return Err(AuthError::UserChanged);
    }
    if change.phone.as_ref().is_some_and(|phone| phone.e164() != old.phone) {
        return Err(AuthError::Fixed(settings.phone_column.clone()));
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

/// Deletes the own user: profile, login, claim of the e-mail address and sessions in one transaction; then what the phone's item holds of the user,
/// which is worth nothing by then. Returns when.
///
/// # Errors
/// As [`session::own`]; [`AuthError::SessionNotFresh`].
pub async fn delete(app: &App, token: &str, user: &str) -> Result<Timestamp, AuthError> {
    let (session, mut profile) = session::own(app, token, user).await?;
    let now = app.clock.now();
    own_password::require_fresh(&session, now)?;
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    for _ in 0..ATTEMPTS {
        let owner = keys.phone(&profile.phone);
        let identity = profile.email.as_deref().and_then(Email::parse).map(|email| keys.identity(email.identity()));
        if app.store.users.delete(&app.store.sessions, user, &profile, &owner, identity.as_ref()).await? {
            if let Err(error) = app.store.phones.forget_user(PhoneKey(owner.short()), now).await {
                tracing::warn!(cause = logging::chain(&error), "devices of a deleted user stay until they expire");
            }
            logging::record_user(user);
            tracing::info!(event = "user_deleted", reason = "by its user", "deleted");
            return Ok(now);
        }
        profile = session::enabled(app.store.users.profile(user).await?)?;
    }
    Err(AuthError::UserChanged)
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
    let entries = profile.session_entries();
    let (record, limits, sessions) = tokio::try_join!(
        app.store.phones.get(phone),
        app.store.load_message_limits(phone, now),
        app.store.sessions.list(&entries, now)
    )?;
    let listed =
        |session: &Session| json!({ "id": session.id, "created": session.created, "lastSeen": session.last_seen });
    let mut limits_of_phone = json!(record);
    if let Some(fields) = limits_of_phone.as_object_mut() {
        // Ours, and no facts about the user.
        fields.retain(|name, _| name != "version" && name != "challenges");
    }
    let sessions: Vec<_> = sessions.iter().map(listed).collect();
    Ok(Value::Object(Map::from_iter([
        ("user".to_owned(), object(&app.settings, &user, &profile)),
        ("sessions".to_owned(), json!(sessions)),
        ("devices".to_owned(), json!(entries.iter().map(|entry| &entry.device).collect::<Vec<_>>())),
        ("phone".to_owned(), limits_of_phone),
        ("messages".to_owned(), json!(limits.phone.times)),
    ])))
}
