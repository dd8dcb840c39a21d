//! A Lambda authorizer for the app's own HTTP API (format 2.0, simple response; AWS: "Control access to HTTP APIs with AWS Lambda authorizers"):
//! whether the header `user-token` is of a session, and of whose. `docs/back-end.md` says how to use it.

use serde_json::{Value, json};
use shared::app::App;
use shared::auth::session;
use shared::aws::secrets::Secret;
use shared::logging;

/// The secrets to fetch at the cold start.
pub const SECRETS: &[Secret] = &[];

/// Responds to the gateway's question. What cannot be decided is refused.
pub async fn respond(app: &App, event: &Value) -> Value {
    let refused = json!({ "isAuthorized": false });
    let Some(token) = token(event) else { return refused };
    match session::current(app, token).await {
        Ok((session, profile)) => json!({
            "isAuthorized": true,
            "context": { "objectId": session.user, "sessionId": session.id, "roles": session::roles(&profile) },
        }),
        Err(error) => {
            // Also of a storage that does not answer: then nobody is let in.
            tracing::warn!(function = "authorizer", cause = logging::chain(&error), "not authorized");
            refused
        }
    }
}

/// The header's value. The gateway writes names in lower case and joins two headers by a comma, which is no token.
fn token(event: &Value) -> Option<&str> {
    event["headers"]["user-token"].as_str()
}
