//! How a flow starts: a code goes to a phone. The way of a start, in sequential calls to storage:
//!
//! 1. read what is known about the phone, the caller, money and Plivo, in one call: what the phone's or the caller's limits refuse has
//!    written nothing;
//! 2. count the caller's start, and before a password is compared, its try; then decide by money and volume;
//! 3. write the phone's item, which counts the message and holds the transaction, beside the money that the message will cost;
//! 4. call Plivo, beside the record of the decision and the prefix's count, or after the answer behind them.
//!
//! Each write before the send is conditional, so whatever dies in the middle or races, no start sends two messages and none is sent that no
//! limit has counted. Where nothing is to be sent, the same calls are made, with nothing to add. Uses `store`, `plivo`, `sending`.
//!
//! **A passwordless login answers before step 4.** Nobody is told there what Plivo says, so nobody waits for it: how long a message takes
//! cannot tell who is a user. So does a registration where a phone that nobody has confirmed would get no message any more. In all others
//! the caller waits and is told when a message failed. Where nothing is to be sent, a call to Plivo that sends nothing stands in for it.
//!
//! **All answers and refusals leave at whole steps** (`steps`), so their time cannot tell what was found in storage. A password is compared
//! from such a step on, too: the work is the same for all.

use std::convert::Infallible;
use std::sync::Arc;

use super::callers;
use super::code::OneTimeCode;
use super::delivery::{Delivery, Note};
use super::limits::{Limit, Limited};
use super::money::{self, Reservation};
use super::password::Password;
use super::pending::{self, Start, Started};
use super::transaction::TransactionId;
use super::{AuthError, Purpose, provider, template};
use crate::clock::Timestamp;
use crate::keys::{Keys, SealError};
use crate::logging;
use crate::network::Network;
use crate::phone::PhoneNumber;
use crate::secrets::PlivoCredentials;
use crate::sending::budget::{Window, slices_of};
use crate::sending::decision::{Outcome, Rule};
use crate::sending::switches;
use crate::service::Service;
use crate::steps::Came;
use crate::store::{
    AddressKey, AddressRecord, BeforeStart, DecisionRecord, Kept, Pending, PhoneKey, PhoneRecord, Provider, StoreError,
    Who,
};

/// Starts a registration: sends a code to the phone, whether or not a user has it. Whether one has is only said to who can
/// read the code. Answers the transaction's id.
///
/// # Errors
/// [`AuthError`]: limits, rules, Plivo's failures, storage.
pub async fn registration(service: &Service, phone: &PhoneNumber, from: &Network) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone, from, Purpose::Register).await?;
    start.at_a_step(start.registration()).await
}

/// Starts a passwordless login. A phone without a user gets a transaction like any other, with the same limits, and no
/// message. What Plivo answers changes nothing, for this caller or the next.
///
/// # Errors
/// [`AuthError`]: limits, rules, storage, and Plivo's failures while they are known to everybody.
pub async fn login(service: &Service, phone: &PhoneNumber, from: &Network) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone, from, Purpose::Login).await?;
    start.at_a_step(start.login()).await
}

/// Starts a login by password: the code goes out only after the password was right. An unknown phone and a wrong password
/// answer the same, after the same work.
///
/// # Errors
/// [`AuthError`].
pub async fn second_factor(
    service: &Service,
    phone: &PhoneNumber,
    password: Password,
    from: &Network,
) -> Result<String, AuthError> {
    let start = Prepared::new(service, phone, from, Purpose::SecondFactor).await?;
    start.at_a_step(start.second_factor(password)).await
}

/// What every start needs before it touches anything.
struct Prepared<'a> {
    service: &'a Service,
    phone: &'a PhoneNumber,
    purpose: Purpose,
    country: String,
    came: Came,
    now: Timestamp,
    keys: Arc<Keys>,
    plivo: Arc<PlivoCredentials>,
    key: PhoneKey,
    prefix: [u8; 8],
    address: AddressKey,
    network: String,
}

/// A start that nothing speaks against, as far as was read.
struct Plan {
    record: PhoneRecord,
    user: Option<String>,
    is_confirmed: bool,
    may_send: bool,
    reservation: Reservation,
    note: Note,
}

/// A start that is written, and what it has taken.
struct Begun {
    started: Started,
    delivery: Delivery,
    reservation: Reservation,
    slice: usize,
}

impl<'a> Prepared<'a> {
    async fn new(
        service: &'a Service,
        phone: &'a PhoneNumber,
        from: &Network,
        purpose: Purpose,
    ) -> Result<Self, AuthError> {
        if !service.settings.sends_to(phone.country(), purpose.flow()) {
            return Err(AuthError::CountryNotServed);
        }
        let came = service.steps.came();
        logging::about(phone);
        let now = service.clock.now();
        let (keys, plivo) = tokio::try_join!(service.secrets.keys(now), service.secrets.plivo(now))?;
        let from = keys.address(from.as_str());
        Ok(Self {
            service,
            phone,
            purpose,
            country: phone.country().code(),
            came,
            now,
            plivo,
            key: PhoneKey(keys.phone(phone.e164()).short()),
            prefix: keys.prefix(phone.prefix()).short(),
            address: AddressKey(from.short()),
            network: from.short_text(),
            keys,
        })
    }

    /// Answers or refuses at a whole step: no time tells what was found.
    async fn at_a_step(&self, work: impl Future<Output = Result<String, AuthError>>) -> Result<String, AuthError> {
        let answer = work.await;
        self.came.next_step().await;
        answer
    }

    async fn registration(&self) -> Result<String, AuthError> {
        let before = self.read().await?;
        provider::check(before.controls.provider, self.now)?;
        let is_confirmed = before.login.is_some();
        self.try_out(before.record.clone(), None, is_confirmed)?;
        self.count_caller(before.address.clone()).await?;
        let plan = self.plan(&before, before.record.clone(), None, is_confirmed)?;
        let may_be_silent = self.may_be_silent(&before.record);
        let begun = self.begin(plan).await?;
        if may_be_silent {
            return Ok(self.deliver_later(begun));
        }
        self.deliver_or_take_back(begun, before.controls.provider).await
    }

    async fn login(&self) -> Result<String, AuthError> {
        let before = self.read().await?;
        provider::check(before.controls.provider, self.now)?;
        let user = before.login.as_ref().map(|login| login.user.clone());
        self.try_out(before.record.clone(), user.as_deref(), user.is_some())?;
        self.count_caller(before.address.clone()).await?;
        let plan = self.plan(&before, before.record.clone(), user.clone(), user.is_some())?;
        let begun = self.begin(plan).await?;
        Ok(self.deliver_later(begun))
    }

    async fn second_factor(&self, password: Password) -> Result<String, AuthError> {
        let mut before = self.read().await?;
        let (user, hash) = before.login.take().map(|login| (login.user, login.password)).unzip();
        // What refuses one of the two, by what was read, has counted neither.
        callers::count_start(&mut before.address.clone(), &self.country, &self.service.settings, self.now)?;
        callers::count_password(&mut before.record.clone(), &self.network, self.now)?;
        let (caller, record) =
            tokio::join!(self.count_caller(before.address.clone()), self.count_password(before.record.clone()));
        let record = record?;
        if let Err(refused) = caller {
            self.change_passwords(record, |record| callers::take_back_password(record, &self.network, self.now)).await;
            return Err(refused);
        }
        self.came.next_step().await;
        let right = password.verify(&self.keys, hash).await?;
        let user = user.filter(|_| right).ok_or(AuthError::LoginRejected)?;
        let plan = provider::check(before.controls.provider, self.now)
            .and_then(|()| self.plan(&before, record.clone(), Some(user), true));
        let plan = match plan {
            Ok(plan) => plan,
            Err(refused) => {
                // A right password was no wrong one, also where the start ends otherwise.
                self.change_passwords(record, |record| callers::forgive_passwords(record, &self.network)).await;
                return Err(refused);
            }
        };
        let begun = self.begin(plan).await?;
        self.deliver_or_take_back(begun, before.controls.provider).await
    }

    /// What is known: the same call for every flow. What is switched off ends here.
    async fn read(&self) -> Result<BeforeStart, AuthError> {
        let owner = self.keys.phone(self.phone.e164());
        let slices = slices_of(self.key.0, self.service.settings.rules.slices);
        let who = Who { phone: self.key, owner: &owner, prefix: self.prefix, address: self.address, slices: &slices };
        let before = self.service.before_start(who, self.now).await?;
        match before.controls.switches.stops(self.purpose.flow(), self.phone.country(), switches::SMS) {
            Some(_) => Err(AuthError::SwitchedOff),
            None => Ok(before),
        }
    }

    /// Whether the start may go on, by the phone's limits, the rules and the money that is left. Nothing is written but a refusal's record.
    fn plan(
        &self,
        before: &BeforeStart,
        record: PhoneRecord,
        user: Option<String>,
        is_confirmed: bool,
    ) -> Result<Plan, AuthError> {
        let started = self.try_out(record.clone(), user.as_deref(), is_confirmed)?;
        let asked = money::Asked { flow: self.purpose.flow(), country: &self.country, now: self.now };
        let rules = &self.service.settings.rules;
        let (inputs, decision, percent) = money::decide(rules, &asked, &before.slices, &before.prefix);
        money::count(&self.service.metrics, &decision, percent, self.now);
        let may_send = decision.outcome == Outcome::Send;
        let sends = started.sends && may_send;
        // A registration counts whether or not it sends: what is told for a count may not depend on who is a user.
        let counts = sends || may_send && !asked.flow.is_to_confirmed();
        // And a suspended prefix stays so for as long as it is asked for that much.
        let is_suspended = !may_send && decision.rule == Some(Rule::PrefixPumping);
        let decided = DecisionRecord::new((self.key, self.prefix, self.address), inputs, decision, sends);
        let note = self.note(decided, counts || is_suspended, before.prefix.clone());
        if let Some(rule) = decision.rule {
            let window = decision.window.map(Window::word);
            tracing::warn!(
                rule = rule.word(),
                window,
                country = self.country,
                percent,
                "a rule speaks against a message"
            );
        }
        if let (Outcome::Refuse, Some(rule)) = (decision.outcome, decision.rule) {
            self.service.later.add(async move {
                note.write().await;
            });
            return Err(AuthError::Refused { rule, retry_after: money::retry_after(&decision, self.now) });
        }
        let reservation = Reservation::new(rules, &asked, before.slices.clone(), sends, counts);
        Ok(Plan { record, user, is_confirmed, may_send, reservation, note })
    }

    /// Whether a registration of this phone may be one that sends nothing, had nobody confirmed it: then nobody is told what Plivo says.
    fn may_be_silent(&self, record: &PhoneRecord) -> bool {
        Limit::UnconfirmedMessagesPerDay.rule().left(&record.without_password.sends, self.now) == 0
    }

    /// Counts fewer wrong passwords.
    async fn change_passwords(&self, record: PhoneRecord, change: impl Fn(&mut PhoneRecord)) {
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        if let Err(error) = self.service.phones.change(self.key, record, self.record_expires(), decide).await {
            tracing::warn!(cause = logging::chain(&error), "a password stays counted as a wrong one");
        }
    }

    /// What the phone's limits say to what was read; without a transaction yet.
    fn try_out(&self, mut record: PhoneRecord, user: Option<&str>, is_confirmed: bool) -> Result<Started, Limited> {
        let Self { purpose, now, .. } = *self;
        let life = self.service.settings.code_life;
        let start = Start { purpose, id: "", sealed_code: "", user, is_confirmed, may_send: true, now, life };
        pending::start(&mut record, &start, |pending| self.code(pending).is_ok())
    }

    /// Counts the start for the network that it comes from.
    async fn count_caller(&self, record: AddressRecord) -> Result<(), AuthError> {
        let decide =
            |record: &mut AddressRecord| callers::count_start(record, &self.country, &self.service.settings, self.now);
        let expires = self.now.plus(Limit::CountriesPerAddress.rule().window);
        Ok(self.service.addresses.change(self.address, record, expires, decide).await??)
    }

    /// Counts the try of a password, before it is compared.
    async fn count_password(&self, record: PhoneRecord) -> Result<PhoneRecord, AuthError> {
        let decide = |record: &mut PhoneRecord| callers::count_password(record, &self.network, self.now);
        let changed = self.service.phones.change(self.key, record, self.record_expires(), decide).await?;
        Ok(changed.map(|((), record)| record)?)
    }

    /// Counts the message, holds the transaction, and takes what the message will cost from the budgets, side by side. Where one of the two
    /// cannot be had, since somebody was quicker, the other is given back.
    async fn begin(&self, plan: Plan) -> Result<Begun, AuthError> {
        let Plan { record, user, is_confirmed, may_send, reservation, mut note } = plan;
        let settings = &self.service.settings;
        let Self { purpose, now, .. } = *self;
        let id = TransactionId::new(&self.keys, self.key, purpose)?.text();
        let code = OneTimeCode::draw(settings.code_length)?;
        let sealed = self.keys.seal_code(code.expose(), &id)?;
        let (life, user) = (settings.code_life, user.as_deref());
        let start = Start { purpose, id: &id, sealed_code: &sealed, user, is_confirmed, may_send, now, life };
        let decide = |record: &mut PhoneRecord| {
            if purpose == Purpose::SecondFactor {
                callers::forgive_passwords(record, &self.network);
            }
            pending::start(record, &start, |pending| self.code(pending).is_ok())
        };
        let Service { phones, tallies, .. } = self.service;
        let change = phones.change(self.key, record, self.record_expires(), decide);
        let (started, reserved) = tokio::join!(change, reservation.take(tallies, now));
        let started = match started.map_err(AuthError::from).and_then(|decided| Ok(decided?)) {
            Ok((started, _)) => started,
            Err(refused) => {
                if let Ok(Some(slice)) = reserved {
                    reservation.give_back(tallies, slice, now).await;
                }
                return Err(refused);
            }
        };
        let slice = match reserved {
            Ok(Some(slice)) => slice,
            none => {
                self.take_back(&started).await;
                none?;
                return Err(AuthError::Refused { rule: Rule::Budget, retry_after: 1 });
            }
        };
        // Where a race has made one sent that was to be silent, no money was taken for it.
        note.decided.sent &= started.sends;
        let delivery = self.delivery(&started, note)?;
        Ok(Begun { started, delivery, reservation, slice })
    }

    /// What is to be written down about a decision.
    fn note(&self, decided: DecisionRecord, counts: bool, prefix: Kept) -> Note {
        let Service { decisions, tallies, .. } = self.service;
        Note { decisions: decisions.clone(), tallies: tallies.clone(), decided, counts, prefix: (self.prefix, prefix) }
    }

    /// Step 4, as one piece of work that needs nothing of the request.
    fn delivery(&self, started: &Started, note: Note) -> Result<Delivery, SealError> {
        let code = self.code(&started.pending)?;
        let life = self.now.until(started.pending.expires);
        let text = template::code_message(&self.service.settings, self.purpose, code.expose(), life);
        let Service { plivo, metrics, .. } = self.service;
        Ok(Delivery {
            plivo: plivo.clone(),
            credentials: Arc::clone(&self.plivo),
            metrics: metrics.clone(),
            to: self.phone.e164().to_owned(),
            text: text.into(),
            note,
        })
    }

    /// Messages count for a day, and so do the wrong codes that can be entered until the code expires.
    fn record_expires(&self) -> Timestamp {
        self.now.plus(self.service.settings.code_life).plus(Limit::CodeMessagesPerDay.rule().window)
    }

    fn code(&self, pending: &Pending) -> Result<OneTimeCode, SealError> {
        let sealed = pending.code.as_deref().ok_or(SealError)?;
        self.keys.open_code(sealed, &pending.id).map(OneTimeCode::from)
    }

    /// Sends after the answer, which is the transaction's id; nobody is told a failure, nor by the time what is known of the phone.
    fn deliver_later(&self, begun: Begun) -> String {
        let Begun { started, delivery, .. } = begun;
        self.service.later.add(async move {
            if let Err(error) = delivery.carry_out_after_answer().await {
                tracing::error!(cause = logging::chain(&error), "code message not sent, the caller is not told");
            }
        });
        started.pending.id
    }

    /// Sends, and tells a failure; answers the transaction's id. A message that surely did not go out counts against no phone, budget,
    /// country or prefix: that tells nobody anything, since here every phone gets one, or is suspended in silence whoever has it.
    async fn deliver_or_take_back(&self, begun: Begun, provider: Option<Provider>) -> Result<String, AuthError> {
        let Begun { started, delivery, reservation, slice } = begun;
        let (outcome, is_counted) = delivery.carry_out().await;
        let was_not_sent = outcome.as_ref().is_err_and(|error| !error.may_have_arrived());
        let taken_back = async {
            if was_not_sent {
                let money = reservation.give_back(&self.service.tallies, slice, self.now);
                let prefix = async {
                    if is_counted {
                        delivery.note.take_back().await;
                    }
                };
                tokio::join!(self.take_back(&started), money, prefix);
            }
        };
        tokio::join!(provider::note(self.service, provider, &outcome, self.now), taken_back);
        outcome?;
        Ok(started.pending.id)
    }

    async fn take_back(&self, started: &Started) {
        let undone = async {
            let record = self.service.phones.get(self.key).await?;
            let decide = |record: &mut PhoneRecord| {
                pending::take_back(record, self.purpose.slot(), started, self.now);
                Ok::<_, Infallible>(())
            };
            let Ok(_) = self.service.phones.change(self.key, record, self.record_expires(), decide).await?;
            Ok::<_, StoreError>(())
        };
        if let Err(error) = undone.await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted");
        }
    }
}
