//! HTTP clients for AWS's services and for Plivo: `reqwest`, HTTP/1.1, one TLS configuration for all (`ring`, Mozilla's root certificates
//! compiled in, and what `AWS_CA_BUNDLE` adds), no redirects, no proxies, no retries.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::{ClientBuilder, redirect, retry};
use rustls::client::Resumption;
use rustls::{CipherSuite, ClientConfig};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::{Lookup, SettingError};

/// To open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an unused connection to AWS is kept: load balancers close theirs after 60 s or more.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// The client for AWS's SDK, which keeps connections open.
///
/// Lambda freezes a process between requests, and its monotonic clock with it, so a kept connection can be dead without anybody noticing.
/// The SDK then tries again on another, and every call to DynamoDB may be carried out twice.
#[derive(Debug, Clone)]
pub struct AwsHttpClient(reqwest::Client);

impl AwsHttpClient {
    /// Builds it; calls nobody.
    ///
    /// # Errors
    /// [`tls`].
    pub fn new(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        client(lookup, |builder| builder.pool_idle_timeout(IDLE_TIMEOUT)).map(Self)
    }
}

/// A client for Plivo, which opens a connection for each request: a message that is sent on a dead connection is neither sent nor surely
/// not sent, and nobody may send it again.
///
/// # Errors
/// [`tls`].
pub fn without_pool(lookup: Lookup<'_>) -> Result<reqwest::Client, SettingError> {
    client(lookup, |builder| builder.pool_max_idle_per_host(0))
}

fn client(
    lookup: Lookup<'_>,
    pool: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<reqwest::Client, SettingError> {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls(lookup)?).connect_timeout(CONNECT_TIMEOUT);
    let builder = builder.redirect(redirect::Policy::none()).retry(retry::never()).no_proxy();
    pool(builder).build().map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))
}

/// TLS for clients: `ring`, Mozilla's roots, and what `AWS_CA_BUNDLE` adds.
///
/// # Errors
/// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
pub fn tls(lookup: Lookup<'_>) -> Result<ClientConfig, SettingError> {
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
    let mut provider = rustls::crypto::ring::default_provider();
    // SHA-256 first: processors have instructions for it, and none for SHA-384.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8); // by default 256, whose memory a cold start would touch
    Ok(config)
}

/// The SDK sets its own timeouts around this.
impl HttpConnector for AwsHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
            let request = request.try_into().map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
            let mut response = client.execute(request).await.map_err(connector_error)?;
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            let body = SdkBody::from(response.bytes().await.map_err(connector_error)?);
            let mut response = HttpResponse::new(status.into(), body);
            let headers = headers.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

impl HttpClient for AwsHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_not_there_is_named() {
        let error = tls(&|name| (name == "AWS_CA_BUNDLE").then(|| "/nowhere.pem".to_owned())).unwrap_err();
        assert_eq!(error.name, "AWS_CA_BUNDLE");
    }

    #[test]
    fn a_bundle_without_a_certificate_is_named() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = tls(&|name| (name == "AWS_CA_BUNDLE").then(|| file.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "setting AWS_CA_BUNDLE cannot be used: it holds no certificates");
    }
}
