//! The rules of accounts: registration, both logins, codes, passwords, sessions, limits. Knows no HTTP status and no DynamoDB.
//! Uses `store`, `plivo`, `secrets`, `keys`, `names`, `phone`, `clock`, `sending`, `later`.
//!
//! A flow starts in [`start`] (a code goes out) and ends in [`register`] or [`login`] (the code comes back); what is pending in
//! between is decided in [`pending`], who asks in `callers`, money in `money`.

mod argon2id;
mod callers;
pub mod code;
mod delivery;
pub mod email;
mod error;
pub mod limits;
pub mod login;
mod money;
pub mod password;
pub mod pending;
pub mod properties;
mod provider;
pub mod register;
pub mod session;
pub mod start;
mod template;
pub mod transaction;

pub use error::AuthError;

use crate::sending::Flow;
use crate::store::Slot;

/// What a code is for. A code of one purpose is unknown to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To register.
    Register,
    /// To log in without a password.
    Login,
    /// To log in after a password.
    SecondFactor,
}

impl Purpose {
    /// Where its pending transaction is kept.
    pub const fn slot(self) -> Slot {
        match self {
            Self::Register => Slot::Register,
            Self::Login => Slot::Login,
            Self::SecondFactor => Slot::SecondFactor,
        }
    }

    /// Under which its messages are counted.
    pub const fn flow(self) -> Flow {
        match self {
            Self::Register => Flow::Register,
            Self::Login => Flow::Login,
            Self::SecondFactor => Flow::SecondFactor,
        }
    }
}
