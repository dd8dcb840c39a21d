//! Whole flows over HTTP against the local stack, on a clock that the tests move. They are one binary, which links once.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod account;
mod attacks;
mod authorizer;
mod bad_input;
mod budgets;
mod captcha;
mod client_limits;
mod decisions;
mod devices;
mod docs;
mod events;
mod faults;
mod flows;
mod gateway;
mod imports;
mod jwt;
mod kill_switches;
mod limits;
mod local_aws;
mod local_pages;
mod message_budget;
mod messages;
mod openapi;
mod parameters;
mod permissions;
mod privacy;
mod pumping;
mod queues;
mod races;
mod reset;
mod rotation;
mod schema;
mod sessions;
mod silence;
mod sources;
mod stack;
mod status;
mod support;
mod template;
mod test_numbers;
mod texts;
mod transcripts;
