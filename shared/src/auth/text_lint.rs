//! Checks the operator's own texts before they are deployed, for `otpost lint`, and shows every text as a phone would.

use std::time::Duration;

use super::guessing::LONG_CODE;
use super::notice;
use super::otp_message::otp_message;
use super::voice;
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

/// The longest text for this purpose with these settings, own or built in, with a code of zeros: as long as one is during an attack by guessing.
pub fn longest(settings: &Settings, language: Language, purpose: Purpose) -> String {
    let code = "0".repeat(settings.code_length.max(LONG_CODE));
    let texts = match purpose {
        Purpose::Code(flow) => {
            let text = |life| otp_message(settings, (flow, language), &code, life);
            vec![text(settings.code_life), text(Duration::ZERO)]
        }
        Purpose::Call(flow) => vec![voice::plain_text(settings, (flow, language), &code)],
        Purpose::PasswordChanged | Purpose::PhoneChanged => vec![notice::text(settings, purpose, language)],
    };
    texts.into_iter().max_by_key(|text| (segments(text), text.len())).unwrap_or_default()
}

/// Checks each of the operator's own texts with these settings.
pub fn lint(settings: &Settings) -> Vec<Checked> {
    let check = |(language, purpose, template): (_, Purpose, &str)| {
        let longest = longest(settings, language, purpose);
        let mut problems = form_problems(template, purpose);
        problems.extend(length_problem(&longest, purpose));
        Checked { name: format!("{} {purpose}", language.code()), longest, problems }
    };
    settings.texts.iter().map(check).collect()
}

/// Whether a text is too long.
fn length_problem(longest: &str, purpose: Purpose) -> Option<String> {
    if matches!(purpose, Purpose::Call(_)) {
        let (count, most) = (longest.chars().count(), voice::MAX_TEXT_LENGTH);
        let problem = || format!("has {count} characters, and a call has time to read {most} of them twice");
        return (count > most).then(problem);
    }
    let count = segments(longest);
    (count > 1).then(|| format!("takes {count} SMS segments, so each message costs {count} times as much"))
}

/// What is wrong with a template, whatever the settings.
fn form_problems(template: &str, purpose: Purpose) -> Vec<String> {
    let mut problems = Vec::new();
    let placeholders: &[&str] = match purpose {
        Purpose::Code(_) => &["{code}", "{app}", "{life}"],
        Purpose::Call(_) => &["{code}", "{app}"],
        Purpose::PasswordChanged | Purpose::PhoneChanged => &["{app}"],
    };
    let plain = placeholders.iter().fold(template.to_owned(), |text, name| text.replace(name, " "));
    if plain.contains(['{', '}']) {
        problems.push(format!("has other braces than {}", placeholders.join(", ")));
    }
    // As a phone shows it: a link may begin or end with the app's name.
    let shown = template.replace("{app}", "app").replace("{life}", "5 min").replace("{code}", "000");
    if let Some(link) = link(&shown) {
        problems.push(format!("has a link, which people learn to distrust in such messages: {link}"));
    }
    if let Some(digit) = plain.chars().find(|character| character.is_numeric() && !character.is_ascii_digit()) {
        problems.push(format!("has a look-alike of a digit: {digit}"));
    }
    if let Some(character) = plain.chars().find(|character| changes_what_is_shown(*character)) {
        problems
            .push(format!("has an invisible character, or one that changes others: {}", character.escape_unicode()));
    }
    // With what stands for the code, of three digits, so that "{code}-12" is found as well.
    let groups = shown.replace([' ', '-', '\u{a0}'], "");
    if groups.split(|character: char| !character.is_ascii_digit()).any(|digits| digits.len() >= 4) {
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

/// Characters that are not seen and turn, join or circle others. (Joiners, which some scripts need, are none of these.)
const fn changes_what_is_shown(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{20dd}'..='\u{20e4}' | '\u{feff}')
}

/// What a phone would show as a link, if anything: a scheme, or letters, a dot and letters, wherever they stand; or four numbers with dots.
fn link(text: &str) -> Option<String> {
    let text = text.replace('\u{ff0e}', ".").to_lowercase();
    if let Some(at) = text.find("://").or_else(|| text.find("www.")) {
        return Some(text[at..].chars().take(LINK_SHOWN).collect());
    }
    let is_part = |character: char| character.is_alphanumeric() || character == '-' || character == '.';
    let words = text.split(|character| !is_part(character)).map(|word| word.trim_matches('.'));
    words.filter(|word| is_host(word)).map(str::to_owned).next()
}

/// The most characters of a link that are shown.
const LINK_SHOWN: usize = 20;

fn is_host(word: &str) -> bool {
    let labels: Vec<_> = word.split('.').collect();
    let is_address = labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    let is_domain = |pair: &[&str]| {
        let [name, top] = pair else { return false };
        !name.is_empty() && top.chars().take_while(|letter| letter.is_alphabetic() || *letter == '-').count() >= 2
    };
    is_address || labels.windows(2).any(is_domain)
}

#[cfg(test)]
mod tests {
    use super::super::otp_message::tests::settings;
    use super::*;
    use crate::config::OwnTexts;
    use serde_json::json;

    fn lint_one(purpose: &str, text: &str, more: &[(&str, &str)]) -> Checked {
        let of_purpose = match purpose.strip_prefix("voice ") {
            Some(flow) => json!({ "voice": { flow: text } }),
            None => json!({ purpose: text }),
        };
        let texts = OwnTexts::parse(&json!({ "de": of_purpose }).to_string()).unwrap();
        let mut checked = lint(&Settings { texts, ..settings(more) });
        assert_eq!(checked.len(), 1);
        checked.remove(0)
    }

    #[test]
    fn good_texts_have_no_problems() {
        for (purpose, text) in [
            ("login", "{code} ist dein Code für {app}. Gültig {life}. Gib ihn nicht weiter, z.B. am Telefon."),
            ("login", "{code}是您的{app}验证码。请勿泄露。"),
            ("login", "{app}: {code}. À bientôt !"),
            ("register", "{app}: {code}"),
            ("voice login", "Dein Code für {app} ist {code}. Gib ihn nicht weiter, auch nicht am Telefon."),
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
            ("voice login", "{code} {life}", "other braces"),
            ("voice login", "{code} 4711", "taken for the code"),
            ("login", "{code} https://app.example.com/x", "link"),
            ("login", "{code} (www.app)", "link"),
            ("login", "{code} bit.ly/x.", "link"),
            ("login", "{code}, APP.EXAMPLE.COM!", "link"),
            ("login", "{code} https://{app}/x", "link"),
            ("login", "{code} {app}.com", "link"),
            ("login", "{code} Info:example.com", "link"),
            ("login", "{code} a.example.com,b", "link"),
            ("login", "{code}，请访问example.com查看", "link"),
            ("login", "{code} help@example.com", "link"),
            ("login", "{code} пример.рф", "link"),
            ("login", "{code} x.xn--p1ai/a", "link"),
            ("login", "{code} 10.0.0.1/a", "link"),
            ("login", "{code} bit．ly/x", "link"),
            ("login", "{code} or 654 321", "taken for the code"),
            ("login", "{code}-12 x", "taken for the code"),
            ("login", "\u{202e}{code}", "invisible"),
            ("login", "{code}\u{20e3}", "invisible"),
            ("login", "{code}\u{2028}x", "invisible"),
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
            checked.longest.ends_with("\n\n@app.example.com #00000000"),
            "the line that browsers read is always there"
        );
        assert_eq!(checked.problems, ["takes 2 SMS segments, so each message costs 2 times as much"]);
        let notice = lint_one("password_changed", &"a".repeat(161), &[]);
        assert_eq!(notice.problems, ["takes 2 SMS segments, so each message costs 2 times as much"]);
    }

    #[test]
    fn a_text_that_a_call_has_no_time_for_is_too_long() {
        let text = |letters: usize| format!("{{code}} {}", "ж".repeat(letters));
        assert_eq!(lint_one("voice login", &text(141), &[]).problems, [""; 0]);
        let problem = "has 151 characters, and a call has time to read 150 of them twice";
        assert_eq!(lint_one("voice login", &text(142), &[]).problems, [problem]);
    }

    #[test]
    fn the_texts_that_are_compiled_in_are_good() {
        let texts = OwnTexts::parse(include_str!("../../texts.json")).unwrap();
        for Checked { name, problems, .. } in lint(&Settings { texts, ..settings(&[]) }) {
            assert_eq!(problems, [""; 0], "{name}");
        }
    }
}
