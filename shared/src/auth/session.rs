//! Sessions, by their tokens. Whether one is valid takes one call to storage; what is about its user takes another.

use super::AuthError;
use crate::app::App;
use crate::crypto::identifier;
use crate::logging;
use crate::store::{ENABLED, PhoneKey, Profile, Session, SessionEntry};

/// Whether the token's session is live. The check restarts its idle time.
///
/// # Errors
/// [`AuthError::Store`].
pub async fn is_valid(app: &App, token: &str) -> Result<bool, AuthError> {
    let Some(token) = identifier::parse(token) else { return Ok(false) };
    Ok(app.store.sessions.touch(&token, app.clock.now(), app.settings.session_idle).await?.is_some())
}

/// Ends the token's session.
///
/// # Errors
/// [`AuthError::SessionInvalid`] when there is none; [`AuthError::Store`].
pub async fn log_out(app: &App, token: &str) -> Result<(), AuthError> {
    let token = identifier::parse(token).ok_or(AuthError::SessionInvalid)?;
    let ended = app.store.sessions.end(&token, app.clock.now()).await?.ok_or(AuthError::SessionInvalid)?;
    tracing::info!(event = "session_expired", reason = "logout", "logged out");
    let users = app.store.users.clone();
    app.background.spawn(async move {
        // It is pruned at the latest when the user has as many sessions as there may be.
        if let Err(error) = users.forget_session(&ended).await {
            tracing::warn!(cause = logging::chain(&error), "a session that has ended stays listed");
        }
    });
    Ok(())
}

/// The session's user: objectId and profile.
///
/// # Errors
/// [`AuthError::SessionInvalid`]; [`AuthError::UserDisabled`]; [`AuthError::Store`].
pub async fn me(app: &App, token: &str) -> Result<(String, Profile), AuthError> {
    let (session, profile) = current(app, token).await?;
    Ok((session.user, profile))
}

/// The user's sessions, oldest first, each with whether it is the caller's.
///
/// # Errors
/// As [`me`].
pub async fn list(app: &App, token: &str) -> Result<Vec<(Session, SessionEntry, bool)>, AuthError> {
    let (current, profile) = current(app, token).await?;
    let entries = profile.session_entries();
    let sessions = app.store.sessions.list(&entries, app.clock.now()).await?;
    let with_entry = |session: Session| {
        let entry = entries.iter().find(|entry| entry.id == session.id)?.clone();
        let is_current = session.id == current.id;
        Some((session, entry, is_current))
    };
    Ok(sessions.into_iter().filter_map(with_entry).collect())
}

/// Ends one of the user's sessions.
///
/// # Errors
/// As [`me`]; [`AuthError::SessionNotFound`].
pub async fn end_one(app: &App, token: &str, id: &str) -> Result<(), AuthError> {
    let (current, profile) = current(app, token).await?;
    let entry = profile.session_entries().into_iter().find(|entry| entry.id == id).ok_or(AuthError::SessionNotFound)?;
    app.store.users.end_sessions(&app.store.sessions, &current.user, &[entry]).await?;
    tracing::info!(event = "session_expired", reason = "ended by its user", "logged out");
    Ok(())
}

/// Ends all sessions of the user but the caller's, and the tokens of the user's devices.
///
/// # Errors
/// As [`me`]; [`AuthError::Secret`].
pub async fn end_others(app: &App, token: &str) -> Result<(), AuthError> {
    let (current, profile) = current(app, token).await?;
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let phone = PhoneKey(keys.phone(&profile.phone).short());
    let others: Vec<_> = profile.session_entries().into_iter().filter(|entry| entry.id != current.id).collect();
    let ended = app.store.users.end_sessions(&app.store.sessions, &current.user, &others);
    tokio::try_join!(ended, app.store.phones.forget_devices(phone, now))?;
    tracing::info!(event = "session_expired", reason = "all others", count = others.len(), "logged out");
    Ok(())
}

/// The roles of a user: Backendless' for everybody who is logged in, and those that the operator has given.
pub fn roles(profile: &Profile) -> Vec<String> {
    ["AuthenticatedUser", "RestUser"].map(str::to_owned).into_iter().chain(profile.roles.iter().cloned()).collect()
}

/// The token's session and its user's profile.
///
/// # Errors
/// As [`me`].
pub async fn current(app: &App, token: &str) -> Result<(Session, Profile), AuthError> {
    let token = identifier::parse(token).ok_or(AuthError::SessionInvalid)?;
    let session = app.store.sessions.touch(&token, app.clock.now(), app.settings.session_idle).await?;
    let session = session.ok_or(AuthError::SessionInvalid)?;
    let profile = enabled(app.store.users.profile(&session.user).await?)?;
    Ok((session, profile))
}

/// The profile of the session's own user.
///
/// # Errors
/// [`AuthError::SessionInvalid`]; [`AuthError::NotOwn`] for another's; [`AuthError::UserDisabled`]; [`AuthError::Store`].
pub async fn own_profile(app: &App, token: &str, user: &str) -> Result<Profile, AuthError> {
    own(app, token, user).await.map(|(_, profile)| profile)
}

/// The token's session, and the profile of its user if it is this one: two calls in parallel.
pub(super) async fn own(app: &App, token: &str, user: &str) -> Result<(Session, Profile), AuthError> {
    let token = identifier::parse(token).ok_or(AuthError::SessionInvalid)?;
    // A text that is not an id belongs to no user and is no valid key.
    let profile =
        async { if identifier::parse(user).is_some() { app.store.users.profile(user).await } else { Ok(None) } };
    let session = app.store.sessions.touch(&token, app.clock.now(), app.settings.session_idle);
    let (session, profile) = tokio::try_join!(session, profile)?;
    let session = session.ok_or(AuthError::SessionInvalid)?;
    if session.user != user {
        return Err(AuthError::NotOwn);
    }
    Ok((session, enabled(profile)?))
}

/// The profile of a user who may do something.
pub(super) fn enabled(profile: Option<Profile>) -> Result<Profile, AuthError> {
    match profile {
        Some(profile) if profile.status == ENABLED => Ok(profile),
        Some(_) => Err(AuthError::UserDisabled),
        None => Err(AuthError::SessionInvalid),
    }
}
