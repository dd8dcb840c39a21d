//! Which settings of a stack differ from those that the template deploys by default, so that nobody mistakes one for the other.

use std::collections::HashMap;

use serde_json::Value;
use shared::config::NAMES;

use crate::StackError;
use crate::template::Template;

/// A setting with another value than by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The setting.
    pub name: &'static str,
    /// Its value here.
    pub here: String,
    /// The template's default, which may be empty.
    pub deployed: String,
}

/// The settings that differ. Those that are different in each deployment, because the template has no default or makes the value, are not
/// among them.
///
/// # Errors
/// [`StackError`] if the template cannot be read.
pub fn differences(settings: &HashMap<String, String>) -> Result<Vec<Difference>, StackError> {
    const MADE_AT_DEPLOYMENT: [&str; 2] = ["APP_ID", "API_KEY"];
    let template = Template::read()?;
    let plain = |name: &str| name.replace('_', "").to_uppercase();
    let parameters = template.document["Parameters"].as_object().into_iter().flatten();
    let defaults: HashMap<_, _> = parameters
        .filter_map(|(name, parameter)| match &parameter["Default"] {
            Value::Null => None,
            Value::String(text) => Some((plain(name), text.clone())),
            other => Some((plain(name), other.to_string())),
        })
        .collect();
    let difference = |name: &'static str| {
        let (here, deployed) = (settings.get(name)?.clone(), defaults.get(&plain(name))?.clone());
        (here != deployed).then_some(Difference { name, here, deployed })
    };
    Ok(NAMES.into_iter().filter(|name| !MADE_AT_DEPLOYMENT.contains(name)).filter_map(difference).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(overrides: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let mut settings = crate::environment("http://127.0.0.1:3000", "", "", "");
        settings.extend(overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        differences(&settings).unwrap().into_iter().map(|one| (one.name, one.deployed)).collect()
    }

    #[test]
    fn a_stack_differs_in_its_urls_and_in_the_starts_of_an_address() {
        let expected = [
            ("CAPTCHA_VERIFY_URL", "https://challenges.cloudflare.com/turnstile/v0/siteverify"),
            ("JWT_ISSUER", ""),
            ("PLIVO_API_URL", "https://api.plivo.com"),
            ("STARTS_PER_ADDRESS", "20"),
        ];
        let mut found = names(&[]);
        found.sort_unstable();
        assert_eq!(found, expected.map(|(name, deployed)| (name, deployed.to_owned())));
    }

    #[test]
    fn what_was_set_otherwise_differs_and_what_was_set_alike_does_not() {
        let found = names(&[("CODE_LENGTH", "8"), ("STARTS_PER_ADDRESS", "20"), ("PASSWORD", "required")]);
        assert!(found.contains(&("CODE_LENGTH", "6".to_owned())), "{found:?}");
        assert!(!found.iter().any(|(name, _)| ["STARTS_PER_ADDRESS", "PASSWORD"].contains(name)), "{found:?}");
    }
}
