//! What became of a code, for the app that asked for it: queued, sent, delivered, failed or unknown, and when another may be asked for.
//!
//! It tells no more than a start does. An id is as hard to guess as a session's token, and whoever has one can ask. What Plivo reported is told only
//! where every phone gets such a message (a registration, a change of phone), after the right password, and to the phone's own device. Of all other
//! starts the state follows from the time alone, so it is the same whether a message was sent or not: some carriers report nothing, and Plivo may
//! refuse a message, so any story about one that was not sent would differ from the truth about one that was. Every other id, whatever is
//! wrong with it, is one refusal after the same reads.

use std::time::Duration;

use strum::IntoStaticStr;

use super::AuthError;
use super::challenge::{self, ChallengeRequest, NewSend};
use super::challenge_id::ChallengeId;
use crate::app::App;
use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::plivo::message_error::FailureReason;
use crate::store::{Challenge, ChallengeKey, Channel, CodeSend, DeliveryState, PhoneKey, PhoneRecord};

/// For so long, a message of which nothing is known is queued; then it is sent.
const QUEUED_FOR: Duration = Duration::from_secs(5);

/// The state of a code's last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CodeState {
    /// It is about to be sent.
    Queued,
    /// It is on its way.
    Sent,
    /// The phone has it.
    Delivered,
    /// The phone will not get it.
    Failed,
    /// The code has expired, and nobody knows whether it has arrived.
    Unknown,
}

impl CodeState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What became of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The state of its last message.
    pub state: CodeState,
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
            (CodeState::Queued, _) => "Your code is about to be sent.",
            (CodeState::Sent, _) => "Your code is on its way.",
            (CodeState::Delivered, _) => "Your code has been delivered.",
            (CodeState::Failed, _) => FailureReason::NotDelivered.message(),
            (CodeState::Unknown, _) => "Nobody knows whether your code has arrived. If it has not, ask for a new one.",
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
            return Ok(of(key, &record, challenge, now));
        }
    }
    Err(AuthError::ChallengeNotFound)
}

/// The status of a phone's challenge.
fn of(key: ChallengeKey, record: &PhoneRecord, challenge: &Challenge, now: Timestamp) -> Status {
    let request = ChallengeRequest {
        key,
        user: challenge.user.as_deref(),
        is_confirmed: false,
        now,
        life: Duration::ZERO,
        test: challenge.test,
        send: NewSend::default(),
    };
    let send = challenge.send.as_deref().and_then(|id| record.sends.get(id));
    let (state, reason) = send.map_or((CodeState::Unknown, None), |send| state(send, challenge, now));
    Status {
        state,
        channel: send.map_or(Channel::Sms, |send| send.channel),
        reason,
        retry_at: challenge::next_start(record, &request),
        voice: send.is_some_and(|send| send.offers_call) && challenge::is_live(challenge, now),
        expires: challenge.expires,
    }
}

fn state(send: &CodeSend, challenge: &Challenge, now: Timestamp) -> (CodeState, Option<FailureReason>) {
    let by_time = match () {
        () if challenge.expires <= now => CodeState::Unknown,
        () if send.at.until(now) < QUEUED_FOR => CodeState::Queued,
        () => CodeState::Sent,
    };
    let state = match send.delivery.state().filter(|_| send.tells_state) {
        Some(DeliveryState::Delivered) => CodeState::Delivered,
        Some(state) if state.is_failure() => CodeState::Failed,
        Some(DeliveryState::Sent) if by_time == CodeState::Queued => CodeState::Sent,
        // Whoever tests an app wants to see that it works.
        None if send.tells_state && challenge.test && by_time != CodeState::Queued => CodeState::Delivered,
        _ => by_time,
    };
    let error = || send.delivery.failure().and_then(|part| part.error.as_deref()?.parse().ok()).unwrap_or_default();
    (state, (state == CodeState::Failed).then(|| FailureReason::of(error())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{Delivery, Part};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    fn send(tells_state: bool, report: Option<(DeliveryState, &str)>) -> CodeSend {
        let part = |(state, error): (DeliveryState, &str)| {
            let error = Some(error.to_owned()).filter(|error| !error.is_empty());
            ("1".to_owned(), Part { uuid: "uuid".to_owned(), state, sequence: 3, error, carrier: None, at: at(1) })
        };
        let delivery = Delivery { parts: report.map(part).into_iter().collect(), part_count: Some(1) };
        let (flow, channel, sent) = (Flow::Register, Channel::Sms, true);
        CodeSend { at: at(0), flow, channel, sent, tells_state, offers_call: false, call: None, delivery }
    }

    /// A challenge that was started at 0 and expires at 300.
    fn challenge(test: bool) -> Challenge {
        Challenge {
            id: "id".to_owned(),
            code: Some("sealed".to_owned()),
            expires: at(300),
            max_attempts: 5,
            attempts: BTreeMap::new(),
            redeemed_by: None,
            user: None,
            send: Some("send".to_owned()),
            test,
        }
    }

    fn story(send: &CodeSend, test: bool) -> [CodeState; 4] {
        [0, 5, 299, 300].map(|now| state(send, &challenge(test), at(now)).0)
    }

    use CodeState::{Delivered, Failed, Queued, Sent, Unknown};

    #[test]
    fn where_nothing_may_be_told_the_state_follows_from_the_time() {
        use DeliveryState as State;
        for report in [None, Some((State::Delivered, "")), Some((State::Failed, "200")), Some((State::Sent, ""))] {
            for test in [false, true] {
                let send = send(false, report);
                assert_eq!(story(&send, test), [Queued, Sent, Sent, Unknown]);
                assert_eq!(state(&send, &challenge(test), at(7)).1, None);
            }
        }
    }

    #[test]
    fn elsewhere_plivo_s_reports_are_told_with_the_reason() {
        use DeliveryState as State;
        for (report, expected) in [
            (None, [Queued, Sent, Sent, Unknown]),
            (Some((State::Queued, "")), [Queued, Sent, Sent, Unknown]),
            (Some((State::Sent, "")), [Sent, Sent, Sent, Unknown]),
            (Some((State::Delivered, "")), [Delivered; 4]),
            (Some((State::Undelivered, "200")), [Failed; 4]),
        ] {
            assert_eq!(story(&send(true, report), false), expected, "{report:?}");
        }
        let failed = send(true, Some((State::Failed, "200")));
        assert_eq!(state(&failed, &challenge(false), at(0)).1, Some(FailureReason::OptedOut));
        let failed = send(true, Some((State::Failed, "")));
        assert_eq!(state(&failed, &challenge(false), at(0)).1, Some(FailureReason::NotDelivered));
        assert_eq!(story(&send(true, None), true), [Queued, Delivered, Delivered, Delivered], "a test number's");
    }

    #[test]
    fn the_next_start_is_when_the_phone_s_limits_admit_one() {
        let mut record = PhoneRecord::default();
        record.sends.insert("send".to_owned(), send(false, None));
        let retry_at = |record: &PhoneRecord, now| of(Flow::Login.into(), record, &challenge(false), at(now)).retry_at;
        assert_eq!(retry_at(&record, 7), at(7), "at once");
        record.shared.without_password.starts = vec![at(0)];
        assert_eq!((retry_at(&record, 7), retry_at(&record, 40)), (at(30), at(40)));
        record.shared.without_password.starts = vec![at(0); 10];
        assert_eq!(retry_at(&record, 7), at(86_400));
    }
}
