//! A message: its state at a time, its record as Plivo reports it, and what the phone shows.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::call::Ended;
use super::callback::Target;
use super::number::{Sender, international, mask};
use super::request::{Content, Kind, Log, Outgoing};
use super::response::uuid;
use super::text::Length;
use super::time;

/// The simulator's own choice: a message is sent this many milliseconds after its arrival, and delivered as many later.
const SENT_AFTER: i64 = 1_000;
const DELIVERED_AFTER: i64 = 1_000;

/// Plivo's errors ("Plivo: Error codes" page).
const BLOCKED_BY_STOP: u16 = 200;
const EXPIRED: u16 = 420;

/// The simulator's own prices per unit in hundred-thousandths of a dollar, close to those in the United States.
const SMS_RATE: usize = 550;
const MMS_RATE: usize = 1_600;

/// A message as the phone that received it shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    /// Plivo's `message_uuid`.
    pub id: String,
    /// The sender: a number with its `+`, an alphanumeric name, or `powerpack`.
    pub from: String,
    /// The number it went to, with its `+`.
    pub to: String,
    /// The full text, whatever Plivo was asked to log; of a call, what was spoken.
    pub text: String,
    /// `sms`, `mms` or `call`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Links to its media.
    pub media_urls: Vec<String>,
    /// `queued`, `sent`, `delivered`, `undelivered` or `failed`; `received` if a phone wrote it; of a call `in-progress`, `completed`, `busy`,
    /// `no-answer` or `failed`.
    pub state: &'static str,
    /// Epoch milliseconds of its arrival; of a call, when it was answered or given up.
    pub created: i64,
    /// Plivo's error if it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u16>,
}

impl InboxMessage {
    /// The phone that received or wrote it.
    pub(crate) fn phone(&self) -> &str {
        if self.is_from_phone() { &self.from } else { &self.to }
    }

    /// Whether a phone wrote it.
    pub(crate) fn is_from_phone(&self) -> bool {
        self.state == RECEIVED
    }
}

const RECEIVED: &str = "received";

/// What becomes of a message that Plivo has accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The phone receives it.
    #[default]
    Delivered,
    /// The carrier reports this error.
    Undelivered(u16),
    /// Plivo does not send it, with this error.
    Failed(u16),
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Direction {
    /// The application.
    #[default]
    Outbound,
    /// A phone.
    Inbound,
}

/// A change of a message's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Epoch milliseconds.
    pub(super) at: i64,
    pub(super) state: &'static str,
    pub(super) error: Option<u16>,
}

/// One message to one recipient, a message from a phone, or what was spoken in a call.
#[derive(Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) uuid: String,
    /// Digits only.
    pub(super) to: String,
    pub(super) created: i64,
    #[serde(serialize_with = "by_reference", deserialize_with = "shared")]
    content: Arc<Content>,
    #[serde(default)]
    direction: Direction,
    #[serde(default)]
    outcome: Outcome,
    /// How many milliseconds it waits at Plivo before it is sent.
    #[serde(default)]
    waits: i64,
    #[serde(default)]
    call: Option<Ended>,
}

fn by_reference<S: Serializer>(content: &Arc<Content>, serializer: S) -> Result<S::Ok, S::Error> {
    content.as_ref().serialize(serializer)
}

fn shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Content>, D::Error> {
    Content::deserialize(deserializer).map(Arc::new)
}

impl Message {
    /// The messages of one request, in the order of its recipients.
    pub(super) fn for_each_recipient(outgoing: Outgoing, created: i64, outcome: Outcome, waits: i64) -> Vec<Self> {
        let content = Arc::new(outgoing.content);
        let message = |to| Self { outcome, waits, ..Self::new(to, created, Arc::clone(&content)) };
        outgoing.recipients.into_iter().map(message).collect()
    }

    /// A message that a phone wrote. Both numbers are digits.
    pub(super) fn from_phone(from: &str, to: &str, text: &str, created: i64) -> Self {
        let content = Content::plain(Sender::Number(from.to_owned()), Kind::Sms, text.to_owned());
        Self { direction: Direction::Inbound, ..Self::new(to.to_owned(), created, Arc::new(content)) }
    }

    /// What was spoken in a call, which has this ID. Both numbers are digits.
    pub(super) fn of_call(uuid: &str, from: &str, to: &str, text: String, ended: Ended) -> Self {
        let content = Content::plain(Sender::Number(from.to_owned()), Kind::Call, text);
        let created = ended.answered.unwrap_or(ended.at);
        Self { uuid: uuid.to_owned(), call: Some(ended), ..Self::new(to.to_owned(), created, Arc::new(content)) }
    }

    fn new(to: String, created: i64, content: Arc<Content>) -> Self {
        let (direction, outcome) = (Direction::default(), Outcome::default());
        Self { uuid: uuid(), to, created, content, direction, outcome, waits: 0, call: None }
    }

    /// Lets the message fail, because the phone wants none from this sender.
    pub(super) fn block(&mut self) {
        self.outcome = Outcome::Failed(BLOCKED_BY_STOP);
    }

    /// The states of a message to a phone, oldest first.
    pub(super) fn steps(&self) -> Vec<Step> {
        let step = |at, state, error| Step { at, state, error };
        let (queued, sent) = (step(self.created, "queued", None), self.created + self.waits + SENT_AFTER);
        let expires = self.content.expiry.map(|seconds| self.created + seconds * 1_000);
        if let Some(expires) = expires.filter(|expires| *expires < sent) {
            return vec![queued, step(expires, "failed", Some(EXPIRED))];
        }
        let (last, error) = match self.outcome {
            Outcome::Failed(code) => return vec![queued, step(sent, "failed", Some(code))],
            Outcome::Undelivered(code) => ("undelivered", Some(code)),
            Outcome::Delivered => ("delivered", None),
        };
        vec![queued, step(sent, "sent", None), step(sent + DELIVERED_AFTER, last, error)]
    }

    /// The newest of [`Self::steps`] at a time. If the clock was set back, the message is queued again.
    fn step(&self, now: i64) -> Step {
        let steps = self.steps();
        let newest = steps.iter().rfind(|step| step.at <= now).or(steps.first());
        newest.copied().unwrap_or(Step { at: self.created, state: "queued", error: None })
    }

    /// The state at a time.
    pub(super) fn state(&self, now: i64) -> &'static str {
        match (&self.call, self.direction) {
            (Some(call), _) => call.state(now),
            (None, Direction::Inbound) => RECEIVED,
            (None, Direction::Outbound) => self.step(now).state,
        }
    }

    /// `sms`, `mms` or `call`.
    pub(super) fn kind(&self) -> &'static str {
        match self.content.kind {
            Kind::Sms => "sms",
            Kind::Mms => "mms",
            Kind::Call => "call",
        }
    }

    /// The call that it was.
    pub(super) fn call(&self) -> Option<&Ended> {
        self.call.as_ref()
    }

    /// Whether a phone wrote it.
    pub(super) fn is_inbound(&self) -> bool {
        self.direction == Direction::Inbound
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.content.text
    }

    /// Where its reports go.
    pub(super) fn callback(&self) -> Option<&Target> {
        self.content.callback.as_ref()
    }

    /// The sender as records show it. The simulator cannot know which number of a powerpack Plivo would pick.
    pub(super) fn sender_number(&self) -> Option<&str> {
        match &self.content.sender {
            Sender::Number(from) | Sender::Name(from) => Some(from),
            Sender::Powerpack(_) => None,
        }
    }

    /// The recipient as records show it: masked if the request asked Plivo not to log it.
    pub(super) fn recipient_number(&self) -> String {
        match self.content.log {
            Log::Everything | Log::NumberOnly => self.to.clone(),
            Log::Nothing | Log::ContentOnly => mask(&self.to),
        }
    }

    /// The powerpack that it was sent from.
    pub(super) fn powerpack_id(&self) -> Option<&str> {
        match &self.content.sender {
            Sender::Powerpack(id) => Some(id),
            Sender::Number(_) | Sender::Name(_) => None,
        }
    }

    /// `000` once it is delivered ("Plivo: The Message Object" page), or the error.
    pub(super) fn error_code(&self, now: i64) -> Option<String> {
        match self.step(now) {
            _ if self.is_inbound() => None,
            Step { error: Some(error), .. } => Some(error.to_string()),
            Step { state: "delivered", .. } => Some("000".to_owned()),
            Step { .. } => None,
        }
    }

    /// The number of units, and the price of one and of all, as Plivo writes them.
    pub(super) fn price(&self) -> (usize, String, String) {
        let (units, rate) = match self.content.kind {
            _ if self.is_inbound() => (Length::of(&self.content.text).units(), 0),
            Kind::Sms => (Length::of(&self.content.text).units(), SMS_RATE),
            Kind::Mms => (1, MMS_RATE),
            Kind::Call => (1, 0),
        };
        (units, dollars(rate), dollars(rate * units))
    }

    /// Plivo's record of the message, without the `api_id` that each response adds.
    pub(super) fn record(&self, auth_id: &str, now: i64) -> Value {
        let (units, rate, amount) = self.price();
        let dlt = &self.content.dlt;
        let sent = self.steps().into_iter().find(|step| step.state == "sent" && step.at <= now);
        json!({
            "message_uuid": self.uuid,
            "resource_uri": format!("/v1/Account/{auth_id}/Message/{}/", self.uuid),
            "from_number": self.sender_number(),
            "to_number": self.recipient_number(),
            "message_direction": if self.is_inbound() { "inbound" } else { "outbound" },
            "message_type": self.kind(),
            "message_state": self.state(now),
            "message_time": time::format(self.created),
            "message_sent_time": sent.filter(|_| !self.is_inbound()).map(|step| time::format(step.at)),
            "message_updated_time": time::format(if self.is_inbound() { self.created } else { self.step(now).at }),
            "units": units,
            "total_rate": rate,
            "total_amount": amount,
            "carrier_fees": dollars(0),
            "carrier_fees_rate": dollars(0),
            "error_code": self.error_code(now),
            "error_message": null,
            "powerpack_id": self.powerpack_id(),
            "requester_ip": "127.0.0.1",
            "is_domestic": null,
            "replaced_sender": null,
            "tendlc_campaign_id": null,
            "tendlc_registration_status": null,
            "destination_country_iso2": null,
            "destination_network": null,
            "dlt_entity_id": dlt.entity_id,
            "dlt_template_id": dlt.template_id,
            "dlt_template_category": dlt.template_category,
            "conversation_id": null,
            "conversation_origin": null,
            "conversation_expiration_timestamp": null,
            "log": match self.content.log {
                Log::Everything => "true",
                Log::Nothing => "false",
                Log::ContentOnly => "content_only",
                Log::NumberOnly => "number_only",
            },
        })
    }

    /// Plivo's list of the message's media. Links are never fetched, so the size is unknown.
    pub(super) fn media(&self) -> Vec<Value> {
        let object = |media: &super::request::Media| {
            json!({
                "content_type": content_type(&media.url),
                "media_id": media.id,
                "media_url": media.url,
                "message_uuid": self.uuid,
                "size": 0,
            })
        };
        self.content.media.iter().map(object).collect()
    }

    /// The message as the phone shows it.
    pub(super) fn for_inbox(&self, now: i64) -> InboxMessage {
        let from = match &self.content.sender {
            Sender::Number(number) => international(number),
            Sender::Name(name) => name.clone(),
            Sender::Powerpack(_) => "powerpack".to_owned(),
        };
        InboxMessage {
            id: self.uuid.clone(),
            from,
            to: international(&self.to),
            text: self.content.text.clone(),
            kind: self.kind(),
            media_urls: self.content.media.iter().map(|media| media.url.clone()).collect(),
            state: self.state(now),
            created: self.created,
            error_code: if self.call.is_none() && !self.is_inbound() { self.step(now).error } else { None },
        }
    }
}

/// Hundred-thousandths of a dollar, as Plivo writes amounts: `0.00550`.
pub(super) fn dollars(amount: usize) -> String {
    format!("{}.{:05}", amount / 100_000, amount % 100_000)
}

/// A guess from the file's name, since links are never fetched.
fn content_type(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    match path.rsplit('.').next().unwrap_or("").to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "mp4" => "video/mp4",
        "mp3" => "audio/mpeg",
        "pdf" => "application/pdf",
        "vcf" => "text/vcard",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(changes: Value) -> Message {
        let mut body = json!({"src": "14155550100", "dst": "14155550528", "text": "Your code is 123456"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        let outgoing = Outgoing::parse(body.as_object().unwrap()).unwrap();
        Message::for_each_recipient(outgoing, 10_000, Outcome::Delivered, 0).remove(0)
    }

    #[test]
    fn numbers_are_hidden_where_they_are_not_to_be_logged_but_never_in_the_inbox() {
        for (log, to) in [
            (json!(false), "141XXXXX528"),
            (json!("content_only"), "141XXXXX528"),
            (json!("number_only"), "14155550528"),
            (json!(true), "14155550528"),
        ] {
            let message = message(json!({"log": log}));
            let record = message.record("MA", 10_000);
            assert_eq!(record["to_number"], to, "{log}");
            assert!(!record.to_string().contains("123456"), "a record never holds the text");
            let shown = message.for_inbox(10_000);
            assert_eq!((shown.to.as_str(), shown.text.as_str()), ("+14155550528", "Your code is 123456"));
        }
    }

    #[test]
    fn states_follow_the_clock() {
        let message = message(json!({}));
        for (now, state) in [
            (0, "queued"),
            (10_000, "queued"),
            (10_999, "queued"),
            (11_000, "sent"),
            (11_999, "sent"),
            (12_000, "delivered"),
            (99_000, "delivered"),
        ] {
            assert_eq!(message.state(now), state, "{now}");
        }
        let queued = message.record("MA", 10_000);
        assert_eq!((&queued["error_code"], &queued["message_sent_time"]), (&Value::Null, &Value::Null));
        let delivered = message.record("MA", 12_000);
        assert_eq!(delivered["error_code"], "000");
        assert_eq!(delivered["message_sent_time"], "1970-01-01 00:00:11.000000+00:00");
        assert_eq!(delivered["message_updated_time"], "1970-01-01 00:00:12.000000+00:00");
    }

    #[test]
    fn a_message_that_waits_beyond_its_expiry_fails_then() {
        let waiting = |waits| Message { waits, ..message(json!({"message_expiry": 60})) };
        let last = |message: &Message| message.steps().pop().map(|step| (step.at, step.state, step.error));
        assert_eq!(last(&waiting(59_001)), Some((70_000, "failed", Some(420))));
        assert_eq!(last(&waiting(59_000)), Some((71_000, "delivered", None)));
        let record = waiting(60_000).record("MA", 70_000);
        assert_eq!((&record["message_state"], &record["error_code"]), (&json!("failed"), &json!("420")));
        assert_eq!((&record["message_sent_time"], waiting(60_000).state(69_999)), (&Value::Null, "queued"));
    }

    #[test]
    fn a_message_of_an_earlier_version_s_file_is_read() {
        let line = r#"{"uuid":"5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46","to":"15550001111","created":1000,"content":{"sender":{"Number":"14155550100"},"kind":"Sms","text":"hello","media":[],"log":"Everything","dlt":{"entity_id":null,"template_id":null,"template_category":null}}}"#;
        let message: Message = serde_json::from_str(line).unwrap();
        assert_eq!((message.state(3_000), message.is_inbound(), message.callback()), ("delivered", false, None));
    }

    #[test]
    fn units_multiply_the_price() {
        let record = message(json!({"text": "a".repeat(400)})).record("MA", 0);
        assert_eq!(
            (&record["units"], &record["total_rate"], &record["total_amount"]),
            (&json!(3), &json!("0.00550"), &json!("0.01650"))
        );
    }

    #[test]
    fn senders_are_shown_as_people_know_them() {
        let powerpack = "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46";
        let pool = message(json!({"src": null, "powerpack_uuid": powerpack}));
        assert_eq!(pool.for_inbox(0).from, "powerpack");
        let record = pool.record("MA", 0);
        assert_eq!((&record["powerpack_id"], &record["from_number"]), (&json!(powerpack), &Value::Null));
        assert_eq!(message(json!({"src": "MyShop"})).for_inbox(0).from, "MyShop");
        assert_eq!(message(json!({})).for_inbox(0).from, "+14155550100");
    }

    #[test]
    fn the_inbox_shows_these_keys_in_this_order() {
        let message = message(json!({"type": "mms", "media_urls": ["https://example.com/cat.JPG?size=2"]}));
        let shown = serde_json::to_value(message.for_inbox(12_000)).unwrap();
        let expected = json!({
            "id": message.uuid, "from": "+14155550100", "to": "+14155550528", "text": "Your code is 123456", "type": "mms",
            "mediaUrls": ["https://example.com/cat.JPG?size=2"], "state": "delivered", "created": 10_000
        });
        assert_eq!(shown.to_string(), expected.to_string());
        assert_eq!(message.media()[0]["content_type"], "image/jpeg");
    }
}
