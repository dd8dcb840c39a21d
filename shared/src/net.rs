//! One HTTP client for every service that a function calls: DynamoDB, Secrets Manager, SQS and Plivo. TLS by `ring` with Mozilla's
//! root certificates compiled in, HTTP/1.1, timeouts, no redirects. Uses `settings`.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::settings::{Lookup, SettingError, required};

/// To open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For one try of a call to an AWS service; these answer in milliseconds.
const AWS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// For a call to an AWS service with all its tries. Without conflicts, the most that one request waits for, one after the other, is six such calls
/// and Plivo (a start whose message fails: secrets, reads, write, Plivo, its state noted, read and write to take it back); the
/// gateway gives up after 30 s.
pub(crate) const AWS_TIMEOUT: Duration = Duration::from_millis(3400);
/// The first try and two more: throttling and lost answers are tried again by the SDK, with pauses that double.
const AWS_ATTEMPTS: u32 = 3;

/// Builds the client. One a process: connections and TLS sessions are kept in it.
///
/// # Errors
/// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
pub fn http_client(lookup: Lookup<'_>) -> Result<reqwest::Client, SettingError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = lookup("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        let bad =
            |problem: &dyn std::fmt::Display| SettingError::new("AWS_CA_BUNDLE", format!("cannot be used: {problem}"));
        let known = roots.len();
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| bad(&error))? {
            roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
        }
        if roots.len() == known {
            return Err(bad(&"it holds no certificates"));
        }
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))
}

/// The configuration of a service's client: each service's crate has a type of its own for the same thing.
macro_rules! configured {
    ($aws:expr, $sdk:ident, $url:expr) => {{
        let mut config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region($aws.region.clone())
            .credentials_provider($aws.credentials.clone())
            .http_client(SdkHttp($aws.http.clone()))
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard().with_max_attempts(AWS_ATTEMPTS));
        config.set_endpoint_url($url.clone());
        config.build()
    }};
}

/// Where and as whom the AWS services are called: Lambda's own environment variables, read by hand, since the SDK's default
/// chain looks in files and at the network first.
#[derive(Debug, Clone)]
pub struct Aws {
    http: reqwest::Client,
    region: Region,
    credentials: Credentials,
    dynamodb_url: Option<String>,
    secrets_url: Option<String>,
    sqs_url: Option<String>,
}

impl Aws {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SQS`.
    ///
    /// # Errors
    /// When the region or the credentials are missing.
    pub fn from_lookup(lookup: Lookup<'_>, http: reqwest::Client) -> Result<Self, SettingError> {
        let find = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let region = find("AWS_REGION").or_else(|| find("AWS_DEFAULT_REGION"));
        let everywhere = find("AWS_ENDPOINT_URL");
        Ok(Self {
            http,
            region: Region::new(region.ok_or_else(|| SettingError::new("AWS_REGION", "is missing"))?),
            credentials: Credentials::new(
                required(lookup, "AWS_ACCESS_KEY_ID")?,
                required(lookup, "AWS_SECRET_ACCESS_KEY")?,
                find("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            dynamodb_url: find("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| everywhere.clone()),
            secrets_url: find("AWS_ENDPOINT_URL_SECRETS_MANAGER").or_else(|| everywhere.clone()),
            sqs_url: find("AWS_ENDPOINT_URL_SQS").or(everywhere),
        })
    }

    /// A client for DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(configured!(self, aws_sdk_dynamodb, self.dynamodb_url))
    }

    /// A client for Secrets Manager.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::from_conf(configured!(self, aws_sdk_secretsmanager, self.secrets_url))
    }

    /// A client for SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::from_conf(configured!(self, aws_sdk_sqs, self.sqs_url))
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT).operation_timeout(AWS_TIMEOUT).build()
}

/// The AWS SDK's view of the client. Its timeouts are set above, so the connector's own settings are not needed.
#[derive(Debug, Clone)]
struct SdkHttp(reqwest::Client);

impl HttpClient for SdkHttp {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for SdkHttp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Every request of these services is held in memory; a body that is not would be a stream.
            let request = request.map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
            let request = reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
            let answer = client.execute(request).await.map_err(connector_error)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = answer.bytes().await.map_err(connector_error)?;
            let mut response = HttpResponse::new(
                status.as_u16().try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?,
                SdkBody::from(body.to_vec()),
            );
            for (name, value) in &headers {
                // Headers that are not text hold nothing that the SDK reads.
                if let Ok(value) = value.to_str() {
                    response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(response)
        })
    }
}

/// Tells the SDK what is worth another try.
fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_request_ends_before_the_gateway_gives_up() {
        assert!(6 * AWS_TIMEOUT + crate::plivo::TIMEOUT < Duration::from_secs(29));
    }

    #[test]
    fn a_bundle_that_is_not_there_is_named() {
        let error = http_client(&|name| (name == "AWS_CA_BUNDLE").then(|| "/nowhere.pem".to_owned())).unwrap_err();
        assert_eq!(error.name, "AWS_CA_BUNDLE");
    }

    #[test]
    fn a_bundle_without_a_certificate_is_named() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = http_client(&|name| (name == "AWS_CA_BUNDLE").then(|| file.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "setting AWS_CA_BUNDLE cannot be used: it holds no certificates");
    }

    #[test]
    fn a_missing_region_or_credential_is_named() {
        let http = http_client(&|_| None).unwrap();
        assert_eq!(Aws::from_lookup(&|_| None, http.clone()).unwrap_err().name, "AWS_REGION");
        let only_region = |name: &str| (name == "AWS_DEFAULT_REGION").then(|| "eu-west-1".to_owned());
        assert_eq!(Aws::from_lookup(&only_region, http).unwrap_err().name, "AWS_ACCESS_KEY_ID");
    }
}
