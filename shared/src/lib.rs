//! What the functions have in common. `docs/architecture.md` walks through a login and explains the items in DynamoDB.
//!
//! Calls go one way; `local/tests/it/imports.rs` holds the table:
//!
//! | module | for | calls |
//! |---|---|---|
//! | [`lambda`], [`app`] | start a function's binary; what a function is made of | all below |
//! | [`http`] | routes, bodies, answers; the only one that knows status codes | `auth`, `messaging` |
//! | [`auth`] | registration, logins, challenges, codes, passwords, sessions, limits | `spend`, `messaging`, `store`, `plivo` |
//! | [`messaging`] | sends each message at most once | `store`, `plivo` |
//! | [`spend`] | budgets, pumping, kill switches: pure decisions | – |
//! | [`store`] | the tables; the only one that knows DynamoDB | `aws` |
//! | [`plivo`] | the SMS provider; the only one that knows it | `http_client` |
//! | [`aws`] | the clients of AWS's SDK; secrets and dead letters | `http_client` |
//! | [`config`], [`crypto`], [`flow`] | settings, keys and random values, the three flows | – |
//! | [`http_client`], [`client_network`] | connections to others; where a request came from | – |
//! | [`clock`], [`background`], [`logging`], [`metrics`] | time; work after the answer; logs; metrics | – |

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
