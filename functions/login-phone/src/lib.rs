//! `POST services/Plivo/loginWithPhoneNumber`: starts a login without a password.

use std::sync::Arc;

use lambda_http::Request;
use serde_json::json;
use shared::app::App;
use shared::auth::start;
use shared::aws::secrets::Secret;
use shared::http::{self, HandlerResult};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::RootKey, Secret::Plivo];

/// Responds with `{"transactionId"}` for any number that can receive SMS, whether or not a user has it.
///
/// # Errors
/// [`http::Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let (text, mut fields) = http::text_body(&request, "phoneNumber")?;
    let channel = fields.channel()?;
    fields.finish()?;
    let phone = http::phone_number(&app.settings, "phoneNumber", &text)?;
    let challenge = start::login(&app, &phone, &http::requester(&app, &request)?.by(channel)).await?;
    Ok(http::ok(&json!({ "transactionId": challenge })))
}
