//! Keys derived from the root key, randomness, and the text form of identifiers.

pub mod identifier;
mod keys;
pub mod random;
mod signing_keys;

pub(crate) use keys::EphemeralKeys;
pub use keys::{KeyedHash, Keys, ROOT_KEY_LENGTH, RootKeyError, SealError};
pub use signing_keys::{SigningKeyError, SigningKeys};
