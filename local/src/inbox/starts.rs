//! What happened behind the responses, in words: each start with what became of its message, and each rejected code or password. The inbox
//! shows it beside the messages, and the terminal prints it. It comes from the functions of this process, and is kept in memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use shared::clock::Timestamp;
use shared::flow::Flow;
use shared::hints::{CodeRejection, Hint, Hints, MessageOutcome, NotSentReason, PasswordRejection};
use shared::spend::pumping::Rule;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::watch;

use crate::simulator::{InboxMessage, Simulator};

/// How many are kept. The oldest are dropped.
const KEPT: usize = 10_000;
/// The most messages that are printed at once.
const PRINTED: usize = 100;

/// Prints a line.
pub type Print = fn(&str);

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A start whose message went out.
    Sent,
    /// A start that was answered like any other and sent nothing.
    Silent,
    /// A start whose message may have gone out.
    Unknown,
    /// A code or a password that was rejected.
    Rejected,
}

/// A start, or a rejection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    id: u64,
    created: i64,
    kind: Kind,
    flow: Option<&'static str>,
    to: Option<String>,
    transaction_id: Option<String>,
    /// A short stable word.
    reason: Option<&'static str>,
    /// The reason for people.
    text: Option<String>,
    /// The message that went out.
    message_id: Option<String>,
    /// When the code expires.
    expires: Option<i64>,
    /// When the code was used.
    used: Option<i64>,
}

/// The newest entries. Clones share them.
#[derive(Clone)]
pub(crate) struct Starts {
    kept: Arc<Mutex<VecDeque<Entry>>>,
    simulator: Simulator,
    print: Option<Print>,
}

impl Starts {
    /// No entries yet. New ones wake the inbox's long polls.
    pub(crate) fn new(simulator: Simulator, print: Option<Print>) -> Self {
        Self { kept: Arc::default(), simulator, print }
    }

    /// What the functions tell is kept here.
    pub(crate) fn hints(&self) -> Hints {
        let starts = self.clone();
        Hints::to(Arc::new(move |hint| starts.keep(hint)))
    }

    /// The newest entries, newest first: of one number where there is a `to`, whose digits are compared.
    pub(crate) fn list(&self, to: Option<&str>, limit: usize) -> Vec<Entry> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let wanted = to.map(digits);
        let fits = |entry: &&Entry| wanted.is_none() || entry.to.as_deref().map(digits) == wanted;
        self.lock().iter().filter(fits).take(limit).cloned().collect()
    }

    /// Forgets all entries.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Whether a code may have gone out for a challenge; unknown for one that no entry is about.
    pub(crate) fn has_sent(&self, challenge: &str) -> Option<bool> {
        let kept = self.lock();
        let mut starts = kept.iter().filter(|entry| entry.kind != Kind::Rejected && entry.is_of(challenge)).peekable();
        starts.peek().is_some().then(|| starts.any(|entry| entry.kind != Kind::Silent))
    }

    /// The numbers of all entries.
    pub(crate) fn phones(&self) -> Vec<String> {
        self.lock().iter().filter_map(|entry| entry.to.clone()).collect()
    }

    /// Prints a line, if lines are printed.
    pub(crate) fn print(&self, at: i64, to: &str, text: &str) {
        if let Some(print) = self.print {
            print(&line(at, to, text));
        }
    }

    /// Prints each message that arrives until the stack stops, if lines are printed.
    pub(crate) fn print_until(&self, stop: watch::Receiver<()>) {
        if self.print.is_some() {
            let printing = self.clone().print_messages();
            tokio::spawn(async move {
                tokio::select! {
                    () = printing => {}
                    () = crate::stopped(stop) => {}
                }
            });
        }
    }

    async fn print_messages(self) {
        let mut arrivals = self.simulator.subscribe();
        let newest = || self.simulator.newest_messages(None, 1).pop().map(|message| message.id);
        let mut last = newest();
        while arrivals.changed().await.is_ok() {
            let messages = self.simulator.newest_messages(None, PRINTED);
            let new = messages.iter().take_while(|message| Some(&message.id) != last.as_ref());
            for message in new.collect::<Vec<_>>().into_iter().rev() {
                self.print(message.created, message.phone(), &printed(message));
            }
            last = messages.into_iter().next().map(|message| message.id).or(last);
        }
    }

    /// Keeps an entry or notes in one that its code was used.
    fn keep(&self, hint: &Hint<'_>) {
        let entry = match hint {
            Hint::CodeRedeemed { at, challenge } => {
                for entry in self.lock().iter_mut().filter(|entry| entry.is_of(challenge)) {
                    entry.used = Some(at.as_millis());
                }
                self.simulator.wake();
                return;
            }
            Hint::Started { at, flow, phone, challenge, expires, is_repeated, message } => {
                let (kind, reason, text) = describe_start(message, *is_repeated);
                let message_id = match message {
                    MessageOutcome::Sent(id) => id.map(str::to_owned),
                    MessageOutcome::Failed(_) | MessageOutcome::Unknown(_) | MessageOutcome::NotSent(_) => None,
                };
                Entry {
                    flow: Some(flow.as_str()),
                    to: phone.map(str::to_owned),
                    transaction_id: Some((*challenge).to_owned()),
                    text,
                    message_id,
                    expires: Some(expires.as_millis()),
                    ..Entry::new(*at, kind, reason)
                }
            }
            Hint::CodeRejected { at, challenge, cause } => self.rejection(*at, challenge, *cause),
            Hint::PasswordRejected { at, phone, cause } => {
                let (reason, text) = describe_password(*cause);
                Entry {
                    flow: Some(Flow::SecondFactor.as_str()),
                    to: Some((*phone).to_owned()),
                    text: Some(text.to_owned()),
                    ..Entry::new(*at, Kind::Rejected, Some(reason))
                }
            }
        };
        self.add(entry);
    }

    fn rejection(&self, at: Timestamp, challenge: &str, cause: CodeRejection) -> Entry {
        let start = self.lock().iter().find(|entry| entry.kind != Kind::Rejected && entry.is_of(challenge)).cloned();
        let cause = match (cause, &start) {
            // Any identifier looks like one of some flow and some phone. Only a known one really is.
            (CodeRejection::OtherFlow(_) | CodeRejection::OtherPhone, None) => CodeRejection::Unknown,
            (CodeRejection::Replaced | CodeRejection::Unknown, Some(start)) if start.used.is_some() => {
                CodeRejection::Used
            }
            (CodeRejection::Replaced | CodeRejection::Unknown, Some(start))
                if start.expires.is_some_and(|expires| expires <= at.as_millis()) =>
            {
                CodeRejection::Expired
            }
            (cause, _) => cause,
        };
        let (reason, text) = describe_code(cause);
        let (flow, to) = start.map(|start| (start.flow, start.to)).unwrap_or_default();
        Entry {
            flow,
            to,
            transaction_id: Some(challenge.to_owned()),
            text: Some(text),
            ..Entry::new(at, Kind::Rejected, Some(reason))
        }
    }

    fn add(&self, mut entry: Entry) {
        if let (Kind::Silent | Kind::Unknown | Kind::Rejected, Some(text)) = (entry.kind, &entry.text) {
            let what = match (entry.kind, entry.flow) {
                (Kind::Silent, flow) => format!("sent nothing ({})", flow.unwrap_or_default()),
                (Kind::Unknown, flow) => format!("perhaps sent ({})", flow.unwrap_or_default()),
                (_, flow) if entry.transaction_id.is_some() => format!("code rejected ({})", flow.unwrap_or("?")),
                _ => "password rejected".to_owned(),
            };
            self.print(entry.created, entry.to.as_deref().unwrap_or("nobody"), &format!("{what}: {text}"));
        }
        let mut kept = self.lock();
        entry.id = kept.front().map_or(1, |newest| newest.id + 1);
        kept.push_front(entry);
        kept.truncate(KEPT);
        drop(kept);
        self.simulator.wake();
    }

    /// Locks even after a panic, since no holder leaves a partial change behind.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message as the terminal shows it.
fn printed(message: &InboxMessage) -> Cow<'_, str> {
    let text = message.text.as_str();
    match (message.is_from_phone(), message.kind) {
        (true, _) => format!("wrote: {text}").into(),
        (false, "call") if text.is_empty() => format!("call: {}", message.state).into(),
        (false, "call") => format!("heard in a call: {text}").into(),
        (false, _) => text.into(),
    }
}

impl Entry {
    fn new(at: Timestamp, kind: Kind, reason: Option<&'static str>) -> Self {
        Self {
            id: 0,
            created: at.as_millis(),
            kind,
            flow: None,
            to: None,
            transaction_id: None,
            reason,
            text: None,
            message_id: None,
            expires: None,
            used: None,
        }
    }

    fn is_of(&self, challenge: &str) -> bool {
        self.transaction_id.as_deref() == Some(challenge)
    }
}

fn describe_start(message: &MessageOutcome<'_>, is_repeated: bool) -> (Kind, Option<&'static str>, Option<String>) {
    match message {
        MessageOutcome::Sent(_) if is_repeated => {
            let text = "The same code again: the one that was sent before is still good.";
            (Kind::Sent, Some("repeated"), Some(text.to_owned()))
        }
        MessageOutcome::Sent(_) => (Kind::Sent, None, None),
        MessageOutcome::Failed(error) => {
            let text = format!("Plivo rejected the message; the client gets the normal response. {error}");
            (Kind::Silent, Some("plivo_failed"), Some(text))
        }
        MessageOutcome::Unknown(error) => {
            let text = format!("Plivo's response was lost; the message may have arrived. {error}");
            (Kind::Unknown, Some("plivo_unknown"), Some(text))
        }
        MessageOutcome::NotSent(why) => {
            let (reason, text) = describe_not_sent(*why);
            (Kind::Silent, Some(reason), Some(text.to_owned()))
        }
    }
}

const fn describe_not_sent(why: NotSentReason) -> (&'static str, &'static str) {
    match why {
        NotSentReason::NoUser => {
            ("no_user", "No user has this phone. The response is the same, so it does not reveal who is a user.")
        }
        NotSentReason::UnknownAddress => (
            "unknown_email",
            "No user has the e-mail address, or codes do not go to the user's country. The response is the same.",
        ),
        NotSentReason::TestNumber => {
            ("test_number", "A test number: nothing is sent, and its code is the fixed one of TEST_NUMBERS.")
        }
        NotSentReason::UserDisabled => ("user_disabled", "The user of this phone is disabled and may not log in."),
        NotSentReason::UnconfirmedLimit => (
            "unconfirmed_limit",
            "A phone without a user gets five codes a day. Finish the registration, or move the clock a day ahead.",
        ),
        NotSentReason::Suppressed(Rule::PrefixPumping) => (
            "prefix_suspended",
            "The number's range is suspended: many codes went there and few came back (PUMPING_PREFIX).",
        ),
        NotSentReason::Suppressed(Rule::CountryPumping) => (
            "country_suspended",
            "The number's country is suspended: many codes went there and few came back (PUMPING_COUNTRY).",
        ),
        NotSentReason::Suppressed(Rule::Budget) => ("budget_spent", "The budget for codes is spent (BUDGET)."),
        NotSentReason::Suppressed(Rule::CountryBudget) => {
            ("country_budget_spent", "The country's budget for codes is spent (COUNTRY_BUDGETS).")
        }
        NotSentReason::Race => ("race", "A simultaneous request took the last message."),
    }
}

fn describe_code(cause: CodeRejection) -> (&'static str, String) {
    let (reason, text) = match cause {
        CodeRejection::Wrong { attempt, max } if attempt >= max => {
            return ("wrong_code", format!("Wrong code, attempt {attempt} of {max}. This transaction takes no more."));
        }
        CodeRejection::Wrong { attempt, max } => {
            return ("wrong_code", format!("Wrong code, attempt {attempt} of {max}."));
        }
        CodeRejection::OtherFlow(flow) => {
            let how = match flow {
                Flow::Register => "a registration: POST /users/register",
                Flow::Login | Flow::SecondFactor => "a login: POST /services/Plivo/loginWithCode",
                Flow::ChangePhone => "a change of phone: PUT /users/{objectId}",
                Flow::ResetPassword => "a reset of a password: POST /services/Plivo/resetPassword",
            };
            return ("other_flow", format!("The transaction is for {how}."));
        }
        CodeRejection::Unknown => ("unknown_transaction", "There is no such transaction, or it is over and forgotten."),
        CodeRejection::OtherPhone => ("other_phone", "The transaction is for another phone than phoneNumber."),
        CodeRejection::OtherUser => ("other_user", "The transaction is for another user."),
        CodeRejection::Replaced => ("replaced", "A later start has replaced this transaction. Use its transactionId."),
        CodeRejection::Expired => ("expired", "The code has expired."),
        CodeRejection::Used => ("used", "The code was used before."),
        CodeRejection::NoAttemptsLeft => ("no_attempts_left", "All attempts of this transaction are used up."),
        CodeRejection::TooShort => {
            ("too_short", "Too many wrong codes today (WRONG_CODES_PER_DAY): codes now have eight digits. Start again.")
        }
        CodeRejection::Unreadable => {
            ("unreadable", "The code cannot be decrypted: the root key has changed since it was sent.")
        }
        CodeRejection::NoUser => ("no_user", "The code is right, but no user has this phone."),
    };
    (reason, text.to_owned())
}

const fn describe_password(cause: PasswordRejection) -> (&'static str, &'static str) {
    match cause {
        PasswordRejection::NoUser => ("no_user", "No user has this phone."),
        PasswordRejection::UserDisabled => ("user_disabled", "The user of this phone is disabled and may not log in."),
        PasswordRejection::NoPassword => ("no_password", "The user has no password. Log in with a code alone."),
        PasswordRejection::Wrong => ("wrong_password", "Wrong password."),
    }
}

/// A line for the terminal: time (UTC), number, text. A text cannot move the terminal's cursor.
fn line(at: i64, to: &str, text: &str) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).ok();
    let time = time.and_then(|time| time.format(format_description!("[hour]:[minute]:[second]Z")).ok());
    let text: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    format!("{}  {to:<14}  {text}", time.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5E1F0B5C-0000-0000-0000-00000000BBBB";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn starts() -> Starts {
        Starts::new(Simulator::new("MAXXXXXXXXXXXXXXXXXX", "token", Arc::new(|| 0)), None)
    }

    fn start(starts: &Starts, message: MessageOutcome<'_>) {
        starts.keep(&Hint::Started {
            at: at(10),
            flow: Flow::Login,
            phone: Some("+14155550100"),
            challenge: ID,
            expires: at(310),
            is_repeated: false,
            message,
        });
    }

    fn reject(starts: &Starts, seconds: i64, cause: CodeRejection) -> Entry {
        starts.keep(&Hint::CodeRejected { at: at(seconds), challenge: ID.to_owned(), cause });
        starts.list(None, 1).remove(0)
    }

    #[test]
    fn the_terminal_tells_apart_what_a_phone_received_wrote_and_heard() {
        let message = |kind, state, text: &str| InboxMessage {
            id: String::new(),
            from: "+14155550199".to_owned(),
            to: "+14155550101".to_owned(),
            text: text.to_owned(),
            kind,
            media_urls: Vec::new(),
            state,
            created: 0,
            error_code: None,
        };
        for (kind, state, text, line) in [
            ("sms", "queued", "hello", "hello"),
            ("sms", "received", "STOP", "wrote: STOP"),
            ("call", "in-progress", "1, 2", "heard in a call: 1, 2"),
            ("call", "busy", "", "call: busy"),
        ] {
            assert_eq!(printed(&message(kind, state, text)), line);
        }
    }

    #[test]
    fn a_silent_start_says_why_and_a_sent_one_names_its_message() {
        let starts = starts();
        start(&starts, MessageOutcome::NotSent(NotSentReason::NoUser));
        start(&starts, MessageOutcome::Sent(Some("m")));
        start(&starts, MessageOutcome::Unknown("no answer".to_owned()));
        start(&starts, MessageOutcome::Failed("no credit".to_owned()));
        let [failed, unknown, sent, silent] = &starts.list(None, 4)[..] else { panic!("four") };
        assert_eq!((silent.kind, silent.reason, silent.id), (Kind::Silent, Some("no_user"), 1));
        assert_eq!((sent.kind, sent.message_id.as_deref(), sent.expires), (Kind::Sent, Some("m"), Some(310_000)));
        assert_eq!((unknown.kind, unknown.reason), (Kind::Unknown, Some("plivo_unknown")));
        for (entry, error) in [(failed, "no credit"), (unknown, "no answer")] {
            assert!(entry.text.as_deref().is_some_and(|text| text.ends_with(error)), "{entry:?}");
        }
    }

    #[test]
    fn entries_are_listed_by_the_digits_of_a_number() {
        let starts = starts();
        start(&starts, MessageOutcome::Sent(None));
        for (to, count) in [("+14155550100", 1), (" 14155550100", 1), ("+14155550101", 0), ("", 0)] {
            assert_eq!(starts.list(Some(to), 9).len(), count, "{to}");
        }
    }

    #[test]
    fn a_challenge_has_sent_what_one_of_its_starts_has() {
        let starts = starts();
        assert_eq!(starts.has_sent(ID), None);
        reject(&starts, 5, CodeRejection::Unknown);
        assert_eq!(starts.has_sent(ID), None, "a rejection is no start");
        start(&starts, MessageOutcome::NotSent(NotSentReason::NoUser));
        assert_eq!(starts.has_sent(ID), Some(false));
        start(&starts, MessageOutcome::Sent(None));
        start(&starts, MessageOutcome::NotSent(NotSentReason::Race));
        assert_eq!(starts.has_sent(ID), Some(true));
    }

    #[test]
    fn a_rejection_takes_phone_and_flow_from_its_start() {
        let starts = starts();
        start(&starts, MessageOutcome::Sent(None));
        let entry = reject(&starts, 20, CodeRejection::Wrong { attempt: 2, max: 5 });
        assert_eq!((entry.to.as_deref(), entry.flow), (Some("+14155550100"), Some("login")));
        assert_eq!(entry.text.as_deref(), Some("Wrong code, attempt 2 of 5."));
    }

    #[test]
    fn a_transaction_that_is_gone_or_made_up_is_told_from_what_is_known_of_its_start() {
        let starts = starts();
        let reason = |seconds, cause| reject(&starts, seconds, cause).reason.unwrap();
        assert_eq!(reason(20, CodeRejection::OtherFlow(Flow::Login)), "unknown_transaction", "a made-up one");
        start(&starts, MessageOutcome::Sent(None));
        assert_eq!(reason(20, CodeRejection::OtherFlow(Flow::Login)), "other_flow");
        assert_eq!(reason(20, CodeRejection::Replaced), "replaced");
        assert_eq!(reason(310, CodeRejection::Replaced), "expired");
        starts.keep(&Hint::CodeRedeemed { at: at(30), challenge: ID.to_owned() });
        assert_eq!(reason(310, CodeRejection::Replaced), "used");
    }

    #[test]
    fn a_line_holds_no_control_characters() {
        assert_eq!(line(3_723_000, "+14155550100", "a\u{1b}[2Jb\nc"), "01:02:03Z  +14155550100    a [2Jb c");
    }
}
