//! How a login of either kind ends: the code comes back and a session begins. Calls to storage in turn: what is known of the client network and
//! of guessing is read; the attempt is counted for the network and for the phone (`check_code`); then one transaction redeems the code, creates the
//! session and records the login, while the profile is read in parallel.

use phone_number::PhoneNumber;
use secrecy::{ExposeSecret as _, SecretString};

use super::challenge_id::ChallengeId;
use super::check_code::{self, EnteredCode, RightCode, check_code};
use super::device::NewDevice;
use super::otp::OneTimeCode;
use super::{AuthError, Requester};
use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::{Keys, identifier, random};
use crate::flow::Flow;
use crate::hints::CodeRejection;
use crate::logging;
use crate::metrics::Metric;
use crate::spend::budget::shards_of;
use crate::spend::counter::{Field, country_volume_scope, volume_scope};
use crate::store::{Attempt, ChallengeKey, CounterKey, ENABLED, NewSession, Profile, VerifiedCode};

/// A user who has just logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// The objectId.
    pub id: String,
    /// The profile, with this login in it.
    pub profile: Profile,
    /// The session's token: an upper-case UUID, all 128 bits random.
    pub token: SecretString,
    /// The token of the device, where the client asked for one.
    pub device_token: Option<SecretString>,
}

/// Completes a login of either kind.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with challenge or code; the others of [`AuthError`].
pub async fn finish_login(
    app: &App,
    challenge: ChallengeId,
    code: &OneTimeCode,
    requester: &Requester,
) -> Result<LoggedIn, AuthError> {
    // All refusals are padded: a wrong code for a phone with a user takes longer to read.
    let outcome = app.padding.arrival().padded(log_in(app, challenge, code, requester)).await;
    check_code::tell(app, challenge, &outcome);
    outcome
}

async fn log_in(
    app: &App,
    challenge: ChallengeId,
    code: &OneTimeCode,
    requester: &Requester,
) -> Result<LoggedIn, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let opened =
        check_code::open(
            challenge,
            &keys,
            |_, ChallengeKey { flow, .. }| {
                if flow.is_login() { Ok(()) } else { Err(CodeRejection::OtherFlow(flow)) }
            },
        )?;
    let entered = EnteredCode { challenge, opened: &opened, code, requester };
    let RightCode { phone, key, attempt } = check_code(app, &keys, entered, now).await?;
    // A phone without a user: even a guessed code finds nobody.
    let user = attempt.challenge.user.clone().ok_or(AuthError::CodeRejected(CodeRejection::NoUser))?;
    let token = random::bytes::<16>();
    let (idle, life) = (app.settings.session_idle, app.settings.session_life);
    let (device, flow) = (requester.user_agent.as_str(), key.flow);
    let session = NewSession { token: &token, user: &user, device, flow, now, idle, life };
    let asks = requester.device_token.as_ref().is_some_and(|token| token.expose_secret() == "new");
    // Whoever knows a fixed code is no owner of the phone.
    let wants_token = asks && !attempt.challenge.test;
    let device = wants_token.then(|| NewDevice::of(&keys, &app.settings.app_id, phone)).transpose()?;
    let id = device.as_ref().map(|device| device.id.as_str());
    let verified = VerifiedCode { phone, key, attempt: &attempt, device: id };
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
                count_verified(app, &keys, &phone, (key.flow, &attempt), now);
            }
            logging::record_user(&user);
            tracing::info!(event = "authn_login_success", flow = key.flow.as_str(), "logged in");
            let (token, device_token) = (identifier::format(&token).into(), device.map(|device| device.token));
            Ok(LoggedIn { id: user, profile, token, device_token })
        }
        Some(_) => Err(AuthError::CodeRejected(CodeRejection::Used)),
        None => Err(AuthError::CodeRejected(CodeRejection::NoUser)),
    }
}

/// Counts a code that came back right, also for the number's country and prefix: in the background, since nobody waits for it. Not one of a
/// test number: whoever knows it could make a pumped country look verified.
pub(super) fn count_verified(
    app: &App,
    keys: &Keys,
    phone: &PhoneNumber,
    (flow, attempt): (Flow, &Attempt),
    now: Timestamp,
) {
    if attempt.challenge.test {
        return;
    }
    app.metrics.count_by(Metric::Verified(flow, phone.country()), attempt.carrier.as_deref(), now);
    let shards = shards_of(keys.phone(phone.e164()).short(), app.settings.spend.shards);
    let shard = CounterKey::Shard(shards.first().copied().unwrap_or_default());
    let prefix = CounterKey::Prefix(keys.prefix(phone.prefix()).short());
    let (counters, country) = (app.store.counters.clone(), country_volume_scope(flow, &phone.country().code()));
    app.background.spawn(async move {
        let count = async |key, scope: &str| counters.count_one(key, Field::Verified, scope).await;
        let (country, prefix) = tokio::join!(count(shard, &country), count(prefix, volume_scope(flow)));
        for error in [country, prefix].into_iter().filter_map(Result::err) {
            tracing::warn!(cause = logging::chain(&error), "a right code is not counted");
        }
    });
}
