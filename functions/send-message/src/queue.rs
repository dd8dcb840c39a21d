//! Batches from SQS. Each message ends in one of three ways: it is sent; or it is in the dead-letter queue with its reason; or it is
//! answered as failed, and SQS delivers it again. None is lost, and none holds up the others, but for those behind it in its
//! FIFO group, which keep their order.

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

/// Messages that are sent at the same time: the batch size of the template.
const CONCURRENCY: usize = 10;
/// A message that cannot be sent at its fifth delivery goes to the dead-letter queue. SQS's own redrive comes later, for those whose
/// function died each time: it tells no reason.
const MAX_RECEIVES: u32 = 5;

/// What a batch needs.
pub(crate) struct Batch<'a> {
    pub(crate) app: &'a App,
    pub(crate) dead_letters: &'a DeadLetters,
    /// When the invocation ends, where that is known. A message for which there is no time left is not begun.
    pub(crate) deadline: Option<Timestamp>,
}

impl Batch<'_> {
    /// Processes a batch. Returns what SQS must deliver again (AWS: "Implementing partial batch responses").
    pub(crate) async fn send(&self, records: Vec<Record>) -> Value {
        let setup_error = messaging::prepare(self.app).await.err().map(|error| {
            tracing::error!(function = NAME, cause = logging::chain(&error), "nothing of a batch can be sent");
            Problem::from(error).reason()
        });
        let groups = stream::iter(in_groups(records)).map(|group| self.send_group(group, setup_error));
        let failed: Vec<_> = groups.buffer_unordered(CONCURRENCY).concat().await;
        let failed: Vec<_> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failed })
    }

    /// Sends one after the other. Behind one that must come again, the others of its group must come again, too. Returns their ids.
    async fn send_group(&self, group: Vec<Record>, setup_error: Option<Reason>) -> Vec<String> {
        let mut records = group.into_iter();
        while let Some(record) = records.next() {
            if !self.process(&record, setup_error).await {
                return std::iter::once(record).chain(records).map(|record| record.id).collect();
            }
        }
        Vec::new()
    }

    /// Whether the message is dealt with: sent, or in the dead-letter queue. An setup_error stands before all messages.
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
        let may_be_sent = problem.is_retryable() || problem.reason() == Reason::SmsUnknown;
        self.dead_letter(record, problem.reason(), key.filter(|_| may_be_sent)).await
    }

    /// Fails with the message's key, where it has one, and the reason. The key that a dead letter kept stands before the message's own.
    async fn send_one(
        &self,
        record: &Record,
        setup_error: Option<Reason>,
    ) -> Result<(), (Option<IdempotencyKey>, Problem)> {
        let read = http::fields(&record.body).and_then(|fields| message::read(&self.app.settings, fields));
        let (message, own) = read.map_err(|problem| (None, problem))?;
        let key = record.key.clone().or(own).unwrap_or_else(|| IdempotencyKey::of(&record.source, &record.id));
        if let Some(reason) = setup_error {
            return Err((Some(key), Problem::new(reason)));
        }
        match messaging::send(self.app, &key, &message).await {
            Ok(_) => Ok(()),
            Err(error) => Err((Some(key), error.into())),
        }
    }

    /// Puts the message into the dead-letter queue, with the key that it is to have when it is put back: its own, where it may have been
    /// sent; a new one where it was refused, the same for each copy, since SQS may keep two.
    async fn dead_letter(&self, record: &Record, reason: Reason, key: Option<IdempotencyKey>) -> bool {
        let key = key.unwrap_or_else(|| IdempotencyKey::of_another_try(&record.source, &record.id));
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

/// Those of one FIFO group together, in their order; every other message alone.
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
