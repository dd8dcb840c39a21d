//! Test numbers: fixed codes, no message, no limit but five attempts; and nobody's number is taken over.

use std::convert::Infallible;

use local::simulator::Fault;
use local::{Data, Options, Stack};
use reqwest::Method;
use serde_json::{Value, json};
use shared::spend::pumping::Outcome;
use shared::store::{DecisionLogEntry, PhoneKey, PhoneRecord};

use crate::support::{PASSWORD, TestApp, challenge_id, remember, wrong};

const CODE: &str = "246810";
/// One that is reserved for films, another, and one that may be a person's.
const FILM: &str = "+14155550190";
const OTHER_FILM: &str = "+14155550191";
const PERSON: &str = "+14155560123";
/// An ordinary one.
const PHONE: &str = "+14155550101";

async fn with(settings: &[(&str, &str)]) -> TestApp {
    remember(CODE);
    let listed = [FILM, OTHER_FILM, PERSON].map(|number| format!("{number}={CODE}@2099-12-31")).join(",");
    TestApp::with(&[&[("TEST_NUMBERS", listed.as_str())], settings].concat()).await
}

async fn phone_key(app: &TestApp, phone: &str) -> PhoneKey {
    let keys = app.stack.app.secrets.keys(app.stack.app.clock.now()).await.unwrap();
    PhoneKey(keys.phone(phone).short())
}

async fn record(app: &TestApp, phone: &str) -> PhoneRecord {
    app.stack.app.store.phones.get(phone_key(app, phone).await).await.unwrap()
}

async fn register(app: &TestApp, phone: &str, email: &str, code: &str) -> Value {
    let challenge = challenge_id(&app.register_start(phone).await.ok());
    app.post("/api/users/register", &TestApp::registration(phone, email, &challenge, code)).await.ok()
}

async fn log_in(app: &TestApp, phone: &str) -> Value {
    let challenge = challenge_id(&app.login_start(phone).await.ok());
    app.enter(&challenge, CODE).await.ok()
}

/// Requests that a user makes with the token of a login.
async fn own(app: &TestApp, user: &Value, method: Method, body: &Value) -> Value {
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    let token = user["user-token"].as_str().unwrap();
    remember(token);
    app.send(app.request(method, &path).header("user-token", token).body(body.to_string())).await.ok()
}

async fn reset_start(app: &TestApp, identity: &str) -> crate::support::Reply {
    let identity = identity.replace('+', "%2B").replace('@', "%40");
    app.get(&format!("/api/users/restorepassword/{identity}"), None).await
}

/// The tables' items, and those of one of them.
async fn items(app: &TestApp, table: &str) -> Vec<Value> {
    app.dump().await.into_iter().filter(|(of, _)| *of == table).map(|(_, item)| item).collect()
}

#[tokio::test]
async fn a_wrong_list_stops_the_start_in_one_line() {
    let settings = vec![("TEST_NUMBERS".to_owned(), "+14155550190=24681@2099-12-31".to_owned())];
    let error = Stack::start(Options { settings, ..Options::default() }).await.err().unwrap();
    let error = shared::logging::chain(&error);
    assert!(error.contains("setting TEST_NUMBERS must be entries like +14155550123=123456@2027-12-31"), "{error}");
    assert!(!error.contains("24681") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn a_person_s_number_is_ordinary_before_it_is_proven() {
    let app = with(&[]).await;
    let challenge = challenge_id(&app.register_start(PERSON).await.ok());
    assert_eq!(app.sent(), 1);
    assert_ne!(app.last_code(PERSON), CODE);
    let body = TestApp::registration(PERSON, "jane@example.com", &challenge, CODE);
    app.post("/api/users/register", &body).await.refused(401, 14000, "code_rejected");
    app.register_start(PERSON).await.limited("too_many_messages");
}

/// The operator has listed a user's number by mistake.
#[tokio::test]
async fn a_user_who_has_proven_a_phone_is_never_reached_by_a_fixed_code() {
    let app = with(&[]).await;
    let user = app.register(PERSON, "jane@example.com").await;
    let challenges = [
        challenge_id(&app.login_start(PERSON).await.ok()),
        challenge_id(&app.password_start(PERSON, PASSWORD).await.ok()),
    ];
    for challenge in &challenges {
        app.enter(challenge, CODE).await.refused(401, 14000, "code_rejected");
    }
    for (identity, wait) in [(PERSON, 60), ("jane@example.com", 0)] {
        app.advance(wait);
        let challenge = challenge_id(&reset_start(&app, identity).await.ok());
        let body = json!({"transactionId": challenge, "code": CODE, "password": "battery staple horse"});
        app.post("/api/services/Plivo/resetPassword", &body).await.refused(401, 14000, "code_rejected");
    }
    assert_eq!(app.sent(), 5, "each start has sent a code");
    // Nor one who was disabled.
    let own = &app.stack.app;
    let (keys, id) = (own.secrets.keys(own.clock.now()).await.unwrap(), user["objectId"].as_str().unwrap());
    let profile = own.store.users.profile(id).await.unwrap().unwrap();
    let phone = keys.phone(PERSON);
    assert!(own.store.users.set_status(&own.store.sessions, id, &profile, &phone, false).await.unwrap());
    app.advance(3600);
    let challenge = challenge_id(&app.register_start(PERSON).await.ok());
    let body = TestApp::registration(PERSON, "joe@example.com", &challenge, CODE);
    app.post("/api/users/register", &body).await.refused(401, 14000, "code_rejected");
    assert_eq!(app.sent(), 6);
}

#[tokio::test]
async fn a_person_s_number_that_is_proven_and_free_is_a_test_number() {
    let app = with(&[]).await;
    app.register(PERSON, "jane@example.com").await;
    let challenge = challenge_id(&app.login_start(PERSON).await.ok());
    let user = app.enter(&challenge, &app.last_code(PERSON)).await.ok();
    own(&app, &user, Method::DELETE, &json!({})).await;
    let sent = app.sent();
    register(&app, PERSON, "tester@example.com", CODE).await;
    // It stays one, also when TTL has removed the proof.
    let (known, phones) = (record(&app, PERSON).await, &app.stack.app.store.phones);
    let forget = |record: &mut PhoneRecord| {
        record.last_verified = None;
        Ok::<_, Infallible>(())
    };
    phones.update(phone_key(&app, PERSON).await, known, app.stack.app.clock.now(), forget).await.unwrap().unwrap();
    log_in(&app, PERSON).await;
    assert_eq!(app.sent(), sent);
}

#[tokio::test]
async fn five_wrong_codes_void_a_transaction_and_count_for_the_network() {
    let app = with(&[]).await;
    register(&app, FILM, "tester@example.com", CODE).await;
    for _ in 0..5 {
        let challenge = challenge_id(&app.login_start(FILM).await.ok());
        for _ in 0..5 {
            app.enter_from("198.51.100.1", &challenge, &wrong(CODE)).await.refused(401, 14000, "code_rejected");
        }
        app.enter_from("198.51.100.2", &challenge, CODE).await.refused(401, 14000, "code_rejected");
    }
    let challenge = challenge_id(&app.login_start(FILM).await.ok());
    app.enter_from("198.51.100.1", &challenge, CODE).await.limited("too_many_wrong_codes");
    let limits = record(&app, FILM).await.shared;
    assert!(limits.without_password.wrong_codes.is_empty() && limits.without_password.starts.is_empty(), "{limits:?}");
    app.enter_from("198.51.100.2", &challenge, CODE).await.ok();
    app.enter_from("198.51.100.2", &challenge, CODE).await.refused(401, 14000, "code_rejected");
}

/// A code that leaked is changed. Who logged in with it on a device must not have that device's limits to guess the new one.
#[tokio::test]
async fn a_device_gets_no_token_and_guesses_under_everybody_s_limits() {
    let app = with(&[]).await;
    register(&app, FILM, "tester@example.com", CODE).await;
    let challenge = challenge_id(&app.login_start(FILM).await.ok());
    assert!(app.enter_with(&challenge, CODE, "new").await.ok()["device-token"].is_null());
    // One from the time when the number was not listed.
    let data = || Data::At(app.stack.config.dynamodb_endpoint.clone());
    let unlisted = TestApp::options(Options { data: data(), ..Options::default() }).await;
    let challenge = challenge_id(&unlisted.login_start(FILM).await.ok());
    let user = unlisted.enter_with(&challenge, &unlisted.last_code(FILM), "new").await.ok();
    let token = user["device-token"].as_str().unwrap();
    remember(token);
    let mut wrong_codes = 0;
    let limited = loop {
        let start = app.request(Method::POST, "/api/services/Plivo/loginWithPhoneNumber").header("device-token", token);
        let challenge = challenge_id(&app.send(start.body(json!(FILM).to_string())).await.ok());
        let entered = app.enter_with(&challenge, &wrong(CODE), token).await;
        if entered.status == 429 {
            break entered;
        }
        entered.refused(401, 14000, "code_rejected");
        wrong_codes += 1;
    };
    limited.limited("too_many_wrong_codes");
    assert_eq!(wrong_codes, 25);
}

/// Otherwise any user could become one whom everybody with the code can be.
#[tokio::test]
async fn a_fixed_code_moves_no_other_user_to_its_number() {
    let app = with(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    let challenge = challenge_id(&app.login_start(PHONE).await.ok());
    let user = app.enter(&challenge, &app.last_code(PHONE)).await.ok();
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    let request = app.request(Method::PUT, &path).header("user-token", user["user-token"].as_str().unwrap());
    let started = app.send(request.body(json!({"phoneNumber": FILM}).to_string())).await.ok();
    assert_ne!(app.last_code(FILM), CODE, "an ordinary number for this user");
    let proof = json!({
        "phoneNumber": FILM, "transactionId": started["transactionId"], "transactionCode": CODE,
    });
    let request = app.request(Method::PUT, &path).header("user-token", user["user-token"].as_str().unwrap());
    app.send(request.body(proof.to_string())).await.refused(401, 14000, "code_rejected");
}

/// A person whose number is listed by mistake is not shut out for longer than a day.
#[tokio::test]
async fn a_proof_lasts_a_day_however_often_somebody_starts() {
    let app = with(&[]).await;
    app.register(PERSON, "jane@example.com").await;
    let challenge = challenge_id(&app.login_start(PERSON).await.ok());
    let user = app.enter(&challenge, &app.last_code(PERSON)).await.ok();
    own(&app, &user, Method::DELETE, &json!({})).await;
    let sent = app.sent();
    for _ in 0..2 {
        app.advance(40_000);
        app.register_start(PERSON).await.ok();
    }
    assert_eq!(app.sent(), sent, "a test number for a day");
    app.advance(10_000);
    app.register_start(PERSON).await.ok();
    assert_eq!(app.sent(), sent + 1);
}

/// Otherwise a fixed code, which has no limit a day, could be guessed by many networks.
#[tokio::test]
async fn while_guessing_is_throttled_a_short_fixed_code_is_rejected() {
    let app = with(&[("WRONG_CODES_PER_DAY", "10")]).await;
    register(&app, FILM, "tester@example.com", CODE).await;
    for _ in 0..2 {
        let challenge = challenge_id(&app.login_start(FILM).await.ok());
        for _ in 0..5 {
            app.enter(&challenge, &wrong(CODE)).await.refused(401, 14000, "code_rejected");
        }
    }
    let challenge = challenge_id(&app.login_start(FILM).await.ok());
    app.enter(&challenge, CODE).await.refused(401, 14000, "code_rejected");
    assert_eq!(app.sent(), 0);
    app.advance(86_400);
    log_in(&app, FILM).await;
}

#[tokio::test]
async fn at_the_end_of_its_day_the_code_is_void_and_the_number_ordinary() {
    let app = with(&[]).await;
    register(&app, FILM, "tester@example.com", CODE).await;
    let (end, now) = (app.stack.app.settings.test_numbers[0].end, app.stack.app.clock.now());
    app.advance(now.until(end).as_secs() - 10);
    let challenge = challenge_id(&app.login_start(FILM).await.ok());
    app.advance(9);
    log_in(&app, FILM).await;
    let challenge = (challenge, challenge_id(&app.login_start(FILM).await.ok()));
    app.advance(2);
    for challenge in [challenge.0, challenge.1] {
        app.enter(&challenge, CODE).await.refused(401, 14000, "code_rejected");
    }
    assert_eq!(app.sent(), 0);
    let challenge = challenge_id(&app.login_start(FILM).await.ok());
    app.enter(&challenge, CODE).await.refused(401, 14000, "code_rejected");
    app.enter(&challenge, &app.last_code(FILM)).await.ok();
    assert_eq!(app.sent(), 1);
}

/// A number comes on the list and goes off it while transactions are live.
#[tokio::test]
async fn a_fixed_code_is_never_sent_and_a_sent_one_never_taken_for_it() {
    let listed = with(&[]).await;
    let data = Data::At(listed.stack.config.dynamodb_endpoint.clone());
    let unlisted = TestApp::options(Options { data, ..Options::default() }).await;
    register(&listed, FILM, "tester@example.com", CODE).await;
    let fixed = challenge_id(&listed.login_start(FILM).await.ok());
    let sent = challenge_id(&unlisted.login_start(FILM).await.ok());
    let code = unlisted.last_code(FILM);
    assert!(sent != fixed && code != CODE);
    listed.enter(&fixed, CODE).await.refused(401, 14000, "code_rejected");
    log_in(&listed, FILM).await;
    unlisted.enter(&sent, &code).await.refused(401, 14000, "code_rejected");
}

/// The phone of an unknown address is made up, and the operator may have listed that one.
#[tokio::test]
async fn an_unknown_address_has_its_limits_whatever_is_listed() {
    let app = with(&[("TEST_NUMBERS", "+12025550100=246810@2099-12-31")]).await;
    reset_start(&app, "nobody@example.com").await.ok();
    reset_start(&app, "nobody@example.com").await.limited("too_many_messages");
}

#[tokio::test]
async fn every_flow_works_without_plivo_and_is_marked_in_the_decision_log() {
    let app = with(&[]).await;
    app.stack.metrics.keep();
    // Any call would open the circuit, or be logged and counted.
    app.stack.simulator.set_fault(Fault::Status(503));
    let user = register(&app, FILM, "tester@example.com", CODE).await;
    assert_eq!(user["phoneNumber"], FILM);
    log_in(&app, FILM).await;
    let challenge = challenge_id(&app.password_start(FILM, PASSWORD).await.ok());
    let session = app.enter(&challenge, CODE).await.ok();
    let started = own(&app, &session, Method::PUT, &json!({"phoneNumber": OTHER_FILM})).await;
    let proof = json!({
        "phoneNumber": OTHER_FILM, "transactionId": started["transactionId"], "transactionCode": CODE,
    });
    assert_eq!(own(&app, &session, Method::PUT, &proof).await["phoneNumber"], OTHER_FILM);
    for identity in [OTHER_FILM, "tester@example.com"] {
        let challenge = challenge_id(&reset_start(&app, identity).await.ok());
        let body = json!({"transactionId": challenge, "code": CODE, "password": "battery staple horse"});
        assert_eq!(app.post("/api/services/Plivo/resetPassword", &body).await.ok(), json!({}));
    }
    remember("battery staple horse");
    assert_eq!(app.sent(), 0);
    let names = ["Sent", "NotSent", "Decoys", "Verified", "CostMillionths"];
    let metrics = app.stack.metrics.take();
    assert!(!metrics.is_empty() && metrics.iter().all(|line| names.iter().all(|name| line[name].is_null())));
    let starts = app.get("/_local/starts", None).await.ok();
    let starts = starts.as_array().unwrap().iter().filter(|entry| entry["kind"] == "silent");
    assert_eq!(starts.filter(|entry| entry["reason"] == "test_number").count(), 6);
    let mut flows = Vec::new();
    for item in items(&app, "decisions").await {
        let item: serde_dynamo::Item = serde_json::from_value(item).unwrap();
        let entry = DecisionLogEntry::from_item(item.into()).unwrap();
        assert!(entry.decision.outcome == Outcome::Test && !entry.sent && entry.decision.rule.is_none(), "{entry:?}");
        flows.push(entry.inputs.flow.as_str());
    }
    flows.sort_unstable();
    let expected = ["change_phone", "login", "register", "reset_password", "reset_password", "second_factor"];
    assert_eq!(flows, expected);
    for item in items(&app, "counters").await {
        let counts = item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| ["spent", "sends", "verified"].iter().any(|counted| name.contains(counted)));
        assert!(counts.into_iter().all(|(_, count)| count["N"] == "0"), "{item}");
    }
}

#[tokio::test]
async fn no_limit_and_no_budget_stops_a_test_number() {
    let app = with(&[("STARTS_PER_ADDRESS", "2"), ("BUDGET", "0/0/0")]).await;
    app.register_start(PHONE).await.refused_in(503, "budget_spent");
    register(&app, FILM, "tester@example.com", CODE).await;
    for _ in 0..30 {
        app.login_start(FILM).await.ok();
    }
    app.register_start(PHONE).await.refused_in(503, "budget_spent");
    app.register_start(PHONE).await.limited("too_many_starts");
    for _ in 0..30 {
        log_in(&app, FILM).await;
    }
    assert_eq!(app.sent(), 0);
}

/// Nor does a test number suspend its neighbours, or make them look verified.
#[tokio::test]
async fn a_test_number_is_no_sign_for_or_against_pumping() {
    let app = with(&[("PUMPING_PREFIX", "3/0/30"), ("PUMPING_MODE", "refuse")]).await;
    for _ in 0..9 {
        app.register_start(FILM).await.ok();
    }
    for line in 1..4 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    app.register_start("+14155550104").await.refused_in(503, "numbers_suspended");
    for number in [FILM, OTHER_FILM] {
        register(&app, number, &format!("tester{number}@example.com"), CODE).await;
    }
    app.register_start("+14155550104").await.refused_in(503, "numbers_suspended");
    assert_eq!(app.sent(), 3);
}

#[tokio::test]
async fn an_outage_of_plivo_does_not_stop_a_test_number_and_goes_on_for_others() {
    let app = with(&[]).await;
    app.stack.simulator.set_fault(Fault::Status(401));
    for line in 1..4 {
        app.register_start(&format!("+1415555010{line}")).await.refused(503, 14000, "sms_unavailable");
    }
    app.register_start("+14155550104").await.refused_in(503, "sms_unavailable");
    register(&app, FILM, "tester@example.com", CODE).await;
    // Nor does it show that Plivo is back.
    app.register_start("+14155550105").await.refused_in(503, "sms_unavailable");
    assert_eq!(app.sent(), 3);
}

/// Nobody's number needs no country to send to.
#[tokio::test]
async fn a_number_of_a_british_film_works_where_only_american_ones_are_sent_to() {
    let app = with(&[("TEST_NUMBERS", "+447700900123=246810@2099-12-31,+447400123456=246810@2099-12-31")]).await;
    register(&app, "+447700900123", "tester@example.com", CODE).await;
    app.register_start("+447700900124").await.refused(400, 14000, "country_not_served");
    app.register_start("+447400123456").await.refused(400, 14000, "country_not_served");
}

/// The answers of a test number and of another are alike.
#[tokio::test]
async fn the_answer_looks_like_any_other() {
    let app = with(&[]).await;
    for (test, other) in [
        (app.register_start(FILM).await, app.register_start(PHONE).await),
        (app.login_start(OTHER_FILM).await, app.login_start("+14155550102").await),
        (app.password_start(FILM, PASSWORD).await, app.password_start(PHONE, PASSWORD).await),
    ] {
        assert_eq!(test.status, other.status);
        let names = |reply: &crate::support::Reply| {
            let headers: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
            let fields: Vec<_> = reply.body.as_object().unwrap().keys().cloned().collect();
            (headers, fields)
        };
        assert_eq!(names(&test), names(&other));
    }
    let challenge = challenge_id(&app.login_start(OTHER_FILM).await.ok());
    app.enter(&challenge, CODE).await.refused(401, 14000, "code_rejected");
}
