//! From what a start has read to a decision, and the money that it takes. Uses `sending`, `store`'s tallies.

use crate::clock::Timestamp;
use crate::logging;
use crate::metrics::{Metric, Metrics};
use crate::sending::budget::{Amounts, PARTS, REGISTRATION_PERCENT, SLICES};
use crate::sending::decision::{Decision, Inputs, Outcome, Rule, Window};
use crate::sending::money::Money;
use crate::sending::tally::{ALL, Count, Tally, end_of};
use crate::sending::{Flow, Rules};
use crate::store::{Addition, Kept, PhoneKey, StoreError, Tallies, TallyKey};

/// Who asks for a message.
pub(super) struct Asked<'a> {
    pub flow: Flow,
    pub country: &'a str,
    pub phone: PhoneKey,
    pub now: Timestamp,
}

/// Decides on the slices and the prefix's tally as they were read; and how much of the fullest budget is spent, in hundredths.
pub(super) fn decide(
    rules: &Rules,
    asked: &Asked<'_>,
    slices: &[Kept; SLICES],
    prefix: &Kept,
) -> (Inputs, Decision, i64) {
    let now = asked.now;
    let slices = slices.each_ref().map(|slice| slice.tally.at(now));
    let sum = |scope| slices.iter().fold(Amounts::default(), |sum, slice| sum.plus(slice.spent(scope)));
    let scope = asked.flow.scope_in(asked.country);
    let volumes = slices.iter().map(|slice| slice.volume(&scope));
    let inputs = Inputs {
        at: now,
        flow: asked.flow,
        country: asked.country.to_owned(),
        spent: sum(ALL),
        spent_country: sum(asked.country),
        country_volume: volumes.reduce(|sum, volume| sum.plus(volume)).unwrap_or_default(),
        prefix_volume: prefix.tally.at(now).volume(asked.flow.scope()),
    };
    let mut decision = rules.decide(&inputs);
    let price = rules.price(asked.country);
    // The sum may have room where no slice has.
    if slices.iter().all(|slice| room(rules, asked, slice, price).is_err())
        && decision.outcome != Outcome::Refuse
        && let Err((rule, window)) = room(rules, asked, &slices[0], price)
    {
        decision = Decision { outcome: Outcome::Refuse, rule: Some(rule), window: Some(window) };
    }
    let budgets = rules.budgets.of(Flow::Login, asked.country);
    let used = budgets[0].percent(inputs.spent).max(budgets[1].percent(inputs.spent_country));
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
    let window = decision.window.map_or(Window::Hour.word(), Window::word);
    let millis = u64::try_from(now.until(end_of(window, now)).as_millis()).unwrap_or(u64::MAX);
    millis.div_ceil(1000).max(1)
}

/// Whether a slice has room for one more message.
fn room(rules: &Rules, asked: &Asked<'_>, slice: &Tally, price: Money) -> Result<(), (Rule, Window)> {
    let budgets = rules.budgets.of(asked.flow, asked.country).map(part);
    let scopes = [(ALL, Rule::Budget), (asked.country, Rule::CountryBudget)];
    for (budget, (scope, rule)) in budgets.into_iter().zip(scopes) {
        budget.room(slice.spent(scope), price).map_err(|window| (rule, Window::named(window)))?;
    }
    Ok(())
}

/// A slice's part of a budget.
fn part(budget: Amounts) -> Amounts {
    budget.map(|amount| amount.part_of(PARTS))
}

/// What a message takes from the budgets before it is sent: nothing, where it is not to be sent, on the same condition.
pub(super) struct Reservation {
    additions: Vec<Addition>,
    /// The slices that had room when they were read, the phone's own first.
    slices: Vec<(usize, Kept)>,
}

impl Reservation {
    pub(super) fn new(rules: &Rules, asked: &Asked<'_>, slices: [Kept; SLICES], sends: bool) -> Self {
        let price = rules.price(asked.country);
        let taken = if sends { price.as_millionths() } else { 0 };
        let mut additions = Vec::new();
        for (budget, scope) in
            rules.budgets.of(asked.flow, asked.country).map(part).into_iter().zip([ALL, asked.country])
        {
            let counts = [Count::SpentHour, Count::SpentDay, Count::SpentMonth];
            for (count, (_, most)) in counts.into_iter().zip(budget.each()) {
                // The same condition, whether or not anything is taken.
                let most = most.as_millionths() - price.as_millionths() + taken;
                additions.push(Addition { name: count.of(scope), amount: taken, most: Some(most) });
            }
        }
        let sends = i64::from(sends);
        additions.push(Addition {
            name: Count::Sends.of(&asked.flow.scope_in(asked.country)),
            amount: sends,
            most: None,
        });
        let own = usize::from(asked.phone.0[0]) % SLICES;
        let mut numbered: Vec<_> = slices.into_iter().enumerate().collect();
        numbered.rotate_left(own);
        numbered.retain(|(_, slice)| room(rules, asked, &slice.tally.at(asked.now), price).is_ok());
        Self { additions, slices: numbered }
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
pub(super) const fn slice_of(phone: PhoneKey) -> TallyKey {
    TallyKey::Slice(phone.0[0] as usize % SLICES)
}
