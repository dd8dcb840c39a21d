//! The keys that are derived from the root key, one per use (HKDF-SHA-256, RFC 5869), and the operations with each. A dump of all tables is
//! worthless without them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::random;

/// The shortest allowed root key, in characters: 32 random ones from CloudFormation's generator have over 128 bits of entropy.
pub const ROOT_KEY_LENGTH: usize = 32;

/// The root key has the wrong format.
#[derive(Debug, thiserror::Error)]
#[error(
    "the root key is neither a text of {ROOT_KEY_LENGTH} characters or more nor {{users, current, other?}} of such"
)]
pub struct RootKeyError;

/// The root secret. At first it is one text for all keys. To rotate the keys that protect challenges, it becomes
/// `{"users", "current", "other"}`, so that a running function always knows both the old and the new key. `docs/rotation.md` has the steps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootKey {
    /// For values that live as long as their rows: phones, identities, passwords, messages.
    users: SecretString,
    /// For values that live for minutes, the ids and codes of challenges. New ones are made with it.
    current: SecretString,
    /// Ids and codes that were made with this key are accepted, too.
    other: Option<SecretString>,
}

impl RootKey {
    fn parse(secret: &SecretString) -> Result<Self, RootKeyError> {
        let text = secret.expose_secret();
        let root = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|_| RootKeyError)?
        } else {
            Self { users: secret.clone(), current: secret.clone(), other: None }
        };
        let weak = |key: &SecretString| key.expose_secret().len() < ROOT_KEY_LENGTH;
        if weak(&root.users) || weak(&root.current) || root.other.as_ref().is_some_and(weak) {
            return Err(RootKeyError);
        }
        Ok(root)
    }
}

/// A sealed value cannot be opened: it has another key or context, or is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value does not open with this key")]
pub struct SealError;

/// All keys. They are never printed.
#[derive(derive_more::Debug)]
#[debug("Keys")]
pub struct Keys {
    phone: hmac::Key,
    identity: hmac::Key,
    message: hmac::Key,
    prefix: hmac::Key,
    client: hmac::Key,
    consent: hmac::Key,
    send: hmac::Key,
    password: [u8; 32],
    device: LessSafeKey,
    check: [u8; 32],
    current: EphemeralKeys,
    other: Option<EphemeralKeys>,
}

/// The keys for values that live for minutes.
pub(crate) struct EphemeralKeys {
    challenge: hmac::Key,
    code: LessSafeKey,
}

impl Keys {
    /// Derives all keys from the root secret.
    ///
    /// # Errors
    /// When a key in it is shorter than [`ROOT_KEY_LENGTH`], or the key has the wrong format.
    pub fn derive(root: &SecretString) -> Result<Self, RootKeyError> {
        let root = RootKey::parse(root)?;
        let users = extract(&root.users);
        Ok(Self {
            phone: hmac_key(&users, "phone")?,
            identity: hmac_key(&users, "identity")?,
            message: hmac_key(&users, "message")?,
            prefix: hmac_key(&users, "prefix")?,
            client: hmac_key(&users, "client")?,
            consent: hmac_key(&users, "consent")?,
            send: hmac_key(&users, "send")?,
            password: expand(&users, "password")?,
            device: aead_key(&users, "device")?,
            check: expand(&users, "check")?,
            current: EphemeralKeys::derive(&root.current)?,
            other: root.other.as_ref().map(EphemeralKeys::derive).transpose()?,
        })
    }

    /// The keys with which an open challenge may have been made, the likelier first.
    pub(crate) fn ephemeral(&self) -> impl Iterator<Item = &EphemeralKeys> {
        [Some(&self.current), self.other.as_ref()].into_iter().flatten()
    }

    /// The keys with which challenges are made.
    pub(crate) const fn current(&self) -> &EphemeralKeys {
        &self.current
    }

    /// The keyed hash that stands for a phone (E.164) wherever it is not the user's own row.
    pub fn phone(&self, e164: &str) -> KeyedHash {
        KeyedHash::of(&self.phone, e164)
    }

    /// The keyed hash that stands for an identity (a normalised e-mail address) in its uniqueness row.
    pub fn identity(&self, identity: &str) -> KeyedHash {
        KeyedHash::of(&self.identity, identity)
    }

    /// The keyed hash that stands for a number's prefix.
    pub fn prefix(&self, prefix: &str) -> KeyedHash {
        KeyedHash::of(&self.prefix, prefix)
    }

    /// The keyed hash that stands for a client network.
    pub fn client(&self, network: &str) -> KeyedHash {
        KeyedHash::of(&self.client, network)
    }

    /// The keyed hash that stands for a phone (E.164) where it has consented to messages or opted out of them.
    pub fn consent(&self, e164: &str) -> KeyedHash {
        KeyedHash::of(&self.consent, e164)
    }

    /// The keyed hash that stands for an idempotency key, or for a message.
    pub fn message(&self, text: &str) -> KeyedHash {
        KeyedHash::of(&self.message, text)
    }

    /// Eight bytes that mask the phone's key in a send's id, derived from the id's first half.
    pub(crate) fn send_mask(&self, nonce: &[u8; 8]) -> [u8; 8] {
        KeyedHash::of(&self.send, nonce).short()
    }

    /// Encrypts a one-time code for its challenge: another challenge's id does not open it. Only the key and the row together reveal it.
    /// (A keyed hash would not hide it better, since anybody with the key can try a million codes in a second. And a hashed code could not
    /// be sent a second time.)
    ///
    /// # Errors
    /// [`SealError`], which a code of ten digits cannot cause.
    pub fn seal_code(&self, code: &str, context: &str) -> Result<String, SealError> {
        Ok(STANDARD_NO_PAD.encode(seal(&self.current.code, code, context)?))
    }

    /// Decrypts what [`Keys::seal_code`] made for the same context.
    ///
    /// # Errors
    /// When it was not made by one of these keys for this context.
    pub fn open_code(&self, sealed: &str, context: &str) -> Result<SecretString, SealError> {
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| SealError)?;
        let code = self.ephemeral().find_map(|keys| open(&keys.code, &bytes, context));
        code.map(SecretString::from).ok_or(SealError)
    }

    /// Encrypts a device's id for a phone and an application. Text for a header: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`SealError`].
    pub(crate) fn seal_device(&self, id: &str, context: &str) -> Result<String, SealError> {
        Ok(URL_SAFE_NO_PAD.encode(seal(&self.device, id, context)?))
    }

    /// Decrypts what [`Keys::seal_device`] made for the same context.
    ///
    /// # Errors
    /// When it was not made by this key for this context.
    pub(crate) fn open_device(&self, sealed: &str, context: &str) -> Result<String, SealError> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealError)?;
        open(&self.device, &bytes, context).ok_or(SealError)
    }

    /// A value that tells whether two root keys are the same, and nothing else about them.
    pub(crate) fn check(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.check)
    }

    /// The pepper of password hashes: Argon2's secret input.
    pub(crate) const fn password_pepper(&self) -> &[u8; 32] {
        &self.password
    }
}

impl EphemeralKeys {
    fn derive(root: &SecretString) -> Result<Self, RootKeyError> {
        let root = extract(root);
        // The labels are part of the form of ids and codes: with others, those that are stored would not open.
        Ok(Self { challenge: hmac_key(&root, "transaction")?, code: aead_key(&root, "code")? })
    }

    /// Eight bytes that mask the phone's key in a challenge's id, derived from the id's first half.
    pub(crate) fn challenge_mask(&self, nonce: &[u8; 8]) -> [u8; 8] {
        KeyedHash::of(&self.challenge, nonce).short()
    }
}

/// Encrypts a text under a random nonce, which stands before it.
fn seal(key: &LessSafeKey, text: &str, context: &str) -> Result<Vec<u8>, SealError> {
    let nonce = random::bytes::<NONCE_LEN>();
    let mut sealed = text.as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
        .map_err(|_| SealError)?;
    Ok([&nonce[..], &sealed[..]].concat())
}

fn open(key: &LessSafeKey, bytes: &[u8], context: &str) -> Option<String> {
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut opened = sealed.to_vec();
    let text = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut opened).ok()?;
    std::str::from_utf8(text).ok().map(str::to_owned)
}

fn extract(root: &SecretString) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"otpost/1").extract(root.expose_secret().as_bytes())
}

fn aead_key(root: &hkdf::Prk, label: &str) -> Result<LessSafeKey, RootKeyError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &expand(root, label)?).map_err(|_| RootKeyError)?;
    Ok(LessSafeKey::new(key))
}

fn hmac_key(root: &hkdf::Prk, label: &str) -> Result<hmac::Key, RootKeyError> {
    expand(root, label).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key))
}

fn expand(root: &hkdf::Prk, label: &str) -> Result<[u8; 32], RootKeyError> {
    let mut key = [0; 32];
    root.expand(&[label.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key)).map_err(|_| RootKeyError)?;
    Ok(key)
}

/// An HMAC-SHA-256 that replaces a value in the keys of items: deterministic, and meaningless without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedHash([u8; 32]);

impl KeyedHash {
    fn of(key: &hmac::Key, value: impl AsRef<[u8]>) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(hmac::sign(key, value.as_ref()).as_ref());
        Self(hash)
    }

    /// All 256 bits, for keys that must never collide.
    pub fn long(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The first 64 bits in hex.
    pub fn short_text(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.short()))
    }

    /// The first 64 bits, for keys whose collision would only share limits.
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
    fn a_root_key_of_another_form_is_refused() {
        for text in [
            "short",
            "",
            "{}",
            "{\"users\":1,\"current\":2}",
            "{\"users\":\"0123456789abcdef0123456789abcdef\",\"current\":\"short\"}",
            "{\"users\":\"0123456789abcdef0123456789abcdef\"}",
            "{\"users\":\"0123456789abcdef0123456789abcdef\",\"current\":\"0123456789abcdef0123456789abcdef\",\"more\":1}",
        ] {
            assert!(Keys::derive(&SecretString::from(text)).is_err(), "{text}");
        }
    }

    /// The steps of docs/rotation.md.
    #[test]
    fn at_each_step_of_a_rotation_two_functions_that_know_different_steps_understand_each_other() {
        let steps = [
            ROOT.to_owned(),
            format!(r#"{{"users":"{ROOT}","current":"{ROOT}","other":"{OTHER}"}}"#),
            format!(r#"{{"users":"{ROOT}","current":"{OTHER}","other":"{ROOT}"}}"#),
            format!(r#"{{"users":"{ROOT}","current":"{OTHER}"}}"#),
        ]
        .map(|step| keys(&step));
        for pair in steps.windows(2) {
            for (one, other) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let sealed = one.seal_code("012345", "T").unwrap();
                assert_eq!(other.open_code(&sealed, "T").unwrap().expose_secret(), "012345");
                assert_eq!(one.phone("+14155550100"), other.phone("+14155550100"));
                assert_eq!(one.password_pepper(), other.password_pepper());
                let mask = one.current().challenge_mask(&[7; 8]);
                assert!(other.ephemeral().any(|keys| keys.challenge_mask(&[7; 8]) == mask));
            }
        }
        let (first, last) = (&steps[0], &steps[3]);
        assert!(last.open_code(&first.seal_code("012345", "T").unwrap(), "T").is_err(), "the old key is gone");
    }

    #[test]
    fn a_sealed_code_opens_only_with_its_key_and_for_its_challenge() {
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
    fn every_use_has_its_own_key() {
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
