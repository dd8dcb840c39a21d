//! Device tokens: the owner gets in on a device, whatever strangers do.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id, remember, wrong};

const PHONE: &str = "+14155550101";
/// The owner's address, which is everybody's: a carrier's.
const CARRIER: &str = "198.51.100.7";
const LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumber";
const PASSWORD_LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumberAndPassword";

async fn app() -> TestApp {
    TestApp::with(&[("STARTS_PER_ADDRESS", "20"), ("PUMPING_MODE", "monitor")]).await
}

/// Logs in with the header, and returns the token of the device.
async fn new_device(app: &TestApp) -> String {
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let user = app.enter_with(&id, &app.last_code(PHONE), "new").await.ok();
    app.advance(30);
    let token = user["device-token"].as_str().expect("a device token").to_owned();
    remember(&token);
    token
}

async fn start(app: &TestApp, path: &str, token: &str, body: &Value) -> Reply {
    app.post_from(CARRIER, &json!({ "device-token": token }), path, body).await
}

async fn log_in(app: &TestApp, token: &str) -> Reply {
    start(app, LOGIN, token, &json!(PHONE)).await
}

async fn try_password(app: &TestApp, token: &str, password: &str) -> Reply {
    start(app, PASSWORD_LOGIN, token, &json!({ "phoneNumber": PHONE, "password": password })).await
}

/// All that a stranger can use up: starts, attempts, wrong codes, passwords, and the address.
async fn strangers(app: &TestApp) {
    for number in 0..30 {
        let address = format!("203.0.113.{number}");
        if let Value::String(id) =
            &app.post_from(&address, &json!({}), LOGIN, &json!(PHONE)).await.body["transactionId"]
        {
            for _ in 0..5 {
                app.enter_from(&address, id, "000000").await;
            }
        }
        app.password_from(&address, PHONE, "wrong password").await;
        app.advance(1920);
    }
    for line in 200..221 {
        app.register_from(CARRIER, &format!("+14155550{line}")).await;
    }
}

#[tokio::test]
async fn a_token_is_given_to_who_asks_for_it_and_only_with_a_right_code() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    assert_eq!(app.enter_with(&id, &wrong(&code), "new").await.body["device-token"], Value::Null);
    assert_eq!(app.enter_with(&id, &code, "").await.ok()["device-token"], Value::Null);
    app.advance(30);
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    assert_eq!(app.enter(&id, &app.last_code(PHONE)).await.ok()["device-token"], Value::Null);
    app.advance(60);
    let token = new_device(&app).await;
    assert!(token.len() < 200 && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}

#[tokio::test]
async fn a_day_of_a_stranger_s_requests_does_not_shut_out_an_owner_on_a_device() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let token = new_device(&app).await;
    strangers(&app).await;
    log_in(&app, "").await.limited("too_many_wrong_codes");
    try_password(&app, "", PASSWORD).await.limited("too_many_starts");
    app.password_from("203.0.113.200", PHONE, PASSWORD).await.limited("too_many_passwords");

    let id = challenge_id(&log_in(&app, &token).await.ok());
    app.enter_from(CARRIER, &id, &app.last_code(PHONE)).await.ok();
    app.advance(30);
    let id = challenge_id(&try_password(&app, &token, PASSWORD).await.ok());
    app.enter_from(CARRIER, &id, &app.last_code(PHONE)).await.ok();
}

#[tokio::test]
async fn strangers_cannot_end_the_challenge_of_a_device() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let token = new_device(&app).await;
    let id = challenge_id(&log_in(&app, &token).await.ok());
    let code = app.last_code(PHONE);
    let other = challenge_id(&app.login_start(PHONE).await.ok());
    assert_ne!(id, other);
    for _ in 0..6 {
        app.enter(&other, "000000").await.refused(401, 14000, "code_rejected");
    }
    app.enter_from(CARRIER, &id, &code).await.ok();
}

/// Whoever steals a token gets what a stranger gets, once more: no code is skipped, and every limit holds.
#[tokio::test]
async fn a_token_opens_nothing_and_has_the_same_limits() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let token = new_device(&app).await;
    let id = challenge_id(&log_in(&app, &token).await.ok());
    log_in(&app, &token).await.limited("too_many_messages");
    let wrong = wrong(&app.last_code(PHONE));
    for _ in 0..5 {
        app.enter_from(CARRIER, &id, &wrong).await.refused(401, 14000, "code_rejected");
    }
    app.enter_from(CARRIER, &id, &app.last_code(PHONE)).await.refused(401, 14000, "code_rejected");
    for _ in 0..5 {
        try_password(&app, &token, "wrong password").await.refused(401, 3003, "login_rejected");
    }
    assert_eq!(try_password(&app, &token, PASSWORD).await.limited("too_many_passwords"), 30);
    let mut starts = 1;
    app.advance(30);
    for _ in 0..20 {
        starts += usize::from(log_in(&app, &token).await.status == 200);
        app.advance(1920);
    }
    assert_eq!(starts, 10);
}

#[tokio::test]
async fn a_token_of_another_phone_and_a_made_up_one_are_as_good_as_none() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let token = new_device(&app).await;
    let other = "+14155550102";
    app.register(other, "joe@example.com").await;
    let made_up = "A".repeat(token.len());
    for token in [token.as_str(), &made_up, "new"] {
        start(&app, LOGIN, token, &json!(other)).await.ok();
        start(&app, LOGIN, "", &json!(other)).await.limited("too_many_messages");
        app.advance(1920);
    }
}

#[tokio::test]
async fn five_devices_are_known_and_a_sixth_replaces_the_oldest() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(new_device(&app).await);
        app.advance(20_000);
    }
    app.login_start(PHONE).await.ok();
    log_in(&app, &tokens[0]).await.limited("too_many_messages");
    for token in &tokens[1..] {
        log_in(&app, token).await.ok();
    }
    app.advance(179 * 86_400);
    app.login_start(PHONE).await.ok();
    log_in(&app, &tokens[1]).await.limited("too_many_messages");
    log_in(&app, &tokens[5]).await.ok();
}

/// Found by a review: after four days of a stranger's passwords the owner had to wait for ever, with a wait that was not true.
#[tokio::test]
async fn after_weeks_of_wrong_passwords_the_wait_that_is_told_is_true_and_a_right_code_ends_it() {
    let app = app().await;
    app.register(PHONE, "jane@example.com").await;
    let mut wait = 0;
    for number in 0..300 {
        let reply =
            app.password_from(&format!("203.0.{}.{}", number / 250, number % 250), PHONE, "wrong password").await;
        if reply.status == 429 {
            wait = reply.limited("too_many_passwords");
            app.advance(wait.min(3600));
        }
    }
    assert!(wait > 20 * 86_400, "{wait}");
    let wait = app.password_from("198.51.100.1", PHONE, PASSWORD).await.limited("too_many_passwords");
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.advance(30);
    app.enter(&id, &code).await.ok();
    app.password_from("198.51.100.1", PHONE, PASSWORD).await.ok();
    assert!(wait < 30 * 86_400);
}
