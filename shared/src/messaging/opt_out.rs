//! What an inbound SMS asks for. The whole message must be one of the words: a sentence that holds one is for people to read.

/// Opts out of messages (FCC 24-24; Plivo's, AWS's and CTIA's lists).
const OPT_OUT: [&str; 15] = [
    "STOP",
    "STOPALL",
    "STOP ALL",
    "END",
    "QUIT",
    "CANCEL",
    "UNSUBSCRIBE",
    "UNSUB",
    "REVOKE",
    "OPT OUT",
    "OPTOUT",
    "ARRET",
    "ARRÊT",
    "TD",
    "REMOVE",
];
/// Lifts an opt-out.
const OPT_IN: [&str; 5] = ["START", "YES", "RESUME", "UNSTOP", "GO"];
/// Asks who this is.
const HELP: [&str; 2] = ["HELP", "INFO"];

/// What an inbound message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// No more messages, by this word.
    OptOut(String),
    /// Messages again, by this word.
    OptIn(String),
    /// Who this is.
    Help,
}

/// What a message asks for, by its text, the further words of `OPT_OUT_WORDS` (as `plain` returns them), and what Plivo takes it for
/// (`MessageIntent`). In doubt, it is an opt-out.
pub fn classify(text: &str, more_words: &[String], plivo_intent: &str) -> Option<Intent> {
    let word = plain(text);
    let is_any = |words: &[&str]| words.contains(&word.as_str());
    if is_any(&OPT_OUT) || more_words.contains(&word) {
        return Some(Intent::OptOut(word));
    }
    match plivo_intent {
        "optout" => return Some(Intent::OptOut("plivo_optout".to_owned())),
        _ if is_any(&OPT_IN) => return Some(Intent::OptIn(word)),
        "optin" => return Some(Intent::OptIn("plivo_optin".to_owned())),
        _ => {}
    }
    (is_any(&HELP) || plivo_intent == "help").then_some(Intent::Help)
}

/// A text as words are compared: in capitals, without what stands around it, each hyphen or run of blanks as one blank.
pub(crate) fn plain(text: &str) -> String {
    let trimmed = text.trim_matches(|character: char| !character.is_alphanumeric());
    let is_between = |character: char| character.is_whitespace() || "-‐‑–—_".contains(character);
    let words: Vec<_> = trimmed.split(is_between).filter(|word| !word.is_empty()).collect();
    // Some phones send the letter and its accent one by one.
    words.join(" ").to_uppercase().replace("E\u{302}", "Ê")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Option<Intent> {
        classify(text, &["BASTA YA".to_owned()], "")
    }

    fn is_opt_out(text: &str) -> bool {
        matches!(ask(text), Some(Intent::OptOut(_)))
    }

    #[test]
    fn sentences_and_other_words_ask_for_nothing() {
        for text in [
            "",
            " ",
            "?",
            "!!!",
            "🙂",
            "stop it",
            "Please stop by at 5",
            "don't stop",
            "Stop texting me and call",
            "stop stop",
            "nonstop",
            "STOPP",
            "ST OP",
            "S.T.O.P",
            "the end",
            "END OF",
            "weekend",
            "endall",
            "cancel my order",
            "cancelled",
            "quitting",
            "unsubscribed",
            "unsub me",
            "revoked",
            "opt",
            "out",
            "opt in",
            "optin",
            "out opt",
            "arrets",
            "TD Bank",
            "T D",
            "std",
            "remover",
            "remove this",
            "starter",
            "yes please",
            "yess",
            "no",
            "resumes",
            "going",
            "let's go",
            "helpful",
            "help me",
            "information",
            "info@example.com",
            "123456",
            "1",
            "Hello",
            "basta",
            "СТОП",
        ] {
            assert_eq!(ask(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_way_to_write_a_word_opts_out() {
        let words = [
            "stop",
            "stopall",
            "stop all",
            "end",
            "quit",
            "cancel",
            "unsubscribe",
            "unsub",
            "revoke",
            "opt out",
            "optout",
            "opt-out",
            "arret",
            "arrêt",
            "arre\u{302}t",
            "td",
            "remove",
            "basta ya",
        ];
        for word in words {
            let (capitals, mut first) = (word.to_uppercase(), word.to_owned());
            first[..1].make_ascii_uppercase();
            for text in [word, &capitals, &first] {
                for (before, after) in [
                    ("", ""),
                    (" ", "  "),
                    ("\n", "\r\n"),
                    ("", "."),
                    ("", "!!!"),
                    ("\"", "\""),
                    ("«", "»"),
                    ("", " \u{1f64f}"),
                    ("\u{200b}", "\u{200b}"),
                    ("\t", "\u{a0}"),
                    ("", " ?"),
                    ("(", ")."),
                ] {
                    let text = format!("{before}{text}{after}");
                    assert!(is_opt_out(&text), "{text:?}");
                }
            }
        }
        for text in ["STOP  ALL", "stop-all", "Opt–Out", "opt_out", "OPT\nOUT", "Stop\u{a0}All"] {
            assert!(is_opt_out(text), "{text:?}");
        }
    }

    #[test]
    fn the_word_itself_is_kept() {
        assert_eq!(ask(" opt-out! "), Some(Intent::OptOut("OPT OUT".to_owned())));
        assert_eq!(ask("start."), Some(Intent::OptIn("START".to_owned())));
    }

    #[test]
    fn some_words_lift_and_some_ask() {
        for text in ["START", "start", " Yes! ", "resume\n", "UnStop", "go"] {
            assert!(matches!(ask(text), Some(Intent::OptIn(_))), "{text:?}");
        }
        for text in ["HELP", "help?", " info ", "Info."] {
            assert_eq!(ask(text), Some(Intent::Help), "{text:?}");
        }
    }

    #[test]
    fn what_plivo_says_counts_as_well_and_an_opt_out_counts_most() {
        let ask = |text, intent| classify(text, &[], intent);
        assert_eq!(ask("genug", "optout"), Some(Intent::OptOut("plivo_optout".to_owned())));
        assert_eq!(ask("START", "optout"), Some(Intent::OptOut("plivo_optout".to_owned())));
        assert_eq!(ask("STOP", "optin"), Some(Intent::OptOut("STOP".to_owned())));
        assert_eq!(ask("los", "optin"), Some(Intent::OptIn("plivo_optin".to_owned())));
        assert_eq!(ask("YES", "help"), Some(Intent::OptIn("YES".to_owned())));
        assert_eq!(ask("Hilfe", "help"), Some(Intent::Help));
        assert_eq!(ask("HELP", "OptOut"), Some(Intent::Help), "Plivo writes it in small letters");
        assert_eq!(ask("Hello", "other"), None);
    }

    #[test]
    fn without_further_words_none_counts() {
        assert_eq!(classify("basta ya", &[], ""), None);
    }
}
