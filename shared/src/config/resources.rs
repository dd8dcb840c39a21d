//! Names of tables, queues and secrets: made by the template, not chosen by people.

use super::{Lookup, SettingError, required};

macro_rules! resources {
    ($($(#[$doc:meta])* $field:ident = $name:literal;)+) => {
        /// The environment variables in which the template tells each function what it made.
        pub const RESOURCE_NAMES: [&str; [$($name),+].len()] = [$($name),+];

        /// Names of tables and secrets, and URLs of queues.
        #[derive(Debug, Clone)]
        pub struct Resources { $($(#[$doc])* pub $field: String,)+ }

        impl Resources {
            pub(super) fn from_lookup(lookup: Lookup<'_>) -> Result<Self, SettingError> {
                Ok(Self { $($field: required(lookup, $name)?,)+ })
            }

            /// Those that an operator's command needs; the others have no name.
            ///
            /// # Errors
            /// The first of these that is missing.
            pub fn of_command(lookup: Lookup<'_>, needed: &[&'static str]) -> Result<Self, SettingError> {
                let read = |name: &'static str| match needed.contains(&name) {
                    true => required(lookup, name),
                    false => Ok(String::new()),
                };
                Ok(Self { $($field: read($name)?,)+ })
            }
        }
    };
}

resources! {
    /// Users, their login rows and identities; kept.
    users_table = "USERS_TABLE";
    /// Limits and challenges of phones; expires.
    phones_table = "PHONES_TABLE";
    /// Sessions by the hash of their token; expires.
    sessions_table = "SESSIONS_TABLE";
    /// What concerns everybody, like whether Plivo answers.
    controls_table = "CONTROLS_TABLE";
    /// What became of each message, by idempotency key; expires.
    messages_table = "MESSAGES_TABLE";
    /// What addresses asked for, what was spent, sent and verified; expires.
    counters_table = "COUNTERS_TABLE";
    /// How each send was decided; expires.
    decisions_table = "DECISIONS_TABLE";
    /// Who has consented to messages or opted out of them; kept.
    consents_table = "CONSENTS_TABLE";
    /// Scheme and host at which Plivo reaches us, like `https://abc.execute-api.us-east-1.amazonaws.com`.
    plivo_callback_url = "PLIVO_CALLBACK_URL";
    /// URL of the queue of messages that were not sent, with the reason.
    dead_letter_queue = "DEAD_LETTER_QUEUE";
    /// URL of the same for those that came by a FIFO queue.
    dead_letter_fifo_queue = "DEAD_LETTER_FIFO_QUEUE";
    /// Under which metrics stand in CloudWatch.
    metrics_namespace = "METRICS_NAMESPACE";
    /// Name or ARN of the secret `{"authId","authToken","callbackTokens"?}`.
    plivo_secret = "PLIVO_SECRET";
    /// Name or ARN of the root key from which all keys are derived.
    root_secret = "ROOT_SECRET";
    /// Name or ARN of the secret key of the captcha service; where there is no captcha, any text.
    captcha_secret = "CAPTCHA_SECRET";
    /// Name or ARN of the keys that sign JWTs; where there are none, any text.
    jwt_secret = "JWT_SECRET";
    /// Name or ARN of the key that `sendMessage` asks for.
    message_secret = "MESSAGE_SECRET";
}
