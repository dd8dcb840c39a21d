//! The binary itself, as Lambda runs it.

use std::path::Path;
use std::time::Duration;

use lambda_http::{Context, LambdaEvent};
use local::fault_proxy::{Fault, FaultProxy};
use local::runtime_api::{self, Function};
use local::{Options, Stack};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_send-message");

#[test]
fn a_missing_setting_ends_the_start_with_one_line() {
    assert_eq!(runtime_api::start_without_settings(BINARY).unwrap(), "setting USERS_TABLE is missing");
}

#[tokio::test]
async fn it_answers_its_event_files() {
    runtime_api::run_event_files(env!("CARGO_PKG_NAME"), BINARY).await.unwrap();
}

/// Lambda's runtime logs the errors of handlers.
#[tokio::test]
async fn what_the_runtime_may_print_of_a_failure_quotes_no_sender() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let event = json!({"phoneNumber": "+14155550101", "message": "x", "Hi Jane": 1});
    let event = LambdaEvent::new(event, Context::default());
    let failure = send_message::respond(&stack.app, &stack.app.dead_letters(), event).await.unwrap_err();
    assert_eq!(format!("{failure:?}"), "invocation failed: unknown_field");
}

/// A message from a queue that is delivered for the nth time.
fn delivery(receives: u32) -> Value {
    json!({"Records": [{
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:messages", "messageId": "one",
        "body": r#"{"phoneNumber":"+14155550101","message":"Hello"}"#,
        "attributes": {"ApproximateReceiveCount": receives.to_string()},
    }]})
}

#[tokio::test]
async fn killed_between_plivo_s_answer_and_its_own_note_it_sends_nothing_twice_and_says_so() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let proxy = FaultProxy::start(&stack.config.dynamodb_endpoint).await.unwrap();
    let mut config = stack.config.clone();
    config.dynamodb_endpoint = proxy.url.clone();
    proxy.once("UpdateItem", Fault::Stall);
    let mut arrivals = stack.simulator.subscribe();
    let mut function = Function::start(Path::new(BINARY), &config).await.unwrap();
    tokio::select! {
        answer = function.invoke(delivery(1)) => panic!("it was to die before it answers: {answer:?}"),
        arrived = arrivals.changed() => arrived.unwrap(),
    }
    drop(function); // kills it
    assert_eq!(stack.simulator.messages(None).len(), 1);

    let again = stack.invoke("send-message", delivery(2)).await.unwrap();
    assert_eq!(again["batchItemFailures"][0]["itemIdentifier"], "one", "its owner might live");
    stack.clock.advance(Duration::from_secs(30));
    assert_eq!(stack.invoke("send-message", delivery(3)).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(stack.simulator.messages(None).len(), 1);
    assert_eq!(stack.queues.dead_letters()[0].attributes["reason"], "sms_unknown");
}
