//! What an operator does from a terminal: see what an attack can cost, switch something off, try other rules on what was decided. Uses
//! `shared`'s own types, on the deployed tables or on those of a running local stack.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use shared::sending::decision::{Outcome, Spent};
use shared::sending::worst_case::WorstCase;
use shared::sending::{Flow, Rules};
use shared::settings::Settings;
use shared::store::{DecisionRecord, SwitchRecord};

use crate::StackError;

/// So many differences are listed one by one.
const LISTED: usize = 20;

/// What an attacker can cost at most by these settings, as a table.
pub fn worst_case(settings: &Settings) -> String {
    let countries = settings.all_countries();
    let worst = WorstCase::of(&settings.rules, countries.iter().map(String::as_str));
    let mut text = format!("{worst}\nSMS go to {}.\n", countries.join(", "));
    for country in &countries {
        let registers = settings.sms_countries.iter().any(|served| served.code() == *country);
        let (flow, what) = if registers { (Flow::Register, "registration") } else { (Flow::Login, "login") };
        if settings.rules.room(flow, country, Spent::default()).is_err() {
            let _ = writeln!(text, "No {what} in {country} fits: a slice of the budget holds less than one message.");
        }
    }
    text
}

/// What is switched off, and the last changes.
pub fn switches(record: &SwitchRecord) -> String {
    let off: Vec<_> = record.off.iter().map(String::as_str).collect();
    let mut text = format!("Off: {}\n", if off.is_empty() { "nothing".to_owned() } else { off.join(", ") });
    for change in record.changes.iter().rev().take(LISTED) {
        let state = if change.off { "off" } else { "on" };
        // A writer of text does not fail.
        let _ =
            writeln!(text, "  {} ms: {} {state}, by {}: {}", change.at.as_millis(), change.name, change.by, change.why);
    }
    text
}

/// Reads all decisions that are kept, oldest first. The functions may not do this; an operator may.
///
/// # Errors
/// [`StackError`].
pub async fn decisions(dynamodb: &aws_sdk_dynamodb::Client, table: &str) -> Result<Vec<DecisionRecord>, StackError> {
    let (mut records, mut items) = (Vec::new(), dynamodb.scan().table_name(table).into_paginator().items().send());
    while let Some(item) = items.next().await {
        let item = item.map_err(StackError::new("decisions cannot be read"))?;
        records.push(DecisionRecord::from_item(item).map_err(StackError::new("a decision cannot be read"))?);
    }
    records.sort_by_key(|record: &DecisionRecord| record.inputs.at);
    Ok(records)
}

/// What these rules would have decided on what was known then. (What follows from a decision, like less money spent, is as it was, and so
/// is into how many slices that money was divided.)
pub fn replay(records: &[DecisionRecord], rules: &Rules) -> String {
    let word = |outcome: Outcome, rule: Option<&'static str>| {
        let outcome = match outcome {
            Outcome::Send => "send",
            Outcome::Silent => "silent",
            Outcome::Refuse => "refuse",
        };
        rule.map_or_else(|| outcome.to_owned(), |rule| format!("{outcome} ({rule})"))
    };
    let mut changes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut listed = String::new();
    let mut different = 0;
    for record in records {
        let again = rules.decide(&record.inputs);
        let was = word(record.decision.outcome, record.decision.rule.map(|rule| rule.word()));
        let would = word(again.outcome, again.rule.map(|rule| rule.word()));
        if was != would {
            different += 1;
            if different <= LISTED {
                let inputs = &record.inputs;
                let _ = writeln!(
                    listed,
                    "  {} ms, {}, {}, prefix {}, phone {}: {was}, would be {would}",
                    inputs.at.as_millis(),
                    inputs.flow.word(),
                    inputs.country,
                    record.prefix,
                    record.phone
                );
            }
        }
        *changes.entry((was, would)).or_default() += 1;
    }
    let mut text = format!("{} decisions, {different} of them different\n", records.len());
    for ((was, would), count) in changes {
        let _ = writeln!(text, "  {count:>8}  {was} -> {would}");
    }
    if different > 0 {
        let _ = write!(text, "\nThe first of those that differ:\n{listed}");
    }
    text
}
