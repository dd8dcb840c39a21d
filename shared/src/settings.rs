//! Settings: every one is read from an environment variable, once, when a function starts, and checked there. A missing or
//! wrong one stops the start with one line that names it. Uses `phone` for country codes, `sending`, `gsm`, `names`.
//!
//! Values come through a [`Lookup`], so that tests and the local stack pass a map and nobody changes the process environment.

use std::time::Duration;

use crate::gsm;
use crate::names;
use crate::phone::Country;
use crate::sending::budget::{Budgets, MOST_SLICES};
use crate::sending::decision::{Mode, Pumping, Threshold};
use crate::sending::money::Prices;
use crate::sending::{Flow, Rules};
use crate::uuid;

/// The names of all settings that people choose.
pub const NAMES: [&str; 27] = [
    "APP_ID",
    "API_KEY",
    "APP_NAME",
    "PLIVO_SENDER",
    "PLIVO_API_URL",
    "DEFAULT_COUNTRY",
    "SMS_COUNTRIES",
    "CONFIRMED_COUNTRIES",
    "SMS_PRICES",
    "BUDGET",
    "COUNTRY_BUDGETS",
    "BUDGET_SLICES",
    "STARTS_PER_ADDRESS",
    "COUNTRIES_PER_ADDRESS",
    "PUMPING_MODE",
    "PUMPING_PREFIX",
    "PUMPING_COUNTRY",
    "PHONE_COLUMN",
    "IDENTITY_COLUMN",
    "CODE_LENGTH",
    "CODE_LIFE_SECONDS",
    "WEBOTP_HOST",
    "ANDROID_APP_HASH",
    "SESSION_IDLE_SECONDS",
    "SESSION_LIFE_SECONDS",
    "ALLOWED_ORIGINS",
    "AWS_CA_BUNDLE",
];

/// The names of what the template makes and tells each function.
pub const RESOURCE_NAMES: [&str; 13] = [
    "USERS_TABLE",
    "PHONES_TABLE",
    "SESSIONS_TABLE",
    "CONTROLS_TABLE",
    "MESSAGES_TABLE",
    "COUNTERS_TABLE",
    "DECISIONS_TABLE",
    "DEAD_LETTER_QUEUE",
    "DEAD_LETTER_FIFO_QUEUE",
    "METRICS_NAMESPACE",
    "PLIVO_SECRET",
    "ROOT_SECRET",
    "MESSAGE_SECRET",
];

/// The default of `STARTS_PER_ADDRESS`.
pub(crate) const STARTS_PER_ADDRESS: usize = 20;
/// The default of `COUNTRIES_PER_ADDRESS`.
pub(crate) const COUNTRIES_PER_ADDRESS: usize = 5;

/// The longest `APP_NAME`, in GSM characters, and the longest `WEBOTP_HOST`: with both, and everything else at its longest, the
/// texts of codes still fit one part (`auth::template` tests it).
pub const LONGEST_APP_NAME: usize = 20;
/// See [`LONGEST_APP_NAME`].
pub const LONGEST_HOST: usize = 40;

/// How a setting's value is found by its name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process environment, for the function binaries.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment enters")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A setting that is missing or wrong. Its one line is what the operator sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting {name} {problem}")]
pub struct SettingError {
    /// The environment variable.
    pub name: &'static str,
    /// What is wrong with it; never the value of a secret.
    pub problem: String,
}

impl SettingError {
    pub(crate) fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into() }
    }
}

/// What identifies a user besides the phone (Backendless: the identity column of the Users table).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The e-mail address: required at registration and unique.
    Email,
    /// The phone itself: an e-mail address is an ordinary property.
    Phone,
}

/// Who an SMS comes from (Plivo: "Send a message", `src` and `powerpack_uuid`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A number or an alphanumeric sender.
    Source(String),
    /// A powerpack's UUID.
    Powerpack(String),
}

/// Names of tables, queues and secrets: made by the template, not chosen by people.
#[derive(Debug, Clone)]
pub struct Resources {
    /// `USERS_TABLE`: users, their login rows and identities; kept.
    pub users_table: String,
    /// `PHONES_TABLE`: what was sent to a phone, guessed for it and is pending; expires.
    pub phones_table: String,
    /// `SESSIONS_TABLE`: sessions by the hash of their token; expires.
    pub sessions_table: String,
    /// `CONTROLS_TABLE`: what concerns everybody, like whether Plivo answers.
    pub controls_table: String,
    /// `MESSAGES_TABLE`: what became of each message, by idempotency key; expires.
    pub messages_table: String,
    /// `COUNTERS_TABLE`: what addresses asked for, what was spent, sent and verified; expires.
    pub counters_table: String,
    /// `DECISIONS_TABLE`: how each send was decided; expires.
    pub decisions_table: String,
    /// `DEAD_LETTER_QUEUE`: URL of the queue of messages that were not sent, with the reason.
    pub dead_letter_queue: String,
    /// `DEAD_LETTER_FIFO_QUEUE`: URL of the same for those that came by a FIFO queue.
    pub dead_letter_fifo_queue: String,
    /// `METRICS_NAMESPACE`: under which metrics stand in CloudWatch.
    pub metrics_namespace: String,
    /// `PLIVO_SECRET`: name or ARN of the secret `{"authId","authToken"}`.
    pub plivo_secret: String,
    /// `ROOT_SECRET`: name or ARN of the root key from which all keys are derived.
    pub root_secret: String,
    /// `MESSAGE_SECRET`: name or ARN of the key that `sendMessage` asks for.
    pub message_secret: String,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Tables, queues and secrets.
    pub resources: Resources,
    /// `APP_ID`: the application id in paths.
    pub app_id: String,
    /// `API_KEY`: the application's key in paths. It is in every app and page: an address, not a secret.
    pub api_key: String,
    /// `APP_NAME`: the application's name in texts. GSM 03.38 characters, at most 20. Default `Otpost`.
    pub app_name: String,
    /// `PLIVO_SENDER`: a number, an alphanumeric sender, or a powerpack's UUID.
    pub sender: Sender,
    /// `PLIVO_API_URL`: scheme and host of Plivo's API. Default `https://api.plivo.com`.
    pub plivo_api_url: String,
    /// `DEFAULT_COUNTRY`: for numbers without `+`. Default `US`.
    pub default_country: Country,
    /// `SMS_COUNTRIES`: where SMS may go, by commas. Default `US,CA` and the default country: what is not listed costs nothing.
    pub sms_countries: Vec<Country>,
    /// `CONFIRMED_COUNTRIES`: where SMS may go besides, but only to phones that were confirmed here. Default none.
    pub confirmed_countries: Vec<Country>,
    /// `STARTS_PER_ADDRESS`: registrations and logins that one network may start in an hour, 1 to 10000. Default 20. Its item
    /// holds the time of each, so 100 of them are a kilobyte, and a write unit, more for each start; an item holds 400.
    pub starts_per_address: usize,
    /// `COUNTRIES_PER_ADDRESS`: the most countries that one network may call in a day, 1 to 250. Default 5.
    pub countries_per_address: usize,
    /// How a send is decided: `SMS_PRICES` (US$ for one part of an SMS; default `US=0.0077,CA=0.0077,*=0.25`), `BUDGET` (US$ an
    /// hour, a day and a month; default `5/25/250`), `COUNTRY_BUDGETS` (default none), `BUDGET_SLICES` (1 to 4096; default 4), `PUMPING_MODE` (`refuse`, `silent` or `monitor`;
    /// default `refuse`), `PUMPING_PREFIX` and `PUMPING_COUNTRY` (least/times/percent; defaults `20/2/30` and `100/3/15`).
    pub rules: Rules,
    /// `PHONE_COLUMN`: name of the phone in register bodies and user objects. Default `phoneNumber`.
    pub phone_column: String,
    /// `IDENTITY_COLUMN`: `email` (default) or the phone column.
    pub identity: Identity,
    /// `CODE_LENGTH`: digits of a one-time code, 6 to 10. Default 6.
    pub code_length: usize,
    /// `CODE_LIFE_SECONDS`: 60 to 600. Default 300.
    pub code_life: Duration,
    /// `WEBOTP_HOST`: the host of the line that lets a browser fill in the code; none by default.
    pub webotp_host: Option<String>,
    /// `ANDROID_APP_HASH`: eleven characters that let an Android app read the code; none by default.
    pub android_app_hash: Option<String>,
    /// `SESSION_IDLE_SECONDS`: a session ends after this long without a call, 300 to 2592000. Default 604800 (7 days).
    pub session_idle: Duration,
    /// `SESSION_LIFE_SECONDS`: a session ends after this long in any case, 300 to 31536000. Default 2592000 (30 days).
    pub session_life: Duration,
    /// `ALLOWED_ORIGINS`: who may call from a browser, by commas; `*` (default) is everybody, since no cookie is used.
    /// The gateway answers by it; functions do not look at it.
    pub allowed_origins: Vec<String>,
}

impl Settings {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// The first that is missing or wrong.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        let default_country = country("DEFAULT_COUNTRY", &optional(lookup, "DEFAULT_COUNTRY", "US"))?;
        let phone_column = phone_column(lookup)?;
        let settings = Self {
            resources: Resources::from_lookup(lookup)?,
            app_id: path_segment(lookup, "APP_ID")?,
            api_key: path_segment(lookup, "API_KEY")?,
            app_name: app_name(lookup)?,
            sender: sender(lookup)?,
            plivo_api_url: base_url(lookup)?,
            default_country,
            sms_countries: sms_countries(lookup, default_country)?,
            confirmed_countries: countries(lookup, "CONFIRMED_COUNTRIES")?.unwrap_or_default(),
            starts_per_address: number(lookup, "STARTS_PER_ADDRESS", STARTS_PER_ADDRESS as u64, 1, 10_000)? as usize,
            countries_per_address: number(lookup, "COUNTRIES_PER_ADDRESS", COUNTRIES_PER_ADDRESS as u64, 1, 250)?
                as usize,
            rules: rules(lookup)?,
            identity: identity(lookup, &phone_column)?,
            phone_column,
            code_length: number(lookup, "CODE_LENGTH", 6, 6, 10)? as usize,
            code_life: Duration::from_secs(number(lookup, "CODE_LIFE_SECONDS", 300, 60, 600)?),
            webotp_host: webotp_host(lookup)?,
            android_app_hash: android_app_hash(lookup)?,
            session_idle: Duration::from_secs(number(lookup, "SESSION_IDLE_SECONDS", 604_800, 300, 2_592_000)?),
            session_life: Duration::from_secs(number(lookup, "SESSION_LIFE_SECONDS", 2_592_000, 300, 31_536_000)?),
            allowed_origins: allowed_origins(lookup)?,
        };
        Ok(settings)
    }

    /// Whether a flow's SMS may go to this country; numbers of no country are never sent to.
    pub fn sends_to(&self, country: Country, flow: Flow) -> bool {
        self.sms_countries.contains(&country) || flow.is_to_confirmed() && self.confirmed_countries.contains(&country)
    }

    /// All countries that SMS may go to, two letters each.
    pub fn all_countries(&self) -> Vec<String> {
        let all: std::collections::BTreeSet<_> =
            self.sms_countries.iter().chain(&self.confirmed_countries).map(|country| country.code()).collect();
        all.into_iter().collect()
    }
}

impl Resources {
    fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        Ok(Self {
            users_table: required(lookup, "USERS_TABLE")?,
            phones_table: required(lookup, "PHONES_TABLE")?,
            sessions_table: required(lookup, "SESSIONS_TABLE")?,
            controls_table: required(lookup, "CONTROLS_TABLE")?,
            messages_table: required(lookup, "MESSAGES_TABLE")?,
            counters_table: required(lookup, "COUNTERS_TABLE")?,
            decisions_table: required(lookup, "DECISIONS_TABLE")?,
            dead_letter_queue: required(lookup, "DEAD_LETTER_QUEUE")?,
            dead_letter_fifo_queue: required(lookup, "DEAD_LETTER_FIFO_QUEUE")?,
            metrics_namespace: required(lookup, "METRICS_NAMESPACE")?,
            plivo_secret: required(lookup, "PLIVO_SECRET")?,
            root_secret: required(lookup, "ROOT_SECRET")?,
            message_secret: required(lookup, "MESSAGE_SECRET")?,
        })
    }
}

/// A value that is there and not blank. An empty variable counts as absent: templates cannot leave one out.
fn present(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(crate) fn required(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    present(lookup, name).ok_or_else(|| SettingError::new(name, "is missing"))
}

fn optional(lookup: Lookup<'_>, name: &str, default: &str) -> String {
    present(lookup, name).unwrap_or_else(|| default.to_owned())
}

fn number(lookup: Lookup<'_>, name: &'static str, default: u64, least: u64, most: u64) -> Result<u64, SettingError> {
    match present(lookup, name) {
        None => Ok(default),
        Some(text) => {
            text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
                SettingError::new(name, format!("must be a number from {least} to {most}, not '{text}'"))
            })
        }
    }
}

fn country(name: &'static str, code: &str) -> Result<Country, SettingError> {
    Country::parse(code)
        .ok_or_else(|| SettingError::new(name, format!("must hold two-letter country codes like US, not '{code}'")))
}

fn sms_countries(lookup: Lookup<'_>, default_country: Country) -> Result<Vec<Country>, SettingError> {
    if let Some(listed) = countries(lookup, "SMS_COUNTRIES")? {
        return Ok(listed);
    }
    let mut countries: Vec<_> = ["US", "CA"].into_iter().filter_map(Country::parse).collect();
    if !countries.contains(&default_country) {
        countries.push(default_country);
    }
    Ok(countries)
}

fn countries(lookup: Lookup<'_>, name: &'static str) -> Result<Option<Vec<Country>>, SettingError> {
    let read = |codes: String| codes.split(',').map(|code| country(name, code.trim())).collect();
    present(lookup, name).map(read).transpose()
}

fn rules(lookup: Lookup<'_>) -> Result<Rules, SettingError> {
    let threshold = |name, default| {
        Threshold::parse(&optional(lookup, name, default)).map_err(|problem| SettingError::new(name, problem))
    };
    let prices = Prices::parse(&optional(lookup, "SMS_PRICES", "US=0.0077,CA=0.0077,*=0.25"));
    let budgets = Budgets::parse(&optional(lookup, "BUDGET", "5/25/250"), &optional(lookup, "COUNTRY_BUDGETS", ""));
    let mode = match optional(lookup, "PUMPING_MODE", "refuse").as_str() {
        "refuse" => Mode::Refuse,
        "silent" => Mode::Silent,
        "monitor" => Mode::Monitor,
        other => {
            return Err(SettingError::new("PUMPING_MODE", format!("must be refuse, silent or monitor, not '{other}'")));
        }
    };
    Ok(Rules {
        prices: prices.map_err(|problem| SettingError::new("SMS_PRICES", problem))?,
        budgets: budgets.map_err(|(countries, problem)| {
            SettingError::new(if countries { "COUNTRY_BUDGETS" } else { "BUDGET" }, problem)
        })?,
        slices: number(lookup, "BUDGET_SLICES", 4, 1, MOST_SLICES as u64)? as usize,
        pumping: Pumping {
            mode,
            prefix: threshold("PUMPING_PREFIX", "20/2/30")?,
            country: threshold("PUMPING_COUNTRY", "100/3/15")?,
        },
    })
}

/// Ids and keys stand in paths as one segment; Backendless uses UUIDs, any other plain text will do.
fn path_segment(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let value = required(lookup, name)?;
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if plain && value != "api" {
        Ok(value)
    } else {
        Err(SettingError::new(name, "must be letters, digits, '-' and '_', and not 'api'"))
    }
}

fn app_name(lookup: Lookup<'_>) -> Result<String, SettingError> {
    let name = optional(lookup, "APP_NAME", "Otpost");
    if gsm::length(&name).is_some_and(|length| length <= LONGEST_APP_NAME) && !name.contains(['\n', '\r']) {
        Ok(name)
    } else {
        Err(SettingError::new("APP_NAME", format!("must be at most {LONGEST_APP_NAME} characters of the GSM alphabet")))
    }
}

fn sender(lookup: Lookup<'_>) -> Result<Sender, SettingError> {
    const NAME: &str = "PLIVO_SENDER";
    let value = required(lookup, NAME)?;
    if uuid::parse(&value).is_some() {
        return Ok(Sender::Powerpack(value.to_lowercase()));
    }
    let digits = value.strip_prefix('+').unwrap_or(&value);
    let is_number = (3..=14).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = (1..=11).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_number || is_name {
        Ok(Sender::Source(value))
    } else {
        Err(SettingError::new(
            NAME,
            "must be a number like +14155550100, up to 11 letters and digits, or a powerpack's UUID",
        ))
    }
}

fn base_url(lookup: Lookup<'_>) -> Result<String, SettingError> {
    const NAME: &str = "PLIVO_API_URL";
    let text = optional(lookup, NAME, "https://api.plivo.com");
    let url =
        url::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    if url.is_none() {
        return Err(SettingError::new(NAME, format!("must be a URL like https://api.plivo.com, not '{text}'")));
    }
    if text.contains(['?', '#']) {
        return Err(SettingError::new(NAME, "must be without a query and a fragment"));
    }
    // The base may be given as the official SDKs take it, too.
    let base = text.trim_end_matches('/');
    Ok(base.trim_end_matches("/v1/Account").trim_end_matches('/').to_owned())
}

fn phone_column(lookup: Lookup<'_>) -> Result<String, SettingError> {
    const NAME: &str = "PHONE_COLUMN";
    let column = optional(lookup, NAME, "phoneNumber");
    let taken = names::is_reserved(&column);
    if names::is_name(&column) && !taken {
        Ok(column)
    } else {
        Err(SettingError::new(NAME, format!("must be a property name that has no other meaning, not '{column}'")))
    }
}

fn identity(lookup: Lookup<'_>, phone_column: &str) -> Result<Identity, SettingError> {
    match optional(lookup, "IDENTITY_COLUMN", "email") {
        column if column == "email" => Ok(Identity::Email),
        column if column == phone_column => Ok(Identity::Phone),
        other => Err(SettingError::new("IDENTITY_COLUMN", format!("must be email or {phone_column}, not '{other}'"))),
    }
}

fn webotp_host(lookup: Lookup<'_>) -> Result<Option<String>, SettingError> {
    const NAME: &str = "WEBOTP_HOST";
    let Some(host) = present(lookup, NAME) else { return Ok(None) };
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if plain && host.len() <= LONGEST_HOST && host.contains('.') {
        Ok(Some(host.to_lowercase()))
    } else {
        Err(SettingError::new(
            NAME,
            format!("must be a host name of at most {LONGEST_HOST} characters like app.example.com, not '{host}'"),
        ))
    }
}

fn android_app_hash(lookup: Lookup<'_>) -> Result<Option<String>, SettingError> {
    const NAME: &str = "ANDROID_APP_HASH";
    let Some(hash) = present(lookup, NAME) else { return Ok(None) };
    // Android SMS Retriever: the first 11 characters of a base64 text.
    let base64 = hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if base64 && hash.len() == 11 {
        Ok(Some(hash))
    } else {
        Err(SettingError::new(NAME, "must be the 11 characters that Android's SMS Retriever computes"))
    }
}

fn allowed_origins(lookup: Lookup<'_>) -> Result<Vec<String>, SettingError> {
    const NAME: &str = "ALLOWED_ORIGINS";
    let origins: Vec<String> =
        optional(lookup, NAME, "*").split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned()).collect();
    let good = |origin: &String| {
        origin == "*" || url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin)
    };
    if origins.iter().all(good) {
        Ok(origins)
    } else {
        Err(SettingError::new(NAME, "must be * or origins like https://app.example.com, separated by commas"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::sending::budget::Amounts;

    fn required_only() -> HashMap<&'static str, &'static str> {
        let made = RESOURCE_NAMES.map(|name| (name, "made-by-the-template"));
        let known = [
            ("APP_ID", "A0A0A0A0-0000-0000-0000-000000000001"),
            ("API_KEY", "B0B0B0B0-0000-0000-0000-000000000002"),
            ("PLIVO_SENDER", "+14155550199"),
        ];
        made.into_iter().chain(known).collect()
    }

    fn read(values: &HashMap<&'static str, &'static str>) -> Result<Settings, SettingError> {
        Settings::from_lookup(&|name| values.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn each_required_setting_is_named_when_it_is_missing() {
        for name in required_only().keys() {
            let mut values = required_only();
            values.remove(name);
            let error = read(&values).unwrap_err();
            assert_eq!(error.to_string(), format!("setting {name} is missing"));
            values.insert(name, "  ");
            assert_eq!(read(&values).unwrap_err().name, *name);
        }
    }

    #[test]
    fn each_wrong_setting_is_named() {
        for (name, value) in [
            ("CODE_LENGTH", "5"),
            ("CODE_LENGTH", "11"),
            ("CODE_LENGTH", "six"),
            ("CODE_LIFE_SECONDS", "59"),
            ("CODE_LIFE_SECONDS", "601"),
            ("DEFAULT_COUNTRY", "us"),
            ("SMS_COUNTRIES", "US,USA"),
            ("SMS_COUNTRIES", "US,,CA"),
            ("CONFIRMED_COUNTRIES", "USA"),
            ("SMS_PRICES", "US=0.01"),
            ("BUDGET", "25/5"),
            ("COUNTRY_BUDGETS", "DE=1"),
            ("BUDGET_SLICES", "4097"),
            ("STARTS_PER_ADDRESS", "0"),
            ("COUNTRIES_PER_ADDRESS", "0"),
            ("PUMPING_MODE", "off"),
            ("PUMPING_PREFIX", "20"),
            ("PUMPING_COUNTRY", "20/2/101"),
            ("PHONE_COLUMN", "email"),
            ("PHONE_COLUMN", "objectId"),
            ("PHONE_COLUMN", "transactionCode"),
            ("PHONE_COLUMN", "1st"),
            ("IDENTITY_COLUMN", "name"),
            ("PLIVO_SENDER", "+1 415"),
            ("PLIVO_SENDER", "a name too long"),
            ("PLIVO_API_URL", "api.plivo.com"),
            ("PLIVO_API_URL", "ftp://plivo"),
            ("PLIVO_API_URL", "https://plivo.example/?x=1"),
            ("WEBOTP_HOST", "a-host-name-of-more-than-forty.example.com"),
            ("APP_NAME", "a name that is too long"),
            ("APP_NAME", "наш"),
            ("APP_ID", "api"),
            ("API_KEY", "a/b"),
            ("WEBOTP_HOST", "https://example.com"),
            ("WEBOTP_HOST", "localhost"),
            ("ANDROID_APP_HASH", "short"),
            ("SESSION_IDLE_SECONDS", "1"),
            ("SESSION_LIFE_SECONDS", "999999999"),
            ("ALLOWED_ORIGINS", "example.com"),
            ("ALLOWED_ORIGINS", "https://a.example/path"),
        ] {
            let mut values = required_only();
            values.insert(name, value);
            assert_eq!(read(&values).unwrap_err().name, name, "{name}={value}");
        }
    }

    #[test]
    fn every_setting_that_is_read_has_its_name_in_the_list() {
        let asked = std::cell::RefCell::new(Vec::new());
        let values = required_only();
        let lookup = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            values.get(name).map(|value| (*value).to_owned())
        };
        Settings::from_lookup(&lookup).unwrap();
        let mut asked = asked.into_inner();
        asked.push("AWS_CA_BUNDLE".to_owned());
        asked.sort_unstable();
        let mut names: Vec<_> = NAMES.into_iter().chain(RESOURCE_NAMES).collect();
        names.sort_unstable();
        assert_eq!(asked, names);
    }

    #[test]
    fn the_defaults_are_the_safe_ones() {
        let settings = read(&required_only()).unwrap();
        assert_eq!(settings.code_length, 6);
        assert_eq!(settings.code_life, Duration::from_secs(300));
        assert_eq!(settings.sms_countries.iter().map(|country| country.code()).collect::<Vec<_>>(), ["US", "CA"]);
        assert!(!settings.sends_to(Country::parse("GB").unwrap(), Flow::Login));
        assert_eq!((settings.starts_per_address, settings.countries_per_address), (20, 5));
        assert_eq!(settings.rules.budgets.all, Amounts::parse("5/25/250").unwrap());
        assert_eq!(settings.rules.pumping.mode, Mode::Refuse);
        assert_eq!(settings.phone_column, "phoneNumber");
        assert_eq!(settings.identity, Identity::Email);
        assert_eq!(settings.plivo_api_url, "https://api.plivo.com");
        assert_eq!(settings.sender, Sender::Source("+14155550199".into()));
    }

    #[test]
    fn settings_are_read() {
        let mut values = required_only();
        values.extend([
            ("DEFAULT_COUNTRY", "DE"),
            ("PHONE_COLUMN", "mobile"),
            ("IDENTITY_COLUMN", "mobile"),
            ("PLIVO_API_URL", "http://127.0.0.1:3000/v1/Account/"),
            ("PLIVO_SENDER", "5EC4C8C9-CD74-42B5-9E41-0D7670D6BB46"),
            ("ALLOWED_ORIGINS", "https://a.example, https://b.example:8443"),
            ("CODE_LENGTH", "10"),
            ("CONFIRMED_COUNTRIES", "GB"),
        ]);
        let settings = read(&values).unwrap();
        let (germany, britain) = (Country::parse("DE").unwrap(), Country::parse("GB").unwrap());
        assert!(settings.sends_to(germany, Flow::Register), "a default country can be sent to");
        assert!(settings.sends_to(britain, Flow::Login) && !settings.sends_to(britain, Flow::Register));
        assert_eq!((settings.phone_column.as_str(), settings.identity), ("mobile", Identity::Phone));
        assert_eq!(settings.plivo_api_url, "http://127.0.0.1:3000");
        assert_eq!(settings.sender, Sender::Powerpack("5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46".into()));
        assert_eq!(settings.allowed_origins, ["https://a.example", "https://b.example:8443"]);
        assert_eq!(settings.code_length, 10);
    }
}
