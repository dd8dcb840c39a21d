//! Batches from SQS. Each message is sent, or moved to the dead-letter queue with its reason, or reported as failed so that SQS delivers it
//! again. None is lost. A failed message holds up only those behind it in its FIFO group, which keep their order.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use shared::app::App;
use shared::aws::dead_letters::{DeadLetter, DeadLetters};
use shared::clock::Timestamp;
use shared::http::{self, Problem, Reason};
use shared::logging;
use shared::messaging::{self, IdempotencyKey};
use shared::metrics::Metric;

use crate::event::Record;
use crate::{NAME, message};

/// The function's timeout. A request by HTTP ends earlier: its calls cannot take longer than [`messaging::SLOWEST`], and the gateway waits 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a queue hides a message that was delivered: six times the function's timeout, as Lambda advises, so that a throttled batch does not
/// return at once.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);
/// The messages in a batch, which are sent concurrently.
pub const BATCH_SIZE: usize = 10;
/// The messages in a batch of the FIFO queue. Those of one group are sent one after the other, so all must begin while there is still time
/// for one at its slowest: there is, if each takes at most [`SLOW_MESSAGE`].
pub const FIFO_BATCH_SIZE: usize = 5;
/// A message takes 0.3 to 1 s. Slower than this, the rest of a FIFO batch is delivered again.
pub const SLOW_MESSAGE: Duration = Duration::from_secs(7);
/// A message that cannot be sent at its fifth delivery moves to the dead-letter queue. SQS's own redrive, which records no reason, happens
/// later; it is for messages that kill the function.
const MAX_RECEIVES: u32 = 5;

/// The context of a batch.
pub(crate) struct Batch<'a> {
    pub(crate) app: &'a App,
    pub(crate) dead_letters: &'a DeadLetters,
    /// The invocation's deadline, if known. A message for which no time is left is not begun.
    pub(crate) deadline: Option<Timestamp>,
}

impl Batch<'_> {
    /// Processes a batch. Returns the messages that SQS must deliver again (AWS: "Implementing partial batch responses").
    pub(crate) async fn send(&self, records: Vec<Record>) -> Value {
        let setup_error = messaging::prepare(self.app).await.err().map(|error| {
            tracing::error!(function = NAME, cause = logging::chain(&error), "nothing of a batch can be sent");
            Problem::from(error).reason()
        });
        let groups = stream::iter(in_groups(records)).map(|group| self.send_group(group, setup_error));
        let failed: Vec<_> = groups.buffer_unordered(BATCH_SIZE).concat().await;
        let failed: Vec<_> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failed })
    }

    /// Sends the messages of a group in order. After one that must be delivered again, so must the rest. Returns their IDs.
    async fn send_group(&self, group: Vec<Record>, setup_error: Option<Reason>) -> Vec<String> {
        let mut records = group.into_iter();
        while let Some(record) = records.next() {
            if !self.process(&record, setup_error).await {
                return std::iter::once(record).chain(records).map(|record| record.id).collect();
            }
        }
        Vec::new()
    }

    /// Sends a message or moves it to the dead-letter queue; false if SQS must deliver it again. A setup error fails every message.
    async fn process(&self, record: &Record, setup_error: Option<Reason>) -> bool {
        let now = self.app.clock.now();
        if self.deadline.is_some_and(|deadline| !messaging::has_time(now, deadline)) {
            tracing::warn!(function = NAME, "no time left for a message of the batch");
            return false;
        }
        let (key, problem) = match self.send_one(record, setup_error).await {
            Ok(()) => return true,
            Err(failure) => failure,
        };
        problem.report(self.app, NAME);
        if problem.is_retryable() && record.receives < MAX_RECEIVES {
            return false;
        }
        // Its own key is free, or never to be used again.
        let keeps_key = problem.is_retryable()
            || [Reason::SmsUnknown, Reason::TooManyMessages, Reason::OptedOut].contains(&problem.reason());
        self.dead_letter(record, problem.reason(), key.filter(|_| keeps_key)).await
    }

    /// Sends a message. The error contains the message's key, if known. The attribute's key overrides the message's own.
    async fn send_one(
        &self,
        record: &Record,
        setup_error: Option<Reason>,
    ) -> Result<(), (Option<IdempotencyKey>, Problem)> {
        let read = http::fields(&record.body).and_then(|fields| message::read(&self.app.settings, fields));
        let (message, own) = read.map_err(|problem| (None, problem))?;
        let attribute = record.key.clone().map_err(|error| (None, error.into()))?;
        let key = attribute.or(own).unwrap_or_else(|| IdempotencyKey::of(&record.source, &record.id));
        if let Some(reason) = setup_error {
            return Err((Some(key), Problem::new(reason)));
        }
        match messaging::send(self.app, &key, &message).await {
            Ok(_) => Ok(()),
            Err(error) => Err((Some(key), error.into())),
        }
    }

    /// Moves a message to the dead-letter queue, with the key to use when it is moved back: its own if it may have been sent, or a new one
    /// if it was refused. The new one is derived from the message, so that two copies, which SQS may keep, have the same key.
    async fn dead_letter(&self, record: &Record, reason: Reason, key: Option<IdempotencyKey>) -> bool {
        let key = key.unwrap_or_else(|| IdempotencyKey::of_another_attempt(&record.source, &record.id));
        let letter = DeadLetter {
            body: &record.body,
            reason: reason.as_str(),
            source: &record.source,
            message_id: &record.id,
            group: record.group.as_deref(),
            idempotency_key: key.as_str(),
        };
        if let Err(error) = self.dead_letters.add(&letter).await {
            tracing::error!(function = NAME, cause = logging::chain(&error), "a message stays in its queue");
            return false;
        }
        self.app.metrics.count(Metric::DeadLettered(reason.as_str()), self.app.clock.now());
        true
    }
}

/// The messages of each FIFO group, in order. Every other message is a group of its own.
fn in_groups(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut groups: Vec<Vec<Record>> = Vec::new();
    for record in records {
        let same = |group: &&mut Vec<Record>| record.group.is_some() && group[0].group == record.group;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(record),
            None => groups.push(vec![record]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_begins_in_time_and_a_request_ends_before_the_gateway_gives_up() {
        let before_the_last = SLOW_MESSAGE.saturating_mul(u32::try_from(FIFO_BATCH_SIZE).unwrap() - 1);
        assert!(before_the_last + messaging::SLOWEST <= TIMEOUT);
        assert!(messaging::SLOWEST < Duration::from_secs(29));
        assert_eq!(VISIBILITY_TIMEOUT, TIMEOUT * 6);
    }
}
