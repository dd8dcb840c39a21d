//! `POST services/Plivo/loginWithPhoneNumberAndPassword`: starts a login with two factors.

use lambda_http::Request;
use serde_json::json;
use shared::auth::password::Password;
use shared::auth::start;
use shared::http::{self, Answer, Duplicates};
use shared::phone::PhoneNumber;
use shared::secrets::Need;
use shared::service::Service;

/// What is fetched and opened at its start.
pub const NEEDS: &[Need] = &[Need::Keys, Need::Plivo, Need::SecondConnection];

/// Answers `{"transactionId"}` when the password is right; else 3003, whatever was wrong.
///
/// # Errors
/// [`http::Problem`].
pub async fn handle(service: &Service, request: Request) -> Answer {
    let mut fields = http::body(&request, Duplicates::Service)?;
    let (phone, password) = (fields.string("phoneNumber")?, fields.string("password")?);
    fields.finish()?;
    let phone = PhoneNumber::parse(&phone, service.settings.default_country)?;
    let transaction =
        start::second_factor(service, &phone, Password::entered(&password), &http::caller(&request)).await?;
    Ok(http::ok(&json!({ "transactionId": transaction })))
}
