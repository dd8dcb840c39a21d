//! The password of a user who is logged in: whether it is right, and a new one.

use std::convert::Infallible;

use secrecy::ExposeSecret as _;

use super::limits::Limit;
use super::password::Password;
use super::password_throttle::{self, Guesser};
use super::{AuthError, Requester, device, session};
use crate::app::App;
use crate::logging;
use crate::store::{PhoneKey, PhoneRecord, Profile, Session};
use std::time::Duration;

/// How long after a login a session may do what else needs the password.
pub(super) const FRESH: Duration = Duration::from_secs(10 * 60);

/// Whether a password is the session's user's; a wrong one counts as a try.
///
/// # Errors
/// As [`session::me`]; [`AuthError::Limited`].
pub async fn verify(app: &App, token: &str, password: Password, requester: &Requester) -> Result<bool, AuthError> {
    let (session, profile) = session::current(app, token).await?;
    is_right(app, &session.user, &profile, password, requester).await
}

/// Lets a session do what needs the password: by the password, or because its login is fresh.
pub(super) async fn authorize(
    app: &App,
    (session, profile): (&Session, &Profile),
    current: Option<&Password>,
    fresh: Duration,
    requester: &Requester,
) -> Result<(), AuthError> {
    match current {
        None if app.clock.now() < session.created.plus(fresh) => Ok(()),
        None => Err(AuthError::SessionNotFresh),
        Some(current) if is_right(app, &session.user, profile, current.clone(), requester).await? => Ok(()),
        Some(_) => Err(AuthError::LoginRejected),
    }
}

/// Checks a new password by what others know of the user, and hashes it.
pub(super) async fn hash(app: &App, profile: &Profile, chosen: &Password) -> Result<String, AuthError> {
    let digits = profile.phone.get(profile.phone.len().saturating_sub(10)..).unwrap_or_default();
    let known = [digits, profile.email.as_deref().unwrap_or_default(), &app.settings.app_name];
    let chosen = chosen.clone().without(&known)?;
    let keys = app.secrets.keys(app.clock.now()).await?;
    Ok(chosen.hash(&keys, app.password_cost).await?)
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
    let hash = login.filter(|login| login.user == user).and_then(|login| login.password);
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
