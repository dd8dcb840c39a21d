//! A code message on its way: what a start does last, or a function after its answer. Uses `plivo`, `store`.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::Timestamp;
use crate::logging;
use crate::metrics::{Metric, Metrics};
use crate::plivo::{self, Message, PlivoError};
use crate::secrets::PlivoCredentials;
use crate::sending::Flow;
use crate::sending::tally::{Count, PREFIX};
use crate::service::count_send;
use crate::store::{Addition, DecisionRecord, Decisions, Kept, Tallies, TallyKey};

/// All that it takes.
pub(super) struct Delivery {
    pub plivo: plivo::Client,
    pub credentials: Arc<PlivoCredentials>,
    pub decisions: Decisions,
    pub tallies: Tallies,
    pub metrics: Metrics,
    pub to: String,
    pub text: SecretString,
    pub flow: Flow,
    pub now: Timestamp,
    /// The prefix's tally as it was read.
    pub prefix: ([u8; 8], Kept),
    pub decided: DecisionRecord,
}

impl Delivery {
    /// Sends the message, or where none is to be sent, makes a call that sends nothing; and beside it keeps the decision and counts the message
    /// for its prefix.
    pub(super) async fn carry_out(self) -> Result<(), PlivoError> {
        let (outcome, (), ()) =
            tokio::join!(self.call(), Self::keep(&self.decisions, &self.decided), self.count_for_prefix());
        outcome
    }

    async fn call(&self) -> Result<(), PlivoError> {
        if !self.decided.sent {
            self.metrics.count(Metric::Decoy, self.now);
            return self.plivo.probe(&self.credentials).await;
        }
        let message = Message { to: &self.to, text: self.text.expose_secret(), media: &[], keep_text: false };
        let outcome = self.plivo.send(&self.credentials, message).await.map(drop);
        count_send(&self.metrics, self.flow, message, outcome.as_ref().err(), self.now);
        outcome
    }

    async fn count_for_prefix(&self) {
        let (prefix, kept) = &self.prefix;
        let amount = i64::from(self.decided.sent);
        let sends = Addition { name: Count::Sends.of(PREFIX), amount, most: None };
        if let Err(error) = self.tallies.add(TallyKey::Prefix(*prefix), kept.clone(), &[sends], self.now).await {
            tracing::warn!(cause = logging::chain(&error), "a message is not counted for its prefix");
        }
    }

    /// Keeps a decision. What cannot be kept is logged: the decision stands.
    pub(super) async fn keep(decisions: &Decisions, decided: &DecisionRecord) {
        if let Err(error) = decisions.keep(decided).await {
            tracing::warn!(cause = logging::chain(&error), "a decision is not kept");
        }
    }
}
