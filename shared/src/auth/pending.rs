//! What a start does to what is kept about a phone: pure decisions on a [`PhoneRecord`], which the store then writes on condition
//! that nobody else did.
//!
//! **Starting again repeats.** While a transaction of the same purpose is pending, a start answers the same id and sends the same
//! code again; expiry and tries stay as they are. SMS are neither ordered nor prompt: who asks twice and types the first code
//! that arrives would otherwise be refused. It gives nobody anything: tries are not renewed, and the code goes to the same
//! phone. There is never more than one pending transaction of a purpose and phone, and a new one ends the old one: when it is
//! used, expired, out of tries, or has too little life left to be typed in. (So who starts twice can see whether somebody with
//! the phone finished in between, by a changed id.)
//!
//! **Not every start sends.** A login for a phone without a user sends nothing, nor does a registration of a phone that was sent enough
//! and that nobody has confirmed. Both take their place in the limits all the same: no limit may tell who is a user.
//!
//! **Wrong codes a day.** A new transaction gets as many tries as the day's limit has left, counting those that other live
//! transactions of its kind still hold. So a try is one conditional write, and no race passes the limit.

use std::time::Duration;

use super::Purpose;
use super::limits::{Limit, Limited, TRIES_PER_TRANSACTION, check_spacing};
use crate::clock::Timestamp;
use crate::store::{Pending, PhoneRecord, Slot};

/// A code with less life than this is not sent again: its reader could not type it in time.
const USEFUL_LIFE: Duration = Duration::from_secs(60);

/// A start that is asked for, with what a new transaction would be made of.
pub(super) struct Start<'a> {
    pub purpose: Purpose,
    pub id: &'a str,
    pub sealed_code: &'a str,
    pub user: Option<&'a str>,
    /// Whether the phone has a user, so somebody has confirmed it here.
    pub is_confirmed: bool,
    /// Whether a code may go out, as far as it is not for the phone to say.
    pub may_send: bool,
    pub now: Timestamp,
    pub life: Duration,
}

/// A start that is granted: the transaction whose code is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub pending: Pending,
    /// Whether it was pending before.
    pub again: bool,
    /// Whether the code goes out.
    pub sends: bool,
}

/// Grants or refuses a start. `opens` tells whether a pending code can still be read (a rotated key ends it).
pub(super) fn start(
    record: &mut PhoneRecord,
    start: &Start<'_>,
    opens: impl Fn(&Pending) -> bool,
) -> Result<Started, Limited> {
    let now = start.now;
    settle_ended(record, now);
    let slot = start.purpose.slot();
    check_sends(record, slot, now)?;
    let has_messages = || Limit::UnconfirmedMessagesPerDay.rule().left(&record.unconfirmed, now) > 0;
    let is_reachable = start.is_confirmed || start.purpose == Purpose::Register && has_messages();
    let sends = start.may_send && is_reachable;
    let enough = now.plus(USEFUL_LIFE.min(start.life / 2));
    let repeatable =
        |pending: &Pending| pending.expires >= enough && pending.user.as_deref() == start.user && opens(pending);
    let started = match record.slot_mut(slot).clone() {
        Some(pending) if repeatable(&pending) => Started { pending, again: true, sends },
        old => {
            if let Some(old) = old {
                settle(record, slot, &old);
            }
            let allowance = allowance(record, slot, now)?;
            let pending = Pending {
                id: start.id.to_owned(),
                code: Some(start.sealed_code.to_owned()),
                expires: now.plus(start.life),
                allowance,
                tries: std::collections::BTreeMap::new(),
                used: None,
                user: start.user.map(str::to_owned),
            };
            *record.slot_mut(slot) = Some(pending.clone());
            Started { pending, again: false, sends }
        }
    };
    record.counts_mut(slot).sends.push(now);
    if sends && !start.is_confirmed {
        record.unconfirmed.push(now);
    }
    Ok(started)
}

/// The later of what the two limits of starts say.
fn check_sends(record: &PhoneRecord, slot: Slot, now: Timestamp) -> Result<(), Limited> {
    let sends = &record.counts(slot).sends;
    let refused = [check_spacing(sends, record.right_code, now), Limit::CodeMessagesPerDay.rule().check(sends, now)];
    let latest = refused.into_iter().filter_map(Result::err).max_by_key(|limited| limited.retry_after);
    latest.map_or(Ok(()), Err)
}

/// Takes a start back whose message did not go out: it counts nowhere.
pub(super) fn take_back(record: &mut PhoneRecord, slot: Slot, started: &Started, sent: Timestamp) {
    let remove = |times: &mut Vec<Timestamp>| {
        if let Some(position) = times.iter().rposition(|time| *time == sent) {
            times.remove(position);
        }
    };
    remove(&mut record.counts_mut(slot).sends);
    remove(&mut record.unconfirmed);
    let pending = record.slot_mut(slot);
    let untouched =
        pending.as_ref().is_some_and(|pending| pending.id == started.pending.id && pending.tries.is_empty());
    if untouched && !started.again {
        *pending = None;
    }
}

/// Moves the wrong codes of transactions that have ended into their limit's list, and forgets what no longer counts.
fn settle_ended(record: &mut PhoneRecord, now: Timestamp) {
    for slot in [Slot::Register, Slot::Login, Slot::SecondFactor] {
        if let Some(pending) = record.slot_mut(slot).clone()
            && !is_live(&pending, now)
        {
            settle(record, slot, &pending);
        }
    }
    for counts in [&mut record.without_password, &mut record.after_password] {
        Limit::CodeMessagesPerDay.rule().forget(&mut counts.sends, now);
        Limit::WrongCodes.rule().forget(&mut counts.wrong, now);
    }
    Limit::UnconfirmedMessagesPerDay.rule().forget(&mut record.unconfirmed, now);
}

fn is_live(pending: &Pending, now: Timestamp) -> bool {
    pending.used.is_none() && now < pending.expires && pending.tries.len() < pending.allowance
}

fn settle(record: &mut PhoneRecord, slot: Slot, pending: &Pending) {
    let wrong = pending.tries.iter().filter(|(mark, _)| pending.used.as_ref() != Some(mark)).map(|(_, time)| *time);
    let times = &mut record.counts_mut(slot).wrong;
    times.extend(wrong);
    times.sort_unstable();
    *record.slot_mut(slot) = None;
}

/// How many tries a new transaction gets.
fn allowance(record: &PhoneRecord, slot: Slot, now: Timestamp) -> Result<usize, Limited> {
    let times = &record.counts(slot).wrong;
    let (limit, other) = match slot {
        Slot::Register => (Limit::WrongCodes, record.login.as_ref()),
        Slot::Login => (Limit::WrongCodes, record.register.as_ref()),
        Slot::SecondFactor => (Limit::WrongCodesAfterPassword, None),
    };
    let rule = limit.rule();
    rule.check(times, now)?;
    let held = other.map_or(0, |pending| pending.allowance);
    match rule.left(times, now).saturating_sub(held) {
        0 => Err(rule.until(now, other.map_or(now, |pending| pending.expires))),
        left => Ok(left.min(TRIES_PER_TRANSACTION)),
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

    fn ask(record: &mut PhoneRecord, purpose: Purpose, seconds: u64) -> Result<Started, Limited> {
        let id = format!("{purpose:?} {seconds}");
        start(record, &asked(purpose, &id, seconds), |_| true)
    }

    /// For a phone with a user, who is not named.
    fn asked(purpose: Purpose, id: &str, seconds: u64) -> Start<'_> {
        Start {
            purpose,
            id,
            sealed_code: "sealed",
            user: None,
            is_confirmed: true,
            may_send: true,
            now: at(seconds),
            life: LIFE,
        }
    }

    /// As the store's condition does it.
    fn enter(record: &mut PhoneRecord, slot: Slot, seconds: u64, count: usize) -> usize {
        let Some(pending) = record.slot_mut(slot) else { return 0 };
        let mut counted = 0;
        while counted < count && is_live(pending, at(seconds)) {
            pending.tries.insert(format!("{seconds} {}", pending.tries.len()), at(seconds));
            counted += 1;
        }
        counted
    }

    #[test]
    fn a_second_message_waits_thirty_seconds() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Purpose::Login, 0).unwrap();
        for purpose in [Purpose::Register, Purpose::Login] {
            let limited = ask(&mut record, purpose, 29).unwrap_err();
            assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CodeMessageSpacing, 1));
        }
        ask(&mut record, Purpose::SecondFactor, 29).unwrap();
        ask(&mut record, Purpose::Login, 30).unwrap();
        let limited = ask(&mut record, Purpose::Login, 60).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CodeMessageSpacing, 30), "the wait has doubled");
    }

    #[test]
    fn an_eleventh_start_waits_a_day() {
        let mut record = PhoneRecord::default();
        for sent in 0..10 {
            ask(&mut record, Purpose::Login, sent * 2000).unwrap();
        }
        let limited = ask(&mut record, Purpose::Register, 20_000).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CodeMessagesPerDay, 86_400 - 20_000));
        ask(&mut record, Purpose::SecondFactor, 20_000).unwrap();
        ask(&mut record, Purpose::Login, 86_400).unwrap();
    }

    #[test]
    fn the_later_of_both_waits_is_told() {
        let mut record = PhoneRecord::default();
        record.without_password.sends = (0..10).map(|sent| at(sent * 9000)).collect();
        let limited = ask(&mut record, Purpose::Login, 86_399).unwrap_err();
        assert_eq!(limited.rule.limit, Limit::CodeMessagesPerDay);
        record.without_password.sends[9] = at(86_390);
        let limited = ask(&mut record, Purpose::Login, 86_399).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::CodeMessageSpacing, 1920 - 9));
    }

    #[test]
    fn a_phone_that_nobody_confirmed_gets_five_messages_and_the_same_answers() {
        let (mut confirmed, mut unconfirmed) = (PhoneRecord::default(), PhoneRecord::default());
        for number in 0..11 {
            let mut asked = asked(Purpose::Register, "id", number * 2000);
            let known = start(&mut confirmed, &asked, |_| true);
            asked.is_confirmed = false;
            let unknown = start(&mut unconfirmed, &asked, |_| true);
            assert_eq!(known.as_ref().err(), unknown.as_ref().err(), "{number}");
            assert_eq!(known.is_ok_and(|started| started.sends), number < 10);
            assert_eq!(unknown.is_ok_and(|started| started.sends), number < 5);
        }
    }

    #[test]
    fn a_login_of_nobody_sends_nothing_and_leaves_the_registration_its_messages() {
        let mut record = PhoneRecord::default();
        for number in 0..5 {
            let mut asked = asked(Purpose::Login, "id", number * 2000);
            asked.is_confirmed = false;
            assert!(!start(&mut record, &asked, |_| true).unwrap().sends);
        }
        let mut asked = asked(Purpose::Register, "id", 10_000);
        asked.is_confirmed = false;
        assert!(start(&mut record, &asked, |_| true).unwrap().sends);
    }

    #[test]
    fn a_message_that_is_taken_back_leaves_the_unconfirmed_all_five() {
        let mut record = PhoneRecord::default();
        let mut asked = asked(Purpose::Register, "id", 0);
        asked.is_confirmed = false;
        let started = start(&mut record, &asked, |_| true).unwrap();
        take_back(&mut record, Slot::Register, &started, at(0));
        assert_eq!(record, PhoneRecord::default());
    }

    #[test]
    fn starting_again_repeats_and_renews_nothing() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Purpose::Login, 0).unwrap();
        assert_eq!(enter(&mut record, Slot::Login, 10, 4), 4);
        let second = ask(&mut record, Purpose::Login, 240).unwrap();
        assert!(second.again && !first.again);
        assert_eq!((&second.pending.id, second.pending.expires), (&first.pending.id, at(300)));
        assert_eq!(enter(&mut record, Slot::Login, 250, 9), 1, "the fifth try of both");
    }

    #[test]
    fn a_code_with_little_life_left_is_not_sent_again() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Purpose::Login, 0).unwrap();
        enter(&mut record, Slot::Login, 10, 3);
        let second = ask(&mut record, Purpose::Login, 241).unwrap();
        assert!(!second.again && second.pending.id != first.pending.id);
        assert_eq!(record.without_password.wrong, vec![at(10); 3], "its wrong codes stay counted");
    }

    #[test]
    fn one_out_of_tries_is_replaced() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Purpose::Login, 0).unwrap();
        assert_eq!(enter(&mut record, Slot::Login, 1, 9), 5);
        assert!(!ask(&mut record, Purpose::Login, 30).unwrap().again);
        assert_eq!(record.without_password.wrong.len(), 5);
    }

    #[test]
    fn purposes_are_apart() {
        let mut record = PhoneRecord::default();
        let login = ask(&mut record, Purpose::Login, 0).unwrap();
        let register = ask(&mut record, Purpose::Register, 30).unwrap();
        let second = ask(&mut record, Purpose::SecondFactor, 60).unwrap();
        assert!(!register.again && !second.again);
        assert_eq!(record.login.unwrap().id, login.pending.id, "another purpose ends nothing");
    }

    #[test]
    fn another_user_is_another_transaction() {
        let mut record = PhoneRecord::default();
        let first = ask(&mut record, Purpose::Login, 0).unwrap();
        let mut asked = asked(Purpose::Login, "new", 30);
        asked.user = Some("U");
        let second = start(&mut record, &asked, |_| true).unwrap();
        assert_ne!(first.pending.id, second.pending.id);
    }

    #[test]
    fn a_code_that_no_longer_opens_is_replaced() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Purpose::Login, 0).unwrap();
        assert!(!start(&mut record, &asked(Purpose::Login, "new", 30), |_| false).unwrap().again);
    }

    #[test]
    fn a_right_code_is_no_wrong_one() {
        let mut record = PhoneRecord::default();
        ask(&mut record, Purpose::Login, 0).unwrap();
        enter(&mut record, Slot::Login, 1, 3);
        record.login.as_mut().unwrap().used = Some("1 1".into());
        ask(&mut record, Purpose::Login, 30).unwrap();
        assert_eq!(record.without_password.wrong, vec![at(1); 2]);
    }

    #[test]
    fn a_start_that_is_taken_back_counts_nowhere() {
        let mut record = PhoneRecord::default();
        let started = ask(&mut record, Purpose::Register, 0).unwrap();
        take_back(&mut record, Slot::Register, &started, at(0));
        assert_eq!(record, PhoneRecord::default());
        let first = ask(&mut record, Purpose::Register, 1).unwrap();
        let again = ask(&mut record, Purpose::Register, 40).unwrap();
        take_back(&mut record, Slot::Register, &again, at(40));
        assert_eq!(
            record.register.as_ref().map(|pending| &pending.id),
            Some(&first.pending.id),
            "the first message may have arrived"
        );
        assert_eq!(record.without_password.sends, [at(1)]);
    }

    #[test]
    fn twenty_five_wrong_codes_end_the_day_for_who_has_no_password() {
        let mut record = PhoneRecord::default();
        record.without_password.wrong = vec![at(0); 23];
        let register = ask(&mut record, Purpose::Register, 100).unwrap();
        assert_eq!(register.pending.allowance, 2);
        let limited = ask(&mut record, Purpose::Login, 200).unwrap_err();
        assert_eq!(
            (limited.rule.limit, limited.retry_after),
            (Limit::WrongCodes, 200),
            "held until the registration expires"
        );
        assert_eq!(enter(&mut record, Slot::Register, 300, 9), 2);
        let limited = ask(&mut record, Purpose::Login, 400).unwrap_err();
        assert_eq!((limited.rule.limit, limited.retry_after), (Limit::WrongCodes, 86_000));
        assert_eq!(
            ask(&mut record, Purpose::SecondFactor, 500).unwrap().pending.allowance,
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
                let (purpose, slot) = if what == 0 { (Purpose::Register, Slot::Register) } else { (Purpose::Login, Slot::Login) };
                let mut asked = asked(purpose, "id", now);
                asked.is_confirmed = is_confirmed;
                if start(&mut record, &asked, |_| true).is_ok_and(|started| started.sends) {
                    sent.push(now);
                }
                let counted = enter(&mut record, slot, now + 1, count);
                wrong.extend(std::iter::repeat_n(now + 1, counted));
                prop_assert!(wrong.iter().filter(|time| **time + 86_400 > now + 1).count() <= 25);
                prop_assert!(sent.iter().filter(|time| **time + 86_400 > now).count() <= most);
            }
        }
    }
}
