//! From what a start has read to a decision, and the money that it takes. Uses `sending`, `store`'s tallies.

use crate::clock::Timestamp;
use crate::logging;
use crate::metrics::{Metric, Metrics};
use crate::sending::budget::{Amounts, REGISTRATION_PERCENT, Window, slices_of};
use crate::sending::decision::{Decision, Inputs, Rule, Spent};
use crate::sending::tally::{ALL, Count, Tally, end_of};
use crate::sending::{Flow, Rules};
use crate::store::{Addition, Kept, PhoneKey, StoreError, Tallies, TallyKey};

/// Who asks for a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub flow: Flow,
    pub country: &'a str,
    pub now: Timestamp,
}

/// Decides on the slices and the prefix's tally as they were read. Also answers how much of the fullest budget is spent, in hundredths; slices
/// that were not read are taken to be like these, there and for the country's volume.
pub(super) fn decide(
    rules: &Rules,
    asked: &Asked<'_>,
    slices: &[(usize, Kept)],
    prefix: &Kept,
) -> (Inputs, Decision, i64) {
    let now = asked.now;
    let slices: Vec<_> = slices.iter().map(|(_, slice)| slice.tally.at(now)).collect();
    let (all, read) = (count_of(rules.slices), count_of(slices.len()).max(1));
    let scope = asked.flow.scope_in(asked.country);
    let volumes = slices.iter().map(|slice| slice.volume(&scope));
    let inputs = Inputs {
        at: now,
        flow: asked.flow,
        country: asked.country.to_owned(),
        slices: slices.iter().map(|slice| spent(slice, asked)).collect(),
        country_volume: volumes.reduce(|sum, volume| sum.plus(volume)).unwrap_or_default().times(all).part_of(read),
        prefix_volume: prefix.tally.at(now).volume(asked.flow.scope()),
    };
    let decision = rules.decide(&inputs);
    let sum = |of: fn(&Spent) -> Amounts| {
        let sum = inputs.slices.iter().fold(Amounts::default(), |sum, spent| sum.plus(of(spent)));
        sum.map(|amount| amount.times(all).part_of(read))
    };
    let [budget, own] = rules.budgets.of(Flow::Login, asked.country);
    let used = budget.percent(sum(|spent| spent.all)).max(own.percent(sum(|spent| spent.country)));
    let refused = matches!(decision.rule, Some(Rule::Budget | Rule::CountryBudget));
    let least = match (refused, asked.flow.is_to_confirmed()) {
        (true, true) => 100,
        (true, false) => REGISTRATION_PERCENT,
        (false, _) => 0,
    };
    (inputs, decision, used.max(least))
}

/// Counts what was decided.
pub(super) fn count(metrics: &Metrics, decision: &Decision, percent: i64, now: Timestamp) {
    metrics.count(Metric::Budget(usize::try_from(percent).unwrap_or_default()), now);
    if let Some(rule) = decision.rule {
        metrics.count(Metric::Suspected(rule.word()), now);
    }
}

/// When it is worth asking again: when the full window ends; a suspension is looked at anew with each hour.
pub(super) fn retry_after(decision: &Decision, now: Timestamp) -> u64 {
    let window = decision.window.unwrap_or(Window::Hour);
    let millis = u64::try_from(now.until(end_of(window, now)).as_millis()).unwrap_or(u64::MAX);
    millis.div_ceil(1000).max(1)
}

fn spent(slice: &Tally, asked: &Asked<'_>) -> Spent {
    Spent { all: slice.spent(ALL), country: slice.spent(asked.country) }
}

fn count_of(slices: usize) -> i64 {
    i64::try_from(slices).unwrap_or(i64::MAX)
}

/// What a message takes from the budgets before it is sent: nothing, where it is not to be sent, on the same condition.
pub(super) struct Reservation {
    additions: Vec<Addition>,
    /// The slices that had room when they were read, the one that has spent least first.
    slices: Vec<(usize, Kept)>,
}

impl Reservation {
    /// `sends`: whether it costs anything; `counts`: whether it is a message of its country.
    pub(super) fn new(
        rules: &Rules,
        asked: &Asked<'_>,
        mut slices: Vec<(usize, Kept)>,
        sends: bool,
        counts: bool,
    ) -> Self {
        let price = rules.price(asked.country);
        let taken = if sends { price.as_millionths() } else { 0 };
        let mut additions = Vec::new();
        for (budget, scope) in rules.slice_of(asked.flow, asked.country).into_iter().zip([ALL, asked.country]) {
            let counts = [Count::SpentHour, Count::SpentDay, Count::SpentMonth];
            for (count, (_, most)) in counts.into_iter().zip(budget.each()) {
                // The same condition, whether or not anything is taken.
                let most = most.as_millionths() - price.as_millionths() + taken;
                additions.push(Addition { name: count.of(scope), amount: taken, most: Some(most) });
            }
        }
        let name = Count::Sends.of(&asked.flow.scope_in(asked.country));
        additions.push(Addition { name, amount: i64::from(counts), most: None });
        let spent = |slice: &Kept| spent(&slice.tally.at(asked.now), asked);
        slices.retain(|(_, slice)| rules.room(asked.flow, asked.country, spent(slice)).is_ok());
        // Alike in a month, they are alike in each day and hour.
        slices.sort_by_cached_key(|(_, slice)| {
            let Spent { all, country } = spent(slice);
            (country.month, all.month)
        });
        Self { additions, slices }
    }

    /// Takes it from the first slice that still has room; `None` when none has. More than one is asked only while a budget ends.
    pub(super) async fn take(&self, tallies: &Tallies, now: Timestamp) -> Result<Option<usize>, StoreError> {
        for (slice, kept) in &self.slices {
            if tallies.add(TallyKey::Slice(*slice), kept.clone(), &self.additions, now).await? {
                return Ok(Some(*slice));
            }
        }
        Ok(None)
    }

    /// Gives it back. What cannot be given back is logged: then there is less left than there might be.
    pub(super) async fn give_back(&self, tallies: &Tallies, slice: usize, now: Timestamp) {
        if let Err(error) = tallies.give_back(TallyKey::Slice(slice), &self.additions, now).await {
            tracing::warn!(cause = logging::chain(&error), "money for a message that is not sent stays reserved");
        }
    }
}

/// Where a phone's verified codes are counted.
pub(super) fn slice_of(rules: &Rules, phone: PhoneKey) -> TallyKey {
    TallyKey::Slice(slices_of(phone.0, rules.slices).first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::sending::budget::{Budgets, READ};
    use crate::sending::decision::{Mode, Outcome, Pumping, Threshold};
    use crate::sending::money::{Money, Prices};
    use crate::sending::tally::{hour_of, month_of};
    use crate::sending::worst_case::WorstCase;

    const COUNTRIES: [&str; 3] = ["US", "GB", "DE"];

    fn rules(budget: (i64, i64, i64), own: (i64, i64, i64), slices: usize) -> Rules {
        let text = |(hour, day, month): (i64, i64, i64)| {
            [hour, day, month].map(|cents| Money::from_millionths(cents * 10_000).to_string()).join("/")
        };
        let threshold = Threshold::parse("20/2/30").unwrap();
        Rules {
            prices: Prices::parse("US=0.0077,GB=0.04,*=0.1").unwrap(),
            budgets: Budgets::parse(&text(budget), &format!("GB={}", text(own))).unwrap(),
            slices,
            pumping: Pumping { mode: Mode::Monitor, prefix: threshold, country: threshold },
        }
    }

    /// Takes what a start would take from slices in memory, as the store does.
    fn take(rules: &Rules, slices: &mut BTreeMap<usize, Kept>, asked: &Asked<'_>, phone: u8) -> bool {
        let read = slices_of([phone; 8], rules.slices).into_iter();
        let read: Vec<_> = read.map(|slice| (slice, slices.get(&slice).cloned().unwrap_or_default())).collect();
        let (_, decision, _) = decide(rules, asked, &read, &Kept::default());
        if decision.outcome == Outcome::Refuse {
            return false;
        }
        let reservation = Reservation::new(rules, asked, read, true, true);
        for (slice, kept) in &reservation.slices {
            let mut tally = kept.tally.at(asked.now);
            if reservation.additions.iter().all(|addition| addition.fits(&tally)) {
                for addition in &reservation.additions {
                    *tally.counts.entry(addition.name.clone()).or_default() += addition.amount;
                }
                slices.entry(*slice).or_default().tally = tally;
                return true;
            }
        }
        false
    }

    proptest! {
        /// Whoever starts whatever flow for whatever number whenever costs no more than the worst case in any hour, day or month; and
        /// nobody is refused by money while more is left than three messages to each country in each slice.
        #[test]
        fn no_attacker_costs_more_than_the_worst_case(
            budget in (1..60_i64, 1..300_i64, 1..900_i64),
            own in (1..60_i64, 1..300_i64, 1..900_i64),
            slices in 1..10_usize,
            steps in prop::collection::vec((0..40_000_u64, 0..3_usize, 0..3_usize, any::<u8>(), 1..40_usize), 1..60),
        ) {
            let rules = rules(budget, own, slices);
            let worst = WorstCase::of(&rules, COUNTRIES);
            let (mut slices, mut now) = (BTreeMap::<usize, Kept>::new(), Timestamp::from_millis(1_796_076_000_000));
            let mut spent: BTreeMap<(Window, i64), i64> = BTreeMap::new();
            for (wait, country, flow, phone, times) in steps {
                now = now.plus(Duration::from_secs(wait));
                let flow = [Flow::Register, Flow::Login, Flow::SecondFactor][flow];
                let asked = Asked { flow, country: COUNTRIES[country], now };
                let price = rules.price(asked.country);
                let hour = hour_of(now);
                for _ in 0..times {
                    if !take(&rules, &mut slices, &asked, phone) {
                        if rules.slices > READ {
                            break;
                        }
                        let kept: Vec<_> = slices.values().map(|slice| slice.tally.at(now)).collect();
                        let budgets = rules.budgets.of(flow, asked.country);
                        // Three messages to each country, in each slice.
                        let each = COUNTRIES.iter().fold(Money::default(), |sum, country| sum.plus(rules.price(country)));
                        let stranded = each.times(3 * count_of(rules.slices));
                        let is_near = [ALL, asked.country].into_iter().zip(budgets).any(|(scope, budget)| {
                            let spent = kept.iter().fold(Amounts::default(), |sum, slice| sum.plus(slice.spent(scope)));
                            budget.room(spent, stranded).is_err()
                        });
                        prop_assert!(is_near, "{asked:?} {kept:?} {budgets:?}");
                        break;
                    }
                    for window in [(Window::Hour, hour), (Window::Day, hour.div_euclid(24)), (Window::Month, month_of(hour))] {
                        *spent.entry(window).or_default() += price.as_millionths();
                    }
                }
                for ((window, _), spent) in &spent {
                    let most = worst.most.each().into_iter().find(|(of, _)| of == window).unwrap().1;
                    prop_assert!(*spent <= most.as_millionths(), "{window:?}: {spent} of {most}");
                }
            }
        }
    }
}
