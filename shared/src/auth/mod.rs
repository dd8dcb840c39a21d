//! The rules of accounts: registration, both logins, codes, passwords, sessions, limits. Knows no HTTP status and no DynamoDB.
//!
//! A flow starts in [`start`] (a code goes out) and ends in [`register`] or [`finish_login`] (the code comes back).
//!
//! | module | for |
//! |---|---|
//! | `admission`, `client_limits`, `password_throttle`, [`limits`] | who may start how often |
//! | `challenge`, [`challenge_id`] | what a start changes about a phone, and the id that the client gets |
//! | [`otp`], `otp_message` | the code and its text |
//! | `circuit_breaker` | whether Plivo is down |
//! | [`response_padding`] | when answers leave |
//! | [`password`], `argon2id`, [`email`], [`properties`] | what a user is made of |
//! | [`session`] | what follows a login |

mod admission;
mod argon2id;
mod challenge;
pub mod challenge_id;
mod circuit_breaker;
mod client_limits;
pub mod email;
mod error;
pub mod finish_login;
pub mod limits;
pub mod otp;
mod otp_message;
pub mod password;
mod password_throttle;
pub mod properties;
pub mod register;
pub mod response_padding;
pub mod session;
pub mod start;

pub use error::AuthError;
