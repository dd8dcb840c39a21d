//! Sessions: validity, logout, the user's own profile.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id};

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

/// The caller's sessions: device, and whether it is the caller's own.
async fn listed(app: &TestApp, token: &str) -> Vec<(String, bool)> {
    let sessions = app.get("/api/users/sessions", Some(token)).await.ok();
    let one = |session: &Value| (session["device"].as_str().unwrap().to_owned(), session["current"].as_bool().unwrap());
    sessions.as_array().unwrap().iter().map(one).collect()
}

async fn is_valid(app: &TestApp, token: &str) -> bool {
    app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok() == json!(true)
}

async fn delete(app: &TestApp, path: &str, token: Option<&str>) -> Reply {
    let request = app.request(Method::DELETE, path);
    app.send(match token {
        Some(token) => request.header("user-token", token),
        None => request,
    })
    .await
}

/// Logs in with a program of this name.
async fn log_in_with(app: &TestApp, program: &str) -> String {
    let challenge = challenge_id(&app.login_start(PHONE).await.ok());
    let body = json!({"transactionId": challenge, "code": app.last_code(PHONE)});
    let request = app.request(Method::POST, "/api/services/Plivo/loginWithCode").header("user-agent", program);
    let user = app.send(request.body(body.to_string())).await.ok();
    app.advance(30);
    user["user-token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_session_nothing_is_listed_or_ended() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let own = app.log_in(PHONE).await;
    for token in [Some("B83FA46D-A19A-A8CE-FF2B-976B7A1D8100"), Some("x"), None] {
        for path in ["/api/users/me", "/api/users/sessions"] {
            app.get(path, token).await.refused(401, 3064, "session_invalid");
        }
        for path in ["/api/users/sessions", "/api/users/sessions/x"] {
            delete(&app, path, token).await.refused(401, 3064, "session_invalid");
        }
    }
    assert!(is_valid(&app, &own).await);
}

#[tokio::test]
async fn a_user_sees_and_ends_its_own_sessions_and_nobody_else_s() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    app.register("+14155550102", "joe@example.com").await;
    let (phone, laptop, other) =
        (log_in_with(&app, "phone").await, log_in_with(&app, "laptop").await, app.log_in("+14155550102").await);
    assert_eq!(listed(&app, &laptop).await, [("phone".to_owned(), false), ("laptop".to_owned(), true)]);
    let sessions = app.get("/api/users/sessions", Some(&laptop)).await.ok();
    let id = sessions[0]["id"].as_str().unwrap();
    assert_eq!(sessions[0]["created"], sessions[0]["lastSeen"]);
    assert!(!sessions.to_string().contains(&phone), "no token");
    delete(&app, &format!("/api/users/sessions/{id}"), Some(&other)).await.refused(404, 14000, "session_not_found");
    delete(&app, "/api/users/sessions/unknown", Some(&laptop)).await.refused(404, 14000, "session_not_found");
    assert!(is_valid(&app, &phone).await);
    delete(&app, &format!("/api/users/sessions/{id}"), Some(&laptop)).await.ok();
    assert!(!is_valid(&app, &phone).await && is_valid(&app, &laptop).await);
    delete(&app, &format!("/api/users/sessions/{id}"), Some(&laptop)).await.refused(404, 14000, "session_not_found");
    assert_eq!(listed(&app, &laptop).await, [("laptop".to_owned(), true)]);
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_listed() {
    let app = TestApp::with(&[("SESSION_IDLE_SECONDS", "1000")]).await;
    app.register(PHONE, "jane@example.com").await;
    let first = log_in_with(&app, "first").await;
    log_in_with(&app, "idle").await;
    app.get("/api/users/logout", Some(&log_in_with(&app, "logged out").await)).await.ok();
    app.advance(900);
    assert!(is_valid(&app, &first).await);
    app.advance(100);
    assert_eq!(listed(&app, &first).await, [("first".to_owned(), true)]);
}

#[tokio::test]
async fn all_others_end_at_once_and_so_do_the_tokens_of_devices() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let challenge = challenge_id(&app.login_start(PHONE).await.ok());
    let user = app.enter_with(&challenge, &app.last_code(PHONE), "new").await.ok();
    let (thief, device) = (user["user-token"].as_str().unwrap(), user["device-token"].as_str().unwrap());
    app.advance(30);
    let owner = log_in_with(&app, "owner").await;
    delete(&app, "/api/users/sessions", Some(&owner)).await.ok();
    assert!(!is_valid(&app, thief).await && is_valid(&app, &owner).await);
    assert_eq!(listed(&app, &owner).await, [("owner".to_owned(), true)]);
    // Its starts are a stranger's now: the second has to wait.
    let start = async || {
        let request =
            app.request(Method::POST, "/api/services/Plivo/loginWithPhoneNumber").header("device-token", device);
        app.send(request.body(PHONE)).await
    };
    app.login_start(PHONE).await.ok();
    start().await.limited("too_many_messages");
    delete(&app, "/api/users/sessions", Some(&owner)).await.ok();
    assert!(is_valid(&app, &owner).await);
}

#[tokio::test]
async fn the_twenty_first_session_ends_the_oldest() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let tokens = app.fill_sessions(user["objectId"].as_str().unwrap()).await;
    let valid = async |token: &String| is_valid(&app, token).await;
    assert!(valid(&tokens[0]).await);
    let newest = app.log_in(PHONE).await;
    assert!(!valid(&tokens[0]).await && valid(&tokens[1]).await);
    assert_eq!(listed(&app, &newest).await.len(), 20);
}

#[tokio::test]
async fn me_is_the_user_of_the_token() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let me = app.get("/api/users/me", Some(&token)).await.ok();
    assert_eq!((&me["objectId"], &me["email"], me.get("sessions")), (&user["objectId"], &user["email"], None));
}

#[tokio::test]
async fn a_registration_begins_a_session_where_the_setting_says_so() {
    for (setting, has_session) in [("false", false), ("true", true)] {
        let app = TestApp::with(&[("SESSION_AFTER_REGISTRATION", setting)]).await;
        let user = app.register(PHONE, "jane@example.com").await;
        let token = user["user-token"].as_str();
        assert_eq!(token.is_some(), has_session);
        if let Some(token) = token {
            assert!(is_valid(&app, token).await);
            assert_eq!(app.get("/api/users/me", Some(token)).await.ok()["lastLogin"], user["lastLogin"]);
            assert_eq!(listed(&app, token).await.len(), 1);
        }
    }
}

/// Whoever has just proven the phone may log in at once.
#[tokio::test]
async fn a_right_code_ends_the_wait_for_the_next() {
    let app = TestApp::start().await;
    let challenge = challenge_id(&app.register_start(PHONE).await.ok());
    let body = TestApp::registration(PHONE, "jane@example.com", &challenge, &app.last_code(PHONE));
    app.login_start(PHONE).await.limited("too_many_messages");
    app.advance(1);
    app.post("/api/users/register", &body).await.ok();
    app.advance(1);
    app.login_start(PHONE).await.ok();
    app.login_start(PHONE).await.limited("too_many_messages");
}

/// The SDK's `Users.login`, which asks for no code.
#[tokio::test]
async fn a_login_without_a_code_is_refused_whoever_asks() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    for body in [
        json!({"login": "jane@example.com", "password": PASSWORD}),
        json!({"login": "x", "password": "x"}),
        json!(null),
    ] {
        app.post("/api/users/login", &body).await.refused(400, 3034, "login_disabled");
    }
}
