//! The operator's own texts, from `shared/texts.json`, which is compiled into the functions: Lambda has no other file, and environment variables are
//! limited to 4 KB together.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{Lookup, SettingError, present};
use crate::flow::Flow;
use crate::language::Language;

/// The file.
const FILE: &str = include_str!("../../texts.json");

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It brings the code of this flow.
    Code(Flow),
    /// It reads aloud the code of this flow, in a call.
    Call(Flow),
    /// It tells that the password has been changed.
    PasswordChanged,
    /// It tells that the phone has been changed.
    PhoneChanged,
}

/// The operator's own texts: those that are there replace the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnTexts(BTreeMap<(Language, Purpose), String>);

/// The texts of a language in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InFile {
    register: Option<String>,
    login: Option<String>,
    second_factor: Option<String>,
    change_phone: Option<String>,
    reset_password: Option<String>,
    password_changed: Option<String>,
    phone_changed: Option<String>,
    #[serde(default)]
    voice: Calls,
}

/// Those of calls.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Calls {
    register: Option<String>,
    login: Option<String>,
    second_factor: Option<String>,
    change_phone: Option<String>,
    reset_password: Option<String>,
}

impl OwnTexts {
    /// Reads `{"de": {"login": "{code} ist dein Code."}}`.
    ///
    /// # Errors
    /// What is wrong with it: not such JSON, a code's text without its code, a line break, before the lines for browser and app, or a call in a
    /// language that no voice speaks.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: BTreeMap<String, InFile> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut texts = BTreeMap::new();
        for (tag, of_language) in file {
            let language: Language = tag.parse().map_err(|_| format!("there are no texts in the language '{tag}'"))?;
            for (purpose, text) in of_language.by_purpose() {
                let Some(text) = text else { continue };
                if matches!(purpose, Purpose::Code(_) | Purpose::Call(_)) && !text.contains("{code}") {
                    return Err(format!("a text in '{tag}' lacks {{code}}: {text}"));
                }
                if matches!(purpose, Purpose::Call(_)) && language == Language::Ukrainian {
                    return Err(format!("no call speaks '{tag}', which no voice does; it speaks English"));
                }
                if text.trim().is_empty() {
                    return Err(format!("a text in '{tag}' is blank"));
                }
                if text.chars().any(char::is_control) {
                    return Err(format!("a text in '{tag}' has a line break or control character: {text:?}"));
                }
                texts.insert((language, purpose), text);
            }
        }
        Ok(Self(texts))
    }

    /// The text for this purpose, if the operator has one.
    pub fn get(&self, language: Language, purpose: Purpose) -> Option<&str> {
        self.0.get(&(language, purpose)).map(String::as_str)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Language, Purpose, &str)> {
        self.0.iter().map(|((language, purpose), text)| (*language, *purpose, text.as_str()))
    }
}

impl InFile {
    fn by_purpose(self) -> impl Iterator<Item = (Purpose, Option<String>)> {
        let Self {
            register,
            login,
            second_factor,
            change_phone,
            reset_password,
            password_changed,
            phone_changed,
            voice,
        } = self;
        let codes = [register, login, second_factor, change_phone, reset_password, password_changed, phone_changed];
        let calls = [voice.register, voice.login, voice.second_factor, voice.change_phone, voice.reset_password];
        Purpose::ALL.into_iter().zip(codes.into_iter().chain(calls))
    }
}

impl Purpose {
    /// All purposes, in the order of the file.
    pub const ALL: [Self; 12] = [
        Self::Code(Flow::Register),
        Self::Code(Flow::Login),
        Self::Code(Flow::SecondFactor),
        Self::Code(Flow::ChangePhone),
        Self::Code(Flow::ResetPassword),
        Self::PasswordChanged,
        Self::PhoneChanged,
        Self::Call(Flow::Register),
        Self::Call(Flow::Login),
        Self::Call(Flow::SecondFactor),
        Self::Call(Flow::ChangePhone),
        Self::Call(Flow::ResetPassword),
    ];
}

/// The name in the file.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(flow) => f.write_str(flow.as_str()),
            Self::Call(flow) => write!(f, "voice {}", flow.as_str()),
            Self::PasswordChanged => f.write_str("password_changed"),
            Self::PhoneChanged => f.write_str("phone_changed"),
        }
    }
}

/// The texts that were compiled in, or those of the variable `TEXTS`, which the local stack sets.
pub(super) fn own_texts(lookup: Lookup<'_>) -> Result<OwnTexts, SettingError> {
    let json = present(lookup, "TEXTS");
    OwnTexts::parse(json.as_deref().unwrap_or(FILE))
        .map_err(|problem| SettingError::new("TEXTS", format!("or shared/texts.json: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_are_no_texts_is_refused() {
        for (json, problem) in [
            ("", "EOF"),
            ("[]", "expected a map"),
            (r#"{"xx": {}}"#, "no texts in the language 'xx'"),
            (r#"{"de": {"log_in": "{code}"}}"#, "unknown field `log_in`"),
            (r#"{"de": {"login": 5}}"#, "expected a string"),
            (r#"{"de": {"login": "Hallo {app}"}}"#, "lacks {code}"),
            (r#"{"de": {"password_changed": " "}}"#, "is blank"),
            (r#"{"de": {"voice": {"login": "Hallo {app}"}}}"#, "lacks {code}"),
            (r#"{"de": {"voice": {"phone_changed": "neu"}}}"#, "unknown field `phone_changed`"),
            (r#"{"uk": {"voice": {"login": "{code}"}}}"#, "no call speaks 'uk'"),
            (r#"{"de": {"login": "{code}\n@app.example.com #{code}"}}"#, "line break"),
        ] {
            let error = OwnTexts::parse(json).unwrap_err();
            assert!(error.contains(problem), "{json}: {error}");
        }
    }

    #[test]
    fn a_text_is_found_by_language_and_purpose() {
        let texts = OwnTexts::parse(
            r#"{"de": {"login": "{code}", "phone_changed": "neu", "voice": {"login": "Code: {code}"}}}"#,
        )
        .unwrap();
        assert_eq!(texts.get(Language::German, Purpose::Code(Flow::Login)), Some("{code}"));
        assert_eq!(texts.get(Language::German, Purpose::Call(Flow::Login)), Some("Code: {code}"));
        assert_eq!(texts.get(Language::German, Purpose::PhoneChanged), Some("neu"));
        assert_eq!(texts.get(Language::German, Purpose::PasswordChanged), None);
        assert_eq!(texts.get(Language::French, Purpose::PhoneChanged), None);
        assert_eq!(
            texts.iter().map(|(_, purpose, _)| purpose.to_string()).collect::<Vec<_>>(),
            ["login", "voice login", "phone_changed"]
        );
    }
}
