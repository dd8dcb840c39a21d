//! Concurrent requests: exactly one wins, and limits count every one.

use std::collections::BTreeSet;

use serde_json::json;
use shared::store::PhoneKey;
use tokio::task::JoinSet;

use crate::support::{Reply, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";

/// Posts the same body this many times at once.
async fn at_once(app: &TestApp, path: &str, body: &serde_json::Value, times: usize) -> Vec<u16> {
    let mut requests = JoinSet::new();
    for _ in 0..times {
        let request =
            app.request(reqwest::Method::POST, path).header("content-type", "application/json").body(body.to_string());
        requests.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    requests.join_all().await
}

/// One request wins. The others are refused, for themselves or for their network, or get a 503, because two hundred at once can take longer
/// than a call's timeout on a busy machine.
#[track_caller]
fn one_wins(statuses: &[u16], refusal: u16) {
    let count = |status| statuses.iter().filter(|each| **each == status).count();
    let refused: usize = [refusal, 429, 503].into_iter().collect::<BTreeSet<_>>().into_iter().map(count).sum();
    assert_eq!((count(200), refused), (1, statuses.len() - 1), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_right_codes_give_one_session() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let body = json!({"transactionId": id, "code": app.last_code(PHONE)});
    let statuses = at_once(&app, "/api/services/Plivo/loginWithCode", &body, 200).await;
    one_wins(&statuses, 401);
    assert_eq!(app.dump().await.iter().filter(|(table, _)| *table == "sessions").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_wrong_codes_count_as_five_attempts() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let body = json!({"transactionId": id, "code": wrong(&code)});
    let statuses = at_once(&app, "/api/services/Plivo/loginWithCode", &body, 200).await;
    assert!(statuses.iter().all(|status| [401, 429, 503].contains(status)), "{statuses:?}");
    let items = app.dump().await;
    let attempts =
        items.iter().find_map(|(_, item)| item["challenges"]["M"]["login"]["M"]["attempts"]["M"].as_object()).unwrap();
    assert_eq!(attempts.len(), 5);
    app.enter_from("198.51.100.8", &id, &code).await.refused(401, 14000, "code_rejected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_registrations_of_one_phone_give_one_user() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let body = TestApp::registration(PHONE, "jane@example.com", &id, &app.last_code(PHONE));
    let statuses = at_once(&app, "/api/users/register", &body, 200).await;
    one_wins(&statuses, 401);
    assert_eq!(app.dump().await.iter().filter(|(table, _)| *table == "users").count(), 3, "login, profile, identity");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_starts_send_one_message() {
    let app = TestApp::start().await;
    let statuses = at_once(&app, "/api/users/register", &json!({"phoneNumber": PHONE}), 200).await;
    one_wins(&statuses, 429);
    assert_eq!(app.sent(), 1);
}

/// Each of twenty sessions asks ten times to end all others. Whoever is told that it worked has ended them, and no request that was under way
/// brings a session back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_revocations_leave_at_most_one_session() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let tokens = app.fill_sessions(user["objectId"].as_str().unwrap()).await;
    let mut requests = JoinSet::new();
    for token in tokens.iter().cycle().take(200) {
        let request = app.request(reqwest::Method::DELETE, "/api/users/sessions").header("user-token", token);
        requests.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let statuses = requests.join_all().await;
    assert!(statuses.iter().all(|status| [200, 401, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    let mut valid = Vec::new();
    for token in &tokens {
        if app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok() == true {
            valid.push(token);
        }
    }
    assert!(valid.len() <= 1, "{} sessions are left", valid.len());
    for token in valid {
        assert_eq!(app.get("/api/users/sessions", Some(token)).await.ok().as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_phones_race_for_one_email_and_one_gets_it() {
    let app = TestApp::start().await;
    let mut bodies = Vec::new();
    for phone in [PHONE, "+14155550102"] {
        let id = challenge_id(&app.register_start(phone).await.ok());
        bodies.push(TestApp::registration(phone, "jane@example.com", &id, &app.last_code(phone)));
    }
    let (one, two) =
        tokio::join!(app.post("/api/users/register", &bodies[0]), app.post("/api/users/register", &bodies[1]));
    let refused = |reply: &Reply| reply.status == 409 && reply.body["code"] == 3033;
    assert!(one.status == 200 && refused(&two) || two.status == 200 && refused(&one), "{one:?} {two:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_used_twice_at_once_logs_in_once_while_starts_go_on() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.advance(30);
    let (one, again, two) = tokio::join!(app.enter(&id, &code), app.login_start(PHONE), app.enter(&id, &code));
    assert_eq!([one.status, two.status].iter().filter(|status| status.as_u16() == 200).count(), 1, "{one:?} {two:?}");
    again.ok();
}

/// A start that read the phone's item before the owner's right code was stored does not overwrite the owner's device.
#[tokio::test]
async fn a_start_that_races_a_right_code_does_not_shorten_what_is_kept() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let service = &app.stack.app;
    let now = app.stack.clock.advance(std::time::Duration::ZERO);
    let key = PhoneKey(service.secrets.keys(now).await.unwrap().phone(PHONE).short());
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let stale = service.store.phones.get(key).await.unwrap();
    app.enter_with(&id, &app.last_code(PHONE), "new").await.ok();
    let day = std::time::Duration::from_secs(86_400);
    let changed =
        service.store.phones.update(key, stale, now.plus(day), |_| Ok::<_, std::convert::Infallible>(())).await;
    assert_eq!(changed.unwrap().unwrap().1.devices.len(), 1);
    let items = app.dump().await;
    let (_, item) = items.iter().find(|(table, _)| *table == "phones").unwrap();
    let expires: i64 = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    assert!(expires > now.plus(day * 179).as_seconds(), "{item}");
}
