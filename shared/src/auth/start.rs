//! How a flow starts: a code goes to a phone. Two sequential calls to storage: what is known about the phone (one read of
//! several tables), then one conditional write that counts the message and holds the transaction; then Plivo. The write comes first, so
//! that whatever dies in the middle, no start sends two messages. Uses `store`, `plivo`.

use std::convert::Infallible;
use std::sync::Arc;

use super::code::OneTimeCode;
use super::limits::Limit;
use super::password::Password;
use super::pending::{self, Start, Started};
use super::transaction::TransactionId;
use super::{AuthError, Purpose, provider, template};
use crate::clock::Timestamp;
use crate::keys::{Keys, SealError};
use crate::logging;
use crate::metrics::Metric;
use crate::phone::PhoneNumber;
use crate::plivo::{Message, PlivoError};
use crate::secrets::PlivoCredentials;
use crate::service::Service;
use crate::store::{Login, Pending, PhoneKey, PhoneRecord, Provider, StoreError, before_start};

/// Starts a registration: sends a code to the phone, whether or not a user has it. Whether one has is only said to who can
/// read the code. Answers the transaction's id.
///
/// # Errors
/// [`AuthError`]: limits, Plivo's failures, storage.
pub async fn registration(service: &Service, phone: &PhoneNumber) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone).await?;
    let (record, login, provider) = start.read().await?;
    provider::check(provider, start.now)?;
    let started = start.begin(Purpose::Register, None, login.is_some(), record).await?;
    start.send_or_take_back(Purpose::Register, &started, provider).await?;
    Ok(started.pending.id)
}

/// Starts a passwordless login. A phone without a user gets a transaction like any other, with the same limits, and no
/// message: a call to Plivo that sends nothing stands in for it. What Plivo answers changes nothing, for this caller or the next.
///
/// # Errors
/// [`AuthError`]: limits, storage, and Plivo's failures while they are known to everybody.
pub async fn login(service: &Service, phone: &PhoneNumber) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone).await?;
    let (record, login, provider) = start.read().await?;
    provider::check(provider, start.now)?;
    let user = login.map(|login| login.user);
    let started = start.begin(Purpose::Login, user.as_deref(), user.is_some(), record).await?;
    let outcome = start.send(Purpose::Login, &started).await?;
    if let Err(error) = outcome {
        tracing::error!(cause = logging::chain(&error), "code message not sent, the caller is not told");
    }
    Ok(started.pending.id)
}

/// Starts a login by password: the code goes out only after the password was right. An unknown phone and a wrong password
/// answer the same, after the same work.
///
/// # Errors
/// [`AuthError`].
pub async fn second_factor(service: &Service, phone: &PhoneNumber, password: Password) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone).await?;
    let (record, login, provider) = start.read().await?;
    let (user, hash) = login.map(|login| (login.user, login.password)).unzip();
    let right = password.verify(&start.keys, hash).await?;
    let user = user.filter(|_| right).ok_or(AuthError::LoginRejected)?;
    provider::check(provider, start.now)?;
    let started = start.begin(Purpose::SecondFactor, Some(&user), true, record).await?;
    start.send_or_take_back(Purpose::SecondFactor, &started, provider).await?;
    Ok(started.pending.id)
}

/// What every start needs before it touches anything.
struct Prepared<'a> {
    service: &'a Service,
    phone: &'a PhoneNumber,
    now: Timestamp,
    keys: Arc<Keys>,
    plivo: Arc<PlivoCredentials>,
    key: PhoneKey,
}

impl<'a> Prepared<'a> {
    async fn new(service: &'a Service, phone: &'a PhoneNumber) -> Result<Self, AuthError> {
        if !service.settings.sends_to(phone.country()) {
            return Err(AuthError::CountryNotServed);
        }
        let now = service.clock.now();
        let (keys, plivo) = tokio::try_join!(service.secrets.keys(now), service.secrets.plivo(now))?;
        let key = PhoneKey(keys.phone(phone.e164()).short());
        Ok(Self { service, phone, now, keys, plivo, key })
    }

    /// What is kept about the phone, who has it, and how Plivo has been doing: the same call for every flow.
    async fn read(&self) -> Result<(PhoneRecord, Option<Login>, Option<Provider>), StoreError> {
        let Service { phones, users, controls, .. } = self.service;
        let owner = self.keys.phone(self.phone.e164());
        before_start(phones, users, controls, (self.key, &owner), self.now).await
    }

    /// Counts the message and holds the transaction, in one write.
    async fn begin(
        &self,
        purpose: Purpose,
        user: Option<&str>,
        is_confirmed: bool,
        record: PhoneRecord,
    ) -> Result<Started, AuthError> {
        let settings = &self.service.settings;
        let id = TransactionId::new(&self.keys, self.key, purpose)?.text();
        let code = OneTimeCode::draw(settings.code_length)?;
        let sealed = self.keys.seal_code(code.expose(), &id)?;
        let life = settings.code_life;
        let start = Start { purpose, id: &id, sealed_code: &sealed, user, is_confirmed, now: self.now, life };
        let decide = |record: &mut PhoneRecord| pending::start(record, &start, |pending| self.code(pending).is_ok());
        Ok(self.service.phones.change(self.key, record, self.record_expires(), decide).await??)
    }

    /// Messages count for a day, and so do the wrong codes that can be entered until the code expires.
    fn record_expires(&self) -> Timestamp {
        let (_, day) = Limit::CodeMessagesPerDay.rule();
        self.now.plus(self.service.settings.code_life).plus(day)
    }

    fn code(&self, pending: &Pending) -> Result<OneTimeCode, SealError> {
        let sealed = pending.code.as_deref().ok_or(SealError)?;
        self.keys.open_code(sealed, &pending.id).map(OneTimeCode::from)
    }

    /// Sends the transaction's code to the phone, or where it is not to, does what takes as long and sends nothing.
    async fn send(&self, purpose: Purpose, started: &Started) -> Result<Result<(), PlivoError>, SealError> {
        let code = self.code(&started.pending)?;
        let life = self.now.until(started.pending.expires);
        let text = template::code_message(&self.service.settings, purpose, code.expose(), life);
        let message = Message { to: self.phone.e164(), text: &text, media: &[], keep_text: false };
        if !started.sends {
            let outcome = self.service.plivo.probe(&self.plivo).await;
            self.service.metrics.count(Metric::Decoy, self.now);
            return Ok(outcome);
        }
        let outcome = self.service.plivo.send(&self.plivo, message).await.map(drop);
        self.service.count_send(purpose.flow(), message, outcome.as_ref().err(), self.now);
        Ok(outcome)
    }

    /// Sends, and tells a failure. A message that surely did not go out does not count against the phone: that tells nobody
    /// anything, since here Plivo is called for every phone, if only to stand in for a message.
    async fn send_or_take_back(
        &self,
        purpose: Purpose,
        started: &Started,
        provider: Option<Provider>,
    ) -> Result<(), AuthError> {
        let outcome = self.send(purpose, started).await?;
        provider::note(self.service, provider, &outcome, self.now).await;
        let Err(error) = outcome else { return Ok(()) };
        if !error.may_have_arrived() {
            self.take_back(purpose, started).await;
        }
        Err(error.into())
    }

    async fn take_back(&self, purpose: Purpose, started: &Started) {
        let undone = async {
            let record = self.service.phones.get(self.key).await?;
            let decide = |record: &mut PhoneRecord| {
                pending::take_back(record, purpose.slot(), started, self.now);
                Ok::<_, Infallible>(())
            };
            self.service.phones.change(self.key, record, self.record_expires(), decide).await
        };
        if let Err(error) = undone.await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted");
        }
    }
}
