//! Where SMS may go, and what they may cost.

use phone_number::Country;

use super::{Lookup, SettingError, number, present, with_default};
use crate::spend::SpendRules;
use crate::spend::budget::{Budgets, MAX_SHARDS};
use crate::spend::price::Prices;
use crate::spend::pumping::{Pumping, Threshold};

fn country(name: &'static str, code: &str) -> Result<Country, SettingError> {
    Country::parse(code)
        .ok_or_else(|| SettingError::new(name, format!("must hold two-letter country codes like US, not '{code}'")))
}

pub(super) fn default_country(lookup: Lookup<'_>, name: &'static str) -> Result<Country, SettingError> {
    country(name, &with_default(lookup, name, "US"))
}

/// Where SMS may go: `SMS_COUNTRIES`.
///
/// # Errors
/// When it, or `DEFAULT_COUNTRY`, is wrong.
pub fn sms_countries(lookup: Lookup<'_>) -> Result<Vec<Country>, SettingError> {
    if let Some(listed) = countries(lookup, "SMS_COUNTRIES")? {
        return Ok(listed);
    }
    let default = default_country(lookup, "DEFAULT_COUNTRY")?;
    let mut countries: Vec<_> = ["US", "CA"].into_iter().filter_map(Country::parse).collect();
    if !countries.contains(&default) {
        countries.push(default);
    }
    Ok(countries)
}

/// Where SMS may go to confirmed phones only: `CONFIRMED_COUNTRIES`.
///
/// # Errors
/// When it is wrong.
pub fn confirmed_countries(lookup: Lookup<'_>) -> Result<Vec<Country>, SettingError> {
    Ok(countries(lookup, "CONFIRMED_COUNTRIES")?.unwrap_or_default())
}

fn countries(lookup: Lookup<'_>, name: &'static str) -> Result<Option<Vec<Country>>, SettingError> {
    let read = |codes: String| codes.split(',').map(|code| country(name, code.trim())).collect();
    present(lookup, name).map(read).transpose()
}

/// How sends are decided: prices, budgets, pumping.
///
/// # Errors
/// The first of its settings that is wrong.
pub fn spend_rules(lookup: Lookup<'_>) -> Result<SpendRules, SettingError> {
    let threshold = |name, default| {
        Threshold::parse(&with_default(lookup, name, default)).map_err(|problem| SettingError::new(name, problem))
    };
    let prices = Prices::parse(&with_default(lookup, "SMS_PRICES", "US=0.0077,CA=0.0077,*=0.25"));
    let budgets =
        Budgets::parse(&with_default(lookup, "BUDGET", "5/25/250"), &with_default(lookup, "COUNTRY_BUDGETS", ""));
    let mode = with_default(lookup, "PUMPING_MODE", "refuse");
    let problem = || SettingError::new("PUMPING_MODE", format!("must be refuse, suppress or monitor, not '{mode}'"));
    Ok(SpendRules {
        prices: prices.map_err(|problem| SettingError::new("SMS_PRICES", problem))?,
        budgets: budgets.map_err(|(countries, problem)| {
            SettingError::new(if countries { "COUNTRY_BUDGETS" } else { "BUDGET" }, problem)
        })?,
        shards: number(4, 1, MAX_SHARDS)(lookup, "BUDGET_SHARDS")?,
        pumping: Pumping {
            mode: mode.parse().map_err(|_| problem())?,
            prefix: threshold("PUMPING_PREFIX", "20/2/30")?,
            country: threshold("PUMPING_COUNTRY", "100/3/15")?,
        },
    })
}
