//! SQS: the dead-letter queues, to which a message that cannot be sent goes with its reason. (SQS's own redrive tells none.) The
//! only place that knows SQS. Uses `aws`.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;

use crate::aws::AwsError;
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
    client: Client,
    queue: String,
    fifo_queue: String,
}

impl DeadLetters {
    pub(crate) fn new(client: Client, resources: &Resources) -> Self {
        Self {
            client,
            queue: resources.dead_letter_queue.clone(),
            fifo_queue: resources.dead_letter_fifo_queue.clone(),
        }
    }

    /// Adds a message; twice, where an answer is lost or the function dies before its own. One that came by a FIFO queue is added once in five
    /// minutes, however often this is called for it.
    ///
    /// # Errors
    /// [`QueueError`]: it is not there, and must stay where it came from.
    pub async fn add(&self, letter: &DeadLetter<'_>) -> Result<(), QueueError> {
        let fifo = letter.group.is_some();
        let mut request = self.client.send_message().message_body(letter.body);
        for (name, value) in [
            ("reason", letter.reason),
            ("source", letter.source),
            ("messageId", letter.message_id),
            ("idempotencyKey", letter.idempotency_key),
        ] {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            request =
                request.message_attributes(name, value.build().map_err(|error| AwsError::NoAnswer(error.into()))?);
        }
        let request = request
            .queue_url(if fifo { &self.fifo_queue } else { &self.queue })
            .set_message_group_id(letter.group.map(str::to_owned))
            .set_message_deduplication_id(fifo.then(|| letter.message_id.to_owned()));
        Box::pin(request.send()).await.map_err(AwsError::from)?;
        Ok(())
    }
}
