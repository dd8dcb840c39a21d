//! Request bodies: size, JSON and fields; each refusal has its reason.

use lambda_http::{Body, Request};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::json::{self, JsonError};
use super::{MAX_BODY_BYTES, Problem, Reason};
use crate::channel::Channel;

/// Which of Backendless' codes a name that occurs twice gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// 8001, on services.
    Service,
    /// 3043, on registration.
    Registration,
}

/// A body's bytes, within bounds.
fn bounded(request: &Request) -> Result<&[u8], Problem> {
    let bytes: &[u8] = match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    };
    if bytes.len() > MAX_BODY_BYTES { Err(Problem::new(Reason::BodyTooLarge)) } else { Ok(bytes) }
}

/// A body's bytes, within bounds and not empty.
fn bytes(request: &Request) -> Result<&[u8], Problem> {
    let bytes = bounded(request)?;
    if bytes.trim_ascii().is_empty() {
        return Err(Problem::new(Reason::EmptyBody));
    }
    Ok(bytes)
}

fn object(bytes: &[u8], duplicates: Duplicates) -> Result<Fields, Problem> {
    match json::parse(bytes) {
        Ok(Value::Object(map)) => Ok(Fields(map)),
        Ok(_) => Err(Problem::new(Reason::NotAnObject)),
        Err(JsonError::Syntax) => Err(Problem::new(Reason::NotJson)),
        Err(JsonError::Duplicate(name)) => Err(Problem::duplicate(&name, duplicates)),
    }
}

/// The fields of a body that is a JSON object, whatever its content type says (the SDK sends none or `text/plain` at times).
///
/// # Errors
/// Too large, empty, not JSON, a name twice, not an object.
pub fn body(request: &Request, duplicates: Duplicates) -> Result<Fields, Problem> {
    object(bytes(request)?, duplicates)
}

/// The names and values of a form, decoded, in the order of the body; none where it is empty.
///
/// # Errors
/// Too large.
pub fn form(request: &Request) -> Result<Vec<(String, String)>, Problem> {
    Ok(form_urlencoded::parse(bounded(request)?).into_owned().collect())
}

/// The fields of a JSON object that came in a text, not in a request.
///
/// # Errors
/// As [`body`], but for the size, which the text's carrier bounds.
pub fn fields(text: &str) -> Result<Fields, Problem> {
    object(text.as_bytes(), Duplicates::Service)
}

/// The one argument of a service method in any of the forms that the SDK sends: a JSON string, an object with one field of this
/// name, or bare text. A bare number stays text, so that no digit is lost. With it come the object's other fields.
///
/// # Errors
/// As [`body`]; and bytes that are not UTF-8.
pub fn text_body(request: &Request, name: &'static str) -> Result<(String, Fields), Problem> {
    let bytes = bytes(request)?;
    let text = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| Problem::new(Reason::NotJson))?;
    let alone = |text| Ok((text, Fields(Map::new())));
    match json::parse(text.as_bytes()) {
        Ok(Value::String(text)) => alone(text),
        Ok(Value::Object(map)) => {
            let mut fields = Fields(map);
            let text = fields.string(name)?;
            Ok((text, fields))
        }
        Ok(Value::Array(_) | Value::Bool(_) | Value::Null) => Err(Problem::field(Reason::WrongType, name)),
        Err(JsonError::Duplicate(name)) => Err(Problem::duplicate(&name, Duplicates::Service)),
        // A text that begins like JSON was meant as JSON.
        Err(JsonError::Syntax) if text.starts_with(['{', '[', '"']) => Err(Problem::new(Reason::NotJson)),
        Ok(Value::Number(_)) | Err(JsonError::Syntax) => alone(text.to_owned()),
    }
}

/// The name of the field, or of the parameter in the query, that says how a code is to come.
const CHANNEL: &str = "channel";

/// The same as [`Fields::channel`], from the query.
///
/// # Errors
/// As there.
pub fn query_channel(request: &Request) -> Result<Channel, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let value = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == CHANNEL);
    channel(value.map(|(_, value)| value).as_deref())
}

fn channel(value: Option<&str>) -> Result<Channel, Problem> {
    let read = value.map(|value| value.parse().map_err(|_| Problem::field(Reason::WrongType, CHANNEL)));
    Ok(read.transpose()?.unwrap_or_default())
}

/// The fields of an object, taken out one by one.
#[derive(Debug)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// Takes a field out; `null` is absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// The channel in an object that also holds the app's own properties, of which one may have the same name: it stays there, and any other value is
    /// none.
    pub fn channel_among_properties(&self) -> Channel {
        let channel = self.0.get(CHANNEL).and_then(Value::as_str);
        channel.and_then(|channel| channel.parse().ok()).unwrap_or_default()
    }

    /// Takes a text out, if it is there.
    ///
    /// # Errors
    /// When it is something else.
    pub fn optional_string(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::field(Reason::WrongType, name)),
        }
    }

    /// Takes a text out.
    ///
    /// # Errors
    /// When it is missing, empty, or something else.
    pub fn string(&mut self, name: &str) -> Result<String, Problem> {
        let text = self.optional_string(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Problem::field(Reason::MissingField, name))
    }

    /// Takes a text out that may go by one of two names.
    ///
    /// # Errors
    /// As [`Fields::optional_string`]; and when both are there.
    pub fn alias(&mut self, name: &str, alias: &str) -> Result<Option<String>, Problem> {
        one_of(name, self.optional_string(name)?, self.optional_string(alias)?)
    }

    /// Takes a value out that may go by one of two names.
    ///
    /// # Errors
    /// When both are there.
    pub fn alias_value(&mut self, name: &str, alias: &str) -> Result<Option<Value>, Problem> {
        one_of(name, self.take(name), self.take(alias))
    }

    /// Takes out how a code is to come: by SMS, where it is not said.
    ///
    /// # Errors
    /// When it is neither `sms` nor `voice`.
    pub fn channel(&mut self) -> Result<Channel, Problem> {
        channel(self.optional_string(CHANNEL)?.as_deref())
    }

    /// Whether nothing is left.
    ///
    /// # Errors
    /// Names a field that nobody took.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::field(Reason::UnknownField, name)),
        }
    }

    /// What is left.
    pub fn rest(self) -> Map<String, Value> {
        self.0
    }
}

/// The two letters of a locale like `de` or `pt-BR`, as users keep them; `None` for what is no locale.
pub fn locale(text: &str) -> Option<String> {
    let language = text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    (language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(language)
}

/// The value that is there. Both are a name that occurs twice.
fn one_of<T>(name: &str, value: Option<T>, alias: Option<T>) -> Result<Option<T>, Problem> {
    match (value, alias) {
        (Some(_), Some(_)) => Err(Problem::duplicate(name, Duplicates::Service)),
        (value, alias) => Ok(value.or(alias)),
    }
}

#[cfg(test)]
mod tests {
    use super::locale;

    #[test]
    fn a_locale_is_kept_as_two_letters() {
        for (text, kept) in [
            ("de", Some("de")),
            ("DE", Some("de")),
            ("pt-BR", Some("pt")),
            ("zh_TW", Some("zh")),
            ("", None),
            ("deu", None),
            ("d", None),
            ("1e", None),
            ("é", None),
        ] {
            assert_eq!(locale(text).as_deref(), kept, "{text}");
        }
    }
}
