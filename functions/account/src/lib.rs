//! A user's own account: `users/{objectId}` and `data/Users` (read, change, delete, find, count, describe), `users/userroles`,
//! `users/verifypassword`, `users/export`; and the reset of a forgotten password. Everybody sees and changes only themselves.

mod change;
mod query;
mod reset;

use std::sync::Arc;

use lambda_http::Request;
use serde_json::{Value, json};
use shared::app::App;
use shared::auth::password::Password;
use shared::auth::{account, own_password, session};
use shared::aws::secrets::Secret;
use shared::http::routes::{self, Found};
use shared::http::{self, Duplicates, HandlerResult, Problem, Reason};

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[Secret::RootKey];

/// Responds according to the route.
///
/// # Errors
/// [`Problem`].
pub async fn handle(app: Arc<App>, request: Request) -> HandlerResult {
    let Found::Route(found) = routes::find(request.method().as_str(), request.uri().path()) else {
        return Err(Problem::new(Reason::NotFound));
    };
    let (settings, user) = (&app.settings, found.parameter);
    let body = match (found.route.method, found.route.path) {
        ("GET", "/data/Users/{objectId}") => {
            let user = user.unwrap_or_default();
            http::user(settings, user, &session::own_profile(&app, http::user_token(&request)?, user).await?)
        }
        ("PUT", _) => change::handle(&app, &request, user).await?,
        ("GET", "/users/restorepassword/{identity}") => reset::start(&app, &request, user).await?,
        ("POST", "/services/Plivo/resetPassword") => reset::finish(&app, &request).await?,
        ("POST", "/data/Users/find") => query::find(&app, &request).await?,
        ("POST", "/data/Users/count") => query::count(&app, &request).await?,
        ("GET", "/users/userclassprops" | "/data/Users/properties") => http::columns(settings),
        ("GET", "/users/userroles") => roles(&app, &request).await?,
        ("POST", _) => verify_password(&app, &request).await?,
        ("DELETE", _) => {
            let deleted = account::delete(&app, http::user_token(&request)?, user.unwrap_or_default()).await?;
            json!({ "deletionTime": deleted })
        }
        ("GET", "/users/export") => account::export(&app, http::user_token(&request)?, http::user).await?,
        _ => return Err(Problem::new(Reason::NotFound)),
    };
    Ok(http::ok(&body))
}

/// The roles of Backendless: without a session, those of a guest.
async fn roles(app: &App, request: &Request) -> Result<Value, Problem> {
    let Ok(token) = http::user_token(request) else { return Ok(json!(["NotAuthenticatedUser", "RestUser"])) };
    let (_, profile) = session::me(app, token).await?;
    Ok(json!(session::roles(&profile)))
}

async fn verify_password(app: &App, request: &Request) -> Result<Value, Problem> {
    let token = http::user_token(request)?;
    let mut fields = http::body(request, Duplicates::Service)?;
    let password = Password::entered(&fields.string("password")?);
    fields.finish()?;
    let valid = own_password::verify(app, token, password, &http::requester(app, request)?).await?;
    Ok(json!({ "valid": valid }))
}
