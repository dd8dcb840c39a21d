//! The keys that sign JWTs (RFC 7519) by RS256, the one algorithm that the authorizers of HTTP APIs take. `jsonwebtoken` does it, with ring as
//! its cryptography, which is there for TLS.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;

/// The secret has the wrong format.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret is not one or two RSA keys of 2048 bits or more, as `openssl genpkey -algorithm RSA` writes them (PEM, PKCS#8)"
)]
pub struct SigningKeyError;

/// One key, or two while they are rotated: the first signs, and the public halves of both are published. They are never printed.
#[derive(derive_more::Debug)]
#[debug("SigningKeys")]
pub struct SigningKeys {
    key: EncodingKey,
    header: Header,
    /// The public keys (RFC 7517).
    pub public: JwkSet,
}

impl SigningKeys {
    /// Reads the secret's text.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn parse(pem: &str) -> Result<Self, SigningKeyError> {
        // The first call in a process counts, and all are the same.
        let _ = RING.install_default();
        let keys = PrivatePkcs8KeyDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let keys: Vec<_> = keys.map_err(|_| SigningKeyError)?;
        let mut keys: Vec<_> = keys.iter().map(|key| EncodingKey::from_rsa_der(key.secret_pkcs8_der())).collect();
        let public = keys.iter().map(public_key).collect::<Result<Vec<_>, _>>().map_err(|_| SigningKeyError)?;
        let ([first] | [first, _]) = &public[..] else { return Err(SigningKeyError) };
        let header = Header { kid: first.common.key_id.clone(), ..Header::new(Algorithm::RS256) };
        Ok(Self { key: keys.swap_remove(0), header, public: JwkSet { keys: public } })
    }

    /// A signed token with these claims.
    ///
    /// # Errors
    /// When the claims are no JSON object, or the operating system has no random numbers.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, Error> {
        jsonwebtoken::encode(&self.header, claims, &self.key)
    }
}

/// The public half of a key, named by its thumbprint (RFC 7638).
fn public_key(key: &EncodingKey) -> Result<Jwk, Error> {
    let mut public = Jwk::from_encoding_key(key, Algorithm::RS256)?;
    public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256)?);
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(public)
}

/// What `jsonwebtoken` needs here: signing, and the public half of a key. Nothing is verified.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, key| Ok(Box::new(Rs256(key_pair(key.as_bytes())?))),
    verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |key| {
            let PublicKeyComponents { n, e } = key_pair(key)?.public().into();
            Ok((n, e))
        },
        compute_digest: |data, _| Ok(digest(&SHA256, data).as_ref().to_vec()),
        ..KeyUtils::new_unimplemented()
    },
};

fn key_pair(pkcs8: &[u8]) -> Result<KeyPair, Error> {
    KeyPair::from_pkcs8(pkcs8).map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

struct Rs256(KeyPair);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../../local/jwt-key.pem");

    #[test]
    fn what_is_no_key_is_refused() {
        let short = "-----BEGIN PRIVATE KEY-----\nMIIBVQ==\n-----END PRIVATE KEY-----\n";
        for text in ["", "key", short, &KEY[..600], &format!("{KEY}{short}"), &format!("{KEY}{KEY}{KEY}")] {
            assert!(SigningKeys::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_of_two_keys_signs_and_neither_prints() {
        let keys = SigningKeys::parse(&format!("{KEY}{KEY}")).unwrap();
        assert_eq!(keys.header.kid, keys.public.keys[0].common.key_id);
        assert_eq!(keys.public.keys.len(), 2);
        assert_eq!(format!("{keys:?}"), "SigningKeys");
    }
}
