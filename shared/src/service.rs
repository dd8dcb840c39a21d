//! A function's parts, built once at its start from the settings. Uses every layer but `http`; `http` and the functions use it.

use std::sync::Arc;

use crate::auth::password::Cost;
use crate::clock::{Clock, Timestamp};
use crate::gsm;
use crate::metrics::{Flow, Metric, Metrics, Sink};
use crate::net::{self, Aws};
use crate::plivo::{self, PlivoError};
use crate::queue::DeadLetters;
use crate::secrets::{Need, Secrets};
use crate::settings::{Lookup, SettingError, Settings};
use crate::store::{Controls, Messages, Phones, Sessions, Users};

/// Everything that a request needs.
pub struct Service {
    /// The settings.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The secrets.
    pub secrets: Secrets,
    /// Plivo.
    pub plivo: plivo::Client,
    /// The tables.
    pub users: Users,
    /// What is known about phones.
    pub phones: Phones,
    /// Sessions.
    pub sessions: Sessions,
    /// What concerns everybody.
    pub controls: Controls,
    /// What became of messages.
    pub messages: Messages,
    /// What is counted.
    pub metrics: Metrics,
    /// What hashing a password costs: always the default, but for the benchmark's own stack.
    pub password_cost: Cost,
    aws: Aws,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Service {
    /// Builds all parts; calls nobody. Metrics go to `sink`.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn new(lookup: Lookup<'_>, clock: Arc<dyn Clock>, sink: Sink) -> Result<Self, SettingError> {
        let settings = Settings::from_lookup(lookup)?;
        let http = net::http_client(lookup)?;
        let aws = Aws::from_lookup(lookup, http.clone())?;
        let (dynamodb, resources) = (aws.dynamodb(), settings.resources.clone());
        Ok(Self {
            clock,
            secrets: Secrets::new(aws.secrets_manager(), resources.clone()),
            plivo: plivo::Client::new(http, settings.plivo_api_url.clone(), settings.sender.clone()),
            users: Users::new(dynamodb.clone(), resources.users_table),
            phones: Phones::new(dynamodb.clone(), resources.phones_table),
            sessions: Sessions::new(dynamodb.clone(), resources.sessions_table),
            controls: Controls::new(dynamodb.clone(), resources.controls_table),
            messages: Messages::new(dynamodb, resources.messages_table),
            metrics: Metrics::new(resources.metrics_namespace, sink),
            password_cost: Cost::default(),
            aws,
            settings,
        })
    }

    /// Fetches the secrets that a function will need, at its start, while nobody waits.
    pub async fn warm(&self, needs: &[Need]) {
        self.secrets.warm(needs, self.clock.now()).await;
    }

    /// The dead-letter queues, for the one function that has them: the others stay without SQS's client.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.aws.sqs(), &self.settings.resources)
    }

    /// Counts a message that Plivo took, or did not.
    pub(crate) fn count_send(
        &self,
        flow: Flow,
        message: plivo::Message<'_>,
        error: Option<&PlivoError>,
        now: Timestamp,
    ) {
        let Some(error) = error else {
            self.metrics.count(Metric::Sent(flow), now);
            let parts =
                if message.media.is_empty() { Metric::SmsParts(gsm::parts(message.text)) } else { Metric::MmsParts };
            return self.metrics.count(parts, now);
        };
        self.metrics.count(Metric::NotSent(error.word()), now);
    }
}
