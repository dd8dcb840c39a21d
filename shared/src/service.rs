//! A function's parts, built once at its start from the settings. Uses every layer but `http`; `http` and the functions use it.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::password::Cost;
use crate::aws::Aws;
use crate::clock::{Clock, Timestamp};
use crate::gsm;
use crate::later::Later;
use crate::metrics::{Metric, Metrics, Sink};
use crate::net;
use crate::plivo::{self, PlivoError};
use crate::queue::DeadLetters;
use crate::secrets::{Need, Secrets};
use crate::sending::Flow;
use crate::settings::{Lookup, SettingError, Settings};
use crate::steps::Steps;
use crate::store::{
    Addresses, BeforeStart, Controls, Decisions, Messages, Phones, Sessions, Sources, StoreError, Table, Tallies,
    Users, Who, before_start,
};

/// How long a function's start may wait for others. The gateway's 30 s run meanwhile.
pub(crate) const WARM_TIMEOUT: Duration = Duration::from_secs(1);

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
    /// What networks asked for.
    pub addresses: Addresses,
    /// What was spent, sent and verified.
    pub tallies: Tallies,
    /// How sends were decided.
    pub decisions: Decisions,
    /// When answers leave that must not tell how long they took.
    pub steps: Steps,
    /// What is done after the answer.
    pub later: Later,
    /// What is counted.
    pub metrics: Metrics,
    /// What hashing a password costs: always the default, but for the benchmark's own stack.
    pub password_cost: Cost,
    dynamodb: aws_sdk_dynamodb::Client,
    aws: Aws,
    http: net::Client,
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
        let http = net::Client::new(lookup)?;
        let aws = Aws::from_lookup(lookup, http.clone())?;
        let (dynamodb, resources) = (aws.dynamodb(), settings.resources.clone());
        let table = |name| Table::new(dynamodb.clone(), name);
        Ok(Self {
            clock,
            secrets: Secrets::new(aws.clone(), resources.clone()),
            plivo: plivo::Client::new(http.clone(), settings.plivo_api_url.clone(), settings.sender.clone()),
            users: Users::new(table(resources.users_table)),
            phones: Phones::new(table(resources.phones_table)),
            sessions: Sessions::new(table(resources.sessions_table)),
            controls: Controls::new(table(resources.controls_table)),
            messages: Messages::new(table(resources.messages_table)),
            addresses: Addresses::new(table(resources.counters_table.clone())),
            tallies: Tallies::new(table(resources.counters_table)),
            decisions: Decisions::new(table(resources.decisions_table)),
            steps: Steps::default(),
            later: Later::default(),
            metrics: Metrics::new(resources.metrics_namespace, sink),
            password_cost: Cost::default(),
            dynamodb,
            aws,
            http,
            settings,
        })
    }

    /// Fetches the secrets that a function will need, at its start, and opens the connections that the first request takes beside
    /// it: both take round trips, and here they overlap.
    pub async fn warm(&self, needs: &[Need]) {
        let now = self.clock.now();
        // Who sends also reads the controls, which all its requests need: a connection that is of use at once.
        let sends = needs.contains(&Need::Plivo);
        let sending = async {
            if sends {
                // A failure is left to the request.
                let _ = tokio::join!(self.controls.known(now), self.plivo.connect());
            }
        };
        // Where no secret is fetched, there is nothing beside which one could be opened: the first request opens its own.
        let connections = match needs {
            [] => 0,
            _ if needs.contains(&Need::SecondConnection) => 2,
            _ => 1,
        };
        let storage = self.http.connect(self.aws.dynamodb_url(), connections - usize::from(sends));
        let all = async { tokio::join!(self.secrets.warm(needs, now), sending, storage) };
        // All of it can be left to the request.
        if tokio::time::timeout(WARM_TIMEOUT, all).await.is_err() {
            tracing::warn!("not all was fetched at start");
        }
    }

    /// What is known before a start, in one call to storage.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn before_start(&self, who: Who<'_>, now: Timestamp) -> Result<BeforeStart, StoreError> {
        let Self { phones, users, controls, addresses, tallies, .. } = self;
        before_start(Sources { phones, users, controls, addresses, tallies }, who, now).await
    }

    /// DynamoDB's API itself, for whoever looks at the tables from outside.
    pub const fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        &self.dynamodb
    }

    /// The dead-letter queues, for the one function that has them.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.aws.sqs(), &self.settings.resources)
    }
}

/// Counts a message that Plivo took, or did not.
pub(crate) fn count_send(
    metrics: &Metrics,
    flow: Flow,
    message: plivo::Message<'_>,
    error: Option<&PlivoError>,
    now: Timestamp,
) {
    let Some(error) = error else {
        metrics.count(Metric::Sent(flow), now);
        let parts =
            if message.media.is_empty() { Metric::SmsParts(gsm::parts(message.text)) } else { Metric::MmsParts };
        return metrics.count(parts, now);
    };
    metrics.count(Metric::NotSent(error.word()), now);
}
