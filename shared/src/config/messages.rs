//! Who messages come from, and what stands in the texts of codes.

use super::{Lookup, SettingError, optional, present, required};
use crate::crypto::identifier;
use crate::messaging::sms_encoding;

/// The longest `APP_NAME`, in GSM characters, and the longest `WEBOTP_HOST`: with both, and everything else at its longest, the
/// texts of codes still fit one segment (`auth::otp_message` tests it).
pub(crate) const MAX_APP_NAME_LENGTH: usize = 20;
/// See [`MAX_APP_NAME_LENGTH`].
pub(crate) const MAX_HOST_LENGTH: usize = 40;

/// Who an SMS comes from (Plivo: "Send a message", `src` and `powerpack_uuid`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number or an alphanumeric sender.
    Source(String),
    /// A powerpack's UUID.
    Powerpack(String),
}

pub(super) fn app_name(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let name = optional(lookup, "APP_NAME", "Otpost");
    if sms_encoding::gsm_length(&name).is_some_and(|length| length <= MAX_APP_NAME_LENGTH)
        && !name.contains(['\n', '\r'])
    {
        Ok(name)
    } else {
        Err(SettingError::new(
            "APP_NAME",
            format!("must be at most {MAX_APP_NAME_LENGTH} characters of the GSM alphabet"),
        ))
    }
}

pub(super) fn sender(lookup: Lookup<'_>) -> Result<Sender, SettingError> {
    const NAME: &str = "PLIVO_SENDER";
    let value = required(lookup, NAME)?;
    if identifier::parse(&value).is_some() {
        return Ok(Sender::Powerpack(value.to_lowercase()));
    }
    let digits = value.strip_prefix('+').unwrap_or(&value);
    let is_number = (3..=14).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=11).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_number || is_name {
        Ok(Sender::Source(value))
    } else {
        Err(SettingError::new(
            NAME,
            "must be a number like +14155550100, up to 11 letters and digits, or a powerpack's UUID",
        ))
    }
}

pub(super) fn base_url(lookup: Lookup<'_>) -> Result<String, SettingError> {
    const NAME: &str = "PLIVO_API_URL";
    let text = optional(lookup, NAME, "https://api.plivo.com");
    let url =
        url::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    if url.is_none() {
        return Err(SettingError::new(NAME, format!("must be a URL like https://api.plivo.com, not '{text}'")));
    }
    if text.contains(['?', '#']) {
        return Err(SettingError::new(NAME, "must be without a query and a fragment"));
    }
    // The base may be given as the official SDKs take it, too.
    let base = text.trim_end_matches('/');
    Ok(base.trim_end_matches("/v1/Account").trim_end_matches('/').to_owned())
}

pub(super) fn webotp_host(lookup: Lookup<'_>) -> Result<Option<String>, SettingError> {
    const NAME: &str = "WEBOTP_HOST";
    let Some(host) = present(lookup, NAME) else { return Ok(None) };
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if plain && host.len() <= MAX_HOST_LENGTH && host.contains('.') {
        Ok(Some(host.to_lowercase()))
    } else {
        Err(SettingError::new(
            NAME,
            format!("must be a host name of at most {MAX_HOST_LENGTH} characters like app.example.com, not '{host}'"),
        ))
    }
}

pub(super) fn android_app_hash(lookup: Lookup<'_>) -> Result<Option<String>, SettingError> {
    const NAME: &str = "ANDROID_APP_HASH";
    let Some(hash) = present(lookup, NAME) else { return Ok(None) };
    // Android SMS Retriever: the first 11 characters of a base64 text.
    let base64 = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if base64 && hash.len() == 11 {
        Ok(Some(hash))
    } else {
        Err(SettingError::new(NAME, "must be the 11 characters that Android's SMS Retriever computes"))
    }
}
