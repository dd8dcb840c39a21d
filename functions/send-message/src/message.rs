//! The shape of a message, the same wherever it comes from; `docs/message.schema.json` is its schema.

use shared::http::{Fields, Problem};
use shared::messaging::{IdempotencyKey, Message, media};
use shared::phone::PhoneNumber;
use shared::service::Service;

/// Reads `{"phoneNumber", "message", "mediaUrls"?, "idempotencyKey"?}`.
///
/// # Errors
/// [`Problem`].
pub fn read(service: &Service, mut fields: Fields) -> Result<(Message, Option<IdempotencyKey>), Problem> {
    let phone = fields.string("phoneNumber")?;
    let text = fields.optional_string("message")?.unwrap_or_default();
    // As the page's text has it, `mediaUrl`.
    let links = fields.alias("mediaUrls", "mediaUrl")?.unwrap_or_default();
    let key = fields.optional_string("idempotencyKey")?;
    fields.finish()?;
    let phone = PhoneNumber::parse(&phone, service.settings.default_country)?;
    let key = key.map(|key| IdempotencyKey::parse(&key)).transpose()?;
    Ok((Message::new(service, phone, text, media::parse(&links)?)?, key))
}
