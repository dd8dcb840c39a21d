//! Reads single parameters of a request, in any form that an SDK sends.

use serde_json::{Map, Value};

use super::response::Refused;

/// The simulator's own limit of a link's length, because links are kept.
const MAX_URL: usize = 2_000;

/// Refuses with this reason.
pub(super) fn refused<T>(text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(text.into()))
}

/// A parameter as a string. SDKs also send numbers and booleans. Null and the empty string count as absent.
pub(super) fn string(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
        Some(Value::Array(_) | Value::Object(_)) => refused(format!("{name} must be a string")),
    }
}

/// Whether a text has the form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(
            |(index, byte)| {
                if dashes.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        )
}

/// A parameter as a list. Null counts as absent.
pub(super) fn list<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a [Value]>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => Ok(Some(values)),
        Some(_) => refused(format!("{name} must be a list")),
    }
}

/// Whether a text is a link that Plivo could call, and short enough to keep.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']))
        && text.len() <= MAX_URL
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
