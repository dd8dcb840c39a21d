//! A parameter of `template.yaml` accepts no more than the setting of its name, so CloudFormation refuses what a function would refuse.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use regex::Regex;
use serde_json::Value;
use shared::auth::properties::RESERVED;
use shared::config::{NAMES, RESOURCE_NAMES, Settings};

/// The template, with parameters set to values; the others have their defaults.
struct Parameters {
    template: Template,
    values: BTreeMap<String, String>,
}

impl Parameters {
    fn new() -> Self {
        Self { template: Template::read().unwrap(), values: BTreeMap::new() }
    }

    fn rules(&self) -> impl Iterator<Item = (&str, &Value)> {
        let rules = self.template.document["Parameters"].as_object().unwrap();
        rules.iter().map(|(parameter, rule)| (parameter.as_str(), rule))
    }

    /// The settings that have a parameter, as pairs of parameter and setting.
    fn settings(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let variables = &self.template.environment;
        let parameter = |name: &'static str| variables.get(name).map(|parameter| (parameter.as_str(), name));
        NAMES.into_iter().filter_map(parameter).chain([("AllowedOrigins", "ALLOWED_ORIGINS")])
    }

    fn value(&self, parameter: &str) -> String {
        let default = || match &self.template.document["Parameters"][parameter]["Default"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            number => number.to_string(),
        };
        self.values.get(parameter).cloned().unwrap_or_else(default)
    }

    /// Whether CloudFormation accepts a parameter's value, without the rules.
    fn is_accepted(&self, parameter: &str) -> bool {
        let (rule, value) = (&self.template.document["Parameters"][parameter], self.value(parameter));
        let bound = |name: &str, default| rule[name].as_i64().unwrap_or(default);
        let pattern =
            rule["AllowedPattern"].as_str().is_none_or(|pattern| Regex::new(pattern).unwrap().is_match(&value));
        let listed = rule["AllowedValues"].as_array().is_none_or(|listed| {
            listed.iter().any(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned) == value)
        });
        let bounds = bound("MinValue", i64::MIN)..=bound("MaxValue", i64::MAX);
        let number = rule["Type"] != "Number" || value.parse().is_ok_and(|number: i64| bounds.contains(&number));
        pattern && listed && number && value.len() as i64 <= bound("MaxLength", i64::MAX)
    }

    /// The settings that a function would read.
    fn read_by_code(&self) -> Result<Settings, String> {
        let mut environment = local::environment("http://127.0.0.1", "", "", "");
        let required = ["APP_ID", "API_KEY", "PLIVO_SENDER"];
        environment.retain(|name, _| RESOURCE_NAMES.iter().chain(&required).any(|kept| kept == name));
        let set = self.settings().map(|(parameter, name)| (name.to_owned(), self.value(parameter)));
        environment.extend(set.filter(|(_, value)| !value.is_empty()));
        Settings::from_lookup(&|name| environment.get(name).cloned()).map_err(|error| error.to_string())
    }

    /// Whether CloudFormation accepts a value. If it does, the code must, too.
    fn accepts(&mut self, parameter: &str, value: &str) -> bool {
        self.values.insert(parameter.to_owned(), value.to_owned());
        let accepted = self.is_accepted(parameter);
        let by_code = self.read_by_code();
        self.values.remove(parameter);
        assert!(!accepted || by_code.is_ok(), "only the template accepts {parameter}={value}: {by_code:?}");
        accepted
    }
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let parameters = Parameters::new();
    let mut environment = local::environment("http://127.0.0.1", "", "", "");
    environment.retain(|name, _| {
        !["PLIVO_API_URL", "CAPTCHA_VERIFY_URL", "STARTS_PER_ADDRESS", "JWT_ISSUER"].contains(&name.as_str())
    });
    let defaults = Settings::from_lookup(&|name| environment.get(name).cloned()).unwrap();
    assert_eq!(format!("{:?}", parameters.read_by_code().unwrap()), format!("{defaults:?}"));
    for (parameter, rule) in parameters.rules() {
        assert!(rule["Default"].is_null() || parameters.is_accepted(parameter), "{parameter}");
    }
}

#[test]
fn every_setting_has_a_parameter_that_checks_itself() {
    let parameters = Parameters::new();
    let settings: BTreeSet<_> = parameters.settings().map(|(_, name)| name).chain(["AWS_CA_BUNDLE"]).collect();
    assert_eq!(settings, NAMES.into());
    for (parameter, rule) in parameters.rules() {
        let checks = ["AllowedPattern", "AllowedValues", "MinValue"];
        assert!(checks.iter().any(|check| !rule[check].is_null()), "{parameter}");
        assert!(
            !(parameter.starts_with("PlivoAuth") || parameter == "CaptchaKey") || rule["NoEcho"] == true,
            "{parameter}"
        );
    }
}

/// `deploy.env`: each setting's description, as in the template, then the setting with its default, commented out.
#[test]
fn the_file_of_settings_has_every_parameter_but_the_secrets() {
    let parameters = Parameters::new();
    let names: BTreeMap<_, _> = parameters.settings().collect();
    let capital = Regex::new("([a-z])([A-Z])").unwrap();
    let blocks = parameters.rules().filter(|(parameter, _)| !["PlivoAuthToken", "CaptchaKey"].contains(parameter));
    let blocks = blocks.map(|(parameter, rule)| {
        let name = names
            .get(parameter)
            .map_or_else(|| capital.replace_all(parameter, "${1}_${2}").to_uppercase(), |name| (*name).to_owned());
        format!("# {}\n#{name}={}", rule["Description"].as_str().unwrap(), parameters.value(parameter))
    });
    let (_, settings) = include_str!("../../../deploy.env").split_once("\n\n").unwrap();
    let unwrapped = |block: &str| {
        let (description, setting) = block.trim_end().rsplit_once('\n').unwrap();
        format!("{}\n{setting}", description.replace("\n# ", " "))
    };
    assert_eq!(settings.split("\n\n").map(unwrapped).collect::<Vec<_>>(), blocks.collect::<Vec<_>>());
}

#[test]
fn numbers_have_the_bounds_of_the_code() {
    let mut parameters = Parameters::new();
    let settings: Vec<_> = parameters.settings().map(|(parameter, _)| parameter.to_owned()).collect();
    let rules = parameters.template.document["Parameters"].clone();
    let numbers: Vec<_> = settings.into_iter().filter(|parameter| rules[parameter]["Type"] == "Number").collect();
    assert_eq!(numbers.len(), 9);
    for parameter in numbers {
        let bound = |name| rules[&parameter][name].as_i64().unwrap();
        let (least, most) = (bound("MinValue"), bound("MaxValue"));
        for (value, good) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            parameters.values = BTreeMap::from([(parameter.clone(), value.to_string())]);
            let accepted = (parameters.is_accepted(&parameter), parameters.read_by_code().is_ok());
            assert_eq!(accepted, (good, good), "{parameter}={value}");
        }
    }
}

/// Values that the template and the code accept.
const GOOD: [(&str, &[&str]); 28] = [
    ("PlivoSender", &["+14155550100", "14155550100", "Otpost", "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46"]),
    ("PlivoApiUrl", &["https://api.plivo.com/v1/Account/", "https://proxy.example:8443/plivo"]),
    ("AppName", &["Jane's Shop & Co."]),
    ("DefaultCountry", &["DE"]),
    ("SmsCountries", &["", "GB", "US,CA,MX", "US, CA"]),
    ("ConfirmedCountries", &["GB,FR"]),
    ("SmsPrices", &["DE=0.0891,*=1.5", "*=0.1"]),
    ("VoiceCountries", &["", "US,CA"]),
    ("VoicePrices", &["DE=0.0891,*=1.5", "*=0.1"]),
    ("PlivoCaller", &["", "+14155550100"]),
    ("Budget", &["0.5/12/99.999999"]),
    ("CountryBudgets", &["DE=1/5/50,FR=0.5/1/2"]),
    ("PumpingMode", &["", "monitor", "suppress", "refuse/monitor"]),
    ("CaptchaHostnames", &["", "app.example.com", "app.example.com,localhost"]),
    ("CaptchaVerifyUrl", &["https://api.hcaptcha.com/siteverify"]),
    ("JwtIssuer", &["", "https://api.example.com", "https://api.example.com:8443/auth"]),
    ("MessageBudget", &["0.5/12/99.999999"]),
    ("MmsPrice", &["0.02", "1.5"]),
    ("PumpingPrefix", &["1/0/100"]),
    ("PumpingCountry", &["250/10/9"]),
    ("OptOutWords", &["", "BASTA", "basta ya,GENUG"]),
    ("HelpText", &["", "Codes to log in to Jane's Shop. Reply STOP to end messages."]),
    ("PhoneColumn", &["mobile_1"]),
    ("TestNumbers", &["", "+14155550123=123456@2027-12-31,+447700900123=654321@2028-02-29"]),
    ("WebOtpHost", &["app.example.com"]),
    ("AndroidAppHash", &["FA+9qCX9VSu"]),
    ("AllowedOrigins", &["https://app.example.com,http://localhost:3000"]),
    ("AppId", &["10CA1000-0000-0000-0000-0000000000A1"]),
];

#[test]
fn good_values_are_accepted_and_no_value_near_them_by_the_template_alone() {
    let mut parameters = Parameters::new();
    // What the code asks for with VoiceCountries, and a rule of the template.
    parameters.values.insert("PlivoCaller".to_owned(), "+14155550100".to_owned());
    let values = GOOD.into_iter().flat_map(|(parameter, values)| values.iter().map(move |value| (parameter, *value)));
    for (parameter, value) in values {
        assert!(parameters.accepts(parameter, value), "{parameter}={value}");
        for at in [0, value.len() / 2, value.len()] {
            let (before, after) = value.split_at(at);
            for inserted in [" ", "/", "_", "-", ".", ",", "a", "0", "é", "€", "[", "^"] {
                parameters.accepts(parameter, &format!("{before}{inserted}{after}"));
            }
            parameters.accepts(parameter, &format!("{before}{}", after.get(1..).unwrap_or_default()));
        }
    }
}

/// Values that the code would accept or never sees.
#[test]
fn values_that_would_break_the_deployment_are_refused() {
    let mut parameters = Parameters::new();
    for (parameter, value) in [
        ("PlivoAuthToken", "a quote would end the secret's JSON: \""),
        ("PlivoApiUrl", "http://api.plivo.com"),
        ("CaptchaVerifyUrl", "http://api.hcaptcha.com/siteverify"),
        ("CaptchaKey", "a key with spaces"),
        ("JwtIssuer", "http://api.example.com"),
        ("AllowedOrigins", "https://a.example, https://b.example"),
        ("AppId", "api"),
        ("ReservedConcurrency", "4"),
    ] {
        assert!(!parameters.accepts(parameter, value), "{parameter}={value}");
    }
}

#[test]
fn a_rule_refuses_reserved_names_as_the_phone_column() {
    let rule = &Template::read().unwrap().document["Rules"]["PhoneColumnHasNoOtherMeaning"]["Assertions"][0]["Assert"];
    let listed = rule["Fn::Not"][0]["Fn::Contains"][0].as_array().unwrap().iter().filter_map(Value::as_str);
    // The pattern refuses `-`.
    let expected = RESERVED.split(' ').filter(|name| *name != "user-token");
    assert_eq!(listed.collect::<BTreeSet<_>>(), expected.collect());
}

#[test]
fn a_rule_and_the_code_ask_for_a_caller_where_calls_go() {
    let mut parameters = Parameters::new();
    let rule = &parameters.template.document["Rules"]["CallsHaveACaller"]["Assertions"][0]["Assert"]["Fn::Or"];
    let none = |parameter: &str| serde_json::json!({ "Fn::Equals": [{ "Ref": parameter }, ""] });
    assert_eq!(*rule, serde_json::json!([none("VoiceCountries"), { "Fn::Not": [none("PlivoCaller")] }]));
    parameters.values.insert("VoiceCountries".to_owned(), "US".to_owned());
    assert!(parameters.read_by_code().unwrap_err().contains("PLIVO_CALLER is missing"));
    parameters.values.insert("PlivoCaller".to_owned(), "+14155550100".to_owned());
    parameters.read_by_code().unwrap();
}

#[test]
fn the_patterns_know_every_country() {
    let mut parameters = Parameters::new();
    let codes: Vec<_> =
        ('A'..='Z').flat_map(|first| ('A'..='Z').map(move |second| format!("{first}{second}"))).collect();
    parameters.values.insert("PlivoCaller".to_owned(), "+14155550100".to_owned());
    for parameter in ["DefaultCountry", "SmsCountries", "ConfirmedCountries", "VoiceCountries"] {
        let count = codes.iter().filter(|code| parameters.accepts(parameter, code)).count();
        assert_eq!(count, 245, "the regions of libphonenumber, in {parameter}");
    }
}
