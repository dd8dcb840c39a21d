//! Lambda's event source mapping: delivers the messages of each queue to `send-message` in batches, and again after the visibility timeout
//! if the function reports them as failed. It delivers one batch of a queue at a time, where Lambda delivers two.

use std::sync::Arc;
use std::time::Duration;

use send_message::queue::{BATCH_SIZE, FIFO_BATCH_SIZE};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::{Queued, Queues, SOURCES, arn, is_fifo};
use crate::functions::Functions;

/// How long to wait if no message is hidden and nothing happens.
const IDLE: Duration = Duration::from_secs(3600);

/// Starts both mappings.
pub(crate) fn start(queues: &Queues, functions: &Arc<Functions>, stop: &watch::Receiver<()>) {
    for (queue, size) in SOURCES.into_iter().zip([BATCH_SIZE, FIFO_BATCH_SIZE]) {
        tokio::spawn(poll(queues.clone(), Arc::clone(functions), queue, size, stop.clone()));
    }
}

async fn poll(queues: Queues, functions: Arc<Functions>, queue: &str, size: usize, stop: watch::Receiver<()>) {
    let (mut changes, mut moves) = (queues.changes.subscribe(), queues.clock.subscribe());
    let stopped = crate::stopped(stop);
    tokio::pin!(stopped);
    loop {
        changes.mark_unchanged();
        moves.mark_unchanged();
        let batch = queues.receive(queue, size);
        if !batch.is_empty() {
            deliver(&queues, &functions, &batch).await;
            continue;
        }
        tokio::select! {
            () = &mut stopped => return,
            _ = changes.changed() => {}
            _ = moves.changed() => {}
            () = tokio::time::sleep(queues.until_next(queue).unwrap_or(IDLE)) => {}
        }
    }
}

/// Invokes the function with a batch. If the invocation itself fails, all messages are delivered again.
async fn deliver(queues: &Queues, functions: &Functions, batch: &[Queued]) {
    let records: Vec<_> = batch.iter().map(record).collect();
    match functions.invoke("send-message", json!({ "Records": records })).await {
        Ok(answer) => {
            let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
            queues.finish(batch, |id| failures.iter().any(|failure| failure["itemIdentifier"] == id));
        }
        Err(error) => {
            tracing::error!(function = "send-message", error = error.error_message, "a batch failed");
            queues.finish(batch, |_| true);
        }
    }
}

/// A message as Lambda passes it to a function (AWS: "Using Lambda with Amazon SQS").
fn record(message: &Queued) -> Value {
    let mut attributes = json!({
        "ApproximateReceiveCount": message.receives.to_string(),
        "SentTimestamp": message.sent.as_millis().to_string(),
        "SenderId": "AIDALOCAL",
    });
    if let Some(group) = &message.group {
        attributes["MessageGroupId"] = json!(group);
    }
    if let Some(id) = message.deduplication_id.as_ref().filter(|_| is_fifo(message.queue)) {
        attributes["MessageDeduplicationId"] = json!(id);
    }
    let text = |(name, value): (&String, &Value)| {
        let value =
            json!({ "stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String" });
        (name.clone(), value)
    };
    let message_attributes: Map<_, _> = message.attributes.iter().map(text).collect();
    json!({
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "md5OfBody": super::api::md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn(message.queue),
        "awsRegion": "us-east-1",
    })
}
