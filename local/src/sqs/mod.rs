//! SQS in this process: the two queues whose messages `mapping` delivers to `send-message`, and their dead-letter queues, which people and
//! tests can read. Times follow the stack's clock.
//!
//! | module | for |
//! |---|---|
//! | `api` | SQS's API, as far as senders and operators need it |
//! | `mapping` | Lambda's event source mapping |

pub(crate) mod api;
pub(crate) mod mapping;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use send_message::queue::VISIBILITY_TIMEOUT;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::clock::{Clock as _, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::StackError;
use crate::clock::MovableClock;

/// The queues of messages, standard and FIFO.
pub const SOURCES: [&str; 2] = ["messages", "messages.fifo"];
/// Their dead-letter queues, in the same order.
pub const DEAD_LETTERS: [&str; 2] = ["dead-letters", "dead-letters.fifo"];
/// After this many deliveries, SQS itself moves a message to the dead-letter queue.
pub const MAX_RECEIVE_COUNT: u32 = 8;
/// For how long a FIFO queue accepts a deduplication ID once (AWS: "Exactly-once processing in Amazon SQS").
const DEDUPLICATION: Duration = Duration::from_secs(300);

/// A queue's ARN.
pub fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
}

/// A queue's URL below the URL of the API.
pub fn url(endpoint: &str, queue: &str) -> String {
    format!("{endpoint}/000000000000/{queue}")
}

fn is_fifo(queue: &str) -> bool {
    queue.ends_with(".fifo")
}

/// The other queue of a pair: the dead-letter queue of a queue, or the queue of a dead-letter queue.
fn counterpart(queue: &str) -> Option<&'static str> {
    let mut pairs = SOURCES.into_iter().zip(DEAD_LETTERS);
    pairs.find_map(|(source, letters)| match queue {
        _ if queue == source => Some(letters),
        _ if queue == letters => Some(source),
        _ => None,
    })
}

/// A message in a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// The queue's name.
    pub queue: &'static str,
    /// The text.
    pub body: String,
    /// Its attributes, all of them strings.
    pub attributes: Map<String, Value>,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    #[serde(skip)]
    deduplication_id: Option<String>,
    #[serde(skip)]
    id: String,
    #[serde(skip)]
    sent: Timestamp,
    /// How often it was delivered.
    #[serde(skip)]
    receives: u32,
    /// It is not delivered before this time.
    #[serde(skip)]
    hidden_until: Timestamp,
    /// The function is processing it.
    #[serde(skip)]
    is_in_flight: bool,
}

/// What a sender gives.
struct NewMessage {
    body: String,
    attributes: Map<String, Value>,
    group: Option<String>,
    deduplication_id: Option<String>,
    delay: Duration,
}

/// The queues. Clones share them.
#[derive(Debug, Clone)]
pub struct Queues {
    state: Arc<Mutex<State>>,
    clock: Arc<MovableClock>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Of all queues, oldest first.
    messages: Vec<Queued>,
    /// The time and the message of each queue's deduplication IDs.
    deduplicated: HashMap<(&'static str, String), (Timestamp, String)>,
}

impl Queues {
    pub(crate) fn new(clock: Arc<MovableClock>) -> Self {
        Self { state: Arc::default(), clock, changes: watch::Sender::new(()) }
    }

    /// The messages in the dead-letter queues, oldest first.
    pub fn dead_letters(&self) -> Vec<Queued> {
        self.messages_of(&DEAD_LETTERS)
    }

    /// The messages that are waiting to be delivered, for the first time or again, oldest first.
    pub fn waiting(&self) -> Vec<Queued> {
        self.messages_of(&SOURCES)
    }

    fn messages_of(&self, queues: &[&str]) -> Vec<Queued> {
        self.lock().messages.iter().filter(|message| queues.contains(&message.queue)).cloned().collect()
    }

    /// Waits until every message that can be delivered now was delivered.
    pub async fn settle(&self) {
        let mut changes = self.changes.subscribe();
        while !self.is_idle() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_idle(&self) -> bool {
        let (state, now) = (self.lock(), self.clock.now());
        let is_idle = |queue| state.deliverable(queue, now).is_empty();
        !state.messages.iter().any(|message| message.is_in_flight) && SOURCES.into_iter().all(is_idle)
    }

    /// Starts the API on a port of its own, for the functions, and returns its URL.
    pub(crate) async fn start(&self, stop: watch::Receiver<()>) -> Result<String, StackError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(StackError::new("queues have no port"))?;
        let address = listener.local_addr().map_err(StackError::new("queues have no port"))?;
        let app = Router::new().route("/", post(api::respond)).with_state(self.clone());
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(crate::stopped(stop)).into_future());
        Ok(format!("http://{address}"))
    }

    /// `GET /_local/dead-letters`: the dead letters as JSON.
    pub(crate) fn router(&self) -> Router {
        let queues = self.clone();
        Router::new().route("/_local/dead-letters", get(move || async move { Json(queues.dead_letters()) }))
    }

    /// Adds a message and returns its ID. A FIFO queue accepts each deduplication ID once in five minutes.
    fn add(&self, queue: &'static str, new: NewMessage) -> String {
        let (mut state, now) = (self.lock(), self.clock.now());
        let NewMessage { body, attributes, group, deduplication_id, delay } = new;
        let id = shared::crypto::identifier::random();
        if let Some(deduplication_id) = &deduplication_id {
            state.deduplicated.retain(|_, (since, _)| now < since.plus(DEDUPLICATION));
            let key = (queue, deduplication_id.clone());
            let (_, first) = state.deduplicated.entry(key).or_insert_with(|| (now, id.clone()));
            if *first != id {
                return first.clone();
            }
        }
        state.messages.push(Queued {
            queue,
            body,
            attributes,
            group,
            deduplication_id,
            id: id.clone(),
            sent: now,
            receives: 0,
            hidden_until: now.plus(delay),
            is_in_flight: false,
        });
        drop(state);
        self.changes.send_replace(());
        id
    }

    /// Adds an invocation record to the dead-letter queue, as Lambda's failure destination does.
    pub(crate) fn add_failed_invocation(&self, record: &Value) {
        let (attributes, body) = (Map::new(), record.to_string());
        let new = NewMessage { body, attributes, group: None, deduplication_id: None, delay: Duration::ZERO };
        self.add(DEAD_LETTERS[0], new);
    }

    /// Takes up to this many messages for the function and hides them. Those that were delivered too often go to the dead-letter queue.
    fn receive(&self, queue: &str, most: usize) -> Vec<Queued> {
        let (mut state, now) = (self.lock(), self.clock.now());
        let mut batch = Vec::new();
        let mut exhausted = HashSet::new();
        for place in state.deliverable(queue, now) {
            let message = &mut state.messages[place];
            if message.receives >= MAX_RECEIVE_COUNT {
                exhausted.insert(message.id.clone());
            } else if batch.len() < most {
                message.receives += 1;
                message.hidden_until = now.plus(VISIBILITY_TIMEOUT);
                message.is_in_flight = true;
                batch.push(message.clone());
            }
        }
        if let Some(letters) = counterpart(queue).filter(|_| !exhausted.is_empty()) {
            state.move_to(letters, now, |message| exhausted.contains(&message.id));
            self.changes.send_replace(());
        }
        batch
    }

    /// Deletes the delivered messages, except those that failed: they stay hidden until they are delivered again.
    fn finish(&self, batch: &[Queued], is_failed: impl Fn(&str) -> bool) {
        let mut state = self.lock();
        let is_of_batch = |message: &Queued| batch.iter().any(|one| one.id == message.id);
        state.messages.retain(|message| !is_of_batch(message) || is_failed(&message.id));
        for message in state.messages.iter_mut().filter(|message| is_of_batch(message)) {
            message.is_in_flight = false;
        }
        drop(state);
        self.changes.send_replace(());
    }

    /// Moves all dead letters of a queue to another, where they are new messages.
    fn redrive(&self, from: &str, to: &'static str) {
        self.lock().move_to(to, self.clock.now(), |message| message.queue == from);
        self.changes.send_replace(());
    }

    /// The time until a hidden message can be delivered again, if there is one.
    fn until_next(&self, queue: &str) -> Option<Duration> {
        let (state, now) = (self.lock(), self.clock.now());
        let hidden = state.messages.iter().filter(|message| message.queue == queue && now < message.hidden_until);
        hidden.map(|message| now.until(message.hidden_until)).min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The places of the messages that can be delivered now. In a FIFO queue, a hidden message holds up those behind it in its group.
    fn deliverable(&self, queue: &str, now: Timestamp) -> Vec<usize> {
        let mut held_up = HashSet::new();
        let mut places = Vec::new();
        for (place, message) in self.messages.iter().enumerate().filter(|(_, message)| message.queue == queue) {
            let group = message.group.as_ref().filter(|_| is_fifo(queue));
            if message.is_in_flight || now < message.hidden_until {
                held_up.extend(group);
            } else if group.is_none_or(|group| !held_up.contains(group)) {
                places.push(place);
            }
        }
        places
    }

    /// Moves messages to another queue, behind those that are there.
    fn move_to(&mut self, queue: &'static str, now: Timestamp, is_moved: impl Fn(&Queued) -> bool) {
        let (moved, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages).into_iter().partition(is_moved);
        let renewed = |message| Queued {
            queue,
            id: shared::crypto::identifier::random(),
            sent: now,
            receives: 0,
            hidden_until: now,
            is_in_flight: false,
            ..message
        };
        self.messages = stay.into_iter().chain(moved.into_iter().map(renewed)).collect();
    }
}
