//! `POST users/register`, both steps: without a `transactionId` it starts a registration, with one it ends it.

use lambda_http::Request;
use serde_json::{Value, json};
use shared::auth::code::OneTimeCode;
use shared::auth::email::Email;
use shared::auth::password::Password;
use shared::auth::properties::Properties;
use shared::auth::register::{self, Registration};
use shared::auth::start;
use shared::auth::transaction::TransactionId;
use shared::http::{self, Answer, Duplicates, Fields, Problem, Reason};
use shared::names::REFUSED;
use shared::phone::PhoneNumber;
use shared::secrets::Need;
use shared::service::Service;
use shared::settings::Identity;

/// What is fetched and opened at its start.
pub const NEEDS: &[Need] = &[Need::Keys, Need::Plivo, Need::SecondConnection];

/// Answers `{"transactionId"}` (step 1) or the user (step 2).
///
/// # Errors
/// [`Problem`].
pub async fn handle(service: &Service, request: Request) -> Answer {
    let mut fields = http::body(&request, Duplicates::Registration)?;
    let settings = &service.settings;
    let phone = PhoneNumber::parse(&fields.string(&settings.phone_column)?, settings.default_country)?;
    match fields.alias("transactionId", "transactioniId")? {
        None => {
            let transaction = start::registration(service, &phone, &http::caller(&request)).await?;
            Ok(http::ok(&json!({ "transactionId": transaction })))
        }
        Some(transaction) => {
            let registration = registration(service, phone, &transaction, fields)?;
            let account = register::finish(service, registration, &http::caller(&request)).await?;
            Ok(http::ok(&http::registered(settings, &account)))
        }
    }
}

/// Checks the form of every part of step 2, so that bad input costs no try.
fn registration(
    service: &Service,
    phone: PhoneNumber,
    transaction: &str,
    mut fields: Fields,
) -> Result<Registration, Problem> {
    let transaction = TransactionId::parse(transaction)
        .ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = OneTimeCode::parse(&fields.string("transactionCode")?, service.settings.code_length)
        .ok_or_else(|| Problem::field(Reason::InvalidCode, "transactionCode"))?;
    refuse_reserved(&mut fields)?;
    let email = email(service, &mut fields)?;
    let known = [phone.last_digits(), email.as_ref().map_or("", Email::as_str), &service.settings.app_name];
    let password = password(&mut fields)?.without(&known)?;
    let locale = locale(fields.take("blUserLocale"));
    let properties = Properties::from_rest(fields.rest())?;
    Ok(Registration { phone, transaction, code, email, password, locale, properties })
}

fn refuse_reserved(fields: &mut Fields) -> Result<(), Problem> {
    for (name, code) in REFUSED {
        if fields.take(name).is_some() {
            let reasons = [Reason::ReservedObjectId, Reason::ReservedUpdated, Reason::ReservedCreated];
            let reason = reasons.into_iter().find(|reason| reason.code() == code);
            return Err(Problem::new(reason.unwrap_or(Reason::InvalidProperties)));
        }
    }
    Ok(())
}

fn email(service: &Service, fields: &mut Fields) -> Result<Option<Email>, Problem> {
    let text = fields.optional_string("email")?.filter(|text| !text.is_empty());
    let email = text.map(|text| Email::parse(&text).ok_or_else(|| Problem::new(Reason::InvalidEmail))).transpose()?;
    match (service.settings.identity, &email) {
        (Identity::Email, None) => Err(Problem::field(Reason::IdentityMissing, "email")),
        (Identity::Email | Identity::Phone, _) => Ok(email),
    }
}

fn password(fields: &mut Fields) -> Result<Password, Problem> {
    match fields.take("password") {
        Some(Value::String(text)) if !text.is_empty() => Ok(Password::chosen(&text)?),
        None | Some(Value::String(_)) => Err(Problem::new(Reason::PasswordMissing)),
        Some(_) => Err(Problem::new(Reason::PasswordNotText)),
    }
}

/// Two letters, `en` where the client sends none.
fn locale(value: Option<Value>) -> String {
    let sent = value.as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase);
    sent.filter(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()))
        .unwrap_or_else(|| "en".to_owned())
}
