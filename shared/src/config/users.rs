//! How users are identified.

use super::{Lookup, SettingError, ensure, with_default};
use crate::auth::properties;

/// What identifies a user besides the phone (Backendless: the identity column of the Users table).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The e-mail address: required at registration and unique.
    Email,
    /// The phone itself: an e-mail address is an ordinary property.
    Phone,
}

pub(super) fn phone_column(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let column = with_default(lookup, name, "phoneNumber");
    let is_free = properties::is_name(&column) && !properties::is_reserved(&column);
    ensure(is_free, name, format!("must be a property name that has no other meaning, not '{column}'"))?;
    Ok(column)
}

/// Whether a registration needs a password.
pub(super) fn is_password_required(lookup: Lookup<'_>, name: &'static str) -> Result<bool, SettingError> {
    match with_default(lookup, name, "required").as_str() {
        "required" => Ok(true),
        "optional" => Ok(false),
        other => Err(SettingError::new(name, format!("must be required or optional, not '{other}'"))),
    }
}

pub(super) fn session_after_registration(lookup: Lookup<'_>, name: &'static str) -> Result<bool, SettingError> {
    match with_default(lookup, name, "false").as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(SettingError::new(name, format!("must be true or false, not '{other}'"))),
    }
}

pub(super) fn identity(lookup: Lookup<'_>, name: &'static str) -> Result<Identity, SettingError> {
    let (column, phone_column) = (with_default(lookup, name, "email"), phone_column(lookup, "PHONE_COLUMN")?);
    let is_known = column == "email" || column == phone_column;
    ensure(is_known, name, format!("must be email or {phone_column}, not '{column}'"))?;
    Ok(if column == "email" { Identity::Email } else { Identity::Phone })
}
