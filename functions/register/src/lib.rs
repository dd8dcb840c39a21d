//! `POST users/register`, both steps: without a `transactionId` it starts a registration, with one it finishes it.

use std::sync::Arc;

use lambda_http::Request;
use phone_number::PhoneNumber;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::email::Email;
use shared::auth::otp::OneTimeCode;
use shared::auth::password::Password;
use shared::auth::properties::{Properties, REFUSED};
use shared::auth::register::{Registration, register};
use shared::auth::start;
use shared::aws::secrets::Secret;
use shared::config::Identity;
use shared::http::{self, Duplicates, Fields, HandlerResult, Problem, Reason};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::RootKey, Secret::Plivo];

/// Responds with `{"transactionId"}` (step 1) or the user (step 2).
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let mut fields = http::body(&request, Duplicates::Registration)?;
    let settings = &app.settings;
    let phone = http::phone_number(settings, &settings.phone_column, &fields.string(&settings.phone_column)?)?;
    match fields.alias("transactionId", "transactioniId")? {
        None => {
            refuse_second_step(&fields, settings.code_length)?;
            let channel = fields.channel_among_properties();
            // What step 2 would refuse is refused before an SMS is paid for.
            let Details { locale, .. } = details(&app, &phone, fields)?;
            let requester = http::requester(&app, &request)?.by(channel).in_locale(&locale.unwrap_or_default());
            let challenge = start::registration(&app, &phone, &requester).await?;
            Ok(http::ok(&json!({ "transactionId": challenge })))
        }
        Some(challenge) => {
            let registration = registration(&app, phone, &challenge, fields)?;
            let account = register(&app, registration, &http::requester(&app, &request)?).await?;
            Ok(http::ok(&http::registered(settings, &account)))
        }
    }
}

/// Checks all input of step 2 before the code is compared, so that bad input costs no attempt.
fn registration(app: &App, phone: PhoneNumber, challenge: &str, mut fields: Fields) -> Result<Registration, Problem> {
    let challenge =
        ChallengeId::parse(challenge).ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = OneTimeCode::parse(&fields.string("transactionCode")?, app.settings.code_length)
        .ok_or_else(|| Problem::field(Reason::InvalidCode, "transactionCode"))?;
    let Details { email, password, locale, properties } = details(app, &phone, fields)?;
    if email.is_none() && app.settings.identity == Identity::Email {
        return Err(Problem::field(Reason::IdentityMissing, "email"));
    }
    if password.is_none() && app.settings.is_password_required {
        return Err(Problem::new(Reason::PasswordMissing));
    }
    let locale = locale.unwrap_or_else(|| "en".to_owned());
    Ok(Registration { phone, challenge, code, email, password, locale, properties })
}

/// Refuses a body of step 2 whose challenge is missing or misspelt: as step 1, it would send another code. An own property may be called
/// `code`, so only what looks like a one-time code counts.
fn refuse_second_step(fields: &Fields, code_length: usize) -> Result<(), Problem> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    if let Some(misspelt) = fields.0.keys().find(|name| plain(name) == "transactionid") {
        return Err(Problem::field(Reason::UnknownField, misspelt).with_hint("the name is 'transactionId'"));
    }
    let is_code = |(name, value): (&String, &Value)| match plain(name).as_str() {
        "transactioncode" => !value.is_null() && value != "",
        "code" => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            OneTimeCode::parse(&text, code_length).is_some()
        }
        _ => false,
    };
    if fields.0.iter().any(is_code) {
        return Err(Problem::field(Reason::MissingField, "transactionId"));
    }
    Ok(())
}

/// What a registration says about the user besides the phone. Step 1 may already have it, since SDKs send whole objects.
struct Details {
    email: Option<Email>,
    password: Option<Password>,
    locale: Option<String>,
    properties: Properties,
}

fn details(app: &App, phone: &PhoneNumber, mut fields: Fields) -> Result<Details, Problem> {
    refuse_reserved(&mut fields)?;
    let email = email(&mut fields)?;
    let known = [phone.last_digits(), email.as_ref().map_or("", Email::as_str), &app.settings.app_name];
    let password = password(&mut fields)?.map(|password| password.without(&known)).transpose()?;
    let locale = locale(fields.take("blUserLocale"));
    let properties = Properties::from_rest(fields.rest())?;
    Ok(Details { email, password, locale, properties })
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

fn email(fields: &mut Fields) -> Result<Option<Email>, Problem> {
    let text = fields.optional_string("email")?.filter(|text| !text.is_empty());
    text.map(|text| Email::parse(&text).ok_or_else(|| Problem::new(Reason::InvalidEmail))).transpose()
}

fn password(fields: &mut Fields) -> Result<Option<Password>, Problem> {
    match fields.take("password") {
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(Password::chosen(&text)?)),
        None | Some(Value::String(_)) => Ok(None),
        Some(_) => Err(Problem::new(Reason::PasswordNotText)),
    }
}

fn locale(value: Option<Value>) -> Option<String> {
    value.as_ref().and_then(Value::as_str).and_then(http::locale)
}
