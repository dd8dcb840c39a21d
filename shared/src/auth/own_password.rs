//! The password of a user who is logged in: whether it is right, and a new one.

use std::convert::Infallible;

use secrecy::ExposeSecret as _;

use super::limits::Limit;
use super::password::Password;
use super::password_throttle::{self, Guesser};
use super::{AuthError, Requester, device, session};
use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::{KeyedHash, identifier};
use crate::logging;
use crate::messaging::{self, IdempotencyKey, Message};
use crate::store::{PhoneKey, PhoneRecord, Profile, Session};
use phone_number::PhoneNumber;
use std::sync::Arc;
use std::time::Duration;

/// How long after a login a session may do what else needs the password.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// A new password.
#[derive(Debug)]
pub struct NewPassword {
    /// The new one.
    pub chosen: Password,
    /// The old one; needed unless the session is fresh.
    pub current: Option<Password>,
}

/// A new password that may be written.
pub(super) struct PreparedPassword {
    pub owner: KeyedHash,
    pub hash: String,
}

/// Whether a password is the session's user's; a wrong one counts as a try.
///
/// # Errors
/// As [`session::me`]; [`AuthError::Limited`].
pub async fn verify(app: &App, token: &str, password: Password, requester: &Requester) -> Result<bool, AuthError> {
    let (session, profile) = session::current(app, token).await?;
    is_right(app, &session.user, &profile, password, requester).await
}

/// Refuses a session whose login was too long ago.
pub(super) fn require_fresh(session: &Session, now: Timestamp) -> Result<(), AuthError> {
    if now < session.created.plus(FRESH) { Ok(()) } else { Err(AuthError::SessionNotFresh) }
}

/// Checks that the user may set a new password, by the old one or a fresh session, and hashes it.
pub(super) async fn prepare(
    app: &App,
    session: &Session,
    profile: &Profile,
    new: &NewPassword,
    requester: &Requester,
) -> Result<PreparedPassword, AuthError> {
    let now = app.clock.now();
    match &new.current {
        None => require_fresh(session, now)?,
        Some(current) => {
            if !is_right(app, &session.user, profile, current.clone(), requester).await? {
                return Err(AuthError::LoginRejected);
            }
        }
    }
    let digits = profile.phone.get(profile.phone.len().saturating_sub(10)..).unwrap_or_default();
    let known = [digits, profile.email.as_deref().unwrap_or_default(), &app.settings.app_name];
    let chosen = new.chosen.clone().without(&known)?;
    let keys = app.secrets.keys(now).await?;
    let hash = chosen.hash(&keys, app.password_cost).await?;
    Ok(PreparedPassword { owner: keys.phone(&profile.phone), hash })
}

/// After a new password: ends the tokens of devices, which open nothing, and tells the phone.
pub(super) fn changed(app: &Arc<App>, phone: PhoneKey, profile: &Profile) {
    let text = format!(
        "{}: your password has been changed. If this was not you, log in and end all sessions.",
        app.settings.app_name
    );
    let (app, number) = (Arc::clone(app), profile.phone.clone());
    let task = Arc::clone(&app);
    app.background.spawn(async move {
        if let Err(error) = task.store.phones.forget_devices(phone, task.clock.now()).await {
            tracing::error!(cause = logging::chain(&error), "tokens of devices are still good after a new password");
        }
        if let Err(error) = tell(&task, &number, text).await {
            tracing::error!(cause = logging::chain(&error), "a user is not told of a new password");
        }
    });
}

/// Sends a notice, from the budget of the app's own messages.
async fn tell(app: &App, number: &str, text: String) -> Result<(), messaging::MessageError> {
    let Ok(phone) = PhoneNumber::parse(number, app.settings.default_country) else { return Ok(()) };
    let message = Message::new(&app.settings, phone, text, Vec::new())?;
    messaging::send(app, &IdempotencyKey::of("notice", &identifier::random()), &message).await.map(drop)
}

/// Counts a try, then compares.
async fn is_right(
    app: &App,
    user: &str,
    profile: &Profile,
    password: Password,
    requester: &Requester,
) -> Result<bool, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let (owner, network) = (keys.phone(&profile.phone), keys.client(requester.network.as_str()).short_text());
    let phone = PhoneKey(owner.short());
    let (record, login) = tokio::try_join!(app.store.phones.get(phone), app.store.users.owner(&owner))?;
    let token = requester.device_token.as_ref();
    let known =
        token.and_then(|token| device::find(&keys, &app.settings.app_id, (phone, &record), token.expose_secret(), now));
    let guesser = Guesser { device: known, network: &network };
    let expires = now.plus(2 * Limit::StartsPerDay.rule().window);
    let count = |record: &mut PhoneRecord| password_throttle::count(record, guesser, now);
    let ((), record) = app.store.phones.update(phone, record, expires, count).await??;
    let hash = login.filter(|login| login.user == user).map(|login| login.password);
    let is_right = password.verify(&keys, hash).await?;
    if is_right {
        let forgive = |record: &mut PhoneRecord| {
            password_throttle::forgive(record, guesser);
            Ok::<_, Infallible>(())
        };
        if let Err(error) = app.store.phones.update(phone, record, expires, forgive).await {
            tracing::warn!(cause = logging::chain(&error), "a right password stays counted as a wrong one");
        }
    }
    Ok(is_right)
}
