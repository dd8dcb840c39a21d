//! What an attacker can cost at most, by the settings alone.

use std::collections::BTreeSet;
use std::fmt;

use phone_number::Country;
use serde::Serialize;
use shared::channel::Channel;
use shared::flow::Flow;
use shared::messaging::MessageRules;
use shared::spend::SpendRules;
use shared::spend::budget::Window;
use shared::spend::max_exposure::MaxExposure;
use shared::spend::pumping::Spent;

use crate::Usd;

/// The maximum exposure.
#[derive(Debug, Clone, Serialize)]
pub struct ExposureReport {
    /// Of codes, in an hour, a day and a month.
    pub codes: Vec<WindowExposure>,
    /// Of the app's own messages, for whoever has the key.
    pub messages: MessageExposure,
    /// Where SMS go.
    pub countries: Vec<String>,
    /// Where calls may go, of these.
    pub called: Vec<String>,
    /// Flows and countries in which no message or no call fits, since a shard of the budget holds less than one.
    pub no_room: Vec<NoRoom>,
}

/// What codes can cost.
#[derive(Debug, Clone, Serialize)]
pub struct WindowExposure {
    /// The length of the time.
    pub window: Window,
    /// In a calendar window, in UTC.
    pub most: Usd,
    /// How many messages and calls that is at most.
    pub messages: i64,
    /// What of it messages to unconfirmed phones can be.
    pub unconfirmed: Usd,
    /// In any time that is as long, wherever it begins.
    pub in_any_window: Usd,
}

/// What the app's own messages can cost.
#[derive(Debug, Clone, Serialize)]
pub struct MessageExposure {
    /// In an hour.
    pub hour: Usd,
    /// In a day.
    pub day: Usd,
    /// In a month.
    pub month: Usd,
    /// Messages a day to one phone.
    pub per_phone: usize,
}

/// A flow that can send nothing to a country.
#[derive(Debug, Clone, Serialize)]
pub struct NoRoom {
    /// The country.
    pub country: String,
    /// `register` or `login`.
    pub flow: Flow,
    /// Which of the two does not fit.
    pub channel: Channel,
}

/// The maximum exposure under these rules. SMS go to all phones in `sms_countries`, and to confirmed ones in `confirmed_countries`.
pub fn max_exposure(
    rules: &SpendRules,
    messages: &MessageRules,
    sms_countries: &[Country],
    confirmed_countries: &[Country],
) -> ExposureReport {
    let countries: BTreeSet<_> =
        sms_countries.iter().chain(confirmed_countries).map(|country| country.code()).collect();
    let countries: Vec<_> = countries.into_iter().collect();
    let exposure = MaxExposure::of(rules, countries.iter().map(String::as_str));
    let rows = exposure.most.each().into_iter().zip(exposure.unconfirmed.each()).zip(exposure.in_any_window().each());
    let codes = rows.map(|(((window, most), (_, unconfirmed)), (_, any))| WindowExposure {
        window,
        most: Usd(most),
        messages: exposure.messages(most),
        unconfirmed: Usd(unconfirmed),
        in_any_window: Usd(any),
    });
    let may_be_called = |country: &&String| Country::parse(country).is_some_and(|country| rules.may_call(country));
    let called: Vec<_> = countries.iter().filter(may_be_called).cloned().collect();
    let messages_to = countries.iter().map(|country| (country, Channel::Sms));
    let no_room = messages_to.chain(called.iter().map(|country| (country, Channel::Voice)));
    let no_room = no_room.filter_map(|(country, channel)| {
        let registers = sms_countries.iter().any(|served| served.code() == *country);
        let flow = if registers { Flow::Register } else { Flow::Login };
        let has_room = rules.room(flow, country, rules.price(country, channel), Spent::default()).is_ok();
        (!has_room).then(|| NoRoom { country: country.clone(), flow, channel })
    });
    let (no_room, budget) = (no_room.collect(), messages.budget);
    ExposureReport {
        codes: codes.collect(),
        messages: MessageExposure {
            hour: Usd(budget.hour),
            day: Usd(budget.day),
            month: Usd(budget.month),
            per_phone: messages.per_phone,
        },
        countries,
        called,
        no_room,
    }
}

impl fmt::Display for ExposureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The most that an attacker can cost, with any addresses and numbers (codes):")?;
        writeln!(
            f,
            "{:>8} {:>16} {:>10} {:>24} {:>22}",
            "", "US$", "messages", "to unconfirmed phones", "in a rolling window"
        )?;
        for WindowExposure { window, most, messages, unconfirmed, in_any_window } in &self.codes {
            let window = window.as_str();
            writeln!(f, "{window:>8} {most:>16} {messages:>10} {unconfirmed:>24} {in_any_window:>22}")?;
        }
        let MessageExposure { hour, day, month, per_phone } = &self.messages;
        writeln!(
            f,
            "\nMessages of sendMessage, for whoever has its key: US$ {hour} an hour, {day} a day, {month} a month, and {per_phone} a day to one \
             phone.\nSMS go to {}.",
            self.countries.join(", ")
        )?;
        if !self.called.is_empty() {
            writeln!(f, "Calls go to {}.", self.called.join(", "))?;
        }
        for NoRoom { country, flow, channel } in &self.no_room {
            let what = if *flow == Flow::Register { "registration" } else { "login" };
            let what_fits = if *channel == Channel::Sms { "message" } else { "call" };
            writeln!(f, "No {what_fits} for a {what} in {country} fits: a shard of the budget holds less than one.")?;
        }
        Ok(())
    }
}
