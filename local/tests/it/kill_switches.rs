//! Kill switches: each stops its flow, channel or country within a minute, without a deployment, and every change is recorded.

use serde_json::json;
use shared::clock::Timestamp;
use shared::spend::kill_switch::KillSwitch;
use shared::store::KillSwitchChange;

use crate::support::{PASSWORD, TestApp, log};

const PHONE: &str = "+14155550101";

pub(crate) async fn switch(app: &TestApp, name: &str, off: bool) {
    let change = KillSwitchChange {
        at: Timestamp::from_millis(0),
        by: "a test".to_owned(),
        name: name.to_owned(),
        off,
        why: "to see".to_owned(),
    };
    app.stack.app.store.controls.switch(&KillSwitch::parse(name).unwrap(), change).await.unwrap();
}

#[tokio::test]
async fn each_switch_stops_its_own_within_a_minute_and_starts_it_again() {
    let app = TestApp::with(&[("SMS_COUNTRIES", "US,GB")]).await;
    app.register(PHONE, "jane@example.com").await;
    app.advance(86_400);
    let message = json!({"phoneNumber": PHONE, "message": "Hello"});
    let media = json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": "https://example.com/x.png"});
    for (name, stopped) in [
        ("register", [true, false, false, false, false]),
        ("login", [false, true, false, false, false]),
        ("second_factor", [false, false, true, false, false]),
        ("message", [false, false, false, true, true]),
        ("mms", [false, false, false, false, true]),
        ("sms", [true, true, true, true, false]),
        ("US", [true, true, true, true, true]),
        ("GB", [false, false, false, false, false]),
    ] {
        switch(&app, name, true).await;
        for off in [true, false] {
            app.advance(3600);
            let sent = app.sent();
            let answers = [
                app.register_start(PHONE).await,
                {
                    app.advance(1920);
                    app.login_start(PHONE).await
                },
                app.password_start(PHONE, PASSWORD).await,
                app.message(&message).await,
                app.message(&media).await,
            ];
            for (flow, (answer, stopped)) in answers.iter().zip(stopped).enumerate() {
                if stopped && off {
                    answer.refused(503, 14000, "switched_off");
                } else {
                    assert_eq!(answer.status, 200, "{name}, flow {flow}: {}", answer.body);
                }
            }
            let expected = stopped.iter().filter(|stopped| !**stopped || !off).count();
            assert_eq!(app.sent() - sent, expected, "{name}");
            app.advance(86_400);
            switch(&app, name, false).await;
        }
    }
    assert!(log().contains("sys_kill_switches_changed"));
}

#[tokio::test]
async fn a_switch_works_after_fifteen_seconds_in_a_function_that_has_read_it() {
    let app = TestApp::start().await;
    app.register_start(PHONE).await.ok();
    switch(&app, "register", true).await;
    app.advance(14);
    app.register_start("+14155550102").await.ok();
    app.advance(1);
    app.register_start("+14155550103").await.refused(503, 14000, "switched_off");
}

#[tokio::test]
async fn a_switch_stops_users_and_others_alike() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    switch(&app, "login", true).await;
    app.advance(60);
    let (known, unknown) = (app.login_start(PHONE).await, app.login_start("+14155550102").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
}

#[tokio::test]
async fn a_message_that_was_stopped_can_be_sent_later_under_its_key() {
    let app = TestApp::start().await;
    switch(&app, "message", true).await;
    let send = async || {
        let request = app.request(reqwest::Method::POST, "/api/services/Plivo/sendMessage");
        let request = request.bearer_auth(local::MESSAGE_KEY).header("idempotency-key", "one");
        app.send(request.body(json!({"phoneNumber": PHONE, "message": "Hello"}).to_string())).await
    };
    send().await.refused(503, 14000, "switched_off");
    switch(&app, "message", false).await;
    app.advance(60);
    send().await.ok();
}

#[tokio::test]
async fn what_was_changed_and_by_whom_is_kept() {
    let app = TestApp::start().await;
    for number in 0..105 {
        switch(&app, "DE", number % 2 == 0).await;
    }
    let record = app.stack.app.store.controls.kill_switches().await.unwrap();
    assert_eq!((record.changes.len(), record.off.len()), (100, 1));
    let last = record.changes.last().unwrap();
    assert_eq!((last.by.as_str(), last.off, last.why.as_str()), ("a test", true, "to see"));
}
