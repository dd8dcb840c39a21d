//! Sessions: validity, logout, the user's own profile.

use serde_json::json;

use crate::support::{PASSWORD, TestApp, challenge_id};

const PHONE: &str = "+14155550101";

#[tokio::test]
async fn what_is_no_session_is_refused() {
    let app = TestApp::start().await;
    let stale = "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100";
    for token in [Some(stale), Some("nonsense"), None] {
        app.get("/api/users/logout", token).await.refused(401, 3064, "session_invalid");
        app.get("/api/data/Users/CBFA6722-58AD-12BE-FF80-28999D7D0200", token).await.refused(
            401,
            3064,
            "session_invalid",
        );
    }
    for token in [stale, "nonsense", "a%00b", "a%20b"] {
        assert_eq!(app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok(), json!(false), "{token}");
    }
}

#[tokio::test]
async fn a_session_is_valid_until_logout() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let path = format!("/api/users/isvalidusertoken/{token}");
    assert_eq!(app.get(&path, Some(&token)).await.ok(), json!(true));
    let own = app.get(&format!("/api/data/Users/{}", user["objectId"].as_str().unwrap()), Some(&token)).await.ok();
    assert_eq!(
        (&own["email"], &own["phoneNumber"], own.get("user-token"), own.get("password")),
        (&json!("jane@example.com"), &json!(PHONE), None, None)
    );
    app.get("/api/users/logout", Some(&token)).await.ok();
    assert_eq!(app.get(&path, None).await.ok(), json!(false));
    app.get("/api/users/logout", Some(&token)).await.refused(401, 3064, "session_invalid");
}

#[tokio::test]
async fn nobody_reads_another_user() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let other = app.register("+14155550102", "joe@example.com").await;
    let token = app.log_in(PHONE).await;
    let long = "x".repeat(3000);
    for id in [other["objectId"].as_str().unwrap(), "CBFA6722-58AD-12BE-FF80-28999D7D0200", "x", &long] {
        app.get(&format!("/api/data/Users/{id}"), Some(&token)).await.refused(403, 14008, "not_own");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_or_old() {
    let app = TestApp::with(&[("SESSION_IDLE_SECONDS", "1000"), ("SESSION_LIFE_SECONDS", "2500")]).await;
    app.register(PHONE, "jane@example.com").await;
    let valid = async |token: &str| app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok();
    let token = app.log_in(PHONE).await;
    app.advance(900);
    assert_eq!(valid(&token).await, json!(true), "not idle for long");
    app.advance(900);
    assert_eq!(valid(&token).await, json!(true), "each call begins the idle time anew");
    app.advance(700);
    assert_eq!(valid(&token).await, json!(false), "old");
    let token = app.log_in(PHONE).await;
    app.advance(1000);
    assert_eq!(valid(&token).await, json!(false), "idle");
}

#[tokio::test]
async fn a_stale_token_is_ignored_where_none_is_needed() {
    let app = TestApp::start().await;
    let stale = "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100";
    app.get("/api/info", Some(stale)).await.ok();
    app.register(PHONE, "jane@example.com").await;
    let post = async |path: &str, body: String| {
        app.send(app.request(reqwest::Method::POST, path).header("user-token", stale).body(body)).await
    };
    let id = challenge_id(&post("/api/services/Plivo/loginWithPhoneNumber", PHONE.to_owned()).await.ok());
    let body = json!({"transactionId": id, "code": app.last_code(PHONE)});
    post("/api/services/Plivo/loginWithCode", body.to_string()).await.ok();
    app.advance(30);
    let body = json!({"phoneNumber": PHONE, "password": PASSWORD});
    post("/api/services/Plivo/loginWithPhoneNumberAndPassword", body.to_string()).await.ok();
    post("/api/users/register", json!({"phoneNumber": "+14155550102"}).to_string()).await.ok();
}

#[tokio::test]
async fn each_login_has_its_own_session() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let (first, second) = (app.log_in(PHONE).await, app.log_in(PHONE).await);
    assert_ne!(first, second);
    app.get("/api/users/logout", Some(&first)).await.ok();
    assert_eq!(app.get(&format!("/api/users/isvalidusertoken/{second}"), None).await.ok(), json!(true));
}
