//! The parts of a function, built once at its cold start from the settings.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::password::Cost;
use crate::auth::response_padding::ResponsePadding;
use crate::aws::AwsClients;
use crate::aws::dead_letters::DeadLetters;
use crate::aws::secrets::{Secret, Secrets};
use crate::background::BackgroundTasks;
use crate::captcha;
use crate::clock::Clock;
use crate::config::{Lookup, SettingError, Settings};
use crate::hints::Hints;
use crate::http_client::{self, AwsHttpClient};
use crate::metrics::{Metrics, Sink};
use crate::plivo;
use crate::store::Store;

/// How long a cold start may wait for others. The gateway's 30 s run meanwhile.
pub(crate) const WARM_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Everything that a request needs.
#[derive(derive_more::Debug)]
#[debug("App {{ settings: {settings:?} }}")]
pub struct App {
    /// The settings.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The secrets.
    pub secrets: Secrets,
    /// DynamoDB.
    pub store: Store,
    /// Plivo.
    pub plivo: plivo::Client,
    /// The captcha service, where one is set up.
    pub captcha: Option<captcha::Client>,
    /// When answers leave whose time must not tell what was found.
    pub padding: ResponsePadding,
    /// What is done after the answer.
    pub background: BackgroundTasks,
    /// What is counted for CloudWatch.
    pub metrics: Metrics,
    /// What responses leave out: told to nobody, except by the local stack.
    pub hints: Hints,
    /// What hashing a password costs: always the default, but for the benchmark's own stack.
    pub password_cost: Cost,
    aws: AwsClients,
}

impl App {
    /// Builds all parts; calls nobody. Metrics go to `sink`.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn new(lookup: Lookup<'_>, clock: Arc<dyn Clock>, sink: Sink) -> Result<Self, SettingError> {
        let settings = Settings::from_lookup(lookup)?;
        let aws = AwsClients::from_environment(lookup, AwsHttpClient::new(lookup)?)?;
        let http = http_client::without_pool(lookup)?;
        Ok(Self {
            clock,
            secrets: Secrets::new(aws.clone(), settings.resources.clone()),
            store: Store::new(&aws.dynamodb(), &settings.resources),
            captcha: settings.captcha.clone().map(|settings| captcha::Client::new(http.clone(), settings)),
            plivo: plivo::Client::new(
                http,
                settings.plivo_api_url.clone(),
                settings.sender.clone(),
                settings.resources.plivo_callback_url.clone(),
            ),
            padding: ResponsePadding::default(),
            background: BackgroundTasks::default(),
            metrics: Metrics::new(settings.resources.metrics_namespace.clone(), sink),
            hints: Hints::default(),
            password_cost: Cost::default(),
            aws,
            settings,
        })
    }

    /// Fetches the secrets that a function will need and, beside them, the service's status and the check value of the root key: that also
    /// opens the connections to DynamoDB
    /// that the first request uses. A function without secrets opens its own with its first request.
    pub async fn warm_up(&self, secrets: &[Secret]) {
        if secrets.is_empty() {
            return;
        }
        let now = self.clock.now();
        let all = async {
            tokio::join!(
                self.secrets.prefetch(secrets, now),
                self.store.controls.status(now),
                self.store.users.root_key()
            )
        };
        // Whatever fails or takes too long is left to the request.
        if tokio::time::timeout(WARM_UP_TIMEOUT, all).await.is_err() {
            tracing::warn!("not all was fetched at start");
        }
    }

    /// The dead-letter queues, for the one function that has them.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.aws.sqs(), &self.settings.resources)
    }

    /// A client of DynamoDB, for tools that look at the tables from outside.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.aws.dynamodb()
    }
}
