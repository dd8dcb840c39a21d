//! Parses a message, which has the same schema from every source: `docs/message.schema.json`.

use serde_json::Value;
use shared::config::Settings;
use shared::http::{self, Fields, Problem, Reason};
use shared::messaging::{IdempotencyKey, Message, media};

/// Parses `{"phoneNumber", "message", "mediaUrls"?, "idempotencyKey"?}`.
///
/// # Errors
/// [`Problem`].
pub fn read(settings: &Settings, mut fields: Fields) -> Result<(Message, Option<IdempotencyKey>), Problem> {
    let phone = fields.string("phoneNumber")?;
    let text = fields.optional_string("message")?.unwrap_or_default();
    // Backendless's page calls it `mediaUrl` in its text.
    let links = links(fields.alias_value("mediaUrls", "mediaUrl")?)?;
    let key = fields.optional_string("idempotencyKey")?;
    fields.finish()?;
    let phone = http::phone_number(settings, "phoneNumber", &phone)?;
    let key = key.map(|key| IdempotencyKey::parse(&key)).transpose()?;
    Ok((Message::new(settings, phone, text, media::parse(links.iter().map(String::as_str))?)?, key))
}

/// The links: a string of links separated by commas, or an array of links.
fn links(value: Option<Value>) -> Result<Vec<String>, Problem> {
    let wrong_type = || Problem::field(Reason::WrongType, "mediaUrls");
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(list)) => Ok(media::split(&list).map(str::to_owned).collect()),
        Some(Value::Array(links)) => {
            let text = |link| if let Value::String(link) = link { Ok(link) } else { Err(wrong_type()) };
            links.into_iter().map(text).collect()
        }
        Some(_) => Err(wrong_type()),
    }
}
