//! The texts that carry one-time codes, one per flow. Each fits one SMS segment with every setting that `config` accepts.

use std::time::Duration;

use crate::config::Settings;
use crate::flow::Flow;

/// The text that brings a code: what it is for, how long it works, and the lines by which browsers and Android fill it in.
pub(super) fn otp_message(settings: &Settings, flow: Flow, code: &str, life: Duration) -> String {
    let app = &settings.app_name;
    let aim = match flow {
        Flow::Register => "sign up",
        Flow::Login => "log in",
        Flow::SecondFactor => "confirm login",
        Flow::ChangePhone => "change phone",
        Flow::ResetPassword => "new password",
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
    use crate::config::{MAX_APP_NAME_LENGTH, MAX_HOST_LENGTH, RESOURCE_NAMES};
    use crate::messaging::sms_encoding::{self, SINGLE_SEGMENT};

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
    fn each_flow_has_its_text() {
        let text = |flow| otp_message(&settings(&[]), flow, "012345", LIFE);
        assert_eq!(text(Flow::Register), "012345 is your Otpost code to sign up. Valid 5 min. Do not share it.");
        assert_eq!(text(Flow::Login), "012345 is your Otpost code to log in. Valid 5 min. Do not share it.");
        assert_eq!(
            text(Flow::SecondFactor),
            "012345 is your Otpost code to confirm login. Valid 5 min. Do not share it."
        );
    }

    #[test]
    fn the_last_line_is_the_browsers() {
        let text = otp_message(
            &settings(&[("WEBOTP_HOST", "app.example.com"), ("ANDROID_APP_HASH", "FA+9qCX9VSu")]),
            Flow::Login,
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
        let text = |seconds| otp_message(&settings(&[]), Flow::Login, "012345", Duration::from_secs(seconds));
        assert!(text(179).contains("Valid 2 min."));
        assert!(text(59).contains("Valid <1 min."));
    }

    #[test]
    fn the_longest_settings_fit_one_segment() {
        let (app, host) =
            ("A".repeat(MAX_APP_NAME_LENGTH), format!("{}.example.com", "h".repeat(MAX_HOST_LENGTH - 12)));
        let longest = settings(&[
            ("APP_NAME", &app),
            ("CODE_LENGTH", "10"),
            ("ANDROID_APP_HASH", "FA+9qCX9VSu"),
            ("WEBOTP_HOST", &host),
        ]);
        for flow in Flow::ALL {
            for seconds in [59, 600] {
                let text = otp_message(&longest, flow, "0123456789", Duration::from_secs(seconds));
                let length = sms_encoding::gsm_length(&text).unwrap();
                assert!(length <= SINGLE_SEGMENT, "{length} characters: {text}");
            }
        }
    }
}
