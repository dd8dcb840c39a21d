//! The table of phones: one item per phone holds all that must be decided together about it: the code messages it was sent, the wrong codes
//! and passwords entered for it, and its challenges, one per flow. So a limit and what it limits are one conditional write, and of two that
//! race only one wins. Items expire a day after their last use, or later where something in them counts for longer.
//!
//! | attribute | what |
//! |---|---|
//! | `id` (key) | the phone's keyed hash, 64 bits in hex |
//! | `version` | random, new with each write: the condition of the next |
//! | `shared` | what is counted for everybody without a device token: `without_password` and `after_password`, each with `starts` (times of the last day) and `wrong_codes` (times); `wrong_passwords` (times of the last 30 days, and from which network) |
//! | `unconfirmed_sends` | times of the code messages of the last day while the phone had no user |
//! | `last_verified` | when a right code last came back |
//! | `devices` | by slot, 1 to 5: the `id` of a device, `since` when, and its own `limits`, like `shared` |
//! | `sends` | by send id, the last 20: `at`, `flow`, `channel`, whether it was `sent`, what Plivo reported of its `parts` (`delivery`), and of a call, what it is to say |
//! | `events` | the last 20 things that have happened, oldest first, each with `at` and `by` whom ([`PhoneEvent`]) |
//! | `challenges` | the challenge of each flow (`login`), and of each flow and device (`login#2`) |
//! | `expires_at` | for TTL, seconds |

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::delivery::{Delivery, Part, Report};
use super::optimistic::{self, Versioned};
use super::phone_event::{EVENTS_RETENTION, MAX_EVENTS, PhoneAction, PhoneEvent, short_id};
use super::table::{Consistency, Table, Written, write};
use super::{StoreError, names, number, text, values};
pub use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::crypto::identifier;
use crate::flow::Flow;

/// The most devices that are kept for a phone: a new one replaces the oldest.
const MAX_DEVICES: u8 = 5;
/// How long a device token is good.
pub const DEVICE_LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// How long wrong codes are kept.
const WRONG_CODES_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// How long wrong passwords are kept: the longest window of a limit that counts them.
const WRONG_PASSWORDS_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most sends that are kept for a phone: the oldest goes.
const MAX_SENDS: usize = 20;

/// The key of a phone's item: 64 bits of its keyed hash. Two phones with the same key (one pair in 30,000,000 deployments of a million
/// users) would share their limits and challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneKey(pub [u8; 8]);

impl PhoneKey {
    /// The key as text, by which logs and decisions name the phone, too.
    pub fn id(self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The place of a device among a phone's, 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, derive_more::Display)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceSlot(u8);

impl DeviceSlot {
    /// The slot of this number; `None` when there is no such.
    pub fn new(number: u8) -> Option<Self> {
        (1..=MAX_DEVICES).contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl From<DeviceSlot> for String {
    fn from(slot: DeviceSlot) -> Self {
        slot.to_string()
    }
}

impl TryFrom<String> for DeviceSlot {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().ok().and_then(Self::new).ok_or("no slot of a device")
    }
}

/// Which of a phone's challenges: each flow has one, and one more for each device that starts it, which strangers' starts do not touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChallengeKey {
    /// The flow.
    pub flow: Flow,
    /// The device.
    pub device: Option<DeviceSlot>,
}

impl From<Flow> for ChallengeKey {
    fn from(flow: Flow) -> Self {
        Self { flow, device: None }
    }
}

impl From<ChallengeKey> for String {
    fn from(ChallengeKey { flow, device }: ChallengeKey) -> Self {
        device.map_or_else(|| flow.as_str().to_owned(), |slot| format!("{}#{slot}", flow.as_str()))
    }
}

impl TryFrom<String> for ChallengeKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (flow, slot) = text.split_once('#').map_or((text.as_str(), None), |(flow, slot)| (flow, Some(slot)));
        let flow = Flow::ALL.into_iter().find(|known| known.as_str() == flow).ok_or("no challenge of a flow")?;
        Ok(Self { flow, device: slot.map(|slot| slot.to_owned().try_into()).transpose()? })
    }
}

/// A code that was issued for one flow and one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The id, `transactionId` on the wire.
    pub id: String,
    /// The code, encrypted for this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// How many codes may be tried.
    pub max_attempts: usize,
    /// The attempts so far: a random id and the time of each.
    #[serde(default)]
    pub attempts: BTreeMap<String, Timestamp>,
    /// The attempt that redeemed the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_by: Option<String>,
    /// Who logs in; nobody for a registration, or where the phone has no user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The id of the send that brought the code last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Whether the code is the fixed one of a test number, which is not sent. Its attempts count in no limit of the phone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// What is counted for a phone, separately for flows without a password and after one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneCounts {
    /// Times of the starts, oldest first.
    #[serde(default)]
    pub starts: Vec<Timestamp>,
    /// Times of wrong codes, oldest first, without those of live challenges, which the challenges hold.
    #[serde(default)]
    pub wrong_codes: Vec<Timestamp>,
}

/// What the limits of a phone count: once for everybody without a device token, and once for each device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneLimits {
    /// Counts of flows without a password.
    #[serde(default)]
    pub without_password: PhoneCounts,
    /// Counts of logins after the right password.
    #[serde(default)]
    pub after_password: PhoneCounts,
    /// Wrong passwords, oldest first: when, and from which network.
    #[serde(default)]
    pub wrong_passwords: Vec<(Timestamp, String)>,
}

impl PhoneLimits {
    /// What is counted for a flow.
    pub const fn counts(&mut self, flow: Flow) -> &mut PhoneCounts {
        match flow {
            Flow::Register | Flow::Login | Flow::ChangePhone | Flow::ResetPassword => &mut self.without_password,
            Flow::SecondFactor => &mut self.after_password,
        }
    }
}

/// A device on which somebody has logged in with this phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The id that its token holds.
    pub id: String,
    /// When it got the token.
    pub since: Timestamp,
    /// What is counted for it.
    #[serde(default)]
    pub limits: PhoneLimits,
}

impl Device {
    /// Whether its token is still good.
    pub fn is_known(&self, now: Timestamp) -> bool {
        now < self.since.plus(DEVICE_LIFE)
    }
}

/// A call that reads a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSend {
    /// The id of the challenge whose code it reads.
    pub challenge: String,
    /// From then on it reads nothing.
    pub expires: Timestamp,
    /// The language, in two letters.
    pub language: String,
    /// Plivo's id of the first call that asked what to say. No other is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// One try to bring a code to a phone, whether or not anything went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSend {
    /// The time of the start.
    pub at: Timestamp,
    /// What the code is for.
    pub flow: Flow,
    /// How it goes.
    pub channel: Channel,
    /// Whether anything was to go out: not where there is no user, or to a test number.
    pub sent: bool,
    /// Whether its state may be told, and its failure count: every phone gets such a message, or the start was after the right password or from the
    /// phone's own device. What became of any other would tell who is a user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_state: bool,
    /// Whether the next start may ask for a call that reads the code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_call: bool,
    /// What the call is to say, and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallSend>,
    /// What Plivo reported.
    #[serde(flatten)]
    pub delivery: Delivery,
}

/// All that is kept about a phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    #[serde(default)]
    version: Option<String>,
    /// What is counted for everybody without a device token.
    #[serde(default)]
    pub shared: PhoneLimits,
    /// Times of the code messages while the phone had no user, oldest first.
    #[serde(default)]
    pub unconfirmed_sends: Vec<Timestamp>,
    /// When a right code last came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified: Option<Timestamp>,
    /// The devices. Always written, so that an expression can set one.
    #[serde(default)]
    pub devices: BTreeMap<DeviceSlot, Device>,
    /// The last sends, by id. Always written, so that a report's condition can look into it.
    #[serde(default)]
    pub sends: BTreeMap<String, CodeSend>,
    /// What has happened, oldest first.
    #[serde(default)]
    pub events: Vec<PhoneEvent>,
    /// The challenges.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challenges: BTreeMap<ChallengeKey, Challenge>,
}

impl PhoneRecord {
    /// What is counted for a device; for one that is not kept any more, what is counted for everybody.
    pub fn limits(&mut self, device: Option<DeviceSlot>) -> &mut PhoneLimits {
        match device.and_then(|slot| self.devices.get_mut(&slot)) {
            Some(device) => &mut device.limits,
            None => &mut self.shared,
        }
    }

    /// Clears what is counted for everybody without a device token, so that the phone may start, and enter codes and passwords, at once. What
    /// devices and live challenges count stays.
    pub fn clear_limits(&mut self) {
        self.shared = PhoneLimits::default();
        self.unconfirmed_sends.clear();
    }

    /// Adds a send, in place of the oldest where there are enough.
    pub fn add_send(&mut self, id: &str, send: CodeSend) {
        self.sends.insert(id.to_owned(), send);
        while self.sends.len() > MAX_SENDS {
            let oldest = self.sends.iter().min_by_key(|(_, send)| send.at).map(|(id, _)| id.clone());
            self.sends.retain(|id, _| Some(id) != oldest.as_ref());
        }
    }

    /// Adds an event, in place of the oldest where there are enough.
    pub fn add_event(&mut self, event: PhoneEvent) {
        self.events.push(event);
        self.events.drain(..self.events.len().saturating_sub(MAX_EVENTS.into()));
    }

    /// The carrier of the last message that went out for a flow, if a report has named it.
    fn carrier(&self, flow: Flow) -> Option<String> {
        let sent = self.sends.values().filter(|send| send.sent && send.flow == flow);
        let parts = &sent.max_by_key(|send| send.at)?.delivery.parts;
        parts.values().find_map(|part| part.carrier.clone())
    }

    /// When TTL may remove the item: not before `expires`, and later where something in it counts for longer.
    fn expires(&self, expires: Timestamp) -> Timestamp {
        let devices = self.devices.values().map(|device| device.since.plus(DEVICE_LIFE));
        let wrong = self.shared.wrong_passwords.iter().map(|(time, _)| time.plus(WRONG_PASSWORDS_RETENTION));
        let events = self.events.last().map(|event| event.at.plus(EVENTS_RETENTION));
        devices.chain(wrong).chain(events).fold(expires, Timestamp::max)
    }
}

impl Versioned for PhoneRecord {
    const TABLE: &'static str = "phones";

    fn version(&mut self) -> &mut Option<String> {
        &mut self.version
    }
}

/// An attempt to enter a code, which is counted.
#[derive(Debug)]
pub struct Attempt {
    /// The attempt's id.
    pub id: String,
    /// The challenge as it stood then.
    pub challenge: Challenge,
    /// The carrier that has reported the code's message, if any has.
    pub carrier: Option<String>,
    by: String,
    devices: BTreeMap<DeviceSlot, Device>,
}

impl Attempt {
    /// Where a new device goes: into a free slot, or in place of the oldest. (One that logs in again keeps its own.)
    fn slot(&self) -> DeviceSlot {
        let age = |number: &u8| self.devices.get(&DeviceSlot(*number)).map(|device| device.since);
        DeviceSlot((1..=MAX_DEVICES).min_by_key(age).unwrap_or(1))
    }
}

/// An attempt for which there is no live challenge.
#[derive(Debug)]
pub struct NotCounted {
    /// What stands in the challenge's place, if anything.
    pub found: Option<Challenge>,
    /// What has happened to the phone.
    pub events: Vec<PhoneEvent>,
}

/// A right code that is to be redeemed.
#[derive(Debug, Clone, Copy)]
pub struct VerifiedCode<'a> {
    /// The phone that it went to.
    pub phone: PhoneKey,
    /// Which of its challenges.
    pub key: ChallengeKey,
    /// The attempt that entered it.
    pub attempt: &'a Attempt,
    /// The id of a new device that it was entered on. Of two logins at once, one may replace the other's: then that token counts for nothing.
    pub device: Option<&'a str>,
}

/// Appends to the events. Between two starts, which keep the last of them, only a few codes can be entered.
const ADD_EVENT: &str = "events = list_append(if_not_exists(events, :none), :event)";

/// An event as a list of one.
fn new_events(event: PhoneEvent) -> serde_dynamo::Result<AttributeValue> {
    to_attribute_value([event])
}

/// The phones table.
#[derive(Debug, Clone)]
pub struct Phones {
    pub(super) table: Table,
}

impl Phones {
    /// What is kept about the phone now (strongly consistent); an empty record for an unknown one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, phone: PhoneKey) -> Result<PhoneRecord, StoreError> {
        optimistic::read(self.table.get(&phone.id(), Consistency::Strong).await?)
    }

    /// Lets `decide` change `record` and writes it with optimistic locking. `expires` is when TTL may remove the item at the earliest.
    ///
    /// # Errors
    /// [`StoreError`]; `Throttled` when races do not end.
    pub async fn update<T, E>(
        &self,
        phone: PhoneKey,
        record: PhoneRecord,
        expires: Timestamp,
        decide: impl FnMut(&mut PhoneRecord) -> Result<T, E>,
    ) -> Result<Result<(T, PhoneRecord), E>, StoreError> {
        let expires = |record: &PhoneRecord| Some(record.expires(expires));
        optimistic::update(&self.table, &phone.id(), record, expires, decide).await
    }

    /// Forgets the phone's devices: their tokens count for nothing from then on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_devices(&self, phone: PhoneKey, now: Timestamp) -> Result<(), StoreError> {
        self.forget(phone, now, |record| record.devices.clear()).await
    }

    /// Clears what is counted for everybody without a device token ([`PhoneRecord::clear_limits`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear_limits(&self, phone: PhoneKey, now: Timestamp) -> Result<(), StoreError> {
        self.forget(phone, now, PhoneRecord::clear_limits).await
    }

    /// Forgets the devices of a phone whose user has changed or is gone, and its challenges that expire by then: a code that was asked for
    /// after the change stays good. The limits stay.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_devices_and_codes(
        &self,
        phone: PhoneKey,
        expired_by: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let forget = |record: &mut PhoneRecord| {
            record.devices.clear();
            record.challenges.retain(|_, challenge| challenge.expires > expired_by);
        };
        self.forget(phone, now, forget).await
    }

    async fn forget(
        &self,
        phone: PhoneKey,
        now: Timestamp,
        change: impl Fn(&mut PhoneRecord),
    ) -> Result<(), StoreError> {
        let record = self.get(phone).await?;
        let mut changed = record.clone();
        change(&mut changed);
        if changed == record {
            return Ok(());
        }
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        // A day longer than any code lives, as after a start.
        let expires = now.plus(2 * WRONG_CODES_RETENTION);
        self.update(phone, record, expires, decide).await.map(drop)
    }

    /// Counts one attempt to enter a code, before anybody compares it: on condition that the challenge is there, is not redeemed, has not
    /// expired and has attempts left. [`NotCounted`] when one of these does not hold. `by`: who enters it, for the event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_attempt(
        &self,
        phone: PhoneKey,
        key: ChallengeKey,
        challenge: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Result<Attempt, NotCounted>, StoreError> {
        let id = identifier::random();
        let entered = PhoneAction::Entered { flow: key.flow, attempt: short_id(&id) };
        let event = new_events(PhoneEvent { at: now, by: by.to_owned(), what: entered });
        let event = event.map_err(|error| StoreError::malformed("phones", error))?;
        let changes = "SET challenges.#key.attempts.#attempt = :now, #version = :attempt, ".to_owned() + ADD_EVENT;
        let update = self
            .table
            .update(&phone.id(), &changes)
            // Nothing is written a second time where a response was lost: the version would be set back, and others have read it.
            .condition_expression(
                "challenges.#key.id = :challenge AND challenges.#key.expires > :now \
                 AND attribute_not_exists(challenges.#key.redeemed_by) \
                 AND size(challenges.#key.attempts) < challenges.#key.max_attempts \
                 AND attribute_not_exists(challenges.#key.attempts.#attempt)",
            )
            .set_expression_attribute_names(names([
                ("#key", &String::from(key)),
                ("#attempt", &id),
                ("#version", "version"),
            ]))
            .set_expression_attribute_values(values([
                (":attempt", text(&id)),
                (":now", number(now.as_millis())),
                (":challenge", text(challenge)),
                (":event", event),
                (":none", AttributeValue::L(Vec::new())),
            ]))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (written, item) = match write(|| update.clone().send()).await? {
            Written::Done(output) => (true, output.attributes),
            Written::ConditionFailed(found) => (false, Some(found).filter(|found| !found.is_empty())),
        };
        let mut record: PhoneRecord = optimistic::read(item)?;
        Ok(match record.challenges.remove(&key) {
            Some(challenge) if written || challenge.attempts.contains_key(&id) => {
                let carrier = record.carrier(key.flow);
                Ok(Attempt { id, challenge, carrier, by: by.to_owned(), devices: record.devices })
            }
            found => Err(NotCounted { found, events: record.events }),
        })
    }

    /// Adds an event to a phone that is known, while there is room for one: until the next start there is for twice as many as are kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, phone: PhoneKey, event: PhoneEvent) -> Result<(), StoreError> {
        let event = new_events(event).map_err(|error| StoreError::malformed("phones", error))?;
        let update = self
            .table
            .update(&phone.id(), format!("SET #version = :version, {ADD_EVENT}"))
            .condition_expression(
                "attribute_exists(#version) AND (attribute_not_exists(events) OR size(events) < :max)",
            )
            .set_expression_attribute_names(names([("#version", "version")]))
            .set_expression_attribute_values(values([
                (":version", text(identifier::random())),
                (":event", event),
                (":none", AttributeValue::L(Vec::new())),
                (":max", number(2 * i64::from(MAX_EVENTS))),
            ]));
        write(|| update.clone().send()).await.map(drop)
    }

    /// Records a report about a part of a send: on condition that the phone has this send, and no report of the part with as high a sequence.
    /// Returns the send before and after it; `None` when the condition does not hold, and nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_report(
        &self,
        phone: PhoneKey,
        send: &str,
        report: &Report,
    ) -> Result<Option<(CodeSend, CodeSend)>, StoreError> {
        let (number, count) = report.part;
        let part = to_attribute_value(&report.content).map_err(|error| StoreError::malformed("phones", error))?;
        let update = self
            .table
            .update(
                &phone.id(),
                "SET sends.#send.parts.#part = :part, sends.#send.part_count = :count, #version = :version",
            )
            .condition_expression(
                "attribute_exists(sends.#send) AND (attribute_not_exists(sends.#send.parts.#part) \
                 OR sends.#send.parts.#part.#sequence < :sequence)",
            )
            .set_expression_attribute_names(names([
                ("#send", send),
                ("#part", &number.to_string()),
                ("#sequence", "sequence"),
                ("#version", "version"),
            ]))
            .set_expression_attribute_values(values([
                (":part", part),
                (":count", super::number(count.into())),
                (":sequence", super::number(report.content.sequence.into())),
                (":version", text(identifier::random())),
            ]))
            .return_values(ReturnValue::AllOld);
        let Written::Done(output) = write(|| update.clone().send()).await? else { return Ok(None) };
        let before = optimistic::read::<PhoneRecord>(output.attributes)?.sends.remove(send);
        Ok(before.map(|before| {
            let after = CodeSend { delivery: before.delivery.after(report), ..before.clone() };
            (before, after)
        }))
    }

    /// Binds a send to the call that asks what to say, on condition that it is a call that was made, has not expired and is bound to no other. `answered`:
    /// what is reported of it, on condition that no later report is there. Returns the phone's record as it is then; `None` when a condition does
    /// not hold, and nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bind_call(
        &self,
        phone: PhoneKey,
        send: &str,
        answered: &Part,
    ) -> Result<Option<PhoneRecord>, StoreError> {
        let condition = "sends.#send.sent = :true AND sends.#send.#call.expires > :now \
                         AND (attribute_not_exists(sends.#send.#call.#uuid) OR sends.#send.#call.#uuid = :uuid)";
        let more = [
            (":true", AttributeValue::Bool(true)),
            (":now", super::number(answered.at.as_millis())),
            // The same call may ask again.
            (":below", super::number((answered.sequence + 1).into())),
        ];
        let change = "SET sends.#send.#call.#uuid = :uuid, ";
        self.report_call((phone, send), answered, (change, condition), more.into()).await
    }

    /// Records how a call ended, on condition that no report as late is there, and that the send is bound to this call; or, if nothing `was_said`, to
    /// no other. Returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_call(&self, phone: PhoneKey, send: &str, end: &Part, was_said: bool) -> Result<bool, StoreError> {
        let condition = if was_said {
            "sends.#send.#call.#uuid = :uuid"
        } else {
            "attribute_exists(sends.#send.#call) \
             AND (attribute_not_exists(sends.#send.#call.#uuid) OR sends.#send.#call.#uuid = :uuid)"
        };
        let more = [(":below", super::number(end.sequence.into()))];
        Ok(self.report_call((phone, send), end, ("SET ", condition), more.into()).await?.is_some())
    }

    /// Writes a report of a call with another change, on another condition and that no report is there from `:below` on.
    async fn report_call(
        &self,
        (phone, send): (PhoneKey, &str),
        report: &Part,
        (change, condition): (&str, &str),
        more: Vec<(&str, AttributeValue)>,
    ) -> Result<Option<PhoneRecord>, StoreError> {
        let part = to_attribute_value(report).map_err(|error| StoreError::malformed("phones", error))?;
        let parts = "sends.#send.parts.#part = :part, sends.#send.part_count = :count, #version = :version";
        let forward = "(attribute_not_exists(sends.#send.parts.#part) OR sends.#send.parts.#part.#sequence < :below)";
        let own = [
            (":uuid", text(&report.uuid)),
            (":part", part),
            (":count", super::number(1)),
            (":version", text(identifier::random())),
        ];
        let all = own.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
        let update = self
            .table
            .update(&phone.id(), format!("{change}{parts}"))
            .condition_expression(format!("{condition} AND {forward}"))
            .set_expression_attribute_names(names([
                ("#send", send),
                ("#call", "call"),
                ("#uuid", "uuid"),
                ("#part", "1"),
                ("#sequence", "sequence"),
                ("#version", "version"),
            ]))
            .set_expression_attribute_values(Some(all))
            .return_values(ReturnValue::AllNew);
        let Written::Done(output) = write(|| update.clone().send()).await? else { return Ok(None) };
        Ok(Some(optimistic::read(output.attributes)?))
    }

    /// Whether this very attempt redeemed the code: what became of a transaction whose response was lost for good.
    pub(super) async fn was_redeemed(&self, code: VerifiedCode<'_>) -> Result<bool, StoreError> {
        let challenge = self.get(code.phone).await?.challenges.remove(&code.key);
        Ok(challenge.is_some_and(|challenge| challenge.redeemed_by.as_ref() == Some(&code.attempt.id)))
    }

    /// The part of a transaction that redeems the code, and keeps the device that it was entered on: on condition that the challenge is there,
    /// has not expired and is not redeemed.
    pub(super) fn redeem(&self, code: VerifiedCode<'_>, now: Timestamp) -> Result<TransactWriteItem, BuildError> {
        let VerifiedCode { phone, key, attempt, device } = code;
        let slot = key.device.unwrap_or_else(|| attempt.slot());
        let redeemed = PhoneAction::Redeemed { flow: key.flow, attempt: short_id(&attempt.id) };
        let event = new_events(PhoneEvent { at: now, by: attempt.by.clone(), what: redeemed });
        let mut names = HashMap::from([("#key".to_owned(), key.into()), ("#version".to_owned(), "version".to_owned())]);
        let mut values = HashMap::from([
            (":attempt".to_owned(), text(&attempt.id)),
            (":challenge".to_owned(), text(&attempt.challenge.id)),
            // As long as a device may be kept.
            (":expires".to_owned(), number(now.plus(DEVICE_LIFE).as_seconds())),
            (":version".to_owned(), text(identifier::random())),
            (":now".to_owned(), number(now.as_millis())),
            (":event".to_owned(), event.map_err(BuildError::other)?),
            (":none".to_owned(), AttributeValue::L(Vec::new())),
        ]);
        let mut changes = "SET challenges.#key.redeemed_by = :attempt, expires_at = :expires, #version = :version, "
            .to_owned()
            + ADD_EVENT;
        // A fixed code proves no phone.
        if !attempt.challenge.test {
            changes += ", last_verified = :now";
        }
        if let Some(id) = device {
            let device = Device { id: id.to_owned(), since: now, limits: PhoneLimits::default() };
            changes += ", devices.#slot = :device";
            names.insert("#slot".to_owned(), slot.into());
            values.insert(":device".to_owned(), to_attribute_value(device).map_err(BuildError::other)?);
        }
        let condition = "challenges.#key.id = :challenge AND challenges.#key.expires > :now \
                         AND attribute_not_exists(challenges.#key.redeemed_by)";
        let expression = format!("{changes} REMOVE challenges.#key.code");
        self.table.change(&phone.id(), (&expression, condition), Some(names), Some(values))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::future::join_all;

    use super::super::Store;
    use super::super::delivery::DeliveryState;
    use super::super::table::Transacted;
    use super::super::tests::{CHALLENGE, CHALLENGE_LIFE, Fault, NOW, PHONE, after, attempt, issue, start};
    use super::*;

    const DAY: u64 = 86_400;

    fn code<'a>(attempt: &'a Attempt, device: &'a str) -> VerifiedCode<'a> {
        VerifiedCode { phone: PHONE, key: Flow::Login.into(), attempt, device: Some(device) }
    }

    async fn redeem(store: &Store, attempt: &Attempt, device: &str, now: Timestamp) -> bool {
        let write = store.phones.redeem(code(attempt, device), now).map(|write| vec![write]);
        store.phones.table.transact(write).await.unwrap() == Transacted::Done
    }

    async fn change(store: &Store, record: PhoneRecord, mut change: impl FnMut(&mut PhoneRecord)) {
        let decide = |record: &mut PhoneRecord| {
            change(record);
            Ok::<_, Infallible>(())
        };
        store.phones.update(PHONE, record, after(DAY), decide).await.unwrap().unwrap();
    }

    async fn expires_at(store: &Store) -> Option<super::super::AttributeValue> {
        store.phones.table.get(&PHONE.id(), Consistency::Strong).await.unwrap().unwrap().remove("expires_at")
    }

    #[tokio::test]
    async fn no_attempt_begins_where_there_is_no_live_challenge() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 1).await;
        let before = store.phones.get(PHONE).await.unwrap();
        let last = after(CHALLENGE_LIFE);
        for (case, phone, flow, challenge, now) in [
            ("unknown phone", PhoneKey([0; 8]), Flow::Login, CHALLENGE, NOW),
            ("unknown challenge", PHONE, Flow::Login, "another", NOW),
            ("another flow", PHONE, Flow::Register, CHALLENGE, NOW),
            ("another flow of users", PHONE, Flow::SecondFactor, CHALLENGE, NOW),
            ("expired", PHONE, Flow::Login, CHALLENGE, last),
        ] {
            let begun = store.phones.begin_attempt(phone, flow.into(), challenge, "network a", now).await.unwrap();
            assert!(begun.is_err(), "{case}");
            assert_eq!(store.phones.get(PHONE).await.unwrap(), before, "{case}");
            assert_eq!(store.phones.get(PhoneKey([0; 8])).await.unwrap(), PhoneRecord::default(), "{case}");
        }
        let almost = Timestamp::from_millis(last.as_millis() - 1);
        assert!(
            store
                .phones
                .begin_attempt(PHONE, Flow::Login.into(), CHALLENGE, "network a", almost)
                .await
                .unwrap()
                .is_ok()
        );
        assert!(
            store.phones.begin_attempt(PHONE, Flow::Login.into(), CHALLENGE, "network a", NOW).await.unwrap().is_err(),
            "none left"
        );
    }

    /// What a change ends is ended after its answer, when the next login may have begun. Found by the SDK's tests: its code was lost.
    #[tokio::test]
    async fn a_change_ends_the_codes_that_were_asked_for_before_it_and_no_later_one() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 1).await;
        let later = after(CHALLENGE_LIFE + 1);
        change(&store, store.phones.get(PHONE).await.unwrap(), |record| {
            let challenge = record.challenges[&ChallengeKey::from(Flow::Login)].clone();
            record.challenges.insert(Flow::SecondFactor.into(), Challenge { expires: later, ..challenge });
        })
        .await;
        store.phones.forget_devices_and_codes(PHONE, after(CHALLENGE_LIFE), NOW).await.unwrap();
        let left = store.phones.get(PHONE).await.unwrap().challenges;
        assert_eq!(left.keys().map(|key| key.flow).collect::<Vec<_>>(), [Flow::SecondFactor]);
    }

    #[tokio::test]
    async fn no_attempt_begins_on_a_redeemed_code() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        assert!(redeem(&store, &attempt(&store, Flow::Login).await, "home", NOW).await);
        assert!(
            store.phones.begin_attempt(PHONE, Flow::Login.into(), CHALLENGE, "network a", NOW).await.unwrap().is_err()
        );
    }

    #[tokio::test]
    async fn an_attempt_is_stored_before_anybody_sees_the_code() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let attempt = attempt(&store, Flow::Login).await;
        assert_eq!(attempt.challenge.code.as_deref(), Some("sealed"));
        assert_eq!(attempt.challenge.attempts, [(attempt.id.clone(), NOW)].into());
        assert_eq!(
            store.phones.get(PHONE).await.unwrap().challenges.get(&Flow::Login.into()),
            Some(&attempt.challenge)
        );
    }

    #[tokio::test]
    async fn an_attempt_whose_response_is_lost_counts_once_even_if_it_is_the_last() {
        for max_attempts in [1, 5] {
            let (store, http) = start().await;
            issue(&store, Flow::Login, max_attempts).await;
            http.take_calls();
            http.spoil("UpdateItem", Fault::LoseResponse, 2);
            assert_eq!(attempt(&store, Flow::Login).await.challenge.attempts.len(), 1);
            assert_eq!(http.take_calls().len(), 3);
        }
    }

    /// Found by a review: the retry set the version back to one that had been read, so what was written in between could be erased.
    #[tokio::test]
    async fn an_attempt_whose_response_is_lost_brings_no_version_back() {
        let (store, http) = start().await;
        issue(&store, Flow::Login, 5).await;
        http.spoil("UpdateItem", Fault::HoldResponse, 1);
        let begin = attempt(&store, Flow::Login);
        let (attempt, stale) = tokio::join!(begin, async {
            http.held.notified().await;
            let stale = store.phones.get(PHONE).await.unwrap();
            change(&store, stale.clone(), |record| record.unconfirmed_sends.push(NOW)).await;
            http.released.notify_one();
            stale
        });
        change(&store, stale, |record| record.unconfirmed_sends.push(NOW)).await;
        let record = store.phones.get(PHONE).await.unwrap();
        assert_eq!((record.unconfirmed_sends.len(), attempt.challenge.attempts.len()), (2, 1));
        assert_eq!(record.challenges[&Flow::Login.into()].attempts, attempt.challenge.attempts);
    }

    #[tokio::test]
    async fn of_attempts_at_once_no_more_begin_than_are_left() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 3).await;
        let begin = || store.phones.begin_attempt(PHONE, Flow::Login.into(), CHALLENGE, "network a", NOW);
        let begun = join_all((0..8).map(|_| begin())).await;
        assert_eq!(begun.into_iter().filter(|begun| matches!(begun, Ok(Ok(_)))).count(), 3);
    }

    #[tokio::test]
    async fn an_attempt_or_a_redemption_is_not_overwritten_by_what_was_decided_before_it() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let before_attempt = store.phones.get(PHONE).await.unwrap();
        let attempt = attempt(&store, Flow::Login).await;
        let before_redemption = store.phones.get(PHONE).await.unwrap();
        change(&store, before_attempt, |record| record.unconfirmed_sends.push(NOW)).await;
        assert!(redeem(&store, &attempt, "home", NOW).await);
        change(&store, before_redemption, |record| record.unconfirmed_sends.push(NOW)).await;
        let record = store.phones.get(PHONE).await.unwrap();
        let challenge = &record.challenges[&Flow::Login.into()];
        assert_eq!((record.unconfirmed_sends.len(), challenge.attempts.len()), (2, 1));
        assert_eq!(challenge.redeemed_by.as_ref(), Some(&attempt.id));
    }

    #[tokio::test]
    async fn a_code_is_not_redeemed_where_its_challenge_is_gone_expired_or_redeemed() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let (first, second) = (attempt(&store, Flow::Login).await, attempt(&store, Flow::Login).await);
        assert!(!redeem(&store, &first, "home", after(CHALLENGE_LIFE)).await, "expired");
        assert!(!store.phones.was_redeemed(code(&first, "home")).await.unwrap());
        assert!(redeem(&store, &first, "home", NOW).await);
        let redeemed = store.phones.get(PHONE).await.unwrap();
        assert!(!redeem(&store, &first, "home", NOW).await, "redeemed");
        assert!(!redeem(&store, &second, "elsewhere", NOW).await, "redeemed by another attempt");
        assert_eq!(store.phones.get(PHONE).await.unwrap(), redeemed);
        assert!(store.phones.was_redeemed(code(&first, "home")).await.unwrap());
        assert!(!store.phones.was_redeemed(code(&second, "elsewhere")).await.unwrap());
        change(&store, redeemed, |record| {
            record.challenges.get_mut(&Flow::Login.into()).unwrap().id = "replaced".to_owned()
        })
        .await;
        assert!(!redeem(&store, &second, "elsewhere", NOW).await, "replaced");
    }

    #[tokio::test]
    async fn of_two_that_redeem_at_once_one_wins() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        let (one, two) = (attempt(&store, Flow::Login).await, attempt(&store, Flow::Login).await);
        let (one, two) = tokio::join!(redeem(&store, &one, "home", NOW), redeem(&store, &two, "work", NOW));
        assert!(one != two, "{one} {two}");
    }

    #[tokio::test]
    async fn what_a_right_code_proves_is_kept_and_the_code_is_not() {
        let (store, _) = start().await;
        issue(&store, Flow::Login, 5).await;
        assert!(redeem(&store, &attempt(&store, Flow::Login).await, "home", after(1)).await);
        let record = store.phones.get(PHONE).await.unwrap();
        assert_eq!(record.challenges[&Flow::Login.into()].code, None);
        assert_eq!(record.last_verified, Some(after(1)));
        let devices: Vec<_> = record.devices.into_values().map(|device| (device.id, device.since)).collect();
        assert_eq!(devices, [("home".to_owned(), after(1))]);
        assert_eq!(expires_at(&store).await, Some(number(after(1).plus(DEVICE_LIFE).as_seconds())));
    }

    #[tokio::test]
    async fn the_last_five_devices_are_kept_and_none_where_nobody_asked() {
        let (store, _) = start().await;
        for (second, device) in (0..).zip(["a", "b", "c", "d", "e", "f"]) {
            issue(&store, Flow::Login, 5).await;
            assert!(redeem(&store, &attempt(&store, Flow::Login).await, device, after(second)).await);
        }
        let devices = store.phones.get(PHONE).await.unwrap().devices;
        assert_eq!(devices.values().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["f", "b", "c", "d", "e"]);
        issue(&store, Flow::Login, 5).await;
        let attempt = attempt(&store, Flow::Login).await;
        let code = VerifiedCode { device: None, ..code(&attempt, "") };
        let write = store.phones.redeem(code, NOW).map(|write| vec![write]);
        assert_eq!(store.phones.table.transact(write).await.unwrap(), Transacted::Done);
        assert_eq!(store.phones.get(PHONE).await.unwrap().devices, devices);
    }

    #[tokio::test]
    async fn an_item_is_kept_for_as_long_as_something_in_it_counts() {
        let device = Device { id: "home".to_owned(), since: NOW, limits: PhoneLimits::default() };
        let devices = BTreeMap::from([(DeviceSlot(1), device)]);
        let shared = PhoneLimits { wrong_passwords: vec![(NOW, "a".to_owned())], ..Default::default() };
        let cases = [
            ("starts", PhoneRecord::default(), after(DAY)),
            ("verified", PhoneRecord { last_verified: Some(NOW), ..Default::default() }, after(DAY)),
            ("devices", PhoneRecord { devices, ..Default::default() }, after(180 * DAY)),
            ("wrong passwords", PhoneRecord { shared, ..Default::default() }, after(30 * DAY)),
        ];
        for (case, record, expires) in cases {
            let (store, _) = start().await;
            change(&store, record, |_| ()).await;
            assert_eq!(expires_at(&store).await, Some(number(expires.as_seconds())), "{case}");
        }
    }

    /// The forms in storage: a slot and a challenge's key are keys of maps.
    #[test]
    fn keys_of_challenges_and_devices_are_read_as_they_are_written() {
        for (key, text) in [
            (Flow::SecondFactor.into(), "second_factor"),
            (ChallengeKey { flow: Flow::Login, device: DeviceSlot::new(5) }, "login#5"),
        ] {
            assert_eq!(String::from(key), text);
            assert_eq!(ChallengeKey::try_from(text.to_owned()), Ok(key));
        }
        for text in ["", "other", "login#0", "login#6", "login#", "login#1#1"] {
            assert!(ChallengeKey::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    fn report(sequence: u32, state: DeliveryState, part: (u8, u8)) -> Report {
        let (uuid, error) = (format!("uuid {}", part.0), state.is_failure().then(|| "80".to_owned()));
        Report { part, content: Part { uuid, state, sequence, error, carrier: None, at: NOW } }
    }

    fn code_send(at: Timestamp) -> CodeSend {
        let (flow, channel, delivery) = (Flow::Login, Channel::Sms, Delivery::default());
        CodeSend { at, flow, channel, sent: true, tells_state: true, offers_call: false, call: None, delivery }
    }

    async fn add_send(store: &Store, id: &str, at: Timestamp) {
        let record = store.phones.get(PHONE).await.unwrap();
        let send = code_send(at);
        change(store, record, |record| record.add_send(id, send.clone())).await;
    }

    #[tokio::test]
    async fn a_report_of_an_unknown_send_or_a_late_one_changes_nothing() {
        let (store, _) = start().await;
        let sent = report(2, DeliveryState::Sent, (1, 1));
        assert_eq!(store.phones.record_report(PHONE, "send", &sent).await.unwrap(), None, "no phone");
        add_send(&store, "send", NOW).await;
        assert_eq!(store.phones.record_report(PHONE, "another", &sent).await.unwrap(), None, "no send");
        let delivered = report(3, DeliveryState::Delivered, (1, 1));
        let (before, after) = store.phones.record_report(PHONE, "send", &delivered).await.unwrap().unwrap();
        assert_eq!((before.delivery.state(), after.delivery.state()), (None, Some(DeliveryState::Delivered)));
        let before = store.phones.get(PHONE).await.unwrap();
        assert_eq!(before.sends["send"], after);
        for late in [report(1, DeliveryState::Queued, (1, 1)), sent, delivered] {
            assert_eq!(store.phones.record_report(PHONE, "send", &late).await.unwrap(), None);
        }
        assert_eq!(store.phones.get(PHONE).await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_report_is_one_write_and_a_start_at_the_same_time_loses_none() {
        let (store, http) = start().await;
        add_send(&store, "send", NOW).await;
        let record = store.phones.get(PHONE).await.unwrap();
        http.take_calls();
        let undelivered = report(3, DeliveryState::Undelivered, (2, 2));
        store.phones.record_report(PHONE, "send", &undelivered).await.unwrap().unwrap();
        assert_eq!(http.take_calls(), ["UpdateItem"]);
        // A start that has read the item before.
        change(&store, record, |record| record.unconfirmed_sends.push(NOW)).await;
        let record = store.phones.get(PHONE).await.unwrap();
        assert_eq!(record.unconfirmed_sends, [NOW]);
        assert_eq!(record.sends["send"].delivery.failure(), Some(&undelivered.content));
    }

    fn answered_by(uuid: &str, at: Timestamp) -> Part {
        Part { uuid: uuid.to_owned(), ..report_at(1, DeliveryState::Sent, at) }
    }

    fn report_at(sequence: u32, state: DeliveryState, at: Timestamp) -> Part {
        Part { at, ..report(sequence, state, (1, 1)).content }
    }

    async fn add_call(store: &Store, id: &str, sent: bool) {
        let call =
            CallSend { challenge: CHALLENGE.to_owned(), expires: after(60), language: "en".to_owned(), uuid: None };
        let send = CodeSend { channel: Channel::Voice, call: Some(call), sent, ..code_send(NOW) };
        let record = store.phones.get(PHONE).await.unwrap();
        change(store, record, |record| record.add_send(id, send.clone())).await;
    }

    #[tokio::test]
    async fn no_call_is_bound_to_what_is_not_one_or_has_ended() {
        let (store, _) = start().await;
        assert_eq!(store.phones.bind_call(PHONE, "call", &answered_by("a", NOW)).await.unwrap(), None, "no phone");
        add_send(&store, "sms", NOW).await;
        add_call(&store, "decoy", false).await;
        add_call(&store, "call", true).await;
        add_call(&store, "ended", true).await;
        let ended = Report { part: (1, 1), content: report_at(2, DeliveryState::Undelivered, NOW) };
        store.phones.record_report(PHONE, "ended", &ended).await.unwrap().unwrap();
        let before = store.phones.get(PHONE).await.unwrap();
        for (send, at) in [("sms", NOW), ("decoy", NOW), ("another", NOW), ("ended", NOW), ("call", after(60))] {
            assert_eq!(store.phones.bind_call(PHONE, send, &answered_by("a", at)).await.unwrap(), None, "{send}");
        }
        assert_eq!(store.phones.get(PHONE).await.unwrap(), before);
    }

    #[tokio::test]
    async fn of_calls_at_once_one_is_bound_and_may_ask_again() {
        let (store, http) = start().await;
        add_call(&store, "call", true).await;
        http.take_calls();
        let ask = async |uuid: &str| store.phones.bind_call(PHONE, "call", &answered_by(uuid, NOW)).await.unwrap();
        let bound = join_all(["a", "b", "c"].map(ask)).await;
        assert_eq!(http.take_calls(), ["UpdateItem"; 3]);
        assert_eq!(bound.iter().flatten().count(), 1);
        let record = store.phones.get(PHONE).await.unwrap();
        let first = record.sends["call"].call.as_ref().and_then(|call| call.uuid.clone()).unwrap();
        assert_eq!(record.sends["call"].delivery.state(), Some(DeliveryState::Sent));
        for uuid in ["a", "b", "c"] {
            assert_eq!(ask(uuid).await.is_some(), uuid == first, "{uuid}");
        }
    }

    #[test]
    fn the_last_twenty_sends_are_kept() {
        let mut record = PhoneRecord::default();
        for second in (0..25).rev() {
            record.add_send(&second.to_string(), code_send(after(second)));
        }
        assert_eq!((record.sends.len(), record.sends.values().map(|send| send.at).min()), (20, Some(after(5))));
    }
}
