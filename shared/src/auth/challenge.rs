//! How a start changes a phone's record: pure decisions on a [`PhoneRecord`], which the store then writes on condition that nobody else has
//! written it meanwhile.
//!
//! **A second start repeats the challenge.** While a challenge of the same flow is live, a start returns the same id and sends the same code
//! again; expiry and attempts stay as they are. SMS can be late and out of order: otherwise a user who starts twice and types the first code
//! that arrives would be refused. An attacker gains nothing: attempts are not renewed, and the code goes to the same phone. A flow has at most
//! one live challenge for a phone. A new one replaces one that is redeemed, expired, out of attempts, or too close to its expiry to be typed
//! in. (So a client that starts twice can tell by a changed id that somebody with the phone finished in between.)
//!
//! **Not every start sends.** A login for a phone without a user sends nothing, nor does a registration of an unconfirmed phone that has got
//! its messages for the day. Both count in the limits nevertheless, since no limit may reveal who is a user.
//!
//! **A device** of the owner's, which sent its token, has challenges and limits of its own, which nobody else can use up.
//!
//! **Wrong codes a day.** A new challenge gets as many attempts as the day's limit has left, minus those that other live challenges under the
//! same limit hold. So an attempt is a single conditional write, and no race exceeds the limit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::limits::{self, ATTEMPTS_PER_CHALLENGE, Limit, Limited, check_spacing};
use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::language::Language;
use crate::store::{CallSend, Challenge, ChallengeKey, Channel, CodeSend, Delivery, PhoneAction, PhoneRecord};

/// A code with less life than this is not sent again: its reader could not type it in time.
const USEFUL_LIFE: Duration = Duration::from_secs(60);

/// The challenge that a start asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChallengeRequest<'a> {
    /// The flow, and the device that starts it.
    pub key: ChallengeKey,
    /// Who logs in; nobody for a registration, or where the phone has no user.
    pub user: Option<&'a str>,
    /// Whether the phone has a user, so somebody has confirmed it here.
    pub is_confirmed: bool,
    pub now: Timestamp,
    /// The life of a new code.
    pub life: Duration,
    /// Whether the phone is a test number: its starts and its attempts count in no limit, and send nothing.
    pub test: bool,
    /// This start's send.
    pub send: NewSend<'a>,
}

/// How a start would bring the code.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NewSend<'a> {
    pub id: &'a str,
    /// By a call, if the code has gone by SMS before.
    pub channel: Channel,
    pub language: Language,
    /// Whether its state may be told ([`CodeSend`]).
    pub tells_state: bool,
    /// Whether the next start may ask for a call.
    pub offers_call: bool,
}

/// The id and the code of a new challenge, in case there is none to repeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewChallenge<'a> {
    pub id: &'a str,
    pub sealed_code: &'a str,
}

/// What the phone's limits allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// The live challenge to repeat; without one, the start makes a new one.
    repeated: Option<Challenge>,
    max_attempts: usize,
    /// Whether a code may go out to this phone.
    pub phone_allows: bool,
}

/// A challenge that a start has issued.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IssuedChallenge {
    pub challenge: Challenge,
    /// Whether it was live before.
    pub is_repeated: bool,
    /// The send that brought its code before this one.
    pub previous_send: Option<String>,
    /// Whether the code goes out.
    pub will_send: bool,
}

/// Admits or refuses a start by the phone's limits, and prunes the record. `is_usable` tells whether a live challenge's code can be sent
/// again: not after its key was rotated out.
pub(super) fn check_phone_limits(
    record: &mut PhoneRecord,
    request: &ChallengeRequest<'_>,
    is_usable: impl Fn(&Challenge) -> bool,
) -> Result<Admitted, Limited> {
    let ChallengeRequest { key, now, test, .. } = *request;
    close_ended(record, now);
    if !test {
        check_starts(record, key, now)?;
    }
    let enough = now.plus(USEFUL_LIFE.min(request.life / 2));
    let is_repeatable = |challenge: &Challenge| {
        challenge.expires >= enough && challenge.user.as_deref() == request.user && is_usable(challenge)
    };
    let live = record.challenges.get(&key).cloned();
    let repeated = live.clone().filter(is_repeatable);
    let max_attempts = match (&repeated, &live) {
        (Some(challenge), _) => challenge.max_attempts,
        (None, old) => {
            if let Some(old) = old {
                close(record, key, old);
            }
            if test { ATTEMPTS_PER_CHALLENGE } else { max_attempts(record, key, now)? }
        }
    };
    let has_messages = Limit::UnconfirmedMessagesPerDay.rule().left(&record.unconfirmed_sends, now) > 0;
    let phone_allows = !test && (request.is_confirmed || !key.flow.is_for_confirmed_phones() && has_messages);
    Ok(Admitted { repeated, max_attempts, phone_allows })
}

/// Issues a challenge and counts it, or refuses. `may_send`: whether a message was planned, and its money reserved.
pub(super) fn issue(
    record: &mut PhoneRecord,
    request: &ChallengeRequest<'_>,
    new: NewChallenge<'_>,
    may_send: bool,
    is_usable: impl Fn(&Challenge) -> bool,
) -> Result<IssuedChallenge, Limited> {
    let ChallengeRequest { key, now, .. } = *request;
    let admitted = check_phone_limits(record, request, is_usable)?;
    let is_repeated = admitted.repeated.is_some();
    // A race may have ended the challenge whose code the call was to read.
    let is_possible = request.send.channel == Channel::Sms || is_repeated;
    let will_send = may_send && admitted.phone_allows && is_possible;
    let mut challenge = admitted.repeated.unwrap_or_else(|| Challenge {
        id: new.id.to_owned(),
        code: Some(new.sealed_code.to_owned()),
        expires: now.plus(request.life),
        max_attempts: admitted.max_attempts,
        attempts: BTreeMap::new(),
        redeemed_by: None,
        user: request.user.map(str::to_owned),
        send: None,
        test: request.test,
    });
    let previous_send = challenge.send.replace(request.send.id.to_owned());
    record.challenges.insert(key, challenge.clone());
    if !request.test {
        record.limits(key.device).counts(key.flow).starts.push(now);
    }
    if will_send && !request.is_confirmed {
        record.unconfirmed_sends.push(now);
    }
    record.add_send(request.send.id, code_send(request, &challenge, will_send));
    Ok(IssuedChallenge { challenge, is_repeated, previous_send, will_send })
}

/// What is kept of a send.
fn code_send(request: &ChallengeRequest<'_>, challenge: &Challenge, sent: bool) -> CodeSend {
    let NewSend { channel, language, tells_state, offers_call, .. } = request.send;
    let call = (channel == Channel::Voice).then(|| CallSend {
        challenge: challenge.id.clone(),
        expires: challenge.expires,
        language: language.code().to_owned(),
        uuid: None,
    });
    let (at, flow, delivery) = (request.now, request.key.flow, Delivery::default());
    CodeSend { at, flow, channel, sent, tells_state, offers_call, call, delivery }
}

/// Whether such a start would repeat a live challenge, by the record as it was read.
pub(super) fn repeats(
    record: &PhoneRecord,
    request: &ChallengeRequest<'_>,
    is_usable: impl Fn(&Challenge) -> bool,
) -> bool {
    let admitted = check_phone_limits(&mut record.clone(), request, is_usable);
    admitted.is_ok_and(|admitted| admitted.repeated.is_some())
}

/// When the phone's limits would next admit such a start.
pub(super) fn next_start(record: &PhoneRecord, request: &ChallengeRequest<'_>) -> Timestamp {
    let admitted = check_phone_limits(&mut record.clone(), request, |_| true);
    admitted.map_or_else(|limited| limited.again, |_| request.now)
}

/// Refuses by the limits of starts.
fn check_starts(record: &mut PhoneRecord, key: ChallengeKey, now: Timestamp) -> Result<(), Limited> {
    let verified = record.last_verified;
    let starts = &record.limits(key.device).counts(key.flow).starts;
    limits::check_all([check_spacing(starts, verified, now), Limit::StartsPerDay.rule().check(starts, now)])
}

/// Undoes a start whose message did not go out, so that it counts in no limit. `why` is kept for the operator.
pub(super) fn rollback(
    record: &mut PhoneRecord,
    key: ChallengeKey,
    issued: &IssuedChallenge,
    sent: Timestamp,
    why: &str,
) {
    let remove = |times: &mut Vec<Timestamp>| {
        if let Some(position) = times.iter().rposition(|time| *time == sent) {
            times.remove(position);
        }
    };
    remove(&mut record.limits(key.device).counts(key.flow).starts);
    remove(&mut record.unconfirmed_sends);
    let failed = issued.challenge.send.as_ref();
    if let Some(send) = failed.and_then(|id| record.sends.get_mut(id)) {
        send.sent = false;
    }
    for event in &mut record.events {
        if let PhoneAction::Started { send, not_sent, .. } = &mut event.what
            && Some(&*send) == failed
        {
            *not_sent = Some(why.to_owned());
        }
    }
    let is_untouched = |challenge: &Challenge| challenge.id == issued.challenge.id && challenge.attempts.is_empty();
    if !issued.is_repeated && record.challenges.get(&key).is_some_and(is_untouched) {
        record.challenges.remove(&key);
    }
    if let Some(challenge) = record.challenges.get_mut(&key).filter(|challenge| challenge.send.as_ref() == failed) {
        challenge.send.clone_from(&issued.previous_send);
    }
}

/// Closes challenges that have ended, and prunes what no longer counts.
pub(super) fn close_ended(record: &mut PhoneRecord, now: Timestamp) {
    let ended = record.challenges.iter().filter(|(_, challenge)| !is_live(challenge, now));
    for (key, challenge) in ended.map(|(key, challenge)| (*key, challenge.clone())).collect::<Vec<_>>() {
        close(record, key, &challenge);
    }
    record.devices.retain(|_, device| device.is_known(now));
    let devices = record.devices.values_mut().map(|device| &mut device.limits);
    for limits in devices.chain([&mut record.shared]) {
        for counts in [&mut limits.without_password, &mut limits.after_password] {
            Limit::StartsPerDay.rule().prune(&mut counts.starts, now);
            Limit::WrongCodes.rule().prune(&mut counts.wrong_codes, now);
        }
    }
    Limit::UnconfirmedMessagesPerDay.rule().prune(&mut record.unconfirmed_sends, now);
}

pub(super) fn is_live(challenge: &Challenge, now: Timestamp) -> bool {
    challenge.redeemed_by.is_none() && now < challenge.expires && challenge.attempts.len() < challenge.max_attempts
}

/// Removes a challenge; its wrong codes still count, unless its code is a test number's.
fn close(record: &mut PhoneRecord, key: ChallengeKey, challenge: &Challenge) {
    record.challenges.remove(&key);
    if challenge.test {
        return;
    }
    let wrong = challenge.attempts.iter().filter(|(id, _)| challenge.redeemed_by.as_ref() != Some(id));
    let times = &mut record.limits(key.device).counts(key.flow).wrong_codes;
    times.extend(wrong.map(|(_, time)| *time));
    times.sort_unstable();
}

/// How many attempts a new challenge gets.
fn max_attempts(record: &mut PhoneRecord, key: ChallengeKey, now: Timestamp) -> Result<usize, Limited> {
    let times = record.limits(key.device).counts(key.flow).wrong_codes.clone();
    let is_after_password = |flow: Flow| flow == Flow::SecondFactor;
    let limit = if is_after_password(key.flow) { Limit::WrongCodesAfterPassword } else { Limit::WrongCodes };
    let rule = limit.rule();
    rule.check(&times, now)?;
    // Other flows under the same limit.
    let others = Flow::ALL
        .into_iter()
        .filter(|flow| *flow != key.flow && is_after_password(*flow) == is_after_password(key.flow));
    let others: Vec<_> = others.filter_map(|flow| record.challenges.get(&ChallengeKey { flow, ..key })).collect();
    let held = others.iter().map(|challenge| challenge.max_attempts).sum();
    match rule.left(&times, now).saturating_sub(held) {
        0 => Err(rule.until(now, others.iter().map(|challenge| challenge.expires).min().unwrap_or(now))),
        left => Ok(left.min(ATTEMPTS_PER_CHALLENGE)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIFE: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Duration::from_secs(seconds))
    }

    fn ask(record: &mut PhoneRecord, flow: Flow, seconds: u64) -> Result<IssuedChallenge, Limited> {
        let id = format!("{flow:?} {seconds}");
        issue_as(record, &request(flow, seconds), &id)
    }

    fn issue_as(
        record: &mut PhoneRecord,
        request: &ChallengeRequest<'_>,
        id: &str,
    ) -> Result<IssuedChallenge, Limited> {
        issue(record, request, NewChallenge { id, sealed_code: "sealed" }, true, |_| true)
    }

    /// For a phone with a user, who is not named.
    fn request(flow: Flow, seconds: u64) -> ChallengeRequest<'static> {
        let (key, now) = (flow.into(), at(seconds));
        ChallengeRequest {
            key,
            user: None,
            is_confirmed: true,
            now,
            life: LIFE,
            test: false,
            send: NewSend { id: "send", ..NewSend::default() },
        }
    }

    /// As the store's condition does it.
    fn enter(record: &mut PhoneRecord, flow: Flow, seconds: u64, count: usize) -> usize {
        let Some(challenge) = record.challenges.get_mut(&flow.into()) else { return 0 };
        let mut counted = 0;
        while counted < count && is_live(challenge, at(seconds)) {
            challenge.attempts.insert(format!("{seconds} {}", challenge.attempts.len()), at(seconds));
            counted += 1;
        }
        counted
    }

    #[test]
    fn a_second_message_waits_thirty_seconds() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Flow::Login, 0).unwrap();
        for flow in [Flow::Register, Flow::Login] {
            let limited = ask(&mut record, flow, 29).unwrap_err();
            assert_eq!((limited.rule.limit, limited.retry_after), (Limit::StartSpacing, 1));
        }
        ask(&mut record, Flow::SecondFactor, 29).unwrap();
        ask(&mut record, Flow::Login, 30).unwrap();
        let limited = ask(&mut record, Flow::Login, 60).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::StartSpacing, 30), "the wait has doubled");
    }

    #[test]
    fn an_eleventh_start_waits_a_day() {
        let mut record = PhoneRecord::default();
        for sent in 0..10 {
            ask(&mut record, Flow::Login, sent * 2000).unwrap();
        }
        let limited = ask(&mut record, Flow::Register, 20_000).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::StartsPerDay, 86_400 - 20_000));
        ask(&mut record, Flow::SecondFactor, 20_000).unwrap();
        ask(&mut record, Flow::Login, 86_400).unwrap();
    }

    #[test]
    fn the_later_of_both_waits_is_told() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.starts = (0..10).map(|sent| at(sent * 9000)).collect();
        let limited = ask(&mut record, Flow::Login, 86_399).unwrap_err();
        assert_eq!(limited.rule.limit, Limit::StartsPerDay);
        record.shared.without_password.starts[9] = at(86_390);
        let limited = ask(&mut record, Flow::Login, 86_399).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::StartSpacing, 1920 - 9));
    }

    #[test]
    fn a_phone_that_nobody_confirmed_gets_five_messages_and_the_same_answers() {
        let (mut confirmed, mut unconfirmed) = (PhoneRecord::default(), PhoneRecord::default());
        for number in 0..11 {
            let mut request = request(Flow::Register, number * 2000);
            let known = issue_as(&mut confirmed, &request, "id");
            request.is_confirmed = false;
            let unknown = issue_as(&mut unconfirmed, &request, "id");
            assert_eq!(known.as_ref().err(), unknown.as_ref().err(), "{number}");
            assert_eq!(known.is_ok_and(|issued| issued.will_send), number < 10);
            assert_eq!(unknown.is_ok_and(|issued| issued.will_send), number < 5);
        }
    }

    #[test]
    fn a_login_of_nobody_sends_nothing_and_leaves_the_registration_its_messages() {
        let mut record = PhoneRecord::default();
        for number in 0..5 {
            let mut request = request(Flow::Login, number * 2000);
            request.is_confirmed = false;
            assert!(!issue_as(&mut record, &request, "id").unwrap().will_send);
        }
        let mut request = request(Flow::Register, 10_000);
        request.is_confirmed = false;
        assert!(issue_as(&mut record, &request, "id").unwrap().will_send);
    }

    #[test]
    fn a_test_number_has_five_attempts_for_each_challenge_and_no_other_limit() {
        let (mut record, ordinary) = (PhoneRecord::default(), request(Flow::Login, 0));
        let test = ChallengeRequest { test: true, ..ordinary };
        for number in 0..30 {
            let id = number.to_string();
            let issued = issue_as(&mut record, &test, &id).unwrap();
            assert!(!issued.will_send && !issued.is_repeated && issued.challenge.test, "{number}");
            assert!(issue_as(&mut record, &test, "other").unwrap().is_repeated, "while it is live");
            assert_eq!(enter(&mut record, Flow::Login, 0, 9), 5);
        }
        let issued = issue_as(&mut record, &ordinary, "id").unwrap();
        assert!(issued.will_send && !issued.challenge.test);
        let counts = &record.shared.without_password;
        assert_eq!((counts.starts.as_slice(), counts.wrong_codes.as_slice()), ([at(0)].as_slice(), [].as_slice()));
    }

    #[test]
    fn a_test_number_passes_the_limits_that_were_used_up_before() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.starts = vec![at(0); 10];
        record.shared.without_password.wrong_codes = vec![at(0); 25];
        let ordinary = request(Flow::Login, 0);
        assert!(issue_as(&mut record, &ordinary, "id").is_err());
        let issued = issue_as(&mut record, &ChallengeRequest { test: true, ..ordinary }, "id").unwrap();
        assert_eq!(issued.challenge.max_attempts, 5);
        assert!(issue_as(&mut record, &ordinary, "id").is_err(), "they are still used up");
    }

    #[test]
    fn a_message_that_is_rolled_back_leaves_an_unconfirmed_phone_all_five() {
        let mut record = PhoneRecord::default();
        let mut request = request(Flow::Register, 0);
        request.is_confirmed = false;
        let issued = issue_as(&mut record, &request, "id").unwrap();
        rollback(&mut record, Flow::Register.into(), &issued, at(0), "rejected");
        assert!(record.sends.values().all(|send| !send.sent));
        let sends = std::mem::take(&mut record.sends);
        assert_eq!((record, sends.len()), (PhoneRecord::default(), 1));
    }

    #[test]
    fn a_second_start_repeats_the_challenge_and_renews_nothing() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Flow::Login, 0).unwrap();
        assert_eq!(enter(&mut record, Flow::Login, 10, 4), 4);
        let second = ask(&mut record, Flow::Login, 240).unwrap();
        assert!(second.is_repeated && !first.is_repeated);
        assert_eq!((&second.challenge.id, second.challenge.expires), (&first.challenge.id, at(300)));
        assert_eq!(enter(&mut record, Flow::Login, 250, 9), 1, "the fifth try of both");
    }

    #[test]
    fn a_code_with_little_life_left_is_not_sent_again() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Flow::Login, 0).unwrap();
        enter(&mut record, Flow::Login, 10, 3);
        let second = ask(&mut record, Flow::Login, 241).unwrap();
        assert!(!second.is_repeated && second.challenge.id != first.challenge.id);
        assert_eq!(record.shared.without_password.wrong_codes, vec![at(10); 3], "its wrong codes stay counted");
    }

    #[test]
    fn a_challenge_without_attempts_left_is_replaced() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Flow::Login, 0).unwrap();
        assert_eq!(enter(&mut record, Flow::Login, 1, 9), 5);
        assert!(!ask(&mut record, Flow::Login, 30).unwrap().is_repeated);
        assert_eq!(record.shared.without_password.wrong_codes.len(), 5);
    }

    #[test]
    fn flows_are_apart() {
        let mut record = PhoneRecord::default();
        let login = ask(&mut record, Flow::Login, 0).unwrap();
        let register = ask(&mut record, Flow::Register, 30).unwrap();
        let second = ask(&mut record, Flow::SecondFactor, 60).unwrap();
        assert!(!register.is_repeated && !second.is_repeated);
        assert_eq!(
            record.challenges.get(&Flow::Login.into()).unwrap().id,
            login.challenge.id,
            "another flow ends nothing"
        );
    }

    #[test]
    fn another_user_gets_another_challenge() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Flow::Login, 0).unwrap();
        let mut request = request(Flow::Login, 30);
        request.user = Some("U");
        let second = issue_as(&mut record, &request, "new").unwrap();
        assert_ne!(first.challenge.id, second.challenge.id);
    }

    #[test]
    fn a_code_that_no_longer_opens_is_replaced() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Flow::Login, 0).unwrap();
        assert!(
            !issue(&mut record, &request(Flow::Login, 30), NewChallenge { id: "new", sealed_code: "x" }, true, |_| {
                false
            })
            .unwrap()
            .is_repeated
        );
    }

    #[test]
    fn a_right_code_is_no_wrong_one() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Flow::Login, 0).unwrap();
        enter(&mut record, Flow::Login, 1, 3);
        record.challenges.get_mut(&Flow::Login.into()).unwrap().redeemed_by = Some("1 1".into());
        ask(&mut record, Flow::Login, 30).unwrap();
        assert_eq!(record.shared.without_password.wrong_codes, vec![at(1); 2]);
    }

    #[test]
    fn a_call_that_finds_its_code_gone_is_not_made() {
        let by_call = |seconds| {
            let request = request(Flow::Register, seconds);
            let send = NewSend { id: "call", channel: Channel::Voice, ..request.send };
            ChallengeRequest { is_confirmed: false, send, ..request }
        };
        let mut record = PhoneRecord::default();
        assert!(!repeats(&record, &by_call(0), |_| true));
        let issued = issue_as(&mut record, &by_call(0), "id").unwrap();
        assert!(!issued.will_send && !record.sends["call"].sent && record.unconfirmed_sends.is_empty());
        assert!(repeats(&record, &by_call(40), |_| true));
        assert!(issue_as(&mut record, &by_call(40), "another").unwrap().will_send);
        let call = record.sends["call"].call.as_ref().unwrap();
        assert_eq!((call.challenge.as_str(), call.expires), ("id", issued.challenge.expires));
    }

    #[test]
    fn a_start_that_is_rolled_back_counts_nowhere() {
        let mut record = PhoneRecord::default();
        let issued = ask(&mut record, Flow::Register, 0).unwrap();
        rollback(&mut record, Flow::Register.into(), &issued, at(0), "rejected");
        record.sends.clear();
        assert_eq!(record, PhoneRecord::default());
        let first = ask(&mut record, Flow::Register, 1).unwrap();
        let again = ask(&mut record, Flow::Register, 40).unwrap();
        rollback(&mut record, Flow::Register.into(), &again, at(40), "rejected");
        assert_eq!(
            record.challenges.get(&Flow::Register.into()).map(|challenge| &challenge.id),
            Some(&first.challenge.id),
            "the first message may have arrived"
        );
        assert_eq!(record.shared.without_password.starts, [at(1)]);
    }

    #[test]
    fn twenty_five_wrong_codes_end_the_day_for_users_without_a_password() {
        let mut record = PhoneRecord::default();
        record.shared.without_password.wrong_codes = vec![at(0); 23];
        let register = ask(&mut record, Flow::Register, 100).unwrap();
        assert_eq!(register.challenge.max_attempts, 2);
        let limited = ask(&mut record, Flow::Login, 200).unwrap_err();
        assert_eq!(
            (limited.rule.limit, limited.retry_after),
            (Limit::WrongCodes, 200),
            "held until the registration expires"
        );
        assert_eq!(enter(&mut record, Flow::Register, 300, 9), 2);
        let limited = ask(&mut record, Flow::Login, 400).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongCodes, 86_000));
        assert_eq!(
            ask(&mut record, Flow::SecondFactor, 500).unwrap().challenge.max_attempts,
            5,
            "the owner has a password"
        );
    }

    proptest! {
        /// An attacker who starts and enters codes whenever allowed never gets 26 in a day, nor eleven messages, nor six where nobody has
        /// confirmed the phone.
        #[test]
        fn no_day_holds_more_than_its_numbers(
            is_confirmed: bool,
            steps in prop::collection::vec((0..4000_u64, 0..3_u8, 0..7_usize), 1..300),
        ) {
            let (mut record, mut now) = (PhoneRecord::default(), 0);
            let (mut wrong, mut sent): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
            let most = if is_confirmed { 10 } else { 5 };
            for (wait, what, count) in steps {
                now += wait;
                let flow = if what == 0 { Flow::Register } else { Flow::Login };
                let mut request = request(flow, now);
                request.is_confirmed = is_confirmed;
                if issue_as(&mut record, &request, "id").is_ok_and(|issued| issued.will_send) {
                    sent.push(now);
                }
                let counted = enter(&mut record, flow, now + 1, count);
                wrong.extend(std::iter::repeat_n(now + 1, counted));
                prop_assert!(wrong.iter().filter(|time| **time + 86_400 > now + 1).count() <= 25);
                prop_assert!(sent.iter().filter(|time| **time + 86_400 > now).count() <= most);
            }
        }
    }
}
