//! What the functions have in common.
//!
//! Arrows go one way: functions → [`http`] → [`auth`], [`messaging`] → [`store`], [`queue`], [`plivo`] → the rest.
//!
//! | module | for |
//! |---|---|
//! | [`function`] | starts and runs a function binary |
//! | [`routes`] | the table of routes |
//! | [`http`] | the edge: bodies in, answers out; the only one that knows status codes |
//! | [`auth`] | rules: registration, logins, codes, passwords, sessions, limits |
//! | [`messaging`] | rules: what may be sent, and the texts |
//! | [`store`] | DynamoDB; the only one that knows it |
//! | [`sending`] | rules: money, pumping, switches; pure decisions |
//! | [`queue`] | SQS; the only one that knows it |
//! | [`plivo`] | the provider; the only one that knows it |
//! | [`service`] | a function's parts, built from its settings |
//! | [`settings`], [`secrets`], [`keys`] | what the operator sets, what is secret, what is derived from it |
//! | [`phone`] | phone numbers; the only one that knows how countries number |
//! | [`gsm`], [`names`] | how long a text is on the air, names of properties |
//! | [`aws`], [`net`] | the protocol of AWS's services; the one HTTP client |
//! | [`network`], [`steps`], [`later`] | where a request comes from; when its answer leaves; what is done after it |
//! | [`logging`], [`metrics`], [`clock`], [`random`], [`uuid`] | logs, metrics, time, chance, the shape of ids |

pub mod app;
pub mod auth;
pub mod aws;
pub mod background;
pub mod client_network;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod flow;
pub mod http;
pub mod http_client;
pub mod lambda;
pub mod logging;
pub mod messaging;
pub mod metrics;
pub mod plivo;
pub mod spend;
pub mod store;
