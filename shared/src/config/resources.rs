//! Names of tables, queues and secrets: made by the template, not chosen by people.

use super::{Lookup, SettingError, required};

/// The environment variables in which the template tells each function what it made.
pub const RESOURCE_NAMES: [&str; 13] = [
    "USERS_TABLE",
    "PHONES_TABLE",
    "SESSIONS_TABLE",
    "CONTROLS_TABLE",
    "MESSAGES_TABLE",
    "COUNTERS_TABLE",
    "DECISIONS_TABLE",
    "DEAD_LETTER_QUEUE",
    "DEAD_LETTER_FIFO_QUEUE",
    "METRICS_NAMESPACE",
    "PLIVO_SECRET",
    "ROOT_SECRET",
    "MESSAGE_SECRET",
];

/// The names.
#[derive(Debug, Clone)]
pub struct Resources {
    /// `USERS_TABLE`: users, their login rows and identities; kept.
    pub users_table: String,
    /// `PHONES_TABLE`: what was sent to a phone, guessed for it and is pending; expires.
    pub phones_table: String,
    /// `SESSIONS_TABLE`: sessions by the hash of their token; expires.
    pub sessions_table: String,
    /// `CONTROLS_TABLE`: what concerns everybody, like whether Plivo answers.
    pub controls_table: String,
    /// `MESSAGES_TABLE`: what became of each message, by idempotency key; expires.
    pub messages_table: String,
    /// `COUNTERS_TABLE`: what addresses asked for, what was spent, sent and verified; expires.
    pub counters_table: String,
    /// `DECISIONS_TABLE`: how each send was decided; expires.
    pub decisions_table: String,
    /// `DEAD_LETTER_QUEUE`: URL of the queue of messages that were not sent, with the reason.
    pub dead_letter_queue: String,
    /// `DEAD_LETTER_FIFO_QUEUE`: URL of the same for those that came by a FIFO queue.
    pub dead_letter_fifo_queue: String,
    /// `METRICS_NAMESPACE`: under which metrics stand in CloudWatch.
    pub metrics_namespace: String,
    /// `PLIVO_SECRET`: name or ARN of the secret `{"authId","authToken"}`.
    pub plivo_secret: String,
    /// `ROOT_SECRET`: name or ARN of the root key from which all keys are derived.
    pub root_secret: String,
    /// `MESSAGE_SECRET`: name or ARN of the key that `sendMessage` asks for.
    pub message_secret: String,
}

impl Resources {
    pub(super) fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
        Ok(Self {
            users_table: required(lookup, "USERS_TABLE")?,
            phones_table: required(lookup, "PHONES_TABLE")?,
            sessions_table: required(lookup, "SESSIONS_TABLE")?,
            controls_table: required(lookup, "CONTROLS_TABLE")?,
            messages_table: required(lookup, "MESSAGES_TABLE")?,
            counters_table: required(lookup, "COUNTERS_TABLE")?,
            decisions_table: required(lookup, "DECISIONS_TABLE")?,
            dead_letter_queue: required(lookup, "DEAD_LETTER_QUEUE")?,
            dead_letter_fifo_queue: required(lookup, "DEAD_LETTER_FIFO_QUEUE")?,
            metrics_namespace: required(lookup, "METRICS_NAMESPACE")?,
            plivo_secret: required(lookup, "PLIVO_SECRET")?,
            root_secret: required(lookup, "ROOT_SECRET")?,
            message_secret: required(lookup, "MESSAGE_SECRET")?,
        })
    }
}
