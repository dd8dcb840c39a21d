//! Sessions and every path without a route: `info`, `users/isvalidusertoken`, `users/logout`, `users/me`, `users/sessions`,
//! `data/Users/{objectId}`.

use std::sync::Arc;

use lambda_http::Request;
use lambda_http::http::Method;
use serde_json::json;
use shared::app::App;
use shared::auth::session;
use shared::aws::secrets::Secret;
use shared::http::routes::{self, Found};
use shared::http::{self, HandlerResult, Problem, Reason};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[];

/// Responds according to the route.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let found = match routes::find(request.method().as_str(), request.uri().path()) {
        Found::Route(found) => found,
        Found::OtherMethods(methods) if request.method() == Method::OPTIONS => return Ok(http::options(&methods)),
        Found::OtherMethods(methods) => return Err(Problem::method_not_allowed(&methods)),
        Found::Nothing => return Err(Problem::new(Reason::NotFound)),
    };
    let parameter = found.parameter.unwrap_or_default();
    let settings = &app.settings;
    let body = match found.route.path {
        // Ignores the token: an error for a stale one would keep the SDK from initializing.
        "/info" => json!({ "appId": settings.app_id, "apiKey": settings.api_key, "rtURL": "" }),
        "/users/isvalidusertoken/{token}" => json!(session::is_valid(&app, parameter).await?),
        "/users/logout" => {
            session::log_out(&app, http::user_token(&request)?).await?;
            json!({})
        }
        "/users/me" => {
            let (id, profile) = session::me(&app, http::user_token(&request)?).await?;
            http::user(settings, &id, &profile)
        }
        "/users/sessions" if request.method() == Method::GET => {
            http::sessions(&session::list(&app, http::user_token(&request)?).await?)
        }
        "/users/sessions" => {
            session::end_others(&app, http::user_token(&request)?).await?;
            json!({})
        }
        "/users/sessions/{sessionId}" => {
            session::end_one(&app, http::user_token(&request)?, parameter).await?;
            json!({})
        }
        "/data/Users/{objectId}" => {
            let profile = session::own_profile(&app, http::user_token(&request)?, parameter).await?;
            http::user(settings, parameter, &profile)
        }
        _ => return Err(Problem::new(Reason::NotFound)),
    };
    Ok(http::ok(&body))
}
