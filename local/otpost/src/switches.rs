//! Kill switches: what is switched off, and switching.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use shared::clock::Timestamp;
use shared::spend::kill_switch::KillSwitch;
use shared::store::{Controls, KillSwitchChange, KillSwitchRecord};

use crate::audit::Author;
use crate::{Iso, LISTED, listed};

/// The kill switches.
#[derive(Debug, Clone, Serialize)]
pub struct KillSwitchReport {
    /// What is switched off.
    pub off: Vec<String>,
    /// The last 100 changes, newest first.
    pub changes: Vec<Switched>,
}

/// A change of a kill switch.
#[derive(Debug, Clone, Serialize)]
pub struct Switched {
    /// The time of the change.
    pub at: Iso,
    /// The kill switch.
    pub name: String,
    /// Whether it was switched off; otherwise on.
    pub off: bool,
    /// Who did it, as they stated.
    pub by: String,
    /// Why, as they stated.
    pub why: String,
}

impl From<KillSwitchRecord> for KillSwitchReport {
    fn from(record: KillSwitchRecord) -> Self {
        let changes = record.changes.into_iter().rev();
        let changes =
            changes.map(|KillSwitchChange { at, by, name, off, why }| Switched { at: Iso(at), name, off, by, why });
        Self { off: record.off.into_iter().collect(), changes: changes.collect() }
    }
}

/// What is switched off, and the last changes.
///
/// # Errors
/// When storage fails.
pub async fn kill_switches(controls: &Controls) -> Result<KillSwitchReport, Box<dyn Error>> {
    Ok(controls.kill_switches().await?.into())
}

/// Records the change in the audit log, then makes it. It takes effect within 15 seconds.
///
/// # Errors
/// When there is no such kill switch, or storage fails.
pub async fn switch(
    controls: &Controls,
    (name, off): (&str, bool),
    author: &Author,
    now: Timestamp,
) -> Result<KillSwitchReport, Box<dyn Error>> {
    let switch = KillSwitch::parse(name).ok_or_else(|| format!("there is no kill switch {name}"))?;
    let (by, why) = (author.by().to_owned(), author.why().to_owned());
    let change = KillSwitchChange { at: now, by, name: name.to_owned(), off, why };
    controls.record_audit(&change.audit_entry(author.arn().map(str::to_owned))).await?;
    Ok(controls.switch(&switch, change).await?.into())
}

impl fmt::Display for KillSwitchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Off: {}", listed(&self.off, "nothing"))?;
        for Switched { at, name, off, by, why } in self.changes.iter().take(LISTED) {
            let state = if *off { "off" } else { "on" };
            writeln!(f, "  {at}: {name} {state}, by {by}: {why}")?;
        }
        Ok(())
    }
}
