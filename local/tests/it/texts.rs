//! The languages of codes and notices: by locale and by header, the same for phones without a user, and what each segment costs.

use local::simulator::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id, remember};

const PHONE: &str = "+14155550101";
const OTHER: &str = "+14155550102";
const REGISTER: &str = "/api/users/register";
const LOGIN: &str = "/api/services/Plivo/loginWithPhoneNumber";

async fn post(app: &TestApp, path: &str, accepted: &str, body: &Value) -> Reply {
    app.send(app.request(Method::POST, path).header("accept-language", accepted).body(body.to_string())).await
}

async fn reset(app: &TestApp, accepted: &str, identity: &str) -> Reply {
    let path = format!("/api/users/restorepassword/{}", identity.replace('+', "%2B").replace('@', "%40"));
    app.send(app.request(Method::GET, &path).header("accept-language", accepted)).await
}

/// Registers a user of this locale and moves the clock past the wait for the next message. Returns the id.
async fn register(app: &TestApp, locale: &str) -> String {
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let mut body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
    body["blUserLocale"] = json!(locale);
    let user = app.post(REGISTER, &body).await.ok();
    remember(PASSWORD);
    app.advance(30);
    user["objectId"].as_str().unwrap().to_owned()
}

/// Changes the user, with a header in Polish.
async fn change(app: &TestApp, token: &str, user: &str, body: &Value) -> Value {
    let request = app.request(Method::PUT, &format!("/api/users/{user}")).header("accept-language", "pl");
    app.send(request.header("user-token", token).body(body.to_string())).await.ok()
}

#[track_caller]
fn assert_newest(app: &TestApp, phone: &str, part: &str) {
    let text = app.texts(phone).into_iter().next().unwrap();
    assert!(text.contains(part), "{part} in: {text}");
}

#[tokio::test]
async fn a_registration_s_code_is_in_the_locale_of_its_body_or_the_header_s_language() {
    for (locale, accepted, part) in [
        (json!("fr"), "de", "est votre code Otpost pour vous inscrire."),
        (json!("JA"), "de", "はOtpostの登録コードです"),
        (json!("nl"), "nl, de;q=0.8, en;q=0.5", "ist Ihr Code von Otpost zur Registrierung."),
        (Value::Null, "es-MX,es;q=0.9", "es tu clave de Otpost para registrarte."),
        (Value::Null, "ar", "رمز Otpost للتسجيل"),
        (Value::Null, "nl", "is your Otpost code to sign up."),
    ] {
        let app = TestApp::start().await;
        let id = challenge_id(
            &post(&app, REGISTER, accepted, &json!({ "phoneNumber": PHONE, "blUserLocale": locale })).await.ok(),
        );
        assert_newest(&app, PHONE, part);
        let body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
        assert_eq!(app.post(REGISTER, &body).await.ok()["blUserLocale"], "en", "{part}");
    }
}

#[tokio::test]
async fn the_codes_of_logins_and_resets_are_in_the_header_s_language_whatever_the_user_s() {
    let app = TestApp::start().await;
    register(&app, "uk").await;
    post(&app, LOGIN, "hi", &json!(PHONE)).await.ok();
    assert_newest(&app, PHONE, "Otpost कोड: लॉगिन,");
    app.advance(60);
    app.login_start(PHONE).await.ok();
    assert_newest(&app, PHONE, "to log in");
    app.advance(60);
    let credentials = json!({ "phoneNumber": PHONE, "password": PASSWORD });
    let path = "/api/services/Plivo/loginWithPhoneNumberAndPassword";
    let id = challenge_id(&post(&app, path, "it", &credentials).await.ok());
    assert_newest(&app, PHONE, "per confermare l'accesso");
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    for (identity, accepted, part) in [(PHONE, "pt-BR", "uma nova senha"), ("jane@example.com", "zh-CN", "重置密码")]
    {
        app.advance(60);
        reset(&app, accepted, identity).await.ok();
        assert_newest(&app, PHONE, part);
    }
}

#[tokio::test]
async fn a_new_phone_s_code_and_the_notices_are_in_the_user_s_locale() {
    for (locale, code, phone_notice, password_notice) in [
        ("de", "für die neue Nummer", "Ihre Telefonnummer wurde geändert", "Ihr Passwort wurde geändert"),
        ("nl", "do zmiany telefonu", "zmieniono numer telefonu", "zmieniono hasło"),
    ] {
        let app = TestApp::start().await;
        let user = register(&app, locale).await;
        let token = app.log_in(PHONE).await;
        let started = change(&app, &token, &user, &json!({ "phoneNumber": OTHER })).await;
        assert_newest(&app, OTHER, code);
        let proof = json!({
            "phoneNumber": OTHER, "transactionId": started["transactionId"], "transactionCode": app.last_code(OTHER)
        });
        change(&app, &token, &user, &proof).await;
        assert_newest(&app, PHONE, phone_notice);
        app.advance(60);
        let id = challenge_id(&reset(&app, "pl", OTHER).await.ok());
        let body = json!({ "transactionId": id, "code": app.last_code(OTHER), "password": "battery staple horse" });
        post(&app, "/api/services/Plivo/resetPassword", "pl", &body).await.ok();
        assert_newest(&app, OTHER, password_notice);
    }
}

#[tokio::test]
async fn a_new_locale_counts_for_the_change_that_sets_it() {
    let app = TestApp::start().await;
    let user = register(&app, "de").await;
    let token = app.log_in(PHONE).await;
    change(&app, &token, &user, &json!({ "phoneNumber": OTHER, "blUserLocale": "fr" })).await;
    assert_newest(&app, OTHER, "pour changer de numéro");
    let body = json!({ "password": "battery staple horse", "currentPassword": PASSWORD, "blUserLocale": "it" });
    change(&app, &token, &user, &body).await;
    assert_newest(&app, PHONE, "la tua password è stata cambiata");
}

/// In every language, by phone and by address, with a text of one segment and of two, while Plivo works and while it fails.
#[tokio::test]
async fn no_language_tells_who_is_a_user() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy_of(&[("WEBOTP_HOST", "login.app.example.com")]).await;
    register(&app, "uk").await;
    let shape = |reply: Reply| {
        let headers: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
        (reply.status, headers, challenge_id(&reply.ok()).len())
    };
    for (accepted, fault) in
        [("en", Fault::None), ("uk", Fault::None), ("ar", Fault::SendStatus(500)), ("zh, en", Fault::HangUp)]
    {
        app.stack.simulator.set_fault(fault);
        let mut seen = Vec::new();
        for identity in [PHONE, OTHER] {
            proxy.take_calls();
            let reply = post(&app, LOGIN, accepted, &json!(identity)).await;
            seen.push((shape(reply), proxy.take_operations()));
        }
        assert_eq!(seen[0], seen[1], "{accepted}");
        app.advance(3600);
        let mut seen = Vec::new();
        for identity in ["jane@example.com", "joe@example.com"] {
            proxy.take_calls();
            let reply = reset(&app, accepted, identity).await;
            seen.push((shape(reply), proxy.take_operations()));
        }
        assert_eq!(seen[0], seen[1], "{accepted}");
        app.advance(3600);
    }
    assert_eq!(app.texts(OTHER), [""; 0]);
}

/// Messages cost 1 cent a segment, and there is room for three segments; registrations stop at 80 %.
async fn app_with_three_cents() -> TestApp {
    TestApp::with(&[
        ("SMS_PRICES", "*=0.01"),
        ("BUDGET", "0.03/1/1"),
        ("BUDGET_SHARDS", "1"),
        ("WEBOTP_HOST", "login.app.example.com"),
    ])
    .await
}

#[tokio::test]
async fn a_text_of_two_segments_takes_both_from_the_budget() {
    let app = app_with_three_cents().await;
    let registration = |phone: &str| json!({ "phoneNumber": phone });
    post(&app, REGISTER, "uk", &registration(PHONE)).await.ok();
    assert!(app.texts(PHONE)[0].encode_utf16().count() > 70);
    app.register_start(OTHER).await.refused_in(503, "budget_spent");
    app.advance(3600);
    for phone in [PHONE, OTHER] {
        post(&app, REGISTER, "en", &registration(phone)).await.ok();
    }
    app.register_start("+14155550103").await.refused_in(503, "budget_spent");
}

/// The user's own language would take two segments, for which the budget has no more room: whoever asks in English is not told.
#[tokio::test]
async fn a_budget_s_end_does_not_tell_who_is_a_user() {
    let app = app_with_three_cents().await;
    register(&app, "uk").await;
    app.login_start(PHONE).await.ok();
    app.advance(30);
    for identity in ["joe@example.com", "jane@example.com"] {
        reset(&app, "uk", identity).await.refused_in(503, "budget_spent");
    }
    for phone in [OTHER, PHONE] {
        post(&app, LOGIN, "uk", &json!(phone)).await.refused_in(503, "budget_spent");
    }
    for identity in ["joe@example.com", "jane@example.com"] {
        reset(&app, "en", identity).await.ok();
    }
    for phone in [OTHER, PHONE] {
        app.login_start(phone).await.refused_in(503, "budget_spent");
    }
}

#[tokio::test]
async fn the_operator_s_own_texts_replace_the_built_in_ones() {
    let own = json!({
        "en": { "login": "{code} opens {app} for {life}.", "password_changed": "{app} has a new password." },
        "fr": { "register": format!("{{code}} {}", "é".repeat(160)) },
    });
    let app = TestApp::with(&[
        ("TEXTS", &own.to_string()),
        ("SMS_PRICES", "*=0.01"),
        ("BUDGET", "0.02/1/1"),
        ("BUDGET_SHARDS", "1"),
        ("WEBOTP_HOST", "app.example.com"),
    ])
    .await;
    post(&app, REGISTER, "fr", &json!({ "phoneNumber": PHONE })).await.refused_in(503, "budget_spent");
    let user = register(&app, "en").await;
    assert_newest(&app, PHONE, "to sign up");
    app.advance(3600);
    let token = app.log_in(PHONE).await;
    let code = app.last_code(PHONE);
    assert_eq!(app.texts(PHONE)[0], format!("{code} opens Otpost for 5 min.\n\n@app.example.com #{code}"));
    change(&app, &token, &user, &json!({ "password": "battery staple horse" })).await;
    assert_eq!(app.texts(PHONE)[0], "Otpost has a new password.");
}
