//! SQS: the dead-letter queues, to which a message that cannot be sent goes with its reason. (SQS's own redrive tells none.) The
//! only place that knows SQS. Uses `aws`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::{Api, AwsError};
use crate::settings::Resources;

/// A message cannot be put into its dead-letter queue.
#[derive(Debug, thiserror::Error)]
#[error("the dead-letter queue does not answer")]
pub struct QueueError(#[from] AwsError);

/// A message that was not sent.
#[derive(Debug)]
pub struct DeadLetter<'a> {
    /// As it came, so that it can be put back.
    pub body: &'a str,
    /// Why it was not sent: the word of an error's `errorData.reason`.
    pub reason: &'static str,
    /// The ARN of the queue that it came from.
    pub source: &'a str,
    /// Its id there.
    pub message_id: &'a str,
    /// Its group, where it came by a FIFO queue: there it keeps its order.
    pub group: Option<&'a str>,
    /// The idempotency key that it is to have when it is put back.
    pub idempotency_key: &'a str,
}

/// The two queues.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    api: Api,
    queue: String,
    fifo_queue: String,
}

impl DeadLetters {
    pub(crate) fn new(api: Api, resources: &Resources) -> Self {
        Self { api, queue: resources.dead_letter_queue.clone(), fifo_queue: resources.dead_letter_fifo_queue.clone() }
    }

    /// Adds a message; twice, where an answer is lost or the function dies before its own. One that came by a FIFO queue is added once in five
    /// minutes, however often this is called for it.
    ///
    /// # Errors
    /// [`QueueError`]: it is not there, and must stay where it came from.
    pub async fn add(&self, letter: &DeadLetter<'_>) -> Result<(), QueueError> {
        let text = |value| MessageAttribute { data_type: "String", string_value: value };
        let fifo = letter.group.is_some();
        let request = SendMessage {
            queue_url: if fifo { &self.fifo_queue } else { &self.queue },
            message_body: letter.body,
            message_attributes: BTreeMap::from([
                ("reason", text(letter.reason)),
                ("source", text(letter.source)),
                ("messageId", text(letter.message_id)),
                ("idempotencyKey", text(letter.idempotency_key)),
            ]),
            message_group_id: letter.group,
            message_deduplication_id: fifo.then_some(letter.message_id),
        };
        let SentMessage {} = self.api.call("SendMessage", &request).await?;
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage<'a> {
    queue_url: &'a str,
    message_body: &'a str,
    message_attributes: BTreeMap<&'static str, MessageAttribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_group_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_deduplication_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MessageAttribute<'a> {
    data_type: &'static str,
    string_value: &'a str,
}

#[derive(Deserialize)]
struct SentMessage {}
