//! What became of a code, for the app that asked for it: queued, sent, delivered, failed or unknown, and when another may be asked for.
//!
//! It tells no more than a start does. An id is as hard to guess as a session's token, and whoever has one can ask. What is told of a message that
//! was not sent is simulated from a keyed hash (`delivery_timeline`). Every other id, whatever is wrong with it, is one refusal after the same
//! reads.

use std::time::Duration;

use super::AuthError;
use super::challenge::{self, ChallengeRequest, NewSend};
use super::challenge_id::ChallengeId;
use super::delivery_timeline::{Ending, LastEnding, ToldState, decoy_ending, told};
use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::Keys;
use crate::flow::Flow;
use crate::plivo::message_error::FailureReason;
use crate::store::{Challenge, ChallengeKey, Channel, CodeSend, PhoneKey, PhoneRecord};

/// After this long without a final report, none is expected of a message any more.
const REPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The state of its last message.
    pub state: ToldState,
    /// How it went.
    pub channel: Channel,
    /// Why it failed, if it did.
    pub reason: Option<FailureReason>,
    /// When the phone's limits admit the next start of this flow.
    pub retry_at: Timestamp,
    /// Whether a start may ask for a call that reads the code.
    pub voice: bool,
    /// From then on the code is refused.
    pub expires: Timestamp,
}

impl Status {
    /// The state in words for a person.
    pub const fn message(&self) -> &'static str {
        match (self.state, self.reason) {
            (_, Some(reason)) => reason.message(),
            (ToldState::Queued, _) => "Your code is about to be sent.",
            (ToldState::Sent, _) => "Your code is on its way.",
            (ToldState::Delivered, _) => "Your code has been delivered.",
            (ToldState::Failed, _) => FailureReason::NotDelivered.message(),
            (ToldState::Unknown, _) => "Nobody knows whether your code has arrived. If it has not, ask for a new one.",
        }
    }
}

/// What became of the code of the challenge with this id.
///
/// # Errors
/// [`AuthError::ChallengeNotFound`] for any other text; storage.
pub async fn status(app: &App, id: &str) -> Result<Status, AuthError> {
    // All answers are padded: an item that exists takes longer to read.
    app.padding.arrival().padded(find(app, id)).await
}

async fn find(app: &App, id: &str) -> Result<Status, AuthError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let id = ChallengeId::parse(id);
    let opened = id.map(|id| id.open(&keys)).unwrap_or_default();
    // As many reads for a text that is no id.
    for place in 0..keys.ephemeral().count() {
        let (phone, key) = opened.get(place).copied().unwrap_or((PhoneKey([0; 8]), Flow::Login.into()));
        let record = app.store.phones.get(phone).await?;
        let challenge = record.challenges.get(&key).filter(|challenge| id.is_some_and(|id| id.text() == challenge.id));
        if let Some(challenge) = challenge {
            return Ok(of(&keys, (phone, key), &record, challenge, now));
        }
    }
    Err(AuthError::ChallengeNotFound)
}

/// What is told of a phone's challenge.
fn of(
    keys: &Keys,
    (phone, key): (PhoneKey, ChallengeKey),
    record: &PhoneRecord,
    challenge: &Challenge,
    now: Timestamp,
) -> Status {
    let request = ChallengeRequest {
        key,
        user: challenge.user.as_deref(),
        is_confirmed: false,
        now,
        life: Duration::ZERO,
        test: challenge.test,
        send: NewSend::default(),
    };
    let id = challenge.send.as_deref().unwrap_or_default();
    let send = record.sends.get(id);
    let ending = send.and_then(|send| match () {
        // Only after the right password is a call made whoever has the phone: a login or a reset calls no phone without a user, a registration or a
        // change of phone none from its sixth code of a day on. So nothing may be told of the end of another.
        () if send.channel == Channel::Voice && key.flow != Flow::SecondFactor => None,
        () if send.sent => ending(send),
        // Whoever tests an app wants to see that it works.
        () if challenge.test => decoy_ending(keys, phone, id, LastEnding::Reported(DELIVERED)),
        () => decoy_ending(keys, phone, id, last_ending(record, now)),
    });
    let life = send.map_or(Duration::ZERO, |send| send.at.until(challenge.expires));
    let passed = send.map_or(Duration::MAX, |send| send.at.until(now));
    let state = told(ending, passed, life);
    let failed = ending.and_then(|ending| ending.failed).filter(|_| state == ToldState::Failed);
    Status {
        state,
        channel: send.map_or(Channel::Sms, |send| send.channel),
        reason: failed.map(|code| reason(key.flow, code)),
        retry_at: challenge::next_start(record, &request),
        voice: send.is_some_and(|send| send.offers_call) && challenge::is_live(challenge, now),
        expires: challenge.expires,
    }
}

/// What is told of a test number's message.
const DELIVERED: Ending = Ending { after: Duration::from_secs(2), failed: None };

/// Why a message failed, as far as that may be told. Where starts send only to users, a reason would be one more thing that a decoy has to guess.
fn reason(flow: Flow, code: u16) -> FailureReason {
    match flow {
        Flow::Register | Flow::ChangePhone | Flow::SecondFactor => FailureReason::of(code),
        Flow::Login | Flow::ResetPassword => FailureReason::NotDelivered,
    }
}

/// How a message that was really sent ended, if it has.
fn ending(send: &CodeSend) -> Option<Ending> {
    let state = send.delivery.state().filter(|state| state.is_final())?;
    let failure = send.delivery.failure().filter(|_| state.is_failure());
    let at = failure.map_or_else(|| send.delivery.parts.values().map(|part| part.at).max(), |part| Some(part.at))?;
    let code = |error: &Option<String>| error.as_deref().and_then(|error| error.parse().ok()).unwrap_or_default();
    Some(Ending { after: send.at.until(at), failed: failure.map(|part| code(&part.error)) })
}

/// How the last message that was really sent to a phone ended. One about which it is too early to say does not count.
fn last_ending(record: &PhoneRecord, now: Timestamp) -> LastEnding {
    // How a call ended says nothing about messages.
    let of_message = |send: &&CodeSend| send.sent && send.channel == Channel::Sms;
    let mut sent: Vec<_> = record.sends.values().filter(of_message).collect();
    sent.sort_unstable_by_key(|send| std::cmp::Reverse(send.at));
    let told = sent.into_iter().find_map(|send| match ending(send) {
        Some(ending) => Some(LastEnding::Reported(ending)),
        None => (send.at.until(now) >= REPORT_TIMEOUT).then_some(LastEnding::Unreported),
    });
    told.unwrap_or(LastEnding::Unknown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{Delivery, DeliveryState, Part};

    const PHONE: PhoneKey = PhoneKey([1; 8]);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    fn keys() -> Keys {
        Keys::derive(&"0123456789abcdef".repeat(2).into()).unwrap()
    }

    fn send(at: Timestamp, sent: bool, report: Option<(DeliveryState, Timestamp, &str)>) -> CodeSend {
        let part = |(state, at, error): (DeliveryState, Timestamp, &str)| {
            let error = Some(error.to_owned()).filter(|error| !error.is_empty());
            ("1".to_owned(), Part { uuid: "uuid".to_owned(), state, sequence: 3, error, carrier: None, at })
        };
        let parts: BTreeMap<_, _> = report.map(part).into_iter().collect();
        let delivery = Delivery { parts, part_count: Some(1) };
        CodeSend { at, flow: Flow::Login, channel: Channel::Sms, sent, offers_call: false, call: None, delivery }
    }

    /// A challenge that was started at 0 and expires at 300, and its record with one send.
    fn record(flow: Flow, send: CodeSend) -> (PhoneRecord, Challenge) {
        let challenge = Challenge {
            id: "id".to_owned(),
            code: Some("sealed".to_owned()),
            expires: at(300),
            max_attempts: 5,
            attempts: BTreeMap::new(),
            redeemed_by: None,
            user: None,
            send: Some("send".to_owned()),
            test: false,
        };
        let mut record = PhoneRecord::default();
        record.sends.insert("send".to_owned(), send);
        record.challenges.insert(flow.into(), challenge.clone());
        (record, challenge)
    }

    fn told_of(flow: Flow, sent: CodeSend, now: u64) -> (ToldState, Option<FailureReason>) {
        let (record, challenge) = record(flow, sent);
        let status = of(&keys(), (PHONE, flow.into()), &record, &challenge, at(now));
        (status.state, status.reason)
    }

    #[test]
    fn why_a_message_failed_is_told_only_where_every_phone_gets_one() {
        let failed = || send(at(0), true, Some((DeliveryState::Undelivered, at(1), "200")));
        for flow in Flow::ALL {
            let quiet = matches!(flow, Flow::Login | Flow::ResetPassword);
            let reason = if quiet { FailureReason::NotDelivered } else { FailureReason::OptedOut };
            assert_eq!(told_of(flow, failed(), 4), (ToldState::Queued, None), "not before its step ends");
            assert_eq!(told_of(flow, failed(), 5), (ToldState::Failed, Some(reason)), "{flow:?}");
        }
    }

    #[test]
    fn a_message_without_a_final_report_is_sent_and_then_unknown() {
        for report in [None, Some((DeliveryState::Sent, at(1), ""))] {
            for (now, state) in
                [(0, ToldState::Queued), (5, ToldState::Sent), (299, ToldState::Sent), (300, ToldState::Unknown)]
            {
                assert_eq!(told_of(Flow::Login, send(at(0), true, report), now), (state, None), "{now}");
            }
        }
        let late = send(at(0), true, Some((DeliveryState::Delivered, at(301), "")));
        assert_eq!(told_of(Flow::Login, late, 400), (ToldState::Unknown, None));
    }

    /// What follows a message that was really sent, by what became of it.
    #[test]
    fn a_decoy_repeats_what_became_of_the_phone_s_last_message() {
        let story = |earlier: Option<CodeSend>, flow| -> Vec<_> {
            let (mut record, challenge) = record(flow, send(at(1000), false, None));
            record.sends.extend(earlier.map(|send| ("earlier".to_owned(), send)));
            let challenge = Challenge { expires: at(1300), ..challenge };
            let of = |now: u64| of(&keys(), (PHONE, flow.into()), &record, &challenge, at(1000 + now));
            [0, 5, 299, 300].into_iter().map(|now| (of(now).state, of(now).reason)).collect()
        };
        use ToldState::{Delivered, Failed, Queued, Sent, Unknown};
        let earlier = |report| Some(send(at(100), true, report));
        let delivered = story(earlier(Some((DeliveryState::Delivered, at(102), ""))), Flow::Login);
        assert_eq!(delivered, [(Queued, None), (Delivered, None), (Delivered, None), (Delivered, None)]);
        assert_eq!(story(earlier(None), Flow::Login), [(Queued, None), (Sent, None), (Sent, None), (Unknown, None)]);
        for (flow, reason) in [(Flow::Login, FailureReason::NotDelivered), (Flow::Register, FailureReason::Unreachable)]
        {
            let failed = story(earlier(Some((DeliveryState::Failed, at(102), "80"))), flow);
            assert_eq!(failed[1..], [(Failed, Some(reason)); 3]);
        }
    }

    #[test]
    fn a_message_that_may_still_be_reported_says_nothing_about_the_next() {
        let (mut record, _) = record(Flow::Register, send(at(0), true, None));
        assert_eq!(last_ending(&record, at(59)), LastEnding::Unknown);
        assert_eq!(last_ending(&record, at(60)), LastEnding::Unreported);
        record.sends.insert("decoy".to_owned(), send(at(50), false, None));
        let before = send(Timestamp::from_millis(-9000), true, Some((DeliveryState::Delivered, at(0), "")));
        record.sends.insert("before".to_owned(), before);
        let ended = LastEnding::Reported(Ending { after: Duration::from_secs(9), failed: None });
        assert_eq!(last_ending(&record, at(59)), ended, "but one before it does");
    }

    #[test]
    fn a_test_number_s_message_is_always_delivered_in_the_first_step() {
        let (record, challenge) = record(Flow::Login, send(at(0), false, None));
        let challenge = Challenge { test: true, ..challenge };
        for phone in 0..1000_u64 {
            let phone = PhoneKey(phone.to_be_bytes());
            let status = of(&keys(), (phone, Flow::Login.into()), &record, &challenge, at(5));
            assert_eq!(status.state, ToldState::Delivered);
        }
    }

    #[test]
    fn the_next_start_is_when_the_phone_s_limits_admit_one() {
        let (mut record, challenge) = record(Flow::Login, send(at(0), true, None));
        let retry_at =
            |record: &PhoneRecord, now| of(&keys(), (PHONE, Flow::Login.into()), record, &challenge, at(now)).retry_at;
        assert_eq!(retry_at(&record, 7), at(7), "at once");
        record.shared.without_password.starts = vec![at(0)];
        assert_eq!((retry_at(&record, 7), retry_at(&record, 40)), (at(30), at(40)));
        record.shared.without_password.starts = vec![at(0); 10];
        assert_eq!(retry_at(&record, 7), at(86_400));
    }
}
