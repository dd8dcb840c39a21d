//! The texts that carry one-time codes, one per purpose. Each fits one GSM part with every setting that `settings` lets pass.
//! Uses `settings`, `gsm` in its tests.

use std::time::Duration;

use super::Purpose;
use crate::settings::Settings;

/// The text that brings a code: what it is for, how long it works, and the lines by which browsers and Android fill it in.
pub(super) fn code_message(settings: &Settings, purpose: Purpose, code: &str, life: Duration) -> String {
    let app = &settings.app_name;
    let aim = match purpose {
        Purpose::Register => "sign up",
        Purpose::Login => "log in",
        Purpose::SecondFactor => "confirm login",
    };
    // Rounded down: a code must not outlive its text.
    let minutes = life.as_secs() / 60;
    let life = if minutes == 0 { "<1 min".to_owned() } else { format!("{minutes} min") };
    let mut text = format!("{code} is your {app} code to {aim}. Valid {life}. Do not share it.");
    if let Some(host) = &settings.webotp_host {
        // WICG "Origin-bound one-time codes": the last line, after an empty one.
        text.push_str(&format!("\n\n@{host} #{code}"));
    }
    if let Some(hash) = &settings.android_app_hash {
        // Android SMS Retriever: anywhere in the text, by custom at its end; behind a WebOTP line it would break that one,
        // so it stands before it.
        text = match text.split_once("\n\n") {
            Some((text, webotp)) => format!("{text}\n{hash}\n\n{webotp}"),
            None => format!("{text}\n{hash}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gsm::{self, ONE_PART};
    use crate::settings::{LONGEST_APP_NAME, LONGEST_HOST, RESOURCE_NAMES};

    fn settings(more: &[(&str, &str)]) -> Settings {
        let more: Vec<(String, String)> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::from_lookup(&|name| {
            more.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).or_else(|| match name {
                "PLIVO_SENDER" => Some("Otpost".to_owned()),
                "APP_ID" | "API_KEY" => Some("x".to_owned()),
                name => RESOURCE_NAMES.contains(&name).then(|| "x".to_owned()),
            })
        })
        .unwrap()
    }

    const LIFE: Duration = Duration::from_secs(300);

    #[test]
    fn each_purpose_has_its_text() {
        let text = |purpose| code_message(&settings(&[]), purpose, "012345", LIFE);
        assert_eq!(text(Purpose::Register), "012345 is your Otpost code to sign up. Valid 5 min. Do not share it.");
        assert_eq!(text(Purpose::Login), "012345 is your Otpost code to log in. Valid 5 min. Do not share it.");
        assert_eq!(
            text(Purpose::SecondFactor),
            "012345 is your Otpost code to confirm login. Valid 5 min. Do not share it."
        );
    }

    #[test]
    fn the_last_line_is_the_browsers() {
        let text = code_message(
            &settings(&[("WEBOTP_HOST", "app.example.com"), ("ANDROID_APP_HASH", "FA+9qCX9VSu")]),
            Purpose::Login,
            "012345",
            LIFE,
        );
        assert_eq!(
            text,
            "012345 is your Otpost code to log in. Valid 5 min. Do not share it.\nFA+9qCX9VSu\n\n@app.example.com #012345"
        );
    }

    #[test]
    fn a_resent_code_says_what_is_left_of_its_life() {
        let text = |seconds| code_message(&settings(&[]), Purpose::Login, "012345", Duration::from_secs(seconds));
        assert!(text(179).contains("Valid 2 min."));
        assert!(text(59).contains("Valid <1 min."));
    }

    #[test]
    fn the_longest_settings_fit_one_part() {
        let (app, host) = ("A".repeat(LONGEST_APP_NAME), format!("{}.example.com", "h".repeat(LONGEST_HOST - 12)));
        let longest = settings(&[
            ("APP_NAME", &app),
            ("CODE_LENGTH", "10"),
            ("ANDROID_APP_HASH", "FA+9qCX9VSu"),
            ("WEBOTP_HOST", &host),
        ]);
        for purpose in [Purpose::Register, Purpose::Login, Purpose::SecondFactor] {
            for seconds in [59, 600] {
                let text = code_message(&longest, purpose, "0123456789", Duration::from_secs(seconds));
                let length = gsm::length(&text).unwrap();
                assert!(length <= ONE_PART, "{length} characters: {text}");
            }
        }
    }
}
