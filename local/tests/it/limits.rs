//! The limits of a phone, as a client meets them.

use local::{Data, Options};

use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";

#[tokio::test]
async fn one_message_in_thirty_seconds_over_the_flows_without_a_password() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    app.login_start(PHONE).await.ok();
    assert_eq!(app.login_start("415 555 0101").await.limited("too_many_messages"), 30);
    assert_eq!(app.register_start(PHONE).await.limited("too_many_messages"), 30);
    app.password_start(PHONE, PASSWORD).await.ok();
    assert_eq!(app.password_start(PHONE, PASSWORD).await.limited("too_many_messages"), 30);
    assert_eq!(app.sent(), 3);
    app.advance(30);
    app.login_start(PHONE).await.ok();
    assert_eq!(app.sent(), 4);
}

#[tokio::test]
async fn the_wait_doubles_until_the_owner_enters_a_code() {
    let app = TestApp::with(&[("CODE_LIFE_SECONDS", "600")]).await;
    app.register(PHONE, "jane@example.com").await;
    app.advance(86_400);
    let mut id = String::new();
    for wait in [30, 60, 120, 240] {
        id = challenge_id(&app.login_start(PHONE).await.ok());
        assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), wait);
        app.advance(wait);
    }
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    app.advance(1);
    app.login_start(PHONE).await.ok();
    assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), 30);
}

#[tokio::test]
async fn five_messages_a_day_to_a_phone_that_nobody_confirmed_and_ten_to_another() {
    let app = TestApp::start().await;
    app.register("+14155550102", "joe@example.com").await;
    app.advance(86_400);
    for (phone, most) in [(PHONE, 5), ("+14155550102", 10)] {
        let before = app.sent();
        for start in 0..10 {
            app.register_start(phone).await.ok();
            assert_eq!(app.sent() - before, usize::min(start + 1, most), "the answer is the same");
            app.advance(2000);
        }
        assert_eq!(app.register_start(phone).await.limited("too_many_messages"), 86_400 - 20_000);
        app.advance(86_400 - 20_000);
        app.register_start(phone).await.ok();
        assert_eq!(app.sent() - before, most + 1);
        app.advance(86_400);
    }
}

#[tokio::test]
async fn a_phone_without_a_user_has_the_same_limits() {
    let app = TestApp::start().await;
    for wait in [30, 60, 120, 240, 480, 960, 1920, 1920, 1920] {
        app.login_start(PHONE).await.ok();
        assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), wait);
        app.advance(wait);
    }
    app.login_start(PHONE).await.ok();
    assert_eq!(app.login_start(PHONE).await.limited("too_many_messages"), 86_400 - 7650);
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn an_owner_with_a_password_gets_in_when_a_stranger_has_used_up_the_phones_starts() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    app.advance(86_400);
    for _ in 0..10 {
        app.login_start(PHONE).await.ok();
        app.advance(2000);
    }
    app.login_start(PHONE).await.limited("too_many_messages");
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    app.enter(&id, &app.last_code(PHONE)).await.ok();
}

#[tokio::test]
async fn twenty_five_wrong_codes_in_a_day_and_the_owner_with_a_password_still_gets_in() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    // A day after the registration's own message, so that five logins fit in one day.
    app.advance(86_400);
    for network in 0..5 {
        let id = challenge_id(&app.login_start(PHONE).await.ok());
        let code = app.last_code(PHONE);
        app.advance(200);
        for _ in 0..6 {
            app.enter_from(&format!("203.0.113.{network}"), &id, &wrong(&code)).await.refused(
                401,
                14000,
                "code_rejected",
            );
        }
        app.advance(16_800);
    }
    app.advance(86_400 - 5 * 17_000);
    // The first of five messages has left the window, but its wrong codes came 200 seconds later.
    let before = app.sent();
    assert_eq!(app.login_start(PHONE).await.limited("too_many_wrong_codes"), 200);
    assert_eq!(app.register_start(PHONE).await.limited("too_many_wrong_codes"), 200);
    assert_eq!(app.sent(), before, "no message whose code could not be entered");
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    app.advance(17_000);
    app.login_start(PHONE).await.ok();
}

#[tokio::test]
async fn limits_hold_over_several_stacks_on_one_store() {
    let store = TestApp::start().await;
    let data = || Data::At(store.stack.config.dynamodb_endpoint.clone());
    let (one, two) = (
        TestApp::options(Options { data: data(), ..Options::default() }).await,
        TestApp::options(Options { data: data(), ..Options::default() }).await,
    );
    let start = |app: &TestApp| {
        app.request(reqwest::Method::POST, "/api/users/register")
            .body(format!("{{\"phoneNumber\":\"{PHONE}\"}}"))
            .send()
    };
    let started = tokio::join!(start(&one), start(&two), start(&one), start(&two), start(&one), start(&two));
    let statuses: Vec<_> = <[_; 6]>::from(started).map(|answer| answer.unwrap().status().as_u16()).to_vec();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(one.sent() + two.sent(), 1);
}

#[tokio::test]
async fn attempts_are_counted_over_several_stacks_on_one_store() {
    let one = TestApp::start().await;
    let data = Data::At(one.stack.config.dynamodb_endpoint.clone());
    let two = TestApp::options(Options { data, ..Options::default() }).await;
    one.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&one.login_start(PHONE).await.ok());
    let code = one.last_code(PHONE);
    for app in [&one, &two, &one, &two, &one] {
        app.enter(&id, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    }
    two.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    one.enter(&id, &code).await.refused(401, 14000, "code_rejected");
}
