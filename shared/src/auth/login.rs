//! How a login ends: the code comes back and a session begins. Two sequential calls to storage: the try is counted, then the code
//! is used up, the session made and the login noted in one transaction, beside reading the profile. Uses `store`, `keys`.

use std::sync::Arc;

use super::code::OneTimeCode;
use super::transaction::TransactionId;
use super::{AuthError, Purpose, money};
use crate::clock::Timestamp;
use crate::keys::Keys;
use crate::logging;
use crate::metrics::Metric;
use crate::network::Network;
use crate::phone::PhoneNumber;
use crate::random;
use crate::service::Service;
use crate::store::{Code, Counted, ENABLED, NewSession, PhoneKey, Profile, TallyKey};
use crate::uuid;

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

/// Ends a login of either kind.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with transaction or code; the others of [`AuthError`].
pub async fn finish(
    service: &Service,
    transaction: TransactionId,
    code: &OneTimeCode,
    from: &Network,
) -> Result<LoggedIn, AuthError> {
    let now = service.clock.now();
    let keys = service.secrets.keys(now).await?;
    let (phone, purpose, counted) = find(service, &keys, now, transaction, code).await?;
    // A phone without a user: even a guessed code finds nobody.
    let user = counted.pending.user.clone().ok_or(AuthError::CodeRejected)?;
    let token = random::bytes::<16>()?;
    let session = NewSession {
        token: &token,
        user: &user,
        now,
        idle: service.settings.session_idle,
        life: service.settings.session_life,
    };
    let network = keys.address(from.as_str()).short_text();
    let used = Code { phone, slot: purpose.slot(), counted: &counted, network: &network };
    // Not `try_join`: a profile that cannot be read must not let go of a login that is being written.
    let (logged_in, profile) = tokio::join!(
        service.users.log_in(&service.phones, used, &service.sessions, &session),
        service.users.profile(&user)
    );
    let logged_in = logged_in?;
    let profile = match profile {
        Err(_) if logged_in => service.users.profile(&user).await?,
        profile => profile?,
    };
    match profile {
        Some(profile) if profile.status != ENABLED => Err(AuthError::UserDisabled),
        Some(mut profile) if logged_in => {
            profile.last_login = Some(now);
            verified(service, &keys, &profile.phone, purpose, now);
            logging::about_user(&user);
            tracing::info!(event = "authn_login_success", flow = purpose.flow().word(), "logged in");
            Ok(LoggedIn { id: user, profile, token: uuid::format(&token).into() })
        }
        _ => Err(AuthError::CodeRejected),
    }
}

/// Counts a code that came back right, also for the number's country and prefix: after the answer, since nobody waits for it.
pub(super) fn verified(service: &Service, keys: &Keys, e164: &str, purpose: Purpose, now: Timestamp) {
    service.metrics.count(Metric::Verified(purpose.flow()), now);
    // Written in full, it says its country itself.
    let Ok(phone) = PhoneNumber::parse(e164, service.settings.default_country) else { return };
    logging::about(&phone);
    let slice = money::slice_of(&service.settings.rules, PhoneKey(keys.phone(e164).short()));
    let prefix = TallyKey::Prefix(keys.prefix(phone.prefix()).short());
    let (tallies, flow) = (service.tallies.clone(), purpose.flow());
    let country = flow.scope_in(&phone.country().code());
    service.later.add(async move {
        for counted in
            <[_; 2]>::from(tokio::join!(tallies.verified(slice, &country), tallies.verified(prefix, flow.scope())))
        {
            if let Err(error) = counted {
                tracing::warn!(cause = logging::chain(&error), "a right code is not counted");
            }
        }
    });
}

/// Finds the transaction and checks the code. There is one place to look, but for the minutes in which a key is changed.
async fn find(
    service: &Service,
    keys: &Arc<Keys>,
    now: Timestamp,
    transaction: TransactionId,
    code: &OneTimeCode,
) -> Result<(PhoneKey, Purpose, Counted), AuthError> {
    for (phone, purpose) in transaction.open(keys) {
        if purpose == Purpose::Register {
            break;
        }
        let entered = Entered { service, keys: Arc::clone(keys), now, phone, purpose, transaction };
        match entered.check(code).await {
            Err(AuthError::CodeRejected) => {}
            outcome => return outcome.map(|counted| (phone, purpose, counted)),
        }
    }
    Err(AuthError::CodeRejected)
}

/// A code that somebody entered for a transaction.
pub(super) struct Entered<'a> {
    pub service: &'a Service,
    pub keys: Arc<Keys>,
    pub now: Timestamp,
    pub phone: PhoneKey,
    pub purpose: Purpose,
    pub transaction: TransactionId,
}

impl Entered<'_> {
    /// Counts the try, then compares.
    pub(super) async fn check(&self, code: &OneTimeCode) -> Result<Counted, AuthError> {
        let id = self.transaction.text();
        let counted = self.service.phones.count_try(self.phone, self.purpose.slot(), &id, self.now).await?;
        let counted = counted.ok_or(AuthError::CodeRejected)?;
        let sealed = counted.pending.code.as_deref().ok_or(AuthError::CodeRejected)?;
        match self.keys.open_code(sealed, &id) {
            Ok(sent) if code.matches(&sent) => Ok(counted),
            Ok(_) | Err(_) => Err(AuthError::CodeRejected),
        }
    }
}
