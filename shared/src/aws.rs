//! AWS's SDK: its clients for DynamoDB, Secrets Manager and SQS, over `net`'s HTTP client. Uses `net`, `settings`.
//!
//! Built without `aws-config`: Lambda gives the region and the credentials by the environment, and its default chain and TLS would cost a
//! start ten times what the rest takes.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, IdentityCache, Region, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;

use crate::net::{self, Client};
use crate::settings::{Lookup, SettingError, required};

/// For one try of a call; these services answer in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// For a call with all its tries. Without conflicts, the most that one request waits for, one after the other, is the function's own
/// start, six such calls and Plivo (a start whose message fails: secrets, read, write, Plivo, its state noted, read and write to take
/// it back); the gateway gives up after 30 s.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(3400);
/// The first try and two more.
const ATTEMPTS: u32 = 3;
/// The longest pause before the second try; it doubles with each (DynamoDB's base).
const PAUSE: Duration = Duration::from_millis(50);

/// A call that failed. Holds nothing of the request, and of an answer only what its error says.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No answer that can be read, after all tries.
    #[error("AWS gave no answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service refused.
    #[error("AWS refused with {status}: {code} {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The exception's name.
        code: String,
        /// For people: the first line. After a signature that does not match, further ones quote every header, our token's too.
        message: String,
    },
}

impl AwsError {
    /// The exception's name, where the service refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::NoAnswer(_) => None,
        }
    }

    /// Whether another try may help.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Refused { status, code, .. } => {
                *status >= 500 || aws_runtime::retries::classifiers::THROTTLING_ERRORS.contains(&code.as_str())
            }
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
            // Its own text is only the kind; the sources are kept.
            other => Self::NoAnswer(other.into_source().unwrap_or_else(|error| error.to_string().into())),
        }
    }
}

/// Where and as whom the services are called. Clones share connections.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    urls: [String; 3],
}

impl Aws {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SQS`.
    ///
    /// # Errors
    /// When the region or the credentials are missing, or an address is none.
    pub fn from_lookup(lookup: Lookup<'_>, http: Client) -> Result<Self, SettingError> {
        let find = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = find("AWS_REGION").or_else(|| find("AWS_DEFAULT_REGION"));
        let region = region.ok_or_else(|| SettingError::new("AWS_REGION", "is missing"))?;
        let (id, key) = (required(lookup, "AWS_ACCESS_KEY_ID")?, required(lookup, "AWS_SECRET_ACCESS_KEY")?);
        let credentials = Credentials::new(id, key, find("AWS_SESSION_TOKEN"), None, "environment");
        let url = |name: &'static str, service: &str| {
            // The domain of a region's partition; of those that anybody can have an account in.
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            let set = find(name).or_else(|| find("AWS_ENDPOINT_URL"));
            let url = set.unwrap_or_else(|| format!("https://{service}.{region}.{domain}"));
            net::checked(&url).map_err(|()| SettingError::new(name, "is not a URL"))?;
            Ok(url)
        };
        let urls = [
            url("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb")?,
            url("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager")?,
            url("AWS_ENDPOINT_URL_SQS", "sqs")?,
        ];
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::no_cache())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(PAUSE))
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).operation_timeout(TIMEOUT).build(),
            )
            .build();
        Ok(Self { config, urls })
    }

    /// Where DynamoDB is, for whoever opens a connection ahead.
    pub(crate) fn dynamodb_url(&self) -> &str {
        &self.urls[0]
    }

    // Each client reads the partitions of all of AWS when it is made, 0.1 ms: none is made that is not used.

    /// A client of DynamoDB. Make one, and clone it.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config).endpoint_url(&self.urls[0]);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client of Secrets Manager.
    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config).endpoint_url(&self.urls[1]);
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// A client of SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.config).endpoint_url(&self.urls[2]);
        aws_sdk_sqs::Client::from_conf(config.build())
    }
}
