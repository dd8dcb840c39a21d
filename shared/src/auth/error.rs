//! Why a flow ends early. `http::error` turns each into status, code and reason.

use super::limits::Limited;
use super::password::HashError;
use crate::aws::secrets::SecretError;
use crate::crypto::SealError;
use crate::plivo::PlivoError;
use crate::spend::pumping::Rule;
use crate::store::StoreError;

/// A flow of `auth` was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The code is wrong, or its transaction is unknown, expired, used or out of attempts: which of these is not told.
    #[error("code rejected")]
    CodeRejected,
    /// No such user or another password: which of these is not told.
    #[error("login rejected")]
    LoginRejected,
    /// The phone or the identity is taken. Said only to who has proven the phone.
    #[error("user exists")]
    UserExists,
    /// The user may not log in. Said only to who has proven the phone.
    #[error("user disabled")]
    UserDisabled,
    /// The token is of no session that stands.
    #[error("session invalid")]
    SessionInvalid,
    /// The session's user asks for another's data.
    #[error("not one's own")]
    NotOwn,
    /// A limit is reached.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// A budget or the rule against pumping refuses the message.
    #[error("refused by {}", .rule.as_str())]
    SpendRefused {
        /// Which.
        rule: Rule,
        /// When it is worth asking again, in seconds.
        retry_after: u64,
    },
    /// The flow, the country or SMS are switched off.
    #[error("switched off")]
    SwitchedOff,
    /// The number's country is not sent to.
    #[error("country not served")]
    CountryNotServed,
    /// Plivo is known to be down, and so is every caller told, for so many seconds.
    #[error("Plivo is down")]
    SmsDown {
        /// When it is worth asking again, in seconds.
        retry_after: u64,
    },
    /// This one message failed. Never said where a number without a user would not see it.
    #[error(transparent)]
    Sms(#[from] PlivoError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A pending code that was just sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}
