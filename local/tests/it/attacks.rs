//! Attackers with any number of addresses.

use std::collections::BTreeMap;

use futures_util::stream::{StreamExt as _, iter};
use local::Options;
use serde_json::{Value, json};
use shared::auth::challenge_id::ChallengeId;
use shared::auth::finish_login::finish_login;
use shared::auth::otp::OneTimeCode;
use shared::auth::password::Cost;
use shared::client_network::ClientNetwork;
use shared::flow::Flow;
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
                finish_login(service, id, guess, &ClientNetwork::from_source_ip(Some(&address(number)))).await.is_err()
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
    let live = record.challenges.remove(&Flow::Login).map_or(0, |challenge| challenge.attempts.len());
    assert_eq!(record.without_password.wrong_codes.len() + live, 25, "{refused:?}");
    assert_eq!((refused["guess"], refused["start"]), (9_500, 495), "it is the day's limit that ends it");

    let id = challenge_id(&app.password_from("198.51.100.7", PHONE, PASSWORD).await.ok());
    app.enter_from("198.51.100.7", &id, &app.last_code(PHONE)).await.ok();
}
