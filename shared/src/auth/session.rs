//! Sessions, by their tokens. Each function makes one call to storage (`own_profile` two in parallel).

use super::AuthError;
use crate::app::App;
use crate::crypto::identifier;
use crate::store::{ENABLED, Profile};

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
    if !app.store.sessions.end(&token, app.clock.now()).await? {
        return Err(AuthError::SessionInvalid);
    }
    tracing::info!(event = "session_expired", reason = "logout", "logged out");
    Ok(())
}

/// The profile of the session's own user.
///
/// # Errors
/// [`AuthError::SessionInvalid`]; [`AuthError::NotOwn`] for another's; [`AuthError::UserDisabled`]; [`AuthError::Store`].
pub async fn own_profile(app: &App, token: &str, user: &str) -> Result<Profile, AuthError> {
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
    match profile {
        Some(profile) if profile.status == ENABLED => Ok(profile),
        Some(_) => Err(AuthError::UserDisabled),
        None => Err(AuthError::SessionInvalid),
    }
}
