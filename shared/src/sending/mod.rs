//! Whether a code message may be sent, and what that costs: pure decisions on numbers that the store keeps. Nothing here asks anybody,
//! so that a decision can be made again from its record. Uses `clock`, `phone` for country codes.
//!
//! | module | for |
//! |---|---|
//! | [`money`] | amounts, and the prices of a message by country |
//! | [`budget`] | how much may be spent an hour, a day and a month |
//! | [`tally`] | what was spent, sent and verified so far |
//! | [`decision`] | what is decided from these |
//! | [`switches`] | what is switched off |
//! | [`worst_case`] | what an attacker can cost at most |

pub mod budget;
pub mod decision;
pub mod money;
pub mod switches;
pub mod tally;
pub mod worst_case;

use serde::{Deserialize, Serialize};

use budget::Budgets;
use decision::Pumping;
use money::Prices;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// A code to register.
    Register,
    /// A code to log in.
    Login,
    /// A code to log in after a password.
    SecondFactor,
    /// The app's own message.
    Message,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Register, Self::Login, Self::SecondFactor, Self::Message];

    /// The word in metrics, logs and switches.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::SecondFactor => "second_factor",
            Self::Message => "message",
        }
    }

    /// Whether its messages go only to phones that somebody has confirmed here. Everything that differs by this differs by flow, not by
    /// phone: no answer may tell who is a user.
    pub const fn is_to_confirmed(self) -> bool {
        !matches!(self, Self::Register)
    }

    /// Under which scope its messages and codes are counted for a prefix. Registrations and logins are counted apart: a stranger can start any
    /// number of the first, and their suspension must not keep owners out.
    pub const fn scope(self) -> &'static str {
        if self.is_to_confirmed() { "login" } else { "register" }
    }

    /// The same for a country.
    pub fn scope_in(self, country: &str) -> String {
        format!("{country}-{}", self.scope())
    }
}

/// The rules by which a send is decided: all of them are settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What a message costs.
    pub prices: Prices,
    /// What may be spent.
    pub budgets: Budgets,
    /// Into so many slices the budgets are divided, 1 to `budget::MOST_SLICES`.
    pub slices: usize,
    /// What looks like pumping, and what follows.
    pub pumping: Pumping,
}
