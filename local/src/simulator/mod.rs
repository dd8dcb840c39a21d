//! A simulator of Plivo: the part of its REST API that sends messages, makes calls and reads both back, and the requests by which Plivo calls
//! an application back. Messages are kept in memory, and in a file if there is one.
//!
//! Our client and the official SDKs talk to it over HTTP, so it refuses what Plivo refuses and responds in Plivo's shapes. It serves
//! `/v1/Account/{auth_id}/…` and is independent of the rest of the stack: [`Simulator::new`] takes the credentials and the clock,
//! [`Simulator::messages`] returns what was sent, [`Simulator::write`] writes as a phone, and [`Simulator::deliver_due`] calls the application
//! back with what is due. Verify sessions are not simulated.
//!
//! * `api`: the resources and their handlers
//! * `request`: the checks of a request to send
//! * `journal`: keeps messages in a file
//! * `message`: a message, as Plivo reports it and as the phone shows it
//! * `list`: filters and pages of the message list
//! * `response`: the shapes of responses
//! * `callback`: calls the application back, in order and by the clock
//! * `report`: delivery reports
//! * `inbound`: messages that phones write, and opt-outs
//! * `call`: calls
//! * `xml`: what an application answers
//! * `fault`: faults to inject
//! * `plan`: the fault that people inject
//! * `time`: Plivo's format of times

mod api;
mod call;
mod callback;
mod fault;
mod inbound;
mod journal;
mod list;
mod message;
mod number;
mod parameter;
mod plan;
mod report;
mod request;
mod response;
#[cfg(test)]
mod testing;
mod text;
mod time;
mod xml;

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Notify, watch};

pub use call::CallFault;
pub use callback::CallbackFault;
pub use fault::Fault;
pub use inbound::NotWritten;
pub use message::{InboxMessage, Outcome};
pub use plan::FaultPlan;

use callback::{Queue, Target};
use journal::Journal;
use message::Message;
use number::Sender;
use request::Outgoing;

/// Epoch milliseconds of the stack's movable clock.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The maximum number of messages. The oldest are dropped, so that a load test does not fill a laptop's memory.
const KEPT: usize = 10_000;

/// The simulated account. Clones share one state.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

/// What a fault is injected into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// A request to send a message.
    Message,
    /// A request to call.
    Call,
    /// A message that a phone writes.
    Inbound,
}

/// How the messages of a request go on.
#[derive(Clone, Copy, Default)]
struct Course {
    outcome: Outcome,
    waits: i64,
    callbacks: CallbackFault,
    /// Whether the phone gets it although it wants no message.
    ignores_block: bool,
}

struct Inner {
    auth_id: String,
    auth_token: String,
    /// What follows `Basic ` in the header of a client that knows the credentials.
    credentials: String,
    now: Now,
    fault: Mutex<Fault>,
    plan: Mutex<Option<FaultPlan>>,
    message_calls: AtomicUsize,
    call_requests: AtomicUsize,
    /// Newest first.
    kept: Mutex<VecDeque<Arc<Message>>>,
    journal: Mutex<Option<Journal>>,
    arrivals: watch::Sender<u64>,
    /// Numbers of the application and phones that want no message from them.
    blocked: Mutex<HashSet<(String, String)>>,
    /// Where messages of phones go, and the number that they are written to.
    application: Mutex<Option<(Target, Option<Sender>)>>,
    queue: Mutex<Queue>,
    /// Wakes whoever waits for the queue.
    added: Notify,
    /// Held while callbacks are sent, so that they stay in order.
    delivering: tokio::sync::Mutex<()>,
    http: OnceLock<Option<reqwest::Client>>,
}

impl Simulator {
    /// An account without messages.
    pub fn new(auth_id: &str, auth_token: &str, now: Now) -> Self {
        Self {
            inner: Arc::new(Inner {
                auth_id: auth_id.to_owned(),
                auth_token: auth_token.to_owned(),
                credentials: STANDARD.encode(format!("{auth_id}:{auth_token}")),
                now,
                fault: Mutex::new(Fault::None),
                plan: Mutex::default(),
                message_calls: AtomicUsize::new(0),
                call_requests: AtomicUsize::new(0),
                kept: Mutex::new(VecDeque::new()),
                journal: Mutex::default(),
                arrivals: watch::Sender::new(0),
                blocked: Mutex::default(),
                application: Mutex::default(),
                queue: Mutex::default(),
                added: Notify::new(),
                delivering: tokio::sync::Mutex::default(),
                http: OnceLock::new(),
            }),
        }
    }

    /// Keeps the messages in this file from now on, and adds those that are in it.
    pub(crate) fn keep_in(&self, file: &Path) -> std::io::Result<()> {
        let (journal, messages) = Journal::open(file)?;
        messages.iter().for_each(|message| self.apply_intent(message));
        let mut kept = lock(&self.inner.kept);
        kept.extend(messages.into_iter().rev().map(Arc::new));
        kept.truncate(KEPT);
        *lock(&self.inner.journal) = Some(journal);
        Ok(())
    }

    /// The REST API under `/v1/Account/{auth_id}/`. It has no fallback, so it can be merged into any other router.
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// The messages that phones received and wrote, and their calls, newest first. `to` compares digits only, so `+1555…`, `1555…` and ` 1555…` (a plus that a query
    /// decoder turned into a space) are the same number.
    pub fn messages(&self, to: Option<&str>) -> Vec<InboxMessage> {
        self.newest_messages(to, usize::MAX)
    }

    /// The newest `limit` of [`Self::messages`].
    pub(crate) fn newest_messages(&self, to: Option<&str>, limit: usize) -> Vec<InboxMessage> {
        let now = self.now();
        let wanted = to.map(number::digits);
        lock(&self.inner.kept)
            .iter()
            .filter(|message| wanted.as_ref().is_none_or(|digits| *digits == message.to))
            .take(limit)
            .map(|message| message.for_inbox(now))
            .collect()
    }

    /// Forgets all messages and returns how many there were.
    pub(crate) fn clear(&self) -> usize {
        let cleared = std::mem::take(&mut *lock(&self.inner.kept)).len();
        if let Some(journal) = &*lock(&self.inner.journal)
            && let Err(error) = journal.clear()
        {
            tracing::error!(%error, "the messages cannot be removed from their file");
        }
        self.wake();
        cleared
    }

    /// Injects a fault into all responses from now on; [`Fault::None`] ends it.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.inner.fault) = fault;
    }

    /// Injects a fault into requests to send, before that of [`Self::set_fault`]; `None` ends it.
    pub(crate) fn set_plan(&self, plan: Option<FaultPlan>) {
        *lock(&self.inner.plan) = plan;
    }

    /// What is left of the plan.
    pub(crate) fn plan(&self) -> Option<FaultPlan> {
        lock(&self.inner.plan).clone()
    }

    /// The number of requests to send a message, whatever the response was.
    pub fn message_calls(&self) -> usize {
        self.inner.message_calls.load(Ordering::Relaxed)
    }

    /// The number of requests to call, whatever the response was.
    pub fn call_requests(&self) -> usize {
        self.inner.call_requests.load(Ordering::Relaxed)
    }

    /// Wakes the inbox's long polls, because the clock was moved or the stack stops.
    pub(crate) fn wake(&self) {
        self.inner.arrivals.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// A number that changes when messages arrive.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.arrivals.subscribe()
    }

    /// The time of the stack.
    pub(crate) fn now(&self) -> i64 {
        (self.inner.now)()
    }

    fn auth_id(&self) -> &str {
        &self.inner.auth_id
    }

    fn credentials(&self) -> &str {
        &self.inner.credentials
    }

    fn fault(&self) -> Fault {
        lock(&self.inner.fault).clone()
    }

    /// The fault of a request about these numbers, joined by `<`.
    fn fault_of(&self, subject: Subject, numbers: &str, body: &[u8]) -> Fault {
        let mut plan = lock(&self.inner.plan);
        let (planned, left) = plan.take().map_or((None, None), |plan| plan.apply(subject, numbers));
        *plan = left;
        planned.unwrap_or_else(|| self.fault().of_sending(body))
    }

    fn count_request(&self, subject: Subject) {
        let counter = match subject {
            Subject::Call => &self.inner.call_requests,
            Subject::Message | Subject::Inbound => &self.inner.message_calls,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps one message per recipient, schedules their reports, and returns their IDs in the recipients' order.
    fn keep(&self, outgoing: Outgoing, course: Course) -> Vec<String> {
        let mut messages = Message::for_each_recipient(outgoing, self.now(), course.outcome, course.waits);
        let uuids = messages.iter().map(|message| message.uuid.clone()).collect();
        for message in &mut messages {
            if !course.ignores_block && self.is_blocked(message) {
                message.block();
            }
            self.schedule_reports(message.reports(), course.callbacks);
        }
        self.keep_messages(messages);
        uuids
    }

    fn is_blocked(&self, message: &Message) -> bool {
        let pair = message.sender_number().map(|from| (from.to_owned(), message.to.clone()));
        pair.is_some_and(|pair| lock(&self.inner.blocked).contains(&pair))
    }

    fn keep_messages(&self, messages: Vec<Message>) {
        {
            let mut kept = lock(&self.inner.kept);
            if let Some(Err(error)) = lock(&self.inner.journal).as_mut().map(|journal| journal.append(&messages)) {
                tracing::error!(%error, "messages are not kept in their file");
            }
            for message in messages {
                kept.push_front(Arc::new(message));
            }
            kept.truncate(KEPT);
        }
        self.inner.arrivals.send_modify(|version| *version += 1);
    }

    fn find(&self, uuid: &str) -> Option<Arc<Message>> {
        lock(&self.inner.kept).iter().find(|message| message.uuid == uuid).cloned()
    }

    /// All messages, newest first.
    fn all(&self) -> Vec<Arc<Message>> {
        lock(&self.inner.kept).iter().cloned().collect()
    }
}

/// Locks even after a panic, because no holder of these locks can leave a partial change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::testing::{ACCOUNT, at, sms};
    use super::*;

    #[tokio::test]
    async fn recipients_are_compared_by_their_digits() {
        let (simulator, _) = at(1_000);
        sms(&simulator, "+1 (555) 000-1111", "one").await;
        sms(&simulator, "15550002222", "two").await;

        for to in ["+15550001111", "15550001111", " 15550001111", "+1 555 000-1111"] {
            let texts: Vec<_> = simulator.messages(Some(to)).into_iter().map(|message| message.text).collect();
            assert_eq!(texts, ["one"], "{to}");
        }
        assert!(simulator.messages(Some("+1555000")).is_empty());
        assert!(simulator.messages(Some("nobody")).is_empty());
        assert_eq!(simulator.messages(None).len(), 2);
    }

    #[tokio::test]
    async fn the_newest_message_comes_first() {
        let (simulator, _) = at(1_000);
        sms(&simulator, "15550001111", "one").await;
        sms(&simulator, "15550001111", "two").await;

        let texts: Vec<_> = simulator.messages(None).into_iter().map(|message| message.text).collect();
        assert_eq!(texts, ["two", "one"]);
        assert_eq!(simulator.newest_messages(None, 1).len(), 1);
    }

    #[tokio::test]
    async fn subscribers_hear_of_a_message_and_not_of_a_refusal() {
        let (simulator, _) = at(1_000);
        let mut arrivals = simulator.subscribe();

        sms(&simulator, "1111111", "refused").await;
        assert!(!arrivals.has_changed().unwrap());
        sms(&simulator, "15550001111", "kept").await;
        assert!(arrivals.has_changed().unwrap());
        assert_eq!(*arrivals.borrow_and_update(), 1);
    }

    #[test]
    fn only_the_newest_messages_are_kept() {
        let simulator = Simulator::new(ACCOUNT, "token", Arc::new(|| 0));
        let outgoing = |text: String| {
            let body = serde_json::json!({"src": "14155550100", "dst": "15550001111", "text": text});
            Outgoing::parse(body.as_object().unwrap()).unwrap()
        };
        for index in 0..KEPT + 5 {
            simulator.keep(outgoing(index.to_string()), Course::default());
        }

        let messages = simulator.messages(None);
        assert_eq!(messages.len(), KEPT);
        assert_eq!(messages[0].text, (KEPT + 4).to_string());
        assert_eq!(messages[KEPT - 1].text, "5");
    }
}
