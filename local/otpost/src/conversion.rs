//! Messages and codes that came back right, by country and by number prefix, and what a suspension of each costs.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use phone_number::{Country, PhoneNumber};
use serde::Serialize;
use shared::clock::Timestamp;
use shared::crypto::Keys;
use shared::flow::Flow;
use shared::spend::SpendRules;
use shared::spend::counter::{Counter, Field, Volume, country_volume_scope, volume_scope};
use shared::spend::pumping::{Mode, Outcome, Rule, Threshold};
use shared::store::{DecisionLogEntry, Store, StoreError};

use crate::{Iso, LISTED, percent};

/// How far back the decision log is counted.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Means are kept in thousandths of a message.
const THOUSAND: f64 = 1000.0;
/// The flows whose scopes are counted apart, one of each.
const FLOWS: [Flow; 2] = [Flow::Register, Flow::Login];

/// What the numbers of messages and codes are based on.
const COUNTS_FROM: &str = "the counters by which suspensions are decided, all shards summed: this hour and the one before; for a suspended \
                           prefix, starts count as messages";
/// What the number of those who are kept out is based on.
const KEPT_OUT_FROM: &str = "the counters' mean of right codes in an hour before this one, in which the last day weighs most; it sinks while \
                             a suspension lasts";
/// What the numbers of the day are based on.
const DAY_FROM: &str = "the decision log of the last 24 hours: messages that were meant to go out, and starts that a suspension has stopped";

/// Messages and right codes.
#[derive(Debug, Clone, Serialize)]
pub struct ConversionReport {
    /// The time of the report.
    pub at: Iso,
    /// What `messages`, `verified`, `percent` and `suspension` are based on.
    pub counts_from: &'static str,
    /// What `kept_out_per_hour` is based on.
    pub kept_out_from: &'static str,
    /// What `day_messages` and `day_stopped` are based on.
    pub day_from: &'static str,
    /// By country.
    pub countries: Vec<Conversion>,
    /// By prefix, all but the last four digits of a number. Nobody can tell numbers from its keyed hash.
    pub prefixes: Vec<Conversion>,
}

/// Whether a country or prefix is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// It is not.
    No,
    /// It looks pumped; its messages go out nevertheless: logins always, others by the setting.
    Suspected,
    /// Messages do not go out.
    Suspended,
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::No => "no",
            Self::Suspected => "suspected",
            Self::Suspended => "suspended",
        })
    }
}

/// How one kind of message to a country or prefix has been doing.
#[derive(Debug, Clone, Serialize)]
pub struct Conversion {
    /// The country; of a prefix, the one that the decision log has for it.
    pub country: Option<String>,
    /// The prefix's keyed hash, in hex.
    pub prefix: Option<String>,
    /// The prefix itself, where a number that was given has it.
    pub digits: Option<String>,
    /// `register`: registrations and changes of phone; `login`: logins and resets of passwords.
    pub kind: &'static str,
    /// Messages.
    pub messages: i64,
    /// Codes that came back right.
    pub verified: i64,
    /// Their share, in percent, rounded down; `None` without messages.
    pub percent: Option<i64>,
    /// Whether it is suspended now.
    pub suspension: Suspension,
    /// What a block costs: how many verified users it keeps out in a usual hour. Logins are never suspended, but a kill switch stops them.
    pub kept_out_per_hour: f64,
    /// Messages of the last 24 hours.
    pub day_messages: i64,
    /// Starts of the last 24 hours that did not send since it was suspended.
    pub day_stopped: i64,
}

/// The keyed hashes of these numbers' prefixes, with the digits.
///
/// # Errors
/// The first that is no number.
pub fn prefixes_of(
    keys: &Keys,
    country: Country,
    phones: &[String],
) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let read = |phone: &String| {
        let number = PhoneNumber::parse(phone, country).map_err(|error| format!("{phone}: {error}"))?;
        let hash = u64::from_be_bytes(keys.prefix(number.prefix()).short());
        Ok((format!("{hash:016x}"), number.prefix().to_owned()))
    };
    phones.iter().map(read).collect()
}

/// How countries and prefixes have been doing until now. `known` names the prefixes of [`prefixes_of`]. Reads the whole decision log and the
/// whole table of counters.
///
/// # Errors
/// When storage fails.
pub async fn conversion(
    store: &Store,
    rules: &SpendRules,
    known: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<ConversionReport, StoreError> {
    let (counters, log) = (&store.counters, store.decision_log.all());
    let (budgets, prefixes, log) = tokio::join!(counters.budgets(rules.shards), counters.prefixes(), log);
    let ((shards, _), prefixes, log) = (budgets?, prefixes?, log?);
    let day = Day::of(&log, now);
    let mut of_prefixes: BTreeMap<_, _> = known.keys().map(|prefix| (prefix.clone(), Counter::default())).collect();
    of_prefixes.extend(prefixes.into_iter().map(|found| (found.prefix, found.counter.at(now))));
    let shards: Vec<_> = shards.iter().map(|shard| shard.at(now)).collect();
    Ok(ConversionReport {
        at: Iso(now),
        counts_from: COUNTS_FROM,
        kept_out_from: KEPT_OUT_FROM,
        day_from: DAY_FROM,
        countries: countries(&shards, rules, &day),
        prefixes: of_each_prefix(&of_prefixes, known, rules, &day),
    })
}

/// Messages and stopped starts of the last day, by country or prefix, and kind.
#[derive(Default)]
struct Day<'a> {
    countries: BTreeMap<(&'a str, &'static str), [i64; 2]>,
    prefixes: BTreeMap<(&'a str, &'static str), [i64; 2]>,
    /// The countries of prefixes, of the whole log.
    country_of: BTreeMap<&'a str, &'a str>,
}

impl<'a> Day<'a> {
    fn of(log: &'a [DecisionLogEntry], now: Timestamp) -> Self {
        let mut day = Self::default();
        for DecisionLogEntry { prefix, inputs, decision, sent, .. } in log {
            day.country_of.insert(prefix, &inputs.country);
            if inputs.at < now.minus(DAY) {
                continue;
            }
            let kind = volume_scope(inputs.flow);
            let is_stopped =
                |rule| decision.rule == Some(rule) && matches!(decision.outcome, Outcome::Refuse | Outcome::Suppress);
            for (row, rule) in [
                (day.countries.entry((&inputs.country, kind)).or_default(), Rule::CountryPumping),
                (day.prefixes.entry((prefix, kind)).or_default(), Rule::PrefixPumping),
            ] {
                row[0] += i64::from(*sent);
                row[1] += i64::from(is_stopped(rule));
            }
        }
        day
    }
}

fn countries(shards: &[Counter], rules: &SpendRules, day: &Day<'_>) -> Vec<Conversion> {
    let names = shards.iter().flat_map(|shard| shard.counts.keys());
    let counted = names.filter_map(|name| name.split_once('-').map(|(country, _)| country));
    let found: std::collections::BTreeSet<_> =
        counted.chain(day.countries.keys().map(|(country, _)| *country)).collect();
    let rows = found.into_iter().flat_map(|country| {
        FLOWS.map(|flow| {
            let scope = country_volume_scope(flow, country);
            let sum = shards.iter().map(|shard| shard.volume(&scope)).sum();
            let mean = shards.iter().map(|shard| shard.get(&scope, Field::Mean)).sum();
            let rule = (rules.pumping.country, rules.pumping.country_mode);
            let of_day = day.countries.get(&(country, volume_scope(flow))).copied().unwrap_or_default();
            Conversion { country: Some(country.to_owned()), ..row(flow, (sum, mean), rule, of_day) }
        })
    });
    sorted(rows.filter(is_any).collect())
}

fn of_each_prefix(
    counters: &BTreeMap<String, Counter>,
    known: &BTreeMap<String, String>,
    rules: &SpendRules,
    day: &Day<'_>,
) -> Vec<Conversion> {
    let rows = counters.iter().flat_map(|(prefix, counter)| {
        FLOWS.map(|flow| {
            let kind = volume_scope(flow);
            let rule = (rules.pumping.prefix, rules.pumping.prefix_mode);
            let of_day = day.prefixes.get(&(prefix.as_str(), kind)).copied().unwrap_or_default();
            Conversion {
                country: day.country_of.get(prefix.as_str()).map(|country| (*country).to_owned()),
                prefix: Some(prefix.clone()),
                digits: known.get(prefix).cloned(),
                ..row(flow, (counter.volume(kind), counter.get(kind, Field::Mean)), rule, of_day)
            }
        })
    });
    sorted(rows.filter(|row| is_any(row) || row.digits.is_some()).collect())
}

fn row(
    flow: Flow,
    (volume, mean): (Volume, i64),
    (threshold, mode): (Threshold, Mode),
    [day_messages, day_stopped]: [i64; 2],
) -> Conversion {
    let is_open = mode == Mode::Monitor || flow.is_for_confirmed_phones();
    let suspension = match threshold.is_crossed(volume) {
        false => Suspension::No,
        true if is_open => Suspension::Suspected,
        true => Suspension::Suspended,
    };
    Conversion {
        country: None,
        prefix: None,
        digits: None,
        kind: volume_scope(flow),
        messages: volume.sends,
        verified: volume.verified,
        percent: percent(volume.verified, volume.sends),
        suspension,
        // A mean of more than 2^53 thousandths is none.
        kept_out_per_hour: mean as f64 / THOUSAND,
        day_messages,
        day_stopped,
    }
}

/// Whether there is anything to say.
fn is_any(row: &Conversion) -> bool {
    row.messages + row.verified + row.day_messages + row.day_stopped > 0 || row.kept_out_per_hour > 0.0
}

/// What is suspended and what has most messages first.
fn sorted(mut rows: Vec<Conversion>) -> Vec<Conversion> {
    rows.sort_by_key(|row| Reverse((row.suspension, row.digits.is_some(), row.messages, row.day_messages)));
    rows
}

impl fmt::Display for ConversionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rows, what) in [(&self.countries, "countries"), (&self.prefixes, "prefixes")] {
            writeln!(
                f,
                "{what:<34} {:<9} {:>9} {:>9} {:>5} {:<10} {:>14} {:>13} {:>12}",
                "", "messages", "verified", "%", "suspended", "kept out/hour", "messages/24 h", "stopped/24 h"
            )?;
            for row in rows.iter().take(LISTED) {
                writeln!(f, "{row}")?;
            }
            match rows.len() {
                0 => writeln!(f, "none")?,
                LISTED.. => writeln!(f, "… {} in all; --json lists them", rows.len())?,
                _ => {}
            }
            writeln!(f)?;
        }
        let Self { counts_from, kept_out_from, day_from, .. } = self;
        writeln!(f, "Messages, verified, % and suspended: from {counts_from}.")?;
        writeln!(
            f,
            "Kept out: verified users whom a block would keep out in a usual hour, from {kept_out_from}. Logins are never suspended; a country's \
             kill switch stops both rows."
        )?;
        writeln!(f, "24 h: from {day_from}.")
    }
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, messages, verified, suspension, kept_out_per_hour, day_messages, day_stopped, .. } = self;
        let names = [&self.country, &self.prefix, &self.digits].into_iter().flatten();
        let name = names.map(String::as_str).collect::<Vec<_>>().join(" ");
        let percent = self.percent.map_or_else(|| "-".to_owned(), |percent| percent.to_string());
        write!(
            f,
            "{name:<34} {kind:<9} {messages:>9} {verified:>9} {percent:>5} {suspension:<10} {kept_out_per_hour:>14.2} {day_messages:>13} \
             {day_stopped:>12}"
        )
    }
}
