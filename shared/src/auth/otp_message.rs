//! The text that carries a one-time code.

use std::time::Duration;

use super::texts::Texts;
use crate::config::{Purpose, Settings};
use crate::flow::Flow;
use crate::language::Language;

/// The text that brings a code: what it is for, how long it works, and the lines by which browsers and Android fill it in.
pub(super) fn otp_message(
    settings: &Settings,
    (flow, language): (Flow, Language),
    code: &str,
    life: Duration,
) -> String {
    let texts = Texts::of(language);
    // Rounded down: a code must not outlive its text.
    let life = match life.as_secs() / 60 {
        0 => texts.under_a_minute.to_owned(),
        minutes => texts.minutes.replace("{n}", &minutes.to_string()),
    };
    let [sign_up, log_in, confirm, change_phone, new_password] = texts.aims;
    let aim = match flow {
        Flow::Register => sign_up,
        Flow::Login => log_in,
        Flow::SecondFactor => confirm,
        Flow::ChangePhone => change_phone,
        Flow::ResetPassword => new_password,
    };
    let own = settings.texts.get(language, Purpose::Code(flow)).map(str::to_owned);
    let text = own.unwrap_or_else(|| texts.code.replace("{aim}", aim));
    // The app's name last, since it may contain anything.
    let text = text.replace("{code}", code).replace("{life}", &life);
    let mut text = text.replace("{app}", &settings.app_name);
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
pub(super) mod tests {
    use super::*;
    use crate::config::{MAX_APP_NAME_LENGTH, MAX_HOST_LENGTH, RESOURCE_NAMES};
    use crate::messaging::sms_encoding::segments;
    use strum::VariantArray as _;

    pub(in crate::auth) fn settings(more: &[(&str, &str)]) -> Settings {
        let more: Vec<(String, String)> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::from_lookup(&|name| {
            more.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).or_else(|| match name {
                "PLIVO_SENDER" => Some("Otpost".to_owned()),
                "APP_ID" | "API_KEY" => Some("x".to_owned()),
                "TEXTS" => Some("{}".to_owned()),
                name => RESOURCE_NAMES.contains(&name).then(|| "x".to_owned()),
            })
        })
        .unwrap()
    }

    const LIFE: Duration = Duration::from_secs(300);

    #[test]
    fn each_flow_has_its_text() {
        let text = |flow| otp_message(&settings(&[]), (flow, Language::English), "012345", LIFE);
        assert_eq!(text(Flow::Register), "012345 is your Otpost code to sign up. Valid 5 min. Do not share it.");
        assert_eq!(text(Flow::Login), "012345 is your Otpost code to log in. Valid 5 min. Do not share it.");
        assert_eq!(
            text(Flow::SecondFactor),
            "012345 is your Otpost code to confirm login. Valid 5 min. Do not share it."
        );
    }

    #[test]
    fn the_last_line_is_the_browsers() {
        let settings = settings(&[("WEBOTP_HOST", "app.example.com"), ("ANDROID_APP_HASH", "FA+9qCX9VSu")]);
        let text = |language| otp_message(&settings, (Flow::Login, language), "012345", LIFE);
        let lines = "\nFA+9qCX9VSu\n\n@app.example.com #012345";
        assert_eq!(
            text(Language::English),
            format!("012345 is your Otpost code to log in. Valid 5 min. Do not share it.{lines}")
        );
        for language in Language::VARIANTS {
            let text = text(*language);
            assert!(text.starts_with("012345") && text.ends_with(lines), "{text}");
            assert_eq!(text.lines().count(), 4, "{text}");
        }
    }

    #[test]
    fn a_resent_code_says_what_is_left_of_its_life() {
        let login = (Flow::Login, Language::English);
        let text = |seconds| otp_message(&settings(&[]), login, "012345", Duration::from_secs(seconds));
        assert!(text(179).contains("Valid 2 min."));
        assert!(text(59).contains("Valid <1 min."));
    }

    /// The longest texts of a language, with these settings.
    fn longest(language: Language, more: &[(&str, &str)]) -> Vec<String> {
        let app = "A".repeat(MAX_APP_NAME_LENGTH);
        let settings = settings(&[&[("APP_NAME", &*app), ("CODE_LENGTH", "10")], more].concat());
        let lives = [Duration::from_secs(59), Duration::from_secs(600)];
        let of = |flow| lives.map(|life| otp_message(&settings, (flow, language), "0123456789", life));
        Flow::ALL.into_iter().flat_map(of).collect()
    }

    #[test]
    fn in_every_language_the_longest_name_and_code_fit_one_segment() {
        for language in Language::VARIANTS {
            for text in longest(*language, &[]) {
                assert_eq!(segments(&text), 1, "{} characters: {text}", text.encode_utf16().count());
            }
        }
    }

    #[test]
    fn the_longest_settings_fit_one_segment_in_english_and_three_in_every_language() {
        let host = format!("{}.example.com", "h".repeat(MAX_HOST_LENGTH - 12));
        for language in Language::VARIANTS {
            let most = if *language == Language::English { 1 } else { 3 };
            for text in longest(*language, &[("ANDROID_APP_HASH", "FA+9qCX9VSu"), ("WEBOTP_HOST", &host)]) {
                assert!(segments(&text) <= most, "{} characters: {text}", text.encode_utf16().count());
            }
        }
    }

    #[test]
    fn a_name_that_looks_like_a_placeholder_stays() {
        let settings = settings(&[("APP_NAME", "{code}{life}")]);
        let text = otp_message(&settings, (Flow::Login, Language::English), "012345", LIFE);
        assert_eq!(text, "012345 is your {code}{life} code to log in. Valid 5 min. Do not share it.");
    }
}
