//! What was spent: of each budget, and by hour and country.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use shared::clock::Timestamp;
use shared::messaging::MessageRules;
use shared::spend::SpendRules;
use shared::spend::budget::{Amounts, REGISTRATION_PERCENT, Window};
use shared::spend::counter::{ALL, Counter, end_of, hour_of};
use shared::spend::price::Money;
use shared::spend::pumping::Outcome;
use shared::store::{DecisionLogEntry, Store, StoreError};

use crate::{Iso, Usd, percent};

/// How far back the hours go.
const HOURS: i64 = 24;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// What the names of counters end with that hold a country's spending of the month.
const MONTH: &str = "_spent_month";

/// What the amounts of budgets are based on.
const BUDGETS_FROM: &str = "the counters by which messages are refused, all shards summed: reserved before each message, at the price set \
                            then, and given back for what surely was not sent";
/// What the hours are based on.
const HOURS_FROM: &str = "the decision log: codes that were allowed and meant to go out, also those that Plivo then rejected, at today's \
                          prices; messages of sendMessage are not in it";

/// What was spent.
#[derive(Debug, Clone, Serialize)]
pub struct SpendReport {
    /// The time of the report.
    pub at: Iso,
    /// What the amounts of `codes` and `messages` are based on.
    pub budgets_from: &'static str,
    /// The budget of codes in all countries, `all`, then that of each country that has one of its own or in which this month something was
    /// spent.
    pub codes: Vec<BudgetReport>,
    /// The budget of the app's own messages.
    pub messages: BudgetReport,
    /// What `hours` are based on.
    pub hours_from: &'static str,
    /// Codes of the last 24 hours by hour and country, the newest hour first. Hours without any are left out.
    pub hours: Vec<HourReport>,
}

/// A budget.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetReport {
    /// `all`, a country, or `messages`.
    pub scope: String,
    /// Whether it has a budget of its own. A country without one may spend the budget of all.
    pub is_own: bool,
    /// This hour, day and month (UTC).
    pub windows: Vec<WindowReport>,
}

/// What was spent of a budget in a window.
#[derive(Debug, Clone, Serialize)]
pub struct WindowReport {
    /// The window.
    pub window: Window,
    /// What may be spent in it.
    pub budget: Usd,
    /// What was.
    pub spent: Usd,
    /// What is left.
    pub left: Usd,
    /// What of it registrations and changes of phone may still spend, whose part is 80 %. `None` for the app's own messages.
    pub registrations_left: Option<Usd>,
    /// How much is spent, in percent, rounded down. `None` of a budget of nothing.
    pub percent: Option<i64>,
    /// When the window ends.
    pub ends: Iso,
}

/// The codes of an hour to a country.
#[derive(Debug, Clone, Serialize)]
pub struct HourReport {
    /// When the hour began.
    pub hour: Iso,
    /// The country.
    pub country: String,
    /// Messages that went out.
    pub messages: i64,
    /// The SMS segments that were reserved for them.
    pub segments: i64,
    /// What they cost.
    pub cost: Usd,
    /// Starts that a budget or a suspension has stopped.
    pub stopped: i64,
}

/// What was spent until now. Reads the whole decision log.
///
/// # Errors
/// When storage fails.
pub async fn spend(
    store: &Store,
    rules: &SpendRules,
    messages: &MessageRules,
    now: Timestamp,
) -> Result<SpendReport, StoreError> {
    let (budgets, log) = tokio::join!(budgets(store, rules, messages, now), store.decision_log.all());
    let ((codes, messages), log) = (budgets?, log?);
    Ok(SpendReport {
        at: Iso(now),
        budgets_from: BUDGETS_FROM,
        codes,
        messages,
        hours_from: HOURS_FROM,
        hours: hours(&log, rules, now),
    })
}

/// What was spent of each budget of codes, and of that of the app's own messages: the cheap part of [`spend`].
///
/// # Errors
/// When storage fails.
pub async fn budgets(
    store: &Store,
    rules: &SpendRules,
    messages: &MessageRules,
    now: Timestamp,
) -> Result<(Vec<BudgetReport>, BudgetReport), StoreError> {
    let (shards, own_messages) = store.counters.budgets(rules.shards).await?;
    let shards: Vec<_> = shards.iter().map(|shard| shard.at(now)).collect();
    let spent = |scope: &str| shards.iter().map(|shard| shard.spent(scope)).sum::<Amounts>();
    let all = budget(ALL, true, rules.budgets.all, spent(ALL), (REGISTRATION_PERCENT, now));
    let countries = countries(rules, &shards).into_iter().map(|country| {
        let own = rules.budgets.countries.get(&country);
        let most = own.copied().unwrap_or(rules.budgets.all);
        budget(&country, own.is_some(), most, spent(&country), (REGISTRATION_PERCENT, now))
    });
    let messages = budget("messages", true, messages.budget, own_messages.at(now).spent(ALL), (0, now));
    Ok((std::iter::once(all).chain(countries).collect(), messages))
}

/// Those with a budget of their own, and those in which something was spent.
fn countries(rules: &SpendRules, shards: &[Counter]) -> BTreeSet<String> {
    let counted = shards.iter().flat_map(|shard| shard.counts.iter().filter(|(_, count)| **count > 0));
    let spent = counted.filter_map(|(name, _)| name.strip_suffix(MONTH)).filter(|scope| *scope != ALL);
    spent.map(str::to_owned).chain(rules.budgets.countries.keys().cloned()).collect()
}

/// `registrations`: the part of the budget that they may spend, in percent; 0 where there are none.
fn budget(
    scope: &str,
    is_own: bool,
    most: Amounts,
    spent: Amounts,
    (registrations, now): (i64, Timestamp),
) -> BudgetReport {
    let left =
        |most: Money, spent: Money| Usd(Money::from_millionths((most.as_millionths() - spent.as_millionths()).max(0)));
    let windows = most.each().into_iter().zip(spent.each()).map(|((window, most), (_, spent))| WindowReport {
        window,
        budget: Usd(most),
        spent: Usd(spent),
        left: left(most, spent),
        registrations_left: (registrations > 0).then(|| left(most * registrations / 100, spent)),
        percent: percent(spent.as_millionths(), most.as_millionths()),
        ends: Iso(end_of(window, now)),
    });
    BudgetReport { scope: scope.to_owned(), is_own, windows: windows.collect() }
}

/// The last hours, this one with them.
fn hours(log: &[DecisionLogEntry], rules: &SpendRules, now: Timestamp) -> Vec<HourReport> {
    let mut rows: BTreeMap<(i64, &str), HourReport> = BTreeMap::new();
    for DecisionLogEntry { inputs, decision, sent, .. } in log {
        let hour = hour_of(inputs.at);
        let is_stopped = matches!(decision.outcome, Outcome::Refuse | Outcome::Suppress);
        if hour <= hour_of(now) - HOURS || !(*sent || is_stopped) {
            continue;
        }
        let country = inputs.country.as_str();
        let row = rows.entry((-hour, country)).or_insert_with(|| HourReport {
            hour: Iso(end_of(Window::Hour, inputs.at).minus(HOUR)),
            country: country.to_owned(),
            messages: 0,
            segments: 0,
            cost: Usd::default(),
            stopped: 0,
        });
        row.stopped += i64::from(is_stopped);
        if *sent {
            row.messages += 1;
            row.segments += inputs.segments;
            row.cost.0 = row.cost.0 + rules.price(country, inputs.channel) * inputs.segments;
        }
    }
    rows.into_values().collect()
}

impl fmt::Display for SpendReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>6} {:>14} {:>14} {:>14} {:>18} {:>5}  ends",
            "US$", "", "spent", "budget", "left", "for registrations", "%"
        )?;
        for BudgetReport { scope, is_own, windows } in self.codes.iter().chain([&self.messages]) {
            for WindowReport { window, budget, spent, left, registrations_left, percent, ends } in windows {
                let registrations = registrations_left.map_or_else(|| "-".to_owned(), |left| left.to_string());
                let percent = percent.map_or_else(|| "-".to_owned(), |percent| percent.to_string());
                let (window, note) = (window.as_str(), if *is_own { "" } else { " (the budget of all)" });
                writeln!(
                    f,
                    "{scope:<10} {window:>6} {spent:>14} {budget:>14} {left:>14} {registrations:>18} {percent:>5}  {ends}{note}"
                )?;
            }
        }
        writeln!(f, "From {}.\n", self.budgets_from)?;
        writeln!(
            f,
            "{:<20} {:<7} {:>9} {:>9} {:>14} {:>8}",
            "codes, hour from", "country", "messages", "segments", "US$", "stopped"
        )?;
        for HourReport { hour, country, messages, segments, cost, stopped } in &self.hours {
            writeln!(f, "{hour:<20} {country:<7} {messages:>9} {segments:>9} {cost:>14} {stopped:>8}")?;
        }
        if self.hours.is_empty() {
            writeln!(f, "none in the last {HOURS} hours")?;
        }
        writeln!(f, "From {}.", self.hours_from)
    }
}
