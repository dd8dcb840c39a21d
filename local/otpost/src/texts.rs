//! Checks the operator's own texts of codes and notices before they are built in.

use std::error::Error;
use std::fmt::Write as _;

use shared::auth::text_lint::{self, Checked};
use shared::config::{Lookup, OwnTexts, RESOURCE_NAMES, Settings};

/// Checks a file's texts and returns each at its longest.
///
/// # Errors
/// All that is wrong with them, or with a setting.
pub fn lint(json: &str, lookup: Lookup<'_>) -> Result<String, Box<dyn Error>> {
    let settings = Settings { texts: OwnTexts::parse(json)?, ..settings(lookup)? };
    let (mut shown, mut problems) = (String::new(), String::new());
    for Checked { name, longest, problems: found } in text_lint::lint(&settings) {
        // Writing to a string cannot fail.
        let _ = writeln!(shown, "{name}: {longest}");
        for problem in found {
            let _ = write!(problems, "\n{name}: {problem}");
        }
    }
    if shown.is_empty() {
        shown.push_str("No texts of your own.\n");
    }
    if problems.is_empty() { Ok(shown) } else { Err(format!("these texts should not be sent:{problems}").into()) }
}

/// The settings, where those that no text depends on need not be set.
fn settings(lookup: Lookup<'_>) -> Result<Settings, Box<dyn Error>> {
    let placeholder = |name: &str| {
        let is_needed = ["APP_ID", "API_KEY", "PLIVO_SENDER"].contains(&name) || RESOURCE_NAMES.contains(&name);
        is_needed.then(|| "none".to_owned())
    };
    Ok(Settings::from_lookup(&|name| lookup(name).or_else(|| placeholder(name)))?)
}
