//! The bodies of responses, in Backendless' form.

use std::future::{Future, ready};
use std::pin::Pin;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{self, HeaderValue};
use lambda_http::{Body, IntoResponse, Response};
use serde_json::{Map, Value, json};

use secrecy::ExposeSecret as _;

use super::routes::JWKS;
use crate::auth::finish_login::LoggedIn;
use crate::auth::jwt;
use crate::auth::register::NewAccount;
use crate::auth::status::Status;
use crate::config::{Identity, Settings};
use crate::messaging::delivery::MessageStatus;
use crate::store::{Profile, Session, SessionEntry};

/// A response as it goes to Lambda. A plain `Response` has its text decoded by the character set that it may name first, which costs a cold
/// start 70 µs.
#[derive(Debug)]
pub struct LambdaResponse(pub Response<Body>);

impl IntoResponse for LambdaResponse {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// A 200 with this body.
pub fn ok(body: &Value) -> Response<Body> {
    Response::new(Body::from(body.to_string()))
}

/// A 200 without a body.
pub fn done() -> Response<Body> {
    Response::new(Body::Empty)
}

/// A 200 with XML, as Plivo takes it.
pub fn xml(text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// What became of a message of `sendMessage`.
pub fn message_status(uuid: &str, status: &MessageStatus) -> Value {
    let mut body = json!({ "message_uuid": uuid, "state": status.state });
    if let Some((code, words)) = &status.error {
        (body["errorCode"], body["message"]) = (json!(code), json!(words));
    }
    if let Some(segments) = status.segments {
        body["segments"] = json!(segments);
    }
    (body["created"], body["updated"]) = (json!(status.created), json!(status.updated));
    body
}

/// A 200 with this body, which anybody may keep for an hour: back ends ask again for a key that they do not know.
pub fn public(body: &Value) -> Response<Body> {
    let mut response = ok(body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

/// The answer to `OPTIONS`: a 204 that lists the path's methods. (Preflights of CORS never get here: the gateway answers them.)
pub fn options(methods: &[&str]) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(methods) = HeaderValue::try_from(format!("{}, OPTIONS", methods.join(", "))) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// The user object of step 2 of `register`: no `password`, and no `user-token` unless registrations begin a session.
pub fn registered(settings: &Settings, account: &NewAccount) -> Value {
    let mut object = object(settings, &account.id, &account.profile);
    if let Some(token) = &account.token {
        object.insert("lastLogin".to_owned(), json!(account.profile.last_login));
        object.insert("user-token".to_owned(), json!(token.expose_secret()));
    }
    Value::Object(object)
}

/// The user object of `loginWithCode`, which carries the token.
pub fn logged_in(settings: &Settings, login: &LoggedIn) -> Value {
    let mut object = user(settings, &login.id, &login.profile);
    object["___jsonclass"] = json!("Users");
    object["user-token"] = json!(login.token.expose_secret());
    if let Some(token) = &login.device_token {
        object["device-token"] = json!(token.expose_secret());
    }
    object
}

/// The user object of `data/Users/{objectId}`.
pub fn user(settings: &Settings, id: &str, profile: &Profile) -> Value {
    let mut object = object(settings, id, profile);
    object.insert("socialAccount".to_owned(), json!("BACKENDLESS"));
    object.insert("lastLogin".to_owned(), json!(profile.last_login));
    Value::Object(object)
}

/// The columns of users, as Backendless describes them: those of the service. The app's own properties have no fixed type.
pub fn columns(settings: &Settings) -> Value {
    let phone = settings.phone_column.as_str();
    let identity = if settings.identity == Identity::Email { "email" } else { phone };
    let columns = [
        ("objectId", "STRING_ID", false),
        ("email", "STRING", settings.identity == Identity::Email),
        (phone, "STRING", true),
        ("created", "DATETIME", false),
        ("updated", "DATETIME", false),
        ("lastLogin", "DATETIME", false),
        ("ownerId", "STRING", false),
        ("userStatus", "STRING", false),
        ("blUserLocale", "STRING", false),
        ("socialAccount", "STRING", false),
    ];
    let describe = |(name, kind, required)| {
        json!({
            "name": name, "required": required, "type": kind, "defaultValue": null, "identity": name == identity,
            "relatedTable": null, "customRegex": null, "autoLoad": false, "isPrimaryKey": name == "objectId",
        })
    };
    columns.into_iter().map(describe).collect()
}

/// The body of `users/token`.
pub fn jwt(token: &str) -> Value {
    json!({ "token": token, "expiresIn": jwt::LIFE.as_secs() })
}

/// The body of `services/Plivo/status`.
pub fn status(status: &Status) -> Value {
    let channel: &str = status.channel.into();
    let mut body = json!({
        "state": status.state.as_str(), "channel": channel, "message": status.message(), "retryAt": status.retry_at,
        "voice": status.voice, "expires": status.expires,
    });
    if let Some(reason) = status.reason {
        body["reason"] = json!(reason.as_str());
    }
    body
}

/// Where the keys for JWTs are (OpenID Connect Discovery 1.0; only what concerns keys, since nobody is sent here to log in).
pub fn openid_configuration(issuer: &str) -> Value {
    json!({
        "issuer": issuer, "jwks_uri": format!("{issuer}{JWKS}"), "response_types_supported": ["token"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
    })
}

/// The body of `users/sessions`.
pub fn sessions(sessions: &[(Session, SessionEntry, bool)]) -> Value {
    let one = |(session, entry, is_current): &(Session, SessionEntry, bool)| {
        json!({
            "id": entry.id, "device": entry.device, "created": session.created, "lastSeen": session.last_seen,
            "current": is_current,
        })
    };
    sessions.iter().map(one).collect()
}

/// The app's own properties first, so that none could ever stand over one of ours.
fn object(settings: &Settings, id: &str, profile: &Profile) -> Map<String, Value> {
    let mut object: Map<String, Value> = serde_json::from_str(&profile.properties).unwrap_or_default();
    let ours = json!({
        "userStatus": profile.status, "created": profile.created, "updated": profile.updated, "ownerId": id,
        "objectId": id, "___class": "Users", "blUserLocale": profile.locale, (settings.phone_column.as_str()): profile.phone,
    });
    object.extend(ours.as_object().cloned().unwrap_or_default());
    object.extend(profile.email.iter().map(|email| ("email".to_owned(), json!(email))));
    object
}
