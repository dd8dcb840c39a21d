//! Budgets: how much code messages may cost an hour, a day and a month, in all and by country. Windows are calendar windows in UTC, like those
//! of bills. So within any 60 minutes that cross an hour's end, up to two hourly budgets can be spent; likewise for days and months.
//!
//! **Two limits.** Registrations, whose phones nobody has confirmed, may spend [`REGISTRATION_PERCENT`] of each budget. Logins, which go only
//! to confirmed phones, may spend all of it.
//!
//! **Shards.** What was spent is kept in `BUDGET_SHARDS` items (default four), since one item takes 1,000 writes a second, and a login makes
//! two. Each shard may spend its share of every budget, enforced by a condition of the write, so together they never exceed the budget: the
//! largest overspend is 0 messages. A start reads four shards, its phone's own and the next three, reserves from the one that has spent least
//! and has room, and is refused when none of the four has room for one more message. With four shards, these are all of them, and they fill
//! evenly: a start can be refused up to three messages before the budget is spent, or up to three a shard for each country that is called.
//! With more shards, another one may still have room. Settings with many shards are for rates at which that hardly matters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use derive_more::{Add, Div, Mul, Sum};
use phone_number::Country;

use super::price::Money;
use crate::flow::Flow;
use strum::IntoStaticStr;

/// The most shards that a start reads.
pub const SHARDS_READ: usize = 4;
/// The most shards there may be: enough for 100,000 logins a second, with one for each 25.
pub const MAX_SHARDS: usize = 4096;
/// The share of each budget that registrations may spend.
pub const REGISTRATION_PERCENT: i64 = 80;

/// What a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Window {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Window {
    /// The word in logs and tables.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An amount for each window: a budget, or what was spent of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Add, Mul, Div, Sum)]
pub struct Amounts {
    /// In this hour.
    pub hour: Money,
    /// In this day.
    pub day: Money,
    /// In this month.
    pub month: Money,
}

impl Amounts {
    /// Each window's.
    pub const fn each(&self) -> [(Window, Money); 3] {
        [(Window::Hour, self.hour), (Window::Day, self.day), (Window::Month, self.month)]
    }

    /// Whether this price fits in every window; otherwise the first window in which it does not.
    pub fn room(&self, spent: Self, price: Money) -> Result<(), Window> {
        let windows = self.each().into_iter().zip(spent.each());
        let full = windows.into_iter().find(|((_, most), (_, spent))| *spent + price > *most);
        full.map_or(Ok(()), |((window, _), _)| Err(window))
    }

    /// How much of the fullest window is spent, in hundredths, rounded down.
    pub fn percent(&self, spent: Self) -> i64 {
        let used = |(most, spent): (Money, Money)| match most.as_millionths() {
            0 => 100,
            most => spent.as_millionths().saturating_mul(100) / most,
        };
        let windows = self.each().into_iter().zip(spent.each()).map(|((_, most), (_, spent))| used((most, spent)));
        windows.max().unwrap_or_default()
    }

    /// Reads `5/25/250`: an hour's, a day's and a month's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be amounts in US$ for an hour, a day and a month like 5/25/250, not '{text}'");
        let amounts: Vec<Money> =
            text.split('/').map(|part| part.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        match amounts[..] {
            [hour, day, month] => Ok(Self { hour, day, month }),
            _ => Err(wrong()),
        }
    }
}

/// The shards that a start reads whose phone's key begins with these bytes: its own first.
pub fn shards_of(key: [u8; 8], shards: usize) -> Vec<usize> {
    let own = usize::from(u16::from_be_bytes([key[0], key[1]]));
    (0..SHARDS_READ.min(shards)).map(|next| (own + next) % shards).collect()
}

/// All budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    /// For all countries together.
    pub all: Amounts,
    /// For those that have one of their own.
    pub countries: BTreeMap<String, Amounts>,
}

impl Budgets {
    /// Reads the budget for all, and those of countries: `DE=1/5/50,FR=1/5/50`, or nothing. Of two for one country, the last counts.
    ///
    /// # Errors
    /// Which of the two is wrong (`true`: the countries'), and how.
    pub fn parse(all: &str, countries: &str) -> Result<Self, (bool, String)> {
        let all = Amounts::parse(all).map_err(|problem| (false, problem))?;
        let mut own = BTreeMap::new();
        for entry in countries.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let wrong = || (true, format!("must hold a country and its budget like DE=1/5/50, not '{entry}'"));
            let (country, budget) = entry.split_once('=').ok_or_else(wrong)?;
            Country::parse(country).ok_or_else(wrong)?;
            let budget = Amounts::parse(budget).map_err(|problem| (true, problem))?;
            own.insert(country.to_owned(), budget);
        }
        Ok(Self { all, countries: own })
    }

    /// What a flow may spend in a country: in all countries together, and there.
    pub fn of(&self, flow: Flow, country: &str) -> [Amounts; 2] {
        let percent = if flow.is_for_confirmed_phones() { 100 } else { REGISTRATION_PERCENT };
        let own = self.countries.get(country).copied().unwrap_or(self.all);
        [self.all, own].map(|budget| budget * percent / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in ["", "5", "5/25", "5/25/250/1", "5//250", "a/b/c", "-1/1/1"] {
            assert!(Amounts::parse(text).is_err(), "{text}");
        }
        for countries in ["DE", "DE=5", "XX=1/2/3", "=1/2/3"] {
            assert!(Budgets::parse("5/25/250", countries).unwrap_err().0, "{countries}");
        }
        assert!(!Budgets::parse("5/25", "DE=1/2/3").unwrap_err().0);
    }

    #[test]
    fn a_country_has_its_own_budget_or_that_of_all() {
        let budgets = Budgets::parse("10/10/10", "DE=1/2/3").unwrap();
        assert_eq!(
            budgets.of(Flow::Login, "DE"),
            [Amounts::parse("10/10/10").unwrap(), Amounts::parse("1/2/3").unwrap()]
        );
        assert_eq!(budgets.of(Flow::Login, "US"), [Amounts::parse("10/10/10").unwrap(); 2]);
        assert_eq!(budgets.of(Flow::Register, "US"), [Amounts::parse("8/8/8").unwrap(); 2]);
    }

    #[test]
    fn every_shard_is_some_phone_s_own_and_four_are_read() {
        for shards in [1, 3, 4, 256] {
            // as many as one byte tells apart
            let own = |byte: u8| shards_of([0, byte, 0, 0, 0, 0, 0, 0], shards);
            let all: std::collections::BTreeSet<_> = (0..=255).map(|byte| own(byte)[0]).collect();
            assert_eq!(all.len(), shards);
            assert_eq!(own(7).len(), SHARDS_READ.min(shards));
            assert!(own(255).iter().all(|shard| *shard < shards));
        }
    }

    #[test]
    fn the_fullest_window_counts() {
        let budget = Amounts::parse("1/10/100").unwrap();
        let spent = Amounts::parse("0.5/9/20").unwrap();
        assert_eq!(budget.percent(spent), 90);
        assert_eq!(budget.room(spent, "1".parse().unwrap()), Err(Window::Hour));
        assert_eq!(budget.room(spent, "0.5".parse().unwrap()), Ok(()));
        assert_eq!(Amounts::default().percent(Amounts::default()), 100, "of nothing, all is spent");
    }
}
