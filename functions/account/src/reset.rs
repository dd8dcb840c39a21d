//! `GET users/restorepassword/{identity}` and `POST services/Plivo/resetPassword`: a forgotten password.

use std::sync::Arc;

use lambda_http::Request;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::email::Email;
use shared::auth::otp::OneTimeCode;
use shared::auth::password::Password;
use shared::auth::reset_password;
use shared::auth::start::{self, ResetIdentity};
use shared::http::{self, Duplicates, Problem, Reason};

/// Sends a code to the user's phone, for an e-mail address or a phone; the answer is the same for those of nobody.
pub(crate) async fn start(app: &Arc<App>, request: &Request, identity: Option<&str>) -> Result<Value, Problem> {
    let identity = identity.unwrap_or_default();
    let user = if identity.contains('@') {
        ResetIdentity::Email(Email::parse(identity).ok_or_else(|| Problem::new(Reason::InvalidEmail))?)
    } else {
        ResetIdentity::Phone(http::phone_number(&app.settings, "phoneNumber", identity)?)
    };
    let requester = http::requester(app, request)?.by(http::query_channel(request)?);
    let challenge = start::reset_of_password(app, &user, &requester).await?;
    Ok(json!({ "transactionId": challenge }))
}

/// Sets the new password.
pub(crate) async fn finish(app: &Arc<App>, request: &Request) -> Result<Value, Problem> {
    let mut fields = http::body(request, Duplicates::Service)?;
    let id = fields.string("transactionId")?;
    let challenge =
        ChallengeId::parse(&id).ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = OneTimeCode::parse(&fields.string("code")?, app.settings.code_length);
    let code = code.ok_or_else(|| Problem::field(Reason::InvalidCode, "code"))?;
    let password = Password::chosen(&fields.string("password")?)?;
    fields.finish()?;
    reset_password::reset(app, challenge, &code, &password, &http::requester(app, request)?).await?;
    Ok(json!({}))
}
