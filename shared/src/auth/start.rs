//! How a flow starts: a code goes to a phone. Each flow is one pipeline:
//!
//! 1. read what is known about the phone, the client, the budgets and Plivo, in one call; a start that is refused by it has written nothing
//!    but an event for the operator, after the answer (`store::PhoneEvent`);
//! 2. count the client's start (and the attempt of a password, before it is compared); if its network is over the limit or the number is suspended,
//!    a captcha lets it pass, where one is set up;
//! 3. decide by budget and volume whether the message goes out;
//! 4. issue the challenge: write the phone's item, which counts the message, and reserve its cost in parallel;
//! 5. send the message: in parallel with the decision log and the prefix's count; or, after the answer, when these two are written.
//!
//! Each write that limits or pays for a send is conditional. So whatever fails midway or races, no start sends two messages, and no message is sent that the
//! limits have not counted. If no message goes out, the same calls are made. They count the start all the same, and
//! no money.
//!
//! **The message of a passwordless login or a password reset goes out after the answer.** Its client never learns what Plivo says and does not wait
//! for it, so the time of a message cannot reveal who is a user. The same holds for a registration or a change of phone if an unconfirmed phone
//! would get no further message today. All other starts wait for Plivo and report a message that failed. Where no message goes out, a call to Plivo that sends nothing
//! stands in for it: a decoy.
//!
//! **A call** that reads the code takes the place of the message where the client asks for one, calls are on, and the code has gone by SMS before.
//! All else is the same, but for the price. What it says, Plivo asks for once somebody answers (`voice`).
//!
//! **A test number** has a fixed code: its decision is [`Outcome::Test`], which reserves, counts and sends nothing (`test_number`).
//!
//! **All answers and refusals are padded** (`response_padding`), so that their time does not reveal what was found in storage.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use phone_number::PhoneNumber;
use secrecy::{ExposeSecret as _, SecretString};

use super::challenge::{self, Admitted, ChallengeRequest, IssuedChallenge, NewChallenge, NewSend};
use super::challenge_id::ChallengeId;
use super::email::Email;
use super::limits::{Limit, Limited};
use super::otp::OneTimeCode;
use super::otp_message::otp_message;
use super::password::Password;
use super::password_throttle::Guesser;
use super::test_number::{self, ListedPhone};
use super::{
    AuthError, Requester, admission, captcha_check, circuit_breaker, client_limits, device, guessing, password_throttle,
};
use crate::app::App;
use crate::aws::secrets::PlivoCredentials;
use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::config::TestNumber;
use crate::crypto::{KeyedHash, Keys, SealError};
use crate::flow::Flow;
use crate::hints::{Hint, MessageOutcome, NotSentReason, PasswordRejection};
use crate::language::Language;
use crate::logging;
use crate::messaging::sms_encoding;
use crate::metrics::Metric;
use crate::plivo::{Call, Message, PlivoError};
use crate::spend::budget::{Window, shards_of};
use crate::spend::counter::{Addition, Field, volume_scope};
use crate::spend::kill_switch;
use crate::spend::pumping::{Decision, Outcome, Rule};
use crate::spend::reservation::Reservation;
use crate::spend::{Decided, SpendRequest, retry_after};
use crate::store::{
    Challenge, ChallengeKey, ClientKey, ClientRecord, CounterKey, DecisionLogEntry, PhoneAction, PhoneEvent, PhoneKey,
    PhoneRecord, SendId, StartKeys, StartState, StoreError, is_new_refusal,
};

/// Starts a registration: sends a code to the phone, whether or not it has a user. Only whoever can read the code learns whether it has one.
/// Returns the challenge's id.
///
/// # Errors
/// [`AuthError`]: limits, spend rules, Plivo's failures, storage.
pub async fn registration(app: &Arc<App>, phone: &PhoneNumber, requester: &Requester) -> Result<String, AuthError> {
    start_unconfirmed(app, (Flow::Register, None), phone, requester).await
}

/// Who changes the phone.
#[derive(Debug, Clone, Copy)]
pub struct Changing<'a> {
    /// The user's objectId.
    pub user: &'a str,
    /// Whether the present phone's number is listed as a test number.
    pub is_test: bool,
}

/// Starts a change of a user's phone: sends a code to the new one. The challenge is this user's. Otherwise as [`registration`].
///
/// # Errors
/// As [`registration`].
pub async fn change_of_phone(
    app: &Arc<App>,
    phone: &PhoneNumber,
    changing: Changing<'_>,
    requester: &Requester,
) -> Result<String, AuthError> {
    start_unconfirmed(app, (Flow::ChangePhone, Some(changing)), phone, requester).await
}

/// Starts a reset of a forgotten password, by phone or by e-mail address: sends a code to the user's phone. Where there is no user, it looks the same
/// and sends nothing, as a login does.
///
/// # Errors
/// As [`login`].
pub async fn reset_of_password(
    app: &Arc<App>,
    user: &ResetIdentity,
    requester: &Requester,
) -> Result<String, AuthError> {
    let pipeline = async {
        let keys = app.secrets.keys(app.clock.now()).await?;
        let start = match user {
            ResetIdentity::Phone(phone) => Start::load(app, (Flow::ResetPassword, None), phone, requester).await?,
            ResetIdentity::Email(email) => {
                let address = keys.identity(email.identity());
                let phone = phone_of(app, &address).await?;
                let is_known = phone.is_some();
                let phone = phone.map_or_else(|| decoy_phone(app), Ok)?;
                Start::load_by(app, (Flow::ResetPassword, None), &phone, Some((address, is_known)), requester).await?
            }
        };
        Ok(start.prepare().await?.send_after_answer())
    };
    app.padding.arrival().padded(pipeline).await
}

/// The phone or e-mail address that a reset was requested for.
#[derive(Debug)]
pub enum ResetIdentity {
    /// The user with this phone.
    Phone(PhoneNumber),
    /// The user with this e-mail address.
    Email(Email),
}

/// The phone of the user with this e-mail address, if SMS may go to it. As many calls whether or not there is one.
async fn phone_of(app: &App, address: &KeyedHash) -> Result<Option<PhoneNumber>, AuthError> {
    let user = app.store.users.identity_owner(address).await?;
    let profile = app.store.users.profile(user.as_deref().unwrap_or("nobody")).await?;
    let phone = profile.and_then(|profile| PhoneNumber::parse(&profile.phone, app.settings.default_country).ok());
    Ok(phone.filter(|phone| is_served(app, phone, Flow::ResetPassword)))
}

/// Whether a flow's SMS may go to a number, or it is a test number that needs none.
fn is_served(app: &App, phone: &PhoneNumber, flow: Flow) -> bool {
    let is_test = || phone.is_fictional() && app.settings.test_number(phone, app.clock.now()).is_some();
    app.settings.serves(phone.country(), flow) || is_test()
}

/// The phone's entry, if it is a test number. A start by e-mail address says whether the address is known.
fn test_entry(
    app: &App,
    phone: &PhoneNumber,
    state: &StartState,
    address_is_known: Option<bool>,
    now: Timestamp,
) -> Option<TestNumber> {
    // The made-up phone of an unknown address is none, whatever is listed.
    let entry = app.settings.test_number(phone, now).filter(|_| address_is_known != Some(false))?;
    // What came back for an e-mail address has proven whichever phone its user had then.
    let is_recent = |at: Timestamp| now < at.plus(test_number::PROVEN_FOR);
    let is_proven = address_is_known.is_none() && state.phone.last_verified.is_some_and(is_recent);
    let listed = ListedPhone { owner: state.owner.as_ref(), is_disabled: state.is_disabled, is_proven };
    test_number::is_test(entry, listed).then(|| entry.clone())
}

/// A fictitious number, so that an unknown e-mail address takes the same path.
fn decoy_phone(app: &App) -> Result<PhoneNumber, AuthError> {
    PhoneNumber::parse("+12025550100", app.settings.default_country).map_err(|_| AuthError::CountryNotServed)
}

async fn start_unconfirmed(
    app: &Arc<App>,
    of: (Flow, Option<Changing<'_>>),
    phone: &PhoneNumber,
    requester: &Requester,
) -> Result<String, AuthError> {
    let pipeline = async {
        let start = Start::load(app, of, phone, requester).await?;
        let issued = start.prepare().await?;
        if start.answers_before_sending() { Ok(issued.send_after_answer()) } else { issued.send().await }
    };
    app.padding.arrival().padded(pipeline).await
}

/// Starts a passwordless login. A phone without a user gets a challenge like any other, with the same limits, but no message. What Plivo
/// answers changes nothing, neither for this client nor for the next. Returns the challenge's id.
///
/// # Errors
/// [`AuthError`]: limits, spend rules, storage, and Plivo's failures while the circuit is open for everybody.
pub async fn login(app: &Arc<App>, phone: &PhoneNumber, requester: &Requester) -> Result<String, AuthError> {
    let pipeline = async {
        let start = Start::load(app, (Flow::Login, None), phone, requester).await?;
        Ok(start.prepare().await?.send_after_answer())
    };
    app.padding.arrival().padded(pipeline).await
}

/// Starts a login with a password: the code goes out only if the password is right. An unknown phone and a wrong password get the same
/// answer after the same work. Returns the challenge's id.
///
/// # Errors
/// [`AuthError`].
pub async fn second_factor(
    app: &Arc<App>,
    phone: &PhoneNumber,
    password: Password,
    requester: &Requester,
) -> Result<String, AuthError> {
    let arrival = app.padding.arrival();
    let pipeline = async {
        let start = Start::load(app, (Flow::SecondFactor, None), phone, requester).await?;
        let decided = async {
            let record = start.count_client_and_password().await?;
            arrival.pad().await;
            start.verify(password).await?;
            let send = start.decide_after_password(&record).await?;
            Ok((record, send))
        };
        let (record, send) = start.noting_a_refusal(decided).await?;
        start.issue(record, send).await?.send().await
    };
    arrival.padded(pipeline).await
}

/// A start, with what was known before it changed anything.
struct Start {
    app: Arc<App>,
    flow: Flow,
    phone: PhoneNumber,
    country: String,
    now: Timestamp,
    keys: Arc<Keys>,
    plivo: Arc<PlivoCredentials>,
    items: StartKeys,
    /// Who changes the phone.
    user: Option<String>,
    /// The client network's keyed hash.
    network: String,
    /// The flow, and the device that the client has shown to be the phone's.
    key: ChallengeKey,
    captcha_token: Option<SecretString>,
    language: Language,
    /// How the code goes.
    channel: Channel,
    /// Whether the next start may ask for a call.
    offers_call: bool,
    /// How many SMS segments the text takes at most; for a call, one.
    segments: i64,
    /// Whether it is for an e-mail address that no user has, whose phone is made up.
    is_unknown_address: bool,
    state: StartState,
    /// The id under which Plivo reports what became of the message.
    send_id: String,
    /// Its entry, if the phone is a test number.
    test: Option<TestNumber>,
}

/// The captcha's outcome for a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaptchaOutcome {
    /// No captcha was needed, none is set up, or its service does not answer.
    NotVerified,
    Passed,
    /// The number is suspended, and the token is missing or not good.
    Missing,
}

/// The decision about a start's message, and what it reserves and counts.
struct PlannedSend {
    /// Whether budgets and volume let the message go out.
    spend_allows: bool,
    reservation: Reservation,
    entry: DecisionLogEntry,
    /// What it counts for its number's prefix.
    prefix: [Addition; 1],
}

/// A challenge that is written and whose cost is reserved.
struct PreparedSend {
    start: Arc<Start>,
    issued: IssuedChallenge,
    planned: PlannedSend,
    shard: usize,
    text: SecretString,
}

impl Start {
    /// Reads what is known, in the same call for every flow. Kill switches refuse here.
    async fn load(
        app: &Arc<App>,
        of: (Flow, Option<Changing<'_>>),
        phone: &PhoneNumber,
        requester: &Requester,
    ) -> Result<Arc<Self>, AuthError> {
        if !is_served(app, phone, of.0) {
            return Err(AuthError::CountryNotServed);
        }
        Self::load_by(app, of, phone, None, requester).await
    }

    /// The same, for a user who is known by an e-mail address, or for nobody: then limits and challenge are the address's, so that nothing tells
    /// whose phone it belongs to.
    async fn load_by(
        app: &Arc<App>,
        (flow, changing): (Flow, Option<Changing<'_>>),
        phone: &PhoneNumber,
        address: Option<(KeyedHash, bool)>,
        requester: &Requester,
    ) -> Result<Arc<Self>, AuthError> {
        logging::record_phone(phone);
        let now = app.clock.now();
        let (keys, plivo) = tokio::try_join!(app.secrets.keys(now), app.secrets.plivo(now))?;
        let client = keys.client(requester.network.as_str());
        let address_is_known = address.as_ref().map(|(_, is_known)| *is_known);
        let items = start_keys(&keys, phone, address, &client, app.settings.spend.shards);
        let state = app.store.load_start_state(&items, now).await?;
        app.store.users.compare_root_key(&keys)?;
        let is_on = admission::check_kill_switches(&state.status, flow, phone.country());
        // Nobody becomes a test user, whom others can be, by a fixed code alone.
        let may_be_test = changing.is_none_or(|changing| changing.is_test);
        let test = test_entry(app, phone, &state, address_is_known, now).filter(|_| may_be_test);
        // A fixed code is guessed under everybody's limits: a device has none of them.
        let is_for_devices = flow.is_for_confirmed_phones() && test.is_none();
        let token = requester.device_token.as_ref().filter(|_| is_for_devices);
        let find = |token: &SecretString| {
            device::find(&keys, &app.settings.app_id, (items.phone, &state.phone), token.expose_secret(), now)
        };
        let key = ChallengeKey { flow, device: token.and_then(find) };
        let send_id = SendId::new(&keys, items.phone).text();
        let (app, phone, country) = (Arc::clone(app), phone.clone(), phone.country().code());
        let (network, captcha_token) = (client.short_text(), requester.captcha_token.clone());
        let user = changing.map(|changing| changing.user.to_owned());
        let mut start = Self {
            app,
            flow,
            phone,
            country,
            now,
            keys,
            plivo,
            items,
            user,
            network,
            key,
            captcha_token,
            language: requester.language,
            channel: Channel::Sms,
            offers_call: false,
            segments: 1,
            is_unknown_address: address_is_known == Some(false),
            state,
            send_id,
            test,
        };
        start.choose_channel(requester.channel, address_is_known.is_some());
        start.segments = start.longest_segments();
        let start = Arc::new(start);
        start.noting_a_refusal(async { is_on }).await?;
        Ok(start)
    }

    /// Whether a call may go to this number now.
    fn may_call(&self) -> bool {
        let (settings, country) = (&self.app.settings, self.phone.country());
        let is_off = || self.state.status.kill_switches.stop(self.flow.as_str(), country, kill_switch::VOICE);
        settings.caller.is_some() && settings.spend.may_call(country) && self.test.is_none() && !is_off()
    }

    /// A call only where one is asked for and reads a code that has gone by SMS: whether or not it really did, which must tell nobody who is a user.
    fn choose_channel(&mut self, asked: Channel, is_by_address: bool) {
        // No answer to a start by e-mail address may depend on the country of the user's phone.
        self.offers_call = !is_by_address && self.may_call();
        let repeats =
            || challenge::repeats(&self.state.phone, &self.challenge_request(), |challenge| self.is_usable(challenge));
        if asked == Channel::Voice && self.offers_call && repeats() {
            self.channel = Channel::Voice;
        }
    }

    fn guesser(&self) -> Guesser<'_> {
        Guesser { device: self.key.device, network: &self.network }
    }

    fn code_length(&self) -> usize {
        guessing::code_length(&self.app.settings, self.state.status.wrong_codes, self.key)
    }

    /// Whether a live challenge's code can be sent again: it opens, and is as long as codes are now. Or it is the test number's. No test number's
    /// code is ever sent, nor is a sent one left to a test number.
    fn is_usable(&self, challenge: &Challenge) -> bool {
        let is_good = |code: OneTimeCode| match &self.test {
            Some(test) => test.code.expose() == code.expose(),
            None => code.expose().len() >= self.code_length(),
        };
        challenge.test == self.test.is_some() && self.open(challenge).is_ok_and(is_good)
    }

    fn challenge_request(&self) -> ChallengeRequest<'_> {
        let owner = self.state.owner.as_ref();
        let life = self.app.settings.code_life;
        ChallengeRequest {
            key: self.key,
            user: match self.flow {
                Flow::Register | Flow::ChangePhone => self.user.as_deref(),
                Flow::Login | Flow::SecondFactor | Flow::ResetPassword => owner.map(|owner| owner.user.as_str()),
            },
            is_confirmed: owner.is_some(),
            now: self.now,
            // A fixed code ends with its entry.
            life: self.test.as_ref().map_or(life, |test| life.min(self.now.until(test.end))),
            test: self.test.is_some(),
            send: NewSend {
                id: &self.send_id,
                channel: self.channel,
                language: self.language,
                tells_state: self.tells_state(),
                offers_call: self.offers_call,
            },
        }
    }

    /// Goes through all rules and issues the challenge. A start that loses a race with another of the same moment is not noted.
    async fn prepare(self: &Arc<Self>) -> Result<PreparedSend, AuthError> {
        let decided = async {
            let admitted = self.admit(&self.state.phone)?;
            let captcha = self.admit_client().await?;
            self.decide_send(&admitted, captcha)
        };
        let send = self.noting_a_refusal(decided).await?;
        self.issue(self.state.phone.clone(), send).await
    }

    /// Goes through the rules once the password was right. `record`: where it was counted as a wrong one.
    async fn decide_after_password(self: &Arc<Self>, record: &PhoneRecord) -> Result<PlannedSend, AuthError> {
        let decided = self.admit(record).and_then(|admitted| self.decide_send(&admitted, CaptchaOutcome::NotVerified));
        if decided.is_err() {
            // The password was right, so it must not stay counted as wrong, even though the start is refused.
            let forgive = |record: &mut PhoneRecord| password_throttle::forgive(record, self.guesser());
            self.adjust_wrong_passwords(record.clone(), forgive).await;
        }
        decided
    }

    /// Notes a refusal by a rule for the operator: after the answer, and the same one once an hour.
    async fn noting_a_refusal<T>(
        self: &Arc<Self>,
        pipeline: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        let result = pipeline.await;
        let Some(reason) = result.as_ref().err().and_then(AuthError::rule) else { return result };
        let refused = self.event(PhoneAction::Refused { flow: self.flow, reason: reason.to_owned() });
        if is_new_refusal(&self.state.phone.events, &refused.what, self.now) {
            let start = Arc::clone(self);
            self.app.background.spawn(async move { start.note(refused).await });
        }
        result
    }

    async fn note(&self, refused: PhoneEvent) {
        let decide = |record: &mut PhoneRecord| {
            let is_new = is_new_refusal(&record.events, &refused.what, self.now);
            is_new.then(|| record.add_event(refused.clone())).ok_or(())
        };
        if let Err(error) = self.update_phone(self.state.phone.clone(), decide).await {
            tracing::warn!(cause = logging::chain(&error), "a refusal is not noted");
        }
    }

    /// An event that this client causes now.
    fn event(&self, what: PhoneAction) -> PhoneEvent {
        PhoneEvent { at: self.now, by: PhoneEvent::by(self.key.device, &self.network), what }
    }

    /// Whether the circuit breaker and the phone's limits, as they were read, allow the start.
    fn admit(&self, record: &PhoneRecord) -> Result<Admitted, AuthError> {
        let is_usable = |challenge: &Challenge| self.is_usable(challenge);
        admission::admit_start(&self.state.status, record, &self.challenge_request(), is_usable)
    }

    /// Whether the start counts for the client network that it comes from: not that of a phone's own device, which strangers there must not hinder,
    /// and not that for a test number.
    fn counts_for_client(&self) -> bool {
        self.key.device.is_none() && self.test.is_none()
    }

    /// Counts the start for the client network.
    async fn count_client(&self) -> Result<(), AuthError> {
        if !self.counts_for_client() {
            return Ok(());
        }
        let decide = |record: &mut ClientRecord| self.count_start(record);
        let (expires, record) = (client_limits::expires(self.now), self.state.client.clone());
        self.app.store.clients.update(self.items.client, record, expires, decide).await??;
        Ok(())
    }

    /// Counts the start, or lets it pass by a captcha where its network is over the limit or the number is suspended. Returns the captcha's
    /// outcome.
    async fn admit_client(&self) -> Result<CaptchaOutcome, AuthError> {
        let passes = || captcha_check::passes(&self.app, self.captcha_token.as_ref(), self.flow.as_str(), self.now);
        let is_over_limit = self.is_over_limit();
        if is_over_limit && passes().await? {
            return Ok(CaptchaOutcome::Passed);
        }
        let is_suspended = !is_over_limit && self.decide(false).decision.is_suspension();
        let captcha = async {
            match passes().await {
                Ok(true) => Ok(CaptchaOutcome::Passed),
                Ok(false) => Ok(CaptchaOutcome::NotVerified),
                // Decided with the number, so that the demand is counted.
                Err(AuthError::CaptchaRequired) => Ok(CaptchaOutcome::Missing),
                Err(error) => Err(error),
            }
        };
        let captcha = async { if is_suspended { captcha.await } else { Ok(CaptchaOutcome::NotVerified) } };
        let (counted, captcha) = tokio::join!(self.count_client(), captcha);
        counted?;
        captcha
    }

    /// Whether the network has started as much as it may, by what was read.
    fn is_over_limit(&self) -> bool {
        self.counts_for_client() && self.count_start(&mut self.state.client.clone()).is_err()
    }

    fn count_start(&self, record: &mut ClientRecord) -> Result<(), Limited> {
        client_limits::count_start(record, self.items.phone.into(), &self.country, &self.app.settings, self.now)
    }

    /// Counts the start for the client network and, in parallel, the attempt of a password, before it is compared. If the state already read refuses
    /// either, neither is counted.
    async fn count_client_and_password(&self) -> Result<PhoneRecord, AuthError> {
        // First, so that a network that has to wait hinders no phone.
        let is_over_limit = self.is_over_limit();
        if is_over_limit {
            self.admit_client().await?;
        }
        password_throttle::count(&mut self.state.phone.clone(), self.guesser(), self.now)?;
        let decide = |record: &mut PhoneRecord| password_throttle::count(record, self.guesser(), self.now);
        let client = async { if is_over_limit { Ok(()) } else { self.count_client().await } };
        let (client, record) = tokio::join!(client, self.update_phone(self.state.phone.clone(), decide));
        let ((), record) = record??;
        if let Err(refused) = client {
            let rollback = |record: &mut PhoneRecord| password_throttle::rollback(record, self.guesser(), self.now);
            self.adjust_wrong_passwords(record, rollback).await;
            return Err(refused);
        }
        Ok(record)
    }

    /// Compares the password, with the same work whether or not there is a user.
    async fn verify(&self, password: Password) -> Result<(), AuthError> {
        let hash = self.state.owner.as_ref().and_then(|owner| owner.password.clone());
        if password.verify(&self.keys, hash).await? {
            return Ok(());
        }
        let cause = || match &self.state.owner {
            Some(owner) if owner.password.is_some() => PasswordRejection::Wrong,
            Some(_) => PasswordRejection::NoPassword,
            None if self.state.is_disabled => PasswordRejection::UserDisabled,
            None => PasswordRejection::NoUser,
        };
        let hint = || Hint::PasswordRejected { at: self.now, phone: self.phone.e164(), cause: cause() };
        self.app.hints.tell(hint);
        Err(AuthError::LoginRejected)
    }

    /// Removes attempts from the phone's wrong passwords.
    async fn adjust_wrong_passwords(&self, record: PhoneRecord, change: impl Fn(&mut PhoneRecord)) {
        if let Err(error) = self.update_phone_item(record, change).await {
            tracing::warn!(cause = logging::chain(&error), "a password stays counted as a wrong one");
        }
    }

    /// The text that brings a code.
    fn text(&self, code: &str, life: Duration) -> String {
        otp_message(&self.app.settings, (self.flow, self.language), code, life)
    }

    /// The segments of the longest text that this start can send, or one call. The price is decided before there is a code.
    fn longest_segments(&self) -> i64 {
        if self.channel == Channel::Voice {
            return 1;
        }
        let live = self.state.phone.challenges.get(&self.key).and_then(|challenge| self.open(challenge).ok());
        let length = live.map_or(0, |code| code.expose().len()).max(self.code_length());
        let code = "0".repeat(length);
        [self.app.settings.code_life, Duration::ZERO]
            .map(|life| segments(&self.text(&code, life)))
            .into_iter()
            .max()
            .unwrap_or(1)
    }

    fn spend_request(&self, captcha_passed: bool) -> SpendRequest<'_> {
        let Self { flow, country, channel, segments, now, .. } = self;
        SpendRequest { flow: *flow, country, channel: *channel, segments: *segments, now: *now, captcha_passed }
    }

    /// What budget and volume say, by what was read. They have no say about a test number.
    fn decide(&self, captcha_passed: bool) -> Decided {
        let request = self.spend_request(captcha_passed);
        let mut decided = self.app.settings.spend.decide(&request, &self.state.shards, &self.state.prefix);
        if self.test.is_some() {
            decided.decision = Decision { outcome: Outcome::Test, rule: None, window: None };
        }
        decided
    }

    /// Reserves the message's cost; for a test number, which costs nothing, from no shard.
    async fn reserve(&self, reservation: &Reservation) -> Result<Option<usize>, StoreError> {
        match self.test {
            Some(_) => Ok(self.items.shards.first().copied()),
            None => self.app.store.counters.reserve(reservation, self.now).await,
        }
    }

    /// Decides by budget and volume. Writes nothing but the log entry of a refusal, after the answer.
    fn decide_send(self: &Arc<Self>, admitted: &Admitted, captcha: CaptchaOutcome) -> Result<PlannedSend, AuthError> {
        let captcha_passed = captcha == CaptchaOutcome::Passed;
        let App { settings, metrics, .. } = &*self.app;
        let Decided { inputs, decision, percent_spent } = self.decide(captcha_passed);
        metrics.count(Metric::Budget("codes", usize::try_from(percent_spent).unwrap_or_default()), self.now);
        let spend_allows = decision.outcome == Outcome::Send;
        let is_sent = admitted.phone_allows && spend_allows;
        // A registration counts whether or not it sends: an answer that follows from a count must not depend on who is a user.
        let is_counted = is_sent || spend_allows && !self.flow.is_for_confirmed_phones();
        let reservation = Reservation::new(
            &settings.spend,
            &self.spend_request(captcha_passed),
            self.state.shards.clone(),
            is_sent,
            is_counted,
        );
        // A suspended prefix stays suspended for as long as the demand lasts.
        let is_suspended = !spend_allows && decision.rule == Some(Rule::PrefixPumping);
        let about = (self.items.phone, self.items.prefix, self.items.client);
        let entry = DecisionLogEntry::new(about, inputs, decision, is_sent);
        let (name, amount) = (Field::Sends.of(volume_scope(self.flow)), i64::from(is_counted || is_suspended));
        let prefix = [Addition { name, amount, max: None }];
        let planned = PlannedSend { spend_allows, reservation, entry, prefix };
        let Some(rule) = decision.rule else { return Ok(planned) };
        metrics.count(Metric::Suspected(rule.as_str()), self.now);
        let (name, window) = (rule.as_str(), decision.window.map(Window::as_str));
        tracing::warn!(rule = name, window, country = self.country, percent_spent, "a spend rule was triggered");
        if decision.outcome != Outcome::Refuse {
            return Ok(planned);
        }
        let start = Arc::clone(self);
        self.app.background.spawn(async move {
            start.record(&planned).await;
        });
        if captcha == CaptchaOutcome::Missing {
            return Err(AuthError::CaptchaRequired);
        }
        Err(AuthError::SpendRefused { rule, retry_after: decision.retry_after(self.now) })
    }

    /// Whether a registration answers before it sends: from the phone's sixth start of a day on, when an unconfirmed phone may get no message. Then
    /// no client learns what Plivo says.
    fn answers_before_sending(&self) -> bool {
        Limit::UnconfirmedMessagesPerDay.rule().left(&self.state.phone.shared.without_password.starts, self.now) == 0
    }

    /// Whether the status may tell what became of the message ([`CodeSend`](crate::store::CodeSend)).
    fn tells_state(&self) -> bool {
        match self.flow {
            Flow::SecondFactor => true,
            Flow::Register | Flow::ChangePhone => !self.answers_before_sending(),
            Flow::Login | Flow::ResetPassword => self.key.device.is_some(),
        }
    }

    /// Writes the challenge, which counts the message, and reserves the message's cost in parallel. If one of the two fails because another
    /// request was faster, the other is rolled back.
    async fn issue(self: &Arc<Self>, record: PhoneRecord, mut planned: PlannedSend) -> Result<PreparedSend, AuthError> {
        let id = ChallengeId::new(&self.keys, self.items.phone, self.key).text();
        let code = self.test.as_ref().map_or_else(|| OneTimeCode::draw(self.code_length()), |test| test.code.clone());
        let sealed_code = self.keys.seal_code(code.expose(), &id)?;
        let (request, new) = (self.challenge_request(), NewChallenge { id: &id, sealed_code: &sealed_code });
        let decide = |record: &mut PhoneRecord| {
            if self.flow == Flow::SecondFactor {
                password_throttle::forgive(record, self.guesser());
            }
            let planned_send = planned.entry.sent;
            let issued = challenge::issue(record, &request, new, planned_send, |challenge| self.is_usable(challenge))?;
            let (flow, send, expires) = (self.flow, self.send_id.clone(), issued.challenge.expires);
            let not_sent = (!issued.will_send).then(|| self.not_sent_reason(&planned).as_str().to_owned());
            record.add_event(self.event(PhoneAction::Started { flow, send, expires, not_sent }));
            Ok::<_, Limited>(issued)
        };
        let (written, reserved) = tokio::join!(self.update_phone(record, decide), self.reserve(&planned.reservation));
        match (written.map_err(AuthError::from).and_then(|decided| Ok(decided?)), reserved) {
            (Ok((issued, _)), Ok(Some(shard))) => {
                let (code, life) = (self.open(&issued.challenge)?, self.now.until(issued.challenge.expires));
                let text = match self.channel {
                    Channel::Sms => self.text(code.expose(), life),
                    // Plivo asks for it once somebody answers.
                    Channel::Voice => String::new(),
                };
                // If a race turned a start that sends nothing into one that sends, or its code into a longer one, no money was reserved for it.
                planned.entry.sent &= issued.will_send && segments(&text) <= self.segments;
                Ok(PreparedSend { start: Arc::clone(self), issued, planned, shard, text: text.into() })
            }
            (Ok((issued, _)), none) => {
                self.rollback(&issued, Rule::Budget.as_str()).await;
                none?;
                Err(AuthError::SpendRefused { rule: Rule::Budget, retry_after: retry_after(Window::Hour, self.now) })
            }
            (Err(refused), Ok(Some(shard))) => {
                self.release(CounterKey::Shard(shard), &planned.reservation.additions).await;
                Err(refused)
            }
            (Err(refused), _) => Err(refused),
        }
    }

    /// Decrypts a challenge's code.
    fn open(&self, challenge: &Challenge) -> Result<OneTimeCode, SealError> {
        let sealed = challenge.code.as_deref().ok_or(SealError)?;
        self.keys.open_code(sealed, &challenge.id).map(OneTimeCode::from)
    }

    /// Writes the phone's item, which must last a day after the code's expiry: until then wrong codes can be entered, and they count for a day.
    async fn update_phone<T, E>(
        &self,
        record: PhoneRecord,
        decide: impl FnMut(&mut PhoneRecord) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneRecord), E>, StoreError> {
        let expires = self.now.plus(self.app.settings.code_life).plus(Limit::StartsPerDay.rule().window);
        self.app.store.phones.update(self.items.phone, record, expires, decide).await
    }

    async fn update_phone_item(
        &self,
        record: PhoneRecord,
        change: impl Fn(&mut PhoneRecord),
    ) -> Result<(), StoreError> {
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        self.update_phone(record, decide).await.map(drop)
    }

    /// Removes a start whose message was not sent from the phone's counts. `why` is kept for the operator.
    async fn rollback(&self, issued: &IssuedChallenge, why: &str) {
        let change = |record: &mut PhoneRecord| challenge::rollback(record, self.key, issued, self.now, why);
        let rolled_back =
            async { self.update_phone_item(self.app.store.phones.get(self.items.phone).await?, change).await };
        if let Err(error) = rolled_back.await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted");
        }
    }

    /// Subtracts from a counter what was added for a message that was not sent.
    async fn release(&self, counter: CounterKey, additions: &[Addition]) {
        if let Err(error) = self.app.store.counters.release(counter, additions, self.now).await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted or paid for");
        }
    }

    /// Sends the message, or makes the call, and returns Plivo's id of it, or calls Plivo as a decoy. For a test number, Plivo is not called.
    async fn call_plivo(
        &self,
        issued: &IssuedChallenge,
        entry: &DecisionLogEntry,
        text: &SecretString,
    ) -> Result<Option<String>, PlivoError> {
        let App { plivo, metrics, .. } = &*self.app;
        if self.test.is_some() {
            tracing::info!(flow = self.flow.as_str(), "a test number's start, nothing is sent");
            return Ok(None);
        }
        if !entry.sent {
            metrics.count(Metric::Decoy, self.now);
            return plivo.decoy(&self.plivo).await.map(|()| None);
        }
        match self.channel {
            Channel::Sms => self.send_message(issued, text).await,
            Channel::Voice => self.make_call().await,
        }
    }

    async fn send_message(&self, issued: &IssuedChallenge, text: &SecretString) -> Result<Option<String>, PlivoError> {
        let App { plivo, metrics, settings, .. } = &*self.app;
        let callback = format!("codes/{}", self.send_id);
        let message = Message {
            to: self.phone.e164(),
            text: text.expose_secret(),
            media: &[],
            keep_text: false,
            callback: &callback,
            // A code that comes after its end is of no use.
            expiry: Some(self.now.until(issued.challenge.expires)),
        };
        let outcome = plivo.send(&self.plivo, message).await.map(|accepted| accepted.message_uuid.into_iter().next());
        let price = settings.spend.price(&self.country, Channel::Sms) * segments(message.text);
        metrics.count_send(self.flow.as_str(), message, price, outcome.as_ref().err(), self.now);
        outcome
    }

    async fn make_call(&self) -> Result<Option<String>, PlivoError> {
        let App { plivo, metrics, settings, .. } = &*self.app;
        let callback = format!("calls/{}", self.send_id);
        let from = settings.caller.as_deref().unwrap_or_default();
        let call = Call { from, to: self.phone.e164(), callback: &callback };
        let outcome = plivo.call(&self.plivo, call).await.map(|accepted| Some(accepted.request_uuid));
        let price = settings.spend.price(&self.country, Channel::Voice);
        metrics.count_call(self.flow.as_str(), price, outcome.as_ref().err(), self.now);
        outcome
    }

    /// Tells what became of the message.
    fn tell(&self, issued: &IssuedChallenge, planned: &PlannedSend, outcome: &Result<Option<String>, PlivoError>) {
        let message = || match outcome {
            _ if !planned.entry.sent => MessageOutcome::NotSent(self.not_sent_reason(planned)),
            Ok(uuid) => MessageOutcome::Sent(uuid.as_deref()),
            Err(error) if error.may_have_arrived() => MessageOutcome::Unknown(logging::chain(error)),
            Err(error) => MessageOutcome::Failed(logging::chain(error)),
        };
        self.app.hints.tell(|| Hint::Started {
            at: self.now,
            flow: self.flow,
            phone: (!self.is_unknown_address).then(|| self.phone.e164()),
            challenge: &issued.challenge.id,
            expires: issued.challenge.expires,
            is_repeated: issued.is_repeated,
            message: message(),
        });
    }

    /// Why no message was to go out.
    fn not_sent_reason(&self, planned: &PlannedSend) -> NotSentReason {
        let is_unconfirmed = self.state.owner.is_none();
        match planned.entry.decision.rule {
            _ if self.is_unknown_address => NotSentReason::UnknownAddress,
            _ if self.test.is_some() => NotSentReason::TestNumber,
            _ if is_unconfirmed && self.flow.is_for_confirmed_phones() && self.state.is_disabled => {
                NotSentReason::UserDisabled
            }
            _ if is_unconfirmed && self.flow.is_for_confirmed_phones() => NotSentReason::NoUser,
            Some(rule) if !planned.spend_allows => NotSentReason::Suppressed(rule),
            _ if is_unconfirmed => NotSentReason::UnconfirmedLimit,
            _ => NotSentReason::Race,
        }
    }

    /// Writes the decision log and counts the message for its prefix; returns whether it is counted. A failure is logged and changes nothing.
    async fn record(&self, planned: &PlannedSend) -> bool {
        let (prefix, counter) = (CounterKey::Prefix(self.items.prefix), self.state.prefix.clone());
        let (logged, counted) = tokio::join!(
            self.app.store.decision_log.add(&planned.entry),
            self.app.store.counters.add(prefix, counter, &planned.prefix, self.now)
        );
        if let Err(error) = logged {
            tracing::warn!(cause = logging::chain(&error), "a decision is not logged");
        }
        counted.unwrap_or_else(|error| {
            tracing::warn!(cause = logging::chain(&error), "a message is not counted for its prefix");
            false
        })
    }
}

/// Where what is known about a start stands. `address`: the e-mail address that it is for, if any, and whether a user has it.
fn start_keys(
    keys: &Keys,
    phone: &PhoneNumber,
    address: Option<(KeyedHash, bool)>,
    client: &KeyedHash,
    shards: usize,
) -> StartKeys {
    let owner = keys.phone(phone.e164());
    let (item, owner) = match address {
        None => (PhoneKey(owner.short()), owner),
        Some((address, is_known)) => (PhoneKey(address.short()), if is_known { owner } else { address }),
    };
    StartKeys {
        phone: item,
        prefix: keys.prefix(phone.prefix()).short(),
        client: ClientKey(client.short()),
        shards: shards_of(item.0, shards),
        phone_hash: owner,
    }
}

fn segments(text: &str) -> i64 {
    i64::try_from(sms_encoding::segments(text)).unwrap_or(i64::MAX)
}

impl PreparedSend {
    /// Returns the answer, the challenge's id, and sends in the background after it, so that neither a failure nor the time reveals what is
    /// known about the phone. Plivo comes last: a message is more work than a decoy, and on one processor that work
    /// could delay an answer that is still on its way. What comes first is the same for all phones.
    fn send_after_answer(self) -> String {
        let Self { start, issued, planned, text, .. } = self;
        let id = issued.challenge.id.clone();
        Arc::clone(&start).app.background.spawn(async move {
            start.record(&planned).await;
            let outcome = start.call_plivo(&issued, &planned.entry, &text).await;
            start.tell(&issued, &planned, &outcome);
            if let Err(error) = outcome {
                tracing::error!(cause = logging::chain(&error), "code message not sent, the client is not told");
            }
        });
        id
    }

    /// Sends, reports a failure, and returns the challenge's id. A message that certainly did not go out counts against no phone, budget, country
    /// or prefix. That reveals nothing, since in these flows a message is sent or suppressed whether or not the phone has a user.
    async fn send(self) -> Result<String, AuthError> {
        if self.start.test.is_some() {
            // Nothing is sent that could fail, or show that Plivo is there.
            return Ok(self.send_after_answer());
        }
        let Self { start, issued, planned, shard, text } = self;
        let (outcome, is_counted) =
            tokio::join!(start.call_plivo(&issued, &planned.entry, &text), start.record(&planned));
        let failure = outcome.as_ref().err().filter(|error| !error.may_have_arrived());
        let rolled_back = async {
            if let Some(failure) = failure {
                let prefix = async {
                    if is_counted && planned.entry.decision.outcome == Outcome::Send {
                        start.release(CounterKey::Prefix(start.items.prefix), &planned.prefix).await;
                    }
                };
                let money = start.release(CounterKey::Shard(shard), &planned.reservation.additions);
                tokio::join!(start.rollback(&issued, failure.as_str()), money, prefix);
            }
        };
        let (controls, failures) = (&start.app.store.controls, start.state.status.failures.as_ref());
        let prefix = planned.entry.prefix.clone();
        let recorded = async {
            // A number that cannot call must not stop SMS.
            if start.channel == Channel::Sms {
                circuit_breaker::record(controls, failures, prefix, &outcome, start.now).await;
            }
        };
        tokio::join!(recorded, rolled_back);
        if outcome.is_ok() {
            start.tell(&issued, &planned, &outcome);
        }
        outcome?;
        Ok(issued.challenge.id)
    }
}
