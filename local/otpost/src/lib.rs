//! The operator's commands: print the maximum exposure, set kill switches, replay decisions with other rules, check texts ([`texts`]), what
//! concerns users ([`user`]), and the page that does all of it ([`console`]).
//! They are a separate crate so that they do not link the local stack.

pub mod console;
pub mod stack;
pub mod texts;
pub mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;

use phone_number::Country;
use shared::clock::Timestamp;
use shared::flow::Flow;
use shared::messaging::MessageRules;
use shared::spend::SpendRules;
use shared::spend::max_exposure::MaxExposure;
use shared::spend::pumping::{Outcome, Spent};
use shared::store::{DecisionLogEntry, KillSwitchRecord};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The maximum number of entries that are listed one by one.
const LISTED: usize = 20;

/// A moment as ISO 8601 (RFC 3339), in UTC.
fn iso(at: Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok().and_then(|moment| moment.format(&Rfc3339).ok());
    // No year of four digits: nothing that a clock has said.
    moment.unwrap_or_else(|| format!("{} ms", at.as_millis()))
}

/// The maximum exposure under these rules, as a table. SMS go to all phones in `sms_countries`, and to confirmed ones in
/// `confirmed_countries`.
pub fn max_exposure(
    rules: &SpendRules,
    messages: &MessageRules,
    sms_countries: &[Country],
    confirmed_countries: &[Country],
) -> String {
    let countries: BTreeSet<_> =
        sms_countries.iter().chain(confirmed_countries).map(|country| country.code()).collect();
    let countries: Vec<_> = countries.into_iter().collect();
    let exposure = MaxExposure::of(rules, countries.iter().map(String::as_str));
    let budget = messages.budget;
    let mut text = format!(
        "{}\nMessages of sendMessage, for whoever has its key: US$ {} an hour, {} a day, {} a month, and {} a day to one phone.\n\
         SMS go to {}.\n",
        exposure_table(&exposure),
        budget.hour,
        budget.day,
        budget.month,
        messages.per_phone,
        countries.join(", ")
    );
    for country in &countries {
        let registers = sms_countries.iter().any(|served| served.code() == *country);
        let (flow, what) = if registers { (Flow::Register, "registration") } else { (Flow::Login, "login") };
        if rules.room(flow, country, 1, Spent::default()).is_err() {
            let _ = writeln!(text, "No {what} in {country} fits: a shard of the budget holds less than one message.");
        }
    }
    text
}

fn exposure_table(exposure: &MaxExposure) -> String {
    let mut text = format!(
        "The most that an attacker can cost, with any addresses and numbers (codes):\n\
         {:>8} {:>16} {:>10} {:>24} {:>22}\n",
        "", "US$", "messages", "to unconfirmed phones", "in a rolling window"
    );
    let rows = exposure.most.each().into_iter().zip(exposure.unconfirmed.each()).zip(exposure.in_any_window().each());
    for (((window, most), (_, unconfirmed)), (_, any)) in rows {
        let (window, messages) = (window.as_str(), exposure.messages(most));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{window:>8} {most:>16} {messages:>10} {unconfirmed:>24} {any:>22}");
    }
    text
}

/// The kill switches that are set, and the last changes.
pub fn kill_switches(record: &KillSwitchRecord) -> String {
    let off: Vec<_> = record.off.iter().map(String::as_str).collect();
    let mut text = format!("Off: {}\n", if off.is_empty() { "nothing".to_owned() } else { off.join(", ") });
    for change in record.changes.iter().rev().take(LISTED) {
        let state = if change.off { "off" } else { "on" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}: {} {state}, by {}: {}", iso(change.at), change.name, change.by, change.why);
    }
    text
}

/// Reads the whole decision log, oldest entry first. Only an operator may: the functions' roles do not allow scans.
///
/// # Errors
/// If the table cannot be read.
pub async fn decisions(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
) -> Result<Vec<DecisionLogEntry>, Box<dyn Error>> {
    let (mut entries, mut items) = (Vec::new(), dynamodb.scan().table_name(table).into_paginator().items().send());
    while let Some(item) = items.next().await {
        entries.push(DecisionLogEntry::from_item(item?)?);
    }
    entries.sort_by_key(|entry: &DecisionLogEntry| entry.inputs.at);
    Ok(entries)
}

/// What these rules would have decided on the logged inputs. The consequences of earlier decisions, like the money spent, and the number of
/// shards stay as they were.
pub fn replay(records: &[DecisionLogEntry], rules: &SpendRules) -> String {
    let word = |outcome: Outcome, rule: Option<&'static str>| {
        let outcome = match outcome {
            Outcome::Send => "send",
            Outcome::Suppress => "suppress",
            Outcome::Refuse => "refuse",
            Outcome::Test => "test",
        };
        rule.map_or_else(|| outcome.to_owned(), |rule| format!("{outcome} ({rule})"))
    };
    let mut changes: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut listed = String::new();
    let mut different = 0;
    for record in records {
        // Rules have no say about a test number.
        let is_test = record.decision.outcome == Outcome::Test;
        let again = if is_test { record.decision } else { rules.decide_on(&record.inputs) };
        let was = word(record.decision.outcome, record.decision.rule.map(|rule| rule.as_str()));
        let would = word(again.outcome, again.rule.map(|rule| rule.as_str()));
        if was != would {
            different += 1;
            if different <= LISTED {
                let inputs = &record.inputs;
                let _ = writeln!(
                    listed,
                    "  {}, {}, {}, prefix {}, phone {}: {was}, would be {would}",
                    iso(inputs.at),
                    inputs.flow.as_str(),
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
