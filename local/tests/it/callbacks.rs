//! What the simulated Plivo tells an application of its own accord: delivery reports, messages of phones and calls, in order, again when nobody
//! answers, and with each fault. The application is a server of this test, which keeps what it receives.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local::simulator::{CallFault, CallbackFault, Fault, Outcome, Simulator};
use local::{Options, Stack};
use ring::hmac;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::support::TestApp;

const ACCOUNT: &str = "MAXXXXXXXXXXXXXXXXXX";
const TOKEN: &str = "a-token-of-the-account";
const SENDER: &str = "14155550100";
const PHONE: &str = "15550001111";

/// A request that the application received.
#[derive(Debug, Clone)]
struct Received {
    method: Method,
    path: String,
    headers: HeaderMap,
    form: Vec<(String, String)>,
}

impl Received {
    fn get(&self, name: &str) -> &str {
        self.form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the header signs this POST.
    fn is_signed(&self, url: &str, header: &str) -> bool {
        let mut pairs = self.form.clone();
        pairs.sort();
        let form: String = pairs.iter().map(|(name, value)| format!("{name}{value}")).collect();
        let nonce = self.header("x-plivo-signature-v3-nonce").unwrap();
        assert!(nonce.len() == 20 && nonce.bytes().all(|byte| byte.is_ascii_digit()), "{nonce}");
        let text = format!("{url}{}?{form}.{nonce}", self.path);
        let key = hmac::Key::new(hmac::HMAC_SHA256, TOKEN.as_bytes());
        self.header(header) == Some(&STANDARD.encode(hmac::sign(&key, text.as_bytes())))
    }
}

/// An application: it answers 200 and nothing, unless other answers are lined up.
#[derive(Clone, Default)]
struct Application {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    arrived: Arc<Notify>,
}

impl Application {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let application = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let router = Router::new().fallback(receive).with_state(application.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        application
    }

    fn will_answer(&self, answers: &[(u16, &'static str)]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }

    /// The value of a parameter in each request since the last time.
    fn take_values(&self, name: &str) -> Vec<String> {
        self.take().iter().map(|received| received.get(name).to_owned()).collect()
    }
}

async fn receive(
    State(application): State<Application>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let text = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { &body };
    let form = url::form_urlencoded::parse(text).into_owned().collect();
    application.received.lock().unwrap().push(Received { method, path: uri.path().to_owned(), headers, form });
    application.arrived.notify_one();
    let (status, text) = application.answers.lock().unwrap().pop_front().unwrap_or((200, ""));
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/xml")], text).into_response()
}

/// A simulator on a clock of its own, and an application.
struct Stage {
    simulator: Simulator,
    clock: Arc<AtomicI64>,
    application: Application,
}

impl Stage {
    async fn start() -> Self {
        let clock = Arc::new(AtomicI64::new(1_590_503_533_000));
        let now = Arc::clone(&clock);
        let simulator = Simulator::new(ACCOUNT, TOKEN, Arc::new(move || now.load(Ordering::SeqCst)));
        Self { simulator, clock, application: Application::start().await }
    }

    async fn post(&self, resource: &str, body: &Value) -> (u16, Value) {
        let basic = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        let request = Request::post(format!("/v1/Account/{ACCOUNT}/{resource}"))
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.simulator.router().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&to_bytes(answer.into_body(), usize::MAX).await.unwrap()).unwrap())
    }

    /// Sends a message whose reports go to the application, and returns its ID.
    async fn send(&self, more: Value) -> String {
        let url = format!("{}/report", self.application.url);
        let mut body = json!({"src": SENDER, "dst": PHONE, "text": "hello", "url": url});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.post("Message/", &body).await;
        assert_eq!(status, 202, "{answer}");
        answer["message_uuid"][0].as_str().unwrap().to_owned()
    }

    /// Calls the phone; all that happens is told to the application.
    async fn call(&self, more: Value) -> String {
        let url = |path: &str| format!("{}/{path}", self.application.url);
        let mut body = json!({
            "from": SENDER, "to": PHONE, "answer_url": url("answer"), "ring_url": url("ring"), "hangup_url": url("hangup"),
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = self.post("Call/", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["request_uuid"].as_str().unwrap().to_owned()
    }

    /// Moves the clock and calls back with what is then due.
    async fn after(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
        self.simulator.deliver_due().await;
    }
}

#[tokio::test]
async fn each_state_is_reported_when_it_is_reached_and_signed() {
    let stage = Stage::start().await;
    let uuid = stage.send(json!({})).await;
    assert!(stage.application.take().is_empty(), "nothing is sent before it is asked for");
    stage.after(0).await;
    assert_eq!(stage.application.take_values("Status"), ["queued"]);
    stage.after(999).await;
    assert!(stage.application.take().is_empty());
    stage.after(1).await;
    assert_eq!(stage.application.take_values("Status"), ["sent"]);
    stage.after(1_000).await;
    let [report] = &stage.application.take()[..] else { panic!("one report") };
    for (name, value) in [
        ("MessageUUID", uuid.as_str()),
        ("ParentMessageUUID", &uuid),
        ("PartInfo", "1 of 1"),
        ("Sequence", "3"),
        ("From", SENDER),
        ("To", PHONE),
        ("Type", "sms"),
        ("Status", "delivered"),
        ("Units", "1"),
        ("TotalRate", "0.00550"),
        ("TotalAmount", "0.00550"),
        ("MCC", "310"),
        ("MNC", "260"),
        ("ErrorCode", "000"),
        ("MessageTime", "2020-05-26 14:32:13.000000"),
        ("QueuedTime", "2020-05-26 14:32:13.000000"),
        ("SentTime", "2020-05-26 14:32:14.000000"),
        ("DeliveryReportTime", "2020-05-26 14:32:15.000000"),
    ] {
        assert_eq!(report.get(name), value, "{name}");
    }
    assert_eq!((&report.method, report.path.as_str()), (&Method::POST, "/report"));
    assert_eq!(report.header("content-type"), Some("application/x-www-form-urlencoded"));
    for header in ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"] {
        assert!(report.is_signed(&stage.application.url, header), "{header}");
    }
    stage.after(1_000_000).await;
    assert!(stage.application.take().is_empty(), "that was all");
}

#[tokio::test]
async fn a_jump_of_the_clock_reports_everything_in_order() {
    let stage = Stage::start().await;
    stage.send(json!({"text": "one"})).await;
    stage.after(500).await;
    stage.send(json!({"text": "two"})).await;
    stage.after(1_000_000).await;
    let states = ["queued", "queued", "sent", "sent", "delivered", "delivered"];
    assert_eq!(stage.application.take_values("Status"), states);
}

#[tokio::test]
async fn a_get_has_the_report_in_its_query_and_nothing_is_sent_without_a_url() {
    let stage = Stage::start().await;
    stage.send(json!({"url": format!("{}/report?of=mine", stage.application.url), "method": "GET"})).await;
    stage.send(json!({"url": null, "text": "silent"})).await;
    stage.after(0).await;
    let [report] = &stage.application.take()[..] else { panic!("one report") };
    assert_eq!((&report.method, report.get("of"), report.get("Status")), (&Method::GET, "mine", "queued"));
}

#[tokio::test]
async fn a_long_message_is_reported_part_by_part() {
    let stage = Stage::start().await;
    let uuid = stage.send(json!({"text": "a".repeat(161)})).await;
    stage.after(1_000).await;
    let reports = stage.application.take();
    let places: Vec<_> = reports.iter().map(|report| (report.get("Status"), report.get("PartInfo"))).collect();
    let expected = [("queued", "1 of 2"), ("queued", "2 of 2"), ("sent", "1 of 2"), ("sent", "2 of 2")];
    assert_eq!(places, expected);
    assert!(reports.iter().all(|report| report.get("ParentMessageUUID") == uuid && report.get("Units") == "2"));
    let parts: Vec<_> = reports.iter().map(|report| report.get("MessageUUID")).collect();
    assert_eq!((parts[0], parts[0] == parts[2], parts[1] == parts[3]), (uuid.as_str(), true, true));
    assert_ne!(parts[0], parts[1]);
}

#[tokio::test]
async fn a_report_that_is_not_answered_comes_again_after_60_120_and_240_seconds() {
    let stage = Stage::start().await;
    stage.simulator.set_fault(Fault::Outcome(Outcome::Failed(70)));
    stage.application.will_answer(&[(500, ""), (404, ""), (302, ""), (503, ""), (204, "")]);
    stage.send(json!({})).await;
    stage.after(0).await;
    for (wait, seen) in [(59_999, vec!["failed"]), (1, vec!["queued"]), (119_999, vec!["failed"]), (1, vec!["queued"])]
    {
        // The report of the failure fails at first, too, and comes again a minute later.
        assert_eq!(stage.application.take().len(), 1);
        stage.after(wait).await;
        let states: Vec<_> =
            stage.application.received.lock().unwrap().iter().map(|r| r.get("Status").to_owned()).collect();
        assert_eq!(states, seen, "{wait}");
    }
}

#[tokio::test]
async fn a_report_is_given_up_after_four_tries() {
    let stage = Stage::start().await;
    stage.application.will_answer(&[(500, ""); 4]);
    let url = format!("{}/hangup", stage.application.url);
    stage.simulator.set_fault(Fault::Call(CallFault::Busy));
    stage.call(json!({"hangup_url": url})).await;
    stage.after(2_000).await;
    assert_eq!(stage.application.take_values("HangupCause"), ["USER_BUSY"]);
    for wait in [60_000, 120_000, 240_000] {
        stage.after(wait - 1).await;
        assert!(stage.application.take().is_empty(), "too early: {wait}");
        stage.after(1).await;
        assert_eq!(stage.application.take_values("HangupCause"), ["USER_BUSY"], "{wait}");
    }
    stage.after(10_000_000).await;
    assert!(stage.application.take().is_empty());
}

#[tokio::test]
async fn reports_come_twice_reversed_late_or_never() {
    for (fault, at_once, later) in [
        (CallbackFault::Twice, vec!["queued", "queued", "sent", "sent", "delivered", "delivered"], vec![]),
        (CallbackFault::Reversed, vec!["delivered", "sent", "queued"], vec![]),
        (CallbackFault::Lost, vec![], vec![]),
        (CallbackFault::Late(Duration::from_secs(600)), vec![], vec!["queued", "sent", "delivered"]),
    ] {
        let stage = Stage::start().await;
        stage.simulator.set_fault(Fault::Callbacks(fault));
        stage.send(json!({})).await;
        stage.after(2_000).await;
        assert_eq!(stage.application.take_values("Status"), at_once, "{fault:?}");
        stage.after(600_000).await;
        assert_eq!(stage.application.take_values("Status"), later, "{fault:?}");
    }
}

#[tokio::test]
async fn a_forged_report_has_a_wrong_signature() {
    let stage = Stage::start().await;
    stage.simulator.set_fault(Fault::Callbacks(CallbackFault::Forged));
    stage.send(json!({})).await;
    stage.after(0).await;
    let [report] = &stage.application.take()[..] else { panic!("one report") };
    for header in ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"] {
        assert!(report.header(header).is_some() && !report.is_signed(&stage.application.url, header), "{header}");
    }
}

#[tokio::test]
async fn a_message_that_is_not_delivered_says_why() {
    let stage = Stage::start().await;
    for (fault, states, error) in [
        (Fault::Outcome(Outcome::Undelivered(30)), vec!["queued", "sent", "undelivered"], "30"),
        (Fault::Outcome(Outcome::Failed(70)), vec!["queued", "failed"], "70"),
        (Fault::Queued(Duration::from_secs(600)), vec!["queued", "failed"], "420"),
    ] {
        stage.simulator.set_fault(fault);
        stage.send(json!({"message_expiry": 300})).await;
        stage.after(300_000).await;
        let reports = stage.application.take();
        let told: Vec<_> = reports.iter().map(|report| report.get("Status")).collect();
        assert_eq!((told, reports.last().unwrap().get("ErrorCode")), (states, error));
        assert_eq!(reports[0].get("ErrorCode"), "000");
    }
}

/// A stage whose phones write to the application.
async fn with_inbound() -> (TestApp, Application) {
    let application = Application::start().await;
    let app = TestApp::with(&[("PLIVO_CALLBACK_URL", &application.url)]).await;
    (app, application)
}

async fn write(app: &TestApp, text: &str) {
    let body = json!({"from": "+15550001111", "text": text});
    assert!(app.post("/_local/inbound", &body).await.ok()["id"].is_string());
}

/// Sends a message with the stack's Plivo, without the service.
async fn send_by_plivo(app: &TestApp, body: &Value) {
    let path = format!("/v1/Account/{}/Message/", local::PLIVO_AUTH_ID);
    let request = app.request(reqwest::Method::POST, &path);
    let request = request.basic_auth(local::PLIVO_AUTH_ID, Some(local::PLIVO_AUTH_TOKEN));
    assert_eq!(app.send(request.body(body.to_string())).await.status, 202);
}

#[tokio::test]
async fn what_no_phone_can_write_is_refused() {
    let (app, application) = with_inbound().await;
    for body in [
        json!({}),
        json!([]),
        json!({"from": "+15550001111"}),
        json!({"from": "+15550001111", "text": ""}),
        json!({"from": "nobody", "text": "hello"}),
        json!({"from": "+15550001111", "text": "hello", "to": "MyShop"}),
        json!({"from": "+15550001111", "text": "hello", "at": 1}),
    ] {
        app.post("/_local/inbound", &body).await.refused(400, 14000, "invalid_message");
    }
    assert!(application.take().is_empty() && app.stack.simulator.messages(None).is_empty());
}

#[tokio::test]
async fn a_phone_s_message_reaches_the_application_and_its_answer_reaches_the_phone() {
    let (app, application) = with_inbound().await;
    application.will_answer(&[(200, "<Response><Message>We are open &amp; glad to see you</Message></Response>")]);
    write(&app, "Are you open?").await;
    let [inbound] = &application.take()[..] else { panic!("one message") };
    for (name, value) in [
        ("From", PHONE),
        ("To", "14155550199"),
        ("Text", "Are you open?"),
        ("Type", "sms"),
        ("Units", "1"),
        ("MessageIntent", ""),
    ] {
        assert_eq!(inbound.get(name), value, "{name}");
    }
    assert_eq!(inbound.path, "/plivo/inbound");
    assert!(inbound.header("x-plivo-signature-v3").is_none() && inbound.header("x-plivo-signature-ma-v3").is_some());
    let all = app.get("/_local/messages", None).await.ok();
    let shown = |index: usize| (all[index]["from"].clone(), all[index]["to"].clone(), all[index]["text"].clone());
    let (ours, phone) = (json!("+14155550199"), json!("+15550001111"));
    assert_eq!(shown(0), (ours.clone(), phone.clone(), json!("We are open & glad to see you")));
    assert_eq!(shown(1), (phone, ours, json!("Are you open?")));
    assert_eq!((&all[1]["state"], &all[1]["id"]), (&json!("received"), &json!(inbound.get("MessageUUID"))));
}

#[tokio::test]
async fn stop_is_acknowledged_once_and_blocks_until_start() {
    let (app, application) = with_inbound().await;
    application.will_answer(&[(200, "<Response><Message>Bye</Message></Response>")]);
    write(&app, "stop").await;
    assert_eq!(application.take_values("MessageIntent"), ["optout"]);
    let send = async |text: &str| {
        app.message(&json!({"phoneNumber": "+15550001111", "message": text})).await.ok();
        app.post("/_local/clock", &json!({"advance": 2})).await.ok();
    };
    let sent = || {
        let messages = app.stack.simulator.messages(Some(PHONE));
        messages.into_iter().map(|message| (message.text, message.state, message.error_code)).collect::<Vec<_>>()
    };
    app.post("/_local/clock", &json!({"advance": 2})).await.ok();
    assert_eq!(sent()[0], ("Bye".to_owned(), "delivered", None));
    assert!(sent()[1].0.starts_with("You have been unsubscribed"));
    let body =
        json!({"src": "14155550199", "dst": PHONE, "text": "Come back", "url": format!("{}/report", application.url)});
    send_by_plivo(&app, &body).await;
    app.post("/_local/clock", &json!({"advance": 2})).await.ok();
    assert_eq!(sent()[0], ("Come back".to_owned(), "failed", Some(200)));
    assert_eq!(application.take_values("ErrorCode"), ["000", "200"]);
    app.stack.simulator.write(PHONE, None, "start").unwrap();
    send("again").await;
    assert_eq!(sent()[0], ("again".to_owned(), "delivered", None));
    assert_eq!(application.take_values("MessageIntent").first().map(String::as_str), Some("optin"));
}

#[tokio::test]
async fn a_phone_s_message_that_is_not_answered_comes_again() {
    let (app, application) = with_inbound().await;
    application.will_answer(&[(503, "")]);
    write(&app, "hello").await;
    assert_eq!(application.take_values("Text"), ["hello"]);
    app.post("/_local/clock", &json!({"advance": 60})).await.ok();
    assert_eq!(application.take_values("Text"), ["hello"]);
    app.post("/_local/plivo", &json!({"callbacks": "twice", "to": "+1555", "times": 1})).await.ok();
    write(&app, "twice").await;
    assert_eq!(application.take_values("Text"), ["twice", "twice"]);
    app.post("/_local/plivo", &json!({"callbacksLate": 30, "times": 1})).await.ok();
    write(&app, "late").await;
    assert!(application.take().is_empty());
    app.post("/_local/clock", &json!({"advance": 30})).await.ok();
    assert_eq!(application.take_values("Text"), ["late"]);
    app.post("/_local/plivo", &json!({"callbacks": "lost", "times": 1})).await.ok();
    write(&app, "lost").await;
    app.post("/_local/clock", &json!({"advance": 3600})).await.ok();
    assert!(application.take().is_empty());
}

const SPEECH: &str = "<Response><Speak loop=\"2\">Your code is 1, 2, 3, 4, 5, 6</Speak></Response>";

#[tokio::test]
async fn a_call_rings_speaks_and_hangs_up() {
    let stage = Stage::start().await;
    let uuid = stage.call(json!({})).await;
    stage.application.will_answer(&[(200, ""), (200, SPEECH)]);
    stage.after(2_000).await;
    let told = stage.application.take();
    let paths: Vec<_> = told.iter().map(|told| (told.path.as_str(), told.get("CallStatus"))).collect();
    assert_eq!(paths, [("/ring", "ringing"), ("/answer", "in-progress")]);
    for (name, value) in [
        ("CallUUID", uuid.as_str()),
        ("RequestUUID", &uuid),
        ("ALegUUID", &uuid),
        ("From", SENDER),
        ("To", PHONE),
        ("Direction", "outbound"),
        ("Event", "StartApp"),
    ] {
        assert_eq!(told[1].get(name), value, "{name}");
    }
    assert!(told[1].is_signed(&stage.application.url, "x-plivo-signature-v3"));
    let shown = stage.simulator.messages(Some(PHONE)).remove(0);
    assert_eq!((shown.kind, shown.state, shown.id.as_str()), ("call", "in-progress", uuid.as_str()));
    assert_eq!(shown.text, "Your code is 1, 2, 3, 4, 5, 6");

    stage.after(8_000).await;
    let [hangup] = &stage.application.take()[..] else { panic!("one hang-up") };
    for (name, value) in [
        ("CallStatus", "completed"),
        ("HangupCause", "NORMAL_CLEARING"),
        ("HangupCauseCode", "4010"),
        ("HangupSource", "Plivo"),
        ("Duration", "8"),
        ("BillDuration", "60"),
        ("TotalCost", "0.01000"),
        ("AnswerTime", "2020-05-26 14:32:15.000000"),
        ("EndTime", "2020-05-26 14:32:23.000000"),
    ] {
        assert_eq!(hangup.get(name), value, "{name}");
    }
    assert_eq!(stage.simulator.messages(Some(PHONE))[0].state, "completed");
}

#[tokio::test]
async fn a_call_that_nobody_takes_asks_nothing_and_says_why() {
    for (fault, paths, status) in [
        (CallFault::Busy, vec!["/hangup"], "busy"),
        (CallFault::Failed, vec!["/hangup"], "failed"),
        (CallFault::NoAnswer, vec!["/ring", "/hangup"], "no-answer"),
    ] {
        let stage = Stage::start().await;
        stage.simulator.set_fault(Fault::Call(fault));
        stage.call(json!({})).await;
        stage.after(120_000).await;
        let told = stage.application.take();
        assert_eq!(told.iter().map(|told| told.path.as_str()).collect::<Vec<_>>(), paths);
        let last = told.last().unwrap();
        assert_eq!((last.get("CallStatus"), last.get("Duration"), last.get("TotalCost")), (status, "0", "0.00000"));
    }
}

#[tokio::test]
async fn an_answer_that_fails_is_asked_for_three_times_in_a_minute_and_then_the_fallback() {
    let stage = Stage::start().await;
    let fallback = format!("{}/fallback", stage.application.url);
    stage.call(json!({"ring_url": null, "fallback_url": fallback})).await;
    stage.application.will_answer(&[(500, SPEECH), (200, "no XML"), (404, ""), (200, SPEECH)]);
    for wait in [2_000, 20_000] {
        stage.after(wait).await;
        assert_eq!(stage.application.take().iter().map(|told| told.path.as_str()).collect::<Vec<_>>(), ["/answer"]);
        assert!(stage.simulator.messages(None).is_empty());
    }
    stage.after(20_000).await;
    assert_eq!(
        stage.application.take().iter().map(|told| told.path.as_str()).collect::<Vec<_>>(),
        ["/answer", "/fallback"]
    );
    assert_eq!(stage.simulator.messages(None)[0].text, "Your code is 1, 2, 3, 4, 5, 6");
}

#[tokio::test]
async fn a_call_without_an_answer_ends_with_an_error() {
    let stage = Stage::start().await;
    stage.call(json!({"ring_url": null})).await;
    stage.application.will_answer(&[(401, ""); 3]);
    for wait in [2_000, 20_000, 20_000] {
        stage.after(wait).await;
    }
    let told = stage.application.take();
    let hangup = told.last().unwrap();
    assert_eq!((told.len(), hangup.get("HangupCauseCode"), hangup.get("HangupSource")), (4, "7011", "Error"));
    let shown = &stage.simulator.messages(None)[0];
    assert_eq!((shown.state, shown.text.as_str()), ("failed", ""));
}

#[tokio::test]
async fn an_answer_that_is_asked_for_twice_or_forged() {
    let stage = Stage::start().await;
    stage.simulator.set_fault(Fault::Callbacks(CallbackFault::Twice));
    stage.application.will_answer(&[(200, SPEECH), (200, "<Response><Speak>Again</Speak></Response>")]);
    stage.call(json!({"ring_url": null, "hangup_url": null})).await;
    stage.after(2_000).await;
    assert_eq!(stage.application.take().len(), 2);
    assert_eq!(stage.simulator.messages(None)[0].text, "Your code is 1, 2, 3, 4, 5, 6", "the first answer is spoken");

    stage.simulator.set_fault(Fault::Callbacks(CallbackFault::Forged));
    stage.call(json!({"ring_url": null})).await;
    stage.after(2_000).await;
    assert!(!stage.application.take()[0].is_signed(&stage.application.url, "x-plivo-signature-v3"));
}

#[tokio::test]
async fn moving_the_stack_s_clock_calls_back_before_it_answers() {
    let (app, application) = with_inbound().await;
    let body = json!({"src": SENDER, "dst": PHONE, "text": "hello", "url": format!("{}/report", application.url)});
    send_by_plivo(&app, &body).await;
    app.post("/_local/clock", &json!({"advance": 2})).await.ok();
    assert_eq!(application.take_values("Status"), ["queued", "sent", "delivered"]);

    app.post("/_local/plivo", &json!({"undelivered": 30, "to": "+1555", "times": 1})).await.ok();
    send_by_plivo(&app, &body).await;
    app.post("/_local/clock", &json!({"advance": 2})).await.ok();
    assert_eq!(application.take_values("ErrorCode"), ["000", "000", "30"]);
    let shown = app.get("/_local/messages?limit=1", None).await.ok();
    assert_eq!((&shown[0]["state"], &shown[0]["errorCode"]), (&json!("undelivered"), &json!(30)));
}

/// The whole way: the service names its address to Plivo, Plivo reports, and the service believes what is signed, once, and in the right order.
#[tokio::test]
async fn the_service_learns_what_became_of_its_messages_whatever_happens_to_the_reports() {
    let app = TestApp::start().await;
    for (index, (fault, state)) in [
        (json!({"delay": 0}), "delivered"),
        (json!({"callbacks": "twice"}), "delivered"),
        (json!({"callbacks": "reversed"}), "delivered"),
        (json!({"callbacksLate": 600}), "delivered"),
        (json!({"undelivered": 30}), "undelivered"),
        (json!({"failed": 70}), "failed"),
        (json!({"callbacks": "lost"}), "queued"),
        (json!({"callbacks": "forged"}), "queued"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut plan = fault.clone();
        plan["times"] = json!(1);
        app.post("/_local/plivo", &plan).await.ok();
        let phone = format!("+1415555018{index}");
        let accepted = app.message(&json!({"phoneNumber": phone, "message": "a".repeat(200)})).await.ok();
        app.post("/_local/clock", &json!({"advance": 602})).await.ok();
        let told = app.message_status(accepted["message_uuid"][0].as_str().unwrap()).await.ok();
        assert_eq!(told["state"], state, "{fault}");
    }
}

/// As with `cargo run`: nobody asks for what is due.
#[tokio::test]
async fn a_stack_whose_clock_runs_calls_back_by_itself() {
    let application = Application::start().await;
    let stack = Stack::start(Options::default()).await.unwrap();
    let body = json!({"src": SENDER, "dst": PHONE, "text": "hello", "url": application.url});
    let request = local::http_client().unwrap().post(format!(
        "{}/v1/Account/{}/Message/",
        stack.config.url,
        local::PLIVO_AUTH_ID
    ));
    let request = request.basic_auth(local::PLIVO_AUTH_ID, Some(local::PLIVO_AUTH_TOKEN)).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 202);
    application.arrived.notified().await;
    assert_eq!(application.take_values("Status"), ["queued"]);
    stack.clock.advance(Duration::from_secs(600));
    let mut states = Vec::new();
    while states.len() < 2 {
        application.arrived.notified().await;
        states.extend(application.take_values("Status"));
    }
    assert_eq!(states, ["sent", "delivered"]);
}
