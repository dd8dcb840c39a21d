//! Checks the operator's own texts before they are deployed, for `otpost lint`, and shows every text as a phone would.

use std::time::Duration;

use super::notice;
use super::otp_message::otp_message;
use crate::config::{Purpose, Settings};
use crate::language::Language;
use crate::messaging::sms_encoding::segments;

/// A text as a phone would show it, and what is wrong with it.
#[derive(Debug)]
pub struct Checked {
    /// The language and the purpose, as in the file.
    pub name: String,
    /// The longest text that it makes with these settings.
    pub longest: String,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// The longest text for this purpose with these settings, own or built in, with a code of zeros.
pub fn longest(settings: &Settings, language: Language, purpose: Purpose) -> String {
    let texts = match purpose {
        Purpose::Code(flow) => {
            let code = "0".repeat(settings.code_length);
            let text = |life| otp_message(settings, (flow, language), &code, life);
            vec![text(settings.code_life), text(Duration::ZERO)]
        }
        _ => vec![notice::text(settings, purpose, language)],
    };
    texts.into_iter().max_by_key(|text| (segments(text), text.len())).unwrap_or_default()
}

/// Checks each of the operator's own texts with these settings.
pub fn lint(settings: &Settings) -> Vec<Checked> {
    let check = |(language, purpose, template): (_, Purpose, &str)| {
        let longest = longest(settings, language, purpose);
        let mut problems = form_problems(template, purpose);
        let count = segments(&longest);
        if count > 1 {
            problems.push(format!("takes {count} SMS segments, so each message costs {count} times as much"));
        }
        Checked { name: format!("{} {}", language.code(), purpose.as_str()), longest, problems }
    };
    settings.texts.iter().map(check).collect()
}

/// What is wrong with a template, whatever the settings.
fn form_problems(template: &str, purpose: Purpose) -> Vec<String> {
    let mut problems = Vec::new();
    let placeholders: &[&str] =
        if matches!(purpose, Purpose::Code(_)) { &["{code}", "{app}", "{life}"] } else { &["{app}"] };
    let plain = placeholders.iter().fold(template.to_owned(), |text, name| text.replace(name, " "));
    if plain.contains(['{', '}']) {
        problems.push(format!("has other braces than {}", placeholders.join(", ")));
    }
    if let Some(link) = plain.split_whitespace().find(|word| is_link(word)) {
        problems.push(format!("has a link, which people learn to distrust in such messages: {link}"));
    }
    if let Some(digit) = plain.chars().find(|character| character.is_numeric() && !character.is_ascii_digit()) {
        problems.push(format!("has a look-alike of a digit: {digit}"));
    }
    if plain.split(|character: char| !character.is_ascii_digit()).any(|digits| digits.len() >= 4) {
        problems.push("has a number that could be taken for the code".to_owned());
    }
    let sides = template
        .match_indices("{code}")
        .flat_map(|(at, code)| [template[..at].chars().next_back(), template[at + code.len()..].chars().next()]);
    if let Some(letter) = sides.flatten().find(|letter| could_be_part_of_a_code(*letter)) {
        problems.push(format!("has a character next to the code that looks like part of it: {letter}"));
    }
    problems
}

/// Digits, and letters of the scripts in which some look like digits: Latin, Greek, Cyrillic.
const fn could_be_part_of_a_code(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '{' | '}' | '\u{c0}'..='\u{52f}')
}

/// Whether a word is a link, or would become one on a phone: a scheme, or a host's name.
fn is_link(word: &str) -> bool {
    let word = word.trim_matches(|character: char| !character.is_alphanumeric()).to_lowercase();
    let host = word.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-');
    let is_domain = host.rsplit_once('.').is_some_and(|(name, top)| {
        top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase()) && name.split('.').all(is_label)
    });
    word.contains("://") || word.starts_with("www.") || is_domain
}

#[cfg(test)]
mod tests {
    use super::super::otp_message::tests::settings;
    use super::*;
    use crate::config::OwnTexts;
    use serde_json::json;

    fn lint_one(purpose: &str, text: &str, more: &[(&str, &str)]) -> Checked {
        let texts = OwnTexts::parse(&json!({ "de": { purpose: text } }).to_string()).unwrap();
        let mut checked = lint(&Settings { texts, ..settings(more) });
        assert_eq!(checked.len(), 1);
        checked.remove(0)
    }

    #[test]
    fn good_texts_have_no_problems() {
        for (purpose, text) in [
            ("login", "{code} ist dein Code für {app}. Gültig {life}. Gib ihn nicht weiter, z.B. am Telefon."),
            ("login", "{code}是您的{app}验证码"),
            ("register", "{app}: {code}"),
            ("phone_changed", "{app}: neue Nummer. Ruf uns an: 112."),
        ] {
            let checked = lint_one(purpose, text, &[]);
            assert_eq!(checked.problems, [""; 0], "{text}");
            assert_eq!(checked.name, format!("de {purpose}"));
        }
    }

    #[test]
    fn each_problem_is_named() {
        for (purpose, text, problem) in [
            ("login", "{code} {cod}", "other braces"),
            ("phone_changed", "{app} {code}", "other braces"),
            ("login", "{code} https://app.example.com/x", "link"),
            ("login", "{code} (www.app)", "link"),
            ("login", "{code} bit.ly/x.", "link"),
            ("login", "{code}, APP.EXAMPLE.COM!", "link"),
            ("login", "{code} ٣", "look-alike"),
            ("login", "{code} ①", "look-alike"),
            ("login", "{code} 4711", "taken for the code"),
            ("login", "O{code}", "next to the code"),
            ("login", "{code}О", "next to the code"),
            ("login", "{code}0", "next to the code"),
            ("login", "{code}{code}", "next to the code"),
        ] {
            let problems = lint_one(purpose, text, &[]).problems;
            assert!(problems.iter().any(|found| found.contains(problem)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_text_of_several_segments_says_how_many() {
        let long = format!("{{code}} {}", "ж".repeat(60));
        assert_eq!(lint_one("login", &long, &[]).problems, [""; 0]);
        let checked = lint_one("login", &long, &[("WEBOTP_HOST", "app.example.com")]);
        assert!(
            checked.longest.ends_with("\n\n@app.example.com #000000"),
            "the line that browsers read is always there"
        );
        assert_eq!(checked.problems, ["takes 2 SMS segments, so each message costs 2 times as much"]);
        let notice = lint_one("password_changed", &"a".repeat(161), &[]);
        assert_eq!(notice.problems, ["takes 2 SMS segments, so each message costs 2 times as much"]);
    }

    #[test]
    fn the_texts_that_are_compiled_in_are_good() {
        let texts = OwnTexts::parse(include_str!("../../texts.json")).unwrap();
        for Checked { name, problems, .. } in lint(&Settings { texts, ..settings(&[]) }) {
            assert_eq!(problems, [""; 0], "{name}");
        }
    }
}
