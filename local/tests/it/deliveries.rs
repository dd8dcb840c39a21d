//! Delivery reports: who may send them, and what they change.

use local::fault_proxy::FaultProxy;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::aws::secrets::MAX_AGE;
use shared::crypto::Keys;
use shared::flow::Flow;
use shared::plivo::signature::{NONCE, SIGNATURES, Signed};
use shared::store::{CodeSend, DeliveryState, PhoneKey, SendId};
use url::form_urlencoded;

use crate::support::{TestApp, challenge_id};

const PHONE: &str = "+14155550161";
const OTHER: &str = "+14155550162";
const V3: &str = SIGNATURES[0];
const MA_V3: &str = SIGNATURES[1];

pub(crate) type Form = Vec<(String, String)>;

/// A report's form, as Plivo writes it.
pub(crate) fn report(phone: &str, status: &str, sequence: u32, more: &[(&str, &str)]) -> Form {
    let sequence = sequence.to_string();
    let usual = [
        ("MessageUUID", "5b40a428-bfc7-4daf-9d06-726c558bf3b8"),
        ("From", "14155550199"),
        ("To", phone.trim_start_matches('+')),
        ("Status", status),
        ("Sequence", &sequence),
        ("MCC", "310"),
        ("MNC", "260"),
        ("TotalAmount", "0.00770"),
        ("PowerpackUUID", ""),
    ];
    let more_names: Vec<_> = more.iter().map(|(name, _)| *name).collect();
    let usual = usual.iter().filter(|(name, _)| !more_names.contains(name));
    usual.chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl TestApp {
    /// A request as Plivo sends it, but for the signature.
    fn unsigned(&self, path: &str, form: &Form) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// The signature of a form for a path, by a token.
    fn signature(&self, path: &str, form: &Form, nonce: &str, token: &str) -> String {
        let url = format!("{}{path}", self.stack.config.url);
        Signed { method: &Method::POST, url: &url, parameters: form }.sign(nonce, &token.into())
    }

    /// Sends what Plivo has signed, which is taken.
    pub(crate) async fn report(&self, path: &str, form: &Form) {
        let signature = self.signature(path, form, "12345", local::PLIVO_AUTH_TOKEN);
        let request = self.unsigned(path, form).header(V3, signature).header(NONCE, "12345");
        assert_eq!(self.send(request).await.ok(), json!(""));
    }

    fn keys(&self) -> Keys {
        Keys::derive(&local::ROOT_KEY.into()).unwrap()
    }

    fn phone_key(&self, phone: &str) -> PhoneKey {
        PhoneKey(self.keys().phone(phone).short())
    }

    /// The last send to a phone.
    async fn last_send(&self, phone: &str) -> (String, CodeSend) {
        let record = self.stack.app.store.phones.get(self.phone_key(phone)).await.unwrap();
        record.sends.into_iter().max_by_key(|(_, send)| send.at).expect("a send")
    }

    /// Starts a registration, and returns where Plivo reports of its message.
    pub(crate) async fn code_path(&self, phone: &str) -> String {
        challenge_id(&self.register_start(phone).await.ok());
        format!("/plivo/codes/{}", self.last_send(phone).await.0)
    }

    async fn code_state(&self, phone: &str) -> Option<DeliveryState> {
        self.last_send(phone).await.1.delivery.state()
    }

    /// Where Plivo reports of a message of `sendMessage`.
    pub(crate) fn message_path(&self, phone: &str) -> String {
        format!("/plivo/messages/{}", SendId::new(&self.keys(), self.phone_key(phone)).text())
    }

    pub(crate) async fn message_status(&self, uuid: &str) -> crate::support::Reply {
        let request = self.request(Method::GET, &format!("/api/services/Plivo/message/{uuid}"));
        self.send(request.bearer_auth(local::MESSAGE_KEY)).await
    }
}

#[tokio::test]
async fn what_plivo_has_not_signed_is_refused_before_anything_is_read() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    let path = app.code_path(PHONE).await;
    let form = report(PHONE, "delivered", 3, &[]);
    let signature = app.signature(&path, &form, "1", local::PLIVO_AUTH_TOKEN);
    let other_path = format!("/plivo/messages/{}", &path[13..]);
    let other_form = report(PHONE, "failed", 3, &[]);
    let by = |token: &str| app.signature(&path, &form, "1", token);
    let signed =
        |request: RequestBuilder, header, signature: &str| request.header(header, signature).header(NONCE, "1");
    let here = || app.unsigned(&path, &form);
    let requests = [
        here(),
        here().header(V3, &signature),
        here().header(NONCE, "1"),
        signed(here(), V3, ""),
        signed(here(), V3, "AAAA"),
        signed(here(), V3, &by("another token")),
        signed(here(), V3, &by("")),
        signed(here(), "x-plivo-signature-v2", &signature),
        here().header(V3, &signature).header(NONCE, "2"),
        signed(here(), V3, &signature).header(NONCE, "1"),
        signed(app.unsigned(&other_path, &form), V3, &signature),
        signed(app.unsigned(&format!("{path}?a=b"), &form), V3, &signature),
        signed(app.unsigned("/plivo/inbound", &form), V3, &signature),
        signed(app.unsigned(&path, &other_form), V3, &signature),
        signed(app.unsigned(&path, &Form::new()), V3, &signature),
    ];
    proxy.take_calls();
    for request in requests {
        app.send(request).await.refused(401, 14008, "signature_invalid");
    }
    assert_eq!(calls(&proxy), [""; 0], "a forged one costs no call");
    assert_eq!(app.code_state(PHONE).await, None);
    app.send(signed(here(), V3, &signature)).await.ok();
    assert_eq!(app.code_state(PHONE).await, Some(DeliveryState::Delivered), "which proves the rest right");
}

/// The operations that were called.
fn calls(proxy: &FaultProxy) -> Vec<String> {
    proxy.take_calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn a_code_s_state_only_moves_forward_and_a_report_costs_one_write() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    let path = app.code_path(PHONE).await;
    for (status, sequence, state) in [
        ("sent", 2, DeliveryState::Sent),
        ("queued", 1, DeliveryState::Sent),
        ("sent", 2, DeliveryState::Sent),
        ("delivered", 3, DeliveryState::Delivered),
        ("sent", 2, DeliveryState::Delivered),
        ("delivered", 3, DeliveryState::Delivered),
    ] {
        proxy.take_calls();
        app.report(&path, &report(PHONE, status, sequence, &[("ErrorCode", "000")])).await;
        assert_eq!(calls(&proxy), ["UpdateItem"], "{status}");
        assert_eq!(app.code_state(PHONE).await, Some(state), "{status}");
    }
    let (_, send) = app.last_send(PHONE).await;
    assert_eq!((send.flow, &send.delivery.parts["1"].error), (Flow::Register, &None));
}

#[tokio::test]
async fn what_is_signed_but_fits_no_send_has_no_effect() {
    let app = TestApp::start().await;
    let path = app.code_path(PHONE).await;
    let before = app.dump().await;
    let unknown = SendId::new(&app.keys(), app.phone_key(PHONE)).text();
    let delivered = report(PHONE, "delivered", 3, &[]);
    for (path, form) in [
        (format!("/plivo/codes/{unknown}"), delivered.clone()),
        ("/plivo/codes/nonsense".to_owned(), delivered.clone()),
        (path.clone(), report("1", "delivered", 3, &[])),
        (path.clone(), report(PHONE, "lost", 3, &[])),
        (path.clone(), report(PHONE, "delivered", 3, &[("PartInfo", "2 of 1")])),
        (path.clone(), report(PHONE, "delivered", 3, &[("MessageUUID", &"x".repeat(65))])),
        (path.clone(), Form::from([("a".to_owned(), "b".to_owned())])),
        (app.message_path(OTHER), delivered.clone()),
    ] {
        app.report(&path, &form).await;
        assert!(app.dump().await == before, "{path}");
    }
    app.report(&path, &delivered).await;
    assert!(app.dump().await != before);
}

#[tokio::test]
async fn either_header_and_each_live_token_is_taken() {
    let app = TestApp::start().await;
    let path = app.code_path(PHONE).await;
    let tokens = [local::PLIVO_AUTH_TOKEN, "main-account-token", "previous-token"];
    let send = async |sequence, header: &str, token: &str| {
        let form = report(PHONE, "sent", sequence, &[]);
        let signature = app.signature(&path, &form, "1", token);
        app.send(app.unsigned(&path, &form).header(header, signature).header(NONCE, "1")).await
    };
    send(1, MA_V3, tokens[1]).await.refused(401, 14008, "signature_invalid");
    let secret = json!({ "authId": local::PLIVO_AUTH_ID, "authToken": tokens[0], "callbackTokens": tokens[1..] });
    app.stack.secrets.put("plivo", &secret.to_string());
    app.advance(MAX_AGE.as_secs());
    for (sequence, (header, token)) in
        (1..).zip([V3, MA_V3].into_iter().flat_map(|header| tokens.map(|token| (header, token))))
    {
        send(sequence, header, token).await.ok();
    }
    let (_, sent) = app.last_send(PHONE).await;
    assert_eq!(sent.delivery.parts["1"].sequence, 6, "each of the six has changed it");
}

#[tokio::test]
async fn a_proxy_before_the_api_does_not_keep_plivo_out() {
    let secret = "0000000000000000000000000000000000000000000000000000000000000000";
    let app = TestApp::with(&[("CLIENT_ADDRESS_HEADER", "x-client"), ("PROXY_SECRET_SHA256", secret)]).await;
    app.register_start(PHONE).await.refused(403, 14008, "proxy_required");
    app.report(&app.message_path(PHONE), &report(PHONE, "sent", 1, &[])).await;
}

#[tokio::test]
async fn a_message_s_state_can_be_asked_for() {
    let app = TestApp::start().await;
    let accepted = app.message(&json!({"phoneNumber": PHONE, "message": "Hello"})).await.ok();
    let uuid = accepted["message_uuid"][0].as_str().unwrap();
    let created = app.stack.clock.advance(std::time::Duration::ZERO).as_millis();
    let status = app.message_status(uuid).await.ok();
    let queued = json!({"message_uuid": uuid, "state": "queued", "created": created, "updated": created});
    assert_eq!(status, queued);
    let path = app.message_path(PHONE);
    let part = |number, status, sequence, more: &[(&str, &str)]| {
        let info = format!("{number} of 2");
        let more = [&[("ParentMessageUUID", uuid), ("PartInfo", info.as_str())], more].concat();
        report(PHONE, status, sequence, &more)
    };
    app.advance(1);
    for (form, state) in [
        (part(2, "delivered", 3, &[]), "sent"),
        (part(1, "sent", 2, &[]), "sent"),
        (part(2, "queued", 1, &[]), "sent"),
        (part(1, "undelivered", 3, &[("ErrorCode", "80")]), "undelivered"),
    ] {
        app.report(&path, &form).await;
        let status = app.message_status(uuid).await.ok();
        assert_eq!((&status["state"], &status["segments"]), (&json!(state), &json!(2)), "{status}");
    }
    let status = app.message_status(uuid).await.ok();
    assert_eq!((&status["errorCode"], &status["updated"]), (&json!("80"), &json!(created + 1000)));
    assert!(status["message"].as_str().unwrap().contains("switched off") && status.get("reason").is_none(), "{status}");
}

#[tokio::test]
async fn a_message_without_a_final_report_is_unknown_and_an_unknown_one_is_not_found() {
    let app = TestApp::start().await;
    let accepted = app.message(&json!({"phoneNumber": PHONE, "message": "Hello"})).await.ok();
    let uuid = accepted["message_uuid"][0].as_str().unwrap();
    app.advance(4 * 60 * 60 - 1);
    assert_eq!(app.message_status(uuid).await.ok()["state"], "queued");
    app.advance(1);
    assert_eq!(app.message_status(uuid).await.ok()["state"], "unknown");
    app.report(&app.message_path(PHONE), &report(PHONE, "delivered", 3, &[("MessageUUID", uuid)])).await;
    assert_eq!(app.message_status(uuid).await.ok()["state"], "delivered", "late is better than never");
    app.advance(30 * 24 * 60 * 60);
    for id in [uuid, "00000000-0000-0000-0000-000000000000", "nonsense", "a%20b", &"a".repeat(65)] {
        app.message_status(id).await.refused(404, 14000, "message_not_found");
    }
    let request = app.request(Method::GET, &format!("/api/services/Plivo/message/{uuid}"));
    app.send(request).await.refused(401, 14008, "access_denied");
}

/// Of the metrics that were kept, those of this name: the value, the country and the carrier.
fn counted(metrics: &[Value], name: &str) -> Vec<(i64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_name = metrics.iter().filter_map(|line| Some((line.get(name)?.as_i64()?, line)));
    of_name.map(|(value, line)| (value, text(&line["Country"]), text(&line["Carrier"]))).collect()
}

#[tokio::test]
async fn ends_and_costs_are_counted_once_by_country_and_logged_by_carrier() {
    let app = TestApp::start().await;
    app.stack.metrics.keep();
    let path = app.code_path(PHONE).await;
    for (status, sequence) in [("sent", 2), ("delivered", 3), ("delivered", 3), ("read", 4)] {
        app.report(&path, &report(PHONE, status, sequence, &[])).await;
    }
    let metrics = app.stack.metrics.take();
    let us = |value| vec![(value, "US".to_owned(), "310-260".to_owned())];
    assert_eq!(counted(&metrics, "Delivered"), us(1));
    assert_eq!(counted(&metrics, "ReportedCostMillionths"), us(7700));
    let challenge = challenge_id(&{
        app.advance(60);
        let path = app.code_path(OTHER).await;
        app.report(&path, &report(OTHER, "undelivered", 3, &[("ErrorCode", "70")])).await;
        app.report(&app.message_path(OTHER), &report(OTHER, "delivered", 3, &[])).await;
        app.register_start(PHONE).await.ok()
    });
    let (id, _) = app.last_send(PHONE).await;
    app.report(&format!("/plivo/codes/{id}"), &report(PHONE, "sent", 2, &[])).await;
    let body = TestApp::registration(PHONE, "jane@example.com", &challenge, &app.last_code(PHONE));
    app.post("/api/users/register", &body).await.ok();
    let metrics = app.stack.metrics.take();
    assert_eq!(counted(&metrics, "Undelivered"), us(1));
    assert_eq!(counted(&metrics, "Delivered"), [us(0), us(1)].concat(), "the code's and the message's");
    assert_eq!(counted(&metrics, "ReportedCostMillionths"), us(7700), "of codes only");
    assert_eq!(counted(&metrics, "Verified"), us(1));
}

/// Twenty messages suspend a prefix; here ten that do not arrive.
#[tokio::test]
async fn a_prefix_whose_codes_do_not_arrive_is_suspended_after_half_as_many() {
    let app = TestApp::start().await;
    let start_and_fail = async |line: u32, status: &str| {
        let phone = format!("+1415555{line:04}");
        let path = app.code_path(&phone).await;
        // Each report twice, and another after the end: it counts once.
        for (status, sequence) in [("sent", 2), (status, 3), (status, 3), ("failed", 4)] {
            app.report(&path, &report(&phone, status, sequence, &[])).await;
        }
    };
    for line in 100..109 {
        start_and_fail(line, "undelivered").await;
    }
    start_and_fail(109, "delivered").await;
    // Ten messages, of which nine did not arrive, are nineteen; with the next they are twenty-one.
    start_and_fail(110, "failed").await;
    app.register_start("+14155550111").await.refused_in(503, "numbers_suspended");
    app.register_start("+14155650112").await.ok();
}

#[tokio::test]
async fn storage_that_does_not_answer_makes_plivo_come_again() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    let path = app.code_path(PHONE).await;
    for _ in 0..3 {
        proxy.once("UpdateItem", local::fault_proxy::Fault::Throttle);
    }
    let form = report(PHONE, "delivered", 3, &[]);
    let signature = app.signature(&path, &form, "1", local::PLIVO_AUTH_TOKEN);
    let request = app.unsigned(&path, &form).header(V3, signature).header(NONCE, "1");
    app.send(request).await.refused_in(503, "unavailable");
    app.report(&path, &form).await;
    assert_eq!(app.code_state(PHONE).await, Some(DeliveryState::Delivered));
}
