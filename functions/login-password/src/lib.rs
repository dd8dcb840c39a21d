//! `POST services/Plivo/loginWithPhoneNumberAndPassword`: starts a login with a password and a code.

use std::sync::Arc;

use lambda_http::Request;
use serde_json::json;
use shared::app::App;
use shared::auth::password::Password;
use shared::auth::start;
use shared::aws::secrets::Secret;
use shared::http::{self, Duplicates, HandlerResult};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::RootKey, Secret::Plivo];

/// Responds with `{"transactionId"}` if the password is right, else with code 3003, whatever was wrong.
///
/// # Errors
/// [`http::Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let mut fields = http::body(&request, Duplicates::Service)?;
    let (phone, password) = (fields.string("phoneNumber")?, fields.string("password")?);
    let channel = fields.channel()?;
    fields.finish()?;
    let phone = http::phone_number(&app.settings, "phoneNumber", &phone)?;
    let requester = http::requester(&app, &request)?.by(channel);
    let challenge = start::second_factor(&app, &phone, Password::entered(&password), &requester).await?;
    Ok(http::ok(&json!({ "transactionId": challenge })))
}
