//! Settings: every one is read from an environment variable, once, when a function starts, and checked there. A missing or wrong one stops
//! the start with one line that names it.
//!
//! Values come through a [`Lookup`], so that tests and the local stack pass a map and nobody changes the process environment.
//!
//! A new setting needs: its line in `settings!`, its check in the file of its subject, a parameter of
//! `template.yaml` with the same bounds, and a row in the README's table. Tests compare these.

mod captcha;
mod jwt;
mod messages;
mod proxy;
mod resources;
mod spend;
mod test_numbers;
mod texts;
mod users;
mod voice;

use std::time::Duration;

use phone_number::{Country, PhoneNumber};

use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::messaging::MessageRules;
use crate::spend::SpendRules;

pub use captcha::CaptchaSettings;
pub use messages::Sender;
#[cfg(test)]
pub(crate) use messages::{MAX_APP_NAME_LENGTH, MAX_HOST_LENGTH};
pub use resources::{RESOURCE_NAMES, Resources};
use spend::countries;
pub use spend::{confirmed_countries, default_country, message_rules, sms_countries, spend_rules};
pub use test_numbers::{TestNumber, test_numbers};
pub use texts::{OwnTexts, Purpose};
pub use users::Identity;

/// The default of `STARTS_PER_ADDRESS`.
pub(crate) const STARTS_PER_ADDRESS: usize = 20;
/// The default of `MESSAGES_PER_PHONE`.
pub(crate) const MESSAGES_PER_PHONE: usize = 100;
/// The default of `COUNTRIES_PER_ADDRESS`.
pub(crate) const COUNTRIES_PER_ADDRESS: usize = 5;

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

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $read:expr, $name:literal $(, $more:literal)*;)+) => {
        /// The names of all settings that people choose.
        pub const NAMES: [&str; [$($name, $($more,)*)+ "AWS_CA_BUNDLE"].len()] = [$($name, $($more,)*)+ "AWS_CA_BUNDLE"];

        /// All settings.
        #[derive(Debug, Clone)]
        pub struct Settings {
            /// Tables, queues and secrets.
            pub resources: Resources,
            /// The operator's own texts, which are compiled in.
            pub texts: OwnTexts,
            $($(#[$doc])* pub $field: $type,)+
        }

        impl Settings {
            /// Reads and checks all settings.
            ///
            /// # Errors
            /// The first that is missing or wrong.
            pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
                let (resources, texts) = (Resources::from_lookup(lookup)?, texts::own_texts(lookup)?);
                Ok(Self { resources, texts, $($field: $read(lookup, $name)?,)+ })
            }
        }
    };
}

settings! {
    /// The application id in paths.
    app_id: String = path_segment, "APP_ID";
    /// The application's key in paths. It is in every app and page: an address, not a secret.
    api_key: String = path_segment, "API_KEY";
    /// The application's name in texts. GSM 03.38 characters, at most 20. Default `Otpost`.
    app_name: String = messages::app_name, "APP_NAME";
    /// A number, an alphanumeric sender, or a powerpack's UUID.
    sender: Sender = messages::sender, "PLIVO_SENDER";
    /// Scheme and host of Plivo's API. Default `https://api.plivo.com`.
    plivo_api_url: String = messages::base_url, "PLIVO_API_URL";
    /// For numbers without `+`. Default `US`.
    default_country: Country = spend::default_country, "DEFAULT_COUNTRY";
    /// Where SMS may go, separated by commas. Default `US,CA` and the default country: what is not listed costs nothing.
    sms_countries: Vec<Country> = |lookup, _| sms_countries(lookup), "SMS_COUNTRIES";
    /// Where SMS may go besides, but only to confirmed phones. Default none.
    confirmed_countries: Vec<Country> = |lookup, _| confirmed_countries(lookup), "CONFIRMED_COUNTRIES";
    /// Registrations and logins that one client network may start in an hour, 1 to 10000. Default 20. Its item holds the time and
    /// the phone of each, so 50 of them are a kilobyte, and a write unit, more for each start; an item holds 400.
    starts_per_address: usize = number(STARTS_PER_ADDRESS, 1, 10_000), "STARTS_PER_ADDRESS";
    /// The most countries that one client network may call in a day, 1 to 250. Default 5.
    countries_per_address: usize = number(COUNTRIES_PER_ADDRESS, 1, 250), "COUNTRIES_PER_ADDRESS";
    /// The header, in lower case, in which a proxy in front of the API says the client's address; none by default. Believed only with the
    /// header `proxy-secret`, and without that every request is refused.
    client_address_header: Option<String> = proxy::client_address_header, "CLIENT_ADDRESS_HEADER";
    /// The SHA-256 of the secret that the proxy adds as `proxy-secret`, 64 hex digits; required with `CLIENT_ADDRESS_HEADER`.
    proxy_secret_sha256: Option<String> = proxy::secret_sha256, "PROXY_SECRET_SHA256";
    /// Wrong codes of all phones and addresses in a day (UTC), from which on codes have eight digits, 10 to 1000000. Default 300: more than
    /// the default budget's 3,246 messages a day have typing errors.
    wrong_codes_per_day: usize = number(300, 10, 1_000_000), "WRONG_CODES_PER_DAY";
    /// The captcha that lets people pass where a limit would refuse: `CAPTCHA_HOSTNAMES` (the hosts of the pages that show it, separated by commas;
    /// default none, and no captcha) and `CAPTCHA_VERIFY_URL` (default Turnstile's).
    captcha: Option<CaptchaSettings> = |lookup, _| captcha::captcha(lookup), "CAPTCHA_HOSTNAMES", "CAPTCHA_VERIFY_URL";
    /// How a send is decided: `SMS_PRICES` (US$ for one segment of an SMS; default `US=0.0077,CA=0.0077,*=0.25`), `BUDGET` (US$ an hour, a
    /// day and a month; default `5/25/250`), `COUNTRY_BUDGETS` (default none), `BUDGET_SHARDS` (1 to 4096; default 4), `PUMPING_MODE`
    /// (`refuse`, `suppress` or `monitor`, for prefix and country; default `refuse/monitor`, with a captcha `refuse/refuse`), `PUMPING_PREFIX` and `PUMPING_COUNTRY` (least/times/percent; defaults
    /// `20/2/30` and `100/3/15`), `VOICE_COUNTRIES` (where calls may go; default none, and no calls), `VOICE_PRICES` (US$ for a call; default
    /// `US=0.0115,CA=0.0115,*=0.5`).
    spend: SpendRules = |lookup, _| spend_rules(lookup), "SMS_PRICES", "BUDGET", "COUNTRY_BUDGETS", "BUDGET_SHARDS", "PUMPING_MODE",
        "PUMPING_PREFIX", "PUMPING_COUNTRY", "VOICE_COUNTRIES", "VOICE_PRICES";
    /// The number that calls, E.164; required with `VOICE_COUNTRIES`.
    caller: Option<String> = voice::caller, "PLIVO_CALLER";
    /// What the app's own messages may take: `MESSAGE_BUDGET` (US$ an hour, a day and a month; default `25/100/1000`), `MESSAGES_PER_PHONE` (a
    /// day, 1 to 1000; default 100), `MMS_PRICE` (US$; default `0.02`).
    messages: MessageRules = |lookup, _| message_rules(lookup), "MESSAGE_BUDGET", "MESSAGES_PER_PHONE", "MMS_PRICE";
    /// Further words that opt a phone out of messages when it answers with one of them, separated by commas. Default none.
    opt_out_words: Vec<String> = messages::opt_out_words, "OPT_OUT_WORDS";
    /// What answers HELP: one segment of GSM 03.38 characters. Default: `APP_NAME`, what it sends, and how to end it.
    help_text: String = messages::help_text, "HELP_TEXT";
    /// Name of the phone in register bodies and user objects. Default `phoneNumber`.
    phone_column: String = users::phone_column, "PHONE_COLUMN";
    /// `email` (default) or the phone column.
    identity: Identity = users::identity, "IDENTITY_COLUMN";
    /// Whether a registration needs a password: `required` (default) or `optional`. A user without one logs in by a code alone.
    is_password_required: bool = users::is_password_required, "PASSWORD";
    /// Whether step 2 of a registration also begins a session, and answers its token. Default `false`, as the Backendless service.
    session_after_registration: bool = users::session_after_registration, "SESSION_AFTER_REGISTRATION";
    /// Digits of a one-time code, 6 to 10. Default 6.
    code_length: usize = number(6, 6, 10), "CODE_LENGTH";
    /// Up to 20 numbers with fixed codes, each until the end of a day (UTC), like `+14155550123=123456@2027-12-31`, separated by commas; none by
    /// default.
    test_numbers: Vec<TestNumber> = test_numbers, "TEST_NUMBERS";
    /// How long a code is valid, 60 to 600 s. Default 300.
    code_life: Duration = seconds(300, 60, 600), "CODE_LIFE_SECONDS";
    /// The host of the line that lets a browser fill in the code; none by default.
    webotp_host: Option<String> = messages::webotp_host, "WEBOTP_HOST";
    /// Eleven characters that let an Android app read the code; none by default.
    android_app_hash: Option<String> = messages::android_app_hash, "ANDROID_APP_HASH";
    /// A session ends after this long without a call, 300 to 2592000 s. Default 604800 (7 days).
    session_idle: Duration = seconds(604_800, 300, 2_592_000), "SESSION_IDLE_SECONDS";
    /// A session ends after this long in any case, 300 to 31536000 s. Default 2592000 (30 days).
    session_life: Duration = seconds(2_592_000, 300, 31_536_000), "SESSION_LIFE_SECONDS";
    /// The URL that JWTs name as their issuer, below which the service is reached at `/.well-known/…`; none by default, and no JWTs.
    jwt_issuer: Option<String> = jwt::issuer, "JWT_ISSUER";
    /// Who may call from a browser, separated by commas; `*` (default) is everybody, since no cookie is used. The gateway answers by it;
    /// functions do not look at it.
    allowed_origins: Vec<String> = allowed_origins, "ALLOWED_ORIGINS";
}

impl Settings {
    /// Whether a flow's SMS may go to this country; numbers of no country are never sent to.
    pub fn serves(&self, country: Country, flow: Flow) -> bool {
        if flow.is_for_confirmed_phones() {
            self.serves_somebody(country)
        } else {
            self.sms_countries.contains(&country)
        }
    }

    /// Whether SMS may go to this country at all, if only to confirmed phones.
    pub fn serves_somebody(&self, country: Country) -> bool {
        self.sms_countries.contains(&country) || self.confirmed_countries.contains(&country)
    }

    /// The entry of `TEST_NUMBERS` for a number, while it lasts.
    pub fn test_number(&self, phone: &PhoneNumber, now: Timestamp) -> Option<&TestNumber> {
        self.test_numbers.iter().find(|listed| listed.phone == *phone && now < listed.end)
    }
}

/// A value that is there and not blank. An empty variable counts as absent: templates cannot leave one out.
fn present(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// A setting that must be there; an empty variable counts as absent.
///
/// # Errors
/// When it is missing.
pub fn required(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    present(lookup, name).ok_or_else(|| SettingError::new(name, "is missing"))
}

fn with_default(lookup: Lookup<'_>, name: &str, default: &str) -> String {
    present(lookup, name).unwrap_or_else(|| default.to_owned())
}

fn ensure(is_valid: bool, name: &'static str, problem: impl Into<String>) -> Result<(), SettingError> {
    if is_valid { Ok(()) } else { Err(SettingError::new(name, problem)) }
}

/// A parser of a number with its default and bounds.
fn number(default: usize, min: usize, max: usize) -> impl Fn(Lookup<'_>, &'static str) -> Result<usize, SettingError> {
    move |lookup, name| match present(lookup, name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| SettingError::new(name, format!("must be a number from {min} to {max}, not '{text}'"))),
    }
}

/// The same for whole seconds.
fn seconds(
    default: usize,
    min: usize,
    max: usize,
) -> impl Fn(Lookup<'_>, &'static str) -> Result<Duration, SettingError> {
    move |lookup, name| Ok(Duration::from_secs(number(default, min, max)(lookup, name)? as u64))
}

/// Ids and keys stand in paths as one segment; Backendless uses UUIDs, any other plain text will do.
fn path_segment(lookup: Lookup<'_>, name: &'static str) -> Result<String, SettingError> {
    let segment = required(lookup, name)?;
    let is_plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    ensure(is_plain && segment != "api", name, "must be letters, digits, '-' and '_', and not 'api'")?;
    Ok(segment)
}

fn allowed_origins(lookup: Lookup<'_>, name: &'static str) -> Result<Vec<String>, SettingError> {
    let origins = with_default(lookup, name, "*");
    let origins: Vec<_> = origins.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned()).collect();
    let is_origin =
        |origin: &String| url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
    let problem = "must be * or origins like https://app.example.com, separated by commas";
    ensure(origins.iter().all(|origin| origin == "*" || is_origin(origin)), name, problem)?;
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::spend::budget::Amounts;
    use crate::spend::pumping::Mode;

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
            ("TEST_NUMBERS", "+14155550123=123456"),
            ("CODE_LIFE_SECONDS", "59"),
            ("CODE_LIFE_SECONDS", "601"),
            ("DEFAULT_COUNTRY", "us"),
            ("SMS_COUNTRIES", "US,USA"),
            ("SMS_COUNTRIES", "US,,CA"),
            ("CONFIRMED_COUNTRIES", "USA"),
            ("SMS_PRICES", "US=0.01"),
            ("VOICE_COUNTRIES", "USA"),
            ("VOICE_PRICES", "US=0.01"),
            ("PLIVO_CALLER", "Otpost"),
            ("BUDGET", "25/5"),
            ("COUNTRY_BUDGETS", "DE=1"),
            ("BUDGET_SHARDS", "4097"),
            ("MESSAGE_BUDGET", "5"),
            ("MESSAGES_PER_PHONE", "0"),
            ("MMS_PRICE", "0"),
            ("MMS_PRICE", "a"),
            ("OPT_OUT_WORDS", "BASTA,"),
            ("OPT_OUT_WORDS", "BASTA,!"),
            ("HELP_TEXT", "наш"),
            ("STARTS_PER_ADDRESS", "0"),
            ("COUNTRIES_PER_ADDRESS", "0"),
            ("PUMPING_MODE", "off"),
            ("PUMPING_MODE", "refuse/off"),
            ("PUMPING_MODE", "refuse/monitor/refuse"),
            ("CAPTCHA_VERIFY_URL", "captcha.example"),
            ("CAPTCHA_HOSTNAMES", "https://app.example.com"),
            ("CAPTCHA_HOSTNAMES", "app.example.com,"),
            ("PUMPING_PREFIX", "20"),
            ("PUMPING_COUNTRY", "20/2/101"),
            ("PHONE_COLUMN", "email"),
            ("PHONE_COLUMN", "objectId"),
            ("PHONE_COLUMN", "transactionCode"),
            ("PHONE_COLUMN", "1st"),
            ("IDENTITY_COLUMN", "name"),
            ("SESSION_AFTER_REGISTRATION", "yes"),
            ("PASSWORD", "no"),
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
        asked.dedup();
        // Not for people: only the local stack sets the texts by a variable.
        let mut names: Vec<_> = NAMES.into_iter().chain(RESOURCE_NAMES).chain(["TEXTS"]).collect();
        names.sort_unstable();
        assert_eq!(asked, names);
    }

    #[test]
    fn the_defaults_are_the_safe_ones() {
        let settings = read(&required_only()).unwrap();
        assert_eq!(settings.code_length, 6);
        assert_eq!(settings.code_life, Duration::from_secs(300));
        assert_eq!(settings.sms_countries.iter().map(|country| country.code()).collect::<Vec<_>>(), ["US", "CA"]);
        assert!(!settings.serves(Country::parse("GB").unwrap(), Flow::Login));
        assert_eq!((settings.starts_per_address, settings.countries_per_address), (20, 5));
        assert_eq!(settings.spend.budgets.all, Amounts::parse("5/25/250").unwrap());
        assert_eq!(settings.spend.pumping.prefix_mode, Mode::Refuse);
        assert_eq!(settings.spend.pumping.country_mode, Mode::Monitor, "88 requests must not close a country");
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
        assert!(settings.serves(germany, Flow::Register), "a default country can be sent to");
        assert!(settings.serves(britain, Flow::Login) && !settings.serves(britain, Flow::Register));
        assert_eq!((settings.phone_column.as_str(), settings.identity), ("mobile", Identity::Phone));
        assert_eq!(settings.plivo_api_url, "http://127.0.0.1:3000");
        assert_eq!(settings.sender, Sender::Powerpack("5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46".into()));
        assert_eq!(settings.allowed_origins, ["https://a.example", "https://b.example:8443"]);
        assert_eq!(settings.code_length, 10);
    }
}
