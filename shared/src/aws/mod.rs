//! AWS's SDK: how its clients are configured, the secrets, and the dead-letter queues.
//!
//! The functions do without `aws-config`: Lambda gives the region and the credentials in the environment, and the default chain of
//! providers with its own TLS would cost a cold start ten times what the rest takes.

pub mod dead_letters;
pub mod secrets;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;

use crate::config::{Lookup, SettingError, required};
use crate::http_client::AwsHttpClient;

/// For one attempt of a call; these services answer in milliseconds.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// For a call with all its attempts. The most that one request waits for, one after the other, is the function's cold start, six such
/// calls and Plivo (a start whose message fails: secrets, read, client count, challenge, Plivo, read and write to roll back); the gateway
/// gives up after 30 s.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(3400);
/// The first attempt and two more.
const ATTEMPTS: u32 = 3;
/// The longest pause before the second attempt; it doubles with each (DynamoDB's base; the SDK's default is a second).
const BACKOFF: Duration = Duration::from_millis(50);

/// A call that failed. Holds nothing of the request, and of the response only what its error says.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No response that can be read, after all attempts.
    #[error("AWS gave no answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service refused.
    #[error("AWS refused with {status}: {code} {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The exception's name.
        code: String,
        /// The first line of the message. After a signature mismatch, further lines quote every header, the session token too.
        message: String,
    },
}

impl AwsError {
    /// The exception's name, where the service refused.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::NoAnswer(_) => None,
        }
    }

    /// Whether a retry may succeed.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused { status, code, .. } => *status >= 500 || THROTTLING_ERRORS.contains(&code.as_str()),
        }
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> From<SdkError<E, HttpResponse>> for AwsError {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::ServiceError(refused) => Self::Refused {
                status: refused.raw().status().as_u16(),
                code: refused.err().code().unwrap_or_default().to_owned(),
                message: refused.err().message().and_then(|text| text.lines().next()).unwrap_or_default().to_owned(),
            },
            // Its own text is only the kind; the sources say what happened.
            other => Self::NoAnswer(other.into_source().unwrap_or_else(|error| error.to_string().into())),
        }
    }
}

/// Makes the SDK's clients. Each client reads all of AWS's partitions when it is made (0.1 ms): make it once, when it is first needed.
#[derive(Debug, Clone)]
pub struct AwsClients {
    config: SdkConfig,
    /// `AWS_ENDPOINT_URL_…`, which the SDK reads only through `aws-config`.
    dynamodb_url: Option<String>,
    secrets_manager_url: Option<String>,
    sqs_url: Option<String>,
}

impl AwsClients {
    /// Reads Lambda's environment: `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL_SQS`,
    /// `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`.
    ///
    /// # Errors
    /// When the region or the credentials are missing, or an endpoint is not a URL.
    pub fn from_environment(lookup: Lookup<'_>, http: AwsHttpClient) -> Result<Self, SettingError> {
        let find = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = find("AWS_REGION").or_else(|| find("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| SettingError::new("AWS_REGION", "is missing"))?;
        let (id, key) = (required(lookup, "AWS_ACCESS_KEY_ID")?, required(lookup, "AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, key, find("AWS_SESSION_TOKEN"), None, "environment");
        let endpoint = |name: &'static str| match find(name).or_else(|| find("AWS_ENDPOINT_URL")) {
            Some(url) if url::Url::parse(&url).is_err() => Err(SettingError::new(name, "is not a URL")),
            url => Ok(url),
        };
        let is_on = |name: &str| find(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::no_cache())
            .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"))
            .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"));
        Ok(Self {
            dynamodb_url: endpoint("AWS_ENDPOINT_URL_DYNAMODB")?,
            secrets_manager_url: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
            sqs_url: endpoint("AWS_ENDPOINT_URL_SQS")?,
            ..Self::from_config(config.build())
        })
    }

    /// Takes region, credentials and endpoints from another configuration, such as that of the AWS CLI.
    pub fn from_config(config: SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(TIMEOUT);
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(BACKOFF);
        let config = config
            .into_builder()
            .timeout_config(timeouts.build())
            .retry_config(retries)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self { config: config.build(), dynamodb_url: None, secrets_manager_url: None, sqs_url: None }
    }

    /// A client of DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config_at(&self.dynamodb_url))
    }

    /// A client of Secrets Manager.
    pub(crate) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config_at(&self.secrets_manager_url))
    }

    /// A client of SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config_at(&self.sqs_url))
    }

    fn config_at(&self, url: &Option<String>) -> SdkConfig {
        let config = self.config.to_builder();
        url.iter().fold(config, |config, url| config.endpoint_url(url)).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 3] =
        [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    fn clients(settings: &[(&str, &str)]) -> Result<AwsClients, SettingError> {
        let lookup = |name: &str| {
            let set = settings.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        AwsClients::from_environment(&lookup, AwsHttpClient::new(&|_| None).unwrap())
    }

    #[test]
    fn the_slowest_request_ends_before_the_gateway_gives_up() {
        assert!(crate::app::WARM_UP_TIMEOUT + 6 * TIMEOUT + crate::plivo::TIMEOUT < Duration::from_millis(29_500));
    }

    #[test]
    fn a_missing_region_or_credential_is_named() {
        assert_eq!(clients(&[]).unwrap_err().name, "AWS_REGION");
        assert_eq!(clients(&[("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap_err().name, "AWS_ACCESS_KEY_ID");
        assert_eq!(clients(&KEYS[..2]).unwrap_err().name, "AWS_SECRET_ACCESS_KEY");
    }

    #[test]
    fn a_bad_endpoint_is_named() {
        let bad = [KEYS[0], KEYS[1], KEYS[2], ("AWS_ENDPOINT_URL_SQS", "not a url")];
        assert_eq!(clients(&bad).unwrap_err().name, "AWS_ENDPOINT_URL_SQS");
    }

    #[test]
    fn one_service_s_endpoint_stands_before_that_of_all() {
        let everywhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let dynamodb = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2");
        let clients = clients(&[KEYS[0], KEYS[1], KEYS[2], everywhere, dynamodb]).unwrap();
        assert_eq!(clients.dynamodb_url.as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(clients.sqs_url.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn neither_the_key_nor_the_token_is_printed() {
        let settings = [KEYS[0], KEYS[1], ("AWS_SECRET_ACCESS_KEY", "wJalrX"), ("AWS_SESSION_TOKEN", "a-token")];
        let printed = format!("{:?}", clients(&settings).unwrap());
        assert!(!printed.contains("wJalrX") && !printed.contains("a-token"), "{printed}");
    }
}
