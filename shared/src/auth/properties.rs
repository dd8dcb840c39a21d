//! The app's own properties of a user: which names they may have, and how large they may be.

use serde_json::{Map, Number, Value};

/// The most own properties of a user.
pub const MAX_PROPERTIES: usize = 50;
/// The longest string, in bytes.
pub const MAX_STRING_BYTES: usize = 4096;
/// How deep objects and lists may stand in each other.
pub const MAX_DEPTH: usize = 5;

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Names that the service itself gives a meaning. What a client sends under one of them never reaches a user.
pub const RESERVED: &str = "objectId ownerId created updated lastLogin userStatus user-token socialAccount blUserLocale \
    email password transactionId transactioniId transactionCode roles userRoles oAuthIdentities";

/// Reserved names that Backendless answers with an error of their own instead of dropping them: name and code.
pub const REFUSED: [(&str, u32); 3] = [("objectId", 3039), ("updated", 3076), ("created", 3077)];

/// Whether a name has a meaning of ours: the list, and everything that begins like Backendless' own (`___class`, `__meta`).
pub fn is_reserved(name: &str) -> bool {
    name.starts_with("__") || RESERVED.split(' ').any(|reserved| reserved == name)
}

/// Whether a text can be a property's name: a letter, then letters, digits and `_`.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= MAX_NAME_BYTES
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Why own properties are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// More than [`MAX_PROPERTIES`].
    #[error("more than {MAX_PROPERTIES} properties")]
    TooMany,
    /// An invalid name.
    #[error("a property's name is not one")]
    Name,
    /// A value too long or too deep, with control characters, or a number beyond 64 bits.
    #[error("the value of property {0} is too long, too deep, not text or too large")]
    Value(String),
}

/// Checked own properties.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties(Map<String, Value>);

impl Properties {
    /// Takes what is left of a body when our own fields are out of it: reserved names are dropped, the rest is checked.
    ///
    /// # Errors
    /// [`PropertyError`].
    pub fn from_rest(rest: Map<String, Value>) -> Result<Self, PropertyError> {
        let own: Map<String, Value> = rest.into_iter().filter(|(name, _)| !is_reserved(name)).collect();
        if own.len() > MAX_PROPERTIES {
            return Err(PropertyError::TooMany);
        }
        for (name, value) in &own {
            if !is_name(name) {
                return Err(PropertyError::Name);
            }
            if !fits(value, MAX_DEPTH) {
                return Err(PropertyError::Value(name.clone()));
            }
        }
        Ok(Self(own))
    }

    /// These properties over those of a JSON object in text, which are a user's.
    ///
    /// # Errors
    /// [`PropertyError::TooMany`] of both together.
    pub fn merged_into(&self, old: &str) -> Result<Self, PropertyError> {
        let mut merged: Map<String, Value> = serde_json::from_str(old).unwrap_or_default();
        merged.extend(self.0.clone());
        if merged.len() > MAX_PROPERTIES { Err(PropertyError::TooMany) } else { Ok(Self(merged)) }
    }

    /// As a JSON object in text.
    pub fn to_text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => is_exact(number),
        Value::String(text) => is_text(text),
        Value::Array(values) => depth > 0 && values.iter().all(|value| fits(value, depth - 1)),
        Value::Object(fields) => {
            depth > 0 && fields.iter().all(|(name, value)| is_text(name) && fits(value, depth - 1))
        }
    }
}

/// Whether a number is kept as it was sent. An integer beyond 64 bits has been read as a float, and rounded.
fn is_exact(number: &Number) -> bool {
    const BEYOND_U64: f64 = 18_446_744_073_709_551_616.0; // 2^64
    const LEAST_I64: f64 = -9_223_372_036_854_775_808.0; // -2^63
    !number.is_f64() || number.as_f64().is_some_and(|float| LEAST_I64 < float && float < BEYOND_U64)
}

fn is_text(text: &str) -> bool {
    text.len() <= MAX_STRING_BYTES
        && !text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Value, PropertyError> {
        let Value::Object(map) = value else { unreachable!("tests pass objects") };
        Properties::from_rest(map).map(|properties| serde_json::from_str(&properties.to_text()).unwrap())
    }

    #[test]
    fn what_exceeds_a_limit_is_refused() {
        let many: Map<_, _> = (0..51).map(|number| (format!("p{number}"), Value::Null)).collect();
        assert_eq!(Properties::from_rest(many), Err(PropertyError::TooMany));
        for name in ["", "1st", "a-b", "a b", "é", "a.b", &"n".repeat(65)] {
            assert_eq!(read(json!({ name: 1 })), Err(PropertyError::Name), "{name}");
        }
        for value in [
            json!("x".repeat(4097)),
            json!("nul \0"),
            json!({"a":{"b":{"c":{"d":{"e":{}}}}}}),
            json!([[[[[[]]]]]]),
            json!({"bad\u{7}": 1}),
        ] {
            assert_eq!(read(json!({ "own": value })), Err(PropertyError::Value("own".into())));
        }
    }

    #[test]
    fn an_integer_beyond_64_bits_is_refused_and_not_rounded() {
        let read =
            |number: &str| Properties::from_rest(serde_json::from_str(&format!("{{\"n\":[{number}]}}")).unwrap());
        for number in ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "1e30"] {
            assert_eq!(read(number), Err(PropertyError::Value("n".into())), "{number}");
        }
        for number in ["18446744073709551615", "-9223372036854775808", "1e18", "-0.5", "1e-300"] {
            assert!(read(number).unwrap().to_text().len() > 6, "{number}");
        }
    }

    #[test]
    fn reserved_names_are_dropped() {
        let body = json!({"ownerId":"x","userStatus":"DISABLED","user-token":"x","lastLogin":1,"socialAccount":"x","___class":"Admins","___jsonclass":"x",
            "__meta":"x","roles":["Admin"],"userRoles":["Admin"],"oAuthIdentities":{},"name":"Jane"});
        assert_eq!(read(body).unwrap(), json!({"name":"Jane"}));
    }

    #[test]
    fn values_are_kept_as_they_are() {
        let body = json!({"s":"çé\n","n":12_345_678_901_234_567_u64,"f":0.1,"neg":-0.5,"t":true,"nil":null,"o":{"a":{"b":{"c":{"d":1}}}},"l":[1,"2",null]});
        assert_eq!(read(body.clone()).unwrap(), body);
    }
}
