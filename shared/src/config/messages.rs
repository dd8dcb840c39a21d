//! Who messages come from, and what stands in the texts of codes.

use super::{Lookup, SettingError, ensure, present, required, with_default};
use crate::crypto::identifier;
use crate::messaging::{opt_out, sms_encoding};

/// The longest `APP_NAME`, in GSM characters: with it, the texts of codes fit one segment in every language (`auth::otp_message` tests it).
pub(crate) const MAX_APP_NAME_LENGTH: usize = 20;
/// The longest `WEBOTP_HOST`: with it, and everything else at its longest, English texts still fit one segment.
pub(crate) const MAX_HOST_LENGTH: usize = 40;

/// Who an SMS comes from (Plivo: "Send a message", `src` and `powerpack_uuid`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number or an alphanumeric sender.
    Source(String),
    /// A powerpack's UUID.
    Powerpack(String),
}

pub(super) fn app_name(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let app_name = with_default(lookup, name, "Otpost");
    let is_short = sms_encoding::gsm_length(&app_name).is_some_and(|length| length <= MAX_APP_NAME_LENGTH);
    let problem = format!("must be at most {MAX_APP_NAME_LENGTH} characters of the GSM alphabet");
    ensure(is_short && !app_name.contains(['\n', '\r']), name, problem)?;
    Ok(app_name)
}

/// Further words that opt out, as they are compared.
pub(super) fn opt_out_words(lookup: Lookup<'_>, name: &'static str) -> Result<Vec<String>, SettingError> {
    let Some(list) = present(lookup, name) else { return Ok(Vec::new()) };
    let words: Vec<_> = list.split(',').map(opt_out::plain).collect();
    ensure(words.iter().all(|word| !word.is_empty()), name, "must be words like BASTA,GENUG, separated by commas")?;
    Ok(words)
}

/// What answers HELP.
pub(super) fn help_text(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let default = || {
        let app_name = app_name(lookup, "APP_NAME")?;
        Ok(format!("{app_name}: codes to log in, sent when you ask for them. Reply STOP to end messages."))
    };
    let text = present(lookup, name).map_or_else(default, Ok)?;
    let is_short = sms_encoding::gsm_length(&text).is_some_and(|length| length <= sms_encoding::SINGLE_SEGMENT);
    let problem = format!("must be at most {} characters of the GSM alphabet", sms_encoding::SINGLE_SEGMENT);
    ensure(is_short, name, problem)?;
    Ok(text)
}

pub(super) fn sender(lookup: Lookup<'_>, name: &'static str) -> Result<Sender, SettingError> {
    let sender = required(lookup, name)?;
    if identifier::parse(&sender).is_some() {
        return Ok(Sender::Powerpack(sender.to_lowercase()));
    }
    let digits = sender.strip_prefix('+').unwrap_or(&sender);
    let is_number = (3..=14).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=11).contains(&sender.len()) && sender.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let problem = "must be a number like +14155550100, up to 11 letters and digits, or a powerpack's UUID";
    ensure(is_number || is_name, name, problem)?;
    Ok(Sender::Source(sender))
}

pub(super) fn base_url(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let text = with_default(lookup, name, "https://api.plivo.com");
    let is_url = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    ensure(is_url, name, format!("must be a URL like https://api.plivo.com, not '{text}'"))?;
    ensure(!text.contains(['?', '#']), name, "must be without a query and a fragment")?;
    // The base may be given as the official SDKs take it, too.
    let base = text.trim_end_matches('/');
    Ok(base.trim_end_matches("/v1/Account").trim_end_matches('/').to_owned())
}

pub(super) fn webotp_host(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(host) = present(lookup, name) else { return Ok(None) };
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let problem =
        format!("must be a host name of at most {MAX_HOST_LENGTH} characters like app.example.com, not '{host}'");
    ensure(is_plain && host.len() <= MAX_HOST_LENGTH && host.contains('.'), name, problem)?;
    Ok(Some(host.to_lowercase()))
}

pub(super) fn android_app_hash(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(hash) = present(lookup, name) else { return Ok(None) };
    // Android SMS Retriever: the first 11 characters of a base64 text.
    let is_base64 = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    let problem = "must be the 11 characters that Android's SMS Retriever computes";
    ensure(is_base64 && hash.len() == 11, name, problem)?;
    Ok(Some(hash))
}
