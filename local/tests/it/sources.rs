//! Messages from SNS, EventBridge and Scheduler, and by direct invocation.

use local::simulator::Fault;
use serde_json::{Value, json};

use crate::support::TestApp;

const PHONE: &str = "+14155550101";

fn hello() -> Value {
    json!({"phoneNumber": PHONE, "message": "Hello"})
}

fn sns(id: &str, message: &str) -> Value {
    json!({"Records": [{
        "EventSource": "aws:sns",
        "Sns": {"Type": "Notification", "MessageId": id, "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic", "Message": message},
    }]})
}

fn bus(id: &str, detail: &Value) -> Value {
    json!({"version": "0", "id": id, "detail-type": "SendMessage", "source": "otpost", "time": "2026-01-01T00:00:00Z", "resources": [], "detail": detail})
}

pub(crate) fn scheduled(execution: &str, time: &str) -> Value {
    json!({
        "version": "0", "id": execution, "detail-type": "Scheduled Event", "source": "aws.scheduler", "time": time,
        "resources": ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/hello"], "detail": hello(),
    })
}

/// The reason of a failed invocation, and the body that HTTP would return.
async fn fails(app: &TestApp, event: Value) -> (String, Value) {
    let failed = app.stack.invoke("send-message", event).await.unwrap_err();
    let body = serde_json::from_str(&failed.error_message).unwrap_or(Value::String(failed.error_message));
    (failed.error_type, body)
}

#[tokio::test]
async fn an_event_of_no_known_kind_fails_and_says_so() {
    let app = TestApp::start().await;
    for event in [
        json!(null),
        json!("text"),
        json!([]),
        json!({}),
        json!({"message": "Hello"}),
        json!({"Records": []}),
        json!({"Records": "x"}),
        json!({"Records": [{"eventSource": "aws:s3"}]}),
        json!({"Records": [{"eventSource": "aws:sqs"}]}),
        json!({"Records": [{"EventSource": "aws:sns"}]}),
        json!({"Records": [1]}),
        json!({"detail-type": "x"}),
        json!({"detail-type": "x", "source": "y", "detail": {}}),
        json!({"detail-type": "x", "source": "y", "id": "", "detail": {}}),
        json!({"detail-type": "x", "source": "aws.scheduler", "id": "1", "detail": {}}),
        json!({"detail-type": "x", "source": "aws.scheduler", "resources": ["a"], "detail": {}}),
        json!({"detail-type": "x", "source": "aws.scheduler", "resources": ["a"], "time": "<aws.scheduler.schedule-time>", "detail": {}}),
        json!({"detail-type": "x", "source": "aws.scheduler", "resources": ["<aws.schedule>"], "time": "2026-01-01T00:00:00Z", "detail": {}}),
        json!({"requestContext": {"http": {}}}),
        json!({"requestContext": {"elb": {}}, "path": "/", "httpMethod": "POST"}),
    ] {
        let (kind, body) = fails(&app, event.clone()).await;
        assert_eq!(
            (kind.as_str(), &body["errorData"]["reason"]),
            ("unknown_event", &json!("unknown_event")),
            "{event}"
        );
    }
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn a_message_of_another_shape_fails_with_its_reason() {
    let app = TestApp::start().await;
    let shapes = [
        ("not_json", sns("1", "hello")),
        ("not_an_object", sns("2", "[]")),
        ("missing_field", sns("3", "{}")),
        ("unknown_field", sns("4", &json!({"phoneNumber": PHONE, "message": "x", "to": PHONE}).to_string())),
        ("missing_field", bus("5", &json!({}))),
        ("not_an_object", bus("6", &json!("{}"))),
        ("invalid_phone_number", bus("7", &json!({"phoneNumber": "x", "message": "x"}))),
        ("wrong_type", json!({"phoneNumber": 1})),
        ("message_empty", json!({"phoneNumber": PHONE})),
    ];
    for (reason, event) in shapes {
        let (kind, body) = fails(&app, event).await;
        assert_eq!((kind.as_str(), &body["errorData"]["reason"]), (reason, &json!(reason)));
    }
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn the_same_event_twice_is_one_message() {
    let app = TestApp::start().await;
    let with_key = json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "order-7"});
    let twice = [
        (sns("one", &hello().to_string()), sns("one", &hello().to_string())),
        (bus("one", &hello()), bus("one", &hello())),
        // Each attempt of Scheduler has an ID of its own.
        (scheduled("execution-1", "2026-01-01T09:00:00Z"), scheduled("execution-2", "2026-01-01T09:00:00Z")),
        (with_key.clone(), with_key.clone()),
        (bus("two", &with_key), sns("three", &with_key.to_string())),
    ];
    let mut sent = 0;
    for (at, (one, again)) in twice.into_iter().enumerate() {
        let first = app.stack.invoke("send-message", one).await.unwrap();
        let second = app.stack.invoke("send-message", again).await.unwrap();
        assert!(first == second || first.is_null() || second.is_null(), "the first answer again");
        sent += usize::from(at < 4); // the last pair has the same key as the one before
        assert_eq!(app.sent(), sent);
    }
}

#[tokio::test]
async fn other_events_are_other_messages() {
    let app = TestApp::start().await;
    for event in [
        sns("one", &hello().to_string()),
        sns("two", &hello().to_string()),
        bus("one", &hello()),
        bus("two", &hello()),
        scheduled("execution-1", "2026-01-01T09:00:00Z"),
        scheduled("execution-1", "2026-01-02T09:00:00Z"),
        hello(),
        hello(),
    ] {
        app.stack.invoke("send-message", event).await.unwrap();
    }
    assert_eq!(app.sent(), 8);
}

#[tokio::test]
async fn a_chosen_key_does_not_take_a_schedule_s() {
    let app = TestApp::start().await;
    let key = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/hello/2026-01-01T09:00:00Z";
    app.message(&json!({"phoneNumber": PHONE, "message": "x", "idempotencyKey": key})).await.ok();
    app.stack.invoke("send-message", scheduled("execution-1", "2026-01-01T09:00:00Z")).await.unwrap();
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn what_a_sender_wrote_is_not_logged() {
    let app = TestApp::start().await;
    let event = json!({"phoneNumber": PHONE, "message": "x", "Hi Jane, this is no field": 1});
    assert_eq!(fails(&app, event).await.0, "unknown_field");
    assert!(!crate::support::log().contains("Hi Jane"));
}

#[tokio::test]
async fn a_direct_invocation_answers_what_http_answers() {
    let app = TestApp::start().await;
    let answer = app.stack.invoke("send-message", hello()).await.unwrap();
    let by_http = app.message(&hello()).await.ok();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&answer), names(&by_http));
    let bad = json!({"phoneNumber": PHONE});
    let (_, body) = fails(&app, bad.clone()).await;
    assert_eq!(body, app.message(&bad).await.body);
}

#[tokio::test]
async fn a_failed_notification_comes_again_and_is_sent_once() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::Status(503));
    let event = sns("one", &hello().to_string());
    assert_eq!(fails(&app, event.clone()).await.0, "sms_unavailable");
    app.stack.simulator.set_fault(Fault::None);
    app.stack.invoke("send-message", event.clone()).await.unwrap();
    app.stack.invoke("send-message", event).await.unwrap();
    assert_eq!(app.texts(PHONE).len(), 1);
}

#[tokio::test]
async fn one_bad_notification_of_several_keeps_none_from_being_sent() {
    let app = TestApp::start().await;
    let mut event = sns("bad", "poison");
    let good = sns("good", &hello().to_string())["Records"][0].clone();
    event["Records"].as_array_mut().unwrap().push(good);
    assert_eq!(fails(&app, event.clone()).await.0, "not_json");
    assert_eq!(fails(&app, event).await.0, "not_json");
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn what_may_have_been_sent_fails_each_time_and_is_not_sent_again() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::HangUp);
    let event = bus("one", &hello());
    assert_eq!(fails(&app, event.clone()).await.0, "sms_unknown");
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(fails(&app, event).await.0, "sms_unknown");
    assert_eq!(app.sent(), 1);
}
