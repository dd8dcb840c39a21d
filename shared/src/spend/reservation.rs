//! The money that a message or a call takes from the budgets before it is sent.

use super::counter::{ALL, Addition, Field, VersionedCounter, country_volume_scope, spent_fields};
use super::pumping::Spent;
use super::{SpendRequest, SpendRules, spent};

/// What a message takes from one shard. One that is not to be sent takes nothing, and checks the same condition.
#[derive(Debug)]
pub struct Reservation {
    /// The amounts, each on condition that its budget's part is not exceeded.
    pub additions: Vec<Addition>,
    /// The shards that had room when they were read, the one that has spent least first.
    pub shards: Vec<(usize, VersionedCounter)>,
}

impl Reservation {
    /// `is_sent`: whether it costs anything; `is_counted`: whether it adds one to its country's messages.
    pub fn new(
        rules: &SpendRules,
        request: &SpendRequest<'_>,
        mut shards: Vec<(usize, VersionedCounter)>,
        is_sent: bool,
        is_counted: bool,
    ) -> Self {
        let SpendRequest { flow, country, now, .. } = *request;
        let cost = request.price(rules);
        let price = cost.as_millionths();
        let taken = if is_sent { price } else { 0 };
        let mut additions = Vec::new();
        for (budget, scope) in rules.shard_budgets(flow, country).into_iter().zip([ALL, country]) {
            for (name, (_, budget)) in spent_fields(scope).into_iter().zip(budget.each()) {
                // The same condition, whether or not anything is taken.
                let max = budget.as_millionths() - price + taken;
                additions.push(Addition { name, amount: taken, max: Some(max) });
            }
        }
        let name = Field::Sends.of(&country_volume_scope(flow, country));
        additions.push(Addition { name, amount: i64::from(is_counted), max: None });
        let spent = |shard: &VersionedCounter| spent(&shard.counter.at(now), country);
        shards.retain(|(_, shard)| rules.room(flow, country, cost, spent(shard)).is_ok());
        // By month, which evens out days and hours as well.
        shards.sort_by_cached_key(|(_, shard)| {
            let Spent { all, country } = spent(shard);
            (country.month, all.month)
        });
        Self { additions, shards }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::channel::Channel;
    use crate::clock::Timestamp;
    use crate::flow::Flow;
    use crate::spend::budget::{Budgets, SHARDS_READ, Window, shards_of};
    use crate::spend::counter::{hour_of, month_of};
    use crate::spend::max_exposure::MaxExposure;
    use crate::spend::price::{Money, Prices};
    use crate::spend::pumping::{Mode, Outcome, Pumping, Threshold};
    use crate::spend::{Calls, to_i64};

    const COUNTRIES: [&str; 3] = ["US", "GB", "DE"];

    fn rules(budget: (i64, i64, i64), own: (i64, i64, i64), shards: usize) -> SpendRules {
        let text = |(hour, day, month): (i64, i64, i64)| {
            [hour, day, month].map(|cents| Money::from_millionths(cents * 10_000).to_string()).join("/")
        };
        let threshold = Threshold::parse("20/2/30").unwrap();
        SpendRules {
            prices: Prices::parse("US=0.0077,GB=0.04,*=0.1").unwrap(),
            calls: Calls { countries: Vec::new(), prices: Prices::parse("US=0.0115,GB=0.03,*=0.15").unwrap() },
            budgets: Budgets::parse(&text(budget), &format!("GB={}", text(own))).unwrap(),
            shards,
            pumping: Pumping {
                prefix_mode: Mode::Monitor,
                country_mode: Mode::Monitor,
                prefix: threshold,
                country: threshold,
            },
        }
    }

    /// Takes what a start would take from shards in memory, as the store does.
    fn take(
        rules: &SpendRules,
        shards: &mut BTreeMap<usize, VersionedCounter>,
        request: &SpendRequest<'_>,
        phone: u8,
    ) -> bool {
        let read = shards_of([phone; 8], rules.shards).into_iter();
        let read: Vec<_> = read.map(|shard| (shard, shards.get(&shard).cloned().unwrap_or_default())).collect();
        let decided = rules.decide(request, &read, &VersionedCounter::default());
        if decided.decision.outcome == Outcome::Refuse {
            return false;
        }
        let reservation = Reservation::new(rules, request, read, true, true);
        for (shard, counter) in &reservation.shards {
            let mut counter = counter.counter.at(request.now);
            if reservation.additions.iter().all(|addition| addition.fits(&counter)) {
                for addition in &reservation.additions {
                    *counter.counts.entry(addition.name.clone()).or_default() += addition.amount;
                }
                shards.entry(*shard).or_default().counter = counter;
                return true;
            }
        }
        false
    }

    proptest! {
        /// Whatever anybody starts, for any number and at any time, costs no more than the maximum exposure in any hour, day or month; and
        /// nobody is refused by money while more is left than three messages of two segments to each country in each shard, any of which may be
        /// calls.
        #[test]
        fn no_attacker_costs_more_than_the_maximum_exposure(
            budget in (1..60_i64, 1..300_i64, 1..900_i64),
            own in (1..60_i64, 1..300_i64, 1..900_i64),
            shards in 1..10_usize,
            steps in prop::collection::vec((0..40_000_u64, (0..3_usize, 0..3_i64), 0..3_usize, any::<u8>(), 1..40_usize), 1..60),
        ) {
            let rules = rules(budget, own, shards);
            let exposure = MaxExposure::of(&rules, COUNTRIES);
            let (mut shards, mut now) = (BTreeMap::<usize, VersionedCounter>::new(), Timestamp::from_millis(1_796_076_000_000));
            let mut spent: BTreeMap<(Window, i64), i64> = BTreeMap::new();
            for (wait, (country, segments), flow, phone, times) in steps {
                now = now.plus(Duration::from_secs(wait));
                let flow = [Flow::Register, Flow::Login, Flow::SecondFactor][flow];
                // No segments: a call.
                let (channel, segments) = if segments == 0 { (Channel::Voice, 1) } else { (Channel::Sms, segments) };
                let request =
                    SpendRequest { flow, country: COUNTRIES[country], channel, segments, now, captcha_passed: false };
                let price = request.price(&rules);
                let hour = hour_of(now);
                for _ in 0..times {
                    if !take(&rules, &mut shards, &request, phone) {
                        if rules.shards > SHARDS_READ {
                            break;
                        }
                        let counter: Vec<_> = shards.values().map(|shard| shard.counter.at(now)).collect();
                        let budgets = rules.budgets.of(flow, request.country);
                        // Three messages of two segments to each country, in each shard. No call costs more than two segments.
                        let each = COUNTRIES.iter().map(|country| rules.price(country, Channel::Sms)).sum::<Money>();
                        let stranded = each * (6 * to_i64(rules.shards));
                        let is_near = [ALL, request.country].into_iter().zip(budgets).any(|(scope, budget)| {
                            let spent = counter.iter().map(|shard| shard.spent(scope)).sum();
                            budget.room(spent, stranded).is_err()
                        });
                        prop_assert!(is_near, "{request:?} {counter:?} {budgets:?}");
                        break;
                    }
                    for window in [(Window::Hour, hour), (Window::Day, hour.div_euclid(24)), (Window::Month, month_of(hour))] {
                        *spent.entry(window).or_default() += price.as_millionths();
                    }
                }
                for ((window, _), spent) in &spent {
                    let most = exposure.most.each().into_iter().find(|(of, _)| of == window).unwrap().1;
                    prop_assert!(*spent <= most.as_millionths(), "{window:?}: {spent} of {most}");
                }
            }
        }
    }
}
