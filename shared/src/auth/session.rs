//! Sessions, from their tokens. One call to storage each (two side by side for one's own profile). Uses `store`.

use super::AuthError;
use crate::service::Service;
use crate::store::{ENABLED, Profile};
use crate::uuid;

/// Whether the token's session stands; asking begins its idle time anew.
///
/// # Errors
/// [`AuthError::Store`].
pub async fn is_valid(service: &Service, token: &str) -> Result<bool, AuthError> {
    let Some(token) = uuid::parse(token) else { return Ok(false) };
    let session = service.sessions.touch(&token, service.clock.now(), service.settings.session_idle).await?;
    Ok(session.is_some())
}

/// Ends the token's session.
///
/// # Errors
/// [`AuthError::SessionInvalid`] when there is none; [`AuthError::Store`].
pub async fn log_out(service: &Service, token: &str) -> Result<(), AuthError> {
    let token = uuid::parse(token).ok_or(AuthError::SessionInvalid)?;
    if !service.sessions.end(&token, service.clock.now()).await? {
        return Err(AuthError::SessionInvalid);
    }
    tracing::info!(event = "session_expired", reason = "logout", "logged out");
    Ok(())
}

/// The profile of the session's own user.
///
/// # Errors
/// [`AuthError::SessionInvalid`]; [`AuthError::NotOwn`] for another's; [`AuthError::UserDisabled`]; [`AuthError::Store`].
pub async fn own_profile(service: &Service, token: &str, user: &str) -> Result<Profile, AuthError> {
    let token = uuid::parse(token).ok_or(AuthError::SessionInvalid)?;
    // What is no id is nobody's, and no key to ask storage for.
    let profile = async { if uuid::parse(user).is_some() { service.users.profile(user).await } else { Ok(None) } };
    let session = service.sessions.touch(&token, service.clock.now(), service.settings.session_idle);
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
