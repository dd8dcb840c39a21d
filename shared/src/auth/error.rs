//! Why a flow ends early. `http::error` turns each into status, code and reason.

use super::limits::Limited;
use super::password::{HashError, PasswordError};
use super::properties::PropertyError;
use crate::aws::secrets::SecretError;
use crate::crypto::SealError;
use crate::hints::CodeRejection;
use crate::plivo::PlivoError;
use crate::spend::pumping::Rule;
use crate::store::StoreError;

/// A flow of `auth` was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The code is wrong, or its challenge is unknown, expired, redeemed or out of attempts. Neither the answer nor the log says which.
    #[error("code rejected")]
    CodeRejected(CodeRejection),
    /// There is no challenge of this id any more, or there never was.
    #[error("challenge not found")]
    ChallengeNotFound,
    /// There is no such user, or the password is wrong. The answer does not say which.
    #[error("login rejected")]
    LoginRejected,
    /// The phone or the identity is taken. Only a client that has proven the phone learns this.
    #[error("user exists")]
    UserExists,
    /// The user may not log in. Only a client that has proven the phone learns this.
    #[error("user disabled")]
    UserDisabled,
    /// The token is of no session that stands.
    #[error("session invalid")]
    SessionInvalid,
    /// The user was changed since the client has read it.
    #[error("changed since it was read")]
    UserChanged,
    /// A property that its user cannot change; its name.
    #[error("property {0} cannot be changed")]
    Fixed(String),
    /// What the client calls its own properties.
    #[error(transparent)]
    Properties(#[from] PropertyError),
    /// The new password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The login was too long ago for this.
    #[error("the session is not fresh")]
    SessionNotFresh,
    /// The user has no such session.
    #[error("no such session")]
    SessionNotFound,
    /// The session's user asks for another's data.
    #[error("not one's own")]
    NotOwn,
    /// No JWTs are issued: `JWT_ISSUER` is not set.
    #[error("no JWTs are issued")]
    NoJwt,
    /// A limit is reached.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// A limit or the rule against pumping refuses, unless the client shows by a captcha that a person asks.
    #[error("captcha required")]
    CaptchaRequired,
    /// A budget or the rule against pumping refuses the message.
    #[error("refused by {}", .rule.as_str())]
    SpendRefused {
        /// The rule that refuses it.
        rule: Rule,
        /// When a retry is worthwhile, in seconds.
        retry_after: u64,
    },
    /// The flow, the country or SMS are switched off.
    #[error("switched off")]
    SwitchedOff,
    /// The number's country is not sent to.
    #[error("country not served")]
    CountryNotServed,
    /// Plivo is known to be down; every client is told, for half a minute after the last failure.
    #[error("Plivo is down")]
    SmsDown {
        /// When a retry is worthwhile, in seconds.
        retry_after: u64,
    },
    /// This one message failed. Never reported by a flow in which a number without a user could not fail alike.
    #[error(transparent)]
    Sms(#[from] PlivoError),
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret is not available.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A JWT cannot be signed.
    #[error(transparent)]
    Jwt(#[from] jsonwebtoken::errors::Error),
    /// A code that was just sealed does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl AuthError {
    /// The limit or rule by which a start was refused; `None` where it is another's failure, or what was entered was wrong.
    pub(super) fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Limited(limited) => Some(limited.rule.limit.name()),
            Self::CaptchaRequired => Some("captcha_required"),
            Self::SpendRefused { rule, .. } => Some(rule.as_str()),
            Self::SwitchedOff => Some("switched_off"),
            Self::SmsDown { .. } => Some("sms_down"),
            _ => None,
        }
    }
}
