//! Messages that the app itself sends: what may be sent, to whom and how long, and that each is sent at most once.

pub mod consent;
pub mod delivery;
mod idempotency_key;
pub mod media;
pub mod opt_out;
mod reservation;
pub mod sms_encoding;

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use url::Url;

pub use idempotency_key::{IdempotencyKey, KeyError, is_arn_of};
pub use reservation::MessageRules;

use reservation::{MessageReservation, Reserved};

use crate::app::App;
use crate::auth::limits::Limited;
use crate::aws::secrets::{SecretError, Secrets};
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::logging;
use crate::plivo::{self, Accepted, PlivoError};
use crate::spend::kill_switch;
use crate::store::{Claim, Claimed, MessageLimits, MessageState, Messages, PhoneKey, SendId, StoreError};
use phone_number::PhoneNumber;

/// A message was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// There is no key of `sendMessage`.
    #[error("no message key")]
    NoKey,
    /// The key of `sendMessage` is wrong.
    #[error("wrong message key")]
    WrongKey,
    /// No text and no media.
    #[error("nothing to send")]
    Empty,
    /// Longer than Plivo takes.
    #[error("the text is too long")]
    TooLong,
    /// A control character other than line ends and tabs.
    #[error("the text holds control characters")]
    NotText,
    /// Media to a country that has none.
    #[error("no media to that country")]
    MediaCountry,
    /// A country that is not sent to.
    #[error("country not served")]
    CountryNotServed,
    /// Messages, the country, or SMS or MMS are switched off.
    #[error("switched off")]
    SwitchedOff,
    /// The phone has opted out of messages.
    #[error("the phone has opted out")]
    OptedOut,
    /// The budget of messages is spent.
    #[error("the budget of messages is spent")]
    BudgetSpent {
        /// When its window ends, in seconds.
        retry_after: u64,
    },
    /// The phone has got as many messages as it may.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The idempotency key was another message's.
    #[error("the idempotency key is another message's")]
    OtherMessage,
    /// The same message is being sent at this moment.
    #[error("the same message is being sent")]
    InFlight {
        /// When that will be over at the latest, in seconds.
        retry_after: u64,
    },
    /// There is no message of this id, or it is too old.
    #[error("no such message")]
    NotFound,
    /// The function that sent it before ended without recording the outcome.
    #[error("the outcome of this message is unknown")]
    Unknown,
    /// A secret is not available.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Plivo did not take it.
    #[error(transparent)]
    Plivo(#[from] PlivoError),
}

/// Requires a key of `sendMessage`, which spends the owner's money.
///
/// # Errors
/// [`MessageError::NoKey`]; [`MessageError::WrongKey`]; [`MessageError::Secret`].
pub async fn authorize(secrets: &Secrets, key: Option<&SecretString>, now: Timestamp) -> Result<(), MessageError> {
    let keys = secrets.message_keys(now).await?;
    let given = key.ok_or(MessageError::NoKey)?.expose_secret().as_bytes();
    let right = |key: &SecretString| bool::from(given.ct_eq(key.expose_secret().as_bytes()));
    if keys.iter().any(right) { Ok(()) } else { Err(MessageError::WrongKey) }
}

/// A message that may be sent.
#[derive(Debug)]
pub struct Message {
    to: PhoneNumber,
    text: String,
    media: Vec<Url>,
}

impl Message {
    /// Checks a message.
    ///
    /// # Errors
    /// [`MessageError`]: empty, too long, not text, or to where it may not go.
    pub fn new(settings: &Settings, to: PhoneNumber, text: String, media: Vec<Url>) -> Result<Self, MessageError> {
        if text.is_empty() && media.is_empty() {
            return Err(MessageError::Empty);
        }
        if text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
            return Err(MessageError::NotText);
        }
        if !sms_encoding::fits(&text) {
            return Err(MessageError::TooLong);
        }
        if !media.is_empty() && !to.takes_media() {
            return Err(MessageError::MediaCountry);
        }
        if !settings.serves_somebody(to.country()) {
            return Err(MessageError::CountryNotServed);
        }
        Ok(Self { to, text, media })
    }

    /// The whole message in one text, for its keyed hash. Numbers and links contain no line ends, so no two messages have the same text.
    pub fn content(&self) -> String {
        let links: Vec<_> = self.media.iter().map(Url::as_str).collect();
        format!("{}\n{}\n{}", self.to.e164(), links.join(" "), self.text)
    }
}

/// Sends a message, at most once for its key: the key is claimed before the call to Plivo, and the outcome is recorded after it. A repeated
/// request gets the first answer.
///
/// # Errors
/// [`MessageError`].
pub async fn send(app: &App, key: &IdempotencyKey, message: &Message) -> Result<Accepted, MessageError> {
    let now = app.clock.now();
    let (keys, credentials) = tokio::try_join!(app.secrets.keys(now), app.secrets.plivo(now))?;
    app.store.users.check_root_key(&keys).await?;
    let (id, content) = (keys.message(key.as_str()), keys.message(&message.content()));
    let phone = PhoneKey(keys.phone(message.to.e164()).short());
    let (claimed, known) = tokio::join!(
        app.store.messages.claim(&id, &content, now),
        app.store.load_message_limits((phone, consent::key(&keys, message.to.e164())), now)
    );
    let claim = match claimed? {
        Claimed::Acquired(claim) => claim,
        Claimed::OtherMessage => return Err(MessageError::OtherMessage),
        Claimed::InFlight(left) => {
            // Rounded up: a second early is in flight again.
            let retry_after = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            return Err(MessageError::InFlight { retry_after });
        }
        Claimed::Settled(state) => return first_answer(state),
    };
    let reserved = match admit(app, message, phone, known, now).await {
        Ok(reserved) => reserved,
        Err(refused) => {
            release(&app.store.messages, &claim).await;
            return Err(refused);
        }
    };
    let callback = format!("messages/{}", SendId::new(&keys, phone).text());
    let wire = plivo::Message {
        to: message.to.e164(),
        text: &message.text,
        media: &message.media,
        keep_text: true,
        callback: &callback,
        expiry: None,
    };
    let outcome = app.plivo.send(&credentials, wire).await;
    app.metrics.count_send(kill_switch::MESSAGE, wire, reserved.price(), outcome.as_ref().err(), now);
    let was_not_sent = outcome.as_ref().is_err_and(|error| !error.may_have_arrived());
    let released = async {
        if was_not_sent {
            reserved.release().await;
        }
    };
    tokio::join!(record(&app.store.messages, &claim, &outcome, now), note(app, &outcome, now), released);
    Ok(outcome?)
}

/// Notes what Plivo took, so that its status can be asked for before the first report. A report notes it, too.
async fn note(app: &App, outcome: &Result<Accepted, PlivoError>, now: Timestamp) {
    let Some(uuid) = outcome.as_ref().ok().and_then(|accepted| accepted.message_uuid.first()) else { return };
    if let Err(error) = app.store.message_reports.note(uuid, now).await {
        tracing::warn!(cause = logging::chain(&error), "a message has no status before its first report");
    }
}

/// Lets a message go out to a phone that has not opted out.
async fn admit<'a>(
    app: &'a App,
    message: &Message,
    phone: PhoneKey,
    known: Result<MessageLimits, StoreError>,
    now: Timestamp,
) -> Result<Reserved<'a>, MessageError> {
    let known = known?;
    if consent::is_opted_out(&known.consents, now) {
        return Err(MessageError::OptedOut);
    }
    reserve(app, message, phone, known, now).await
}

/// Lets a message go out that no kill switch stops, and for which the budget and its phone's limit have room.
async fn reserve<'a>(
    app: &'a App,
    message: &Message,
    phone: PhoneKey,
    known: MessageLimits,
    now: Timestamp,
) -> Result<Reserved<'a>, MessageError> {
    let channel = if message.media.is_empty() { kill_switch::SMS } else { kill_switch::MMS };
    if known.status.kill_switches.stop(kill_switch::MESSAGE, message.to.country(), channel) {
        return Err(MessageError::SwitchedOff);
    }
    MessageReservation::of(app, message, phone, now).reserve(known).await
}

/// Fetches what every message needs, once for a batch: otherwise, during an outage, every message would retry the fetch.
///
/// # Errors
/// [`MessageError::Secret`].
pub async fn prepare(app: &App) -> Result<(), MessageError> {
    let now = app.clock.now();
    Ok(tokio::try_join!(app.secrets.keys(now), app.secrets.plivo(now)).map(drop)?)
}

/// The answer to the first request with a key.
fn first_answer(state: MessageState) -> Result<Accepted, MessageError> {
    match state {
        MessageState::Sent(answer) => {
            serde_json::from_str(&answer).map_err(|_| MessageError::Plivo(PlivoError::Unreadable))
        }
        MessageState::Rejected(why) => Err(MessageError::Plivo(PlivoError::Rejected(why))),
        MessageState::Unknown => Err(MessageError::Unknown),
    }
}

/// Records the outcome. If that fails, the message becomes unknown and is never sent again; the result of this request is right nevertheless.
async fn record(messages: &Messages, claim: &Claim, outcome: &Result<Accepted, PlivoError>, now: Timestamp) {
    let settle = async |state: MessageState| messages.settle(claim, &state, now).await;
    let recorded = match outcome {
        Ok(accepted) => settle(MessageState::Sent(serde_json::json!(accepted).to_string())).await,
        Err(PlivoError::Rejected(why) | PlivoError::Forbidden(why)) => {
            settle(MessageState::Rejected(why.clone())).await
        }
        Err(error) if error.may_have_arrived() => settle(MessageState::Unknown).await,
        // Certainly not sent, and a retry may succeed.
        Err(_) => return release(messages, claim).await,
    };
    if let Err(error) = recorded {
        tracing::error!(cause = logging::chain(&error), "what became of a message is not recorded");
    }
}

/// Frees the key of a message that was not sent. If that fails, the message becomes unknown.
async fn release(messages: &Messages, claim: &Claim) {
    if let Err(error) = messages.release(claim).await {
        tracing::error!(cause = logging::chain(&error), "the key of a message that was not sent is not free");
    }
}

/// The longest time that a message may take if each call is at its slowest: secrets, the root key's check value, the claim, what it takes, Plivo,
/// the outcome, the dead-letter queue. With less time left, a message is not begun.
pub const SLOWEST: std::time::Duration = crate::aws::TIMEOUT.saturating_mul(6).saturating_add(plivo::TIMEOUT);

/// Whether there is time for one more message before this moment.
pub fn has_time(now: Timestamp, deadline: Timestamp) -> bool {
    now.plus(SLOWEST) <= deadline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LEASE;

    #[test]
    fn a_lease_is_longer_than_what_its_owner_may_do_with_it() {
        assert!(LEASE > SLOWEST);
    }

    #[test]
    fn a_message_begins_only_with_time_for_one_at_its_slowest() {
        let start = Timestamp::from_millis(0);
        let end = start.plus(std::time::Duration::from_secs(30));
        assert!(has_time(start, end) && !has_time(end, end));
    }
}
