//! A code message on its way: what a start does last, or a function after its answer. Uses `plivo`, `store`.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::logging;
use crate::metrics::{Metric, Metrics};
use crate::plivo::{self, Message, PlivoError};
use crate::secrets::PlivoCredentials;
use crate::sending::decision::Outcome;
use crate::sending::tally::Count;
use crate::service::count_send;
use crate::store::{Addition, DecisionRecord, Decisions, Kept, StoreError, Tallies, TallyKey};

/// All that it takes.
pub(super) struct Delivery {
    pub plivo: plivo::Client,
    pub credentials: Arc<PlivoCredentials>,
    pub metrics: Metrics,
    pub to: String,
    pub text: SecretString,
    pub note: Note,
}

impl Delivery {
    /// Sends the message, or where none is to be sent, makes a call that sends nothing; and beside it keeps the decision and counts the message
    /// for its prefix. Also answers whether it is counted.
    pub(super) async fn carry_out(&self) -> (Result<(), PlivoError>, bool) {
        tokio::join!(self.call(), self.note.write())
    }

    /// The same after the answer, in turn. What is done first is then alike for all phones: a message is more work than the call that
    /// stands in for it, and on one processor that work would delay an answer that is still on its way.
    pub(super) async fn carry_out_after_answer(&self) -> Result<(), PlivoError> {
        self.note.write().await;
        self.call().await
    }

    async fn call(&self) -> Result<(), PlivoError> {
        let DecisionRecord { inputs, sent, .. } = &self.note.decided;
        if !sent {
            self.metrics.count(Metric::Decoy, inputs.at);
            return self.plivo.probe(&self.credentials).await;
        }
        let message = Message { to: &self.to, text: self.text.expose_secret(), media: &[], keep_text: false };
        let outcome = self.plivo.send(&self.credentials, message).await.map(drop);
        count_send(&self.metrics, inputs.flow, message, outcome.as_ref().err(), inputs.at);
        outcome
    }
}

/// What is written down about a decision: itself, and its count for the prefix. What cannot be written is logged: the decision stands.
pub(super) struct Note {
    pub decisions: Decisions,
    pub tallies: Tallies,
    pub decided: DecisionRecord,
    /// Whether it counts as a message for its prefix.
    pub counts: bool,
    /// The prefix's tally as it was read.
    pub prefix: ([u8; 8], Kept),
}

impl Note {
    /// Answers whether the message is counted.
    pub(super) async fn write(&self) -> bool {
        let (kept, counted) = tokio::join!(self.decisions.keep(&self.decided), self.count());
        if let Err(error) = kept {
            tracing::warn!(cause = logging::chain(&error), "a decision is not kept");
        }
        counted.unwrap_or_else(|error| {
            tracing::warn!(cause = logging::chain(&error), "a message is not counted for its prefix");
            false
        })
    }

    /// A message that surely did not go out counts no more.
    pub(super) async fn take_back(&self) {
        if self.decided.decision.outcome != Outcome::Send {
            return;
        }
        let ((prefix, _), at) = (&self.prefix, self.decided.inputs.at);
        if let Err(error) = self.tallies.give_back(TallyKey::Prefix(*prefix), &[self.addition()], at).await {
            tracing::warn!(cause = logging::chain(&error), "a message that was not sent stays counted for its prefix");
        }
    }

    async fn count(&self) -> Result<bool, StoreError> {
        let (prefix, kept) = &self.prefix;
        let at = self.decided.inputs.at;
        self.tallies.add(TallyKey::Prefix(*prefix), kept.clone(), &[self.addition()], at).await
    }

    fn addition(&self) -> Addition {
        let name = Count::Sends.of(self.decided.inputs.flow.scope());
        Addition { name, amount: i64::from(self.counts), most: None }
    }
}
