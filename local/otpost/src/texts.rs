//! Checks the operator's own texts of codes and notices before they are built in.

use std::error::Error;
use std::fmt::{self, Write as _};

use serde::Serialize;
use shared::auth::text_lint::{self, Checked};
use shared::config::{Lookup, OwnTexts, RESOURCE_NAMES, Settings};

/// Texts of one's own, all of which may be sent.
#[derive(Debug, Clone, Serialize)]
pub struct LintReport {
    /// Each text.
    pub texts: Vec<Shown>,
}

/// A text of one's own.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The language and the purpose, like `de login`.
    pub name: String,
    /// The longest text that it makes with the settings, as a phone shows it.
    pub longest: String,
}

/// Checks a file's texts and returns each at its longest.
///
/// # Errors
/// All that is wrong with them, or with a setting.
pub fn lint(json: &str, lookup: Lookup<'_>) -> Result<LintReport, Box<dyn Error>> {
    let settings = Settings { texts: OwnTexts::parse(json)?, ..settings(lookup)? };
    let (mut texts, mut problems) = (Vec::new(), String::new());
    for Checked { name, longest, problems: found } in text_lint::lint(&settings) {
        for problem in found {
            // Writing to a string cannot fail.
            let _ = write!(problems, "\n{name}: {problem}");
        }
        texts.push(Shown { name, longest });
    }
    if problems.is_empty() {
        Ok(LintReport { texts })
    } else {
        Err(format!("these texts should not be sent:{problems}").into())
    }
}

impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.texts.is_empty() {
            writeln!(f, "No texts of your own.")?;
        }
        for Shown { name, longest } in &self.texts {
            writeln!(f, "{name}: {longest}")?;
        }
        Ok(())
    }
}

/// The settings, where those that no text depends on need not be set.
pub(crate) fn settings(lookup: Lookup<'_>) -> Result<Settings, Box<dyn Error>> {
    let placeholder = |name: &str| {
        let is_needed = ["APP_ID", "API_KEY", "PLIVO_SENDER"].contains(&name) || RESOURCE_NAMES.contains(&name);
        is_needed.then(|| "none".to_owned())
    };
    Ok(Settings::from_lookup(&|name| lookup(name).or_else(|| placeholder(name)))?)
}
