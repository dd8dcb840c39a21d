//! The keys that are derived from the root key, one per purpose (HKDF-SHA-256, RFC 5869), and what is done with each. A dump of
//! all tables is worth nothing without them. Uses `random`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::random::{self, RandomError};

/// The shortest root key that is taken, in characters: 32 random ones from CloudFormation's generator hold over 128 bits.
pub const ROOT_KEY_LENGTH: usize = 32;

/// The root key is too short to be one.
#[derive(Debug, thiserror::Error)]
#[error("the root key is shorter than {ROOT_KEY_LENGTH} characters")]
pub struct WeakRootKey;

/// A sealed value does not open: another key, another context, or not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value does not open with this key")]
pub struct SealError;

/// All keys of one root key. Prints nothing.
pub struct Keys {
    phone: hmac::Key,
    identity: hmac::Key,
    transaction: hmac::Key,
    code: LessSafeKey,
    password: [u8; 32],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Derives all keys.
    ///
    /// # Errors
    /// When the root key is shorter than [`ROOT_KEY_LENGTH`].
    pub fn derive(root: &SecretString) -> Result<Self, WeakRootKey> {
        let root = root.expose_secret().as_bytes();
        if root.len() < ROOT_KEY_LENGTH {
            return Err(WeakRootKey);
        }
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"otpost/1").extract(root);
        let hmac_key = |purpose| expand(&root, purpose).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key));
        Ok(Self {
            phone: hmac_key("phone")?,
            identity: hmac_key("identity")?,
            transaction: hmac_key("transaction")?,
            code: LessSafeKey::new(
                UnboundKey::new(&CHACHA20_POLY1305, &expand(&root, "code")?).map_err(|_| WeakRootKey)?,
            ),
            password: expand(&root, "password")?,
        })
    }

    /// The keyed hash that stands for a phone (E.164) wherever it is not the user's own row.
    pub fn phone(&self, e164: &str) -> KeyedHash {
        KeyedHash::of(&self.phone, e164.as_bytes())
    }

    /// The keyed hash that stands for an identity (a normalised e-mail address) in its uniqueness row.
    pub fn identity(&self, identity: &str) -> KeyedHash {
        KeyedHash::of(&self.identity, identity.as_bytes())
    }

    /// Eight bytes that hide what a transaction id points to, from its first half.
    pub(crate) fn transaction_mask(&self, nonce: &[u8; 8]) -> [u8; 8] {
        KeyedHash::of(&self.transaction, nonce).short()
    }

    /// Encrypts a one-time code for its transaction; another transaction's id does not open it. Only who has the key *and*
    /// the row can read it. (A keyed hash would not hide it better: who has the key tries a million codes in a second. But
    /// it could not be sent a second time.)
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal_code(&self, code: &str, context: &str) -> Result<String, RandomError> {
        let nonce = random::bytes::<NONCE_LEN>()?;
        let mut sealed = code.as_bytes().to_vec();
        self.code
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|_| RandomError)?;
        Ok(STANDARD_NO_PAD.encode([&nonce[..], &sealed[..]].concat()))
    }

    /// Decrypts what [`Keys::seal_code`] made for the same context.
    ///
    /// # Errors
    /// When it was not made by this key for this context.
    pub fn open_code(&self, sealed: &str, context: &str) -> Result<SecretString, SealError> {
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| SealError)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let mut opened = sealed.to_vec();
        let code = self
            .code
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut opened)
            .map_err(|_| SealError)?;
        std::str::from_utf8(code).map(SecretString::from).map_err(|_| SealError)
    }

    /// The pepper of password hashes: Argon2's secret input.
    pub(crate) const fn password_pepper(&self) -> &[u8; 32] {
        &self.password
    }
}

fn expand(root: &hkdf::Prk, purpose: &str) -> Result<[u8; 32], WeakRootKey> {
    let mut key = [0; 32];
    root.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| WeakRootKey)?;
    Ok(key)
}

/// An HMAC-SHA-256 that stands for a value in keys of items: it says nothing without the key, and is the same each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedHash([u8; 32]);

impl KeyedHash {
    fn of(key: &hmac::Key, value: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(key, value).as_ref());
        Self(hash)
    }

    /// All 256 bits, for keys that must never meet.
    pub fn long(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The first 64 bits, where two that meet would only share their limits.
    pub fn short(&self) -> [u8; 8] {
        let mut short = [0; 8];
        short.copy_from_slice(&self.0[..8]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str) -> Keys {
        Keys::derive(&SecretString::from(root)).unwrap()
    }

    const ROOT: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_short_root_key_is_refused() {
        assert!(Keys::derive(&SecretString::from("short")).is_err());
    }

    #[test]
    fn a_sealed_code_opens_only_with_its_key_and_for_its_transaction() {
        let sealed = keys(ROOT).seal_code("012345", "T1").unwrap();
        assert!(!sealed.contains("012345"));
        assert_eq!(keys(ROOT).open_code(&sealed, "T1").unwrap().expose_secret(), "012345");
        assert!(keys(ROOT).open_code(&sealed, "T2").is_err());
        assert!(keys(OTHER).open_code(&sealed, "T1").is_err());
        assert!(keys(ROOT).open_code("", "T1").is_err());
        assert!(keys(ROOT).open_code("not base64!", "T1").is_err());
    }

    #[test]
    fn the_same_code_is_never_stored_the_same_way_twice() {
        assert_ne!(keys(ROOT).seal_code("012345", "T").unwrap(), keys(ROOT).seal_code("012345", "T").unwrap());
    }

    #[test]
    fn every_purpose_has_its_own_key() {
        let keys = keys(ROOT);
        assert_ne!(keys.phone("+14155550100"), keys.identity("+14155550100"));
        assert_ne!(keys.phone("+14155550100"), self::keys(OTHER).phone("+14155550100"));
        assert_eq!(keys.phone("+14155550100"), keys.phone("+14155550100"));
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", keys(ROOT)), "Keys");
    }
}
