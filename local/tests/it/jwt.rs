//! JWTs for the app's back end. (`local/tests/sdk` verifies them by PyJWT and jose, from the public keys alone.)

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock as _;

use crate::support::{PASSWORD, Reply, TestApp, challenge_id};

const PHONE: &str = "+14155550101";
const TOKEN: &str = "/api/users/token";
const PUBLIC: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/jwks.json"];

async fn ask(app: &TestApp, token: &str) -> Reply {
    app.send(app.request(Method::POST, TOKEN).header("user-token", token)).await
}

/// The header and the claims of a JWT.
pub(crate) fn read(jwt: &Value) -> [Value; 2] {
    let parts: Vec<_> = jwt.as_str().unwrap().split('.').collect();
    [parts[0], parts[1]].map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
}

#[tokio::test]
async fn who_has_no_session_gets_no_jwt() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let [token, ended] = [app.log_in(PHONE).await, app.log_in(PHONE).await];
    app.get("/api/users/logout", Some(&ended)).await.ok();
    app.send(app.request(Method::POST, TOKEN)).await.refused(401, 3064, "session_invalid");
    for token in ["", "nonsense", "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100", &ended] {
        ask(&app, token).await.refused(401, 3064, "session_invalid");
    }
    // A JWT is no session's token.
    let jwt = ask(&app, &token).await.ok();
    ask(&app, jwt["token"].as_str().unwrap()).await.refused(401, 3064, "session_invalid");
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    app.send(app.request(Method::DELETE, &path).header("user-token", &token)).await.ok();
    ask(&app, &token).await.refused(401, 3064, "session_invalid");
}

#[tokio::test]
async fn without_an_issuer_there_is_nothing() {
    let app = TestApp::with(&[("JWT_ISSUER", ""), ("JWT_SECRET", "none")]).await;
    app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    ask(&app, &token).await.refused(404, 14002, "not_found");
    for path in PUBLIC {
        app.get(path, None).await.refused(404, 14002, "not_found");
    }
}

#[tokio::test]
async fn without_a_good_key_it_is_said_that_there_is_none_yet() {
    for key in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        let app = TestApp::start().await;
        app.stack.secrets.put("jwt", key);
        app.register(PHONE, "jane@example.com").await;
        let token = app.log_in(PHONE).await;
        ask(&app, &token).await.refused(503, 14000, "unavailable");
        app.get(PUBLIC[1], None).await.refused(503, 14000, "unavailable");
        app.stack.secrets.put("jwt", local::JWT_KEY);
        ask(&app, &token).await.ok();
    }
}

#[tokio::test]
async fn a_jwt_says_who_how_and_until_when_and_never_the_phone() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let id = user["objectId"].as_str().unwrap();
    app.stack.app.store.users.change_role(id, "editor", true).await.unwrap();
    let by_code = app.log_in(PHONE).await;
    app.advance(60);
    let challenge = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    let by_both = app.enter(&challenge, &app.last_code(PHONE)).await.ok();
    app.advance(100);
    for (token, amr) in
        [(by_code.as_str(), json!(["sms"])), (by_both["user-token"].as_str().unwrap(), json!(["pwd", "sms", "mfa"]))]
    {
        let sessions = app.get("/api/users/sessions", Some(token)).await.ok();
        let session = sessions.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
        let body = ask(&app, token).await.ok();
        assert_eq!(body["expiresIn"], 300);
        let [header, claims] = read(&body["token"]);
        let iat = claims["iat"].as_i64().unwrap();
        assert!(iat <= app.stack.clock.now().as_millis() / 1000, "not from the future");
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
        let expected = json!({
            "iss": app.stack.config.url, "aud": local::APP_ID, "sub": id, "sid": session["id"], "iat": iat,
            "exp": iat + 300, "auth_time": session["created"].as_i64().unwrap() / 1000, "amr": amr,
            "scope": "AuthenticatedUser RestUser editor",
        });
        assert_eq!(claims, expected);
        assert!(claims["auth_time"].as_i64().unwrap() <= iat - 100);
    }
}

/// The keys may be kept by caches, and nothing else may.
#[tokio::test]
async fn the_public_keys_are_where_the_issuer_says() {
    let app = TestApp::start().await;
    let issuer = &app.stack.config.url;
    let configuration = app.get(PUBLIC[0], None).await;
    assert_eq!(configuration.headers["cache-control"], "public, max-age=3600");
    let configuration = configuration.ok();
    assert_eq!(configuration["issuer"], *issuer);
    assert_eq!(configuration["jwks_uri"], format!("{issuer}{}", PUBLIC[1]));
    let keys = app.get(PUBLIC[1], None).await;
    assert_eq!(keys.headers["cache-control"], "public, max-age=3600");
    let keys = keys.ok();
    let names: Vec<_> = keys["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["use", "alg", "kid", "kty", "n", "e"], "no private part");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    app.register(PHONE, "jane@example.com").await;
    let jwt = ask(&app, &app.log_in(PHONE).await).await;
    assert_eq!(jwt.headers["cache-control"], "no-store");
    assert_eq!(read(&jwt.ok()["token"])[0]["kid"], keys["keys"][0]["kid"]);
}

/// As docs/rotation.md says. At each step, whoever has fetched the keys within the last hour finds the one of each token.
#[tokio::test]
async fn the_signing_key_is_changed_while_back_ends_keep_public_keys() {
    const HOUR: u64 = 60 * 60;
    const NEXT: &str = include_str!("next-jwt-key.pem");
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let published = async || {
        let keys = app.get(PUBLIC[1], None).await.ok();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let signing = async || read(&ask(&app, &token).await.ok()["token"])[0]["kid"].clone();
    let old = published().await[0].clone();
    app.stack.secrets.put("jwt", &format!("{}{NEXT}", local::JWT_KEY));
    app.advance(300 + HOUR);
    let both = published().await;
    assert_eq!((signing().await, &both[0], both.len()), (old.clone(), &old, 2));
    app.stack.secrets.put("jwt", &format!("{NEXT}{}", local::JWT_KEY));
    app.advance(600);
    assert_eq!(published().await, [both[1].clone(), old]);
    assert_eq!(signing().await, both[1]);
    app.stack.secrets.put("jwt", NEXT);
    app.advance(300);
    assert_eq!((signing().await, published().await), (both[1].clone(), vec![both[1].clone()]));
}
