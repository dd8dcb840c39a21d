//! Parses a message, which has the same schema from every source: `docs/message.schema.json`.

use phone_number::PhoneNumber;
use shared::config::Settings;
use shared::http::{Fields, Problem};
use shared::messaging::{IdempotencyKey, Message, media};

/// Parses `{"phoneNumber", "message", "mediaUrls"?, "idempotencyKey"?}`.
///
/// # Errors
/// [`Problem`].
pub fn read(settings: &Settings, mut fields: Fields) -> Result<(Message, Option<IdempotencyKey>), Problem> {
    let phone = fields.string("phoneNumber")?;
    let text = fields.optional_string("message")?.unwrap_or_default();
    // Backendless's page calls it `mediaUrl` in its text.
    let links = fields.alias("mediaUrls", "mediaUrl")?.unwrap_or_default();
    let key = fields.optional_string("idempotencyKey")?;
    fields.finish()?;
    let phone = PhoneNumber::parse(&phone, settings.default_country)?;
    let key = key.map(|key| IdempotencyKey::parse(&key)).transpose()?;
    Ok((Message::new(settings, phone, text, media::parse(&links)?)?, key))
}
