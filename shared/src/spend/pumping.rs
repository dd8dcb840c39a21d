//! Decides whether a message goes out, by the budgets, its country's volume and its number's prefix. The limits of phones and client networks
//! are checked earlier (`auth::limits`). Each [`Decision`] is logged with its [`Inputs`], so that other rules can be tried on it later.
//!
//! **Pumping** is requesting messages to numbers whose operator earns by them: many messages, and no codes that come back. A prefix (10,000
//! numbers) or a country is suspended while all three thresholds are crossed, in this hour and the one before together: the number of
//! messages, their multiple of the usual number, and the percentage of codes that came back right. Only registrations are suspended. A login
//! goes to a phone that somebody has confirmed here, at most ten times a day and within the budget; if it looks pumped, that is logged.
//!
//! A message that Plivo reports as failed or undelivered counts as one more for its prefix: ranges that are pumped are often not even in use, and
//! a number that cannot get a code will never confirm one. So where nothing arrives, a prefix is suspended after half as many messages. It
//! counts once for a send, and not for the country, where failures are part of the usual.

use serde::{Deserialize, Serialize};

use super::SpendRules;
use super::budget::{Amounts, Window};
use super::counter::Volume;
use super::price::Money;
use crate::channel::Channel;
use crate::clock::Timestamp;
use crate::flow::Flow;
use phone_number::Country;
use strum::{EnumString, IntoStaticStr};

/// What is known when a send is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The time of the start.
    pub at: Timestamp,
    /// The flow that the message belongs to.
    pub flow: Flow,
    /// The country that it goes to, in two letters.
    pub country: String,
    /// How it goes there. What was logged before there were calls went by SMS.
    #[serde(default)]
    pub channel: Channel,
    /// How many SMS segments its text takes, each of which costs; of a call, one.
    #[serde(default = "one_segment")]
    pub segments: i64,
    /// What was spent in each shard of the budgets that was read, the phone's own first.
    pub shards: Vec<Spent>,
    /// How the country has been doing.
    pub country_volume: Volume,
    /// How the number's prefix has been doing.
    pub prefix_volume: Volume,
    /// Whether the client has shown by a captcha that a person asks. Looked at only where the message would be refused.
    #[serde(default)]
    pub captcha_passed: bool,
}

/// Of messages that were logged before segments were.
const fn one_segment() -> i64 {
    1
}

/// What was spent in a shard of the budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// In all countries.
    pub all: Amounts,
    /// In the message's country.
    pub country: Amounts,
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The message goes out.
    Send,
    /// It does not go out, and the client gets the same answer as if it did.
    Suppress,
    /// It does not go out, and the client is told.
    Refuse,
    /// It does not go out, since the number is a test number, whose code is fixed. No rule has decided that.
    Test,
}

/// What speaks against a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// A budget for all countries is spent.
    Budget,
    /// The country's own budget is spent.
    CountryBudget,
    /// The country looks pumped.
    CountryPumping,
    /// The prefix looks pumped.
    PrefixPumping,
}

impl Rule {
    /// The name in logs, metrics and the decision log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A decision about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What happens to it.
    pub outcome: Outcome,
    /// The rule that speaks against the message, if any; in monitor mode it goes out nevertheless.
    pub rule: Option<Rule>,
    /// For a budget: the window in which it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

impl Decision {
    /// Whether a prefix or country is suspended, which a captcha opens to a person.
    pub fn is_suspension(&self) -> bool {
        self.outcome == Outcome::Refuse && matches!(self.rule, Some(Rule::PrefixPumping | Rule::CountryPumping))
    }
}

/// What happens to messages to a country or prefix that looks pumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// They go out, and the suspicion is logged.
    Monitor,
    /// They do not go out, and the client gets the same answer as if they did.
    Suppress,
    /// They do not go out, and the client is told; or they go out to whoever passes a captcha, if one is set up.
    Refuse,
}

/// When a country or a prefix looks pumped: all three must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// The fewest messages in this hour and the one before.
    pub least: i64,
    /// The number of messages exceeds this multiple of the usual number.
    pub times: i64,
    /// The percentage of codes that came back right is below this.
    pub percent: i64,
}

impl Threshold {
    /// Reads `20/2/30`: least, times, percent.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<i64>> = text.split('/').map(|part| part.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some([least @ 1..=1_000_000, times @ 0..=1000, percent @ 0..=100]) => {
                Ok(Self { least: *least, times: *times, percent: *percent })
            }
            _ => Err(format!(
                "must be messages (1 to 1000000), times the usual (0 to 1000) and percent verified (0 to 100) like 20/2/30, not '{text}'"
            )),
        }
    }

    /// Whether this volume crosses all three.
    pub const fn is_crossed(self, volume: Volume) -> bool {
        volume.sends >= self.least && volume.is_above(self.times) && volume.is_below(self.percent)
    }
}

/// The rules against pumping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pumping {
    /// What follows for a prefix.
    pub prefix_mode: Mode,
    /// What follows for a country.
    pub country_mode: Mode,
    /// For a prefix.
    pub prefix: Threshold,
    /// For a country.
    pub country: Threshold,
}

impl SpendRules {
    /// Decides on what is known.
    pub fn decide_on(&self, inputs: &Inputs) -> Decision {
        let Inputs { flow, country, channel, segments, .. } = inputs;
        let price = self.price(country, *channel) * *segments;
        let mut rooms = inputs.shards.iter().map(|spent| self.room(*flow, country, price, *spent));
        if let Some(Err((rule, window))) = rooms.next()
            && rooms.all(|room| room.is_err())
        {
            return Decision { outcome: Outcome::Refuse, rule: Some(rule), window: Some(window) };
        }
        // The prefix first: it stays suspended while it is asked, a country does not.
        let pumped = [
            (self.pumping.prefix, inputs.prefix_volume, self.pumping.prefix_mode, Rule::PrefixPumping),
            (self.pumping.country, inputs.country_volume, self.pumping.country_mode, Rule::CountryPumping),
        ];
        let found = pumped.into_iter().find(|(threshold, volume, ..)| threshold.is_crossed(*volume));
        let outcome = match found {
            None | Some((_, _, Mode::Monitor, _)) => Outcome::Send,
            // The number of messages for logins depends on who is a user, so no answer may depend on it.
            _ if inputs.flow.is_for_confirmed_phones() => Outcome::Send,
            Some((_, _, Mode::Suppress, _)) => Outcome::Suppress,
            Some((_, _, Mode::Refuse, _)) if inputs.captcha_passed => Outcome::Send,
            Some((_, _, Mode::Refuse, _)) => Outcome::Refuse,
        };
        Decision { outcome, rule: found.map(|(.., rule)| rule), window: None }
    }

    /// Whether a shard that has spent so much has room for one more message or call of this price. Where not, which budget is full.
    ///
    /// # Errors
    /// The budget and its window.
    pub fn room(&self, flow: Flow, country: &str, price: Money, spent: Spent) -> Result<(), (Rule, Window)> {
        let [all, own] = self.shard_budgets(flow, country);
        all.room(spent.all, price).map_err(|window| (Rule::Budget, window))?;
        own.room(spent.country, price).map_err(|window| (Rule::CountryBudget, window))
    }

    /// What a flow may spend in one shard: in all countries together, and in this one.
    pub fn shard_budgets(&self, flow: Flow, country: &str) -> [Amounts; 2] {
        let shards = i64::try_from(self.shards).unwrap_or(i64::MAX);
        self.budgets.of(flow, country).map(|budget| budget / shards)
    }

    /// What a segment of an SMS to this country costs, or a call.
    pub fn price(&self, country: &str, channel: Channel) -> Money {
        match channel {
            Channel::Sms => self.prices.of(country),
            Channel::Voice => self.calls.prices.of(country),
        }
    }

    /// Whether calls may go to this country.
    pub fn may_call(&self, country: Country) -> bool {
        self.calls.countries.contains(&country)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Calls;
    use super::super::budget::Budgets;
    use super::super::price::Prices;
    use super::*;

    fn rules(mode: Mode) -> SpendRules {
        SpendRules {
            prices: Prices::parse("US=0.01,*=0.1").unwrap(),
            calls: Calls { countries: Vec::new(), prices: Prices::parse("US=0.03,*=0.5").unwrap() },
            budgets: Budgets::parse("1/10/100", "DE=0.5/1/2").unwrap(),
            shards: 2,
            pumping: Pumping {
                prefix_mode: mode,
                country_mode: mode,
                prefix: Threshold::parse("20/2/30").unwrap(),
                country: Threshold::parse("100/3/15").unwrap(),
            },
        }
    }

    fn inputs(country: &str) -> Inputs {
        Inputs {
            at: Timestamp::from_millis(0),
            flow: Flow::Login,
            country: country.to_owned(),
            channel: Channel::Sms,
            segments: 1,
            shards: vec![Spent::default(); 2],
            country_volume: Volume::default(),
            prefix_volume: Volume::default(),
            captcha_passed: false,
        }
    }

    #[test]
    fn registrations_end_before_logins() {
        let all = Amounts::parse("0.395/0.395/0.395").unwrap();
        let shards = vec![Spent { all, ..Spent::default() }; 2];
        let registration = Inputs { flow: Flow::Register, shards, ..inputs("US") };
        let decision = rules(Mode::Monitor).decide_on(&registration);
        assert_eq!(
            (decision.outcome, decision.rule, decision.window),
            (Outcome::Refuse, Some(Rule::Budget), Some(Window::Hour))
        );
        for flow in [Flow::Login, Flow::SecondFactor] {
            assert_eq!(rules(Mode::Monitor).decide_on(&Inputs { flow, ..registration.clone() }).outcome, Outcome::Send);
        }
    }

    #[test]
    fn a_country_s_own_budget_ends_before_that_of_all() {
        let spent = Amounts::parse("0.225/0.225/0.225").unwrap();
        let german = Inputs { shards: vec![Spent { all: spent, country: spent }; 2], ..inputs("DE") };
        assert_eq!(rules(Mode::Refuse).decide_on(&german).rule, Some(Rule::CountryBudget));
        assert_eq!(rules(Mode::Refuse).decide_on(&Inputs { country: "US".into(), ..german }).rule, None);
    }

    #[test]
    fn one_shard_with_room_is_enough_and_a_remainder_in_each_is_none() {
        let spent = |all: &str| Spent { all: Amounts::parse(all).unwrap(), ..Spent::default() };
        let decide = |shards: Vec<Spent>| rules(Mode::Monitor).decide_on(&Inputs { shards, ..inputs("US") }).outcome;
        assert_eq!(decide(vec![spent("0.495/0/0"), spent("0.49/0/0")]), Outcome::Send);
        assert_eq!(decide(vec![spent("0.495/0/0"), spent("0.495/0/0")]), Outcome::Refuse, "0.01 is left of all");
    }

    /// Each of the three has to hold, at its very number.
    #[test]
    fn a_prefix_is_suspended_by_volume_above_the_usual_with_few_verified() {
        let volume = |sends, verified, usual| Volume { sends, verified, usual };
        for (prefix_volume, rule) in [
            (volume(19, 0, 0), None),
            (volume(20, 0, 0), Some(Rule::PrefixPumping)),
            (volume(20, 5, 0), Some(Rule::PrefixPumping)),
            (volume(20, 6, 0), None),
            (volume(20, 0, 9_999), Some(Rule::PrefixPumping)),
            (volume(20, 0, 10_000), None),
        ] {
            let decision = rules(Mode::Refuse).decide_on(&Inputs { prefix_volume, ..inputs("US") });
            assert_eq!(decision.rule, rule, "{prefix_volume:?}");
        }
        let pumped = Inputs { country_volume: volume(100, 14, 0), ..inputs("US") };
        assert_eq!(rules(Mode::Refuse).decide_on(&pumped).rule, Some(Rule::CountryPumping));
        let pumped = Inputs { prefix_volume: volume(20, 0, 0), ..pumped };
        assert_eq!(rules(Mode::Refuse).decide_on(&pumped).rule, Some(Rule::PrefixPumping), "which goes on counting");
    }

    #[test]
    fn what_follows_is_a_setting() {
        let pumped = Inputs { prefix_volume: Volume { sends: 50, verified: 0, usual: 0 }, ..inputs("US") };
        let registration = Inputs { flow: Flow::Register, ..pumped.clone() };
        for (mode, outcome) in
            [(Mode::Monitor, Outcome::Send), (Mode::Suppress, Outcome::Suppress), (Mode::Refuse, Outcome::Refuse)]
        {
            let decision = rules(mode).decide_on(&registration);
            assert_eq!((decision.outcome, decision.rule), (outcome, Some(Rule::PrefixPumping)));
            let decision = rules(mode).decide_on(&pumped);
            assert_eq!((decision.outcome, decision.rule), (Outcome::Send, Some(Rule::PrefixPumping)), "a login");
        }
    }

    #[test]
    fn a_message_of_two_segments_needs_room_for_both() {
        let spent = |all: &str| vec![Spent { all: Amounts::parse(all).unwrap(), ..Spent::default() }];
        let decide = |segments, shards| rules(Mode::Monitor).decide_on(&Inputs { segments, shards, ..inputs("US") });
        assert_eq!(decide(1, spent("0.49/0/0")).outcome, Outcome::Send);
        assert_eq!(decide(2, spent("0.49/0/0")).rule, Some(Rule::Budget), "0.02 of 0.01");
        assert_eq!(decide(2, spent("0.48/0/0")).outcome, Outcome::Send);
    }

    #[test]
    fn a_call_needs_room_for_its_own_price() {
        let spent = |all: &str| vec![Spent { all: Amounts::parse(all).unwrap(), ..Spent::default() }];
        let decide = |channel, shards| rules(Mode::Monitor).decide_on(&Inputs { channel, shards, ..inputs("US") });
        assert_eq!(decide(Channel::Sms, spent("0.48/0/0")).outcome, Outcome::Send);
        assert_eq!(decide(Channel::Voice, spent("0.48/0/0")).rule, Some(Rule::Budget), "0.03 of 0.02");
        assert_eq!(decide(Channel::Voice, spent("0.47/0/0")).outcome, Outcome::Send);
    }

    #[test]
    fn an_entry_without_segments_and_channel_is_of_one_sms() {
        let mut logged = serde_json::to_value(inputs("US")).unwrap();
        let fields = logged.as_object_mut().unwrap();
        assert!(fields.remove("segments").is_some() && fields.remove("channel").is_some());
        assert_eq!(serde_json::from_value::<Inputs>(logged).unwrap(), inputs("US"));
    }

    #[test]
    fn a_person_passes_a_suspension_and_no_budget() {
        let pumped = Inputs {
            flow: Flow::Register,
            prefix_volume: Volume { sends: 50, verified: 0, usual: 0 },
            captcha_passed: true,
            ..inputs("US")
        };
        let outcome = |mode, inputs: &Inputs| rules(mode).decide_on(inputs).outcome;
        assert_eq!(outcome(Mode::Refuse, &pumped), Outcome::Send);
        assert_eq!(outcome(Mode::Suppress, &pumped), Outcome::Suppress, "who is not told cannot be asked");
        let all = Amounts::parse("0.5/0.5/0.5").unwrap();
        let spent = Inputs { shards: vec![Spent { all, ..Spent::default() }; 2], ..pumped };
        assert_eq!(outcome(Mode::Refuse, &spent), Outcome::Refuse);
    }

    #[test]
    fn what_are_no_thresholds_is_refused() {
        for text in ["", "20", "20/2", "0/2/30", "20/-1/30", "20/2/101", "20/2/30/1", "a/b/c"] {
            assert!(Threshold::parse(text).is_err(), "{text}");
        }
    }
}
