//! `POST services/Plivo/sendMessage`: sends the app's own SMS or MMS, for who has the key.

use lambda_http::Request;
use serde_json::json;
use shared::http::{self, Answer, Duplicates, Fields, Problem};
use shared::messaging::{self, media};
use shared::phone::PhoneNumber;
use shared::service::Service;

/// Answers what Plivo answered.
///
/// # Errors
/// [`Problem`].
pub async fn handle(service: &Service, request: Request) -> Answer {
    messaging::authorize(service, http::bearer(&request).as_ref()).await?;
    let mut fields = http::body(&request, Duplicates::Service)?;
    let phone = fields.string("phoneNumber")?;
    let text = fields.optional_string("message")?.unwrap_or_default();
    let links = links(&mut fields)?;
    fields.finish()?;
    let phone = PhoneNumber::parse(&phone, service.settings.default_country)?;
    let accepted = messaging::send(service, &phone, &text, &media::parse(&links)?).await?;
    Ok(http::ok(&json!(accepted)))
}

/// `mediaUrls`, or as the page's text has it, `mediaUrl`.
fn links(fields: &mut Fields) -> Result<String, Problem> {
    Ok(fields.alias("mediaUrls", "mediaUrl")?.unwrap_or_default())
}
