//! The rules of accounts: registration, both logins, codes, passwords, sessions, limits. Knows no HTTP status and no DynamoDB.
//!
//! A flow starts in [`start`] (a code goes out) and ends in [`register`], [`finish_login`], [`account`] or [`reset_password`] (the code comes back).
//!
//! | module | for |
//! |---|---|
//! | `admission`, `client_limits`, `password_throttle`, [`limits`] | who may start how often |
//! | `test_number` | numbers with fixed codes |
//! | `captcha_check` | lets a person pass where a limit would refuse |
//! | `device`, `guessing` | the owner's own devices; the throttle on guessing over many phones |
//! | `challenge`, [`challenge_id`] | what a start changes about a phone, and the id that the client gets |
//! | `check_code` | whether an entered code is right |
//! | [`otp`], `otp_message`, `texts`, [`voice`], [`text_lint`] | the code and its text in each language, written and spoken |
//! | [`in_force`], [`status`] | what holds a phone up, for the operator; what became of a code, for the app |
//! | `circuit_breaker` | whether Plivo is down |
//! | [`response_padding`] | when answers leave |
//! | [`password`], `argon2id`, [`email`], [`properties`] | what a user is made of |
//! | [`session`], [`account`], [`own_password`], `notice`, [`jwt`] | what follows a login |

pub mod account;
mod admission;
mod argon2id;
mod captcha_check;
mod challenge;
pub mod challenge_id;
mod check_code;
mod circuit_breaker;
mod client_limits;
mod device;
pub mod email;
mod error;
pub mod finish_login;
mod guessing;
pub mod in_force;
pub mod jwt;
pub mod limits;
mod notice;
pub mod otp;
mod otp_message;
pub mod own_password;
pub mod password;
mod password_throttle;
pub mod properties;
pub mod register;
pub mod reset_password;
pub mod response_padding;
pub mod session;
pub mod start;
pub mod status;
mod test_number;
pub mod text_lint;
mod texts;
pub mod voice;

use secrecy::SecretString;

use crate::channel::Channel;
use crate::client_network::ClientNetwork;
use crate::language::Language;

pub use error::AuthError;

/// Who asks: what limits look at besides the phone, and the language of the texts.
#[derive(Debug, Clone)]
pub struct Requester {
    /// From where.
    pub network: ClientNetwork,
    /// The header `device-token`: `new`, or a token of this or another phone, or anything else.
    pub device_token: Option<SecretString>,
    /// The header `captcha-token`.
    pub captcha_token: Option<SecretString>,
    /// The header `user-agent`, shortened: what a user sees of the session in a list of them.
    pub user_agent: String,
    /// By the header `accept-language`.
    pub language: Language,
    /// How the code is to come.
    pub channel: Channel,
}

impl Requester {
    /// The language of this locale if there are texts in it, else the one that the request asks for.
    ///
    /// The locale is the request's own or that of a user who is signed in or whose code has come back. A login's or reset's start looks up no user's:
    /// the price of a text depends on its length, and so on its language, and must not tell who is a user.
    fn language_for(&self, locale: &str) -> Language {
        Language::of_tag(locale).unwrap_or(self.language)
    }

    /// The same, asking for the code to come this way.
    #[must_use]
    pub fn by(self, channel: Channel) -> Self {
        Self { channel, ..self }
    }

    /// The same, asking for the language of this locale.
    #[must_use]
    pub fn in_locale(self, locale: &str) -> Self {
        Self { language: self.language_for(locale), ..self }
    }
}
