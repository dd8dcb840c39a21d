//! The event files of `events/`, for `cargo lambda invoke` and for tests. Each holds an event; its name says the response to expect from
//! a stack that has just loaded [`seed`].
//!
//! | name | response |
//! |---|---|
//! | `<function>.json` | the function's main success |
//! | `<function>.<what>.json` | another success |
//! | `<function>.<reason>[.<variant>].json` | the error of this reason, see docs/errors.md |

use std::path::{Path, PathBuf};

use lambda_http::lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use shared::crypto::identifier;
use shared::http::{Reason, routes};

use crate::{StackError, functions};

/// The seed file.
pub fn seed() -> PathBuf {
    folder().join("seed.json")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// An event file.
#[derive(Debug)]
pub struct EventFile {
    /// Its name, without `.json`.
    pub name: String,
    /// The function to invoke.
    pub function: &'static str,
    /// The response to expect.
    pub expected: Expected,
    /// The event.
    pub event: Value,
}

/// The response that an event file's name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An error.
    Refusal(Reason),
    /// The ID of a challenge, as `transactionId`.
    Challenge,
    /// A user.
    User,
    /// A user with the token of a new session.
    LoggedIn,
    /// Plivo's own response.
    Accepted,
    /// Whether a session is valid.
    Valid(bool),
    /// The application's ID and key, and the version.
    Info,
    /// Whether a request is authorized.
    Authorized(bool),
    /// A list that is not empty.
    List,
    /// A number.
    Count(u64),
    /// Everything that is kept about a user.
    Export,
    /// What a phone has agreed to.
    Consents,
    /// That a password is right.
    ValidPassword,
    /// What became of a code.
    Status,
    /// A list of sessions.
    Sessions,
    /// A JWT.
    Jwt,
    /// Where the keys for JWTs are.
    OpenIdConfiguration,
    /// The public keys for JWTs.
    Jwks,
    /// An empty object.
    Nothing,
    /// `null`, for a notification.
    Null,
    /// The number of messages of a batch that SQS must deliver again.
    Again(usize),
}

/// All event files, in alphabetical order.
///
/// # Errors
/// [`StackError`] names a file that cannot be read, is not JSON, or whose name promises no response.
pub fn all() -> Result<Vec<EventFile>, StackError> {
    let entries = std::fs::read_dir(folder()).and_then(|entries| {
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.sort_unstable();
        Ok(paths)
    });
    let mut paths = entries.map_err(StackError::new("the folder of event files cannot be read"))?;
    paths.retain(|path| *path != seed());
    paths.iter().map(|path| EventFile::read(path)).collect()
}

impl EventFile {
    fn read(path: &Path) -> Result<Self, StackError> {
        let what = || format!("event file {}", path.display());
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
        let name = name.ok_or_else(|| StackError::plain(format!("{} is not JSON by its name", what())))?;
        let (function, expected) =
            parse(name).ok_or_else(|| StackError::plain(format!("{} has a name that promises no response", what())))?;
        let text = std::fs::read(path).map_err(StackError::new(format!("{} cannot be read", what())))?;
        let event = serde_json::from_slice(&text).map_err(StackError::new(format!("{} is not JSON", what())))?;
        Ok(Self { name: name.to_owned(), function, expected, event })
    }

    /// Whether it is a request at API Gateway, and not the gateway's own question to an authorizer.
    pub fn is_http(&self) -> bool {
        self.event["requestContext"]["http"].is_object() && self.event["type"] != "REQUEST"
    }

    /// Compares a function's response with the one that the file's name promises.
    ///
    /// # Errors
    /// [`StackError`] shows another response.
    pub fn check(&self, answer: &Result<Value, Diagnostic>) -> Result<(), StackError> {
        let right = match answer {
            Ok(answer) if self.is_http() => {
                let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
                self.is_right(&body) && answer["statusCode"] == self.status()
            }
            Ok(answer) => !matches!(self.expected, Expected::Refusal(_)) && self.is_right(answer),
            // A failed invocation's message is what the body of the HTTP response would be.
            Err(failure) => match self.expected {
                Expected::Refusal(reason) if !self.is_http() && failure.error_type == reason.as_str() => {
                    serde_json::from_str(&failure.error_message).is_ok_and(|body| self.is_right(&body))
                }
                _ => false,
            },
        };
        if right {
            Ok(())
        } else {
            Err(StackError::plain(format!("event file {}.json is answered with {answer:?}", self.name)))
        }
    }

    fn status(&self) -> u16 {
        match self.expected {
            Expected::Refusal(reason) => reason.status().as_u16(),
            _ => 200,
        }
    }

    fn is_right(&self, body: &Value) -> bool {
        match self.expected {
            Expected::Refusal(reason) => is_refusal(self.function, reason, body),
            success => is_success(success, body),
        }
    }
}

/// The function and the response that a name promises.
fn parse(name: &str) -> Option<(&'static str, Expected)> {
    let mut words = name.splitn(3, '.');
    let first = words.next()?;
    let function = functions::NAMES.into_iter().find(|function| *function == first)?;
    let (what, variant) = (words.next(), words.next());
    let reason = what.and_then(|what| Reason::ALL.iter().find(|reason| reason.as_str() == what));
    if let Some(reason) = reason {
        return Some((function, Expected::Refusal(*reason)));
    }
    let answer = match (function, what) {
        ("register", None | Some("rooted" | "no-root")) => Expected::Challenge,
        ("register", Some("finish")) => Expected::User,
        ("login-phone", None | Some("json-string" | "object" | "no-user")) => Expected::Challenge,
        ("login-password", None) => Expected::Challenge,
        ("login-code", None | Some("second-factor")) => Expected::LoggedIn,
        ("login-code", Some("status")) => Expected::Status,
        ("send-message", None | Some("media" | "idempotency-key" | "eventbridge" | "scheduler" | "direct")) => {
            Expected::Accepted
        }
        ("send-message", Some("consent" | "consents")) => Expected::Consents,
        ("send-message", Some("sns")) => Expected::Null,
        ("send-message", Some("sqs" | "sqs-poisoned" | "sqs-unknown" | "sqs-fifo")) => Expected::Again(0),
        ("send-message", Some("sqs-in-flight")) => Expected::Again(1),
        ("send-message", Some("sqs-fifo-in-flight")) => Expected::Again(2),
        ("account", None | Some("save" | "profile")) => Expected::User,
        ("account", Some("find" | "columns" | "roles")) => Expected::List,
        ("account", Some("restore")) => Expected::Challenge,
        ("account", Some("count")) => Expected::Count(1),
        ("account", Some("export")) => Expected::Export,
        ("account", Some("verify")) => Expected::ValidPassword,
        ("authorizer", None) => Expected::Authorized(true),
        ("authorizer", Some("unknown")) => Expected::Authorized(false),
        ("session", None) => Expected::Valid(true),
        ("session", Some("ended")) => Expected::Valid(false),
        ("session", Some("info")) => Expected::Info,
        ("session", Some("me")) => Expected::User,
        ("session", Some("sessions")) => Expected::Sessions,
        ("session", Some("token")) => Expected::Jwt,
        ("session", Some("openid-configuration")) => Expected::OpenIdConfiguration,
        ("session", Some("jwks")) => Expected::Jwks,
        ("session", Some("logout")) => Expected::Nothing,
        _ => return None,
    };
    variant.is_none().then_some((function, answer))
}

fn is_refusal(function: &str, reason: Reason, body: &Value) -> bool {
    let code = match (function, reason) {
        // Backendless has a code of its own for registrations.
        ("register", Reason::DuplicateField) => 3043,
        _ => reason.code(),
    };
    let data = &body["errorData"];
    let waits = reason.status() == 429 || reason == Reason::MessageInFlight;
    let fields: &[&str] = if waits { &["reason", "retryAfter"] } else { &["reason"] };
    has_fields(body, &["code", "message", "errorData"])
        && has_fields(data, fields)
        && body["code"] == code
        && body["message"].as_str().is_some_and(|message| !message.is_empty())
        && data["reason"] == reason.as_str()
}

fn is_success(answer: Expected, body: &Value) -> bool {
    match answer {
        Expected::Refusal(_) => false,
        Expected::Challenge => has_fields(body, &["transactionId"]) && is_id(&body["transactionId"]),
        Expected::User => is_user(body) && body.get("user-token").is_none(),
        Expected::LoggedIn => is_user(body) && is_id(&body["user-token"]),
        Expected::Accepted => has_fields(body, &["message", "message_uuid", "api_id"]),
        Expected::Valid(valid) => *body == valid,
        Expected::Info => has_fields(body, &["appId", "apiKey", "rtURL", "version"]),
        Expected::Authorized(authorized) => body["isAuthorized"] == authorized,
        Expected::List => body.as_array().is_some_and(|list| !list.is_empty()),
        Expected::Count(count) => *body == count,
        Expected::Export => {
            has_fields(body, &["user", "sessions", "phone", "messages", "consents"]) && is_user(&body["user"])
        }
        Expected::Consents => has_fields(body, &["optedOut", "records"]),
        Expected::ValidPassword => *body == json!({ "valid": true }),
        Expected::Status => has_fields(body, &["state", "channel", "message", "retryAt", "voice", "expires"]),
        Expected::Sessions => body.as_array().is_some_and(|sessions| {
            sessions.iter().all(|one| has_fields(one, &["id", "device", "created", "lastSeen", "current"]))
        }),
        Expected::Jwt => has_fields(body, &["token", "expiresIn"]),
        Expected::OpenIdConfiguration => body["jwks_uri"].as_str().is_some_and(|uri| uri.ends_with(routes::JWKS)),
        Expected::Jwks => has_fields(body, &["keys"]) && body["keys"][0]["kty"] == "RSA",
        Expected::Nothing => has_fields(body, &[]),
        Expected::Null => body.is_null(),
        Expected::Again(count) => body["batchItemFailures"].as_array().is_some_and(|again| again.len() == count),
    }
}

fn is_user(body: &Value) -> bool {
    body["___class"] == "Users" && is_id(&body["objectId"]) && body.get("password").is_none()
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|text| identifier::parse(text).is_some())
}

/// Whether the object has exactly these fields, in this order.
fn has_fields(value: &Value, names: &[&str]) -> bool {
    value.as_object().is_some_and(|fields| fields.keys().eq(names))
}
