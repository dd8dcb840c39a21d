//! The dead-letter queues, to which a message that cannot be sent goes with its reason. (SQS's own redrive tells none.)

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;

use super::AwsError;
use crate::config::Resources;

/// A message that was not sent.
#[derive(Debug)]
pub struct DeadLetter<'a> {
    /// As it came, so that it can be put back.
    pub body: &'a str,
    /// Why it was not sent: the `errorData.reason` of an error.
    pub reason: &'static str,
    /// The ARN of the queue that it came from.
    pub source: &'a str,
    /// Its id there.
    pub message_id: &'a str,
    /// Its group, where it came from a FIFO queue: there it keeps its order.
    pub group: Option<&'a str>,
    /// The idempotency key that it is to have when it is put back.
    pub idempotency_key: &'a str,
}

/// The two queues.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    queue: String,
    fifo_queue: String,
}

impl DeadLetters {
    pub(crate) fn new(client: Client, resources: &Resources) -> Self {
        let (queue, fifo_queue) = (resources.dead_letter_queue.clone(), resources.dead_letter_fifo_queue.clone());
        Self { client, queue, fifo_queue }
    }

    /// Adds a message; twice, where a response is lost or the function dies before its own. One from a FIFO queue is added once in five
    /// minutes, however often this is called for it.
    ///
    /// # Errors
    /// [`AwsError`]: it was not added, and must stay where it came from.
    pub async fn add(&self, letter: &DeadLetter<'_>) -> Result<(), AwsError> {
        let is_fifo = letter.group.is_some();
        let mut request = self
            .client
            .send_message()
            .queue_url(if is_fifo { &self.fifo_queue } else { &self.queue })
            .message_body(letter.body)
            .set_message_group_id(letter.group.map(str::to_owned))
            .set_message_deduplication_id(is_fifo.then(|| letter.message_id.to_owned()));
        for (name, value) in [
            ("reason", letter.reason),
            ("source", letter.source),
            ("messageId", letter.message_id),
            ("idempotencyKey", letter.idempotency_key),
        ] {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request = request.message_attributes(name, value.map_err(|error| AwsError::NoAnswer(error.into()))?);
        }
        Box::pin(request.send()).await?;
        Ok(())
    }
}
