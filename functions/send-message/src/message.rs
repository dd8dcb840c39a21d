//! The shape of a message, the same wherever it comes from; `docs/message.schema.json` is its schema.

use phone_number::PhoneNumber;
use shared::config::Settings;
use shared::http::{Fields, Problem};
use shared::messaging::{IdempotencyKey, Message, media};

/// Reads `{"phoneNumber", "message", "mediaUrls"?, "idempotencyKey"?}`.
///
/// # Errors
/// [`Problem`].
pub fn read(settings: &Settings, mut fields: Fields) -> Result<(Message, Option<IdempotencyKey>), Problem> {
    let phone = fields.string("phoneNumber")?;
    let text = fields.optional_string("message")?.unwrap_or_default();
    // As the page's text has it, `mediaUrl`.
    let links = fields.alias("mediaUrls", "mediaUrl")?.unwrap_or_default();
    let key = fields.optional_string("idempotencyKey")?;
    fields.finish()?;
    let phone = PhoneNumber::parse(&phone, settings.default_country)?;
    let key = key.map(|key| IdempotencyKey::parse(&key)).transpose()?;
    Ok((Message::new(settings, phone, text, media::parse(&links)?)?, key))
}
