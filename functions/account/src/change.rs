//! `PUT users/{objectId}` and `PUT data/Users`: a change of the own user. The SDK sends the whole object back.

use std::sync::Arc;

use lambda_http::Request;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::account::{self, Changed, ProfileChange};
use shared::auth::challenge_id::ChallengeId;
use shared::auth::email::Email;
use shared::auth::otp::OneTimeCode;
use shared::auth::password::Password;
use shared::auth::properties::Properties;
use shared::clock::Timestamp;
use shared::http::{self, Duplicates, Fields, Problem, Reason};

/// Changes the user, and responds with it.
pub(crate) async fn handle(app: &Arc<App>, request: &Request, id: Option<&str>) -> Result<Value, Problem> {
    let token = http::user_token(request)?;
    let mut fields = http::body(request, Duplicates::Service)?;
    let in_body = fields.optional_string("objectId")?;
    let id = id.map(str::to_owned).or(in_body).ok_or_else(|| Problem::field(Reason::MissingField, "objectId"))?;
    let requester = http::requester(app, request)?.by(fields.channel_among_properties());
    let change = read(app, fields)?;
    match account::update(app, token, &id, change, &requester).await? {
        Changed::Done(profile) => Ok(http::user(&app.settings, &id, &profile)),
        Changed::CodeSent(profile, challenge) => {
            let mut user = http::user(&app.settings, &id, &profile);
            user["transactionId"] = json!(challenge);
            Ok(user)
        }
    }
}

fn read(app: &App, mut fields: Fields) -> Result<ProfileChange, Problem> {
    let settings = &app.settings;
    let phone = fields.optional_string(&settings.phone_column)?;
    let phone = phone.map(|phone| http::phone_number(settings, &settings.phone_column, &phone)).transpose()?;
    let email = fields.optional_string("email")?.filter(|text| !text.is_empty());
    let email = email.map(|text| Email::parse(&text).ok_or_else(|| Problem::new(Reason::InvalidEmail))).transpose()?;
    let locale = fields.optional_string("blUserLocale")?.as_deref().and_then(http::locale);
    let current = fields.optional_string("currentPassword")?.map(|text| Password::entered(&text));
    let password = fields.optional_string("password")?.filter(|text| !text.is_empty());
    let password = password.map(|text| Password::chosen(&text)).transpose()?;
    let proof = proof(app, &mut fields)?;
    let seen = match fields.0.shift_remove("updated") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => {
            let millis = value.as_i64().ok_or_else(|| Problem::field(Reason::WrongType, "updated"))?;
            Some(Some(Timestamp::from_millis(millis)))
        }
    };
    let properties = Properties::from_rest(fields.rest())?;
    Ok(ProfileChange { seen, phone, proof, email, locale, password, current, properties })
}

/// The challenge and the code that prove a new phone.
fn proof(app: &App, fields: &mut Fields) -> Result<Option<(ChallengeId, OneTimeCode)>, Problem> {
    let (id, code) = (fields.optional_string("transactionId")?, fields.optional_string("transactionCode")?);
    let Some(id) = id else { return Ok(None) };
    let challenge =
        ChallengeId::parse(&id).ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = code.ok_or_else(|| Problem::field(Reason::MissingField, "transactionCode"))?;
    let code = OneTimeCode::parse(&code, app.settings.code_length);
    let code = code.ok_or_else(|| Problem::field(Reason::InvalidCode, "transactionCode"))?;
    Ok(Some((challenge, code)))
}
