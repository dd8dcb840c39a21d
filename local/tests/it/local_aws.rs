//! The stack's own SQS, EventBridge, SNS and Lambda, as docs/messages.md uses them: from the sender's call to the phone or the dead letter.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use local::event_sources::{FUNCTION, PATH, RULE, TOPIC};
use local::simulator::Fault;
use local::sqs::MAX_RECEIVE_COUNT;
use local::template::Template;
use reqwest::Method;
use send_message::queue::VISIBILITY_TIMEOUT;
use serde_json::{Value, json};
use shared::http_client::AwsHttpClient;

use crate::support::{Reply, TestApp};

const PHONE: &str = "+14155550101";

fn hello(text: &str) -> String {
    json!({"phoneNumber": PHONE, "message": text}).to_string()
}

/// The variables of `GET /_local/environment`.
async fn environment(app: &TestApp) -> HashMap<String, String> {
    let Value::String(text) = app.get("/_local/environment", None).await.ok() else { panic!("no text") };
    text.lines().map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.into(), value.into())).collect()
}

fn sqs(app: &TestApp) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(AwsHttpClient::new(&|_| None).unwrap())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(format!("{}{PATH}", app.stack.config.url));
    Client::from_conf(config.build())
}

async fn call(app: &TestApp, target: &str, body: &Value) -> Reply {
    let request = app.request(Method::POST, &format!("{PATH}/")).header("x-amz-target", target);
    app.send(request.body(body.to_string())).await
}

async fn put_event(app: &TestApp, source: &str, detail: &str) -> Reply {
    let entry = json!({"Source": source, "DetailType": RULE.1, "Detail": detail});
    call(app, "AWSEvents.PutEvents", &json!({ "Entries": [entry] })).await
}

fn reasons(app: &TestApp) -> Vec<Option<String>> {
    let reason = |letter: &local::sqs::Queued| letter.attributes.get("reason")?.as_str().map(str::to_owned);
    app.stack.queues.dead_letters().iter().map(reason).collect()
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    let (queue, fifo) = (&environment["MESSAGE_QUEUE_URL"], &environment["MESSAGE_FIFO_QUEUE_URL"]);
    let send = |queue: &str| sqs.send_message().queue_url(queue).message_body(hello("Hello"));
    let code = async |request: aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder| {
        request.send().await.unwrap_err().into_service_error().code().map(str::to_owned)
    };
    assert_eq!(code(send("http://127.0.0.1/000000000000/other")).await.as_deref(), Some("QueueDoesNotExist"));
    let invalid = Some("InvalidParameterValueException");
    assert_eq!(code(send(queue).message_body("")).await.as_deref(), invalid);
    assert_eq!(code(send(queue).message_deduplication_id("1")).await.as_deref(), invalid);
    assert_eq!(code(send(queue).delay_seconds(901)).await.as_deref(), invalid);
    assert_eq!(code(send(fifo)).await.as_deref(), invalid);
    assert_eq!(code(send(fifo).message_group_id("a")).await.as_deref(), invalid);

    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(hello("Hello")).build().unwrap();
    for (entries, expected) in [
        (vec![], "EmptyBatchRequest"),
        (vec![entry("1"), entry("1")], "BatchEntryIdsNotDistinct"),
        ((0..11).map(|id| entry(&id.to_string())).collect(), "TooManyEntriesInBatchRequest"),
    ] {
        let refused = sqs.send_message_batch().queue_url(queue).set_entries(Some(entries)).send().await.unwrap_err();
        assert_eq!(refused.into_service_error().code(), Some(expected));
    }
    assert_eq!(call(&app, "AmazonSQS.PurgeQueue", &json!({})).await.status, 400);
    let move_task = sqs.start_message_move_task();
    assert!(move_task.source_arn(&environment["MESSAGE_QUEUE_ARN"]).send().await.is_err(), "not a dead-letter queue");
    app.stack.settle().await;
    assert_eq!((app.sent(), app.stack.queues.waiting().len()), (0, 0));
}

#[tokio::test]
async fn a_message_that_can_never_be_sent_is_a_dead_letter_at_once() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    sqs.send_message().queue_url(&environment["MESSAGE_QUEUE_URL"]).message_body("{").send().await.unwrap();
    app.stack.settle().await;
    let letters = app.get("/_local/dead-letters", None).await.ok();
    assert_eq!(letters.as_array().map(Vec::len), Some(1));
    assert_eq!((&letters[0]["queue"], &letters[0]["body"]), (&json!("dead-letters"), &json!("{")));
    assert_eq!(letters[0]["attributes"]["source"], environment["MESSAGE_QUEUE_ARN"]);
    assert_eq!((reasons(&app), app.stack.queues.waiting().len()), (vec![Some("not_json".to_owned())], 0));
}

#[tokio::test]
async fn a_message_in_a_queue_is_sent() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    let queue = sqs.get_queue_url().queue_name("messages").send().await.unwrap();
    assert_eq!(queue.queue_url(), Some(environment["MESSAGE_QUEUE_URL"].as_str()));
    assert_eq!(sqs.list_queues().send().await.unwrap().queue_urls().len(), 4);
    let sent = sqs.send_message().queue_url(queue.queue_url().unwrap()).message_body(hello("Hello")).send().await;
    assert!(sent.unwrap().md5_of_message_body().is_some_and(|digest| digest.len() == 32));
    // Programs see it as soon as they ask.
    let messages = app.get("/_local/messages", None).await.ok();
    assert_eq!((messages[0]["text"].as_str(), messages[0]["to"].as_str()), (Some("Hello"), Some(PHONE)));
    assert_eq!((app.sent(), app.stack.queues.waiting().len(), reasons(&app)), (1, 0, vec![]));

    let entry =
        |id: &str, body: String| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let entries = vec![entry("1", hello("one")), entry("2", String::new()), entry("3", hello("three"))];
    let queue = &environment["MESSAGE_QUEUE_URL"];
    let batch = sqs.send_message_batch().queue_url(queue).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((batch.successful().len(), batch.failed()[0].id()), (2, "2"));
    app.stack.settle().await;
    assert_eq!(app.sent(), 3);
}

#[tokio::test]
async fn a_message_that_fails_for_now_comes_again_after_the_visibility_timeout() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    app.stack.simulator.set_fault(Fault::Status(503));
    sqs.send_message().queue_url(&environment["MESSAGE_QUEUE_URL"]).message_body(hello("Hello")).send().await.unwrap();
    app.stack.settle().await;
    assert_eq!((app.sent(), app.stack.queues.waiting().len()), (1, 1));
    app.advance(VISIBILITY_TIMEOUT.as_secs() - 1);
    app.stack.settle().await;
    assert_eq!(app.sent(), 1, "it is hidden");
    app.stack.simulator.set_fault(Fault::None);
    app.advance(1);
    app.stack.settle().await;
    assert_eq!((app.sent(), app.texts(PHONE).len(), app.stack.queues.waiting().len()), (2, 1, 0));
}

#[tokio::test]
async fn dead_letters_are_put_back_and_sent() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    app.stack.simulator.set_fault(Fault::Status(503));
    sqs.send_message().queue_url(&environment["MESSAGE_QUEUE_URL"]).message_body(hello("Hello")).send().await.unwrap();
    for _ in 0..4 {
        app.stack.settle().await;
        assert_eq!(reasons(&app), [], "docs/messages.md: at its fifth delivery");
        app.advance(VISIBILITY_TIMEOUT.as_secs());
    }
    app.stack.settle().await;
    assert_eq!(reasons(&app), [Some("sms_unavailable".to_owned())]);
    app.stack.simulator.set_fault(Fault::None);
    let (from, to) = (&environment["DEAD_LETTER_QUEUE_ARN"], &environment["MESSAGE_QUEUE_ARN"]);
    sqs.start_message_move_task().source_arn(from).destination_arn(to).send().await.unwrap();
    app.stack.settle().await;
    assert_eq!((app.texts(PHONE), reasons(&app)), (vec!["Hello".to_owned()], vec![]));
}

#[tokio::test]
async fn a_fifo_group_keeps_its_order_and_holds_up_no_other() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    app.stack.simulator.set_fault(Fault::To("14155550101", Box::new(Fault::Status(503))));
    let send = async |group: &str, id: &str, phone: &str| {
        let body = json!({"phoneNumber": phone, "message": id}).to_string();
        let request = sqs.send_message().queue_url(&environment["MESSAGE_FIFO_QUEUE_URL"]).message_body(body);
        request.message_group_id(group).message_deduplication_id(id).send().await.unwrap();
    };
    send("a", "first", PHONE).await;
    send("a", "second", "+14155550102").await;
    send("b", "other", "+14155550103").await;
    send("b", "other", "+14155550103").await;
    app.stack.settle().await;
    assert_eq!((app.texts("+14155550102").len(), app.texts("+14155550103").len()), (0, 1));
    assert_eq!(app.stack.queues.waiting().len(), 2);
    app.stack.simulator.set_fault(Fault::None);
    app.advance(VISIBILITY_TIMEOUT.as_secs());
    app.stack.settle().await;
    let texts: Vec<_> = app.stack.simulator.messages(None).into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["second", "first", "other"]);
    // The same deduplication ID is a new message after five minutes.
    send("b", "other", "+14155550103").await;
    app.stack.settle().await;
    assert_eq!(app.texts("+14155550103").len(), 2);
}

#[tokio::test]
async fn a_delayed_message_waits() {
    let app = TestApp::start().await;
    let (environment, sqs) = (environment(&app).await, sqs(&app));
    let request = sqs.send_message().queue_url(&environment["MESSAGE_QUEUE_URL"]).message_body(hello("Later"));
    request.delay_seconds(60).send().await.unwrap();
    app.advance(59);
    app.stack.settle().await;
    assert_eq!(app.sent(), 0);
    app.advance(1);
    app.stack.settle().await;
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn events_that_no_rule_matches_send_nothing() {
    let app = TestApp::start().await;
    assert_eq!(put_event(&app, "my.app", &hello("Hello")).await.ok()["FailedEntryCount"], 0);
    let other_bus = json!({"Source": RULE.0, "DetailType": RULE.1, "Detail": hello("Hello"), "EventBusName": "other"});
    call(&app, "AWSEvents.PutEvents", &json!({ "Entries": [other_bus] })).await.ok();
    let malformed = put_event(&app, RULE.0, "hello").await.ok();
    assert_eq!(
        (&malformed["FailedEntryCount"], &malformed["Entries"][0]["ErrorCode"]),
        (&json!(1), &json!("MalformedDetail"))
    );
    let missing = call(&app, "AWSEvents.PutEvents", &json!({"Entries": [{"Source": RULE.0}]})).await.ok();
    assert_eq!(missing["Entries"][0]["ErrorCode"], "InvalidArgument");
    assert_eq!(call(&app, "AWSEvents.PutEvents", &json!({"Entries": []})).await.status, 400);
    assert_eq!(call(&app, "AWSEvents.PutRule", &json!({})).await.status, 400);
    assert_eq!((app.sent(), reasons(&app)), (0, vec![]));
}

#[tokio::test]
async fn an_event_of_the_rule_is_sent() {
    let app = TestApp::start().await;
    let answer = put_event(&app, RULE.0, &hello("Hello")).await.ok();
    assert!(answer["Entries"][0]["EventId"].is_string() && answer["FailedEntryCount"] == 0, "{answer}");
    assert_eq!(app.texts(PHONE), ["Hello"]);
}

#[tokio::test]
async fn a_notification_is_sent() {
    let app = TestApp::start().await;
    let publish = async |body: String| {
        let request = app.request(Method::POST, PATH).header("content-type", "application/x-www-form-urlencoded");
        app.send(request.body(body)).await
    };
    assert_eq!(publish("Action=Publish&Message=x".to_owned()).await.status, 400);
    assert_eq!(publish("Action=Subscribe".to_owned()).await.status, 400);
    assert_eq!(app.sent(), 0);
    let message = url::form_urlencoded::byte_serialize(hello("Hello & <good> day").as_bytes()).collect::<String>();
    let topic = url::form_urlencoded::byte_serialize(TOPIC.as_bytes()).collect::<String>();
    let answer = publish(format!("Action=Publish&TopicArn={topic}&Message={message}")).await.ok();
    assert!(answer.as_str().is_some_and(|xml| xml.contains("<MessageId>")), "{answer}");
    assert_eq!(app.texts(PHONE), ["Hello & <good> day"]);
}

#[tokio::test]
async fn an_asynchronous_invocation_that_fails_three_times_is_recorded() {
    let app = TestApp::start().await;
    app.stack.simulator.set_fault(Fault::Status(503));
    put_event(&app, RULE.0, &hello("Hello")).await.ok();
    assert_eq!(app.sent(), 3);
    let letters = app.stack.queues.dead_letters();
    let record: Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!((letters.len(), &record["requestPayload"]["detail"]["message"]), (1, &json!("Hello")));
    assert_eq!(record["responsePayload"]["errorType"], "sms_unavailable");
}

#[tokio::test]
async fn the_function_is_invoked_directly() {
    let app = TestApp::start().await;
    let invoke = async |name: &str, kind: &str, payload: &str| {
        let path = format!("{PATH}/2015-03-31/functions/{name}/invocations");
        let request = app.request(Method::POST, &path).header("x-amz-invocation-type", kind);
        app.send(request.body(payload.to_owned())).await
    };
    assert_eq!(invoke("register", "RequestResponse", "{}").await.status, 404);
    assert_eq!(invoke("send-message", "RequestResponse", "{").await.status, 400);
    let failed = invoke("send-message", "RequestResponse", "{}").await;
    assert_eq!(failed.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(failed.ok()["errorType"], "unknown_event");
    assert_eq!(app.sent(), 0);
    assert!(invoke(FUNCTION, "RequestResponse", &hello("one")).await.ok()["message_uuid"].is_array());
    assert_eq!(invoke("send-message", "Event", &hello("two")).await.status, 202);
    assert_eq!(app.texts(PHONE), ["two", "one"]);
}

#[tokio::test]
async fn other_hosts_reach_none_of_it() {
    let app = TestApp::start().await;
    for path in [PATH.to_owned(), format!("{PATH}/2015-03-31/functions/send-message/invocations")] {
        let request = app.request(Method::POST, &path).header("host", "evil.example");
        assert_eq!(app.send(request.body(hello("Hello"))).await.status, 403);
    }
    assert_eq!(app.sent(), 0);
}

/// The template is what is deployed.
#[test]
fn the_numbers_and_the_rule_are_the_template_s() {
    let resources = &Template::read().unwrap().document["Resources"];
    for queue in ["MessageQueue", "MessageFifoQueue"] {
        let properties = &resources[queue]["Properties"];
        assert_eq!(properties["RedrivePolicy"]["maxReceiveCount"], MAX_RECEIVE_COUNT, "{queue}");
        assert_eq!(properties["VisibilityTimeout"], VISIBILITY_TIMEOUT.as_secs(), "{queue}");
    }
    let pattern = &resources["SendMessageRule"]["Properties"]["EventPattern"];
    assert_eq!(pattern["detail-type"], json!([RULE.1]));
    let source = pattern["source"].to_string().replace("${AWS::StackName}", "otpost");
    assert!(source.contains(&format!("\"{}\"", RULE.0)), "{source}");
    let stack = include_str!("../../../samconfig.toml").lines().find(|line| line.starts_with("stack_name"));
    assert_eq!(stack, Some("stack_name = \"otpost\""));
}
