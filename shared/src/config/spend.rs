//! Where SMS may go, and what they may cost.

use phone_number::Country;

use super::{Lookup, MESSAGES_PER_PHONE, SettingError, number, present, voice, with_default};
use crate::messaging::MessageRules;
use crate::spend::SpendRules;
use crate::spend::budget::{Amounts, Budgets, MAX_SHARDS};
use crate::spend::price::{Money, Prices};
use crate::spend::pumping::{Mode, Pumping, Threshold};

fn country(name: &'static str, code: &str) -> Result<Country, SettingError> {
    Country::parse(code)
        .ok_or_else(|| SettingError::new(name, format!("must hold two-letter country codes like US, not '{code}'")))
}

/// The country of numbers without `+`.
///
/// # Errors
/// When it is wrong.
pub fn default_country(lookup: Lookup<'_>, name: &'static str) -> Result<Country, SettingError> {
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

pub(super) fn countries(lookup: Lookup<'_>, name: &'static str) -> Result<Option<Vec<Country>>, SettingError> {
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
    let (prefix_mode, country_mode) = pumping_modes(lookup)?;
    Ok(SpendRules {
        prices: prices.map_err(|problem| SettingError::new("SMS_PRICES", problem))?,
        calls: voice::calls(lookup)?,
        budgets: budgets.map_err(|(countries, problem)| {
            SettingError::new(if countries { "COUNTRY_BUDGETS" } else { "BUDGET" }, problem)
        })?,
        shards: number(4, 1, MAX_SHARDS)(lookup, "BUDGET_SHARDS")?,
        pumping: Pumping {
            prefix_mode,
            country_mode,
            prefix: threshold("PUMPING_PREFIX", "20/2/30")?,
            country: threshold("PUMPING_COUNTRY", "100/3/15")?,
        },
    })
}

/// What happens to pumped prefixes, and to pumped countries: `refuse/monitor`, or one word for both.
fn pumping_modes(lookup: Lookup<'_>) -> Result<(Mode, Mode), SettingError> {
    // A hundred requests suspend a country. Where a captcha lets people pass, that shuts out nobody; otherwise its budget is the bound.
    let default = if present(lookup, "CAPTCHA_HOSTNAMES").is_some() { "refuse" } else { "refuse/monitor" };
    let text = with_default(lookup, "PUMPING_MODE", default);
    let (prefix, country) = text.split_once('/').unwrap_or((&text, &text));
    let problem = "must be refuse, suppress or monitor, or one for prefixes and one for countries like refuse/monitor";
    match (prefix.parse(), country.parse()) {
        (Ok(prefix), Ok(country)) => Ok((prefix, country)),
        _ => Err(SettingError::new("PUMPING_MODE", format!("{problem}, not '{text}'"))),
    }
}

/// What the app's own messages may take.
///
/// # Errors
/// The first of its settings that is wrong.
pub fn message_rules(lookup: Lookup<'_>) -> Result<MessageRules, SettingError> {
    let budget = Amounts::parse(&with_default(lookup, "MESSAGE_BUDGET", "25/100/1000"));
    let price: Option<Money> = with_default(lookup, "MMS_PRICE", "0.02").parse().ok();
    // No budget would hold what is free.
    let price = price.filter(|price| *price > Money::default());
    Ok(MessageRules {
        budget: budget.map_err(|problem| SettingError::new("MESSAGE_BUDGET", problem))?,
        per_phone: number(MESSAGES_PER_PHONE, 1, 1000)(lookup, "MESSAGES_PER_PHONE")?,
        mms_price: price.ok_or_else(|| SettingError::new("MMS_PRICE", "must be an amount like 0.02"))?,
    })
}
