//! How a registration ends: the code comes back and the user is created. Calls to storage in turn: as at a login, the attempt is counted; then one
//! transaction redeems the code and creates the user's rows.

use phone_number::PhoneNumber;
use secrecy::SecretString;

use super::challenge_id::ChallengeId;
use super::check_code::{self, EnteredCode, RightCode, check_code};
use super::email::Email;
use super::finish_login::count_verified;
use super::otp::OneTimeCode;
use super::password::Password;
use super::properties::Properties;
use super::{AuthError, Requester};
use crate::app::App;
use crate::config::Identity;
use crate::crypto::{identifier, random};
use crate::flow::Flow;
use crate::hints::CodeRejection;
use crate::logging;
use crate::store::{ENABLED, NewSession, NewUser, PhoneKey, Profile, Registered, VerifiedCode};

/// A registration whose every part has been checked for its form.
#[derive(Debug)]
pub struct Registration {
    /// The phone that the code went to.
    pub phone: PhoneNumber,
    /// The challenge of step 1.
    pub challenge: ChallengeId,
    /// The code.
    pub code: OneTimeCode,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The password, if the user has one.
    pub password: Option<Password>,
    /// Two letters.
    pub locale: String,
    /// The app's own properties.
    pub properties: Properties,
}

/// A user who has just been created.
#[derive(Debug)]
pub struct NewAccount {
    /// The objectId.
    pub id: String,
    /// The profile.
    pub profile: Profile,
    /// The token of a session, where registrations begin one.
    pub token: Option<SecretString>,
}

/// Completes a registration. Before it, nothing of the user exists; after it, everything.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with phone, challenge or code; [`AuthError::UserExists`] for a client that has proven the
/// phone, whose code stays valid for another attempt; the others of [`AuthError`].
pub async fn register(app: &App, registration: Registration, requester: &Requester) -> Result<NewAccount, AuthError> {
    let challenge = registration.challenge;
    let outcome = create(app, registration, requester).await;
    check_code::tell(app, challenge, &outcome);
    outcome
}

async fn create(app: &App, registration: Registration, requester: &Requester) -> Result<NewAccount, AuthError> {
    logging::record_phone(&registration.phone);
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.keep_root_key(&keys).await?;
    let owner = keys.phone(registration.phone.e164());
    let (flow, challenge) = (Flow::Register, registration.challenge);
    let opened = check_code::open(challenge, &keys, check_code::only(PhoneKey(owner.short()), flow))?;
    let entered = EnteredCode { challenge, opened: &opened, code: &registration.code, requester };
    let RightCode { phone, key, attempt } = check_code(app, &keys, entered, now).await?;
    let password = match registration.password {
        Some(password) => Some(password.hash(&keys, app.password_cost).await?),
        None => None,
    };
    let identity = match app.settings.identity {
        Identity::Email => registration.email.as_ref().map(|email| keys.identity(email.identity())),
        Identity::Phone => None,
    };
    let id = identifier::random();
    let mut profile = Profile {
        phone: registration.phone.e164().to_owned(),
        email: registration.email.map(|email| email.as_str().to_owned()),
        created: now,
        updated: None,
        last_login: None,
        status: ENABLED.to_owned(),
        locale: registration.locale,
        properties: registration.properties.to_text(),
        sessions: [].into(),
        roles: [].into(),
    };
    let token = app.settings.session_after_registration.then(random::bytes::<16>);
    let (idle, life) = (app.settings.session_idle, app.settings.session_life);
    let device = requester.user_agent.as_str();
    let session = token.as_ref().map(|token| NewSession { token, user: &id, device, flow, now, idle, life });
    let user = NewUser {
        id: &id,
        phone: &owner,
        identity: identity.as_ref(),
        password: password.as_deref(),
        test: attempt.challenge.test,
        profile: &profile,
        session: session.as_ref().map(|session| (&app.store.sessions, session)),
    };
    let verified = VerifiedCode { phone, key, attempt: &attempt, device: None };
    match app.store.users.register(&app.store.phones, verified, &user, now).await? {
        Registered::Done => {
            count_verified(app, &keys, &registration.phone, (flow, &attempt), now);
            logging::record_user(&id);
            tracing::info!(event = "user_created", flow = flow.as_str(), "registered");
            let token = token.map(|token| identifier::format(&token).into());
            profile.last_login = token.is_some().then_some(now);
            Ok(NewAccount { id, profile, token })
        }
        Registered::CodeUsed => Err(AuthError::CodeRejected(CodeRejection::Used)),
        Registered::Taken => Err(AuthError::UserExists),
    }
}
