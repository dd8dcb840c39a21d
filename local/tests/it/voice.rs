//! Calls that read a code: only where a code has gone by SMS and the operator has switched them on, told to one call, and as silent as SMS.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, Uri};
use local::simulator::{CallFault, Fault};
use reqwest::Method;
use serde_json::{Value, json};
use shared::auth::voice::HANG_UP;
use shared::clock::Timestamp;
use shared::plivo::signature::{NONCE, SIGNATURES, Signed};
use shared::spend::kill_switch::KillSwitch;
use shared::store::{Channel, CodeSend, DeliveryState, KillSwitchChange, PhoneKey, PhoneRecord, SendId};
use url::form_urlencoded;

use crate::support::{PASSWORD, Reply, TestApp, challenge_id, remember};

const PHONE: &str = "+14155550171";
const OTHER: &str = "+14155550172";
const BRITISH: &str = "+447400123456";
const REGISTER: &str = "/api/users/register";
const LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumber";
const PASSWORD_LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumberAndPassword";
const ON: [(&str, &str); 2] = [("VOICE_COUNTRIES", "US"), ("PLIVO_CALLER", "+14155550198")];

async fn with(more: &[(&str, &str)]) -> TestApp {
    TestApp::with(&[&ON, more].concat()).await
}

async fn phone_key(app: &TestApp, phone: &str) -> PhoneKey {
    let keys = app.stack.app.secrets.keys(app.stack.app.clock.now()).await.unwrap();
    PhoneKey(keys.phone(phone).short())
}

async fn record(app: &TestApp, phone: &str) -> PhoneRecord {
    app.stack.app.store.phones.get(phone_key(app, phone).await).await.unwrap()
}

/// The last send to a phone.
async fn last_send(app: &TestApp, phone: &str) -> (String, CodeSend) {
    record(app, phone).await.sends.into_iter().max_by_key(|(_, send)| send.at).expect("a send")
}

async fn by_voice(app: &TestApp, path: &str, mut body: Value) -> Reply {
    body["channel"] = json!("voice");
    app.post(path, &body).await
}

async fn login_by_voice(app: &TestApp, phone: &str) -> Reply {
    by_voice(app, LOGIN, json!({ "phoneNumber": phone })).await
}

/// How many calls were made.
fn calls(app: &TestApp) -> usize {
    app.stack.simulator.call_requests()
}

/// The phones' answers and the ends of calls, as far as they are due so many seconds later.
async fn after(app: &TestApp, seconds: u64) {
    app.advance(seconds);
    app.stack.simulator.deliver_due().await;
    app.stack.settle().await;
}

/// What the last call to a phone said.
fn spoken(app: &TestApp, phone: &str) -> String {
    let messages = app.stack.simulator.messages(Some(phone));
    messages.into_iter().find(|message| message.kind == "call").expect("a call").text
}

/// The code that was read aloud, which must be read twice.
fn spoken_code(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (code, again) = digits.split_at(digits.len() / 2);
    assert!(code.len() >= 6 && code == again, "{text}");
    remember(code);
    code.to_owned()
}

/// Starts a login of a user by SMS, and repeats it by a call. Returns the challenge, the code, and the call's send.
async fn called(app: &TestApp) -> (String, String, String) {
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.advance(30);
    assert_eq!(challenge_id(&login_by_voice(app, PHONE).await.ok()), id);
    (id, code, last_send(app, PHONE).await.0)
}

/// What Plivo gets that asks, in this call, what to say.
async fn ask(app: &TestApp, send: &str, call: &str) -> String {
    let answer = plivo_posts(app, &format!("/plivo/calls/{send}/answer"), &[("CallUUID", call)], true).await;
    assert_eq!(answer.headers["content-type"], "application/xml");
    answer.ok().as_str().unwrap().to_owned()
}

/// A request as Plivo signs it, or another.
async fn plivo_posts(app: &TestApp, path: &str, form: &[(&str, &str)], is_signed: bool) -> Reply {
    let form: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = format!("{}{path}", app.stack.config.url);
    let token = if is_signed { local::PLIVO_AUTH_TOKEN } else { "another token" };
    let signature = Signed { method: &Method::POST, url: &url, parameters: &form }.sign("1", &token.into());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    let request = app.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    app.send(request.body(body).header(SIGNATURES[0], signature).header(NONCE, "1")).await
}

async fn switch_off_calls(app: &TestApp) {
    let change = KillSwitchChange {
        at: Timestamp::from_millis(0),
        by: "a test".to_owned(),
        name: "voice".to_owned(),
        off: true,
        why: "to see".to_owned(),
    };
    app.stack.app.store.controls.switch(&KillSwitch::parse("voice").unwrap(), change).await.unwrap();
    app.advance(60);
}

#[tokio::test]
async fn any_other_channel_is_refused() {
    let app = with(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    let sent = app.sent();
    for channel in [json!("fax"), json!("Voice"), json!(""), json!(1), json!(["voice"])] {
        let body = json!({ "phoneNumber": OTHER, "channel": channel });
        app.post(LOGIN, &body).await.refused(400, 8008, "wrong_type");
        let body = json!({ "phoneNumber": OTHER, "channel": channel, "password": PASSWORD });
        app.post(PASSWORD_LOGIN, &body).await.refused(400, 8008, "wrong_type");
    }
    app.get("/api/users/restorepassword/jane@example.com?channel=fax", None).await.refused(400, 8008, "wrong_type");
    assert_eq!((app.sent(), calls(&app)), (sent, 0));
}

/// Apps had properties of this name before there were calls, and the SDK sends the whole user back.
#[tokio::test]
async fn an_own_property_may_be_named_channel() {
    let app = with(&[]).await;
    let challenge = challenge_id(&app.post(REGISTER, &json!({"phoneNumber": PHONE, "channel": "web"})).await.ok());
    let mut body = TestApp::registration(PHONE, "jane@example.com", &challenge, &app.last_code(PHONE));
    body["channel"] = json!("web");
    let user = app.post(REGISTER, &body).await.ok();
    assert_eq!(user["channel"], "web");
    let token = app.log_in(PHONE).await;
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    for channel in [json!("web"), json!("voice"), json!(null)] {
        let body = json!({ "phoneNumber": PHONE, "channel": channel, "name": "Jane" });
        let request = app.request(Method::PUT, &path).header("user-token", &token).body(body.to_string());
        assert_eq!(app.send(request).await.ok()["channel"], channel);
    }
    assert_eq!(calls(&app), 0);
}

#[tokio::test]
async fn everything_goes_by_sms_where_calls_are_off() {
    for settings in [&[][..], &ON[1..]] {
        let app = TestApp::with(settings).await;
        app.register(PHONE, "jane@example.com").await;
        let id = challenge_id(&app.login_start(PHONE).await.ok());
        let status = app.get(&format!("/api/services/Plivo/status/{id}"), None).await.ok();
        assert_eq!(status["voice"], false);
        app.advance(30);
        let sent = app.sent();
        login_by_voice(&app, PHONE).await.ok();
        assert_eq!((app.sent(), calls(&app)), (sent + 1, 0));
    }
}

#[tokio::test]
async fn no_call_is_made_but_for_a_code_that_went_by_sms_and_is_good() {
    let app = with(&[("SMS_COUNTRIES", "US,GB"), ("TEST_NUMBERS", "+14155550190=246810@2099-12-31")]).await;
    app.register(PHONE, "jane@example.com").await;
    for (number, waits) in [(1, 300), (2, 3600)] {
        login_by_voice(&app, PHONE).await.ok();
        assert_eq!(last_send(&app, PHONE).await.1.channel, Channel::Sms, "{number}: a first start");
        app.advance(waits);
    }
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    app.advance(30);
    login_by_voice(&app, PHONE).await.ok();
    app.advance(60);
    by_voice(&app, REGISTER, json!({ "phoneNumber": PHONE })).await.ok();
    for phone in [BRITISH, "+14155550190"] {
        for _ in 0..2 {
            by_voice(&app, REGISTER, json!({ "phoneNumber": phone })).await.ok();
            app.advance(30);
        }
    }
    for _ in 0..2 {
        // By e-mail address, whatever the country.
        app.get("/api/users/restorepassword/jane@example.com?channel=voice", None).await.ok();
        app.advance(60);
    }
    assert_eq!(calls(&app), 0);
}

#[tokio::test]
async fn calls_that_are_switched_off_become_sms() {
    let app = with(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    app.login_start(PHONE).await.ok();
    switch_off_calls(&app).await;
    let sent = app.sent();
    login_by_voice(&app, PHONE).await.ok();
    assert_eq!((app.sent(), calls(&app)), (sent + 1, 0));
}

#[tokio::test]
async fn a_call_reads_the_code_of_each_flow_which_then_is_right() {
    let app = with(&[("STARTS_PER_ADDRESS", "100")]).await;
    let body = json!({ "phoneNumber": PHONE });
    let id = challenge_id(&app.post(REGISTER, &body).await.ok());
    app.advance(30);
    assert_eq!(challenge_id(&by_voice(&app, REGISTER, body).await.ok()), id);
    after(&app, 2).await;
    let text = spoken(&app, PHONE);
    assert!(text.starts_with("Your Otpost code to sign up is:"), "{text}");
    let registration = TestApp::registration(PHONE, "jane@example.com", &id, &spoken_code(&text));
    let user = app.post(REGISTER, &registration).await.ok();
    app.advance(3600);

    let id = challenge_id(&app.login_start(PHONE).await.ok());
    app.advance(30);
    login_by_voice(&app, PHONE).await.ok();
    after(&app, 2).await;
    let user_token = app.enter(&id, &spoken_code(&spoken(&app, PHONE))).await.ok()["user-token"].clone();
    app.advance(3600);

    let body = json!({ "phoneNumber": PHONE, "password": PASSWORD });
    let id = challenge_id(&app.post(PASSWORD_LOGIN, &body).await.ok());
    app.advance(30);
    by_voice(&app, PASSWORD_LOGIN, body).await.ok();
    after(&app, 2).await;
    app.enter(&id, &spoken_code(&spoken(&app, PHONE))).await.ok();
    app.advance(3600);

    let path = format!("/api/users/restorepassword/{}", PHONE.replace('+', "%2B"));
    let id = challenge_id(&app.get(&path, None).await.ok());
    app.advance(60);
    app.get(&format!("{path}?channel=voice"), None).await.ok();
    after(&app, 2).await;
    let body =
        json!({ "transactionId": id, "code": spoken_code(&spoken(&app, PHONE)), "password": "battery staple horse" });
    app.post("/api/services/Plivo/resetPassword", &body).await.ok();
    assert_eq!(calls(&app), 4);
    remember(user_token.as_str().unwrap());
    assert!(user["objectId"].is_string());
}

/// A Plivo that keeps what it is asked for.
async fn keeps_requests() -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    let kept = Arc::<Mutex<Vec<_>>>::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keep = Arc::clone(&kept);
    let answer = move |uri: Uri, body: String| {
        let resource = uri.path().rsplit('/').nth(1).unwrap_or_default().to_owned();
        keep.lock().unwrap().push((resource, serde_json::from_str(&body).unwrap_or_default()));
        let body = json!({ "message": "x", "message_uuid": ["m"], "request_uuid": "c", "api_id": "a" });
        async move { (StatusCode::ACCEPTED, body.to_string()) }
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    (url, kept)
}

#[tokio::test]
async fn plivo_is_told_who_calls_and_where_to_ask_but_no_code() {
    let (plivo, kept) = keeps_requests().await;
    let app = with(&[("PLIVO_API_URL", &plivo)]).await;
    app.register_start(PHONE).await.ok();
    app.advance(30);
    by_voice(&app, REGISTER, json!({ "phoneNumber": PHONE })).await.ok();
    let requests = std::mem::take(&mut *kept.lock().unwrap());
    let [(_, message), (resource, call)] = &requests[..] else { panic!("an SMS, then a call: {requests:?}") };
    let code: String = message["text"].as_str().unwrap().chars().take_while(char::is_ascii_digit).collect();
    remember(&code);
    let url = |event| format!("{}/plivo/calls/{}/{event}", app.stack.config.url, "{id}");
    let send = last_send(&app, PHONE).await.0;
    let expected = json!({
        "from": "+14155550198", "to": PHONE, "ring_timeout": 30, "time_limit": 55, "machine_detection": "hangup",
        "answer_url": url("answer"), "answer_method": "POST", "hangup_url": url("hangup"), "hangup_method": "POST",
    });
    let shown: Value = serde_json::from_str(&call.to_string().replace(&send, "{id}")).unwrap();
    assert_eq!((resource.as_str(), shown), ("Call", expected));
    assert!(code.len() == 6 && !call.to_string().contains(&code));
}

#[tokio::test]
async fn a_change_of_phone_can_be_proven_by_a_call_in_the_user_s_language() {
    let app = with(&[]).await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let mut body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
    body["blUserLocale"] = json!("de");
    let user = app.post(REGISTER, &body).await.ok();
    app.advance(30);
    let token = app.log_in(PHONE).await;
    let put = async |body: Value| {
        let request = app.request(Method::PUT, &format!("/api/users/{}", user["objectId"].as_str().unwrap()));
        app.send(request.header("user-token", &token).body(body.to_string())).await.ok()
    };
    let id = put(json!({ "phoneNumber": OTHER })).await["transactionId"].clone();
    app.advance(30);
    put(json!({ "phoneNumber": OTHER, "channel": "voice" })).await;
    after(&app, 2).await;
    let text = spoken(&app, OTHER);
    assert!(text.starts_with("Ihr Code von Otpost für die neue Nummer lautet:"), "{text}");
    let code = spoken_code(&text);
    let moved = put(json!({ "phoneNumber": OTHER, "transactionId": id, "transactionCode": code })).await;
    assert_eq!(moved["phoneNumber"], OTHER);
}

#[tokio::test]
async fn a_call_costs_its_own_price_from_the_same_budget() {
    let prices = [("SMS_PRICES", "*=0.01"), ("VOICE_PRICES", "*=0.05"), ("BUDGET_SHARDS", "1")];
    // Room for two messages and a call, but for a cent.
    let app = with(&[&prices[..], &[("BUDGET", "0.069/1/1")]].concat()).await;
    app.register(PHONE, "jane@example.com").await;
    app.login_start(PHONE).await.ok();
    app.advance(30);
    login_by_voice(&app, PHONE).await.refused_in(503, "budget_spent");
    app.login_start(PHONE).await.ok();
    assert_eq!((calls(&app), app.sent()), (0, 3), "an SMS still fits");

    let app = with(&[&prices[..], &[("BUDGET", "0.07/1/1")]].concat()).await;
    app.register(PHONE, "jane@example.com").await;
    app.stack.metrics.keep();
    app.login_start(PHONE).await.ok();
    app.advance(30);
    login_by_voice(&app, PHONE).await.ok();
    let cost = app.stack.metrics.take().into_iter().filter(|line| line["CostMillionths"].is_number());
    let cost: Vec<_> = cost.map(|line| (line["Type"].clone(), line["CostMillionths"].clone())).collect();
    assert_eq!(cost, [(json!("sms"), json!(10_000)), (json!("voice"), json!(50_000))]);
    app.advance(60);
    app.login_start(PHONE).await.refused_in(503, "budget_spent");
}

#[tokio::test]
async fn a_call_counts_in_the_phone_s_limits() {
    let app = with(&[]).await;
    called(&app).await;
    assert_eq!(login_by_voice(&app, PHONE).await.limited("too_many_messages"), 60);
    assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), 60);
    app.advance(60);
    login_by_voice(&app, PHONE).await.ok();
    assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), 120);
    assert_eq!(calls(&app), 2);
}

#[tokio::test]
async fn one_call_is_told_the_code_and_no_other() {
    let app = with(&[]).await;
    let (id, code, send) = called(&app).await;
    let says_code = |xml: &str| {
        xml.contains(
            &code.split("").filter(|digit| !digit.is_empty()).collect::<Vec<_>>().join("<break time=\"600ms\"/>"),
        )
    };
    let path = format!("/plivo/calls/{send}/answer");
    plivo_posts(&app, &path, &[("CallUUID", "first")], false).await.refused(401, 14008, "signature_invalid");
    let sms = record(&app, PHONE).await.sends.into_iter().find(|(_, send)| send.channel == Channel::Sms).unwrap().0;
    let keys = app.stack.app.secrets.keys(app.stack.app.clock.now()).await.unwrap();
    let unknown = SendId::new(&keys, phone_key(&app, PHONE).await).text();
    for other in [sms.as_str(), &unknown, "nonsense"] {
        assert_eq!(ask(&app, other, "first").await, HANG_UP, "{other}");
    }
    assert_eq!(plivo_posts(&app, &path, &[], true).await.ok(), HANG_UP, "a call without an id");
    assert!(says_code(&ask(&app, &send, "first").await));
    assert_eq!(ask(&app, &send, "second").await, HANG_UP);
    assert!(says_code(&ask(&app, &send, "first").await), "Plivo may not have read the first answer");
    app.enter(&id, &code).await.ok();
    assert_eq!(ask(&app, &send, "first").await, HANG_UP, "the code has been used");
}

#[tokio::test]
async fn what_plivo_tells_of_a_call_costs_one_write() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy_of(&ON).await;
    let (_, _, send) = called(&app).await;
    let path = |event: &str| format!("/plivo/calls/{send}/{event}");
    let end = [("CallUUID", "first"), ("CallStatus", "completed")];
    // The first request checks the root key.
    ask(&app, "nonsense", "first").await;
    for (event, is_signed, operations) in
        [("answer", false, &[][..]), ("hangup", false, &[]), ("answer", true, &["write"]), ("hangup", true, &["write"])]
    {
        proxy.take_calls();
        plivo_posts(&app, &path(event), &end, is_signed).await;
        assert_eq!(proxy.take_operations(), operations, "{event}");
    }
    let before = app.dump().await;
    for (event, end) in [("hangup", "completed"), ("hangup", "busy"), ("answer", "")] {
        plivo_posts(&app, &path(event), &[("CallUUID", "first"), ("CallStatus", end)], true).await.ok();
        assert!(app.dump().await == before, "repeated or late: {event} {end}");
    }
}

#[tokio::test]
async fn a_code_that_has_expired_or_is_out_of_attempts_is_not_read() {
    let app = with(&[]).await;
    let (id, code, send) = called(&app).await;
    for _ in 0..5 {
        app.enter(&id, &crate::support::wrong(&code)).await.refused(401, 14000, "code_rejected");
    }
    assert_eq!(ask(&app, &send, "first").await, HANG_UP);
    app.advance(3600);
    app.login_start(PHONE).await.ok();
    app.advance(200);
    login_by_voice(&app, PHONE).await.ok();
    let (send, kept) = last_send(&app, PHONE).await;
    assert_eq!(kept.channel, Channel::Voice);
    app.advance(100);
    assert_eq!(ask(&app, &send, "first").await, HANG_UP);
}

#[tokio::test]
async fn how_a_call_ends_is_kept_and_told_after_the_right_password_and_of_a_registration() {
    for (fault, wait, state, reason) in [
        (Fault::Call(CallFault::Busy), 2, DeliveryState::Undelivered, json!("line_busy")),
        (Fault::Call(CallFault::NoAnswer), 30, DeliveryState::Undelivered, json!("not_answered")),
        (Fault::Call(CallFault::Failed), 2, DeliveryState::Failed, json!("not_delivered")),
        (Fault::None, 10, DeliveryState::Delivered, Value::Null),
    ] {
        let app = with(&[]).await;
        app.register(PHONE, "jane@example.com").await;
        for (path, body) in [
            (LOGIN, json!({ "phoneNumber": PHONE })),
            (PASSWORD_LOGIN, json!({ "phoneNumber": PHONE, "password": PASSWORD })),
            (REGISTER, json!({ "phoneNumber": OTHER })),
        ] {
            let phone = body["phoneNumber"].as_str().unwrap().to_owned();
            let id = challenge_id(&app.post(path, &body).await.ok());
            app.advance(30);
            app.stack.simulator.set_fault(fault.clone());
            by_voice(&app, path, body).await.ok();
            after(&app, 2).await;
            after(&app, wait - 2).await;
            app.stack.simulator.set_fault(Fault::None);
            assert_eq!(last_send(&app, &phone).await.1.delivery.state(), Some(state), "{fault:?}");
            app.advance(35 - wait);
            let status = app.get(&format!("/api/services/Plivo/status/{id}"), None).await.ok();
            assert_eq!((&status["channel"], &status["voice"]), (&json!("voice"), &json!(true)));
            let told =
                if path == LOGIN { (json!("sent"), Value::Null) } else { (status["state"].clone(), reason.clone()) };
            assert_eq!((&status["state"], &status["reason"]), (&told.0, &told.1), "{fault:?}");
            assert_eq!(status["state"] == "failed", path != LOGIN && !reason.is_null());
            app.advance(3600);
        }
    }
}

/// Somebody has answered, but Plivo did not learn what to say; or what comes is of another call.
#[tokio::test]
async fn a_call_that_said_nothing_brought_no_code() {
    let app = with(&[]).await;
    let (_, _, send) = called(&app).await;
    let path = format!("/plivo/calls/{send}/hangup");
    let completed = |call| [("CallUUID", call), ("CallStatus", "completed"), ("HangupCauseCode", "7011")];
    plivo_posts(&app, &path, &completed("first"), false).await.refused(401, 14008, "signature_invalid");
    assert_eq!(last_send(&app, PHONE).await.1.delivery.state(), None);
    plivo_posts(&app, &path, &completed("first"), true).await.ok();
    let kept = last_send(&app, PHONE).await.1.delivery;
    assert_eq!((kept.state(), kept.parts["1"].error.as_deref()), (Some(DeliveryState::Undelivered), Some("7011")));
    assert_eq!(ask(&app, &send, "first").await, HANG_UP, "it has ended");

    app.advance(60);
    login_by_voice(&app, PHONE).await.ok();
    let send = last_send(&app, PHONE).await.0;
    ask(&app, &send, "first").await;
    plivo_posts(&app, &format!("/plivo/calls/{send}/hangup"), &completed("second"), true).await.ok();
    assert_eq!(last_send(&app, PHONE).await.1.delivery.state(), Some(DeliveryState::Sent), "another call's end");
}

#[tokio::test]
async fn a_call_that_plivo_refuses_counts_nowhere_and_stops_no_sms() {
    let app = with(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    let body = json!({ "phoneNumber": PHONE, "password": PASSWORD });
    app.post(PASSWORD_LOGIN, &body).await.ok();
    app.advance(30);
    app.stack.simulator.set_fault(Fault::SendStatus(503));
    for _ in 0..4 {
        by_voice(&app, PASSWORD_LOGIN, body.clone()).await.refused(503, 14000, "sms_unavailable");
    }
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(calls(&app), 4);
    app.post(PASSWORD_LOGIN, &body).await.ok();
}

#[tokio::test]
async fn a_phone_without_a_user_gets_no_call_and_the_same_answers() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy_of(&ON).await;
    app.register(PHONE, "jane@example.com").await;
    app.advance(86_400);
    let both = async |by: &str| {
        let mut replies = Vec::new();
        for phone in [PHONE, OTHER] {
            proxy.take_calls();
            let reply = app.post(LOGIN, &json!({ "phoneNumber": phone, "channel": by })).await;
            replies.push((reply.status, reply.body.clone(), proxy.take_operations()));
        }
        let ids = [0, 1].map(|place| replies[place].1["transactionId"].as_str().map(str::to_owned));
        for (_, body, _) in &mut replies {
            if body["transactionId"].is_string() {
                body["transactionId"] = json!("any");
            }
        }
        assert_eq!(replies[0], replies[1], "{by}");
        ids
    };
    both("voice").await;
    app.advance(30);
    let ids = both("voice").await;
    assert_eq!(calls(&app), 1);
    both("voice").await;
    assert_eq!(calls(&app), 1, "limited");
    // The first status checks the root key.
    app.get("/api/services/Plivo/status/x", None).await.refused(404, 14000, "transaction_not_found");
    for wait in [0, 5, 5, 20, 240] {
        after(&app, wait).await;
        let mut told = Vec::new();
        for id in ids.iter().flatten() {
            proxy.take_calls();
            let mut body = app.get(&format!("/api/services/Plivo/status/{id}"), None).await.ok();
            assert_eq!(body["channel"], "voice");
            body["retryAt"] = json!("any");
            told.push((body, proxy.take_operations()));
        }
        assert_eq!(told[0], told[1], "after {wait} s");
    }
    assert_eq!(last_send(&app, PHONE).await.1.delivery.state(), Some(DeliveryState::Delivered));
    let (decoy, send) = last_send(&app, OTHER).await;
    assert_eq!((send.channel, send.sent), (Channel::Voice, false));
    assert_eq!(ask(&app, &decoy, "first").await, HANG_UP);
}
