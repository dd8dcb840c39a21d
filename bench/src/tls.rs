//! A certificate authority for a moment, and what the services show of it: TLS 1.3 by ring with a P-256 certificate for 127.0.0.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::Failure;

/// The authority's certificate in a file, for `AWS_CA_BUNDLE` and its like, and the services' side.
pub(crate) struct Authority {
    pub(crate) bundle: PathBuf,
    pub(crate) acceptor: TlsAcceptor,
}

impl Authority {
    /// Makes one, and its file in this folder.
    pub(crate) fn make(folder: &Path) -> Result<Self, Failure> {
        let key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "An authority for a moment");
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let bundle = folder.join("authority.pem");
        std::fs::write(&bundle, authority.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(authority, key);

        let key = KeyPair::generate()?;
        let mut service = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        // Another name than the authority's, or OpenSSL takes it for self-signed.
        service.distinguished_name.push(DnType::CommonName, "A service for a moment");
        // Python is strict about it.
        service.use_authority_key_identifier_extension = true;
        let certificate = service.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        Ok(Self { bundle, acceptor: Arc::new(config).into() })
    }
}
