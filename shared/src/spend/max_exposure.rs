//! What an attacker with any number of addresses and phone numbers can cost at most, from the settings alone. He has no key of `sendMessage`;
//! what its owner sends is not in it.

use super::SpendRules;
use super::budget::{Amounts, REGISTRATION_PERCENT};
use super::price::Money;
use crate::channel::Channel;
use crate::flow::Flow;
use phone_number::Country;

/// Days of the longest month.
const DAYS: i64 = 31;

/// The bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxExposure {
    /// Of every calendar hour, day and month (UTC).
    pub most: Amounts,
    /// What of it messages to unconfirmed phones can be.
    pub unconfirmed: Amounts,
    /// What a message or a call costs where it costs least: no more of them fit in an amount.
    pub cheapest: Money,
}

impl MaxExposure {
    /// Of these rules, where SMS go to these countries.
    pub fn of<'a>(rules: &SpendRules, countries: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        let sum: Amounts = countries.clone().into_iter().map(|country| rules.budgets.of(Flow::Login, country)[1]).sum();
        let all = rules.budgets.all;
        let hour = all.hour.min(sum.hour);
        let day = all.day.min(sum.day).min(hour * 24);
        let month = all.month.min(sum.month).min(day * DAYS);
        let most = Amounts { hour, day, month };
        let messages = countries.clone().into_iter().map(|country| rules.price(country, Channel::Sms));
        let can_be_called = |country: &&str| Country::parse(country).is_some_and(|country| rules.may_call(country));
        let calls = countries.into_iter().filter(can_be_called).map(|country| rules.price(country, Channel::Voice));
        let cheapest = messages.chain(calls).min().unwrap_or_default();
        Self { most, unconfirmed: most * REGISTRATION_PERCENT / 100, cheapest }
    }

    /// How many messages and calls an amount is at most.
    pub const fn messages(&self, amount: Money) -> i64 {
        match self.cheapest.as_millionths() {
            0 => 0,
            cheapest => amount.as_millionths() / cheapest,
        }
    }

    /// In any time that is as long, wherever it begins: two windows at most, and no more than the next longer window's two.
    pub fn in_any_window(&self) -> Amounts {
        let twice = self.most * 2;
        Amounts { hour: twice.hour.min(twice.day), day: twice.day.min(twice.month), month: twice.month }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Calls;
    use super::super::budget::Budgets;
    use super::super::price::Prices;
    use super::super::pumping::{Mode, Pumping, Threshold};
    use super::*;

    fn rules(all: &str, countries: &str) -> SpendRules {
        let threshold = Threshold::parse("20/2/30").unwrap();
        SpendRules {
            prices: Prices::parse("US=0.01,DE=0.1,*=0.25").unwrap(),
            calls: Calls { countries: Vec::new(), prices: Prices::parse("US=0.005,DE=0.05,*=0.5").unwrap() },
            budgets: Budgets::parse(all, countries).unwrap(),
            shards: 4,
            pumping: Pumping {
                prefix_mode: Mode::Monitor,
                country_mode: Mode::Monitor,
                prefix: threshold,
                country: threshold,
            },
        }
    }

    #[test]
    fn each_window_is_bounded_by_all_others() {
        let most = |all, countries, served: &[&'static str]| {
            MaxExposure::of(&rules(all, countries), served.iter().copied()).most
        };
        let amounts = |text: &str| Amounts::parse(text).unwrap();
        assert_eq!(most("5/25/250", "", &["US", "CA"]), amounts("5/25/250"));
        assert_eq!(most("1/100/10000", "", &["US"]), amounts("1/24/744"), "an hour bounds the others");
        assert_eq!(most("5/25/250", "US=1/2/3,DE=1/2/4", &["US", "DE"]), amounts("2/4/7"), "the countries bound all");
        assert_eq!(most("5/25/250", "US=1/2/3", &["US", "DE"]), amounts("5/25/250"), "one without bounds does not");
    }

    #[test]
    fn messages_are_counted_at_the_lowest_price() {
        let exposure = MaxExposure::of(&rules("5/25/250", ""), ["US", "DE"]);
        assert_eq!(exposure.messages(exposure.most.hour), 500);
        assert_eq!(exposure.unconfirmed, Amounts::parse("4/20/200").unwrap());
    }

    #[test]
    fn calls_count_where_they_may_go() {
        let hour = |called: &str, served: &[&'static str]| {
            let mut rules = rules("5/25/250", "");
            rules.calls.countries = Country::parse(called).into_iter().collect();
            let exposure = MaxExposure::of(&rules, served.iter().copied());
            exposure.messages(exposure.most.hour)
        };
        assert_eq!(hour("US", &["US", "DE"]), 1000, "a call costs half an SMS");
        assert_eq!(hour("DE", &["US", "DE"]), 500);
        assert_eq!(hour("US", &["DE"]), 50, "where no SMS goes, no call does");
    }
}
