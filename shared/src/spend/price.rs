//! Amounts in millionths of a US dollar, and the price of one SMS segment or one call by country.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use derive_more::{Add, Div, Mul, Sum};
use phone_number::Country;

/// Millionths of a dollar in one.
const MILLION: i64 = 1_000_000;
/// No amount in a setting is larger: a billion dollars.
const LARGEST_DOLLARS: i64 = 1_000_000_000;

/// An amount of money, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Add, Mul, Div, Sum)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// So many millionths of a dollar.
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// In millionths of a dollar.
    pub const fn as_millionths(self) -> i64 {
        self.0
    }
}

/// A text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an amount like 0.0077")]
pub struct NoMoney;

impl FromStr for Money {
    type Err = NoMoney;

    /// Reads dollars with at most six digits after the point.
    fn from_str(text: &str) -> Result<Self, NoMoney> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(rest) || rest.len() > 6 {
            return Err(NoMoney);
        }
        let dollars: i64 = whole.parse().map_err(|_| NoMoney)?;
        let millionths: i64 = format!("{rest:0<6}").parse().map_err(|_| NoMoney)?;
        if dollars > LARGEST_DOLLARS { Err(NoMoney) } else { Ok(Self(dollars * MILLION + millionths)) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / MILLION, self.0 % MILLION);
        let rest = format!("{rest:06}");
        let kept = rest.trim_end_matches('0').len().max(2);
        f.pad(&format!("{dollars}.{}", &rest[..kept]))
    }
}

/// What one SMS segment or one call costs, by country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// Of the countries that are listed.
    listed: BTreeMap<String, Money>,
    /// Of all others.
    other: Money,
}

impl Prices {
    /// Reads `US=0.0077,CA=0.0077,*=0.25`: countries, and `*`, which must be there, for all others. Of two for one country, the last counts. An
    /// amount of nothing is refused: no budget would hold what is free.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut listed, mut other) = (BTreeMap::new(), None);
        for entry in text.split(',') {
            let (country, price) = entry.trim().split_once('=').ok_or_else(|| wrong(entry))?;
            let price: Money = price.parse().map_err(|_| wrong(entry))?;
            match country {
                _ if price == Money::default() => return Err(wrong(entry)),
                "*" => other = Some(price),
                _ if Country::parse(country).is_some() => drop(listed.insert(country.to_owned(), price)),
                _ => return Err(wrong(entry)),
            }
        }
        let other = other.ok_or("must hold a price for all other countries, like *=0.25")?;
        Ok(Self { listed, other })
    }

    /// What one costs there.
    pub fn of(&self, country: &str) -> Money {
        self.listed.get(country).copied().unwrap_or(self.other)
    }
}

fn wrong(entry: &str) -> String {
    format!("must hold a country or * and a price above 0 in US$ like US=0.0077, not '{}'", entry.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "1,5", " 1", "1000000001", "99999999999999999999"]
        {
            assert_eq!(text.parse::<Money>(), Err(NoMoney), "{text}");
        }
    }

    #[test]
    fn what_are_no_prices_is_refused() {
        for text in ["", "US", "US=", "US=0.01", "*=0", "US=0,*=1", "XX=1,*=1", "us=1,*=1"] {
            assert!(Prices::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_country_that_is_not_listed_costs_what_all_others_do() {
        let prices = Prices::parse("US=0.0077, *=0.25").unwrap();
        assert_eq!(prices.of("US").to_string(), "0.0077");
        assert_eq!(prices.of("DE").to_string(), "0.25");
    }

    proptest! {
        #[test]
        fn an_amount_that_is_written_reads_back(millionths in 0..LARGEST_DOLLARS * MILLION) {
            let money = Money::from_millionths(millionths);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
