//! Messages that the app itself sends: what may be sent, to whom and how long. Uses `gsm`, `plivo`, `phone`, `secrets`, `settings`.

pub mod media;

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::gsm;
use crate::phone::PhoneNumber;
use crate::plivo::{Accepted, Message, PlivoError};
use crate::secrets::SecretError;
use crate::service::Service;

/// A message was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The key of `sendMessage` is missing or wrong.
    #[error("access denied")]
    AccessDenied,
    /// No text and no media.
    #[error("nothing to send")]
    Empty,
    /// Longer than Plivo takes.
    #[error("the text is too long")]
    TooLong,
    /// A control character other than line ends and tabs.
    #[error("the text holds control characters")]
    NotText,
    /// Media to a country that has none.
    #[error("no media to that country")]
    MediaCountry,
    /// A country that is not sent to.
    #[error("country not served")]
    CountryNotServed,
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Plivo did not take it.
    #[error(transparent)]
    Plivo(#[from] PlivoError),
}

/// Lets in who has a key of `sendMessage`, which spends the owner's money.
///
/// # Errors
/// [`MessageError::AccessDenied`]; [`MessageError::Secret`].
pub async fn authorize(service: &Service, key: Option<&SecretString>) -> Result<(), MessageError> {
    let keys = service.secrets.message_keys(service.clock.now()).await?;
    let given = key.map(|key| key.expose_secret().as_bytes()).unwrap_or_default();
    let right = |key: &SecretString| bool::from(given.ct_eq(key.expose_secret().as_bytes()));
    if keys.iter().any(right) { Ok(()) } else { Err(MessageError::AccessDenied) }
}

/// Sends the app's own message, once.
///
/// # Errors
/// [`MessageError`].
pub async fn send(service: &Service, to: &PhoneNumber, text: &str, media: &[Url]) -> Result<Accepted, MessageError> {
    if text.is_empty() && media.is_empty() {
        return Err(MessageError::Empty);
    }
    if text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
        return Err(MessageError::NotText);
    }
    if !gsm::fits(text) {
        return Err(MessageError::TooLong);
    }
    if !media.is_empty() && !to.takes_media() {
        return Err(MessageError::MediaCountry);
    }
    if !service.settings.sends_to(to.country()) {
        return Err(MessageError::CountryNotServed);
    }
    let credentials = service.secrets.plivo(service.clock.now()).await?;
    Ok(service.plivo.send(&credentials, Message { to: to.e164(), text, media, keep_text: true }).await?)
}
