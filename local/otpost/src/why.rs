//! Why somebody gets no code: what has happened to a phone, as a story, and what holds it up now; and the command that clears its limits.
//!
//! All of it is read by key: the phone's item, its user, the counters of its budgets and its prefix, the kill switches. Networks are shown by the
//! beginning of their keyed hash, so two lines with the same one come from the same network, and none says which.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use phone_number::{Country, PhoneNumber};
use serde::Serialize;
use shared::auth::email::Email;
use shared::auth::in_force::{InForce, in_force, in_force_for_all};
use shared::auth::limits::ATTEMPTS_PER_CHALLENGE;
use shared::channel::Channel;
use shared::clock::Timestamp;
use shared::config::{
    Lookup, SettingError, Settings, TestNumber, confirmed_countries, default_country, sms_countries, spend_rules,
    test_numbers,
};
use shared::crypto::Keys;
use shared::flow::Flow;
use shared::plivo::message_error;
use shared::spend::SpendRules;
use shared::spend::budget::shards_of;
use shared::store::{
    ClientKey, CodeSend, DeliveryState, Part, PhoneAction, PhoneEvent, PhoneKey, PhoneRecord, StartKeys, StartState,
    Store,
};

use crate::Iso;
use crate::audit::Author;
use crate::user::{Found, UserReport, find_if_any};

/// The settings that say what holds a phone up.
#[derive(Debug)]
pub struct Rules {
    /// The country of numbers without a country code.
    pub default_country: Country,
    /// Where registrations send codes.
    pub sms_countries: Vec<Country>,
    /// Where codes are sent to confirmed phones, besides.
    pub confirmed_countries: Vec<Country>,
    /// Budgets, prices and the rules against pumping.
    pub spend: SpendRules,
    /// Numbers with fixed codes.
    pub test_numbers: Vec<TestNumber>,
}

/// What has happened to a phone, and what holds it up.
#[derive(Debug, Clone, Serialize)]
pub struct WhyReport {
    /// The time of the report.
    pub at: Iso,
    /// The phone (E.164); `None` for an e-mail address that no user has.
    pub phone: Option<String>,
    /// Its user.
    pub user: Option<UserReport>,
    /// Until when its code is fixed, if it is a listed test number.
    pub test_number_until: Option<Iso>,
    /// What holds up every phone of its country or prefix.
    pub service: Vec<Holdup>,
    /// What is kept for the phone, and for the e-mail address, by which a reset can be started.
    pub stories: Vec<Story>,
}

/// What is kept under one key.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// `phone` or `email`.
    pub of: &'static str,
    /// The beginning of its keyed hash, as logs and decisions have it.
    pub key: String,
    /// What holds it up.
    pub holdups: Vec<Holdup>,
    /// What has happened, oldest first: the last 20 events, what Plivo reported, and what became of the codes.
    pub lines: Vec<Line>,
}

/// Whose limits hold up every phone of a country or prefix, in words.
pub(crate) const SERVICE: &str = "the service, its country or prefix";

/// Whose limits those of a story are, in words.
pub(crate) fn subject(of: &str) -> &'static str {
    if of == "email" { "this e-mail address" } else { "this phone" }
}

/// Something that holds a phone up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holdup {
    /// The limit, the rule or the kill switch.
    pub name: String,
    /// Who is held up, and in which flows.
    pub who: String,
    /// Until when; `None` until somebody changes it.
    pub until: Option<Iso>,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The time.
    pub at: Iso,
    /// Who did it: a device of the phone's, or a network.
    pub by: Option<String>,
    /// `started`, `refused`, `reported`, `entered`, `redeemed`, `expired` or `wrong_password`.
    pub event: &'static str,
    /// The flow.
    pub flow: Option<&'static str>,
    /// It in words.
    pub text: String,
}

/// Whom a report is about.
struct Subject {
    phone: Option<PhoneNumber>,
    user: Option<Found>,
    items: Vec<(&'static str, PhoneKey)>,
}

impl Subject {
    async fn find(store: &Store, keys: &Keys, country: Country, who: &str) -> Result<Self, Box<dyn Error>> {
        let user = find_if_any(store, keys, country, who).await?;
        let number = user.as_ref().map_or(who, Found::phone);
        let phone = PhoneNumber::parse(number, country).ok();
        let email = user.as_ref().and_then(Found::email).or_else(|| Some(who).filter(|who| who.contains('@')));
        let identity = email.and_then(Email::parse).map(|email| keys.identity(email.identity()));
        let of_phone = phone.as_ref().map(|phone| ("phone", PhoneKey(keys.phone(phone.e164()).short())));
        let of_email = identity.map(|identity| ("email", PhoneKey(identity.short())));
        let items: Vec<_> = of_phone.into_iter().chain(of_email).collect();
        if items.is_empty() { Err("there is no such user".into()) } else { Ok(Self { phone, user, items }) }
    }
}

/// What has happened to whoever this is, by phone (`+…`), e-mail address or objectId, and what holds them up. There need be no user.
///
/// # Errors
/// When it is none of these, or storage fails.
pub async fn why(
    store: &Store,
    keys: &Keys,
    rules: &Rules,
    who: &str,
    now: Timestamp,
) -> Result<WhyReport, Box<dyn Error>> {
    let Subject { phone, user, items } = Subject::find(store, keys, rules.default_country, who).await?;
    let service = match &phone {
        Some(phone) => rules.service(&start_state(store, keys, rules, phone, now).await?, phone, now),
        None => Vec::new(),
    };
    let mut stories = Vec::new();
    for (of, key) in items {
        let record = store.phones.get(key).await?;
        stories.push(Story::of((of, key), &record, user.is_some(), now));
    }
    let test = phone.as_ref().and_then(|phone| rules.test_numbers.iter().find(|test| test.phone == *phone));
    Ok(WhyReport {
        at: Iso(now),
        phone: phone.as_ref().map(|phone| phone.e164().to_owned()),
        user: user.as_ref().map(UserReport::from),
        test_number_until: test.map(|test| Iso(test.end)).filter(|end| end.0 > now),
        service,
        stories,
    })
}

/// Clears the limits of whoever this is, but not those of their devices, nor the codes that they have. Recorded in the audit log before.
///
/// # Errors
/// As [`why`].
pub async fn unblock(
    store: &Store,
    keys: &Keys,
    country: Country,
    who: &str,
    author: &Author,
    now: Timestamp,
) -> Result<(), Box<dyn Error>> {
    let Subject { user, items, .. } = Subject::find(store, keys, country, who).await?;
    for (_, key) in items {
        let target = user.as_ref().map_or_else(|| key.id(), |user| user.id().to_owned());
        store.controls.record_audit(&author.entry("unblock", Some(&target), now)).await?;
        store.phones.clear_limits(key, now).await?;
    }
    Ok(())
}

/// What a start for the phone would read.
async fn start_state(
    store: &Store,
    keys: &Keys,
    rules: &Rules,
    phone: &PhoneNumber,
    now: Timestamp,
) -> Result<StartState, Box<dyn Error>> {
    let hash = keys.phone(phone.e164());
    let items = StartKeys {
        phone: PhoneKey(hash.short()),
        prefix: keys.prefix(phone.prefix()).short(),
        // Nobody's.
        client: ClientKey([0; 8]),
        shards: shards_of(hash.short(), rules.spend.shards),
        phone_hash: hash,
    };
    Ok(store.load_start_state(&items, now).await?)
}

impl From<&Settings> for Rules {
    fn from(settings: &Settings) -> Self {
        Self {
            default_country: settings.default_country,
            sms_countries: settings.sms_countries.clone(),
            confirmed_countries: settings.confirmed_countries.clone(),
            spend: settings.spend.clone(),
            test_numbers: settings.test_numbers.clone(),
        }
    }
}

impl Rules {
    /// Reads them.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn of(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        Ok(Self {
            default_country: default_country(lookup, "DEFAULT_COUNTRY")?,
            sms_countries: sms_countries(lookup)?,
            confirmed_countries: confirmed_countries(lookup)?,
            spend: spend_rules(lookup)?,
            test_numbers: test_numbers(lookup, "TEST_NUMBERS")?,
        })
    }

    /// What holds up every phone of a phone's country or prefix.
    fn service(&self, state: &StartState, phone: &PhoneNumber, now: Timestamp) -> Vec<Holdup> {
        let country = phone.country();
        let is_served = |flow: Flow| {
            let confirmed = flow.is_for_confirmed_phones() && self.confirmed_countries.contains(&country);
            self.sms_countries.contains(&country) || confirmed
        };
        let mut holdups: Vec<Holdup> = Vec::new();
        for flow in Flow::ALL {
            let unserved = (!is_served(flow)).then(|| ("country_not_served".to_owned(), None));
            for (name, until) in unserved.into_iter().chain(in_force_for_all(state, &self.spend, (flow, country), now))
            {
                match holdups.iter_mut().find(|known| known.name == name) {
                    Some(known) => known.who = format!("{}, {}", known.who, flow.as_str()),
                    None => holdups.push(Holdup { name, who: flow.as_str().to_owned(), until: until.map(Iso) }),
                }
            }
        }
        holdups
    }
}

impl Story {
    fn of((of, key): (&'static str, PhoneKey), record: &PhoneRecord, is_confirmed: bool, now: Timestamp) -> Self {
        let holdups = in_force(record, is_confirmed, now).iter().map(Holdup::from).collect();
        Self { of, key: key.id(), holdups, lines: lines(record, now) }
    }
}

impl From<&InForce> for Holdup {
    fn from(limit: &InForce) -> Self {
        let who = limit.device.map_or_else(|| "everybody".to_owned(), |number| format!("device {number}"));
        let flows = if limit.after_password { "after a password" } else { "without a password" };
        Self { name: limit.limit.to_owned(), who: format!("{who} {flows}"), until: Some(Iso(limit.until)) }
    }
}

/// The story of a phone's item.
fn lines(record: &PhoneRecord, now: Timestamp) -> Vec<Line> {
    let mut lines: Vec<_> = (0..record.events.len()).map(|place| Line::of_event(record, place)).collect();
    lines.extend(record.sends.values().filter(|send| send.sent).flat_map(reports));
    lines.extend(expired(&record.events, now));
    let devices = record.devices.iter().map(|(slot, device)| (Some(slot.number()), &device.limits));
    for (device, limits) in std::iter::once((None, &record.shared)).chain(devices) {
        lines.extend(limits.wrong_passwords.iter().map(|(at, network)| Line {
            at: Iso(*at),
            by: Some(device.map_or_else(|| PhoneEvent::by(None, network), |number| format!("device {number}"))),
            event: "wrong_password",
            flow: Some(Flow::SecondFactor.as_str()),
            text: "a wrong password".to_owned(),
        }));
    }
    // In the order of what happened at the same moment.
    lines.sort_by_key(|line| line.at);
    lines
}

impl Line {
    fn of_event(record: &PhoneRecord, place: usize) -> Self {
        let events = &record.events;
        let PhoneEvent { at, by, what } = &events[place];
        let (event, flow, text) = match what {
            PhoneAction::Started { flow, send, not_sent: None, .. } => {
                let channel = record.sends.get(send).map_or(Channel::Sms, |send| send.channel);
                ("started", flow, format!("started, and {} was to go out", channel_words(channel)))
            }
            PhoneAction::Started { flow, not_sent: Some(why), .. } => {
                ("started", flow, format!("started, and nothing was sent: {}", in_words(why)))
            }
            PhoneAction::Refused { flow, reason } => ("refused", flow, format!("refused: {}", in_words(reason))),
            PhoneAction::Entered { flow, attempt } => ("entered", flow, entered(events, place, *flow, attempt)),
            PhoneAction::Redeemed { flow, .. } => ("redeemed", flow, outcome(*flow).to_owned()),
        };
        Self { at: Iso(*at), by: Some(by.clone()), event, flow: Some(flow.as_str()), text }
    }
}

/// Whether an entered code was right, and which attempt it was of its code.
fn entered(events: &[PhoneEvent], place: usize, flow: Flow, attempt: &str) -> String {
    let was_right = events[place..]
        .iter()
        .any(|event| matches!(&event.what, PhoneAction::Redeemed { attempt: redeemed, .. } if redeemed == attempt));
    if was_right {
        return "the right code was entered".to_owned();
    }
    // A code may be sent again by further starts, and then expires no later.
    let expires = |event: &PhoneEvent| match &event.what {
        PhoneAction::Started { flow: started, expires, .. }
            if *started == flow && device(event) == device(&events[place]) =>
        {
            Some(*expires)
        }
        _ => None,
    };
    let last = events[..place].iter().rev().find_map(expires);
    let first = events.iter().position(|event| last.is_some() && expires(event) == last).unwrap_or_default();
    let is_try = |event: &&PhoneEvent| {
        matches!(&event.what, PhoneAction::Entered { flow: entered, .. } if *entered == flow)
            && device(event) == device(&events[place])
    };
    let tries = events[first..place].iter().filter(is_try);
    format!("a wrong code was entered ({} of {ATTEMPTS_PER_CHALLENGE})", tries.count() + 1)
}

/// The device that an event comes from. Devices have codes of their own.
fn device(event: &PhoneEvent) -> Option<&str> {
    Some(event.by.as_str()).filter(|by| by.starts_with("device"))
}

/// What a right code has done.
const fn outcome(flow: Flow) -> &'static str {
    match flow {
        Flow::Register => "registered",
        Flow::Login | Flow::SecondFactor => "logged in, a session began",
        Flow::ChangePhone => "the phone was changed",
        Flow::ResetPassword => "the password was reset",
    }
}

const fn channel_words(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "an SMS",
        Channel::Voice => "a call",
    }
}

/// What Plivo reported about a send.
fn reports(send: &CodeSend) -> Vec<Line> {
    let line = |at: Timestamp, text: String| {
        let flow = Some(send.flow.as_str());
        Line { at: Iso(at), by: None, event: "reported", flow, text }
    };
    let parts = &send.delivery.parts;
    if parts.is_empty() {
        let text = format!("Plivo has reported nothing about {}", channel_words(send.channel));
        return vec![line(send.at, text)];
    }
    let report = |(number, part): (&String, &Part)| {
        let of = if parts.len() > 1 { format!(" (part {number})") } else { String::new() };
        let seconds = send.at.until(part.at).as_secs();
        let (state, uuid) = (state_words(send.channel, part.state), &part.uuid);
        let code = part.error.as_deref().filter(|_| part.state.is_failure());
        let why = code.map(|code| match send.channel {
            Channel::Sms => format!(" {} (error {code})", message_error::in_words(code)),
            Channel::Voice => format!(" Plivo's cause: {code}."),
        });
        let why = why.unwrap_or_default();
        line(part.at, format!("{state}{of}, {seconds} s after the start, by Plivo's report ({uuid}).{why}"))
    };
    parts.iter().map(report).collect()
}

/// What a state means.
const fn state_words(channel: Channel, state: DeliveryState) -> &'static str {
    match (channel, state) {
        (Channel::Sms, DeliveryState::Queued) => "the SMS was taken by Plivo",
        (Channel::Sms, DeliveryState::Sent) => "the SMS was taken by the carrier",
        (Channel::Sms, DeliveryState::Delivered) => "the SMS was delivered",
        (Channel::Sms, DeliveryState::Undelivered) => "the SMS was not delivered",
        (Channel::Sms, DeliveryState::Failed) => "the SMS was not sent",
        (Channel::Voice, DeliveryState::Queued) => "the call was taken by Plivo",
        (Channel::Voice, DeliveryState::Sent) => "the call was answered",
        (Channel::Voice, DeliveryState::Delivered) => "the call has read the code",
        (Channel::Voice, DeliveryState::Undelivered) => "nobody answered the call",
        (Channel::Voice, DeliveryState::Failed) => "the call did not come to the phone",
    }
}

/// The codes that have expired and that nobody entered right.
fn expired(events: &[PhoneEvent], now: Timestamp) -> Vec<Line> {
    let mut told = BTreeSet::new();
    let mut lines = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let PhoneAction::Started { flow, expires, .. } = &event.what else { continue };
        let was_redeemed = events[place..].iter().any(|later| {
            later.at < *expires
                && matches!(&later.what, PhoneAction::Redeemed { flow: redeemed, .. } if redeemed == flow)
        });
        if *expires <= now && !was_redeemed && told.insert((*flow, *expires)) {
            let (at, flow) = (Iso(*expires), Some(flow.as_str()));
            lines.push(Line {
                at,
                by: None,
                event: "expired",
                flow,
                text: "the code expired, and was not entered right".to_owned(),
            });
        }
    }
    lines
}

/// A limit, a rule, or why nothing was sent, in words.
pub(crate) fn in_words(name: &str) -> &str {
    match name {
        "start_spacing" => "too soon after the last start",
        "starts_per_day" => "ten starts within a day",
        "wrong_codes" | "wrong_codes_after_password" => "25 wrong codes within a day",
        "wrong_passwords" => "too many wrong passwords",
        "wrong_passwords_per_month" => "a hundred wrong passwords since the last right code",
        "starts_per_address" => "too many starts from this network within an hour",
        "wrong_codes_per_address" => "too many wrong codes from this network within a day",
        "countries_per_address" => "numbers of too many countries from this network",
        "unconfirmed_messages_per_day" => "five messages within a day to a phone without a user",
        "budget" => "the budget is spent",
        "country_budget" => "the country's budget is spent",
        "country_pumping" => "the country looks pumped",
        "prefix_pumping" => "the number's prefix looks pumped",
        "captcha_required" => "a captcha was needed, and not solved",
        "switched_off" => "a kill switch is set",
        "sms_down" => "Plivo has failed several times in a row",
        "code_replaced" => "the code of an earlier start, which a later one has replaced",
        "code_expired" => "a code that had expired",
        "code_used" => "a code that had been used",
        "no_attempts_left" => "a code for which five had been tried",
        "no_user" => "no user has this phone",
        "unknown_address" => "no user has this e-mail address",
        "user_disabled" => "the user is disabled",
        "test_number" => "it is a test number, whose code is fixed",
        "race" => "another start was faster",
        "unreachable" => "Plivo could not be reached",
        "credentials" => "Plivo refused our credentials",
        "credit" => "the Plivo account has no credit",
        "forbidden" => "the Plivo account may not send to this country",
        "throttled" => "over Plivo's rate limit",
        "rejected" => "Plivo refused the message",
        "unavailable" => "Plivo was not available",
        other => other,
    }
}

impl fmt::Display for WhyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at {}", self.phone.as_deref().unwrap_or("An e-mail address that no user has"), self.at)?;
        match &self.user {
            Some(user) => writeln!(f, "User {}, {}", user.object_id, user.status)?,
            None => writeln!(f, "No user")?,
        }
        if let Some(until) = self.test_number_until {
            writeln!(f, "Listed as a test number until {until}")?;
        }
        write_holdups(f, &format!("Limits of {SERVICE}"), &self.service)?;
        for Story { of, key, holdups, lines } in &self.stories {
            writeln!(f, "\nBy {of} (key {key})")?;
            write_holdups(f, &format!("Limits of {}", subject(of)), holdups)?;
            if lines.is_empty() {
                writeln!(f, "Nothing has happened lately.")?;
            }
            for Line { at, by, flow, text, .. } in lines {
                let by = by.as_ref().map(|by| format!(" [{by}]")).unwrap_or_default();
                writeln!(f, "  {at}  {}: {text}{by}", flow.unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

fn write_holdups(f: &mut fmt::Formatter<'_>, title: &str, holdups: &[Holdup]) -> fmt::Result {
    if holdups.is_empty() {
        return writeln!(f, "{title}: nothing in force");
    }
    writeln!(f, "{title}:")?;
    for Holdup { name, who, until } in holdups {
        let until = until.map_or_else(|| "until it is changed".to_owned(), |until| format!("until {until}"));
        writeln!(f, "  {}, {until} ({who})", in_words(name))?;
    }
    Ok(())
}
