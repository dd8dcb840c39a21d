//! The HTTP client for every service that a function calls: AWS's and Plivo. `reqwest`, with TLS by `ring` and Mozilla's root certificates
//! compiled in, HTTP/1.1, no redirects, no proxies. Uses `settings`.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures_util::future::join_all;
use reqwest::{redirect, retry};
use rustls::CipherSuite;
use rustls::client::Resumption;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::settings::{Lookup, SettingError};

/// To open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that nobody used for this long is not used again: load balancers close theirs after 60 s or more, and a message that
/// meets the closing is neither sent nor surely not sent.
const IDLE: Duration = Duration::from_secs(50);

/// The client. One a process; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client(pub(crate) reqwest::Client);

impl Client {
    /// Builds it; calls nobody.
    ///
    /// # Errors
    /// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
    pub fn new(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(lookup)?)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy();
        builder.build().map(Self).map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))
    }

    /// Opens so many connections for later requests, side by side, by asking for nothing. A failure is left to those requests.
    pub(crate) async fn connect(&self, url: &str, connections: usize) {
        let ask = async |_| {
            if let Ok(answer) = self.0.get(url).timeout(CONNECT_TIMEOUT).send().await {
                let _ = answer.bytes().await;
            }
        };
        join_all((0..connections).map(ask)).await;
    }
}

/// Whether it is a URL.
pub(crate) fn checked(url: &str) -> Result<(), ()> {
    reqwest::Url::parse(url).map(drop).map_err(drop)
}

/// For the SDK, which has its own timeouts.
impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
            let request = request.try_into().map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
            let failed = |error: reqwest::Error| {
                if error.is_timeout() {
                    ConnectorError::timeout(error.into())
                } else {
                    ConnectorError::io(error.into())
                }
            };
            let mut answer = client.execute(request).await.map_err(failed)?;
            let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
            let body = SdkBody::from(answer.bytes().await.map_err(failed)?);
            let mut answer = HttpResponse::new(status.into(), body);
            *answer.headers_mut() = headers.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(answer)
        })
    }
}

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// TLS for clients: `ring`, Mozilla's roots, and what `AWS_CA_BUNDLE` adds.
///
/// # Errors
/// When `AWS_CA_BUNDLE` names a file that cannot be read or holds no certificates.
pub fn tls(lookup: Lookup<'_>) -> Result<rustls::ClientConfig, SettingError> {
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
    // The one with SHA-256 first, for which processors have instructions, and none for SHA-384.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("AWS_CA_BUNDLE", error.to_string()))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8); // by default 256, whose memory a start would touch
    Ok(config)
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
