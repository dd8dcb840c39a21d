//! What an app is told about its code, and what a phone's item remembers for the operator.

use local::simulator::Fault;
use serde_json::{Value, json};
use shared::clock::{Clock as _, Timestamp};
use shared::flow::Flow;
use shared::store::{DeliveryState, Part, PhoneAction, PhoneKey, PhoneRecord, Report};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id, remember, wrong};

const KNOWN: &str = "+14155550101";
const UNKNOWN: &str = "+14155550102";

/// Plivo reports only what a test says.
pub(crate) const NO_REPORTS: (&str, &str) = ("PLIVO_CALLBACK_URL", "http://127.0.0.1:9");

async fn start() -> TestApp {
    TestApp::with(&[NO_REPORTS]).await
}

async fn ask(app: &TestApp, id: &str) -> Reply {
    app.get(&format!("/api/services/Plivo/status/{id}"), None).await
}

async fn state(app: &TestApp, id: &str) -> String {
    ask(app, id).await.ok()["state"].as_str().unwrap().to_owned()
}

async fn phone_key(app: &TestApp, phone: &str) -> PhoneKey {
    let keys = app.stack.app.secrets.keys(app.stack.clock.now()).await.unwrap();
    PhoneKey(keys.phone(phone).short())
}

async fn record(app: &TestApp, phone: &str) -> PhoneRecord {
    app.stack.app.store.phones.get(phone_key(app, phone).await).await.unwrap()
}

/// Plivo reports about the phone's last message that was sent.
pub(crate) async fn report(app: &TestApp, phone: &str, state: DeliveryState, error: Option<&str>) {
    let record = record(app, phone).await;
    let (send, _) = record.sends.iter().filter(|(_, send)| send.sent).max_by_key(|(_, send)| send.at).unwrap();
    let content = Part {
        uuid: "3e1f".to_owned(),
        state,
        sequence: 100,
        error: error.map(str::to_owned),
        carrier: None,
        at: app.stack.clock.now(),
    };
    let recorded = Report { part: (1, 1), content };
    let phone = phone_key(app, phone).await;
    assert!(app.stack.app.store.phones.record_report(phone, send, &recorded).await.unwrap().is_some());
}

fn millis(at: Timestamp) -> Value {
    json!(at.as_millis())
}

#[tokio::test]
async fn any_other_id_is_not_found_whatever_is_wrong_with_it_and_after_the_same_calls() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy_of(&[NO_REPORTS]).await;
    // Until a user is there, each request looks for the root key's check value; then only the first.
    app.register(KNOWN, "jane@example.com").await;
    ask(&app, "x").await;
    let replaced = challenge_id(&app.register_start(KNOWN).await.ok());
    app.advance(86_400);
    app.register_start(KNOWN).await.ok();
    let other = TestApp::start().await;
    let others = challenge_id(&other.register_start(KNOWN).await.ok());
    let ids = ["x", "5E1F0B5C-0000-0000-0000-00000000BBBB", "5E1F0B5C-0000-001F-0000-00000000BBBB", &replaced, &others];
    proxy.take_calls();
    let (mut replies, mut calls) = (Vec::new(), Vec::new());
    for id in ids {
        replies.push(ask(&app, id).await);
        calls.push(proxy.take_operations());
    }
    for (reply, calls_of) in replies.iter().zip(&calls) {
        reply.refused(404, 14000, "transaction_not_found");
        assert_eq!((&reply.body, calls_of), (&replies[0].body, &calls[0]));
    }
    assert_eq!(calls[0], ["GetItem"]);
    app.get(&format!("/other/key/services/Plivo/status/{replaced}"), None).await.refused(
        400,
        2002,
        "unknown_application",
    );
}

#[tokio::test]
async fn a_registration_s_message_is_queued_then_sent_then_delivered() {
    let app = start().await;
    let id = challenge_id(&app.register_start(UNKNOWN).await.ok());
    let started = app.stack.clock.now();
    let body = ask(&app, &id).await.ok();
    let minutes = |minutes: u64| started.plus(std::time::Duration::from_secs(60 * minutes));
    assert_eq!((&body["state"], &body["channel"], &body["voice"]), (&json!("queued"), &json!("sms"), &json!(false)));
    assert_eq!(body["expires"], millis(minutes(5)));
    assert!(body["message"].as_str().is_some_and(|text| text.ends_with('.')) && body.get("reason").is_none());
    report(&app, UNKNOWN, DeliveryState::Sent, None).await;
    assert_eq!(state(&app, &id).await, "sent");
    report_later(&app).await;
    assert_eq!(state(&app, &id).await, "delivered");
    app.advance(3600);
    assert_eq!(state(&app, &id).await, "delivered", "also when the code has expired");
}

/// Plivo reports, three seconds later, that the phone has the message.
async fn report_later(app: &TestApp) {
    app.advance(3);
    let record = record(app, UNKNOWN).await;
    let (send, _) = record.sends.iter().next().unwrap();
    let at = app.stack.clock.now();
    let (uuid, state) = ("3e1f".to_owned(), DeliveryState::Delivered);
    let content = Part { uuid, state, sequence: 101, error: None, carrier: None, at };
    let phone = phone_key(app, UNKNOWN).await;
    app.stack.app.store.phones.record_report(phone, send, &Report { part: (1, 1), content }).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failure_s_reason_is_told_where_it_betrays_nobody() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let words = async |id: &str| {
        let body = ask(&app, id).await.ok();
        assert_eq!(body["state"], "failed");
        (body["reason"].as_str().unwrap().to_owned(), body["message"].as_str().unwrap().to_owned())
    };
    let id = challenge_id(&app.register_start(UNKNOWN).await.ok());
    report(&app, UNKNOWN, DeliveryState::Undelivered, Some("200")).await;
    let (reason, message) = words(&id).await;
    assert!(reason == "opted_out" && message.contains("START"), "{reason} {message}");
    let id = challenge_id(&app.password_start(KNOWN, PASSWORD).await.ok());
    report(&app, KNOWN, DeliveryState::Failed, Some("80")).await;
    assert_eq!(words(&id).await.0, "unreachable");
    app.advance(60);
    let id = challenge_id(&app.login_start(KNOWN).await.ok());
    report(&app, KNOWN, DeliveryState::Failed, Some("80")).await;
    app.advance(5);
    let body = ask(&app, &id).await.ok();
    assert_eq!((&body["state"], &body["reason"]), (&json!("sent"), &json!(null)), "it would tell that there is a user");
}

/// Nobody else can make a start of the phone's own device.
#[tokio::test]
async fn a_login_on_the_phone_s_own_device_is_told_what_became_of_it() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let challenge = challenge_id(&app.login_start(KNOWN).await.ok());
    let token = app.enter_with(&challenge, &app.last_code(KNOWN), "new").await.ok()["device-token"].clone();
    let token = token.as_str().unwrap();
    remember(token);
    app.advance(60);
    let request = app.request(reqwest::Method::POST, "/api/services/Plivo/loginWithPhoneNumber");
    let request = request.header("device-token", token).body(json!(KNOWN).to_string());
    let id = challenge_id(&app.send(request).await.ok());
    report(&app, KNOWN, DeliveryState::Undelivered, Some("80")).await;
    let body = ask(&app, &id).await.ok();
    assert_eq!((&body["state"], &body["reason"]), (&json!("failed"), &json!("unreachable")));
}

/// From a phone's sixth start of a day on, only one with a user gets a message.
#[tokio::test]
async fn a_registration_past_five_is_not_told_what_became_of_it() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(86_400);
    let mut ids = Vec::new();
    for place in 0..6 {
        app.advance(3600);
        ids = vec![
            challenge_id(&app.register_start(KNOWN).await.ok()),
            challenge_id(&app.register_start(UNKNOWN).await.ok()),
        ];
        if place < 5 {
            report(&app, UNKNOWN, DeliveryState::Delivered, None).await;
            assert_eq!(state(&app, &ids[1]).await, "delivered");
        }
    }
    report(&app, KNOWN, DeliveryState::Delivered, None).await;
    app.advance(5);
    assert_eq!([state(&app, &ids[0]).await, state(&app, &ids[1]).await], ["sent", "sent"]);
}

/// The sends of a reset by e-mail address stand in the address's item.
#[tokio::test]
async fn a_reset_by_e_mail_address_is_told_alike_for_a_user_and_for_nobody() {
    let app = TestApp::start().await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(3600);
    let mut ids = Vec::new();
    for address in ["jane%40example.com", "nobody%40example.com"] {
        ids.push(challenge_id(&app.get(&format!("/api/users/restorepassword/{address}"), None).await.ok()));
    }
    for (seconds, expected) in [(0, "queued"), (5, "sent"), (294, "sent"), (1, "unknown")] {
        app.advance(seconds);
        app.stack.simulator.deliver_due().await;
        assert_eq!([state(&app, &ids[0]).await, state(&app, &ids[1]).await], [expected, expected]);
    }
    let recorded = app.dump().await.into_iter().any(|(_, item)| item.to_string().contains("\"delivered\""));
    assert!(recorded, "the operator sees it");
}

#[tokio::test]
async fn without_a_report_nobody_knows_when_the_code_has_expired() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let id = challenge_id(&app.login_start(KNOWN).await.ok());
    app.advance(299);
    assert_eq!(state(&app, &id).await, "sent");
    app.advance(1);
    assert_eq!(state(&app, &id).await, "unknown");
}

#[tokio::test]
async fn a_second_start_is_told_from_its_own_beginning_and_one_that_failed_changes_nothing() {
    let app = start().await;
    let id = challenge_id(&app.register_start(UNKNOWN).await.ok());
    report(&app, UNKNOWN, DeliveryState::Delivered, None).await;
    app.advance(30);
    app.stack.simulator.set_fault(Fault::SendStatus(402));
    app.register_start(UNKNOWN).await.refused(503, 14000, "sms_unavailable");
    assert_eq!(state(&app, &id).await, "delivered");
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(challenge_id(&app.register_start(UNKNOWN).await.ok()), id);
    assert_eq!(state(&app, &id).await, "queued");
}

#[tokio::test]
async fn the_next_start_is_admitted_when_the_status_says_and_not_before() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let id = challenge_id(&app.login_start(KNOWN).await.ok());
    app.login_start(KNOWN).await.limited("too_many_messages");
    let retry_at = ask(&app, &id).await.ok()["retryAt"].as_i64().unwrap();
    let wait = u64::try_from(retry_at - app.stack.clock.now().as_millis()).unwrap();
    assert_eq!(wait, 30_000);
    app.advance(29);
    app.login_start(KNOWN).await.limited("too_many_messages");
    app.advance(1);
    assert_eq!(ask(&app, &id).await.ok()["retryAt"], millis(app.stack.clock.now()));
    app.login_start(KNOWN).await.ok();
}

#[tokio::test]
async fn a_test_number_s_message_looks_delivered() {
    let app = TestApp::with(&[NO_REPORTS, ("TEST_NUMBERS", "+14155550190=246810@2099-12-31")]).await;
    let id = challenge_id(&app.register_start("+14155550190").await.ok());
    assert_eq!(state(&app, &id).await, "queued");
    app.advance(5);
    assert_eq!(state(&app, &id).await, "delivered");
    assert_eq!(app.sent(), 0);
}

/// What remains of an event but its time and its ids.
fn words(record: &PhoneRecord) -> Vec<String> {
    let words = |what: &PhoneAction| match what {
        PhoneAction::Started { flow, not_sent: None, .. } => format!("{} sent", flow.as_str()),
        PhoneAction::Started { flow, not_sent: Some(why), .. } => format!("{} not sent: {why}", flow.as_str()),
        PhoneAction::Refused { flow, reason } => format!("{} refused: {reason}", flow.as_str()),
        PhoneAction::Entered { flow, .. } => format!("{} entered", flow.as_str()),
        PhoneAction::Redeemed { flow, .. } => format!("{} redeemed", flow.as_str()),
    };
    record.events.iter().map(|event| words(&event.what)).collect()
}

#[tokio::test]
async fn a_phone_s_item_remembers_what_has_happened_and_by_whom() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let id = challenge_id(&app.login_start(KNOWN).await.ok());
    for _ in 0..3 {
        app.login_start(KNOWN).await.limited("too_many_messages");
    }
    let code = app.last_code(KNOWN);
    app.enter(&id, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    app.enter(&id, &code).await.ok();
    let record = record(&app, KNOWN).await;
    assert_eq!(
        words(&record),
        [
            "register sent",
            "register entered",
            "register redeemed",
            "login sent",
            "login refused: start_spacing",
            "login entered",
            "login entered",
            "login redeemed"
        ]
    );
    let attempts = record.events.iter().filter_map(|event| match &event.what {
        PhoneAction::Entered { flow: Flow::Login, attempt } | PhoneAction::Redeemed { flow: Flow::Login, attempt } => {
            Some(attempt)
        }
        _ => None,
    });
    let attempts: Vec<_> = attempts.collect();
    assert!(attempts[0] != attempts[1] && attempts[1] == attempts[2], "the second was the right one");
    let by = &record.events[0].by;
    assert!(by.starts_with("network ") && record.events.iter().all(|event| event.by == *by), "{by}");
}

#[tokio::test]
async fn a_code_that_comes_too_late_is_noted_once_an_hour() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    let id = challenge_id(&app.login_start(KNOWN).await.ok());
    let code = app.last_code(KNOWN);
    app.enter("5E1F0B5C-0000-0000-0000-00000000BBBB", &code).await.refused(401, 14000, "code_rejected");
    let before = record(&app, KNOWN).await;
    app.advance(300);
    for _ in 0..3 {
        app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    }
    app.login_start(KNOWN).await.ok();
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    let after = words(&record(&app, KNOWN).await);
    let since = ["login refused: code_expired", "login sent", "login refused: code_replaced"];
    assert_eq!(after[before.events.len()..], since);
}

#[tokio::test]
async fn a_refusal_is_noted_once_an_hour_also_where_nothing_was_known_of_the_phone() {
    let app = TestApp::with(&[NO_REPORTS, ("BUDGET", "0/0/0")]).await;
    for (wait, noted) in [(0, 1), (60, 1), (3600, 2)] {
        app.advance(wait);
        app.login_start(UNKNOWN).await.refused_in(503, "budget_spent");
        assert_eq!(words(&record(&app, UNKNOWN).await), vec!["login refused: budget"; noted]);
    }
    app.register_start(UNKNOWN).await.refused_in(503, "budget_spent");
    assert_eq!(record(&app, UNKNOWN).await.events.len(), 3, "another flow");
}

#[tokio::test]
async fn why_nothing_was_sent_is_remembered() {
    let app = TestApp::with(&[NO_REPORTS, ("TEST_NUMBERS", "+14155550190=246810@2099-12-31")]).await;
    app.register(KNOWN, "jane@example.com").await;
    app.login_start(UNKNOWN).await.ok();
    app.login_start("+14155550190").await.ok();
    assert_eq!(words(&record(&app, UNKNOWN).await), ["login not sent: no_user"]);
    assert_eq!(words(&record(&app, "+14155550190").await), ["login not sent: test_number"]);
    app.stack.simulator.set_fault(Fault::SendStatus(402));
    app.register_start("+14155550103").await.refused(503, 14000, "sms_unavailable");
    assert_eq!(words(&record(&app, "+14155550103").await), ["register not sent: credit"]);
}

/// However long a phone is used, its item stays small.
#[tokio::test]
async fn the_last_twenty_events_are_kept() {
    let app = start().await;
    app.register(KNOWN, "jane@example.com").await;
    for _ in 0..12 {
        app.log_in(KNOWN).await;
        app.advance(86_400);
    }
    let record = record(&app, KNOWN).await;
    assert_eq!(record.events.len(), 20 + 2, "those of the last code follow the start that has kept twenty");
    assert_eq!(words(&record)[19..], ["login sent", "login entered", "login redeemed"]);
}
