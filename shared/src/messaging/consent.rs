//! What a phone agrees to: opt-outs, what lifts them, and records of consent. [`Consents`](crate::store::Consents) keeps it; every change is one
//! conditional write, and each inbound message has an effect once.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Timestamp;
use crate::crypto::Keys;
use crate::logging;
use crate::plivo;
use crate::plivo::inbound::Inbound;
use crate::spend::counter::ALL;
use crate::spend::kill_switch;
use crate::store::{ConsentEntry, ConsentKey, ConsentKind, OptOut, PhoneConsents, PhoneKey, Store, StoreError};
use phone_number::PhoneNumber;

use super::delivery::LAST_REPORT;
use super::opt_out::{Intent, classify};
use super::{Message, MessageError, reserve};

/// The source of an opt-out that a delivery report tells of.
const PLIVO_200: &str = "plivo_200";
/// How long an opt-out counts that only a delivery report tells of: START may have ended it at Plivo without our knowledge. Where it has not, the next
/// message is blocked there, and its report renews it.
const PLIVO_200_LIFE: Duration = Duration::from_hours(7 * 24);
/// The source of what a phone has written.
const SMS: &str = "sms";
/// The longest text of a consent, in characters.
pub const MAX_TEXT: usize = 500;
/// The longest source of a consent, in characters.
pub const MAX_SOURCE: usize = 100;
/// The most records, and the most inbound messages, that an item keeps.
const KEPT: usize = 50;
/// A HELP is answered once in this time: each answer costs money.
const HELP_SPACING: Duration = Duration::from_hours(24);
/// From this share of the budget of messages on, in percent, no HELP is answered: strangers must not use up what the app's own messages need.
const HELP_PERCENT: i64 = 50;
/// How long an item is kept that holds no opt-out and no record: longer than Plivo repeats an inbound message.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// The key of the item of a phone (E.164).
pub fn key(keys: &Keys, e164: &str) -> ConsentKey {
    ConsentKey(keys.consent(e164).short())
}

/// What is kept, as responses and exports show it: `optedOut` is null, or when and by which word; `records` are oldest first.
pub fn to_json(consents: &PhoneConsents, now: Timestamp) -> Value {
    let opted_out = consents
        .opted_out
        .as_ref()
        .filter(|_| is_opted_out(consents, now))
        .map(|opt_out| json!({ "at": opt_out.at, "by": opt_out.by }));
    let record = |entry: &ConsentEntry| json!({ "at": entry.at, "kind": entry.kind, "text": entry.text, "source": entry.source });
    json!({ "optedOut": opted_out, "records": consents.records.iter().map(record).collect::<Vec<_>>() })
}

/// Whether a phone gets no messages now.
pub fn is_opted_out(consents: &PhoneConsents, now: Timestamp) -> bool {
    let is_in_force = |opt_out: &OptOut| !is_by_plivo(consents) || now < opt_out.at.plus(PLIVO_200_LIFE);
    consents.opted_out.as_ref().is_some_and(is_in_force)
}

/// Whether only a delivery report tells of the opt-out.
fn is_by_plivo(consents: &PhoneConsents) -> bool {
    consents.opted_out.as_ref().is_some_and(|opt_out| opt_out.by == PLIVO_200)
}

/// Nothing is to be written: it is known already, or has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoEffect;

/// A consent to be recorded.
#[derive(Debug, Clone)]
pub struct Consent {
    text: String,
    source: String,
}

/// A part of a consent is empty, too long, or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be 1 to {max} characters, without control characters")]
pub struct ConsentError {
    /// `text` or `source`.
    pub field: &'static str,
    /// The most characters.
    pub max: usize,
}

impl Consent {
    /// What the phone's owner was shown (at most [`MAX_TEXT`] characters), and where (at most [`MAX_SOURCE`]).
    ///
    /// # Errors
    /// [`ConsentError`].
    pub fn new(text: &str, source: &str) -> Result<Self, ConsentError> {
        for (field, value, max) in [("text", text, MAX_TEXT), ("source", source, MAX_SOURCE)] {
            let is_text = !value.chars().any(|character| character.is_control() && !"\n\r\t".contains(character));
            if value.trim().is_empty() || value.chars().count() > max || !is_text {
                return Err(ConsentError { field, max });
            }
        }
        Ok(Self { text: text.to_owned(), source: source.to_owned() })
    }
}

/// Adds a consent to a phone's records; returns what is kept then. It lifts no opt-out: only the phone itself does.
///
/// # Errors
/// [`StoreError`].
pub async fn add(
    store: &Store,
    phone: ConsentKey,
    consent: &Consent,
    now: Timestamp,
) -> Result<PhoneConsents, StoreError> {
    let known = store.consents.get(phone).await?;
    let (text, source) = (Some(consent.text.clone()), consent.source.clone());
    let entry = ConsentEntry { at: now, kind: ConsentKind::Consent, text, source, uuid: None };
    let add = |record: &mut PhoneConsents| {
        // It may be decided again after its own write, whose response was lost.
        if !record.records.contains(&entry) {
            keep(record, entry.clone());
        }
        Ok::<_, Infallible>(())
    };
    let Ok(((), record)) = store.consents.update(phone, known, now.plus(RETENTION), add).await?;
    Ok(record)
}

/// Removes the texts of a phone's records, and keeps its opt-out, which must outlive its user.
///
/// # Errors
/// [`StoreError`].
pub async fn forget_texts(store: &Store, phone: ConsentKey, now: Timestamp) -> Result<(), StoreError> {
    let known = store.consents.get(phone).await?;
    let forget = |record: &mut PhoneConsents| {
        if record.records.iter().all(|entry| entry.text.is_none()) {
            return Err(NoEffect);
        }
        for entry in &mut record.records {
            entry.text = None;
        }
        Ok(())
    };
    store.consents.update(phone, known, now.plus(RETENTION), forget).await.map(drop)
}

/// Carries out what an inbound message asks for. Returns the text of an answer, where there is one to be sent: to HELP, within all limits of
/// messages, and once a day.
///
/// # Errors
/// [`MessageError::Secret`], [`MessageError::Store`]: then Plivo is to try again, since an opt-out must not be lost.
pub async fn receive(app: &App, inbound: &Inbound<'_>) -> Result<Option<String>, MessageError> {
    let Some(intent) = classify(inbound.text, &app.settings.opt_out_words, inbound.intent) else { return Ok(None) };
    // Other numbers get no messages.
    let Ok(from) = PhoneNumber::parse(&format!("+{}", inbound.from), app.settings.default_country) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    let phone = key(&keys, from.e164());
    match intent {
        Intent::OptOut(word) => {
            change(app, phone, now, |record| opt_out(record, (&word, SMS), inbound.uuid, now)).await?;
        }
        Intent::OptIn(word) => change(app, phone, now, |record| opt_in(record, &word, inbound.uuid, now)).await?,
        Intent::Help => return help(app, (PhoneKey(keys.phone(from.e164()).short()), phone), from, inbound.uuid).await,
    }
    Ok(None)
}

/// A delivery report says that Plivo has blocked a message because the phone has opted out there (error 200): it has here, too. Not where it has
/// lifted an opt-out so lately that the report can be about a message from before.
///
/// # Errors
/// [`MessageError::Secret`], [`MessageError::Store`].
pub async fn blocked_by_plivo(app: &App, phone: &PhoneNumber, uuid: &str) -> Result<(), MessageError> {
    let now = app.clock.now();
    let keys = app.secrets.keys(now).await?;
    app.store.users.check_root_key(&keys).await?;
    change(app, key(&keys, phone.e164()), now, |record| {
        if is_opted_out(record, now) || record.lifted.is_some_and(|lifted| now < lifted.plus(LAST_REPORT)) {
            return Err(NoEffect);
        }
        opt_out(record, (PLIVO_200, PLIVO_200), uuid, now)
    })
    .await
}

async fn change(
    app: &App,
    phone: ConsentKey,
    now: Timestamp,
    decide: impl FnMut(&mut PhoneConsents) -> Result<(), NoEffect>,
) -> Result<(), MessageError> {
    let known = app.store.consents.get(phone).await?;
    // No effect is as good.
    let _ = app.store.consents.update(phone, known, now.plus(RETENTION), decide).await?;
    Ok(())
}

/// Answers a HELP, if its limits have room: what a stranger makes us send is paid for and counted like any message.
async fn help(
    app: &App,
    (phone, consents): (PhoneKey, ConsentKey),
    from: PhoneNumber,
    uuid: &str,
) -> Result<Option<String>, MessageError> {
    let (now, text) = (app.clock.now(), app.settings.help_text.clone());
    let Ok(message) = Message::new(&app.settings, from, text.clone(), Vec::new()) else { return Ok(None) };
    let known = app.store.load_message_limits((phone, consents), now).await?;
    let spent = known.budget.counter.at(now).spent(ALL);
    if app.settings.messages.budget.percent(spent) >= HELP_PERCENT {
        return Ok(None);
    }
    let record = known.consents.clone();
    if answer_help(&mut record.clone(), uuid, now).is_err() {
        return Ok(None);
    }
    let reserved = match reserve(app, &message, phone, known, now).await {
        Ok(reserved) => reserved,
        Err(MessageError::Store(error)) => return Err(error.into()),
        Err(refused) => {
            tracing::info!(cause = logging::chain(&refused), "a HELP is not answered");
            return Ok(None);
        }
    };
    let decide = |record: &mut PhoneConsents| answer_help(record, uuid, now);
    match app.store.consents.update(consents, record, now.plus(RETENTION), decide).await {
        Ok(Ok(_)) => {
            let (to, media) = (message.to.e164(), &[][..]);
            let wire = plivo::Message { to, text: &text, media, keep_text: true, callback: "", expiry: None };
            app.metrics.count_send(kill_switch::MESSAGE, wire, reserved.price(), None, now);
            Ok(Some(text))
        }
        // Another was faster, or it is not certain that this one counts.
        outcome => {
            reserved.release().await;
            outcome.map(|_| None).map_err(MessageError::from)
        }
    }
}

fn opt_out(record: &mut PhoneConsents, (by, source): (&str, &str), uuid: &str, now: Timestamp) -> Result<(), NoEffect> {
    handle(record, uuid)?;
    // A phone's own STOP takes the place of what Plivo has told.
    let is_known = is_opted_out(record, now) && (source == PLIVO_200 || !is_by_plivo(record));
    if !is_known {
        record.opted_out = Some(OptOut { at: now, by: by.to_owned(), uuid: uuid.to_owned() });
        let (text, source, uuid) = (Some(by.to_owned()), source.to_owned(), Some(uuid.to_owned()));
        keep(record, ConsentEntry { at: now, kind: ConsentKind::OptOut, text, source, uuid });
    }
    Ok(())
}

fn opt_in(record: &mut PhoneConsents, word: &str, uuid: &str, now: Timestamp) -> Result<(), NoEffect> {
    handle(record, uuid)?;
    if record.opted_out.take().is_some() {
        record.lifted = Some(now);
        let (text, source, uuid) = (Some(word.to_owned()), SMS.to_owned(), Some(uuid.to_owned()));
        keep(record, ConsentEntry { at: now, kind: ConsentKind::OptIn, text, source, uuid });
    }
    Ok(())
}

fn answer_help(record: &mut PhoneConsents, uuid: &str, now: Timestamp) -> Result<(), NoEffect> {
    handle(record, uuid)?;
    if record.helped.is_some_and(|helped| now < helped.plus(HELP_SPACING)) {
        return Err(NoEffect);
    }
    record.helped = Some(now);
    Ok(())
}

/// Remembers an inbound message that has no effect a second time.
fn handle(record: &mut PhoneConsents, uuid: &str) -> Result<(), NoEffect> {
    if record.handled.iter().any(|handled| handled == uuid) {
        return Err(NoEffect);
    }
    record.handled.push(uuid.to_owned());
    let old = record.handled.len().saturating_sub(KEPT);
    record.handled.drain(..old);
    Ok(())
}

/// Keeps a record. Where there are too many, the oldest goes; a consent only where there is nothing else, so that no phone pushes out what it has
/// consented to by opting out and in.
fn keep(record: &mut PhoneConsents, entry: ConsentEntry) {
    record.records.push(entry);
    if record.records.len() > KEPT {
        let other = record.records.iter().position(|entry| entry.kind != ConsentKind::Consent);
        record.records.remove(other.filter(|position| *position < KEPT).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn stop(record: &mut PhoneConsents, uuid: &str) -> Result<(), NoEffect> {
        opt_out(record, ("STOP", SMS), uuid, NOW)
    }

    fn kinds(record: &PhoneConsents) -> Vec<ConsentKind> {
        record.records.iter().map(|entry| entry.kind).collect()
    }

    #[test]
    fn what_is_no_consent_is_refused() {
        for (text, source, field) in [
            ("", "app", "text"),
            (" \n", "app", "text"),
            ("a\u{0}", "app", "text"),
            (&*"a".repeat(MAX_TEXT + 1), "app", "text"),
            ("Text me.", "", "source"),
            ("Text me.", "a\u{7f}", "source"),
            ("Text me.", &*"a".repeat(MAX_SOURCE + 1), "source"),
        ] {
            assert_eq!(Consent::new(text, source).unwrap_err().field, field, "{text:?} {source:?}");
        }
        assert!(Consent::new(&"é".repeat(MAX_TEXT), &"é".repeat(MAX_SOURCE)).is_ok());
        assert!(Consent::new("Text me.\n\tYes.", "app").is_ok());
    }

    #[test]
    fn a_message_has_an_effect_once_whatever_came_in_between() {
        let mut record = PhoneConsents::default();
        stop(&mut record, "one").unwrap();
        opt_in(&mut record, "START", "two", NOW).unwrap();
        assert_eq!(stop(&mut record, "one"), Err(NoEffect));
        assert!(record.opted_out.is_none());
        stop(&mut record, "three").unwrap();
        assert_eq!(opt_in(&mut record, "START", "two", NOW), Err(NoEffect));
        assert!(record.opted_out.is_some());
        assert_eq!(kinds(&record), [ConsentKind::OptOut, ConsentKind::OptIn, ConsentKind::OptOut]);
    }

    #[test]
    fn what_only_plivo_tells_of_counts_for_a_week_and_is_renewed() {
        let mut record = PhoneConsents::default();
        let tell = |record: &mut PhoneConsents, uuid, now| opt_out(record, (PLIVO_200, PLIVO_200), uuid, now);
        tell(&mut record, "one", NOW).unwrap();
        let week = 7 * 24 * 60 * 60;
        assert!(is_opted_out(&record, after(week - 1)) && !is_opted_out(&record, after(week)));
        tell(&mut record, "two", after(week)).unwrap();
        assert!(is_opted_out(&record, after(2 * week - 1)));
        stop(&mut record, "three").unwrap();
        assert_eq!(record.opted_out.as_ref().map(|opt_out| opt_out.by.as_str()), Some("STOP"), "the phone's own word");
        assert!(is_opted_out(&record, after(1000 * week)));
    }

    #[test]
    fn a_start_that_lifts_nothing_lifts_nothing_when_it_is_repeated_later() {
        let mut record = PhoneConsents::default();
        opt_in(&mut record, "START", "one", NOW).unwrap();
        assert_eq!((kinds(&record).len(), record.lifted), (0, None));
        stop(&mut record, "two").unwrap();
        assert_eq!(opt_in(&mut record, "START", "one", NOW), Err(NoEffect));
        assert!(record.opted_out.is_some());
    }

    #[test]
    fn the_first_stop_is_kept_with_its_time() {
        let mut record = PhoneConsents::default();
        stop(&mut record, "one").unwrap();
        opt_out(&mut record, ("END", SMS), "two", after(60)).unwrap();
        let kept = record.opted_out.clone().unwrap();
        assert_eq!((kept.at, kept.by.as_str(), record.records.len()), (NOW, "STOP", 1));
    }

    #[test]
    fn help_is_answered_once_a_day_and_once_for_each_message() {
        let mut record = PhoneConsents::default();
        answer_help(&mut record, "one", NOW).unwrap();
        assert_eq!(answer_help(&mut record, "two", after(86_399)), Err(NoEffect));
        assert_eq!(answer_help(&mut record, "one", after(86_400)), Err(NoEffect));
        answer_help(&mut record, "three", after(86_400)).unwrap();
    }

    #[test]
    fn no_phone_pushes_out_what_it_has_consented_to() {
        let mut record = PhoneConsents::default();
        let consent = |record: &mut PhoneConsents, number: usize| {
            let (text, source) = (Some(number.to_string()), "app".to_owned());
            keep(record, ConsentEntry { at: NOW, kind: ConsentKind::Consent, text, source, uuid: None });
        };
        for number in 0..10 {
            consent(&mut record, number);
        }
        for number in 0..100 {
            stop(&mut record, &format!("out {number}")).unwrap();
            opt_in(&mut record, "START", &format!("in {number}"), NOW).unwrap();
        }
        let texts = |record: &PhoneConsents| -> Vec<_> {
            record
                .records
                .iter()
                .filter(|entry| entry.kind == ConsentKind::Consent)
                .filter_map(|entry| entry.text.clone())
                .collect()
        };
        assert_eq!((record.records.len(), record.handled.len()), (KEPT, KEPT));
        assert_eq!(texts(&record), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
        for number in 10..60 {
            consent(&mut record, number);
        }
        assert_eq!(record.records.len(), KEPT);
        assert_eq!(texts(&record), (10..60).map(|number| number.to_string()).collect::<Vec<_>>(), "the newest");
        stop(&mut record, "last").unwrap();
        assert_eq!((texts(&record).len(), kinds(&record).last()), (KEPT - 1, Some(&ConsentKind::OptOut)));
    }
}
