//! `PUT users/{objectId}` and `PUT data/Users`: a change of the own user. The SDK sends the whole object back.

use std::sync::Arc;

use lambda_http::Request;
use phone_number::PhoneNumber;
use serde_json::Value;
use shared::app::App;
use shared::auth::account::{self, ProfileChange};
use shared::auth::email::Email;
use shared::auth::own_password::NewPassword;
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
    let change = read(app, fields)?;
    let profile = account::update(app, token, &id, change, &http::requester(app, request)?).await?;
    Ok(http::user(&app.settings, &id, &profile))
}

fn read(app: &App, mut fields: Fields) -> Result<ProfileChange, Problem> {
    let settings = &app.settings;
    let phone = fields.optional_string(&settings.phone_column)?;
    let phone = phone.map(|phone| PhoneNumber::parse(&phone, settings.default_country)).transpose()?;
    let email = fields.optional_string("email")?.filter(|text| !text.is_empty());
    let email = email.map(|text| Email::parse(&text).ok_or_else(|| Problem::new(Reason::InvalidEmail))).transpose()?;
    let locale = fields.optional_string("blUserLocale")?;
    let locale = locale.filter(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()));
    let current = fields.optional_string("currentPassword")?.map(|text| Password::entered(&text));
    let password = match fields.optional_string("password")?.filter(|text| !text.is_empty()) {
        Some(text) => Some(NewPassword { chosen: Password::chosen(&text)?, current }),
        None => None,
    };
    let seen = match fields.0.shift_remove("updated") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => {
            let millis = value.as_i64().ok_or_else(|| Problem::field(Reason::WrongType, "updated"))?;
            Some(Some(Timestamp::from_millis(millis)))
        }
    };
    Ok(ProfileChange { seen, phone, email, locale, password, properties: Properties::from_rest(fields.rest())? })
}
