//! Checks a request to send a message by the rules of the "Plivo: Send a message" page. Errors are in Plivo's words where those are known.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::callback::Target;
use super::number::{Sender, is_destination, is_north_american, strip};
use super::parameter::{is_url, is_uuid, list, refused, string};
use super::response::{Refused, uuid};
use shared::messaging::sms_encoding;

/// Limits of the "Plivo: Send a message" page.
const MAX_RECIPIENTS: usize = 1_000;
const MAX_MEDIA: usize = 10;
const EXPIRY_SECONDS: std::ops::RangeInclusive<i64> = 5..=10_799;
const DLT_CATEGORIES: [&str; 4] = ["transactional", "promotional", "service_implicit", "service_explicit"];
const WHATSAPP_ONLY: [&str; 3] = ["template", "interactive", "location"];

/// A request that was accepted: what to send, and to whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) content: Content,
    /// Stripped, without duplicates, in the order given. Never empty.
    pub(super) recipients: Vec<String>,
    /// Destinations that are not phone numbers, if others are.
    pub(super) invalid: Vec<String>,
}

/// The content that all messages of one request share.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) sender: Sender,
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The media of an MMS.
    pub(super) media: Vec<Media>,
    pub(super) log: Log,
    pub(super) dlt: Dlt,
    /// Where reports go.
    #[serde(default)]
    pub(super) callback: Option<Target>,
    /// After how many seconds it is no longer sent.
    #[serde(default)]
    pub(super) expiry: Option<i64>,
}

impl Content {
    /// Content without media and options.
    pub(super) fn plain(sender: Sender, kind: Kind, text: String) -> Self {
        let (media, log, dlt) = (Vec::new(), Log::Everything, Dlt::default());
        Self { sender, kind, text, media, log, dlt, callback: None, expiry: None }
    }
}

/// A link of an MMS, and the ID under which Plivo lists it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Media {
    pub(super) id: String,
    pub(super) url: String,
}

/// The kind of a message. WhatsApp is not simulated. A call is kept like a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Sms,
    Mms,
    Call,
}

/// What Plivo may log of a message. Records never contain the text, so this only decides whether the number is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Log {
    Everything,
    Nothing,
    ContentOnly,
    NumberOnly,
}

/// The sender's registration with India's carriers, passed through.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dlt {
    pub(super) entity_id: Option<String>,
    pub(super) template_id: Option<String>,
    pub(super) template_category: Option<String>,
}

impl Outgoing {
    /// An SMS from one number to another.
    pub(super) fn plain(from: &str, to: &str, text: &str) -> Self {
        let content = Content::plain(Sender::Number(from.to_owned()), Kind::Sms, text.to_owned());
        Self { content, recipients: vec![to.to_owned()], invalid: Vec::new() }
    }

    /// Checks a request's parameters. Like Plivo, it ignores unknown ones.
    pub(super) fn parse(body: &Map<String, Value>) -> Result<Self, Refused> {
        let sender = sender(body)?;
        let (recipients, invalid) = recipients(body, "dst")?;
        if let Sender::Number(number) = &sender
            && recipients.contains(number)
        {
            return refused("src and dst cannot be the same number");
        }
        let kind = kind(body)?;
        let media = media(body)?;
        check_media(kind, &media, &sender, &recipients)?;
        let text = text(body, kind, &media)?;
        check_trackable(body)?;
        let callback = Target::parse(body, "url", "method")?;
        let (log, dlt, expiry) = (log(body)?, dlt(body)?, expiry(body)?);
        let content = Content { sender, kind, text, media, log, dlt, callback, expiry };
        Ok(Self { content, recipients, invalid })
    }
}

fn sender(body: &Map<String, Value>) -> Result<Sender, Refused> {
    match (string(body, "src")?, string(body, "powerpack_uuid")?) {
        (None, None) => refused("src parameter not present"),
        (Some(_), Some(_)) => refused("src and powerpack_uuid cannot both be specified"),
        (Some(src), None) => Sender::parse(&src).ok_or_else(|| Refused(format!("'{src}' is not a valid src."))),
        (None, Some(powerpack)) if is_uuid(&powerpack) => Ok(Sender::Powerpack(powerpack)),
        (None, Some(_)) => refused("powerpack_uuid is not a valid uuid"),
    }
}

/// Valid and invalid destinations of a message or call. The official Python SDK sends a list in its printed form (`['1555…', '1555…']`), which is refused like
/// any other text that is not a number.
pub(super) fn recipients(body: &Map<String, Value>, name: &str) -> Result<(Vec<String>, Vec<String>), Refused> {
    let Some(dst) = string(body, name)? else {
        return refused(format!("{name} parameter not present"));
    };
    let mut seen = HashSet::new();
    let all = dst.split('<').map(strip).filter(|number| !number.is_empty() && seen.insert(number.clone()));
    let (good, bad): (Vec<_>, Vec<_>) = all.partition(|number| is_destination(number));
    if good.len() + bad.len() > MAX_RECIPIENTS {
        return refused(format!("{name} cannot hold more than {MAX_RECIPIENTS} numbers"));
    }
    if good.is_empty() {
        let first = bad.first().map_or("", String::as_str);
        return refused(format!("'{first}' is not a valid phone number."));
    }
    Ok((good, bad))
}

fn kind(body: &Map<String, Value>) -> Result<Kind, Refused> {
    for name in WHATSAPP_ONLY {
        if body.get(name).is_some_and(|value| !value.is_null()) {
            return refused(format!("{name} is only applicable when type is whatsapp"));
        }
    }
    match string(body, "type")?.as_deref() {
        None | Some("sms") => Ok(Kind::Sms),
        Some("mms") => Ok(Kind::Mms),
        Some("whatsapp") => refused("type whatsapp is not enabled for this account"),
        Some(_) => refused("type must be sms, mms or whatsapp"),
    }
}

fn media(body: &Map<String, Value>) -> Result<Vec<Media>, Refused> {
    if list(body, "media_ids")?.is_some_and(|ids| !ids.is_empty()) {
        return refused("media_ids holds an id that does not exist"); // nothing can be uploaded here
    }
    let urls = list(body, "media_urls")?.unwrap_or_default();
    if urls.len() > MAX_MEDIA {
        return refused(format!("media_urls cannot hold more than {MAX_MEDIA} links"));
    }
    let media = |url: &Value| match url.as_str() {
        Some(url) if is_url(url) => Ok(Media { id: uuid(), url: url.to_owned() }),
        _ => refused("media_urls holds something that is not a valid url"),
    };
    urls.iter().map(media).collect()
}

/// Plivo carries MMS only within the United States and Canada, and drops the media of an SMS. Here both are errors, so that they are
/// noticed.
fn check_media(kind: Kind, media: &[Media], sender: &Sender, recipients: &[String]) -> Result<(), Refused> {
    match kind {
        Kind::Sms if media.is_empty() => Ok(()),
        Kind::Sms => refused("media_urls is only applicable when type is mms"),
        Kind::Mms if !sender.can_send_media() => {
            refused("src cannot send mms: it must be a number of the US or Canada")
        }
        Kind::Mms if !recipients.iter().all(|number| is_north_american(number)) => {
            refused("mms can only be sent to numbers of the US and Canada")
        }
        Kind::Mms | Kind::Call => Ok(()),
    }
}

fn text(body: &Map<String, Value>, kind: Kind, media: &[Media]) -> Result<String, Refused> {
    match string(body, "text")? {
        Some(text) if !sms_encoding::fits(&text) => refused("text is too long"),
        Some(text) => Ok(text),
        None if kind == Kind::Mms && !media.is_empty() => Ok(String::new()),
        None => refused("text parameter not present"),
    }
}

/// Accepts booleans, and the strings that the official Python SDK sends for them.
fn log(body: &Map<String, Value>) -> Result<Log, Refused> {
    match string(body, "log")?.as_deref() {
        None | Some("true" | "True") => Ok(Log::Everything),
        Some("false" | "False") => Ok(Log::Nothing),
        Some("content_only") => Ok(Log::ContentOnly),
        Some("number_only") => Ok(Log::NumberOnly),
        Some(_) => refused("log must be true, false, content_only or number_only"),
    }
}

/// Whether conversions will be reported has no effect here.
fn check_trackable(body: &Map<String, Value>) -> Result<(), Refused> {
    if string(body, "trackable")?.is_some_and(|flag| !["true", "false"].contains(&flag.to_ascii_lowercase().as_str())) {
        return refused("trackable must be true or false");
    }
    Ok(())
}

fn expiry(body: &Map<String, Value>) -> Result<Option<i64>, Refused> {
    match string(body, "message_expiry")?.map(|seconds| seconds.parse::<i64>()) {
        None => Ok(None),
        Some(Ok(seconds)) if EXPIRY_SECONDS.contains(&seconds) => Ok(Some(seconds)),
        Some(_) => refused("message_expiry must be between 5 and 10799"),
    }
}

fn dlt(body: &Map<String, Value>) -> Result<Dlt, Refused> {
    let template_category = string(body, "dlt_template_category")?;
    if template_category.as_deref().is_some_and(|category| !DLT_CATEGORIES.contains(&category)) {
        return refused(format!("dlt_template_category must be one of {}", DLT_CATEGORIES.join(", ")));
    }
    let entity_id = string(body, "dlt_entity_id")?;
    let template_id = string(body, "dlt_template_id")?;
    Ok(Dlt { entity_id, template_id, template_category })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POWERPACK: &str = "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46";

    /// A good SMS with some parameters replaced; null removes one.
    fn with(changes: Value) -> Result<Outgoing, Refused> {
        let mut body = json!({"src": "14155550100", "dst": "15550001111", "text": "hello"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        Outgoing::parse(body.as_object().unwrap())
    }

    fn mms(changes: Value) -> Result<Outgoing, Refused> {
        let mut body = json!({"type": "mms", "media_urls": ["https://example.com/cat.jpg"]});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        with(body)
    }

    fn reason(result: Result<Outgoing, Refused>) -> String {
        result.unwrap_err().0
    }

    #[test]
    fn a_sender_is_required_and_only_one() {
        assert_eq!(reason(with(json!({"src": null}))), "src parameter not present");
        assert_eq!(reason(with(json!({"src": ""}))), "src parameter not present");
        assert_eq!(
            reason(with(json!({"powerpack_uuid": POWERPACK}))),
            "src and powerpack_uuid cannot both be specified"
        );
        assert_eq!(reason(with(json!({"src": null, "powerpack_uuid": "pool"}))), "powerpack_uuid is not a valid uuid");
        assert_eq!(reason(with(json!({"src": "TwelveLetter"}))), "'TwelveLetter' is not a valid src.");
        assert_eq!(reason(with(json!({"src": ["14155550100"]}))), "src must be a string");
    }

    #[test]
    fn one_bad_destination_alone_is_refused() {
        assert_eq!(reason(with(json!({"dst": null}))), "dst parameter not present");
        assert_eq!(reason(with(json!({"dst": "+1111111"}))), "'1111111' is not a valid phone number.");
        assert_eq!(reason(with(json!({"dst": "123456789012345"}))), "'123456789012345' is not a valid phone number.");
        assert_eq!(reason(with(json!({"dst": "1111111<2222"}))), "'1111111' is not a valid phone number.");
        assert_eq!(reason(with(json!({"dst": "<"}))), "'' is not a valid phone number.");
        assert_eq!(reason(with(json!({"dst": ["15550001111"]}))), "dst must be a string");
    }

    #[test]
    fn the_printed_list_of_the_python_sdk_is_no_number() {
        let dst = "['15550001111', '15550002222']";
        assert_eq!(reason(with(json!({"dst": dst}))), "'['15550001111','15550002222']' is not a valid phone number.");
    }

    #[test]
    fn nobody_sends_to_themselves() {
        let text = "src and dst cannot be the same number";
        assert_eq!(reason(with(json!({"dst": "+1 415 555-0100"}))), text);
        assert_eq!(reason(with(json!({"dst": "15550001111<14155550100"}))), text);
    }

    #[test]
    fn more_than_a_thousand_destinations_are_refused() {
        let numbers = |count: u64| (0..count).map(|n| (15_550_000_000 + n).to_string()).collect::<Vec<_>>().join("<");
        assert_eq!(reason(with(json!({"dst": numbers(1_001)}))), "dst cannot hold more than 1000 numbers");
        assert_eq!(with(json!({"dst": numbers(1_000)})).unwrap().recipients.len(), 1_000);
    }

    #[test]
    fn a_text_is_required_and_has_a_limit() {
        for text in [json!(null), json!("")] {
            assert_eq!(reason(with(json!({"text": text}))), "text parameter not present");
        }
        assert_eq!(reason(with(json!({"text": "a".repeat(1_601)}))), "text is too long");
        assert_eq!(reason(with(json!({"text": "я".repeat(738)}))), "text is too long");
        assert_eq!(reason(mms(json!({"text": null, "media_urls": null}))), "text parameter not present");
    }

    #[test]
    fn whatsapp_and_unknown_types_are_refused() {
        assert_eq!(reason(with(json!({"type": "whatsapp"}))), "type whatsapp is not enabled for this account");
        assert_eq!(reason(with(json!({"type": "fax"}))), "type must be sms, mms or whatsapp");
        assert_eq!(reason(with(json!({"template": {}}))), "template is only applicable when type is whatsapp");
    }

    #[test]
    fn media_is_bound_to_mms_within_north_america() {
        let url = "https://example.com/cat.jpg";
        assert_eq!(reason(with(json!({"media_urls": [url]}))), "media_urls is only applicable when type is mms");
        assert_eq!(
            reason(mms(json!({"dst": "4915112345678"}))),
            "mms can only be sent to numbers of the US and Canada"
        );
        assert_eq!(
            reason(mms(json!({"dst": "15550001111<4915112345678"}))),
            "mms can only be sent to numbers of the US and Canada"
        );
        assert_eq!(
            reason(mms(json!({"src": "MyShop"}))),
            "src cannot send mms: it must be a number of the US or Canada"
        );
        assert_eq!(reason(mms(json!({"media_urls": vec![url; 11]}))), "media_urls cannot hold more than 10 links");
        assert_eq!(reason(mms(json!({"media_urls": url}))), "media_urls must be a list");
        assert_eq!(reason(mms(json!({"media_ids": ["1"]}))), "media_ids holds an id that does not exist");
        for bad in ["ftp://example.com/a", "https://", "https:///a", "https://example.com/a b", "javascript:alert(1)"] {
            assert_eq!(
                reason(mms(json!({"media_urls": [bad]}))),
                "media_urls holds something that is not a valid url",
                "{bad}"
            );
        }
    }

    #[test]
    fn options_may_not_be_wrong() {
        for (name, value, text) in [
            ("url", json!("example.com"), "url is not a valid url"),
            ("method", json!("PUT"), "method must be GET or POST"),
            ("trackable", json!("maybe"), "trackable must be true or false"),
            ("log", json!("some"), "log must be true, false, content_only or number_only"),
            ("message_expiry", json!(4), "message_expiry must be between 5 and 10799"),
            ("message_expiry", json!(10_800), "message_expiry must be between 5 and 10799"),
            ("message_expiry", json!("soon"), "message_expiry must be between 5 and 10799"),
            ("log", json!([]), "log must be a string"),
        ] {
            assert_eq!(reason(with(json!({name: value}))), text, "{name} {value}");
        }
        assert!(
            reason(with(json!({"dst": "15550001111", "dlt_template_category": "x"})))
                .starts_with("dlt_template_category")
        );
    }

    #[test]
    fn good_options_are_taken_as_any_sdk_sends_them() {
        for (name, value) in [
            ("url", json!("http://127.0.0.1:3000/report")),
            ("method", json!("GET")),
            ("trackable", json!(false)),
            ("trackable", json!("true")),
            ("message_expiry", json!(5)),
            ("message_expiry", json!("10799")),
            ("dlt_template_category", json!("transactional")),
            ("never_heard_of", json!({})),
            ("template", json!(null)),
        ] {
            assert!(with(json!({name: value})).is_ok(), "{name} {value}");
        }
        for (value, log) in [
            (json!(true), Log::Everything),
            (json!("true"), Log::Everything),
            (json!(false), Log::Nothing),
            (json!("false"), Log::Nothing),
            (json!("content_only"), Log::ContentOnly),
            (json!("number_only"), Log::NumberOnly),
        ] {
            assert_eq!(with(json!({"log": value})).unwrap().content.log, log, "{value}");
        }
    }

    #[test]
    fn destinations_are_stripped_and_sent_to_once() {
        let outgoing = with(json!({"dst": "+1 (555) 000-1111<15550002222< 1.555.000.1111 <bad<<+bad"})).unwrap();
        assert_eq!(outgoing.recipients, ["15550001111", "15550002222"]);
        assert_eq!(outgoing.invalid, ["bad"]);
    }

    #[test]
    fn a_plain_message_and_an_mms_without_text_are_taken() {
        let outgoing = with(json!({"src": 14155550100_i64, "dst": 15550001111_i64})).unwrap();
        assert_eq!(outgoing.content.sender, Sender::Number("14155550100".to_owned()));
        assert_eq!((outgoing.content.kind, outgoing.content.text.as_str()), (Kind::Sms, "hello"));
        assert_eq!(mms(json!({"text": null})).unwrap().content.media.len(), 1);
        let pool = with(json!({"src": null, "powerpack_uuid": POWERPACK})).unwrap();
        assert_eq!(pool.content.sender, Sender::Powerpack(POWERPACK.to_owned()));
    }
}
