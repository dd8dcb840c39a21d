//! How users are identified.

use super::{Lookup, SettingError, optional};
use crate::auth::properties;

/// What identifies a user besides the phone (Backendless: the identity column of the Users table).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The e-mail address: required at registration and unique.
    Email,
    /// The phone itself: an e-mail address is an ordinary property.
    Phone,
}

pub(super) fn phone_column(lookup: Lookup<'_>) -> Result<String, SettingError> {
    const NAME: &str = "PHONE_COLUMN";
    let column = optional(lookup, NAME, "phoneNumber");
    let taken = properties::is_reserved(&column);
    if properties::is_name(&column) && !taken {
        Ok(column)
    } else {
        Err(SettingError::new(NAME, format!("must be a property name that has no other meaning, not '{column}'")))
    }
}

pub(super) fn identity(lookup: Lookup<'_>, phone_column: &str) -> Result<Identity, SettingError> {
    match optional(lookup, "IDENTITY_COLUMN", "email") {
        column if column == "email" => Ok(Identity::Email),
        column if column == phone_column => Ok(Identity::Phone),
        other => Err(SettingError::new("IDENTITY_COLUMN", format!("must be email or {phone_column}, not '{other}'"))),
    }
}
