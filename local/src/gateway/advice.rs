//! What a developer is told beside a refusal: how to mend the request. Only the local gateway adds this to the function's answer, as
//! `errorData.hint`; a deployed service says no more than the reason.

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};
use shared::config::Settings;
use shared::http::routes::{self, Found};
use strsim::normalized_damerau_levenshtein;

use crate::openapi::{Operation, operations, schema};

/// The least similarity of a field's name that is suggested; 1 is the same name.
const SIMILAR: f64 = 0.6;
/// The most characters of a client's name that are quoted.
const QUOTED: usize = 64;
/// Other names that clients give to a phone.
const PHONE_NAMES: [&str; 9] =
    ["to", "phone", "number", "mobile", "tel", "telephone", "msisdn", "phonenumber", "mobilenumber"];

/// A request that was refused.
pub(super) struct Refused<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) settings: &'a Settings,
}

/// The advice for a function's answer; none where the reason says it all, or where nothing is refused.
pub(super) fn hint(request: &Refused<'_>, answer: &Value) -> Option<String> {
    let error: Value = serde_json::from_str(answer["body"].as_str()?).ok()?;
    let reason = error["errorData"]["reason"].as_str()?;
    if answer["statusCode"] == 429 {
        let wait = error["errorData"]["retryAfter"].as_u64()?;
        return Some(format!("Wait {wait} s, or POST /_local/clock {}.", json!({ "advance": wait })));
    }
    let field = error["message"].as_str().and_then(|message| message.split('\'').nth(1)).unwrap_or_default();
    match reason {
        "missing_field" => request.missing(field),
        "unknown_field" => request.unknown(field),
        "wrong_type" => request.wrong_type(field),
        "empty_body" | "not_json" | "not_an_object" => request.example(""),
        "invalid_code" => {
            let digits = request.settings.code_length;
            Some(format!("'{field}' must be a string of {digits} digits (CODE_LENGTH): the code from the SMS."))
        }
        "invalid_transaction_id" => {
            Some(format!("'{field}' must be the transactionId that the first step has answered."))
        }
        "country_not_served" => {
            let codes: Vec<_> = request.settings.sms_countries.iter().map(|country| country.code()).collect();
            Some(format!("SMS_COUNTRIES is {}.", codes.join(",")))
        }
        "session_invalid" if !request.parts.headers.contains_key("user-token") => {
            Some("Send the session's token in the header user-token.".to_owned())
        }
        _ => None,
    }
}

impl Refused<'_> {
    fn operation(&self) -> Option<Operation> {
        let Found::Route(found) = routes::find(self.parts.method.as_str(), self.parts.uri.path()) else { return None };
        operations().into_iter().find(|one| (one.method, one.path) == (found.route.method, found.route.path))
    }

    /// The fields of the operation's body, by name, as JSON schemas.
    fn fields(&self) -> Option<Map<String, Value>> {
        let (name, _) = self.operation()?.body?;
        match schema(self.settings, name)["properties"].take() {
            Value::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// What was sent, if it is an object.
    fn sent(&self) -> Map<String, Value> {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    fn missing(&self, field: &str) -> Option<String> {
        let (fields, sent) = (self.fields()?, self.sent());
        if sent.get(field).is_some_and(|value| value == "") {
            return Some(format!("'{field}' is empty."));
        }
        let others = sent.keys().filter(|name| !fields.contains_key(*name)).map(|name| (name, likeness(name, field)));
        match others.max_by(|(_, one), (_, other)| one.total_cmp(other)).filter(|(_, likeness)| *likeness >= SIMILAR) {
            Some((name, _)) => Some(format!("You sent '{}'; did you mean '{field}'?", quoted(name))),
            None => self.example(field),
        }
    }

    fn unknown(&self, field: &str) -> Option<String> {
        let fields = self.fields()?;
        let rated = fields.keys().map(|name| (name, likeness(field, name)));
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        let known = format!("The fields are {}.", names.join(", "));
        match rated.max_by(|(_, one), (_, other)| one.total_cmp(other)).filter(|(_, likeness)| *likeness >= SIMILAR) {
            Some((name, _)) if !self.sent().contains_key(name) => {
                Some(format!("You sent '{}'; did you mean '{name}'? {known}", quoted(field)))
            }
            _ => Some(known),
        }
    }

    fn wrong_type(&self, field: &str) -> Option<String> {
        let (fields, sent) = (self.fields()?, self.sent());
        let kind = match &fields.get(field)?["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null")?.as_str()?.to_owned(),
            kind => kind.as_str()?.to_owned(),
        };
        let kind = if kind == "array" { "an array of strings".to_owned() } else { format!("a {kind}") };
        Some(match sent.get(field) {
            Some(value) => format!("'{field}' must be {kind}; you sent {}.", kind_of(value)),
            None => format!("'{field}' must be {kind}."),
        })
    }

    /// A body of the operation that holds this field.
    fn example(&self, field: &str) -> Option<String> {
        let (_, examples) = self.operation()?.body?;
        let (_, example) = examples.iter().find(|(_, example)| field.is_empty() || !example[field].is_null())?;
        Some(format!("The body is JSON like {example}."))
    }
}

/// How much a name looks like a field's, whatever its case and its separators.
fn likeness(name: &str, field: &str) -> f64 {
    let plain = |text: &str| text.replace(['_', '-', ' '], "").to_lowercase();
    let (name, field) = (plain(name), plain(field));
    let is_phone = field == "phonenumber" && PHONE_NAMES.contains(&name.as_str());
    if is_phone { 1.0 } else { normalized_damerau_levenshtein(&name, &field) }
}

fn quoted(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(QUOTED).collect()
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_separators() {
        for (name, field) in [
            ("phonenumber", "phoneNumber"),
            ("phone_number", "phoneNumber"),
            ("to", "phoneNumber"),
            ("transaction-id", "transactionId"),
        ] {
            assert!(likeness(name, field) >= 1.0, "{name}");
        }
        assert!(likeness("phoneNumer", "phoneNumber") > SIMILAR);
        assert!(likeness("name", "phoneNumber") < SIMILAR);
    }

    #[test]
    fn a_long_name_is_quoted_in_part() {
        assert_eq!(quoted(&format!("a\n{}", "b".repeat(100))).len(), QUOTED);
    }
}
