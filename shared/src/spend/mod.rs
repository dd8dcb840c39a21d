//! Whether a code message may be sent, and what that costs: pure decisions on numbers that the store keeps. Nothing here calls anybody, so that
//! a decision can be made again from its log entry.
//!
//! | module | for |
//! |---|---|
//! | [`price`] | amounts of money, and the price of a message or a call by country |
//! | [`budget`] | how much may be spent in an hour, a day and a month |
//! | [`counter`] | what was spent, sent and verified so far |
//! | [`pumping`] | the decision about a message: by budgets, and by what looks pumped |
//! | [`reservation`] | the money that a message takes before it is sent |
//! | [`kill_switch`] | what is switched off |
//! | [`max_exposure`] | what an attacker can cost at most |

pub mod budget;
pub mod counter;
pub mod kill_switch;
pub mod max_exposure;
pub mod price;
pub mod pumping;
pub mod reservation;

use budget::{Amounts, Budgets, REGISTRATION_PERCENT, Window};
use counter::{ALL, Counter, VersionedCounter, Volume, country_volume_scope, end_of, volume_scope};
use price::{Money, Prices};
use pumping::{Decision, Inputs, Pumping, Rule, Spent};

use phone_number::Country;

use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::flow::Flow;

/// The rules by which a send is decided: all of them are settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRules {
    /// What a segment of an SMS costs.
    pub prices: Prices,
    /// Where calls may go, and what they cost.
    pub calls: Calls,
    /// What may be spent.
    pub budgets: Budgets,
    /// The number of shards of the budgets, 1 to `budget::MAX_SHARDS`.
    pub shards: usize,
    /// What looks like pumping, and what follows.
    pub pumping: Pumping,
}

/// Where calls that read a code aloud may go, and what one costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// The countries; none means that there are no calls.
    pub countries: Vec<Country>,
    /// What a call costs, by country.
    pub prices: Prices,
}

/// A message that a start would send, or a call that it would make.
#[derive(Debug, Clone, Copy)]
pub struct SpendRequest<'a> {
    /// The flow that it belongs to.
    pub flow: Flow,
    /// The country that it goes to, in two letters.
    pub country: &'a str,
    /// How it goes there.
    pub channel: Channel,
    /// How many SMS segments its text takes; of a call, one.
    pub segments: i64,
    /// The time of the start.
    pub now: Timestamp,
    /// Whether the client has passed a captcha.
    pub captcha_passed: bool,
}

/// A decision with its inputs.
#[derive(Debug)]
pub struct Decided {
    /// What it was based on.
    pub inputs: Inputs,
    /// The decision.
    pub decision: Decision,
    /// How much of the fullest budget is spent, in percent.
    pub percent_spent: i64,
}

impl SpendRequest<'_> {
    /// What it costs.
    pub fn price(&self, rules: &SpendRules) -> Money {
        rules.price(self.country, self.channel) * self.segments
    }
}

impl SpendRules {
    /// Decides by the shards and the prefix's counter as they were read. For the country's volume and the percentage, the shards that were not
    /// read are assumed to hold as much as these.
    pub fn decide(
        &self,
        request: &SpendRequest<'_>,
        shards: &[(usize, VersionedCounter)],
        prefix: &VersionedCounter,
    ) -> Decided {
        let SpendRequest { flow, country, channel, segments, now, captcha_passed } = *request;
        let shards: Vec<_> = shards.iter().map(|(_, shard)| shard.counter.at(now)).collect();
        let (all, read) = (to_i64(self.shards), to_i64(shards.len()).max(1));
        let scope = country_volume_scope(flow, country);
        let volume: Volume = shards.iter().map(|shard| shard.volume(&scope)).sum();
        let inputs = Inputs {
            at: now,
            flow,
            country: country.to_owned(),
            channel,
            segments,
            shards: shards.iter().map(|shard| spent(shard, country)).collect(),
            country_volume: volume * all / read,
            prefix_volume: prefix.counter.at(now).volume(volume_scope(flow)),
            captcha_passed,
        };
        let decision = self.decide_on(&inputs);
        let sum = |of: fn(&Spent) -> Amounts| inputs.shards.iter().map(of).sum::<Amounts>() * all / read;
        let [budget, own] = self.budgets.of(Flow::Login, country);
        let percent = budget.percent(sum(|spent| spent.all)).max(own.percent(sum(|spent| spent.country)));
        let is_refused = matches!(decision.rule, Some(Rule::Budget | Rule::CountryBudget));
        let least = match (is_refused, flow.is_for_confirmed_phones()) {
            (true, true) => 100,
            (true, false) => REGISTRATION_PERCENT,
            (false, _) => 0,
        };
        Decided { inputs, decision, percent_spent: percent.max(least) }
    }
}

impl Decision {
    /// When a retry is worthwhile, in seconds: when the spent window ends, or the hour, after which a suspension is decided again.
    pub fn retry_after(&self, now: Timestamp) -> u64 {
        retry_after(self.window.unwrap_or(Window::Hour), now)
    }
}

/// When this window ends, in seconds.
pub(crate) fn retry_after(window: Window, now: Timestamp) -> u64 {
    let millis = u64::try_from(now.until(end_of(window, now)).as_millis()).unwrap_or(u64::MAX);
    millis.div_ceil(1000).max(1)
}

fn spent(shard: &Counter, country: &str) -> Spent {
    Spent { all: shard.spent(ALL), country: shard.spent(country) }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
