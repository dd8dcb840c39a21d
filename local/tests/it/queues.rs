//! Messages from SQS: each is sent at most once. Each ends up sent, in the dead-letter queue with its reason, or back in its queue.

use std::time::Duration;

use lambda_http::lambda_runtime::{Context, LambdaEvent};
use local::Options;
use local::simulator::Fault;
use send_message::queue;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::messaging::IdempotencyKey;

use crate::messages::die_while_sending;
use crate::support::TestApp;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:messages";
const FIFO: &str = "arn:aws:sqs:us-east-1:000000000000:messages.fifo";

fn phone(last: usize) -> String {
    format!("+1415555{:04}", 100 + last)
}

fn message(last: usize) -> String {
    json!({"phoneNumber": phone(last), "message": "Hello"}).to_string()
}

/// A record of a standard queue.
fn record(id: &str, body: impl Into<String>, receives: u32) -> Value {
    json!({
        "messageId": id, "body": body.into(), "eventSource": "aws:sqs", "eventSourceARN": QUEUE,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
    })
}

fn fifo(id: &str, group: &str, body: impl Into<String>, receives: u32) -> Value {
    let mut record = record(id, body, receives);
    record["eventSourceARN"] = json!(FIFO);
    record["attributes"]["MessageGroupId"] = json!(group);
    record
}

/// A message that was moved back from a dead-letter queue.
fn put_back(id: &str, letter: &local::sqs::Queued) -> Value {
    let mut record = record(id, letter.body.clone(), 1);
    let key = &letter.attributes["idempotencyKey"];
    record["messageAttributes"] = json!({"idempotencyKey": {"stringValue": key, "dataType": "String"}});
    record
}

/// The IDs of the messages that SQS must deliver again.
async fn deliver(app: &TestApp, records: &[Value]) -> Vec<String> {
    ids(&app.stack.invoke("send-message", json!({ "Records": records })).await.unwrap())
}

fn ids(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let mut ids: Vec<_> = failures.iter().map(|one| one["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

fn reasons(app: &TestApp) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let letters = app.stack.queues.dead_letters();
    letters.iter().map(|letter| (text(&letter.attributes["messageId"]), text(&letter.attributes["reason"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, reason)| ((*id).to_owned(), (*reason).to_owned())).collect()
}

#[tokio::test]
async fn poisoned_messages_go_to_the_dead_letter_queue_and_block_nobody() {
    let app = TestApp::start().await;
    let poison = [
        ("not_json", "{".to_owned()),
        ("not_json", "hello".to_owned()),
        ("not_an_object", "[1]".to_owned()),
        ("missing_field", "{}".to_owned()),
        ("wrong_type", json!({"phoneNumber": 14_155_550_100_u64, "message": "x"}).to_string()),
        ("unknown_field", json!({"phoneNumber": phone(0), "message": "x", "from": "me"}).to_string()),
        ("duplicate_field", format!(r#"{{"phoneNumber":"{0}","phoneNumber":"{0}","message":"x"}}"#, phone(0))),
        ("invalid_phone_number", json!({"phoneNumber": "12", "message": "x"}).to_string()),
        ("country_not_served", json!({"phoneNumber": "+447400123456", "message": "x"}).to_string()),
        ("message_empty", json!({"phoneNumber": phone(0)}).to_string()),
        ("message_too_long", json!({"phoneNumber": phone(0), "message": "a".repeat(1601)}).to_string()),
        ("invalid_media_url", json!({"phoneNumber": phone(0), "mediaUrls": "http://example.com"}).to_string()),
        ("invalid_idempotency_key", json!({"phoneNumber": phone(0), "message": "x", "idempotencyKey": ""}).to_string()),
    ];
    let mut records: Vec<_> =
        poison.iter().enumerate().map(|(at, (_, body))| record(&format!("bad-{at}"), body.as_str(), 1)).collect();
    records.insert(0, record("good-1", message(1), 1));
    records.push(record("good-2", message(2), 1));
    assert_eq!(deliver(&app, &records).await, [""; 0]);
    assert_eq!((app.sent(), app.texts(&phone(1)).len(), app.texts(&phone(2)).len()), (2, 1, 1));
    let letters = app.stack.queues.dead_letters();
    assert_eq!(letters.len(), poison.len());
    for (at, (reason, body)) in poison.iter().enumerate() {
        let id = json!(format!("bad-{at}"));
        let letter = letters.iter().find(|letter| letter.attributes["messageId"] == id).unwrap();
        assert_eq!((&letter.body, &letter.attributes["reason"]), (body, &json!(reason)));
        assert_eq!((letter.queue, &letter.attributes["source"]), ("dead-letters", &json!(QUEUE)));
    }
}

#[tokio::test]
async fn a_message_that_is_delivered_twice_is_sent_once() {
    let app = TestApp::start().await;
    let records = [record("one", message(1), 1), record("two", message(2), 1)];
    assert_eq!(deliver(&app, &records).await, [""; 0]);
    assert_eq!(deliver(&app, &[record("one", message(1), 2), record("three", message(3), 1)]).await, [""; 0]);
    let key = json!({"phoneNumber": phone(4), "message": "Hello", "idempotencyKey": "order-7"}).to_string();
    deliver(&app, &[record("four", key.clone(), 1)]).await;
    deliver(&app, &[record("five", key, 1)]).await;
    assert_eq!((app.sent(), reasons(&app)), (4, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_with_the_same_batch_send_each_message_once() {
    let app = TestApp::start().await;
    let records: Vec<_> = (0..10).map(|at| record(&at.to_string(), message(at), 1)).collect();
    let (one, two) = tokio::join!(deliver(&app, &records), deliver(&app, &records));
    assert_eq!(app.sent(), 10);
    assert_eq!(reasons(&app), [], "whoever came second waits: {one:?} {two:?}");
    app.advance(30);
    assert_eq!(deliver(&app, &records).await, [""; 0]);
    assert_eq!(app.sent(), 10);
}

#[tokio::test]
async fn the_same_body_in_two_messages_is_two_messages() {
    let app = TestApp::start().await;
    deliver(&app, &[record("one", message(1), 1), record("two", message(1), 1)]).await;
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn what_plivo_fails_for_comes_again_and_the_others_are_sent() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::To("14155550102", Box::new(Fault::Status(503))));
    let records: Vec<_> = (1..=3).map(|at| record(&at.to_string(), message(at), 1)).collect();
    assert_eq!(deliver(&app, &records).await, ["2"]);
    assert_eq!((app.texts(&phone(1)).len(), app.texts(&phone(2)).len(), app.texts(&phone(3)).len()), (1, 0, 1));
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(deliver(&app, &[record("2", message(2), 2)]).await, [""; 0]);
    assert_eq!((app.texts(&phone(2)).len(), reasons(&app)), (1, Vec::new()));
}

#[tokio::test]
async fn what_fails_again_and_again_is_reported_and_may_be_put_back() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::Status(503));
    for receives in 1..=4 {
        assert_eq!(deliver(&app, &[record("one", message(1), receives)]).await, ["one"]);
    }
    assert_eq!(deliver(&app, &[record("one", message(1), 5)]).await, [""; 0]);
    assert_eq!(reasons(&app), pairs(&[("one", "sms_unavailable")]));
    app.stack.simulator.set_fault(Fault::None);
    let letter = app.stack.queues.dead_letters().remove(0);
    assert_eq!(deliver(&app, &[put_back("new-id", &letter)]).await, [""; 0]);
    assert_eq!(app.texts(&phone(1)).len(), 1);
}

#[tokio::test]
async fn what_may_have_been_sent_is_reported_and_not_sent_again_even_when_put_back() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::HangUp);
    assert_eq!(deliver(&app, &[record("one", message(1), 1)]).await, [""; 0]);
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(reasons(&app), pairs(&[("one", "sms_unknown")]));
    let letter = app.stack.queues.dead_letters().remove(0);
    assert_eq!(deliver(&app, &[put_back("two", &letter)]).await, [""; 0]);
    assert_eq!((app.sent(), reasons(&app)), (1, pairs(&[("one", "sms_unknown"), ("two", "sms_unknown")])));
}

/// Found by a review: otherwise two copies of one order would be two messages when they are put back.
#[tokio::test]
async fn a_message_beyond_its_phone_s_limit_keeps_its_key_in_the_dead_letter_queue() {
    let app = TestApp::with(&[("MESSAGES_PER_PHONE", "1")]).await;
    deliver(&app, &[record("zero", message(1), 1)]).await;
    let order = json!({"phoneNumber": phone(1), "message": "Hello again", "idempotencyKey": "order-7"}).to_string();
    for id in ["one", "two"] {
        assert_eq!(deliver(&app, &[record(id, order.as_str(), 1)]).await, [""; 0]);
    }
    assert_eq!(reasons(&app), pairs(&[("one", "too_many_messages"), ("two", "too_many_messages")]));
    app.advance(86_400);
    for (at, letter) in app.stack.queues.dead_letters().iter().enumerate() {
        deliver(&app, &[put_back(&at.to_string(), letter)]).await;
    }
    assert_eq!(app.texts(&phone(1)).len(), 2);
}

/// The attribute is the sender's own key, and never another message's.
#[tokio::test]
async fn a_sender_s_attribute_is_the_key_and_names_no_other_source() {
    let app = TestApp::start().await;
    let with = |id: &str, key: &str| {
        let mut record = record(id, message(1), 1);
        record["messageAttributes"] = json!({"idempotencyKey": {"stringValue": key, "dataType": "String"}});
        record
    };
    deliver(&app, &[with("one", "order-7")]).await;
    deliver(&app, &[with("two", "order-7")]).await;
    assert_eq!(app.sent(), 1, "one key, one message");
    let schedule = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/hello/2026-01-01T09:00:00Z";
    for key in [schedule, &format!("{FIFO}/three"), "invocation/three"] {
        deliver(&app, &[with(key, key)]).await;
    }
    assert_eq!(app.sent(), 4);
    deliver(&app, &[fifo("three", "g", message(1), 1)]).await;
    app.stack.invoke("send-message", crate::sources::scheduled("execution-1", "2026-01-01T09:00:00Z")).await.unwrap();
    assert_eq!(app.sent(), 6, "what others named is still sent");
    assert_eq!(deliver(&app, &[with("four", "")]).await, [""; 0]);
    assert_eq!(reasons(&app), pairs(&[("four", "invalid_idempotency_key")]));
}

#[tokio::test]
async fn what_plivo_refuses_is_reported_at_once_and_once_mended_is_sent_once() {
    let own = json!({"phoneNumber": phone(1), "message": "Hello", "idempotencyKey": "order-7"}).to_string();
    for body in [message(1), own] {
        let app = TestApp::start().await;
        app.stack.simulator.set_fault(Fault::Status(400));
        // The response to the first send is lost, so it is sent again, and there are two dead letters.
        for receives in 1..=2 {
            assert_eq!(deliver(&app, &[record("one", body.as_str(), receives)]).await, [""; 0]);
        }
        assert_eq!(reasons(&app), pairs(&[("one", "message_rejected"), ("one", "message_rejected")]));
        app.stack.simulator.set_fault(Fault::None);
        for (at, letter) in app.stack.queues.dead_letters().iter().enumerate() {
            assert_eq!(deliver(&app, &[put_back(&at.to_string(), letter)]).await, [""; 0]);
        }
        assert_eq!(app.texts(&phone(1)).len(), 1, "its owner has mended what Plivo did not like");
    }
}

#[tokio::test]
async fn what_may_have_been_sent_is_never_sent_again_however_often_it_is_put_back() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::HangUp);
    deliver(&app, &[record("0", message(1), 1)]).await;
    app.stack.simulator.set_fault(Fault::None);
    for turn in 1..=20 {
        app.advance(14 * 24 * 60 * 60);
        let letter = app.stack.queues.dead_letters().pop().unwrap();
        assert_eq!(deliver(&app, &[put_back(&turn.to_string(), &letter)]).await, [""; 0]);
    }
    assert_eq!((app.sent(), reasons(&app).len()), (1, 21));
}

#[tokio::test]
async fn a_batch_without_secrets_comes_again_and_is_reported_in_the_end() {
    let settings = vec![("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), "http://127.0.0.1:1".to_owned())];
    let app = TestApp::options(Options { settings, ..Options::default() }).await;
    let batch = [record("1", message(1), 4), record("2", message(2), 5), record("3", "poison", 1)];
    assert_eq!(deliver(&app, &batch).await, ["1"]);
    assert_eq!((app.sent(), reasons(&app)), (0, pairs(&[("2", "unavailable"), ("3", "not_json")])));
    let log = crate::support::log();
    let line = log.lines().find(|line| line.contains("nothing of a batch can be sent")).unwrap();
    assert!(line.contains("cannot be fetched"), "with its cause: {line}");
}

#[tokio::test]
async fn a_function_that_dies_in_the_middle_of_a_batch_sends_nothing_twice_and_hides_nothing() {
    let app = TestApp::start().await;
    // The function sent the first, died while it sent the second, and did not begin the third.
    deliver(&app, &[record("1", message(1), 1)]).await;
    let key = IdempotencyKey::of(QUEUE, "2");
    die_while_sending(&app, &key, &format!("{}\n\nHello", phone(2))).await;
    let again: Vec<_> = (1..=3).map(|at| record(&at.to_string(), message(at), 2)).collect();
    assert_eq!(deliver(&app, &again).await, ["2"], "while its owner might live");
    app.advance(30);
    let again: Vec<_> = (1..=3).map(|at| record(&at.to_string(), message(at), 3)).collect();
    assert_eq!(deliver(&app, &again).await, [""; 0]);
    assert_eq!(reasons(&app), pairs(&[("2", "sms_unknown")]));
    assert_eq!((app.texts(&phone(1)).len(), app.texts(&phone(2)).len(), app.texts(&phone(3)).len()), (1, 0, 1));
}

#[tokio::test]
async fn a_fifo_group_keeps_its_order_behind_a_failure_and_holds_up_no_other() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::To("14155550102", Box::new(Fault::Status(503))));
    let batch = |receives| {
        [
            fifo("a1", "a", message(1), receives),
            fifo("b1", "b", message(11), receives),
            fifo("a2", "a", message(2), receives),
            fifo("a3", "a", message(3), receives),
            fifo("b2", "b", message(12), receives),
        ]
    };
    assert_eq!(deliver(&app, &batch(1)).await, ["a2", "a3"]);
    let sent = |last| app.texts(&phone(last)).len();
    assert_eq!([sent(1), sent(2), sent(3), sent(11), sent(12)], [1, 0, 0, 1, 1]);
    app.stack.simulator.set_fault(Fault::None);
    assert_eq!(deliver(&app, &batch(2)[2..4]).await, [""; 0]);
    let order: Vec<_> = app.stack.simulator.messages(None).into_iter().rev().map(|message| message.to).collect();
    let of_a: Vec<_> = order.iter().filter(|to| [phone(1), phone(2), phone(3)].contains(to)).collect();
    assert_eq!(of_a, [&phone(1), &phone(2), &phone(3)]);
}

#[tokio::test]
async fn a_poisoned_fifo_message_goes_to_the_fifo_dead_letter_queue_once_and_its_group_goes_on() {
    let app = TestApp::start().await;
    let batch = [fifo("a1", "a", "poison", 1), fifo("a2", "a", message(2), 1)];
    for _ in 0..2 {
        assert_eq!(deliver(&app, &batch).await, [""; 0]);
    }
    let letters = app.stack.queues.dead_letters();
    assert_eq!(letters.len(), 1, "it is known by its id");
    assert_eq!((letters[0].queue, letters[0].group.as_deref()), ("dead-letters.fifo", Some("a")));
    assert_eq!((app.sent(), reasons(&app)), (1, pairs(&[("a1", "not_json")])));
}

#[tokio::test]
async fn groups_of_a_standard_queue_have_no_order() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::To("14155550101", Box::new(Fault::Status(503))));
    let mut batch = [record("1", message(1), 1), record("2", message(2), 1)];
    for record in &mut batch {
        record["attributes"]["MessageGroupId"] = json!("a");
    }
    assert_eq!(deliver(&app, &batch).await, ["1"]);
    assert_eq!(app.sent(), 2);
}

#[tokio::test]
async fn a_message_stays_in_its_queue_while_the_dead_letter_queue_cannot_be_reached() {
    let settings = vec![("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())];
    let app = TestApp::options(Options { settings, ..Options::default() }).await;
    assert_eq!(deliver(&app, &[record("bad", "poison", 1), record("good", message(1), 1)]).await, ["bad"]);
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn nothing_is_begun_for_which_there_is_no_time() {
    let app = TestApp::start().await;
    let mut context = Context::default();
    context.request_id = "late".to_owned();
    context.deadline = u64::try_from(app.stack.clock.now().as_millis()).unwrap() + 5_000;
    let event = json!({ "Records": [record("1", message(1), 5), record("2", "poison", 5)] });
    let answer = app.stack.invoke_in("send-message", LambdaEvent::new(event, context)).await.unwrap();
    assert_eq!(ids(&answer), ["1", "2"]);
    assert_eq!((app.sent(), reasons(&app)), (0, Vec::new()));
}

/// Invokes the function with a FIFO batch of one group, each message of which takes as long as a slow one, and returns how many were sent.
async fn sent_by_a_slow_batch(timeout: Duration) -> usize {
    let app = TestApp::start().await;
    let mut context = Context::default();
    context.request_id = "slow".to_owned();
    context.deadline = u64::try_from(app.stack.clock.now().plus(timeout).as_millis()).unwrap();
    let batch: Vec<_> = (0..queue::FIFO_BATCH_SIZE)
        .map(|at| {
            let mut record = record(&at.to_string(), message(at), 1);
            record["attributes"]["MessageGroupId"] = json!("a");
            record["eventSourceARN"] = json!("arn:aws:sqs:us-east-1:000000000000:messages.fifo");
            record
        })
        .collect();
    let event = LambdaEvent::new(json!({ "Records": batch }), context);
    let time_passes = async {
        for sent in 1.. {
            while app.sent() < sent {
                tokio::task::yield_now().await;
            }
            app.stack.clock.advance(queue::SLOW_MESSAGE);
        }
    };
    tokio::select! {
        answer = app.stack.invoke_in("send-message", event) => drop(answer.unwrap()),
        () = time_passes => {}
    }
    app.sent()
}

/// Found by a review: within the gateway's 30 s, a message of a batch was begun only in the first 1.6 s.
#[tokio::test]
async fn a_batch_of_slow_messages_is_sent_at_once_and_was_not_within_the_gateway_s_time() {
    assert_eq!(sent_by_a_slow_batch(Duration::from_secs(30)).await, 1);
    assert_eq!(sent_by_a_slow_batch(queue::TIMEOUT).await, queue::FIFO_BATCH_SIZE);
}

#[tokio::test]
async fn a_deadline_that_has_passed_before_the_start_is_none() {
    let app = TestApp::start().await;
    let mut context = Context::default();
    context.request_id = "emulated".to_owned();
    context.deadline = 600_000;
    let event = json!({ "Records": [record("1", message(1), 1)] });
    let answer = app.stack.invoke_in("send-message", LambdaEvent::new(event, context)).await.unwrap();
    assert_eq!((ids(&answer), app.sent()), (Vec::<String>::new(), 1));
}

#[tokio::test]
async fn a_batch_of_any_length_is_dealt_with() {
    let app = TestApp::start().await;
    let records: Vec<_> = (0..50).map(|at| record(&at.to_string(), message(at), 1)).collect();
    assert_eq!(deliver(&app, &records).await, [""; 0]);
    assert_eq!(app.sent(), 50);
}

#[tokio::test]
async fn a_batch_that_cannot_be_told_apart_comes_again_as_a_whole() {
    let app = TestApp::start().await;
    let mut nameless = record("1", message(1), 1);
    nameless.as_object_mut().unwrap().remove("messageId");
    let batch = json!({"Records": [record("2", message(2), 1), nameless]});
    let failed = app.stack.invoke("send-message", batch).await.unwrap_err();
    assert_eq!((failed.error_type.as_str(), app.sent()), ("unknown_event", 0));
}
