//! What a leaked key of `sendMessage` can cost: its budget, and a limit for each phone.

use futures_util::future::join_all;
use local::fault_proxy::Fault as StoreFault;
use local::simulator::Fault;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp};

const PHONE: &str = "+14155550101";

/// A message costs 1 cent for each segment, and the hour's budget ends first.
async fn app(hour: &str) -> TestApp {
    TestApp::with(&[("SMS_PRICES", "*=0.01"), ("MMS_PRICE", "0.03"), ("MESSAGE_BUDGET", &format!("{hour}/1/10"))]).await
}

async fn send(app: &TestApp, line: usize) -> Reply {
    app.message(&json!({"phoneNumber": format!("+141555502{line:02}"), "message": "Hello"})).await
}

fn percents(app: &TestApp) -> Vec<Value> {
    app.stack
        .metrics
        .take()
        .into_iter()
        .filter(|line| line["Of"] == "messages")
        .map(|line| line["BudgetPercent"].clone())
        .collect()
}

#[tokio::test]
async fn a_hundred_at_once_never_overspend_the_budget() {
    let app = app("0.1").await;
    let replies = join_all((0..50).map(|line| send(&app, line))).await;
    assert_eq!((replies.iter().filter(|reply| reply.status == 200).count(), app.sent()), (10, 10));
    let refused = send(&app, 60).await;
    refused.refused_in(503, "budget_spent");
    assert_eq!(refused.headers["retry-after"], "3600");
    app.register_start(PHONE).await.ok();
    app.advance(3600);
    send(&app, 60).await.ok();
}

#[tokio::test]
async fn segments_and_media_cost_what_they_cost_and_the_alarms_see_it() {
    let app = app("0.1").await;
    app.stack.metrics.keep();
    app.message(&json!({"phoneNumber": PHONE, "message": "a".repeat(161)})).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "x", "mediaUrls": "https://example.com/a.png"})).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "a".repeat(766)})).await.refused_in(503, "budget_spent");
    app.message(&json!({"phoneNumber": PHONE, "message": "a".repeat(459)})).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "a".repeat(161)})).await.ok();
    send(&app, 1).await.refused_in(503, "budget_spent");
    assert_eq!(percents(&app), [0, 20, 100, 50, 80, 100].map(Value::from));
}

#[tokio::test]
async fn the_hundred_and_first_message_of_a_day_to_a_phone_waits_and_others_do_not() {
    let app = TestApp::with(&[("MESSAGES_PER_PHONE", "3")]).await;
    for _ in 0..3 {
        send(&app, 1).await.ok();
        app.advance(60);
    }
    assert_eq!(send(&app, 1).await.limited("too_many_messages"), 86_400 - 180);
    send(&app, 2).await.ok();
    app.advance(86_400 - 180);
    send(&app, 1).await.ok();
    send(&app, 1).await.limited("too_many_messages");
}

#[tokio::test]
async fn many_at_once_to_one_phone_are_no_more_than_it_may_get() {
    let app =
        TestApp::with(&[("MESSAGES_PER_PHONE", "3"), ("SMS_PRICES", "*=0.01"), ("MESSAGE_BUDGET", "0.1/1/10")]).await;
    let replies = join_all((0..10).map(|_| send(&app, 1))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 3);
    // Those that were refused have given back what they had taken.
    for line in 2..9 {
        send(&app, line).await.ok();
    }
    send(&app, 9).await.refused_in(503, "budget_spent");
}

/// Neither money nor a place is lost by what surely was not sent, and its key is free.
#[tokio::test]
async fn a_message_that_was_not_sent_costs_nothing() {
    let app =
        TestApp::with(&[("SMS_PRICES", "*=0.01"), ("MESSAGE_BUDGET", "0.02/1/10"), ("MESSAGES_PER_PHONE", "1")]).await;
    let message = json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "order-7"});
    for (status, reason) in [(503, "sms_unavailable"), (429, "sms_unavailable")] {
        app.stack.simulator.set_fault(Fault::Status(status));
        app.message(&message).await.refused(503, 14000, reason);
    }
    app.stack.simulator.set_fault(Fault::None);
    app.message(&message).await.ok();
    app.message(&message).await.ok();
    send(&app, 1).await.ok();
    send(&app, 2).await.refused_in(503, "budget_spent");
    // The first answer again needs no budget.
    app.message(&message).await.ok();
    assert_eq!(app.sent() - 2, 2, "besides the two that failed");
}

/// What may have arrived is paid for.
#[tokio::test]
async fn a_message_that_may_have_been_sent_stays_paid_for() {
    let app = TestApp::with(&[("SMS_PRICES", "*=0.01"), ("MESSAGE_BUDGET", "0.01/1/10")]).await;
    app.stack.simulator.set_fault(Fault::HangUp);
    send(&app, 1).await.refused(503, 14000, "sms_unknown");
    app.stack.simulator.set_fault(Fault::None);
    send(&app, 2).await.refused_in(503, "budget_spent");
}

#[tokio::test]
async fn what_cannot_be_counted_is_not_sent() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    send(&app, 1).await.ok();
    for (sent, operation) in [(1, "BatchGetItem"), (2, "UpdateItem")] {
        app.advance(60);
        for _ in 0..3 {
            proxy.once(operation, StoreFault::Throttle);
        }
        let message = json!({"phoneNumber": PHONE, "message": operation, "idempotencyKey": operation});
        app.message(&message).await.refused(503, 14000, "unavailable");
        assert_eq!(app.sent(), sent, "{operation}");
        app.message(&message).await.ok();
    }
}

/// A queue keeps what the budget refuses, for the hour may end.
#[tokio::test]
async fn a_queued_message_waits_for_the_budget() {
    let app = app("0.01").await;
    send(&app, 1).await.ok();
    let record = json!({
        "messageId": "one", "body": json!({"phoneNumber": PHONE, "message": "Hello"}).to_string(), "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:messages", "attributes": {"ApproximateReceiveCount": "1"},
    });
    let event = json!({ "Records": [record] });
    let answer = app.stack.invoke("send-message", event.clone()).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "one"}]}));
    app.advance(3600);
    assert_eq!(app.stack.invoke("send-message", event).await.unwrap(), json!({"batchItemFailures": []}));
    assert_eq!(app.texts(PHONE).len(), 1);
}
