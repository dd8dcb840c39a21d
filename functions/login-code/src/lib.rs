//! `POST services/Plivo/loginWithCode`: finishes a login of either kind. `GET services/Plivo/status/{transactionId}`: what became of a code.

use std::sync::Arc;

use lambda_http::Request;
use shared::app::App;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::finish_login::finish_login;
use shared::auth::otp::OneTimeCode;
use shared::auth::status::status;
use shared::aws::secrets::Secret;
use shared::http::routes::{self, Found, TRANSACTION_STATUS};
use shared::http::{self, Duplicates, HandlerResult, Problem, Reason};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::RootKey];

/// Responds according to the route.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    match routes::find(request.method().as_str(), request.uri().path()) {
        Found::Route(found) if found.route.path == TRANSACTION_STATUS => {
            Ok(http::ok(&http::status(&status(&app, found.parameter.unwrap_or_default()).await?)))
        }
        _ => log_in(app, request).await,
    }
}

/// Responds with the user and a `user-token`.
async fn log_in(app: Arc<App>, request: Request) -> HandlerResult {
    let mut fields = http::body(&request, Duplicates::Service)?;
    let challenge = fields.alias("transactionId", "transactioniId")?.filter(|text| !text.is_empty());
    let challenge = challenge.ok_or_else(|| Problem::field(Reason::MissingField, "transactionId"))?;
    let code = fields.string("code")?;
    fields.finish()?;
    let challenge =
        ChallengeId::parse(&challenge).ok_or_else(|| Problem::field(Reason::InvalidTransactionId, "transactionId"))?;
    let code = OneTimeCode::parse(&code, app.settings.code_length)
        .ok_or_else(|| Problem::field(Reason::InvalidCode, "code"))?;
    let login = finish_login(&app, challenge, &code, &http::requester(&app, &request)?).await?;
    Ok(http::ok(&http::logged_in(&app.settings, &login)))
}
