//! Rotation of secrets as docs/rotation.md describes it. No request is refused meanwhile.

use reqwest::StatusCode;
use serde_json::json;
use shared::aws::secrets::MAX_AGE;

use crate::support::{PASSWORD, TestApp, challenge_id};

const PHONE: &str = "+14155550101";
const NEXT_ROOT: &str = "next-root-key-9876543210fedcba9876543210";
const NEXT_MESSAGE_KEY: &str = "next-message-key-9876543210";

/// The time after which every function has fetched a new secret.
fn wait(app: &TestApp) {
    app.advance(MAX_AGE.as_secs());
}

async fn send_with(app: &TestApp, key: &str) -> StatusCode {
    let request = app.request(reqwest::Method::POST, "/api/services/Plivo/sendMessage").bearer_auth(key);
    app.send(request.body(json!({"phoneNumber": PHONE, "message": "Hello"}).to_string())).await.status
}

#[tokio::test]
async fn the_message_key_is_changed_while_both_are_taken() {
    let app = TestApp::start().await;
    assert_eq!([send_with(&app, local::MESSAGE_KEY).await, send_with(&app, NEXT_MESSAGE_KEY).await], [200, 401]);
    let both = format!("{} {NEXT_MESSAGE_KEY}", local::MESSAGE_KEY);
    app.stack.secrets.put("message", &both);
    wait(&app);
    assert_eq!([send_with(&app, local::MESSAGE_KEY).await, send_with(&app, NEXT_MESSAGE_KEY).await], [200, 200]);
    assert_eq!(send_with(&app, &both).await, 401, "one of them, not both");
    app.stack.secrets.put("message", NEXT_MESSAGE_KEY);
    wait(&app);
    assert_eq!([send_with(&app, local::MESSAGE_KEY).await, send_with(&app, NEXT_MESSAGE_KEY).await], [401, 200]);
}

#[tokio::test]
async fn the_key_of_challenges_is_changed_while_some_are_open() {
    let app = TestApp::with(&[("CODE_LIFE_SECONDS", "600")]).await;
    app.register(PHONE, "jane@example.com").await;
    let root = local::ROOT_KEY;
    let secrets = [
        json!({"users": root, "current": root, "other": NEXT_ROOT}),
        json!({"users": root, "current": NEXT_ROOT, "other": root}),
        json!({"users": root, "current": NEXT_ROOT}),
    ];
    let mut phone = 0..;
    for secret in secrets {
        let new = format!("+1415555012{}", phone.next().unwrap());
        let login = challenge_id(&app.login_start(PHONE).await.ok());
        let register = challenge_id(&app.register_start(&new).await.ok());
        app.stack.secrets.put("root", &secret.to_string());
        wait(&app);
        app.enter(&login, &app.last_code(PHONE)).await.ok();
        let body = TestApp::registration(&new, &format!("{new}@example.com"), &register, &app.last_code(&new));
        app.post("/api/users/register", &body).await.ok();
        app.advance(24 * 60 * 60);
    }
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    app.enter(&id, &app.last_code(PHONE)).await.ok();
}

#[tokio::test]
async fn plivo_s_new_token_is_in_use_after_the_stated_time() {
    let app = TestApp::start().await;
    assert_eq!(send_with(&app, local::MESSAGE_KEY).await, 200);
    app.stack.secrets.put("plivo", &json!({"authId": local::PLIVO_AUTH_ID, "authToken": "another"}).to_string());
    app.advance(MAX_AGE.as_secs() - 1);
    assert_eq!(send_with(&app, local::MESSAGE_KEY).await, 200, "the kept one");
    app.advance(1);
    assert_eq!(send_with(&app, local::MESSAGE_KEY).await, 503, "the new one, which this Plivo does not know");
}

/// Found by a review: with another root key, the same phone and e-mail address registered a second user.
#[tokio::test]
async fn another_root_key_makes_no_second_user_and_says_so() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let open = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let rows = app.dump().await.len();
    for secret in [NEXT_ROOT.to_owned(), json!({"users": NEXT_ROOT, "current": local::ROOT_KEY}).to_string()] {
        app.stack.secrets.put("root", &secret);
        wait(&app);
        let sent = app.sent();
        app.register_start(PHONE).await.refused_in(503, "unavailable");
        app.login_start(PHONE).await.refused_in(503, "unavailable");
        app.password_start(PHONE, PASSWORD).await.refused_in(503, "unavailable");
        app.enter(&open, &code).await.refused_in(503, "unavailable");
        assert_eq!(send_with(&app, local::MESSAGE_KEY).await, 503);
        assert_eq!((app.dump().await.len(), app.sent()), (rows, sent));
    }
    assert!(crate::support::log().contains("the root key is not the one that the users were made with"));
    app.stack.secrets.put("root", local::ROOT_KEY);
    wait(&app);
    app.log_in(PHONE).await;
}
