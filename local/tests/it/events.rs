//! The event files: each gets the response that its name promises, and there is one for every error that an event can cause.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local::events::{self, EventFile, Expected};
use local::{Options, functions};
use serde_json::Value;
use shared::http::Reason::{self, *};
use shared::http::routes::{self, FALLBACK, Found};

use crate::support::TestApp;

/// The error reasons of each function.
const REASONS: [(&str, &[&[Reason]]); 8] = [
    ("register", &[ANY, STORED, BODY, NUMBER, CODE_SENT, CODE_MESSAGE, CODE, REGISTRATION]),
    ("login-phone", &[ANY, STORED, BODY, &[UnknownField], NUMBER, CODE_SENT]),
    (
        "login-password",
        &[
            ANY,
            STORED,
            BODY,
            &[NotAnObject, UnknownField, LoginRejected, TooManyPasswords],
            NUMBER,
            CODE_SENT,
            CODE_MESSAGE,
        ],
    ),
    ("login-code", &[ANY, STORED, BODY, &[NotAnObject, UnknownField, UserDisabled, CaptchaRequired], CODE]),
    ("send-message", &[ANY, STORED, BODY, &[NotAnObject, UnknownField], NUMBER, MESSAGE]),
    ("session", &[ANY, STORED, &[SessionInvalid, SessionNotFound, UserDisabled, MethodNotAllowed, LoginDisabled]]),
    ("authorizer", &[]),
    (
        "account",
        &[
            ANY,
            STORED,
            BODY,
            PROFILE,
            NUMBER,
            CODE_SENT,
            CODE_MESSAGE,
            CODE,
            &[LoginRejected, TooManyPasswords, UserExists],
        ],
    ),
];
const ANY: &[Reason] = &[InvalidRequest, UnknownApplication, NotFound, Unavailable, ProxyRequired];
const STORED: &[Reason] = &[Internal];
const BODY: &[Reason] = &[EmptyBody, BodyTooLarge, NotJson, DuplicateField, MissingField, WrongType];
const NUMBER: &[Reason] = &[InvalidPhoneNumber, NumberNotServed, CountryNotServed];
const CODE_SENT: &[Reason] = &[
    TooManyStarts,
    CaptchaRequired,
    TooManyMessages,
    TooManyWrongCodes,
    BudgetSpent,
    NumbersSuspended,
    SwitchedOff,
    SmsUnavailable,
];
const CODE_MESSAGE: &[Reason] = &[SmsRejected, SmsUnknown];
const CODE: &[Reason] = &[InvalidTransactionId, InvalidCode, CodeRejected];
const REGISTRATION: &[Reason] = &[
    UnknownField,
    NotAnObject,
    PasswordMissing,
    PasswordNotText,
    PasswordTooShort,
    PasswordTooLong,
    PasswordNotPrintable,
    PasswordTooCommon,
    PasswordKnown,
    IdentityMissing,
    InvalidEmail,
    ReservedObjectId,
    ReservedUpdated,
    ReservedCreated,
    InvalidProperties,
    InvalidPropertyValue,
    UserExists,
];
const PROFILE: &[Reason] = &[
    NotAnObject,
    UnknownField,
    PasswordTooShort,
    PasswordTooLong,
    PasswordNotPrintable,
    PasswordTooCommon,
    PasswordKnown,
    InvalidEmail,
    InvalidProperties,
    InvalidPropertyValue,
    SessionInvalid,
    SessionNotFresh,
    NotOwn,
    UserDisabled,
    UserChanged,
    FixedProperty,
    InvalidQuery,
];
const MESSAGE: &[Reason] = &[
    AccessDenied,
    MessageEmpty,
    MessageTooLong,
    MessageNotText,
    TooManyMediaUrls,
    InvalidMediaUrl,
    MediaNotServed,
    InvalidIdempotencyKey,
    IdempotencyKeyReused,
    MessageInFlight,
    BudgetSpent,
    TooManyMessages,
    UnknownEvent,
    MessageRejected,
    SwitchedOff,
    SmsUnavailable,
    SmsUnknown,
];

/// Why no event causes this error in a healthy stack with default settings.
fn out_of_reach(function: &str, reason: Reason) -> Option<&'static str> {
    match reason {
        Unavailable => Some("storage and secrets answer"),
        Internal => Some("nothing of ours fails"),
        TooManyStarts => Some("here one address may start as often as it likes"),
        BudgetSpent => Some("there is money left"),
        NumbersSuspended => Some("nothing looks pumped"),
        SwitchedOff => Some("nothing is switched off"),
        ProxyRequired => Some("no proxy is set"),
        CaptchaRequired => Some("no captcha is set"),
        SessionNotFresh => Some("the seed's sessions have just begun"),
        UserExists if function == "account" => Some("no challenge of the seed is of a change of phone"),
        TooManyPasswords if function == "account" => Some("the seed's user has tried none"),
        TooManyMessages if function == "send-message" => Some("one phone may get a hundred"),
        SmsUnavailable => Some("the simulated Plivo takes messages"),
        SmsUnknown if function != "send-message" => Some("the simulated Plivo's answers arrive"),
        NotFound if function != FALLBACK => Some("the gateway sends it its own paths"),
        BodyTooLarge if function != "register" => {
            Some("16 KiB in one file are enough: all bodies are read in one place")
        }
        _ => None,
    }
}

#[tokio::test]
async fn every_event_is_answered_as_its_file_says() {
    let app = TestApp::options(Options { seed: Some(events::seed()), ..Options::default() }).await;
    for file in events::all().unwrap() {
        let answer = app.stack.invoke(file.function, file.event.clone()).await;
        file.check(&answer).unwrap();
    }
}

#[test]
fn every_reason_has_an_event_or_is_out_of_reach() {
    let files = events::all().unwrap();
    let refused: BTreeSet<_> = files
        .iter()
        .filter_map(|file| match file.expected {
            Expected::Refusal(reason) => Some((file.function, reason.as_str())),
            _ => None,
        })
        .collect();
    let mut expected = BTreeSet::new();
    let mut known = BTreeSet::new();
    for (function, groups) in REASONS {
        for reason in groups.iter().copied().flatten() {
            known.insert(reason.as_str());
            if out_of_reach(function, *reason).is_none() {
                expected.insert((function, reason.as_str()));
            }
        }
    }
    assert_eq!(refused, expected);
    assert_eq!(known, Reason::ALL.iter().map(|reason| reason.as_str()).collect(), "a reason that no function answers");
    assert_eq!(REASONS.map(|(function, _)| function), functions::NAMES);
}

#[test]
fn every_event_is_as_the_gateway_sends_it() {
    for EventFile { name, function, event, .. } in events::all().unwrap().iter().filter(|file| file.is_http()) {
        let http = &event["requestContext"]["http"];
        assert_eq!((&event["rawPath"], &event["version"]), (&http["path"], &Value::from("2.0")), "{name}");
        let found = routes::find(http["method"].as_str().unwrap(), http["path"].as_str().unwrap());
        let routed = if let Found::Route(found) = found { found.route.function } else { FALLBACK };
        assert_eq!(routed, *function, "{name}");
        let headers = event["headers"].as_object().unwrap();
        assert!(headers.keys().all(|header| *header == header.to_lowercase()), "{name}");
        assert!(http["sourceIp"].as_str().unwrap().starts_with("192.0.2."), "{name}");
    }
}

#[test]
fn no_file_holds_a_number_or_an_address_of_anybody() {
    let seed = std::fs::read_to_string(events::seed()).unwrap();
    let files = events::all().unwrap();
    let bodies = files.iter().map(|file| (file.name.as_str(), body(&file.event)));
    for (name, text) in bodies.chain([("seed", seed)]) {
        for number in text.split('+').skip(1) {
            // Reserved numbers of the United States (one of them premium-rate) and the United Kingdom.
            let reserved = ["141555501", "190055501", "447700900"];
            assert!(reserved.iter().any(|start| number.starts_with(start)), "{name}: +{number}");
        }
        for host in text.split('@').skip(1).chain(text.split("://").skip(1)) {
            assert!(host.starts_with("example.com"), "{name}: {host}");
        }
    }
}

/// An event's body as text, or the whole event.
fn body(event: &Value) -> String {
    match (event["isBase64Encoded"].as_bool(), event["body"].as_str()) {
        (Some(true), Some(body)) => match STANDARD.decode(body) {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(_) => body.to_owned(),
        },
        (_, Some(body)) => body.to_owned(),
        (_, None) => event.to_string(),
    }
}
