//! Diagnostics that responses must not contain: why no code was sent, why one was rejected. Only the local stack subscribes; in Lambda this is
//! a no-op.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::flow::Flow;
use crate::spend::pumping::Rule;

/// What is called for each hint.
pub type Listener = Arc<dyn Fn(&Hint<'_>) + Send + Sync>;

/// Whoever listens; by default nobody.
#[derive(Clone, Default, derive_more::Debug)]
#[debug("Hints")]
pub struct Hints(Option<Listener>);

impl Hints {
    /// Hints that go to a listener.
    pub const fn to(listener: Listener) -> Self {
        Self(Some(listener))
    }

    /// Tells a hint, which is put together only if somebody listens.
    pub(crate) fn tell<'a>(&self, hint: impl FnOnce() -> Hint<'a>) {
        if let Some(listener) = &self.0 {
            listener(&hint());
        }
    }
}

/// What has happened behind a response.
#[derive(Debug)]
pub enum Hint<'a> {
    /// A start was answered as if a code went out.
    Started {
        /// When.
        at: Timestamp,
        /// The flow.
        flow: Flow,
        /// The phone; nobody's for an e-mail address that is unknown.
        phone: Option<&'a str>,
        /// The challenge's id.
        challenge: &'a str,
        /// When the code expires.
        expires: Timestamp,
        /// Whether the same code was sent before.
        is_repeated: bool,
        /// What became of the message.
        message: MessageOutcome<'a>,
    },
    /// A code came back right and was redeemed.
    CodeRedeemed {
        /// When.
        at: Timestamp,
        /// The challenge's id.
        challenge: String,
    },
    /// A code was rejected.
    CodeRejected {
        /// When.
        at: Timestamp,
        /// The challenge's id.
        challenge: String,
        /// Why.
        cause: CodeRejection,
    },
    /// A start with a password was rejected.
    PasswordRejected {
        /// When.
        at: Timestamp,
        /// The phone.
        phone: &'a str,
        /// Why.
        cause: PasswordRejection,
    },
}

/// What became of a start's message.
#[derive(Debug)]
pub enum MessageOutcome<'a> {
    /// Plivo took it; its id.
    Sent(Option<&'a str>),
    /// Plivo failed and the client is not told; the error.
    Failed(String),
    /// Plivo's response was lost, so the message may have arrived; the error.
    Unknown(String),
    /// Deliberately not sent.
    NotSent(NotSentReason),
}

/// Why a start sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSentReason {
    /// No user has the phone.
    NoUser,
    /// No user has the e-mail address, or SMS do not go to the phone's country.
    UnknownAddress,
    /// It is a test number, whose code is fixed.
    TestNumber,
    /// The phone's user may not log in.
    UserDisabled,
    /// The phone has no user and got all its messages for the day.
    UnconfirmedLimit,
    /// A spend rule suppresses the message.
    Suppressed(Rule),
    /// Lost a race with another request or an operator.
    Race,
}

impl NotSentReason {
    /// The name in a phone's events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoUser => "no_user",
            Self::UnknownAddress => "unknown_address",
            Self::TestNumber => "test_number",
            Self::UserDisabled => "user_disabled",
            Self::UnconfirmedLimit => "unconfirmed_messages_per_day",
            Self::Suppressed(rule) => rule.as_str(),
            Self::Race => "race",
        }
    }
}

/// Why a code was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeRejection {
    /// The code is wrong.
    Wrong {
        /// The number of this attempt.
        attempt: usize,
        /// How many there may be.
        max: usize,
    },
    /// There is no such challenge.
    Unknown,
    /// The challenge is of this flow, which ends elsewhere. A made-up id can look like one.
    OtherFlow(Flow),
    /// The challenge is another phone's. A made-up id can look like one.
    OtherPhone,
    /// The challenge is another user's.
    OtherUser,
    /// A later start has taken the challenge's place.
    Replaced,
    /// It came too late.
    Expired,
    /// It was redeemed before.
    Used,
    /// Too many wrong codes were entered before it.
    NoAttemptsLeft,
    /// It has fewer digits than codes have during an attack.
    TooShort,
    /// It cannot be decrypted.
    Unreadable,
    /// No user has this phone.
    NoUser,
}

impl CodeRejection {
    /// The name in a phone's events, where its code was sent but is not good any more.
    pub const fn too_late(self) -> Option<&'static str> {
        match self {
            Self::Replaced => Some("code_replaced"),
            Self::Expired => Some("code_expired"),
            Self::Used => Some("code_used"),
            Self::NoAttemptsLeft => Some("no_attempts_left"),
            _ => None,
        }
    }
}

/// Why a start with a password was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordRejection {
    /// No user has the phone.
    NoUser,
    /// The phone's user may not log in.
    UserDisabled,
    /// The user has no password.
    NoPassword,
    /// The password is wrong.
    Wrong,
}
