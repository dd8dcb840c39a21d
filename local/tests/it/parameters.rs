//! A parameter of `template.yaml` takes what the setting of its name takes, or less: what the code would refuse at the start of a
//! function is refused before anything is made.

use std::collections::{BTreeMap, BTreeSet};

use local::template::{Template, reference};
use regex::Regex;
use serde_json::Value;
use shared::auth::properties::RESERVED;
use shared::config::{NAMES, RESOURCE_NAMES, Settings};

/// The settings that a parameter holds, by the parameter's name.
fn settings(template: &Template) -> BTreeMap<String, &'static str> {
    let gateway = [("AllowedOrigins".to_owned(), "ALLOWED_ORIGINS")];
    let parameter = |name: &&'static str| Some((template.environment.get(*name)?.clone(), *name));
    NAMES.iter().filter_map(parameter).chain(gateway).collect()
}

/// What CloudFormation checks of one value.
fn template_takes(template: &Template, parameter: &str, value: &str) -> bool {
    let rule = &template.parameters[parameter];
    let pattern = rule["AllowedPattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
    let number = |bound: &str| rule[bound].as_i64();
    let in_range = |value: i64| {
        number("MinValue").is_none_or(|least| least <= value) && number("MaxValue").is_none_or(|most| value <= most)
    };
    let listed = rule["AllowedValues"].as_array();
    pattern.is_none_or(|pattern| pattern.is_match(value))
        && listed.is_none_or(|listed| {
            listed.iter().any(|one| one == value || one.as_i64().is_some_and(|one| value.parse() == Ok(one)))
        })
        && number("MaxLength").is_none_or(|most| value.len() as i64 <= most)
        && (rule["Type"] != "Number" || value.parse().is_ok_and(in_range))
}

/// What CloudFormation checks of all values together.
fn rules_hold(template: &Template, values: &BTreeMap<&str, &str>) -> bool {
    let rules = template.document["Rules"].as_object().unwrap().values();
    let mut assertions = rules.flat_map(|rule| rule["Assertions"].as_array().unwrap());
    assertions.all(|assertion| holds(template, values, &assertion["Assert"]))
}

fn holds(template: &Template, values: &BTreeMap<&str, &str>, condition: &Value) -> bool {
    let text = |value: &Value| match reference(value) {
        Some(parameter) => {
            values.get(parameter.as_str()).map_or_else(|| default(template, &parameter), |value| (*value).to_owned())
        }
        None => value.as_str().unwrap().to_owned(),
    };
    let (function, arguments) = condition.as_object().unwrap().iter().next().unwrap();
    let arguments = arguments.as_array().unwrap();
    match function.as_str() {
        "Fn::Not" => !holds(template, values, &arguments[0]),
        "Fn::Or" => arguments.iter().any(|argument| holds(template, values, argument)),
        "Fn::Equals" => text(&arguments[0]) == text(&arguments[1]),
        "Fn::Contains" => arguments[0].as_array().unwrap().iter().any(|one| text(one) == text(&arguments[1])),
        other => panic!("{other} in a rule"),
    }
}

fn default(template: &Template, parameter: &str) -> String {
    match &template.parameters[parameter]["Default"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    }
}

/// The settings as a function would see them, where these parameters have these values.
fn code_takes(template: &Template, values: &BTreeMap<&str, &str>) -> Result<Settings, String> {
    let settings = settings(template);
    let mut environment = local::environment("", "", "", "");
    let kept = ["APP_ID", "API_KEY", "PLIVO_SENDER"];
    environment.retain(|name, _| RESOURCE_NAMES.iter().chain(&kept).any(|kept| kept == name));
    for (parameter, name) in settings {
        let value =
            values.get(parameter.as_str()).map_or_else(|| default(template, &parameter), |value| (*value).to_owned());
        if !value.is_empty() {
            environment.insert(name.to_owned(), value);
        }
    }
    Settings::from_lookup(&|name| environment.get(name).cloned()).map_err(|error| error.to_string())
}

/// Checks one value: what the template takes, the code takes; and whether that is so.
fn taken(template: &Template, parameter: &str, value: &str) -> bool {
    let values = BTreeMap::from([(parameter, value)]);
    let by_template = template_takes(template, parameter, value) && rules_hold(template, &values);
    let by_code = code_takes(template, &values);
    assert!(!by_template || by_code.is_ok(), "{parameter}={value}: only the template takes it: {by_code:?}");
    by_template
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let template = Template::read().unwrap();
    let mut environment = local::environment("", "", "", "");
    for own in ["PLIVO_API_URL", "STARTS_PER_ADDRESS"] {
        environment.remove(own);
    }
    let defaults = Settings::from_lookup(&|name| environment.get(name).cloned()).unwrap();
    let given = code_takes(&template, &BTreeMap::new()).unwrap();
    assert_eq!(format!("{given:?}"), format!("{defaults:?}"));
    for (parameter, rule) in &template.parameters {
        if !rule["Default"].is_null() {
            assert!(template_takes(&template, parameter, &default(&template, parameter)), "{parameter}");
        }
    }
}

#[test]
fn every_setting_has_a_parameter_that_explains_and_checks_itself() {
    let template = Template::read().unwrap();
    let settings = settings(&template);
    let named = settings.values().copied().chain(["AWS_CA_BUNDLE"]).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(named, NAMES.into_iter().collect());
    for (parameter, rule) in &template.parameters {
        assert!(rule["Description"].as_str().is_some_and(|text| !text.is_empty()), "{parameter}");
        let checked = ["AllowedPattern", "AllowedValues", "MinValue"].iter().any(|check| !rule[check].is_null());
        assert!(checked, "{parameter}");
    }
    for secret in ["PlivoAuthId", "PlivoAuthToken"] {
        assert_eq!(template.parameters[secret]["NoEcho"], true);
    }
}

#[test]
fn numbers_have_the_bounds_of_the_code() {
    let template = Template::read().unwrap();
    let mut seen = 0;
    for (parameter, _) in settings(&template) {
        let rule = &template.parameters[&parameter];
        if rule["Type"] != "Number" {
            continue;
        }
        seen += 1;
        let bound = |name: &str| rule[name].as_i64().unwrap();
        let (least, most) = (bound("MinValue"), bound("MaxValue"));
        for (value, good) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            let text = value.to_string();
            assert_eq!(taken(&template, &parameter, &text), good, "{parameter}={text}");
            let by_code = code_takes(&template, &BTreeMap::from([(parameter.as_str(), text.as_str())]));
            assert_eq!(by_code.is_ok(), good, "{parameter}={text}");
        }
    }
    assert_eq!(seen, 7);
}

/// Values that both take.
const GOOD: [(&str, &str); 27] = [
    ("PlivoSender", "+14155550100"),
    ("PlivoSender", "14155550100"),
    ("PlivoSender", "Otpost"),
    ("PlivoSender", "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46"),
    ("PlivoApiUrl", "https://api.plivo.com/v1/Account/"),
    ("PlivoApiUrl", "https://proxy.example:8443/plivo"),
    ("AppName", "Jane's Shop & Co."),
    ("DefaultCountry", "DE"),
    ("SmsCountries", ""),
    ("SmsCountries", "GB"),
    ("SmsCountries", "US,CA,MX"),
    ("SmsCountries", "US, CA"),
    ("ConfirmedCountries", "GB,FR"),
    ("SmsPrices", "DE=0.0891,*=1.5"),
    ("SmsPrices", "*=0.1"),
    ("Budget", "0.5/12/99.999999"),
    ("CountryBudgets", "DE=1/5/50,FR=0.5/1/2"),
    ("PumpingMode", "monitor"),
    ("PumpingPrefix", "1/0/100"),
    ("PumpingCountry", "250/10/9"),
    ("PhoneColumn", "mobile_1"),
    ("IdentityColumn", "phoneNumber"),
    ("WebOtpHost", "app.example.com"),
    ("AndroidAppHash", "FA+9qCX9VSu"),
    ("AllowedOrigins", "https://app.example.com,http://localhost:3000"),
    ("AppId", "10CA1000-0000-0000-0000-0000000000A1"),
    ("ApiKey", "my_key"),
];

#[test]
fn good_values_are_taken() {
    let template = Template::read().unwrap();
    for (parameter, value) in GOOD {
        assert!(taken(&template, parameter, value), "{parameter}={value}");
    }
}

#[test]
fn what_is_next_to_a_good_value_is_never_taken_by_the_template_only() {
    let template = Template::read().unwrap();
    for (parameter, value) in GOOD {
        for at in [0, value.len() / 2, value.len()] {
            let (before, after) = value.split_at(at);
            for inserted in [" ", "/", "_", "-", ".", ",", "a", "0", "é"] {
                taken(&template, parameter, &format!("{before}{inserted}{after}"));
            }
            let mut rest = after.chars();
            rest.next();
            taken(&template, parameter, &format!("{before}{}", rest.as_str()));
        }
    }
}

#[test]
fn wrong_values_are_refused() {
    let template = Template::read().unwrap();
    for (parameter, value) in [
        ("PlivoAuthId", "MAxxxxxxxxxxxxxxxxxx"),
        ("PlivoAuthId", "XX345678901234567890"),
        ("PlivoAuthToken", "quote\"quote\"quote\"quote\""),
        ("PlivoSender", ""),
        ("PlivoSender", "+1 415"),
        ("PlivoSender", "a name too long"),
        ("PlivoApiUrl", "http://api.plivo.com"),
        ("PlivoApiUrl", "https://plivo.example/?x=1"),
        ("PlivoApiUrl", "api.plivo.com"),
        ("AppName", ""),
        ("AppName", "twenty-one characters"),
        ("AppName", "line\nbreak"),
        ("AppName", "Otpost €"),
        ("DefaultCountry", "us"),
        ("DefaultCountry", "XX"),
        ("DefaultCountry", "ZZ"),
        ("DefaultCountry", "USA"),
        ("SmsCountries", "US,USA"),
        ("SmsCountries", "US,,CA"),
        ("SmsCountries", "US,"),
        ("SmsCountries", ",US"),
        ("SmsCountries", "USCA"),
        ("SmsCountries", "US CA"),
        ("ConfirmedCountries", "XX"),
        ("SmsPrices", ""),
        ("SmsPrices", "US=0.0077"),
        ("SmsPrices", "US=0.00,*=0.1"),
        ("SmsPrices", "QQ=0.1,*=0.1"),
        ("Budget", "5/25"),
        ("Budget", "five"),
        ("CountryBudgets", "QQ=1/2/3"),
        ("CountryBudgets", "DE=1/2/3,"),
        ("PumpingMode", "off"),
        ("PumpingPrefix", "0/2/30"),
        ("PumpingPrefix", "20/2/101"),
        ("PumpingCountry", "100/3"),
        ("PhoneColumn", "1st"),
        ("PhoneColumn", "a-b"),
        ("IdentityColumn", "name"),
        ("WebOtpHost", "localhost"),
        ("WebOtpHost", "https://example.com"),
        ("WebOtpHost", "a-host-name-of-more-than-forty.example.com"),
        ("AndroidAppHash", "10letters+"),
        ("AndroidAppHash", "12letters+12"),
        ("AllowedOrigins", ""),
        ("AllowedOrigins", "example.com"),
        ("AllowedOrigins", "https://a.example/path"),
        ("AllowedOrigins", "https://a.example, https://b.example"),
        ("AllowedOrigins", "https://a.example,*"),
        ("AppId", "api"),
        ("ApiKey", "a/bcd"),
        ("ReservedConcurrency", "4"),
        ("AlarmEmail", "nobody"),
        ("SmsPrice", "1e3"),
    ] {
        assert!(
            !template_takes(&template, parameter, value) || !taken(&template, parameter, value),
            "{parameter}={value}"
        );
    }
}

#[test]
fn names_with_a_meaning_of_their_own_are_no_phone_column() {
    let template = Template::read().unwrap();
    let listed = &template.document["Rules"]["PhoneColumnHasNoOtherMeaning"]["Assertions"][0]["Assert"]["Fn::Not"][0]["Fn::Contains"]
        [0];
    let listed: BTreeSet<_> = listed.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    // The pattern takes no `-`.
    assert_eq!(listed, RESERVED.split(' ').filter(|name| *name != "user-token").collect());
    for name in RESERVED.split(' ') {
        assert!(!taken(&template, "PhoneColumn", name), "{name}");
    }
    let values = BTreeMap::from([("PhoneColumn", "mobile"), ("IdentityColumn", "mobile")]);
    assert!(rules_hold(&template, &values) && code_takes(&template, &values).is_ok());
    assert!(!rules_hold(&template, &BTreeMap::from([("PhoneColumn", "mobile"), ("IdentityColumn", "phoneNumber")])));
}

#[test]
fn every_character_of_an_app_name_is_one_that_texts_can_hold() {
    let template = Template::read().unwrap();
    for character in (0..0x250_u32).filter_map(char::from_u32) {
        // The longest name, so that characters that count twice would show.
        let name = format!("A{}A", character.to_string().repeat(18));
        let is_taken = taken(&template, "AppName", &name);
        let ordinary = character.is_ascii_alphanumeric() || " .-&'!".contains(character);
        assert!(is_taken || !ordinary, "{character:?}");
    }
}

#[test]
fn every_country_of_the_patterns_is_known() {
    let template = Template::read().unwrap();
    let letters = 'A'..='Z';
    let codes = letters.clone().flat_map(|first| letters.clone().map(move |second| format!("{first}{second}")));
    let (mut default_countries, mut sms_countries) = (Vec::new(), Vec::new());
    for code in codes {
        if taken(&template, "DefaultCountry", &code) {
            default_countries.push(code.clone());
        }
        if taken(&template, "SmsCountries", &code) {
            sms_countries.push(code);
        }
    }
    assert_eq!(default_countries, sms_countries);
    assert_eq!(default_countries.len(), 245, "the regions of libphonenumber");
}
