//! AWS's services by their JSON protocol: signed, tried again, over `net`'s client. DynamoDB, Secrets Manager and SQS all speak it, and
//! everything that an operation needs is its name and a JSON body. Uses `net`, `settings`, `random`.
//!
//! The AWS SDK does the same with a client per service. When it was replaced, the first answer of `session`, which makes one call, went
//! from 1.8 to 1.35 times an empty function's, a warm login took a third of the processor, and binaries were a quarter smaller. What of it
//! is missing here, nothing of ours uses: other sources of credentials and endpoints, streams, waiting for a clock that is wrong, and
//! the budget for retries that a process with many requests at once shares.

mod signature;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::signature::{Signable, Signer};
use crate::clock::{Clock as _, SystemClock};
use crate::net::{Client, HttpError};
use crate::random::{self, RandomError};
use crate::settings::{Lookup, SettingError};

/// For one try of a call; these services answer in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// For a call with all its tries. Without conflicts, the most that one request waits for, one after the other, is the function's own
/// start, six such calls and Plivo (a start whose message fails: secrets, read, write, Plivo, its state noted, read and write to take
/// it back); the gateway gives up after 30 s.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(3400);
/// The first try and two more.
const ATTEMPTS: u32 = 3;
/// The longest pause before the second try; it doubles with each (AWS: "Error retries and exponential backoff", DynamoDB's base is 50 ms).
const PAUSE_MILLIS: u64 = 50;
/// Exceptions that pass (AWS SDKs: "Retry behavior", and DynamoDB's answer to a token whose transaction is under way).
const PASSING: [&str; 9] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// A service with the parts of its protocol.
#[derive(Debug, Clone, Copy)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// Secrets Manager.
    SecretsManager,
    /// SQS.
    Sqs,
}

impl Service {
    /// The name in addresses and signatures.
    const fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::SecretsManager => "secretsmanager",
            Self::Sqs => "sqs",
        }
    }

    /// Before the operation in `X-Amz-Target` (the services' API references).
    const fn target(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB_20120810",
            Self::SecretsManager => "secretsmanager",
            Self::Sqs => "AmazonSQS",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::DynamoDb | Self::Sqs => "application/x-amz-json-1.0",
            Self::SecretsManager => "application/x-amz-json-1.1",
        }
    }

    /// The variable that names another address (AWS SDKs: "Service-specific endpoints").
    const fn variable(self) -> &'static str {
        match self {
            Self::DynamoDb => "AWS_ENDPOINT_URL_DYNAMODB",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::Sqs => "AWS_ENDPOINT_URL_SQS",
        }
    }
}

/// A call that failed. Holds nothing of the request.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// No answer, after all tries.
    #[error("{operation} got no answer")]
    NoAnswer {
        /// The operation, like `PutItem`.
        operation: &'static str,
        /// Why.
        source: HttpError,
    },
    /// The service refused.
    #[error("{operation} was refused with {status}: {} {}", refusal.kind, refusal.message)]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        refusal: Box<Refusal>,
    },
    /// An answer of another form, or a request that cannot be written.
    #[error("{operation} is not of its form")]
    Form {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No random pause.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl AwsError {
    /// The refusal, where the service answered with one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            Self::NoAnswer { .. } | Self::Form { .. } | Self::Random(_) => None,
        }
    }

    /// Whether another try may help.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused { status, refusal, .. } => *status >= 500 || PASSING.contains(&refusal.kind.as_str()),
            Self::Form { .. } | Self::Random(_) => false,
        }
    }
}

/// The body of a refusal (AWS JSON protocol). What further fields it has is the operation's; they can be an item, and are not printed.
#[derive(Default, Deserialize)]
pub struct Refusal {
    /// The exception's name, like `ConditionalCheckFailedException`.
    #[serde(rename = "__type", default, deserialize_with = "without_namespace")]
    pub kind: String,
    /// For people: the first line. After a signature that does not match, further ones quote every header, our token's too.
    #[serde(alias = "Message", default, deserialize_with = "first_line")]
    pub message: String,
    /// The further fields.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal").field("kind", &self.kind).field("message", &self.message).finish_non_exhaustive()
    }
}

fn first_line<'a, D: serde::Deserializer<'a>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// `com.amazonaws.dynamodb.v20120810#ResourceInUseException` is `ResourceInUseException`.
fn without_namespace<'a, D: serde::Deserializer<'a>>(deserializer: D) -> Result<String, D::Error> {
    let kind = String::deserialize(deserializer)?;
    Ok(kind.rsplit('#').next().unwrap_or_default().to_owned())
}

/// Where and as whom the services are called: Lambda's own environment variables.
#[derive(Debug)]
pub struct Aws {
    http: Client,
    signer: Signer,
    urls: [Uri; 3],
}

impl Aws {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SQS`.
    ///
    /// # Errors
    /// When the region or the credentials are missing, or an address is none.
    pub fn from_lookup(lookup: Lookup<'_>, http: Client) -> Result<Self, SettingError> {
        let signer = Signer::from_lookup(lookup)?;
        let find = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let url = |service: Service| {
            let set = find(service.variable()).or_else(|| find("AWS_ENDPOINT_URL"));
            let region = &signer.region;
            let url = set.unwrap_or_else(|| format!("https://{}.{region}.{}", service.name(), domain(region)));
            url.parse().map_err(|_| SettingError::new(service.variable(), "is not a URL"))
        };
        let urls = [url(Service::DynamoDb)?, url(Service::SecretsManager)?, url(Service::Sqs)?];
        Ok(Self { http, signer, urls })
    }

    /// A service's API.
    pub fn api(self: &Arc<Self>, service: Service) -> Api {
        Api { aws: Arc::clone(self), service }
    }
}

/// The domain of a region's partition (AWS: "Service endpoints"; the partitions that anybody can have an account in).
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// One service's API.
#[derive(Debug, Clone)]
pub struct Api {
    aws: Arc<Aws>,
    service: Service,
}

impl Api {
    /// Opens a connection for a later call, unless there are so many.
    pub async fn connect(&self, connections: usize) {
        self.aws.http.connect(self.url(), connections).await;
    }

    /// Calls an operation; tries again what may pass. So what is asked must be right to be carried out twice.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn call<A: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: &impl Serialize,
    ) -> Result<A, AwsError> {
        let body = written(operation, request)?;
        let end = Instant::now() + TIMEOUT;
        let mut tried = 0;
        loop {
            let longest = ATTEMPT_TIMEOUT.min(end.saturating_duration_since(Instant::now()));
            // On the heap, as in `net`: several are under way side by side.
            let error = match Box::pin(self.attempt(operation, body.clone(), longest)).await {
                Ok(answer) => return read(operation, &answer),
                Err(error) => error,
            };
            tried += 1;
            if tried == ATTEMPTS || !error.passes() {
                return Err(error);
            }
            let pause = Duration::from_millis(random::below(PAUSE_MILLIS << (tried - 1))?);
            if Instant::now() + pause >= end {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Calls an operation once, for whom something else is as good.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn call_once<A: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: &impl Serialize,
    ) -> Result<A, AwsError> {
        let body = written(operation, request)?;
        read(operation, &Box::pin(self.attempt(operation, body, ATTEMPT_TIMEOUT)).await?)
    }

    async fn attempt(
        &self,
        operation: &'static str,
        body: Bytes,
        longest: Duration,
    ) -> Result<Response<Bytes>, AwsError> {
        let request = self.signed(operation, body).map_err(|source| AwsError::Form { operation, source })?;
        let answer = self.aws.http.send(request, longest).await;
        let answer = answer.map_err(|source| AwsError::NoAnswer { operation, source })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let refusal = serde_json::from_slice(answer.body()).unwrap_or_default();
        Err(AwsError::Refused { operation, status: answer.status().as_u16(), refusal })
    }

    /// The request with its signature.
    fn signed(
        &self,
        operation: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let signable = Signable {
            service: self.service.name(),
            host: self.url().authority().map_or("", |authority| authority.as_str()),
            content_type: self.service.content_type(),
            target: &format!("{}.{operation}", self.service.target()),
            body: &body,
        };
        let mut request = Request::post(self.url())
            .header(CONTENT_TYPE, signable.content_type)
            .header("x-amz-target", signable.target);
        for (name, value) in self.aws.signer.headers(&signable, SystemClock.now())? {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body))?)
    }

    fn url(&self) -> &Uri {
        let [dynamodb, secrets_manager, sqs] = &self.aws.urls;
        match self.service {
            Service::DynamoDb => dynamodb,
            Service::SecretsManager => secrets_manager,
            Service::Sqs => sqs,
        }
    }
}

fn written(operation: &'static str, request: &impl Serialize) -> Result<Bytes, AwsError> {
    let body = serde_json::to_vec(request).map_err(|error| AwsError::Form { operation, source: error.into() })?;
    Ok(body.into())
}

fn read<A: DeserializeOwned>(operation: &'static str, answer: &Response<Bytes>) -> Result<A, AwsError> {
    serde_json::from_slice(answer.body()).map_err(|error| AwsError::Form { operation, source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aws(settings: &[(&str, &str)]) -> Result<Arc<Aws>, SettingError> {
        let lookup = |name: &str| {
            let set = settings.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        Aws::from_lookup(&lookup, Client::new(&|_| None).unwrap()).map(Arc::new)
    }

    const KEYS: [(&str, &str); 3] =
        [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];

    #[test]
    fn the_slowest_request_ends_before_the_gateway_gives_up() {
        assert!(crate::service::WARM_TIMEOUT + 6 * TIMEOUT + crate::plivo::TIMEOUT < Duration::from_millis(29_500));
    }

    #[test]
    fn a_missing_region_or_credential_is_named() {
        assert_eq!(aws(&[]).unwrap_err().name, "AWS_REGION");
        assert_eq!(aws(&[("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap_err().name, "AWS_ACCESS_KEY_ID");
        assert_eq!(aws(&KEYS[..2]).unwrap_err().name, "AWS_SECRET_ACCESS_KEY");
    }

    #[test]
    fn a_bad_address_is_named() {
        let bad = [KEYS[0], KEYS[1], KEYS[2], ("AWS_ENDPOINT_URL_SQS", "not a url")];
        assert_eq!(aws(&bad).unwrap_err().name, "AWS_ENDPOINT_URL_SQS");
    }

    #[test]
    fn addresses_are_the_regions_own_or_as_set() {
        let url = |region, set: &[(&'static str, &'static str)], service| {
            let settings: Vec<_> =
                [("AWS_REGION", region), KEYS[1], KEYS[2]].into_iter().chain(set.iter().copied()).collect();
            aws(&settings).unwrap().api(service).url().to_string()
        };
        assert_eq!(url("eu-west-1", &[], Service::DynamoDb), "https://dynamodb.eu-west-1.amazonaws.com/");
        assert_eq!(url("us-east-1", &[], Service::SecretsManager), "https://secretsmanager.us-east-1.amazonaws.com/");
        assert_eq!(url("cn-north-1", &[], Service::Sqs), "https://sqs.cn-north-1.amazonaws.com.cn/");
        let everywhere = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let here = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2");
        assert_eq!(url("eu-west-1", &[everywhere, here], Service::DynamoDb), "http://127.0.0.1:2/");
        assert_eq!(url("eu-west-1", &[everywhere, here], Service::Sqs), "http://127.0.0.1:1/");
    }

    #[test]
    fn requests_carry_what_the_protocol_asks_for() {
        let settings = [KEYS[0], KEYS[1], KEYS[2], ("AWS_SESSION_TOKEN", "session-token")];
        let request = aws(&settings).unwrap().api(Service::DynamoDb).signed("GetItem", "{}".into()).unwrap();
        let header = |name| request.headers()[name].to_str().unwrap();
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/"));
        assert_eq!(header("x-amz-target"), "DynamoDB_20120810.GetItem");
        assert_eq!(header("content-type"), "application/x-amz-json-1.0");
        assert_eq!(header("x-amz-security-token"), "session-token");
        let authorization = header("authorization");
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
        let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ";
        assert!(authorization.contains("/eu-west-1/dynamodb/aws4_request, ") && authorization.contains(signed));
    }

    #[test]
    fn refusals_are_told_apart() {
        let read = |text: &str| serde_json::from_str::<Refusal>(text).unwrap();
        let refusal = read(
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no","Item":{"id":{"S":"x"}}}"#,
        );
        assert_eq!((refusal.kind.as_str(), refusal.message.as_str()), ("ConditionalCheckFailedException", "no"));
        assert_eq!(refusal.details["Item"]["id"]["S"], "x");
        assert!(!format!("{refusal:?}").contains("Item"), "an item is nobody's to read in a log");
        assert_eq!(read(r#"{"__type":"AccessDeniedException","Message":"no"}"#).message, "no");
        let refusal = read(r#"{"__type":"InvalidSignatureException","message":"no match\n\nx-amz-security-token:T"}"#);
        assert_eq!(refusal.message, "no match");
        let passes = |status, kind: &str| {
            let refusal = Box::new(Refusal { kind: kind.to_owned(), ..Refusal::default() });
            AwsError::Refused { operation: "GetItem", status, refusal }.passes()
        };
        assert!(passes(500, "") && passes(503, "") && passes(400, "ThrottlingException"));
        assert!(!passes(400, "ValidationException") && !passes(400, "ConditionalCheckFailedException"));
    }

    #[test]
    fn errors_say_what_was_asked_and_why_not() {
        let refusal =
            Box::new(Refusal { kind: "AccessDeniedException".into(), message: "no".into(), ..Refusal::default() });
        let error = AwsError::Refused { operation: "GetItem", status: 400, refusal };
        assert_eq!(error.to_string(), "GetItem was refused with 400: AccessDeniedException no");
    }
}
