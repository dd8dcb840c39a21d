//! The main flows: registration, both logins, messages.

use serde_json::json;

use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";

#[tokio::test]
async fn a_phone_is_registered_in_two_steps() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start("(415) 555-0101").await.ok());
    assert_eq!(
        app.texts(PHONE),
        [format!("{} is your Otpost code to sign up. Valid 5 min. Do not share it.", app.last_code(PHONE))]
    );
    let mut body = TestApp::registration("4155550101", "Jane@example.com", &id, &app.last_code(PHONE));
    body["name"] = json!("Jané");
    body["age"] = json!(42);
    body["address"] = json!({"city": "Paris", "zip": null});
    body["___class"] = json!("Users");
    body["blUserLocale"] = json!("fr");
    let user = app.post("/api/users/register", &body).await.ok();
    let (object, created) = (user["objectId"].clone(), user["created"].clone());
    assert!(shared::crypto::identifier::parse(object.as_str().unwrap()).is_some());
    assert_eq!(
        user,
        json!({"name": "Jané", "age": 42, "address": {"city": "Paris", "zip": null}, "userStatus": "ENABLED", "created": created, "updated": null,
            "ownerId": object, "objectId": object, "___class": "Users", "blUserLocale": "fr", "phoneNumber": PHONE, "email": "Jane@example.com"})
    );
}

#[tokio::test]
async fn a_user_logs_in_without_a_password() {
    let app = TestApp::start().await;
    let registered = app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start("+1 415 555 0101").await.ok());
    assert!(app.texts(PHONE)[0].ends_with("is your Otpost code to log in. Valid 5 min. Do not share it."));
    let user = app.enter(&id, &app.last_code(PHONE)).await.ok();
    let mut expected = registered.clone();
    for name in ["lastLogin", "user-token"] {
        expected[name] = user[name].clone();
    }
    expected["___jsonclass"] = json!("Users");
    expected["socialAccount"] = json!("BACKENDLESS");
    assert_eq!(user, expected);
    let token = user["user-token"].as_str().unwrap();
    assert!(shared::crypto::identifier::parse(token).is_some() && token == token.to_uppercase());
    assert!(user["lastLogin"].as_i64() > registered["created"].as_i64());
}

#[tokio::test]
async fn a_user_logs_in_with_two_factors() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let before = app.sent();
    app.password_start(PHONE, "another password").await.refused(401, 3003, "login_rejected");
    assert_eq!(app.sent(), before, "no message before the password is right");
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    assert_eq!(app.sent(), before + 1);
    assert!(app.texts(PHONE)[0].contains("to confirm login"));
    let user = app.enter(&id, &app.last_code(PHONE)).await.ok();
    assert!(user["user-token"].is_string());
}

#[tokio::test]
async fn a_wrong_code_leaves_the_right_one_good() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    for _ in 0..4 {
        app.enter(&id, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    }
    app.enter(&id, &code).await.ok();
}

#[tokio::test]
async fn the_fifth_wrong_code_ends_the_challenge() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    for _ in 0..5 {
        app.enter(&id, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    }
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
}

#[tokio::test]
async fn a_code_works_once() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.enter(&id, &code).await.ok();
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
}

#[tokio::test]
async fn a_code_works_until_its_second() {
    for (life, seconds, works) in [
        ("300", 299, true),
        ("300", 300, false),
        ("300", 301, false),
        ("600", 599, true),
        ("600", 600, false),
        ("600", 601, false),
        ("60", 59, true),
        ("60", 60, false),
    ] {
        let app = TestApp::with(&[("CODE_LIFE_SECONDS", life)]).await;
        app.register(PHONE, "jane@example.com").await;
        let id = challenge_id(&app.login_start(PHONE).await.ok());
        app.advance(seconds);
        let answer = app.enter(&id, &app.last_code(PHONE)).await;
        if works {
            answer.ok();
        } else {
            answer.refused(401, 14000, "code_rejected");
        }
    }
}

#[tokio::test]
async fn a_code_of_one_flow_is_unknown_to_the_others() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let login = challenge_id(&app.login_start(PHONE).await.ok());
    let login_code = app.last_code(PHONE);
    app.advance(30);
    let register = challenge_id(&app.register_start(PHONE).await.ok());
    let register_code = app.last_code(PHONE);
    app.advance(30);
    let second = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    let second_code = app.last_code(PHONE);
    app.enter(&register, &register_code).await.refused(401, 14000, "code_rejected");
    for (id, code) in [(&login, &login_code), (&second, &second_code)] {
        let body = TestApp::registration("+14155550101", "new@example.com", id, code);
        app.post("/api/users/register", &body).await.refused(401, 14000, "code_rejected");
    }
    app.enter(&login, &login_code).await.ok();
    app.enter(&second, &second_code).await.ok();
}

#[tokio::test]
async fn a_second_start_sends_the_same_code_for_the_same_challenge() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let first = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.enter(&first, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    app.advance(30);
    let second = challenge_id(&app.login_start(PHONE).await.ok());
    assert_eq!((&second, app.last_code(PHONE)), (&first, code.clone()));
    assert!(app.texts(PHONE)[0].contains("Valid 4 min."), "its life is what is left");
    for _ in 0..4 {
        app.enter(&first, &wrong(&code)).await.refused(401, 14000, "code_rejected");
    }
    app.enter(&first, &code).await.refused(401, 14000, "code_rejected");
}

#[tokio::test]
async fn a_code_that_is_nearly_over_is_superseded() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let first = challenge_id(&app.login_start(PHONE).await.ok());
    let old = app.last_code(PHONE);
    app.advance(250);
    let second = challenge_id(&app.login_start(PHONE).await.ok());
    assert_ne!(first, second);
    app.enter(&first, &old).await.refused(401, 14000, "code_rejected");
    app.enter(&second, &app.last_code(PHONE)).await.ok();
}

#[tokio::test]
async fn only_a_client_that_has_proven_a_phone_learns_that_it_is_taken() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let body = TestApp::registration(PHONE, "new@example.com", &id, &wrong(&code));
    app.post("/api/users/register", &body).await.refused(401, 14000, "code_rejected");
    let body = TestApp::registration(PHONE, "new@example.com", &id, &code);
    app.post("/api/users/register", &body).await.refused(409, 3033, "user_exists");
}

#[tokio::test]
async fn a_taken_email_leaves_the_code_good_for_another() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let other = "+14155550102";
    let id = challenge_id(&app.register_start(other).await.ok());
    let code = app.last_code(other);
    let body = TestApp::registration(other, "JANE@example.com", &id, &code);
    app.post("/api/users/register", &body).await.refused(409, 3033, "user_exists");
    let body = TestApp::registration(other, "joe@example.com", &id, &code);
    app.post("/api/users/register", &body).await.ok();
}

#[tokio::test]
async fn no_row_of_a_user_exists_before_the_phone_is_proven() {
    // Twenty neighbouring numbers whose codes are never entered look pumped.
    let app = TestApp::with(&[("PUMPING_MODE", "monitor")]).await;
    for line in 0..20 {
        app.register_start(&format!("+141555502{line:02}")).await.ok();
        app.login_start(&format!("+141555503{line:02}")).await.ok();
    }
    let items = app.dump().await;
    assert_eq!(items.iter().filter(|(table, _)| *table == "users" || *table == "sessions").count(), 0);
    assert_eq!(items.iter().filter(|(table, _)| *table == "phones").count(), 40);
}

/// No request to any route yields a session without a code.
#[tokio::test]
async fn no_route_but_a_login_s_end_makes_a_session() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let token = "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100";
    let bodies = [
        json!({}),
        json!({ "phoneNumber": PHONE }),
        json!({ "phoneNumber": PHONE, "password": PASSWORD }),
        json!({ "phoneNumber": PHONE, "login": "jane@example.com", "password": PASSWORD }),
        json!({ "transactionId": id, "code": "" }),
        json!({ "transactionId": id, "code": null }),
        json!({ "transactionId": id, "code": [] }),
        json!({ "transactionId": "", "code": "000000" }),
        json!({ "phoneNumber": PHONE, "message": "Hello" }),
    ];
    let objects = format!("/api/data/Users/{}", user["objectId"].as_str().unwrap());
    let more = ["/api/users/restorepassword", "/api/users/register", &objects];
    let routes = shared::http::routes::ROUTES.iter().map(|route| format!("/api{}", route.path));
    for path in routes.chain(more.map(str::to_owned)) {
        let path = path.replace("{token}", token).replace("{objectId}", token);
        for body in &bodies {
            let answers = [app.post(&path, body).await, app.get(&path, Some(token)).await];
            assert!(answers.iter().all(|answer| answer.body.get("user-token").is_none()), "{path} {body}");
            app.advance(1921);
        }
    }
    let sessions = app.dump().await.into_iter().filter(|(table, _)| *table == "sessions").count();
    assert_eq!(sessions, 0);
}

#[tokio::test]
async fn the_page_s_own_slips_work() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.post("/users/register", &json!({"phoneNumber": PHONE})).await.ok());
    let mut body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
    let id = body.as_object_mut().unwrap().remove("transactionId").unwrap();
    body["transactioniId"] = id;
    app.post("/users/register", &body).await.ok();
}

#[tokio::test]
async fn the_phone_column_can_be_renamed_and_be_the_identity() {
    let app = TestApp::with(&[
        ("PHONE_COLUMN", "mobile"),
        ("IDENTITY_COLUMN", "mobile"),
        ("CODE_LENGTH", "8"),
        ("APP_NAME", "Bakery"),
    ])
    .await;
    let id = challenge_id(&app.post("/api/users/register", &json!({"mobile": PHONE})).await.ok());
    let code = app.last_code(PHONE);
    assert_eq!(code.len(), 8);
    assert!(app.texts(PHONE)[0].contains("your Bakery code"));
    let body = json!({"mobile": PHONE, "password": PASSWORD, "transactionId": id, "transactionCode": code});
    let user = app.post("/api/users/register", &body).await.ok();
    assert_eq!((&user["mobile"], user.get("phoneNumber"), user.get("email")), (&json!(PHONE), None, None));
    app.advance(30);
    let id =
        challenge_id(&app.post("/api/services/Plivo/loginWithPhoneNumber", &json!({"phoneNumber": PHONE})).await.ok());
    assert_eq!(app.enter(&id, &app.last_code(PHONE)).await.ok()["mobile"], PHONE);
}

#[tokio::test]
async fn the_default_country_reads_national_numbers() {
    let app = TestApp::with(&[("DEFAULT_COUNTRY", "DE")]).await;
    app.register_start("0151 23456789").await.ok();
    assert_eq!(app.texts("+4915123456789").len(), 1);
}

#[tokio::test]
async fn a_text_is_sent_with_the_key() {
    let app = TestApp::start().await;
    let answer = app.message(&json!({"phoneNumber": "415-555-0101", "message": "Hello, wörld € 😀"})).await.ok();
    assert_eq!(answer["message"], "message(s) queued");
    assert!(answer["api_id"].is_string());
    let sent = app.stack.simulator.messages(Some(PHONE));
    assert_eq!(answer["message_uuid"], json!([sent[0].id]));
    assert_eq!(
        (sent[0].text.as_str(), sent[0].kind, sent[0].from.as_str()),
        ("Hello, wörld € 😀", "sms", "+14155550199")
    );
}

#[tokio::test]
async fn media_is_sent_from_links_in_both_forms() {
    let app = TestApp::start().await;
    let links = "https%3A%2F%2Fa.example%2Fone%2Ctwo.png,https://b.example/three.png";
    app.message(&json!({"phoneNumber": PHONE, "message": "Look", "mediaUrls": links})).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "mediaUrl": "https://b.example/only.png"})).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "none", "mediaUrls": null})).await.ok();
    let sent = app.stack.simulator.messages(Some(PHONE));
    assert_eq!(
        (sent[2].kind, &sent[2].media_urls),
        ("mms", &vec!["https://a.example/one,two.png".to_owned(), "https://b.example/three.png".to_owned()])
    );
    assert_eq!((sent[1].kind, sent[1].text.as_str()), ("mms", ""));
    assert_eq!(sent[0].kind, "sms");
}
