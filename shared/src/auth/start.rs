//! How a flow starts: a code goes to a phone. Each of [`registration`], [`login`] and [`second_factor`] is one pipeline:
//!
//! 1. read all that is known about phone, client, budgets and Plivo, in one call; what is refused by it has written nothing;
//! 2. count the client's start (and a password's try, before it is compared);
//! 3. decide by budget and volume whether the message goes out;
//! 4. issue the challenge: write the phone's item, which counts the message, beside the money that it costs;
//! 5. send it, beside the decision log and the prefix's count, or in the background after the answer.
//!
//! Each write before the send is conditional, so whatever dies in the middle or races, no start sends two messages and none is sent that no
//! limit has counted. Where nothing is to be sent, the same calls are made, with nothing to add.
//!
//! **A passwordless login is sent after its answer.** Nobody is told there what Plivo says, so nobody waits for it: how long a message takes
//! cannot tell who is a user. So is a registration where an unconfirmed phone would get no message any more. In all others the caller waits
//! and is told when a message failed. Where nothing is to be sent, a call to Plivo that sends nothing stands in for the message.
//!
//! **All answers and refusals are padded** (`response_padding`), so their time cannot tell what was found in storage.

use std::convert::Infallible;
use std::sync::Arc;

use phone_number::PhoneNumber;

use super::challenge::{self, Admitted, ChallengeRequest, IssuedChallenge, NewChallenge};
use super::challenge_id::ChallengeId;
use super::delivery::{Delivery, SendRecord};
use super::limits::Limit;
use super::otp::OneTimeCode;
use super::otp_message::otp_message;
use super::password::Password;
use super::response_padding::Arrival;
use super::{AuthError, admission, circuit_breaker, client_limits, password_throttle};
use crate::app::App;
use crate::aws::secrets::PlivoCredentials;
use crate::client_network::ClientNetwork;
use crate::clock::Timestamp;
use crate::crypto::{Keys, SealError};
use crate::flow::Flow;
use crate::logging;
use crate::metrics::Metric;
use crate::spend::budget::{Window, shards_of};
use crate::spend::pumping::{Outcome, Rule};
use crate::spend::reservation::Reservation;
use crate::spend::{Decided, SpendRequest};
use crate::store::{
    Challenge, ClientKey, ClientRecord, CounterKey, DecisionLogEntry, Failures, PhoneKey, PhoneRecord, StartKeys,
    StartState, StoreError,
};

/// Starts a registration: sends a code to the phone, whether or not a user has it. Whether one has is only told to whoever can read the
/// code. Returns the challenge's id.
///
/// # Errors
/// [`AuthError`]: limits, spend rules, Plivo's failures, storage.
pub async fn registration(app: &App, phone: &PhoneNumber, client: &ClientNetwork) -> Result<String, AuthError> {
    let start = StartContext::new(app, Flow::Register, phone, client).await?;
    start
        .padded(async {
            let state = start.load_state().await?;
            let admitted = start.admit(&state, &state.phone)?;
            start.count_client(&state).await?;
            let send = start.decide_send(&state, &admitted)?;
            let issued = start.issue(&state, state.phone.clone(), send).await?;
            if start.may_send_nothing(&state) { Ok(issued.send_after_answer()) } else { issued.send(&state).await }
        })
        .await
}

/// Starts a passwordless login. A phone without a user gets a challenge like any other, with the same limits, and no message. What Plivo
/// answers changes nothing, for this caller or the next. Returns the challenge's id.
///
/// # Errors
/// [`AuthError`]: limits, spend rules, storage, and Plivo's failures while the circuit is open for everybody.
pub async fn login(app: &App, phone: &PhoneNumber, client: &ClientNetwork) -> Result<String, AuthError> {
    let start = StartContext::new(app, Flow::Login, phone, client).await?;
    start
        .padded(async {
            let state = start.load_state().await?;
            let admitted = start.admit(&state, &state.phone)?;
            start.count_client(&state).await?;
            let send = start.decide_send(&state, &admitted)?;
            let issued = start.issue(&state, state.phone.clone(), send).await?;
            Ok(issued.send_after_answer())
        })
        .await
}

/// Starts a login with a password: the code goes out only after the password was right. An unknown phone and a wrong password are answered
/// alike, after the same work. Returns the challenge's id.
///
/// # Errors
/// [`AuthError`].
pub async fn second_factor(
    app: &App,
    phone: &PhoneNumber,
    password: Password,
    client: &ClientNetwork,
) -> Result<String, AuthError> {
    let start = StartContext::new(app, Flow::SecondFactor, phone, client).await?;
    start
        .padded(async {
            let state = start.load_state().await?;
            let record = start.count_client_and_password(&state).await?;
            start.arrival.pad().await;
            start.verify(password, &state).await?;
            let decided = start.admit(&state, &record).and_then(|admitted| start.decide_send(&state, &admitted));
            let send = match decided {
                Ok(send) => send,
                Err(refused) => {
                    // A right password was no wrong one, also where the start ends otherwise.
                    start.correct_passwords(record, |record| password_throttle::forgive(record, &start.network)).await;
                    return Err(refused);
                }
            };
            start.issue(&state, record, send).await?.send(&state).await
        })
        .await
}

/// What a start knows before it touches anything.
struct StartContext<'a> {
    app: &'a App,
    flow: Flow,
    phone: &'a PhoneNumber,
    country: String,
    arrival: Arrival,
    now: Timestamp,
    keys: Arc<Keys>,
    plivo: Arc<PlivoCredentials>,
    items: StartKeys,
    /// The client network's keyed hash.
    network: String,
}

/// A message whose sending is decided.
struct PlannedSend {
    may_send: bool,
    reservation: Reservation,
    record: SendRecord,
}

/// A challenge that is written, with what it has taken.
struct Issued<'a> {
    start: &'a StartContext<'a>,
    challenge: IssuedChallenge,
    delivery: Delivery,
    reservation: Reservation,
    shard: usize,
}

impl<'a> StartContext<'a> {
    async fn new(app: &'a App, flow: Flow, phone: &'a PhoneNumber, client: &ClientNetwork) -> Result<Self, AuthError> {
        if !app.settings.serves(phone.country(), flow) {
            return Err(AuthError::CountryNotServed);
        }
        let arrival = app.padding.arrival();
        logging::record_phone(phone);
        let now = app.clock.now();
        let (keys, plivo) = tokio::try_join!(app.secrets.keys(now), app.secrets.plivo(now))?;
        let owner = keys.phone(phone.e164());
        let (phone_key, client) = (PhoneKey(owner.short()), keys.client(client.as_str()));
        let items = StartKeys {
            phone: phone_key,
            owner,
            prefix: keys.prefix(phone.prefix()).short(),
            client: ClientKey(client.short()),
            shards: shards_of(phone_key.0, app.settings.spend.shards),
        };
        let (country, network) = (phone.country().code(), client.short_text());
        Ok(Self { app, flow, phone, country, arrival, now, keys, plivo, items, network })
    }

    /// Pads the answer or refusal: no time tells what was found.
    async fn padded(&self, work: impl Future<Output = Result<String, AuthError>>) -> Result<String, AuthError> {
        let result = work.await;
        self.arrival.pad().await;
        result
    }

    /// What is known: the same call for every flow. What is switched off ends here.
    async fn load_state(&self) -> Result<StartState, AuthError> {
        let state = self.app.store.load_start_state(&self.items, self.now).await?;
        admission::check_kill_switches(&state.status, self.flow, self.phone.country())?;
        Ok(state)
    }

    fn challenge_request<'s>(&self, state: &'s StartState) -> ChallengeRequest<'s> {
        let login = state.login.as_ref().filter(|_| self.flow != Flow::Register);
        ChallengeRequest {
            flow: self.flow,
            user: login.map(|login| login.user.as_str()),
            is_confirmed: state.login.is_some(),
            now: self.now,
            life: self.app.settings.code_life,
        }
    }

    /// Whether the circuit breaker and the phone's limits, as they were read, let the start go on.
    fn admit(&self, state: &StartState, record: &PhoneRecord) -> Result<Admitted, AuthError> {
        let request = self.challenge_request(state);
        admission::check(&state.status, record, &request, |challenge| self.open(challenge).is_ok())
    }

    /// Counts the start for the client network that it comes from.
    async fn count_client(&self, state: &StartState) -> Result<(), AuthError> {
        let decide =
            |record: &mut ClientRecord| client_limits::count_start(record, &self.country, &self.app.settings, self.now);
        let expires = self.now.plus(Limit::CountriesPerAddress.rule().window);
        Ok(self.app.store.clients.update(self.items.client, state.client.clone(), expires, decide).await??)
    }

    /// The same beside a password's try, which is counted before it is compared. What refuses one of the two, by what was read, has counted
    /// neither.
    async fn count_client_and_password(&self, state: &StartState) -> Result<PhoneRecord, AuthError> {
        client_limits::count_start(&mut state.client.clone(), &self.country, &self.app.settings, self.now)?;
        password_throttle::count(&mut state.phone.clone(), &self.network, self.now)?;
        let decide = |record: &mut PhoneRecord| password_throttle::count(record, &self.network, self.now);
        let phones = &self.app.store.phones;
        let (client, record) = tokio::join!(
            self.count_client(state),
            phones.update(self.items.phone, state.phone.clone(), self.phone_expires(), decide)
        );
        let ((), record) = record??;
        if let Err(refused) = client {
            let rollback = |record: &mut PhoneRecord| password_throttle::rollback(record, &self.network, self.now);
            self.correct_passwords(record, rollback).await;
            return Err(refused);
        }
        Ok(record)
    }

    /// Compares the password; the work is the same for all.
    async fn verify(&self, password: Password, state: &StartState) -> Result<(), AuthError> {
        let hash = state.login.as_ref().map(|login| login.password.clone());
        if password.verify(&self.keys, hash).await? { Ok(()) } else { Err(AuthError::LoginRejected) }
    }

    /// Counts fewer wrong passwords.
    async fn correct_passwords(&self, record: PhoneRecord, change: impl Fn(&mut PhoneRecord)) {
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        let phones = &self.app.store.phones;
        if let Err(error) = phones.update(self.items.phone, record, self.phone_expires(), decide).await {
            tracing::warn!(cause = logging::chain(&error), "a password stays counted as a wrong one");
        }
    }

    /// Decides by budget and volume. Writes nothing but a refusal's log entry, after the answer.
    fn decide_send(&self, state: &StartState, admitted: &Admitted) -> Result<PlannedSend, AuthError> {
        let App { settings, metrics, background, .. } = self.app;
        let request = SpendRequest { flow: self.flow, country: &self.country, now: self.now };
        let Decided { inputs, decision, percent_spent } = settings.spend.decide(&request, &state.shards, &state.prefix);
        metrics.count(Metric::Budget(usize::try_from(percent_spent).unwrap_or_default()), self.now);
        let may_send = decision.outcome == Outcome::Send;
        let is_sent = admitted.may_send && may_send;
        // A registration counts whether or not it sends: what is told for a count may not depend on who is a user.
        let is_counted = is_sent || may_send && !self.flow.is_for_confirmed_phones();
        // And a suspended prefix stays so for as long as it is asked for that much.
        let is_suspended = !may_send && decision.rule == Some(Rule::PrefixPumping);
        let about = (self.items.phone, self.items.prefix, self.items.client);
        let record = SendRecord {
            decision_log: self.app.store.decision_log.clone(),
            counters: self.app.store.counters.clone(),
            entry: DecisionLogEntry::new(about, inputs, decision, is_sent),
            is_counted: is_counted || is_suspended,
            prefix: (self.items.prefix, state.prefix.clone()),
        };
        if let Some(rule) = decision.rule {
            metrics.count(Metric::Suspected(rule.as_str()), self.now);
            let (rule, window) = (rule.as_str(), decision.window.map(Window::as_str));
            tracing::warn!(rule, window, country = self.country, percent_spent, "a rule speaks against a message");
        }
        if let (Outcome::Refuse, Some(rule)) = (decision.outcome, decision.rule) {
            background.spawn(async move {
                record.write().await;
            });
            return Err(AuthError::SpendRefused { rule, retry_after: decision.retry_after(self.now) });
        }
        let reservation = Reservation::new(&settings.spend, &request, state.shards.clone(), is_sent, is_counted);
        Ok(PlannedSend { may_send, reservation, record })
    }

    /// True if an unconfirmed phone would get no SMS at this registration. Then nobody is told what Plivo says.
    fn may_send_nothing(&self, state: &StartState) -> bool {
        Limit::UnconfirmedMessagesPerDay.rule().left(&state.phone.without_password.starts, self.now) == 0
    }

    /// Writes the challenge, which counts the message, and reserves what the message costs, side by side. Where one of the two fails, since
    /// another request was quicker, the other is rolled back.
    async fn issue(
        &'a self,
        state: &StartState,
        record: PhoneRecord,
        planned: PlannedSend,
    ) -> Result<Issued<'a>, AuthError> {
        let PlannedSend { may_send, reservation, record: mut send_record } = planned;
        let Self { flow, now, .. } = *self;
        let id = ChallengeId::new(&self.keys, self.items.phone, flow).text();
        let sealed_code = self.keys.seal_code(OneTimeCode::draw(self.app.settings.code_length).expose(), &id)?;
        let (request, new) = (self.challenge_request(state), NewChallenge { id: &id, sealed_code: &sealed_code });
        let decide = |record: &mut PhoneRecord| {
            if flow == Flow::SecondFactor {
                password_throttle::forgive(record, &self.network);
            }
            challenge::issue(record, &request, new, may_send, |challenge| self.open(challenge).is_ok())
        };
        let (phones, counters) = (&self.app.store.phones, &self.app.store.counters);
        let (written, reserved) = tokio::join!(
            phones.update(self.items.phone, record, self.phone_expires(), decide),
            counters.reserve(&reservation, now)
        );
        match (written.map_err(AuthError::from).and_then(|decided| Ok(decided?)), reserved) {
            (Ok((challenge, _)), Ok(Some(shard))) => {
                // Where a race made one sent that was not to be, no money was reserved for it.
                send_record.entry.sent &= challenge.is_sent;
                let delivery = self.delivery(&challenge, send_record)?;
                Ok(Issued { start: self, challenge, delivery, reservation, shard })
            }
            (Ok((challenge, _)), none) => {
                self.rollback(&challenge).await;
                none?;
                Err(AuthError::SpendRefused { rule: Rule::Budget, retry_after: 1 })
            }
            (Err(refused), Ok(Some(shard))) => {
                self.release(&reservation, shard).await;
                Err(refused)
            }
            (Err(refused), _) => Err(refused),
        }
    }

    /// The message, as work that needs nothing of the request.
    fn delivery(&self, issued: &IssuedChallenge, record: SendRecord) -> Result<Delivery, SealError> {
        let App { settings, plivo, metrics, .. } = self.app;
        let life = self.now.until(issued.challenge.expires);
        let text = otp_message(settings, self.flow, self.open(&issued.challenge)?.expose(), life);
        Ok(Delivery {
            plivo: plivo.clone(),
            credentials: Arc::clone(&self.plivo),
            metrics: metrics.clone(),
            to: self.phone.e164().to_owned(),
            text: text.into(),
            record,
        })
    }

    /// Decrypts a challenge's code.
    fn open(&self, challenge: &Challenge) -> Result<OneTimeCode, SealError> {
        let sealed = challenge.code.as_deref().ok_or(SealError)?;
        self.keys.open_code(sealed, &challenge.id).map(OneTimeCode::from)
    }

    /// Messages count for a day, and so do the wrong codes that can be entered until the code expires.
    fn phone_expires(&self) -> Timestamp {
        self.now.plus(self.app.settings.code_life).plus(Limit::CodeMessagesPerDay.rule().window)
    }

    /// Uncounts a start whose message was not sent.
    async fn rollback(&self, issued: &IssuedChallenge) {
        let phones = &self.app.store.phones;
        let rolled_back = async {
            let record = phones.get(self.items.phone).await?;
            let decide = |record: &mut PhoneRecord| {
                challenge::rollback(record, self.flow, issued, self.now);
                Ok::<_, Infallible>(())
            };
            let Ok(_) = phones.update(self.items.phone, record, self.phone_expires(), decide).await?;
            Ok::<_, StoreError>(())
        };
        if let Err(error) = rolled_back.await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted");
        }
    }

    /// Gives money back that was reserved for nothing.
    async fn release(&self, reservation: &Reservation, shard: usize) {
        let counters = &self.app.store.counters;
        if let Err(error) = counters.release(CounterKey::Shard(shard), &reservation.additions, self.now).await {
            tracing::warn!(cause = logging::chain(&error), "money for a message that is not sent stays reserved");
        }
    }
}

impl Issued<'_> {
    /// Sends in the background after the answer, which is the challenge's id. Nobody is told a failure, nor, by the time it takes, what is
    /// known of the phone.
    fn send_after_answer(self) -> String {
        let Self { start, challenge, delivery, .. } = self;
        start.app.background.spawn(async move {
            if let Err(error) = delivery.send_after_answer().await {
                tracing::error!(cause = logging::chain(&error), "code message not sent, the caller is not told");
            }
        });
        challenge.challenge.id
    }

    /// Sends, and reports a failure; returns the challenge's id. A message that surely did not go out counts against no phone, budget, country
    /// or prefix: that tells nobody anything, since here every phone gets one, or is suppressed whoever has it.
    async fn send(self, state: &StartState) -> Result<String, AuthError> {
        let Self { start, challenge, delivery, reservation, shard } = self;
        let (outcome, is_counted) = delivery.send().await;
        let was_not_sent = outcome.as_ref().is_err_and(|error| !error.may_have_arrived());
        let rolled_back = async {
            if was_not_sent {
                let prefix = async {
                    if is_counted {
                        delivery.record.rollback().await;
                    }
                };
                tokio::join!(start.rollback(&challenge), start.release(&reservation, shard), prefix);
            }
        };
        let failures: Option<Failures> = state.status.failures;
        let recorded = circuit_breaker::record(&start.app.store.controls, failures, &outcome, start.now);
        tokio::join!(recorded, rolled_back);
        outcome?;
        Ok(challenge.challenge.id)
    }
}
