//! A code message on its way: the last part of a start, in the request or after its answer.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::aws::secrets::PlivoCredentials;
use crate::logging;
use crate::metrics::{Metric, Metrics};
use crate::plivo::{self, Message, PlivoError};
use crate::spend::counter::{Addition, Field, VersionedCounter, volume_scope};
use crate::spend::pumping::Outcome;
use crate::store::{CounterKey, Counters, DecisionLog, DecisionLogEntry, StoreError};

/// All that it takes.
pub(super) struct Delivery {
    pub plivo: plivo::Client,
    pub credentials: Arc<PlivoCredentials>,
    pub metrics: Metrics,
    pub to: String,
    pub text: SecretString,
    pub record: SendRecord,
}

impl Delivery {
    /// Sends the message, or makes a call that sends nothing where none is to be sent; writes the record beside it. Also returns whether
    /// the message is counted for its prefix.
    pub(super) async fn send(&self) -> (Result<(), PlivoError>, bool) {
        tokio::join!(self.call(), self.record.write())
    }

    /// The same after the answer, in turn. What is done first is then alike for all phones: a message is more work than the call that stands
    /// in for it, and on one processor that work would delay an answer that is still on its way.
    pub(super) async fn send_after_answer(&self) -> Result<(), PlivoError> {
        self.record.write().await;
        self.call().await
    }

    async fn call(&self) -> Result<(), PlivoError> {
        let DecisionLogEntry { inputs, sent, .. } = &self.record.entry;
        if !sent {
            self.metrics.count(Metric::Decoy, inputs.at);
            return self.plivo.probe(&self.credentials).await;
        }
        let message = Message { to: &self.to, text: self.text.expose_secret(), media: &[], keep_text: false };
        let outcome = self.plivo.send(&self.credentials, message).await.map(drop);
        self.metrics.count_send(inputs.flow.as_str(), message, outcome.as_ref().err(), inputs.at);
        outcome
    }
}

/// What is written about a send: its decision, and its count for the prefix. What cannot be written is logged: the decision stands.
pub(super) struct SendRecord {
    pub decision_log: DecisionLog,
    pub counters: Counters,
    pub entry: DecisionLogEntry,
    /// Whether it counts as a message for its prefix.
    pub is_counted: bool,
    /// The prefix's counter as it was read.
    pub prefix: ([u8; 8], VersionedCounter),
}

impl SendRecord {
    /// Returns whether the message is counted for its prefix.
    pub(super) async fn write(&self) -> bool {
        let (logged, counted) = tokio::join!(self.decision_log.add(&self.entry), self.count());
        if let Err(error) = logged {
            tracing::warn!(cause = logging::chain(&error), "a decision is not logged");
        }
        counted.unwrap_or_else(|error| {
            tracing::warn!(cause = logging::chain(&error), "a message is not counted for its prefix");
            false
        })
    }

    /// Uncounts a message that surely did not go out.
    pub(super) async fn rollback(&self) {
        if self.entry.decision.outcome != Outcome::Send {
            return;
        }
        let ((prefix, _), at) = (&self.prefix, self.entry.inputs.at);
        if let Err(error) = self.counters.release(CounterKey::Prefix(*prefix), &[self.addition()], at).await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted for its prefix");
        }
    }

    async fn count(&self) -> Result<bool, StoreError> {
        let (prefix, counter) = &self.prefix;
        let at = self.entry.inputs.at;
        self.counters.add(CounterKey::Prefix(*prefix), counter.clone(), &[self.addition()], at).await
    }

    fn addition(&self) -> Addition {
        let name = Field::Sends.of(volume_scope(self.entry.inputs.flow));
        Addition { name, amount: i64::from(self.is_counted), max: None }
    }
}
