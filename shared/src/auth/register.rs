//! How a registration ends: the code comes back and the user is made. Two sequential calls to storage: the try is counted, then the
//! code is used up and the user's rows are made in one transaction. Uses `store`, `keys`.

use super::code::OneTimeCode;
use super::email::Email;
use super::login::{Entered, verified};
use super::password::Password;
use super::properties::Properties;
use super::transaction::TransactionId;
use super::{AuthError, Purpose};
use crate::logging;
use crate::network::Network;
use crate::phone::PhoneNumber;
use crate::random;
use crate::service::Service;
use crate::settings::Identity;
use crate::store::{Code, ENABLED, NewUser, PhoneKey, Profile, Registered};
use crate::uuid;

/// A registration whose every part has been checked for its form.
#[derive(Debug)]
pub struct Registration {
    /// The phone that the code went to.
    pub phone: PhoneNumber,
    /// The transaction that step 1 answered.
    pub transaction: TransactionId,
    /// The code.
    pub code: OneTimeCode,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The password.
    pub password: Password,
    /// Two letters.
    pub locale: String,
    /// The app's own properties.
    pub properties: Properties,
}

/// A user who has just been made.
#[derive(Debug)]
pub struct NewAccount {
    /// The objectId.
    pub id: String,
    /// The profile.
    pub profile: Profile,
}

/// Ends a registration. Nothing of a user exists before this, and all of one after it.
///
/// # Errors
/// [`AuthError::CodeRejected`] whatever was wrong with phone, transaction or code; [`AuthError::UserExists`] to who has proven the
/// phone, whose code then stays good for another try; the others of [`AuthError`].
pub async fn finish(service: &Service, registration: Registration, from: &Network) -> Result<NewAccount, AuthError> {
    logging::about(&registration.phone);
    let now = service.clock.now();
    let keys = service.secrets.keys(now).await?;
    let owner = keys.phone(registration.phone.e164());
    let phone = PhoneKey(owner.short());
    if !registration.transaction.open(&keys).contains(&(phone, Purpose::Register)) {
        return Err(AuthError::CodeRejected);
    }
    let transaction = registration.transaction;
    let entered = Entered { service, keys: keys.clone(), now, phone, purpose: Purpose::Register, transaction };
    let counted = entered.check(&registration.code).await?;
    let password = registration.password.hash(&keys, service.password_cost).await?;
    let identity = match service.settings.identity {
        Identity::Email => registration.email.as_ref().map(|email| keys.identity(&email.identity())),
        Identity::Phone => None,
    };
    let id = uuid::format(&random::bytes()?);
    let profile = Profile {
        phone: registration.phone.e164().to_owned(),
        email: registration.email.map(|email| email.as_str().to_owned()),
        created: now,
        updated: None,
        last_login: None,
        status: ENABLED.to_owned(),
        locale: registration.locale,
        properties: registration.properties.to_text(),
    };
    let user = NewUser { id: &id, phone: &owner, identity: identity.as_ref(), password: &password, profile: &profile };
    let network = keys.address(from.as_str()).short_text();
    let used = Code { phone, slot: Purpose::Register.slot(), counted: &counted, network: &network };
    match service.users.register(&service.phones, used, &user, now).await? {
        Registered::Done => {
            verified(service, &keys, &profile.phone, Purpose::Register, now);
            logging::about_user(&id);
            tracing::info!(event = "user_created", flow = Purpose::Register.flow().word(), "registered");
            Ok(NewAccount { id, profile })
        }
        Registered::CodeUsed => Err(AuthError::CodeRejected),
        Registered::Taken => Err(AuthError::UserExists),
    }
}
