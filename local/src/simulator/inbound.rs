//! Messages that phones write to the application, and what Plivo itself does about the words STOP, START and HELP ("Plivo: Opt-out" page).

use super::callback::{Answer, Callback, CallbackFault, Job, Target};
use super::message::Message;
use super::number::{Sender, is_destination, strip};
use super::request::Outgoing;
use super::{Course, Simulator, Subject, lock, time, xml};
use shared::messaging::sms_encoding;

const STOP: [&str; 8] = ["STOP", "STOPALL", "STOP ALL", "END", "QUIT", "CANCEL", "UNSUBSCRIBE", "UNSUB"];
const START: [&str; 5] = ["START", "YES", "RESUME", "UNSTOP", "GO"];
const HELP: [&str; 2] = ["HELP", "INFO"];

/// What a text means to Plivo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    OptOut,
    OptIn,
    Help,
    None,
}

impl Intent {
    fn of(text: &str) -> Self {
        let word = text.trim_end().to_uppercase();
        match word.as_str() {
            word if STOP.contains(&word) => Self::OptOut,
            word if START.contains(&word) => Self::OptIn,
            word if HELP.contains(&word) => Self::Help,
            _ => Self::None,
        }
    }

    /// Plivo's word for it.
    fn as_str(self) -> &'static str {
        match self {
            Self::OptOut => "optout",
            Self::OptIn => "optin",
            Self::Help => "help",
            Self::None => "",
        }
    }

    /// Plivo's own answer. Only that to STOP is known word for word.
    fn reply(self) -> Option<&'static str> {
        match self {
            Self::OptOut => Some("You have been unsubscribed and will not receive any more messages from this number."),
            Self::OptIn => Some("You have been re-subscribed and will receive messages from this number again."),
            Self::Help => Some("Reply STOP to unsubscribe. Message and data rates may apply."),
            Self::None => None,
        }
    }
}

/// A phone's message on its way to the application.
pub(super) struct Inbound {
    pub(super) callback: Callback,
    phone: String,
    number: String,
    intent: Intent,
}

/// A message of a phone that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotWritten(pub(crate) &'static str);

impl Simulator {
    /// Where messages of phones go, and the number that phones write to if nobody has written to them.
    pub(crate) fn set_application(&self, message_url: &str, number: &str) {
        let number = Sender::parse(number).filter(|sender| matches!(sender, Sender::Number(_)));
        *lock(&self.inner.application) = Some((Target::post(message_url), number));
    }

    /// A phone writes to a number of the application: `to`, or the one that wrote to it last. Returns the message's ID. The application hears
    /// of it with [`Self::deliver_due`].
    ///
    /// # Errors
    /// [`NotWritten`] for what no phone can write.
    pub fn write(&self, from: &str, to: Option<&str>, text: &str) -> Result<String, NotWritten> {
        let phone = Some(strip(from)).filter(|phone| is_destination(phone));
        let phone = phone.ok_or(NotWritten("from must be a phone number with its country code"))?;
        if text.trim().is_empty() || !sms_encoding::fits(text) {
            return Err(NotWritten("text must hold a message"));
        }
        let number = match to {
            Some(to) => Sender::parse(to),
            None => self.last_sender_to(&phone),
        };
        let Some(Sender::Number(number)) = number else {
            return Err(NotWritten("to must be a number of yours"));
        };
        let message = Message::from_phone(&phone, &number, text, self.now());
        let (uuid, intent) = (message.uuid.clone(), Intent::of(text));
        self.apply_intent(&message);
        let form = inbound_form(&message, &phone, intent);
        self.keep_messages(vec![message]);
        if let Some(reply) = intent.reply() {
            self.send_despite_block(&number, &phone, reply);
        }
        self.schedule_inbound(form, phone, number, intent);
        Ok(uuid)
    }

    /// Blocks or unblocks the pair of a phone and a number, if the message asks for it.
    pub(super) fn apply_intent(&self, message: &Message) {
        let Some(phone) = message.sender_number().filter(|_| message.is_inbound()) else { return };
        let pair = (message.to.clone(), phone.to_owned());
        match Intent::of(message.text()) {
            Intent::OptOut => drop(lock(&self.inner.blocked).insert(pair)),
            Intent::OptIn => drop(lock(&self.inner.blocked).remove(&pair)),
            Intent::Help | Intent::None => {}
        }
    }

    /// Sends what the application answered. Its answer to STOP is the one acknowledgement that Plivo lets through.
    pub(super) fn read_reply(&self, inbound: &Inbound, answer: &Answer) {
        if answer.body.trim().is_empty() || !answer.is_xml {
            return;
        }
        let Some(messages) = xml::messages(&answer.body, &inbound.number, &inbound.phone) else {
            tracing::warn!("the answer to a phone's message is no XML response");
            return;
        };
        for parameters in messages {
            let ignores_block = inbound.intent == Intent::OptOut;
            match Outgoing::parse(&parameters) {
                Ok(outgoing) => drop(self.keep(outgoing, Course { ignores_block, ..Course::default() })),
                Err(refused) => tracing::warn!(reason = refused.0, "a message of an answer was refused"),
            }
        }
    }

    fn schedule_inbound(&self, form: super::callback::Form, phone: String, number: String, intent: Intent) {
        let Some((target, _)) = lock(&self.inner.application).clone() else { return };
        let fault = self.fault_of(Subject::Inbound, &phone, phone.as_bytes()).callbacks();
        let (at, copies) = match fault {
            CallbackFault::Lost => return,
            CallbackFault::Late(by) => (i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4), 1),
            CallbackFault::Twice => (0, 2),
            CallbackFault::None | CallbackFault::Reversed | CallbackFault::Forged => (0, 1),
        };
        for _ in 0..copies {
            let callback = Callback {
                by_main_account_only: true,
                is_forged: fault == CallbackFault::Forged,
                ..Callback::new(&target, form.clone())
            };
            let inbound = Inbound { callback, phone: phone.clone(), number: number.clone(), intent };
            self.schedule(self.now() + at, Job::Inbound(inbound));
        }
    }

    fn send_despite_block(&self, from: &str, to: &str, text: &str) {
        self.keep(Outgoing::plain(from, to, text), Course { ignores_block: true, ..Course::default() });
    }

    fn last_sender_to(&self, phone: &str) -> Option<Sender> {
        let all = self.all();
        let numbers = all.iter().filter(|message| message.to == phone && !message.is_inbound());
        let last =
            numbers.filter(|message| message.powerpack_id().is_none()).find_map(|message| message.sender_number());
        let last = last.and_then(Sender::parse).filter(|sender| matches!(sender, Sender::Number(_)));
        last.or_else(|| lock(&self.inner.application).as_ref().and_then(|(_, number)| number.clone()))
    }
}

/// The form of the "Plivo: Incoming messages" page.
fn inbound_form(message: &Message, phone: &str, intent: Intent) -> super::callback::Form {
    let (units, rate, amount) = message.price();
    vec![
        ("MessageUUID", message.uuid.clone()),
        ("From", phone.to_owned()),
        ("To", message.to.clone()),
        ("Text", message.text().to_owned()),
        ("Type", "sms".to_owned()),
        ("Units", units.to_string()),
        ("TotalRate", rate),
        ("TotalAmount", amount),
        ("PowerpackUUID", String::new()),
        ("MessageIntent", intent.as_str().to_owned()),
        ("MessageTime", time::format_local(message.created)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, sms};
    use super::*;

    const PHONE: &str = "15550001111";
    const NUMBER: &str = "14155550100";

    #[test]
    fn only_a_whole_message_is_a_keyword() {
        for (text, intent) in [
            ("Stop \n", Intent::OptOut),
            ("stop all", Intent::OptOut),
            ("UNSUB", Intent::OptOut),
            ("please stop", Intent::None),
            (" stop", Intent::None),
            ("stop.", Intent::None),
            ("Yes", Intent::OptIn),
            ("unstop", Intent::OptIn),
            ("info", Intent::Help),
            ("123456", Intent::None),
        ] {
            assert_eq!(Intent::of(text), intent, "{text:?}");
        }
    }

    #[test]
    fn what_no_phone_can_write_is_refused() {
        let (simulator, _) = at(1_000);
        for (from, to, text) in [
            ("", Some(NUMBER), "hello"),
            ("MyShop", Some(NUMBER), "hello"),
            (PHONE, Some(NUMBER), " "),
            (PHONE, Some(NUMBER), &"я".repeat(738)),
            (PHONE, Some("MyShop"), "hello"),
            (PHONE, None, "hello"), // nobody has written to it
        ] {
            assert!(simulator.write(from, to, text).is_err(), "{from} {to:?} {text}");
        }
        assert!(simulator.messages(None).is_empty());
    }

    #[tokio::test]
    async fn stop_blocks_this_sender_only_until_start() {
        let (simulator, clock) = at(1_000);
        sms(&simulator, PHONE, "before").await;
        simulator.write(PHONE, None, "STOP").unwrap();
        assert_eq!(sms(&simulator, PHONE, "blocked").await.status, 202);
        assert_eq!(sms(&simulator, "15550002222", "to another").await.status, 202);
        simulator.write(PHONE, Some("14155550177"), "START").unwrap(); // another number of ours
        sms(&simulator, PHONE, "still blocked").await;
        simulator.write(PHONE, None, "start").unwrap();
        sms(&simulator, PHONE, "after").await;
        clock.set(9_000);
        let state = |text: &str| {
            let message = simulator.messages(None).into_iter().find(|message| message.text == text).unwrap();
            (message.state, message.error_code)
        };
        assert_eq!(state("before"), ("delivered", None));
        assert_eq!(state("blocked"), ("failed", Some(200)));
        assert_eq!(state("to another"), ("delivered", None));
        assert_eq!(state("still blocked"), ("failed", Some(200)));
        assert_eq!(state("after"), ("delivered", None));
        assert_eq!(
            state("You have been unsubscribed and will not receive any more messages from this number.").0,
            "delivered"
        );
        assert_eq!((state("STOP"), simulator.messages(Some(NUMBER)).len()), (("received", None), 2));
    }

    #[tokio::test]
    async fn an_opt_out_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("messages.jsonl");
        let (first, _) = at(1_000);
        first.keep_in(&file).unwrap();
        first.write(PHONE, Some(NUMBER), "STOP").unwrap();
        let (second, _) = at(1_000);
        second.keep_in(&file).unwrap();
        sms(&second, PHONE, "blocked").await;
        assert_eq!(second.messages(Some(PHONE))[0].error_code, None, "it is queued first");
        assert_eq!(second.all()[0].steps().last().and_then(|step| step.error), Some(200));
    }
}
