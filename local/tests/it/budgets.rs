//! Budgets: they are exact to one message even under concurrency, and end where the documents say.

use futures_util::stream::{StreamExt as _, iter};
use phone_number::{Country, PhoneNumber};
use serde_json::json;
use shared::auth::{Requester, start};
use shared::channel::Channel;
use shared::client_network::ClientNetwork;
use shared::language::Language;
use shared::spend::budget::SHARDS_READ;

use crate::support::{PASSWORD, TestApp};

/// Messages cost 1 cent, and the hour's budget ends first.
async fn app(hour: &str) -> TestApp {
    TestApp::with(&[
        ("SMS_PRICES", "*=0.01"),
        ("BUDGET", &format!("{hour}/100/1000")),
        ("PUMPING_MODE", "monitor"),
        ("SMS_COUNTRIES", "US,GB"),
    ])
    .await
}

fn phone(line: usize) -> String {
    format!("+1212{:07}", 2_000_000 + line * 10_007)
}

/// Starts this many registrations at once, and returns how many succeeded.
async fn register_at_once(app: &TestApp, phones: std::ops::Range<usize>) -> usize {
    let (app, us) = (&app.stack.app, Country::parse("US").unwrap());
    let starts = iter(phones).map(|line| async move {
        let number = PhoneNumber::parse(&phone(line), us).unwrap();
        let network = ClientNetwork::from_source_ip(Some("192.0.2.1"));
        start::registration(
            app,
            &number,
            &Requester {
                network,
                device_token: None,
                captcha_token: None,
                user_agent: String::new(),
                language: Language::English,
                channel: Channel::Sms,
            },
        )
        .await
        .is_ok()
    });
    let answers: Vec<bool> = starts.buffer_unordered(32).collect().await;
    answers.into_iter().filter(|started| *started).count()
}

/// Nothing is overspent. The earliest refusal comes fewer messages before the budget's end than there are shards.
#[tokio::test]
async fn a_budget_ends_within_four_messages_and_is_never_overspent_by_a_hundred_at_once() {
    for (hour, messages) in [("0.5", 40), ("0.37", 29)] {
        let app = app(hour).await;
        let started = register_at_once(&app, 0..100).await;
        assert_eq!(started, app.sent(), "{hour}");
        assert!(started <= messages, "{hour}: {started} of {messages}");
        assert!(started + SHARDS_READ > messages, "{hour}: {started} of {messages}");
        let refused = app.register_start("+12125550100").await;
        refused.refused_in(503, "budget_spent");
        assert_eq!(app.sent(), started);
    }
}

#[tokio::test]
async fn at_its_end_a_budget_refuses_registrations_first_and_logins_last() {
    let app = app("0.40").await;
    for line in 0..8 {
        app.register(&phone(line), &format!("person{line}@example.com")).await;
    }
    app.advance(3600);
    assert_eq!(register_at_once(&app, 100..200).await, 32, "80 percent of forty");
    app.register_start("+12125550100").await.refused_in(503, "budget_spent");
    app.register_start(&phone(0)).await.refused_in(503, "budget_spent");
    for line in 0..8 {
        app.login_start(&phone(line)).await.ok();
    }
    assert_eq!(app.sent(), 8 + 40);
    app.advance(60);
    let known = app.login_start(&phone(0)).await;
    known.refused_in(503, "budget_spent");
    app.login_start("+12125550101").await.refused_in(503, "budget_spent");
    app.password_start(&phone(0), PASSWORD).await.refused_in(503, "budget_spent");
    app.password_start(&phone(0), "wrong password").await.refused(401, 3003, "login_rejected");
    let wait = known.body["errorData"]["retryAfter"].as_u64().unwrap();
    app.advance(wait);
    app.login_start(&phone(0)).await.ok();
}

/// Refusals at the limits do not reveal who is a user. Decoys take nothing from the budget.
#[tokio::test]
async fn a_phone_without_a_user_costs_nothing_and_is_told_the_same() {
    let app = app("0.05").await;
    for line in 0..20 {
        app.login_start(&phone(line)).await.ok();
    }
    assert_eq!(app.sent(), 0);
    assert_eq!(register_at_once(&app, 100..110).await, 4, "all of the money is there");
}

#[tokio::test]
async fn a_country_s_own_budget_ends_for_that_country_only() {
    let app = TestApp::with(&[
        ("SMS_PRICES", "US=0.01,*=0.1"),
        ("BUDGET", "10/100/1000"),
        ("COUNTRY_BUDGETS", "GB=0.5/5/5"),
        ("SMS_COUNTRIES", "US,GB"),
    ])
    .await;
    for line in 0..4 {
        app.register_start(&format!("+44740012345{line}")).await.ok();
    }
    app.register_start("+447400123459").await.refused_in(503, "budget_spent");
    app.register_start("+12125550100").await.ok();
}

#[tokio::test]
async fn each_window_ends_a_budget_until_it_is_over() {
    for (budget, window) in [("0.05/100/1000", 3600), ("100/0.05/1000", 86_400)] {
        let app = TestApp::with(&[("SMS_PRICES", "*=0.01"), ("BUDGET", budget)]).await;
        assert_eq!(register_at_once(&app, 0..10).await, 4);
        let refused = app.register_start("+12125550100").await;
        refused.refused_in(503, "budget_spent");
        let wait = refused.body["errorData"]["retryAfter"].as_u64().unwrap();
        assert!(wait <= window, "{budget}: {wait}");
        app.advance(wait - 1);
        app.register_start("+12125550101").await.refused_in(503, "budget_spent");
        app.advance(1);
        app.register_start("+12125550101").await.ok();
    }
}

/// The price of a message that was certainly not sent is released.
#[tokio::test]
async fn what_plivo_does_not_take_costs_nothing() {
    let app = app("0.05").await;
    app.stack.simulator.set_fault(local::simulator::Fault::Status(400));
    for line in 0..10 {
        assert_eq!(app.register_start(&phone(line)).await.status, 503);
    }
    app.stack.simulator.set_fault(local::simulator::Fault::None);
    assert_eq!(register_at_once(&app, 100..110).await, 4);
}

/// The alarms watch this metric.
#[tokio::test]
async fn the_fullest_budget_is_counted_with_each_start() {
    let app = app("0.40").await;
    app.stack.metrics.keep();
    let mut seen = Vec::new();
    for line in 0..33 {
        app.register_start(&phone(line)).await;
    }
    for line in app.stack.metrics.take() {
        if let Some(percent) = line["BudgetPercent"].as_u64() {
            seen.push(percent);
        }
    }
    assert!(seen.is_sorted() && seen.contains(&50) && seen.last() == Some(&80), "{seen:?}");
}

#[tokio::test]
async fn confirmed_countries_are_for_logins_only() {
    let app = TestApp::with(&[("SMS_COUNTRIES", "US,GB")]).await;
    let british = "+447400123456";
    app.register(british, "jane@example.com").await;
    let data = local::Data::At(app.stack.config.dynamodb_endpoint.clone());
    let settings = [("SMS_COUNTRIES", "US"), ("CONFIRMED_COUNTRIES", "GB")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let second = TestApp::options(local::Options { data, settings, ..local::Options::default() }).await;
    second.advance(60);
    second.register_start("+447400123457").await.refused(400, 14000, "country_not_served");
    second.register_start(british).await.refused(400, 14000, "country_not_served");
    second.login_start(british).await.ok();
    second.login_start("+447400123457").await.ok();
    assert_eq!(second.sent(), 1, "nobody has confirmed the other");
    second.login_start("+4915123456789").await.refused(400, 14000, "country_not_served");
    second.message(&json!({"phoneNumber": british, "message": "Hello"})).await.ok();
}
