//! Attackers with any number of addresses.

use std::collections::BTreeMap;

use futures_util::stream::{StreamExt as _, iter};
use local::Options;
use serde_json::{Value, json};
use shared::auth::Requester;
use shared::auth::challenge_id::ChallengeId;
use shared::auth::finish_login::finish_login;
use shared::auth::otp::OneTimeCode;
use shared::auth::password::Cost;
use shared::channel::Channel;
use shared::client_network::ClientNetwork;
use shared::flow::Flow;
use shared::language::Language;
use shared::store::PhoneKey;

use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";
/// The number of addresses that guess.
const ADDRESSES: usize = 10_000;
const DAY: u64 = 24 * 60 * 60;

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number / 65_536, number / 256 % 256, number % 256)
}

/// 10,000 addresses guess for a day: only 25 codes are compared, however many arrive at once. The owner, who has a password, still gets in.
#[tokio::test]
async fn ten_thousand_addresses_guess_twenty_five_codes_a_day() {
    let app = TestApp::options(Options { password_cost: Cost::LEAST, ..Options::default() }).await;
    app.register(PHONE, "jane@example.com").await;
    app.advance(DAY);
    let service = &app.stack.app;
    let (mut asked, mut refused) = (0, BTreeMap::<&str, usize>::new());
    while asked < ADDRESSES {
        let start =
            app.post_from(&address(asked), &json!({}), "/api/services/Plivo/loginWithPhoneNumber", &json!(PHONE)).await;
        asked += 1;
        let Value::String(id) = &start.body["transactionId"] else {
            start.limited("too_many_wrong_codes");
            *refused.entry("start").or_default() += 1;
            continue;
        };
        let id = ChallengeId::parse(id).unwrap();
        let guess = OneTimeCode::parse(&wrong(&app.last_code(PHONE)), 6).unwrap();
        let guesses = iter(asked..(asked + 1_900).min(ADDRESSES)).map(|number| {
            let guess = &guess;
            async move {
                let network = ClientNetwork::from_source_ip(Some(&address(number)));
                let stranger = Requester {
                    network,
                    device_token: None,
                    captcha_token: None,
                    user_agent: String::new(),
                    language: Language::English,
                    channel: Channel::Sms,
                };
                finish_login(service, id, guess, &stranger).await.is_err()
            }
        });
        let answers: Vec<_> = guesses.buffer_unordered(64).collect().await;
        assert!(answers.iter().all(|refused| *refused));
        *refused.entry("guess").or_default() += answers.len();
        asked += answers.len();
        app.advance(1920);
    }
    let keys = service.secrets.keys(shared::clock::Timestamp::from_millis(0)).await.unwrap();
    let mut record = service.store.phones.get(PhoneKey(keys.phone(PHONE).short())).await.unwrap();
    let live = record.challenges.remove(&Flow::Login.into()).map_or(0, |challenge| challenge.attempts.len());
    assert_eq!(record.shared.without_password.wrong_codes.len() + live, 25, "{refused:?}");
    assert_eq!((refused["guess"], refused["start"]), (9_500, 495), "it is the day's limit that ends it");

    let id = challenge_id(&app.password_from("198.51.100.7", PHONE, PASSWORD).await.ok());
    app.enter_from("198.51.100.7", &id, &app.last_code(PHONE)).await.ok();
}

/// A sprayer with 1,000 addresses who knows 60 users: he opens their challenges first and enters five codes for each. Six-digit codes are
/// compared until the day's wrong codes are used up, and then only longer ones. The honest users beside him, one in three of whom mistypes,
/// all get in; who had a short code when it ended starts again.
#[tokio::test]
async fn a_sprayer_compares_no_more_short_codes_in_a_day_than_the_setting_and_honest_users_get_in() {
    const USERS: usize = 60;
    const MOST: usize = 50;
    let settings = vec![
        ("WRONG_CODES_PER_DAY".to_owned(), MOST.to_string()),
        ("STARTS_PER_ADDRESS".to_owned(), "20".to_owned()),
        ("BUDGET".to_owned(), "1000/1000/1000".to_owned()),
    ];
    let app = TestApp::options(Options { password_cost: Cost::LEAST, settings, ..Options::default() }).await;
    let phone = |user: usize| format!("+14155550{user:03}");
    for user in 0..2 * USERS {
        app.register(&phone(user), &format!("user{user}@example.com")).await;
    }
    app.advance(DAY);
    let start = async |address: &str, user: usize| {
        let reply =
            app.post_from(address, &json!({}), "/api/services/Plivo/loginWithPhoneNumber", &json!(phone(user))).await;
        reply.body["transactionId"].as_str().map(|id| (id.to_owned(), app.last_code(&phone(user))))
    };
    let (unlucky, early) = (USERS, start("198.51.100.250", USERS).await.unwrap());
    let (mut asked, mut short, mut logged_in) = (0, 0, 0);
    for round in 0..5 {
        let mut open = Vec::new();
        for user in 0..USERS {
            asked += 1;
            open.extend(start(&address(asked % 1000), user).await);
        }
        for (id, code) in open.iter().flat_map(|challenge| [challenge; 5]) {
            asked += 1;
            app.enter_from(&address(asked % 1000), id, &wrong(code)).await.refused(401, 14000, "code_rejected");
            short += usize::from(code.len() == 6);
        }
        if round == 0 {
            app.enter_from("198.51.100.250", &early.0, &early.1).await.refused(401, 14000, "code_rejected");
            app.advance(30);
        }
        for user in (unlucky + 12 * round)..(unlucky + 12 * (round + 1)) {
            let home = format!("198.51.100.{user}");
            let (id, code) = start(&home, user).await.unwrap();
            assert_eq!(code.len(), 8);
            if user % 3 == 0 {
                app.enter_from(&home, &id, &wrong(&code)).await.refused(401, 14000, "code_rejected");
            }
            logged_in += usize::from(app.enter_from(&home, &id, &code).await.status == 200);
        }
        app.advance(1920);
    }
    assert_eq!(logged_in, USERS);
    let items = app.dump().await;
    let counts =
        items.iter().filter(|(_, item)| item["id"]["S"].as_str().is_some_and(|id| id.starts_with("wrong_codes#")));
    let compared: usize = counts.map(|(_, item)| item["count"]["N"].as_str().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!((short, compared), (5 * USERS, MOST));
}
