//! Fuzz targets: each parses any bytes as input from clients, Plivo or the operator. `run` fuzzes them; `cargo test` runs them on the
//! corpus. Nothing may panic, and what is accepted must be as its module promises.

#![expect(clippy::expect_used, reason = "a panic is what a fuzzer looks for")]

use std::sync::{Arc, OnceLock};

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request};
use phone_number::{Country, PhoneNumber};
use send_message::event::Event;
use send_message::message;
use serde_json::Value;
use shared::app::App;
use shared::clock::SystemClock;
use shared::config::{NAMES, Settings};
use shared::http::{self, Duplicates};
use shared::messaging::media;
use shared::plivo::{self, Accepted};

/// A target: its name, which is also that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("phone", phone),
    ("text_body", text_body),
    ("json_body", json_body),
    ("media_urls", media_urls),
    ("event", event),
    ("plivo", plivo_answer),
    ("settings", settings),
];

fn app() -> &'static App {
    static SERVICE: OnceLock<App> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let environment =
            local::environment("http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1");
        let lookup = |name: &str| environment.get(name).cloned();
        App::new(&lookup, Arc::new(SystemClock), Arc::new(|_| ())).expect("the local stack's settings are good")
    })
}

fn request(bytes: &[u8]) -> Request {
    // The gateway passes a body of a text type as text, and others as bytes.
    let body = std::str::from_utf8(bytes).map_or_else(|_| Body::from(bytes), Body::from);
    Request::new(body)
}

/// A number in the country that the first two bytes name. Its E.164 form must parse as the same number in any country.
pub fn phone(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((country, number)) = text.split_at_checked(2) else { return };
    let (Some(country), Some(us)) = (Country::parse(country), Country::parse("US")) else { return };
    if let Ok(phone) = PhoneNumber::parse(number, country) {
        let e164 = phone.e164();
        assert!(e164.len() <= 16 && e164.starts_with('+') && e164[1..].bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(PhoneNumber::parse(e164, us).as_ref().map(PhoneNumber::e164), Ok(e164), "{number:?}");
        assert!(!phone.to_string().contains(&e164[4..]), "it prints masked");
    }
}

/// The body of `loginWithPhoneNumber`: a JSON string, an object or bare text.
pub fn text_body(bytes: &[u8]) {
    let Ok((text, _)) = http::text_body(&request(bytes), "phoneNumber") else { return };
    // Surrounding whitespace is ignored, even of kinds that JSON does not know.
    match serde_json::from_slice(bytes.trim_ascii()) {
        Ok(Value::String(string)) => assert_eq!(text, string),
        Ok(Value::Object(object)) => assert_eq!(object["phoneNumber"], text),
        Ok(Value::Array(_) | Value::Bool(_) | Value::Null) => panic!("no text: {text:?}"),
        Ok(Value::Number(_)) | Err(_) => assert_eq!(text.as_bytes(), bytes.trim_ascii(), "as it came"),
    }
}

/// A body that is a JSON object. Whatever is accepted, another JSON parser must accept with the same result.
pub fn json_body(bytes: &[u8]) {
    for duplicates in [Duplicates::Registration, Duplicates::Service] {
        let Ok(mut fields) = http::body(&request(bytes), duplicates) else { continue };
        let object: serde_json::Map<String, Value> = serde_json::from_slice(bytes).expect("it was read as an object");
        for (name, value) in object {
            assert_eq!(fields.take(&name), Some(value).filter(|value| !value.is_null()), "{name:?}");
        }
        fields.finish().expect("no other field");
    }
}

/// A list of links. They must be public, https, few, and the same when parsed again.
pub fn media_urls(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(links) = media::parse(media::split(text)) else { return };
    assert!(links.len() <= media::MOST);
    for link in &links {
        assert!(link.scheme() == "https" && link.domain().is_some(), "{link}");
        assert!(link.username().is_empty() && link.password().is_none(), "{link}");
        // A comma separates links, so one within a link must be escaped, which makes the link longer.
        let escaped = link.as_str().replace(',', "%2C");
        let is_one = media::parse(media::split(&escaped)).is_ok_and(|again| again.len() == 1);
        assert!(is_one || escaped.len() > media::LONGEST, "{link}");
    }
}

/// An event of any source, and its messages.
pub fn event(bytes: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Value>(bytes) else { return };
    let carried = match Event::read(payload, "8476a536-e9f4-11e8-9739-2dfe598c3fcd") {
        Ok(Event::Notifications(carried)) => carried.into_iter().map(|carried| carried.fields).collect(),
        Ok(Event::One(carried)) => vec![carried.fields],
        Ok(Event::Queue(records)) => records.iter().map(|record| http::fields(&record.body)).collect(),
        Ok(Event::Http(_)) | Err(_) => Vec::new(),
    };
    for fields in carried.into_iter().flatten() {
        if let Err(problem) = message::read(&app().settings, fields) {
            assert!(problem.body().is_object());
        }
    }
}

/// A response of Plivo. The first two bytes are its status.
pub fn plivo_answer(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(status) = StatusCode::from_u16(100 + u16::from_be_bytes(*status) % 900) else { return };
    match plivo::read::<Accepted>(status, body) {
        Ok(_) => assert!(status.is_success()),
        // The error is logged, and Plivo quotes phone numbers.
        Err(error) => {
            let told = shared::logging::chain(&error);
            assert!(told.bytes().filter(u8::is_ascii_digit).count() <= 3, "more digits than a status: {told}");
        }
    }
}

/// Settings, one per line, which override those of the local stack.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let set: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let environment = local::environment("http://127.0.0.1:1", "", "", "");
    let lookup = |name: &str| {
        let set = set.iter().find(|(known, _)| *known == name && NAMES.contains(known));
        set.map(|(_, value)| (*value).to_owned()).or_else(|| environment.get(name).cloned())
    };
    match Settings::from_lookup(&lookup) {
        Ok(settings) => {
            assert!((6..=10).contains(&settings.code_length));
            assert!((60..=600).contains(&settings.code_life.as_secs()));
            assert!(settings.session_idle <= settings.session_life);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
