//! A simulated pumping attack: an attacker requests codes for numbers of a few prefixes and never enters them, while others register
//! normally. The generator is seeded, so the figures are the same each time; docs/security.md publishes them.

use local::Options;
use local::simulator::Fault;
use serde_json::json;
use shared::auth::password::Cost;

use crate::support::{TestApp, challenge_id};

/// A seeded random generator: SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// An event of the run.
enum Event {
    /// The attacker requests a code for a number of one of their prefixes.
    Attack(String),
    /// An honest user starts a registration.
    Start(String),
    /// The user enters the code.
    Finish(String),
}

/// The attacker's prefixes, of 10,000 numbers each.
const PREFIXES: u64 = 5;
/// The number of messages that the attacker requests in two hours.
const ATTACKS: usize = 600;
/// The number of honest users in that time, in two countries. 17 of 20 enter their code within two minutes.
const PEOPLE: usize = 200;

/// All events in order, each with its second.
fn schedule() -> Vec<(u64, Event)> {
    let mut dice = Dice(5);
    let mut events = Vec::new();
    for _ in 0..ATTACKS {
        let (prefix, line) = (dice.below(PREFIXES), dice.below(10_000));
        events.push((600 + dice.below(6600), Event::Attack(format!("+4474001{prefix}{line:04}"))));
    }
    for person in 0..PEOPLE {
        // Random prefixes, in the attacker's country and in another.
        let phone = match person % 2 {
            0 => format!("+4474{:02}{:06}", 2 + dice.below(60), dice.below(1_000_000)),
            _ => format!("+1212{}{:06}", 2 + dice.below(8), dice.below(1_000_000)),
        };
        let start = dice.below(7200);
        if dice.below(20) < 17 {
            events.push((start + 15 + dice.below(105), Event::Finish(phone.clone())));
        }
        events.push((start, Event::Start(phone)));
    }
    events.sort_by_key(|(second, _)| *second);
    events
}

#[derive(Debug, Default, PartialEq)]
struct Figures {
    attacks_sent: usize,
    people_refused: usize,
    people_without_message: usize,
}

async fn run(mode: &str) -> Figures {
    let settings = [("SMS_COUNTRIES", "US,GB"), ("PUMPING_MODE", mode), ("BUDGET", "1000/10000/100000")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let app = TestApp::options(Options { settings, password_cost: Cost::LEAST, ..Options::default() }).await;
    let (mut figures, mut now, mut challenges) = (Figures::default(), 0, std::collections::BTreeMap::new());
    for (second, event) in schedule() {
        app.advance(second - now);
        now = second;
        let sent = app.sent();
        match event {
            Event::Attack(phone) => {
                app.register_start(&phone).await;
                figures.attacks_sent += app.sent() - sent;
            }
            Event::Start(phone) => {
                let reply = app.register_start(&phone).await;
                figures.people_without_message += usize::from(app.sent() == sent);
                match reply.status.as_u16() {
                    200 => drop(challenges.insert(phone, challenge_id(&reply.body))),
                    _ => figures.people_refused += 1,
                }
            }
            Event::Finish(phone) => {
                let Some(id) = challenges.remove(&phone) else { continue };
                let mut body = TestApp::registration(&phone, "", &id, &app.last_code(&phone));
                body["email"] = json!(format!("p{}@example.com", phone.trim_start_matches('+')));
                app.post("/api/users/register", &body).await.ok();
            }
        }
    }
    figures
}

/// Of 600 requested messages, 100 are sent: 20 for each prefix. Nobody else loses one.
#[tokio::test]
async fn a_pumping_run_is_stopped_at_twenty_messages_a_prefix_and_nobody_else_loses_one() {
    let figures = run("refuse").await;
    assert_eq!(figures, Figures { attacks_sent: 100, people_refused: 0, people_without_message: 0 });
}

#[tokio::test]
async fn in_suppress_mode_nothing_goes_out_either_and_everybody_is_answered_as_if_it_did() {
    let figures = run("suppress").await;
    assert_eq!(figures, Figures { attacks_sent: 100, people_refused: 0, people_without_message: 0 });
    let app = TestApp::with(&[("PUMPING_MODE", "suppress"), ("PUMPING_PREFIX", "3/0/50")]).await;
    let mut answers = Vec::new();
    for line in 0..6 {
        let reply = app.register_start(&format!("+1415555010{line}")).await;
        challenge_id(&reply.clone().ok());
        answers.push((reply.status, reply.headers.len(), reply.body.to_string().len()));
    }
    assert_eq!(app.sent(), 3);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

/// A suppressed start waits for Plivo like any other, and gets an error when Plivo is down.
#[tokio::test]
async fn in_suppress_mode_plivo_s_failures_are_told_as_if_it_had_been_asked() {
    let app = TestApp::with(&[("PUMPING_MODE", "suppress"), ("PUMPING_PREFIX", "3/0/50")]).await;
    for line in 0..3 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    app.stack.simulator.set_fault(Fault::Status(503));
    let held_back = app.register_start("+14155550103").await;
    let sent = app.register_start("+14155560103").await;
    sent.refused(503, 14000, "sms_unavailable");
    assert_eq!(held_back.body, sent.body);
}

#[tokio::test]
async fn messages_that_surely_did_not_go_out_suspend_nobody() {
    let app = TestApp::with(&[("PUMPING_PREFIX", "3/0/50"), ("PUMPING_COUNTRY", "3/0/50")]).await;
    app.stack.simulator.set_fault(Fault::Status(400));
    for line in 0..5 {
        app.register_start(&format!("+1415555010{line}")).await.refused(503, 14000, "sms_rejected");
    }
    app.stack.simulator.set_fault(Fault::None);
    for line in 0..3 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    app.register_start("+14155550103").await.refused_in(503, "numbers_suspended");
}

#[tokio::test]
async fn in_monitor_mode_everything_goes_out_and_is_counted() {
    let app = TestApp::with(&[("PUMPING_MODE", "monitor"), ("PUMPING_PREFIX", "3/0/50")]).await;
    app.stack.metrics.keep();
    for line in 0..6 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    assert_eq!(app.sent(), 6);
    let suspected = app.stack.metrics.take().into_iter().filter(|line| line["Suspected"].is_number());
    assert_eq!(suspected.map(|line| line["Rule"].clone()).collect::<Vec<_>>(), vec![json!("prefix_pumping"); 3]);
}

/// A suspension of registrations does not keep users from logging in.
#[tokio::test]
async fn logins_are_counted_apart_from_registrations() {
    let app = TestApp::with(&[("PUMPING_PREFIX", "3/0/50")]).await;
    app.register("+14155550198", "jane@example.com").await;
    for line in 0..6 {
        app.register_start(&format!("+1415555010{line}")).await;
    }
    app.register_start("+14155550107").await.refused_in(503, "numbers_suspended");
    app.log_in("+14155550198").await;
}

/// If each prefix stays below its threshold, the country's threshold stops the attack.
#[tokio::test]
async fn an_attack_spread_over_many_prefixes_is_stopped_by_its_country() {
    let app =
        TestApp::with(&[("SMS_COUNTRIES", "US,GB"), ("PUMPING_MODE", "refuse"), ("BUDGET", "1000/10000/100000")]).await;
    for number in 0..120 {
        let reply = app.register_start(&format!("+4474{:02}{:02}0000", 10 + number % 60, number / 60)).await;
        assert_eq!(reply.status, if number < 100 { 200 } else { 503 }, "{number}: {}", reply.body);
    }
    assert_eq!(app.sent(), 100);
    app.register_start("+14155550101").await.ok();
}
