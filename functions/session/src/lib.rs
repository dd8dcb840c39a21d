//! Sessions and every path without a route: `info`, `users/isvalidusertoken`, `users/logout`, `users/me`, `users/sessions`,
//! `users/token` with the public keys, and the refused `users/login`.

use std::sync::Arc;

use lambda_http::Request;
use lambda_http::http::Method;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::{jwt, session};
use shared::aws::secrets::Secret;
use shared::http::routes::{self, Found, Match};
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
    let body = match found.route.path {
        "/.well-known/openid-configuration" => {
            return Ok(http::public(&http::openid_configuration(jwt::issuer(&app)?)));
        }
        routes::JWKS => return Ok(http::public(&json!(jwt::public_keys(&app).await?))),
        "/users/isvalidusertoken/{token}" => json!(session::is_valid(&app, found.parameter.unwrap_or_default()).await?),
        // Ignores the token: an error for a stale one would keep the SDK from initializing.
        "/info" => json!({
            "appId": app.settings.app_id, "apiKey": app.settings.api_key, "rtURL": "", "version": env!("CARGO_PKG_VERSION"),
        }),
        "/users/login" => return Err(Problem::new(Reason::LoginDisabled)),
        _ => of_session(&app, &request, &found).await?,
    };
    Ok(http::ok(&body))
}

/// The answers that the header `user-token` is for.
async fn of_session(app: &App, request: &Request, found: &Match<'_>) -> Result<Value, Problem> {
    let (token, parameter) = (http::user_token(request)?, found.parameter.unwrap_or_default());
    match (found.route.method, found.route.path) {
        (_, "/users/logout") => session::log_out(app, token).await?,
        (_, "/users/me") => {
            let (id, profile) = session::me(app, token).await?;
            return Ok(http::user(&app.settings, &id, &profile));
        }
        ("GET", "/users/sessions") => return Ok(http::sessions(&session::list(app, token).await?)),
        (_, "/users/sessions") => session::end_others(app, token).await?,
        (_, "/users/sessions/{sessionId}") => session::end_one(app, token, parameter).await?,
        (_, "/users/token") => return Ok(http::jwt(&jwt::issue(app, token).await?)),
        _ => return Err(Problem::new(Reason::NotFound)),
    }
    Ok(json!({}))
}
