//! What a one-time code is for. A code of one flow is unknown to the others.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// A flow that sends a code to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Flow {
    /// Registration.
    Register,
    /// Login with a code alone.
    Login,
    /// Login with a password and a code.
    SecondFactor,
    /// A user's new phone.
    ChangePhone,
    /// A new password in place of a forgotten one.
    ResetPassword,
}

impl Flow {
    /// All flows, each at the place of its discriminant, by which challenge ids tell them.
    pub const ALL: [Self; 5] =
        [Self::Register, Self::Login, Self::SecondFactor, Self::ChangePhone, Self::ResetPassword];

    /// The name in logs, metrics, kill switches and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether its messages go only to confirmed phones: those of users. What differs by this differs by flow, never by phone, since no
    /// answer may tell who is a user.
    pub const fn is_for_confirmed_phones(self) -> bool {
        !matches!(self, Self::Register | Self::ChangePhone)
    }

    /// Whether its code logs in.
    pub const fn is_login(self) -> bool {
        matches!(self, Self::Login | Self::SecondFactor)
    }
}
