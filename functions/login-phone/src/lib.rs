//! `POST services/Plivo/loginWithPhoneNumber`: starts a login without a password.

use lambda_http::Request;
use serde_json::json;
use shared::auth::start;
use shared::http::{self, Answer};
use shared::phone::PhoneNumber;
use shared::secrets::Need;
use shared::service::Service;

/// What is fetched and opened at its start.
pub const NEEDS: &[Need] = &[Need::Keys, Need::Plivo, Need::SecondConnection];

/// Answers `{"transactionId"}` for any number that can be sent to, whether or not a user has it.
///
/// # Errors
/// [`http::Problem`].
pub async fn handle(service: &Service, request: Request) -> Answer {
    let text = http::text_body(&request, "phoneNumber")?;
    let phone = PhoneNumber::parse(&text, service.settings.default_country)?;
    let transaction = start::login(service, &phone, &http::caller(&request)).await?;
    Ok(http::ok(&json!({ "transactionId": transaction })))
}
