//! JWTs (RFC 7519) for the app's back end, which checks them by the public keys alone. A session's token is sent only to this service; what is
//! sent elsewhere ends after five minutes, and says nothing of the phone.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use serde::Serialize;

use super::{AuthError, session};
use crate::app::App;
use crate::clock::Timestamp;
use crate::flow::Flow;

/// How long a JWT is valid. So long a back end may take it after its session has ended.
pub const LIFE: Duration = Duration::from_secs(300);

/// What a JWT says. Times are in seconds.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    /// The application's id.
    aud: &'a str,
    /// The user's objectId.
    sub: &'a str,
    /// The session's id, as in `users/sessions`.
    sid: &'a str,
    iat: i64,
    exp: i64,
    /// When the user logged in.
    auth_time: i64,
    /// How (RFC 8176).
    amr: &'static [&'static str],
    /// The user's roles.
    scope: String,
}

/// A JWT for the session's user.
///
/// # Errors
/// [`AuthError::NoJwt`]; those of [`session::me`]; [`AuthError::Secret`]; [`AuthError::Jwt`].
pub async fn issue(app: &App, token: &str) -> Result<String, AuthError> {
    let issuer = issuer(app)?;
    let now = app.clock.now();
    let (keys, current) = tokio::join!(app.secrets.signing_keys(now), session::current(app, token));
    let (session, profile) = current?;
    let amr: &[_] = match session.flow {
        Some(Flow::SecondFactor) => &["pwd", "sms", "mfa"],
        _ => &["sms"],
    };
    let claims = Claims {
        iss: issuer,
        aud: &app.settings.app_id,
        sub: &session.user,
        sid: &session.id,
        iat: seconds(now),
        exp: seconds(now.plus(LIFE)),
        auth_time: seconds(session.created),
        amr,
        scope: session::roles(&profile).join(" "),
    };
    Ok(keys?.sign(&claims)?)
}

/// Rounded down: a token from the future is refused.
const fn seconds(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(1000)
}

/// The keys by which JWTs are checked.
///
/// # Errors
/// [`AuthError::NoJwt`]; [`AuthError::Secret`].
pub async fn public_keys(app: &App) -> Result<JwkSet, AuthError> {
    issuer(app)?;
    Ok(app.secrets.signing_keys(app.clock.now()).await?.public.clone())
}

/// The URL that JWTs name as their issuer.
///
/// # Errors
/// [`AuthError::NoJwt`].
pub fn issuer(app: &App) -> Result<&str, AuthError> {
    app.settings.jwt_issuer.as_deref().ok_or(AuthError::NoJwt)
}
