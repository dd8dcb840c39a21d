//! One key, one message, however often it is requested, at once or later, and whatever dies in between.

use lambda_http::lambda_runtime::{Context, LambdaEvent};
use local::fault_proxy::Fault as StoreFault;
use local::simulator::Fault;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::messaging::IdempotencyKey;
use shared::store::{Claim, Claimed, MessageState};

use crate::support::{Reply, TestApp};

const PHONE: &str = "+14155550101";

fn hello() -> Value {
    json!({"phoneNumber": PHONE, "message": "Hello"})
}

async fn send(app: &TestApp, key: &str, body: &Value) -> Reply {
    let request = app.request(reqwest::Method::POST, "/api/services/Plivo/sendMessage").bearer_auth(local::MESSAGE_KEY);
    app.send(request.header("idempotency-key", key).body(body.to_string())).await
}

/// A function that dies after it has claimed the key for this message.
pub(crate) async fn die_while_sending(app: &TestApp, key: &IdempotencyKey, content: &str) -> Claim {
    let (app, now) = (&app.stack.app, app.stack.clock.now());
    let keys = app.secrets.keys(now).await.unwrap();
    let claimed = app.store.messages.claim(&keys.message(key.as_str()), &keys.message(content), now).await.unwrap();
    match claimed {
        Claimed::Acquired(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_before_anything_is_sent() {
    let app = TestApp::start().await;
    for key in ["", "\"\"", " ", &"a".repeat(256)] {
        send(&app, key, &hello()).await.refused(400, 8008, "invalid_idempotency_key");
    }
    // The gateway joins two headers of one name by a comma.
    let twice = app.request(reqwest::Method::POST, "/api/services/Plivo/sendMessage").bearer_auth(local::MESSAGE_KEY);
    let twice = twice.header("idempotency-key", "one").header("idempotency-key", "one").body(hello().to_string());
    app.send(twice).await.refused(400, 8008, "invalid_idempotency_key");
    send(&app, "one,two", &hello()).await.refused(400, 8008, "invalid_idempotency_key");
    for key in ["", "a\u{7f}", "é"] {
        let body = json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": key});
        app.message(&body).await.refused(400, 8008, "invalid_idempotency_key");
    }
    let body = json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "one"});
    send(&app, "another", &body).await.refused(400, 8008, "invalid_idempotency_key");
    app.message(&json!({"phoneNumber": PHONE, "message": "x", "idempotencyKey": 7})).await.refused(
        400,
        8008,
        "wrong_type",
    );
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn another_message_under_the_same_key_is_refused() {
    let app = TestApp::start().await;
    send(&app, "k", &hello()).await.ok();
    for body in [
        json!({"phoneNumber": PHONE, "message": "Hello!"}),
        json!({"phoneNumber": "+14155550102", "message": "Hello"}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": "https://example.com/a.png"}),
    ] {
        send(&app, "k", &body).await.refused(422, 14000, "idempotency_key_reused");
    }
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn the_same_message_under_the_same_key_gets_the_first_answer() {
    let app = TestApp::start().await;
    let first = send(&app, "k", &hello()).await.ok();
    let mut inside = hello();
    inside["idempotencyKey"] = json!("k");
    let otherwise_spelt = json!({"message": "Hello", "phoneNumber": "(415) 555-0101"});
    for (key, body) in [("k", &hello()), ("\"k\"", &hello()), ("k", &inside), ("k", &otherwise_spelt)] {
        assert_eq!(send(&app, key, body).await.ok(), first);
    }
    assert_eq!(app.message(&inside).await.ok(), first);
    assert_eq!(app.sent(), 1);
    send(&app, "another", &hello()).await.ok();
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn without_a_key_each_request_is_a_message() {
    let app = TestApp::start().await;
    app.message(&hello()).await.ok();
    app.message(&hello()).await.ok();
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn an_invocation_that_lambda_retries_is_the_same_message() {
    let app = TestApp::start().await;
    for _ in 0..2 {
        let mut context = Context::default();
        context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
        app.stack.invoke_in("send-message", LambdaEvent::new(hello(), context)).await.unwrap();
    }
    assert_eq!(app.sent(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_send_one() {
    let app = TestApp::start().await;
    let body = hello();
    let replies = futures_util::future::join_all((0..20).map(|_| send(&app, "k", &body))).await;
    assert_eq!(app.sent(), 1);
    let answers: Vec<_> = replies.iter().filter(|reply| reply.status == 200).map(|reply| &reply.body).collect();
    assert!(!answers.is_empty() && answers.iter().all(|body| body == &answers[0]));
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.refused(409, 14000, "message_in_flight");
    }
}

#[tokio::test]
async fn a_message_whose_sender_died_is_in_flight_then_unknown_and_never_sent() {
    let app = TestApp::start().await;
    let key = IdempotencyKey::parse("k").unwrap();
    let claim = die_while_sending(&app, &key, "+14155550101\n\nHello").await;
    let reply = send(&app, "k", &hello()).await;
    reply.refused(409, 14000, "message_in_flight");
    assert_eq!(reply.headers["retry-after"], "30");
    app.advance(29);
    send(&app, "k", &hello()).await.refused(409, 14000, "message_in_flight");
    app.advance(1);
    for _ in 0..2 {
        send(&app, "k", &hello()).await.refused(503, 14000, "sms_unknown");
    }
    app.advance(300 * 24 * 60 * 60);
    send(&app, "k", &hello()).await.refused(503, 14000, "sms_unknown");
    assert_eq!(app.sent(), 0);
    // The first function was only slow.
    let answer = json!({"message": "message(s) queued", "message_uuid": ["u"], "api_id": "a"});
    app.stack
        .app
        .store
        .messages
        .settle(&claim, &MessageState::Sent(answer.to_string()), app.stack.clock.now())
        .await
        .unwrap();
    assert_eq!(send(&app, "k", &hello()).await.ok(), answer);
}

#[tokio::test]
async fn a_message_whose_sender_died_is_not_sent_however_late_somebody_asks() {
    let app = TestApp::start().await;
    die_while_sending(&app, &IdempotencyKey::parse("k").unwrap(), "+14155550101\n\nHello").await;
    app.advance(300 * 24 * 60 * 60);
    send(&app, "k", &hello()).await.refused(503, 14000, "sms_unknown");
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn who_waits_as_long_as_told_finds_nothing_in_flight() {
    let app = TestApp::start().await;
    die_while_sending(&app, &IdempotencyKey::parse("k").unwrap(), "+14155550101\n\nHello").await;
    app.stack.clock.advance(std::time::Duration::from_millis(500));
    let wait = send(&app, "k", &hello()).await.body["errorData"]["retryAfter"].as_u64().unwrap();
    app.advance(wait);
    send(&app, "k", &hello()).await.refused(503, 14000, "sms_unknown");
}

#[tokio::test]
async fn a_key_is_free_again_when_no_queue_can_hold_its_message_any_more() {
    let app = TestApp::start().await;
    send(&app, "k", &hello()).await.ok();
    app.advance(15 * 24 * 60 * 60 - 1);
    send(&app, "k", &hello()).await.ok();
    assert_eq!(app.sent(), 1);
    app.advance(1);
    send(&app, "k", &hello()).await.ok();
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again() {
    for fault in [Fault::HangUp, Fault::Nonsense, Fault::Status(500)] {
        let app = TestApp::start().await;
        app.stack.simulator.set_fault(fault.clone());
        let first = send(&app, "k", &hello()).await;
        first.refused(503, 14000, "sms_unknown");
        app.stack.simulator.set_fault(Fault::None);
        let again = send(&app, "k", &hello()).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{fault:?}");
        assert_eq!(app.sent(), 1);
    }
}

#[tokio::test]
async fn what_plivo_refused_is_refused_again_without_asking() {
    for status in [400, 403] {
        let app = TestApp::start().await;
        app.stack.simulator.set_fault(Fault::Status(status));
        let first = send(&app, "k", &hello()).await;
        first.refused(400, 14000, "message_rejected");
        app.stack.simulator.set_fault(Fault::None);
        assert_eq!(send(&app, "k", &hello()).await.body, first.body);
        assert_eq!(app.sent(), 1);
    }
}

#[tokio::test]
async fn what_surely_was_not_sent_may_be_tried_again_under_its_key() {
    for status in [401, 402, 429, 503] {
        let app = TestApp::start().await;
        app.stack.simulator.set_fault(Fault::Status(status));
        send(&app, "k", &hello()).await.refused(503, 14000, "sms_unavailable");
        app.stack.simulator.set_fault(Fault::None);
        send(&app, "k", &hello()).await.ok();
        assert_eq!(app.texts(PHONE).len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_sent_while_it_cannot_be_written_down() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    for fault in [StoreFault::HangUp, StoreFault::Throttle, StoreFault::Fail] {
        proxy.always(Some(fault));
        app.message(&hello()).await.refused(503, 14000, "unavailable");
    }
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn a_message_that_was_sent_and_not_written_down_is_never_sent_again() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    // Three for the outcome, and three for its status.
    for _ in 0..6 {
        proxy.once("UpdateItem", StoreFault::HangUp);
    }
    send(&app, "k", &hello()).await.ok();
    app.advance(30);
    send(&app, "k", &hello()).await.refused(503, 14000, "sms_unknown");
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn a_message_whose_key_could_not_be_taken_for_sure_may_be_tried_again() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    for _ in 0..3 {
        proxy.once("PutItem", StoreFault::LoseAnswer);
    }
    send(&app, "k", &hello()).await.refused(503, 14000, "unavailable");
    assert_eq!(app.sent(), 0);
    send(&app, "k", &hello()).await.ok();
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn a_lost_answer_of_the_store_does_not_lose_the_message() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    proxy.once("PutItem", StoreFault::LoseAnswer);
    proxy.once("UpdateItem", StoreFault::LoseAnswer);
    let first = send(&app, "k", &hello()).await.ok();
    assert_eq!(send(&app, "k", &hello()).await.ok(), first);
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn what_is_counted_names_no_phone() {
    let app = TestApp::start().await;
    app.stack.metrics.keep();
    app.register(PHONE, "jane@example.com").await;
    app.log_in(PHONE).await;
    app.login_start("+14155550199").await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "a".repeat(161)})).await.ok();
    app.message(&json!({"phoneNumber": PHONE})).await.refused(400, 8007, "message_empty");
    app.stack.simulator.set_fault(Fault::Status(429));
    app.message(&hello()).await.refused(503, 14000, "sms_unavailable");
    let lines = app.stack.metrics.take();
    let counted: Vec<_> = lines
        .iter()
        .map(|line| {
            let metric = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(metric["Namespace"], "Otpost/local");
            let name = metric["Metrics"][0]["Name"].as_str().unwrap();
            let sets = metric["Dimensions"].as_array().unwrap().iter();
            let dimensions: Vec<_> = sets.filter_map(|set| set[0].as_str()).collect();
            assert_eq!(line.as_object().unwrap().len(), 2 + dimensions.len(), "{line}");
            let values: Vec<_> = dimensions.iter().map(|dimension| line[dimension].as_str().unwrap()).collect();
            format!("{name} {} {}", values.join(" "), line[name])
        })
        .collect();
    let expected = [
        "BudgetPercent codes 0",
        "Sent register 1",
        "CostMillionths sms 7700",
        "Verified register US 1",
        "BudgetPercent codes 0",
        "Sent login 1",
        "CostMillionths sms 7700",
        "Verified login US 1",
        "BudgetPercent codes 0",
        "Decoys  1",
        "BudgetPercent messages 0",
        "Sent message 1",
        "CostMillionths sms 15400",
        "Refused message_empty 1",
        "BudgetPercent messages 0",
        "NotSent throttled 1",
        "Refused sms_unavailable 1",
    ];
    assert_eq!(counted, expected);
}
