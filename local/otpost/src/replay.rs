//! Past decisions by other rules.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use shared::flow::Flow;
use shared::spend::SpendRules;
use shared::spend::pumping::{Decision, Outcome};
use shared::store::DecisionLogEntry;

use crate::{Iso, LISTED};

/// What other rules would have decided.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// The number of decisions.
    pub decisions: usize,
    /// How many of them would be different.
    pub different: usize,
    /// How many there are of each kind.
    pub changes: Vec<Change>,
    /// The first of those that differ.
    pub first: Vec<Different>,
}

/// Decisions that were alike and would be alike.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Their number.
    pub count: usize,
    /// What was decided, like `refuse (budget)`.
    pub was: String,
    /// What would be.
    pub would_be: String,
}

/// A decision that would differ.
#[derive(Debug, Clone, Serialize)]
pub struct Different {
    /// When it was made.
    pub at: Iso,
    /// The flow.
    pub flow: Flow,
    /// The country.
    pub country: String,
    /// The keyed hash of the number's prefix.
    pub prefix: String,
    /// That of the phone.
    pub phone: String,
    /// What was decided.
    pub was: String,
    /// What would be.
    pub would_be: String,
}

/// What these rules would have decided on the logged inputs. The consequences of earlier decisions, like the money spent, and the number of
/// shards stay as they were.
pub fn replay(entries: &[DecisionLogEntry], rules: &SpendRules) -> ReplayReport {
    let mut changes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let (mut first, mut different) = (Vec::new(), 0);
    for entry in entries {
        // Rules have no say about a test number.
        let is_test = entry.decision.outcome == Outcome::Test;
        let again = if is_test { entry.decision } else { rules.decide_on(&entry.inputs) };
        let (was, would_be) = (words(entry.decision), words(again));
        if was != would_be {
            different += 1;
            if different <= LISTED {
                let inputs = &entry.inputs;
                first.push(Different {
                    at: Iso(inputs.at),
                    flow: inputs.flow,
                    country: inputs.country.clone(),
                    prefix: entry.prefix.clone(),
                    phone: entry.phone.clone(),
                    was: was.clone(),
                    would_be: would_be.clone(),
                });
            }
        }
        *changes.entry((was, would_be)).or_default() += 1;
    }
    let changes = changes.into_iter().map(|((was, would_be), count)| Change { count, was, would_be }).collect();
    ReplayReport { decisions: entries.len(), different, changes, first }
}

fn words(Decision { outcome, rule, .. }: Decision) -> String {
    let outcome = match outcome {
        Outcome::Send => "send",
        Outcome::Suppress => "suppress",
        Outcome::Refuse => "refuse",
        Outcome::Test => "test",
    };
    rule.map_or_else(|| outcome.to_owned(), |rule| format!("{outcome} ({})", rule.as_str()))
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} decisions, {} of them different", self.decisions, self.different)?;
        for Change { count, was, would_be } in &self.changes {
            writeln!(f, "  {count:>8}  {was} -> {would_be}")?;
        }
        if !self.first.is_empty() {
            writeln!(f, "\nThe first of those that differ:")?;
        }
        for Different { at, flow, country, prefix, phone, was, would_be } in &self.first {
            let flow = flow.as_str();
            writeln!(f, "  {at}, {flow}, {country}, prefix {prefix}, phone {phone}: {was}, would be {would_be}")?;
        }
        Ok(())
    }
}
