//! Passwords: which are accepted, and how they are checked.

use secrecy::{ExposeSecret as _, SecretString};
use unicode_normalization::UnicodeNormalization as _;

use super::argon2id;
pub use super::argon2id::Cost;
use crate::crypto::Keys;

/// The shortest password, in characters. Eight, since a code always follows (NIST SP 800-63B-4).
pub const MIN_LENGTH: usize = 8;
/// Words that others know about the owner count from this length on, in characters.
pub const MIN_WORD_LENGTH: usize = 6;
/// The longest, in characters. Nothing is cut off.
pub const MAX_LENGTH: usize = 128;

/// Common and breached passwords of 8 characters and more, in lower case, one a line: those of the 20,000 most frequent that
/// Django's password validator ships (compiled from breaches by Royce Williams). A linear search costs nothing beside a hash.
const COMMON: &str = include_str!("common-passwords.txt");

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`MIN_LENGTH`] characters.
    #[error("shorter than {MIN_LENGTH} characters")]
    TooShort,
    /// More than [`MAX_LENGTH`] characters.
    #[error("longer than {MAX_LENGTH} characters")]
    TooLong,
    /// It holds a control character, which nobody can type.
    #[error("holds a control character")]
    Control,
    /// One of the most common passwords, which attackers try first, or nothing but spaces.
    #[error("too common")]
    Common,
    /// It contains what others know about its owner: the phone number, the e-mail address, or the application's name.
    #[error("holds what others know")]
    Known,
}

/// A password cannot be hashed or a stored hash cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashError(pub(super) String);

/// A password in Unicode normalization form C, so that two ways to type a letter are equal. It is never printed.
#[derive(Clone, derive_more::Debug)]
#[debug("Password")]
pub struct Password(SecretString);

impl Password {
    /// A password that is entered to log in.
    pub fn entered(text: &str) -> Self {
        Self(text.nfc().collect::<String>().into())
    }

    /// A password that is chosen at registration.
    ///
    /// # Errors
    /// [`PasswordError`] when it is too weak or not a text.
    pub fn chosen(text: &str) -> Result<Self, PasswordError> {
        let password = Self::entered(text);
        let normal = password.0.expose_secret();
        let (length, lower) = (normal.chars().count(), normal.to_lowercase());
        if normal.chars().any(char::is_control) {
            Err(PasswordError::Control)
        } else if length < MIN_LENGTH {
            Err(PasswordError::TooShort)
        } else if length > MAX_LENGTH {
            Err(PasswordError::TooLong)
        } else if lower.trim().is_empty() || COMMON.lines().any(|common| common == lower) {
            Err(PasswordError::Common)
        } else {
            Ok(password)
        }
    }

    /// Refuses a chosen password that holds one of these words, in whatever letter case. Words of fewer than [`MIN_WORD_LENGTH`] characters stand in
    /// many a good password and do not count; the address of an e-mail counts whole and by its part before the `@`.
    ///
    /// # Errors
    /// [`PasswordError::Known`].
    pub fn without(self, words: &[&str]) -> Result<Self, PasswordError> {
        let lower = self.0.expose_secret().to_lowercase();
        let parts = words.iter().flat_map(|word| [*word, word.split_once('@').map_or(*word, |(name, _)| name)]);
        let holds = |word: &str| word.chars().count() >= MIN_WORD_LENGTH && lower.contains(&word.to_lowercase());
        if parts.into_iter().any(holds) { Err(PasswordError::Known) } else { Ok(self) }
    }

    /// Hashes with a new salt, off the async threads. Returns a PHC string.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(self, keys: &Keys, cost: Cost) -> Result<String, HashError> {
        argon2id::hash(self.0, *keys.password_pepper(), cost).await
    }

    /// Whether the hash is this password's; without a hash, `false` after the same work.
    ///
    /// # Errors
    /// [`HashError`] when the stored hash cannot be read.
    pub async fn verify(self, keys: &Keys, hash: Option<String>) -> Result<bool, HashError> {
        argon2id::verify(self.0, *keys.password_pepper(), hash).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::derive(&"k".repeat(32).into()).unwrap()
    }

    #[test]
    fn bad_choices_are_refused() {
        for (text, why) in [
            ("", PasswordError::TooShort),
            ("seven77", PasswordError::TooShort),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", PasswordError::TooShort),
            ("password", PasswordError::Common),
            ("PassWord1", PasswordError::Common),
            ("1234567890", PasswordError::Common),
            ("iloveyou", PasswordError::Common),
            ("        ", PasswordError::Common),
            ("\u{a0}\u{2003}      ", PasswordError::Common),
            ("with a \0 in it", PasswordError::Control),
            ("two\nlines here", PasswordError::Control),
        ] {
            assert_eq!(Password::chosen(text).unwrap_err(), why, "{text:?}");
        }
        assert_eq!(Password::chosen(&"x".repeat(129)).unwrap_err(), PasswordError::TooLong);
    }

    #[test]
    fn good_choices_are_taken() {
        for text in [" leading space", "correct horse battery staple", "пароль-не-из-списка", "🐎🔋📎🐎🔋📎🐎🔋"]
        {
            assert!(Password::chosen(text).is_ok(), "{text}");
        }
        assert!(Password::chosen(&"🐎".repeat(128)).is_ok(), "characters are counted, not bytes");
    }

    #[test]
    fn what_others_know_of_the_owner_is_no_part_of_a_password() {
        let words = ["4155550101", "jane.doe@example.com", "Otpost"];
        for text in ["4155550101", "my 4155550101!", "Jane.Doe 2026", "jane.doe@example.com", "oTpOsT rules"] {
            let chosen = Password::chosen(text).unwrap();
            assert_eq!(chosen.without(&words).map(drop), Err(PasswordError::Known), "{text}");
        }
        for text in ["correct horse battery", "jane and doe went out", "415 555 0101 is a number"] {
            assert!(Password::chosen(text).unwrap().without(&words).is_ok(), "{text}");
        }
        assert!(
            Password::chosen("a bob is a coin").unwrap().without(&["bob@example.com"]).is_ok(),
            "too short to count"
        );
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let hash = Password::chosen("caf\u{e9} au lait").unwrap().hash(&keys(), Cost::default()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |text: &str| Password::entered(text).verify(&keys(), Some(hash.clone())).await.unwrap();
        assert!(verify("caf\u{e9} au lait").await);
        assert!(verify("cafe\u{301} au lait").await, "typed the other way");
        assert!(!verify("cafe au lait").await);
        assert!(!verify("caf\u{e9} au lait ").await, "nothing is trimmed");
    }

    #[tokio::test]
    async fn nothing_is_cut_off() {
        let long = "x".repeat(127);
        let hash = Password::chosen(&format!("{long}a")).unwrap().hash(&keys(), Cost::default()).await.unwrap();
        assert!(!Password::entered(&format!("{long}b")).verify(&keys(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn without_a_user_nothing_matches() {
        assert!(!Password::entered("anything").verify(&keys(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_is_worth_nothing_without_the_pepper() {
        let hash = Password::chosen("a good password").unwrap().hash(&keys(), Cost::default()).await.unwrap();
        let other = Keys::derive(&"o".repeat(32).into()).unwrap();
        assert!(!Password::entered("a good password").verify(&other, Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_broken_hash_is_an_error() {
        assert!(Password::entered("x").verify(&keys(), Some("broken".into())).await.is_err());
    }
}
