//! How a login of either kind ends: the code comes back and a session begins. Two calls to storage in turn: the attempt is counted; then one
//! transaction redeems the code, creates the session and records the login, while the profile is read in parallel.

use phone_number::PhoneNumber;

use super::AuthError;
use super::challenge_id::ChallengeId;
use super::otp::OneTimeCode;
use crate::app::App;
use crate::client_network::ClientNetwork;
use crate::clock::Timestamp;
use crate::crypto::{Keys, identifier, random};
use crate::flow::Flow;
use crate::logging;
use crate::metrics::Metric;
use crate::spend::budget::shards_of;
use crate::spend::counter::{country_volume_scope, volume_scope};
use crate::store::{Attempt, CounterKey, ENABLED, NewSession, PhoneKey, Profile, VerifiedCode};

/// A user who has just logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// The objectId.
    pub id: String,
    /// The profile, with this login in it.
    pub profile: Profile,
    /// The session's token: an upper-case UUID, all 128 bits random.
    pub token: secrecy::SecretString,
}

/// Completes a login of either kind.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with challenge or code; the others of [`AuthError`].
pub async fn finish_login(
    app: &App,
    challenge: ChallengeId,
    code: &OneTimeCode,
    client: &ClientNetwork,
) -> Result<LoggedIn, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    let (phone, flow, attempt) = find(app, &keys, challenge, code, now).await?;
    // A phone without a user: even a guessed code finds nobody.
    let user = attempt.challenge.user.clone().ok_or(AuthError::CodeRejected)?;
    let token = random::bytes::<16>();
    let (idle, life) = (app.settings.session_idle, app.settings.session_life);
    let session = NewSession { token: &token, user: &user, now, idle, life };
    let network = keys.client(client.as_str()).short_text();
    let verified = VerifiedCode { phone, flow, attempt: &attempt, network: &network };
    let (users, phones) = (&app.store.users, &app.store.phones);
    // Not `try_join`: a profile that cannot be read must not abandon a login that is being written.
    let (is_logged_in, profile) =
        tokio::join!(users.log_in(phones, verified, &app.store.sessions, &session), users.profile(&user));
    let is_logged_in = is_logged_in?;
    let profile = match profile {
        Err(_) if is_logged_in => users.profile(&user).await?,
        profile => profile?,
    };
    match profile {
        Some(profile) if profile.status != ENABLED => Err(AuthError::UserDisabled),
        Some(mut profile) if is_logged_in => {
            profile.last_login = Some(now);
            // Written in full, it says its country itself.
            if let Ok(phone) = PhoneNumber::parse(&profile.phone, app.settings.default_country) {
                logging::record_phone(&phone);
                count_verified(app, &keys, &phone, flow, now);
            }
            logging::record_user(&user);
            tracing::info!(event = "authn_login_success", flow = flow.as_str(), "logged in");
            Ok(LoggedIn { id: user, profile, token: identifier::format(&token).into() })
        }
        _ => Err(AuthError::CodeRejected),
    }
}

/// Counts a code that came back right, also for the number's country and prefix: in the background, since nobody waits for it.
pub(super) fn count_verified(app: &App, keys: &Keys, phone: &PhoneNumber, flow: Flow, now: Timestamp) {
    app.metrics.count(Metric::Verified(flow), now);
    let shards = shards_of(keys.phone(phone.e164()).short(), app.settings.spend.shards);
    let shard = CounterKey::Shard(shards.first().copied().unwrap_or_default());
    let prefix = CounterKey::Prefix(keys.prefix(phone.prefix()).short());
    let (counters, country) = (app.store.counters.clone(), country_volume_scope(flow, &phone.country().code()));
    app.background.spawn(async move {
        let (country, prefix) =
            tokio::join!(counters.count_verified(shard, &country), counters.count_verified(prefix, volume_scope(flow)));
        for error in [country, prefix].into_iter().filter_map(Result::err) {
            tracing::warn!(cause = logging::chain(&error), "a right code is not counted");
        }
    });
}

/// Finds the challenge and checks the code. There is one place to look, but for the minutes in which a key is rotated.
async fn find(
    app: &App,
    keys: &Keys,
    challenge: ChallengeId,
    code: &OneTimeCode,
    now: Timestamp,
) -> Result<(PhoneKey, Flow, Attempt), AuthError> {
    for (phone, flow) in challenge.open(keys) {
        if flow == Flow::Register {
            break;
        }
        match check_code(app, keys, (phone, flow, challenge), code, now).await {
            Err(AuthError::CodeRejected) => {}
            outcome => return outcome.map(|attempt| (phone, flow, attempt)),
        }
    }
    Err(AuthError::CodeRejected)
}

/// Counts an attempt, then compares the code.
pub(super) async fn check_code(
    app: &App,
    keys: &Keys,
    (phone, flow, challenge): (PhoneKey, Flow, ChallengeId),
    code: &OneTimeCode,
    now: Timestamp,
) -> Result<Attempt, AuthError> {
    let id = challenge.text();
    let attempt = app.store.phones.begin_attempt(phone, flow, &id, now).await?.ok_or(AuthError::CodeRejected)?;
    let sealed = attempt.challenge.code.as_deref().ok_or(AuthError::CodeRejected)?;
    match keys.open_code(sealed, &id) {
        Ok(sent) if code.matches(&sent) => Ok(attempt),
        Ok(_) | Err(_) => Err(AuthError::CodeRejected),
    }
}
