//! How a reset of a forgotten password ends: the code comes back with a new password. It logs nobody in.

use super::challenge_id::ChallengeId;
use super::check_code::{self, EnteredCode, check_code};
use super::notice;
use super::otp::OneTimeCode;
use super::password::Password;
use super::{AuthError, Requester, own_password, session};
use crate::app::App;
use crate::config::Purpose;
use crate::flow::Flow;
use crate::hints::CodeRejection;
use crate::logging;
use crate::store::{ChallengeKey, Profile, UserChange, VerifiedCode};
use std::sync::Arc;
use std::time::Duration;

/// How often it is decided anew when the user was changed at the same moment.
const ATTEMPTS: usize = 5;

/// Sets a new password, redeems the code, and ends all sessions of the user and the tokens of devices.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with challenge or code; those of a password; the others of [`AuthError`].
pub async fn reset(
    app: &Arc<App>,
    challenge: ChallengeId,
    code: &OneTimeCode,
    password: &Password,
    requester: &Requester,
) -> Result<(), AuthError> {
    // All refusals are padded, as at a login.
    let outcome = app.padding.arrival().padded(try_reset(app, challenge, code, password, requester)).await;
    check_code::tell(app, challenge, &outcome);
    outcome
}

async fn try_reset(
    app: &Arc<App>,
    challenge: ChallengeId,
    code: &OneTimeCode,
    password: &Password,
    requester: &Requester,
) -> Result<(), AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let opened = check_code::open(challenge, &keys, |_, ChallengeKey { flow, .. }| {
        if flow == Flow::ResetPassword { Ok(()) } else { Err(CodeRejection::OtherFlow(flow)) }
    })?;
    let right = check_code(app, &keys, EnteredCode { challenge, opened: &opened, code, requester }, now).await?;
    // A challenge of nobody: even a guessed code finds no user.
    let no_user = || AuthError::CodeRejected(CodeRejection::NoUser);
    let user = right.attempt.challenge.user.clone().ok_or_else(no_user)?;
    let mut profile = app.store.users.profile(&user).await?.ok_or_else(no_user)?;
    let hash = own_password::hash(app, &profile, password).await?;
    for _ in 0..ATTEMPTS {
        let current = session::enabled(Some(profile))?;
        let updated = current.updated.map_or(now, |last| now.max(last.plus(Duration::from_millis(1))));
        let changed = Profile { updated: Some(updated), ..current.clone() };
        let (owner, ended) = (keys.phone(&current.phone), current.session_entries());
        let change = UserChange {
            user: &user,
            seen: current.updated,
            profile: &changed,
            password: Some((&owner, &hash)),
            ended: &ended,
            sessions_of: Some(&current),
        };
        let code = VerifiedCode { phone: right.phone, key: right.key, attempt: &right.attempt, device: None };
        let (phones, sessions) = (&app.store.phones, &app.store.sessions);
        match app.store.users.change_by_code(phones, sessions, code, &change, now).await? {
            Some(true) => {
                let items = notice::challenge_items(&keys, &current);
                let notice = (Purpose::PasswordChanged, requester.language_for(&current.locale));
                notice::after_change(app, notice, &current.phone, items);
                logging::record_user(&user);
                tracing::info!(event = "user_updated", reason = "reset of a password", "changed");
                return Ok(());
            }
            Some(false) => profile = app.store.users.profile(&user).await?.ok_or_else(no_user)?,
            None => return Err(AuthError::CodeRejected(CodeRejection::Used)),
        }
    }
    Err(AuthError::UserChanged)
}
