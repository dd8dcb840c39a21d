//! What the local stack tells a developer and the service tells nobody: starts that sent nothing, why codes are rejected, what the tables hold,
//! the page at `/`, and the nearest route. The responses stay as they are (`silence`).

use std::path::Path;
use std::sync::OnceLock;

use local::Options;
use local::simulator::Fault;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";
const UNKNOWN: &str = "+14155550102";

/// What has happened, newest first: kind, reason and number of each entry.
async fn starts(app: &TestApp) -> Vec<(String, String, String)> {
    let entries = app.get("/_local/starts", None).await.ok();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(entry, "kind"), text(entry, "reason"), text(entry, "to")))
        .collect()
}

async fn newest(app: &TestApp) -> (String, String, String) {
    starts(app).await.remove(0)
}

fn entry(kind: &str, reason: &str, to: &str) -> (String, String, String) {
    (kind.to_owned(), reason.to_owned(), to.to_owned())
}

async fn disable(app: &TestApp, user: &str) {
    let own = &app.stack.app;
    let keys = own.secrets.keys(own.clock.now()).await.unwrap();
    let profile = own.store.users.profile(user).await.unwrap().unwrap();
    let phone = keys.phone(&profile.phone);
    assert!(own.store.users.set_status(&own.store.sessions, user, &profile, &phone, false).await.unwrap());
}

#[tokio::test]
async fn a_start_that_sends_nothing_says_why() {
    let app = TestApp::start().await;
    app.login_start(UNKNOWN).await.ok();
    assert_eq!(newest(&app).await, entry("silent", "no_user", UNKNOWN));
    app.get("/api/users/restorepassword/nobody@example.com", None).await.ok();
    assert_eq!(newest(&app).await, entry("silent", "unknown_email", "-"));

    let user = app.register(PHONE, "jane@example.com").await;
    app.login_start(PHONE).await.ok();
    assert_eq!(newest(&app).await, entry("sent", "-", PHONE));
    app.advance(30);
    app.stack.simulator.set_fault(Fault::SendStatus(402));
    app.login_start(PHONE).await.ok();
    assert_eq!(newest(&app).await, entry("silent", "plivo_failed", PHONE));
    app.advance(120);
    app.stack.simulator.set_fault(Fault::HangUp);
    app.login_start(PHONE).await.ok();
    assert_eq!(newest(&app).await, entry("unknown", "plivo_unknown", PHONE));
    let unknown = app.get("/_local/starts?limit=1", None).await.ok()[0]["text"].clone();
    assert!(
        unknown.as_str().unwrap().starts_with("Plivo's response was lost; the message may have arrived."),
        "{unknown}"
    );
    app.stack.simulator.set_fault(Fault::None);

    disable(&app, user["objectId"].as_str().unwrap()).await;
    app.advance(3600);
    app.login_start(PHONE).await.ok();
    assert_eq!(newest(&app).await, entry("silent", "user_disabled", PHONE));
}

#[tokio::test]
async fn the_sixth_registration_of_a_day_says_that_five_are_sent() {
    let app = TestApp::start().await;
    for _ in 0..6 {
        app.register_start(UNKNOWN).await.ok();
        app.advance(2000);
    }
    let starts = starts(&app).await;
    assert_eq!(starts[0], entry("silent", "unconfirmed_limit", UNKNOWN));
    assert!(starts[1..].iter().all(|(kind, ..)| kind == "sent"), "{starts:?}");
    assert_eq!(starts.len(), 6);
}

#[tokio::test]
async fn a_suspended_range_or_country_is_named() {
    for (setting, reason) in [("PUMPING_PREFIX", "prefix_suspended"), ("PUMPING_COUNTRY", "country_suspended")] {
        let app = TestApp::with(&[(setting, "2/0/100"), ("PUMPING_MODE", "suppress")]).await;
        for line in 0..3 {
            app.register_start(&format!("+1415555030{line}")).await.ok();
        }
        assert_eq!(newest(&app).await, entry("silent", reason, "+14155550302"));
    }
}

#[tokio::test]
async fn a_message_s_start_says_when_its_code_expires_and_when_it_was_used() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let message = app.get("/_local/messages?limit=1", None).await.ok()[0].clone();
    let find = async || app.get("/_local/starts?to=%2B14155550101&limit=1", None).await.ok()[0].clone();
    let start = find().await;
    assert_eq!((&start["transactionId"], &start["messageId"]), (&json!(id), &message["id"]));
    assert_eq!(start["expires"].as_i64(), message["created"].as_i64().map(|created| created + 300_000));
    assert_eq!(start["used"], Value::Null);
    app.advance(30);
    app.login_start(PHONE).await.ok();
    assert_eq!(find().await["reason"], "repeated");
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    assert_eq!(find().await["used"].as_i64(), message["created"].as_i64().map(|created| created + 30_000));
}

#[tokio::test]
async fn a_rejected_code_says_its_cause() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let rejected = async |reason: &str| assert_eq!(newest(&app).await, entry("rejected", reason, PHONE));
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    app.enter(&id, &wrong(&code)).await;
    rejected("wrong_code").await;
    let first = app.get("/_local/starts?limit=1", None).await.ok();
    assert_eq!(first[0]["text"], "Wrong code, attempt 1 of 5.");
    for _ in 0..4 {
        app.enter(&id, &wrong(&code)).await;
    }
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    rejected("no_attempts_left").await;

    app.advance(30);
    let next = challenge_id(&app.login_start(PHONE).await.ok());
    app.enter(&id, &code).await;
    rejected("replaced").await;
    app.enter(&next, &app.last_code(PHONE)).await.ok();
    app.enter(&next, &app.last_code(PHONE)).await;
    rejected("used").await;

    let late = challenge_id(&app.login_start(PHONE).await.ok());
    app.advance(300);
    app.enter(&late, &app.last_code(PHONE)).await;
    rejected("expired").await;

    app.enter("5E1F0B5C-0000-0000-0000-00000000BBBB", &code).await;
    assert_eq!(newest(&app).await, entry("rejected", "unknown_transaction", "-"));
}

#[tokio::test]
async fn a_transaction_of_another_flow_or_phone_or_of_nobody_is_told() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let id = challenge_id(&app.register_start(UNKNOWN).await.ok());
    let code = app.last_code(UNKNOWN);
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    assert_eq!(newest(&app).await, entry("rejected", "other_flow", UNKNOWN));
    let body = TestApp::registration("+14155550103", "joe@example.com", &id, &code);
    app.post("/api/users/register", &body).await.refused(401, 14000, "code_rejected");
    assert_eq!(newest(&app).await, entry("rejected", "other_phone", UNKNOWN));
    app.password_start(UNKNOWN, PASSWORD).await.refused(401, 3003, "login_rejected");
    assert_eq!(newest(&app).await, entry("rejected", "no_user", UNKNOWN));
    app.password_start(PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    assert_eq!(newest(&app).await, entry("rejected", "wrong_password", PHONE));
}

#[tokio::test]
async fn the_terminal_shows_each_code_and_why_there_is_none() {
    static LINES: OnceLock<UnboundedSender<String>> = OnceLock::new();
    let (sender, mut lines) = unbounded_channel();
    LINES.set(sender).unwrap();
    let print: local::inbox::Print = |line| LINES.get().unwrap().send(line.to_owned()).unwrap();
    let app = TestApp::options(Options { print: Some(print), ..Options::default() }).await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let line = lines.recv().await.unwrap();
    assert!(line.contains(PHONE) && line.contains(&code), "{line}");
    app.login_start(UNKNOWN).await.ok();
    let line = lines.recv().await.unwrap();
    assert!(line.contains(UNKNOWN) && line.contains("sent nothing (login): No user has this phone."), "{line}");
    app.enter(&id, &code).await.refused(401, 14000, "code_rejected");
    let line = lines.recv().await.unwrap();
    assert!(line.contains(PHONE) && line.contains("code rejected (register): The transaction is for"), "{line}");
    app.get("/api/info/", None).await.refused(404, 14002, "not_found");
    let line = lines.recv().await.unwrap();
    assert!(line.ends_with("There is no route GET /api/info/. Did you mean GET /api/info?"), "{line}");
}

#[tokio::test]
async fn clearing_the_inbox_leaves_users_and_limits() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    app.send(app.request(Method::DELETE, "/_local/messages")).await.ok();
    for path in ["/_local/messages", "/_local/starts"] {
        assert_eq!(app.get(path, None).await.ok(), json!([]), "{path}");
    }
    assert_eq!(app.get("/_local/users", None).await.ok().as_array().map(Vec::len), Some(1));
    let foreign = app.request(Method::DELETE, "/_local/messages").header("origin", "https://evil.example");
    assert_eq!(app.send(foreign).await.status, 403);
}

#[tokio::test]
async fn users_sessions_and_phones_are_listed_without_a_secret() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    app.register_start(UNKNOWN).await.ok();
    let [users, sessions, phones] = ["users", "sessions", "phones"].map(|name| format!("/_local/{name}"));
    let users = app.get(&users, None).await.ok();
    assert_eq!(
        (&users[0]["objectId"], &users[0]["email"], &users[0]["hasPassword"], &users[0]["sessions"]),
        (&user["objectId"], &json!("jane@example.com"), &json!(true), &json!(1))
    );
    let sessions = app.get(&sessions, None).await.ok();
    assert_eq!((&sessions[0]["user"], &sessions[0]["flow"]), (&user["objectId"], &json!("login")));
    let idle = sessions[0]["ends"].as_i64().unwrap() - sessions[0]["lastSeen"].as_i64().unwrap();
    assert_eq!(idle, 604_800_000);
    let phones = app.get(&phones, None).await.ok();
    let limit = |place: usize, name: &str| {
        phones[place]["limits"].as_array().unwrap().iter().find(|limit| limit["name"] == name).cloned()
    };
    assert_eq!((&phones[0]["phone"], &phones[1]["phone"]), (&json!(PHONE), &json!(UNKNOWN)));
    assert_eq!(limit(0, "starts_per_day").unwrap()["used"], 2);
    assert_eq!(limit(0, "unconfirmed_messages_per_day"), None, "it has a user");
    assert_eq!(limit(1, "unconfirmed_messages_per_day").unwrap()["used"], 1);
    assert_eq!(limit(1, "start_spacing").unwrap()["isReached"], true);
    assert_eq!(phones[1]["transactions"][0]["state"], "open");

    let shown = format!("{users}{sessions}{phones}");
    let stored = app.dump().await;
    let secrets = stored.iter().flat_map(|(_, item)| {
        let hash = item["password"]["S"].as_str();
        let id = (!item["idle_until"].is_null()).then(|| item["id"]["S"].as_str()).flatten();
        hash.into_iter().chain(id)
    });
    let secrets: Vec<_> = secrets.chain([token.as_str(), PASSWORD]).collect();
    assert_eq!(secrets.len(), 4, "a hash and a session's id are stored");
    assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");

    app.advance(604_800);
    assert_eq!(app.get("/_local/sessions", None).await.ok(), json!([]), "it has ended");
}

#[tokio::test]
async fn only_a_browser_on_this_machine_gets_the_page_at_the_root() {
    let app = TestApp::start().await;
    let get = |host: &'static str, accept: &'static str| {
        let request = app.request(Method::GET, "/").header("accept", accept);
        app.send(if host.is_empty() { request } else { request.header("host", host) })
    };
    let page = get("", "text/html,*/*;q=0.8").await;
    let html = page.clone().ok().as_str().unwrap().replace("<wbr>", "");
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(html.contains(&app.stack.config.url) && html.contains(local::MESSAGE_KEY));
    for route in &shared::http::routes::ROUTES {
        assert!(html.contains(route.path), "{}", route.path);
    }
    let other = get("", "*/*").await;
    other.refused(404, 14002, "not_found");
    assert_eq!(get("evil.example", "text/html").await.status, 404);
    assert_eq!(app.post("/", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_path_or_a_method_without_a_route_is_told_the_nearest_only_here() {
    let app = TestApp::start().await;
    let wrong_path = app.post("/api/user/register", &json!({})).await;
    wrong_path.refused(404, 14002, "not_found");
    let hint = "There is no route POST /api/user/register. Did you mean POST /api/users/register?";
    assert_eq!(wrong_path.body["errorData"]["hint"], hint);
    let wrong_method = app.get("/api/users/register", None).await;
    let hint = "There is no route GET /api/users/register. The path takes POST.";
    assert_eq!((wrong_method.status.as_u16(), &wrong_method.body["errorData"]["hint"]), (405, &json!(hint)));

    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/api/user/register", "rawQueryString": "", "headers": {},
        "requestContext": {"http": {"method": "POST", "path": "/api/user/register", "sourceIp": "127.0.0.1"}, "stage": "$default"},
        "isBase64Encoded": false,
    });
    let answer = app.stack.invoke("session", event).await.unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["errorData"], json!({"reason": "not_found"}), "the function itself says no more");
}

#[tokio::test]
async fn a_refusal_is_told_how_to_mend_the_request() {
    let app = TestApp::start().await;
    let hint = |reply: crate::support::Reply, reason: &str| {
        assert_eq!(reply.body["errorData"]["reason"], reason, "{}", reply.body);
        reply.body["errorData"]["hint"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_owned()
    };
    let register = "/api/users/register";
    for name in ["phonenumber", "phone", "to", "phone_number", "phoneNumer"] {
        let reply = app.post(register, &json!({ name: PHONE })).await;
        assert_eq!(hint(reply, "missing_field"), format!("You sent '{name}'; did you mean 'phoneNumber'?"));
    }
    let example = r#"The body is JSON like {"phoneNumber":"+14155550100"}."#;
    assert_eq!(hint(app.post(register, &json!({ "name": "Jane" })).await, "missing_field"), example);
    assert_eq!(hint(app.post_text(register, "").await, "empty_body"), example);
    assert_eq!(hint(app.post_text(register, "{'phoneNumber': 1}").await, "not_json"), example);
    assert_eq!(
        hint(app.post(register, &json!({ "phoneNumber": "" })).await, "missing_field"),
        "'phoneNumber' is empty."
    );
    let reply = app.post(register, &json!({ "phoneNumber": true })).await;
    assert_eq!(hint(reply, "wrong_type"), "'phoneNumber' must be a string; you sent a boolean.");
    let abroad = app.register_start("+4915112345678").await;
    assert_eq!(hint(abroad, "country_not_served"), "SMS_COUNTRIES is US,CA.");

    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let early = app.register_start(PHONE).await;
    let wait = early.body["errorData"]["retryAfter"].clone();
    assert_eq!(
        hint(early, "too_many_messages"),
        format!("Wait {wait} s, or POST /_local/clock {{\"advance\":{wait}}}.")
    );
    let enter = "/api/services/Plivo/loginWithCode";
    let reply = app.post(enter, &json!({ "transactionId": id, "code": "123456", "transactionCode": "1" })).await;
    assert_eq!(hint(reply, "unknown_field"), "The fields are transactionId, code.");
    let reply = app.post(enter, &json!({ "transactionId": id, "code": 123_456 })).await;
    assert_eq!(hint(reply, "wrong_type"), "'code' must be a string; you sent a number.");
    let digits = "'code' must be a string of 6 digits (CODE_LENGTH): the code from the SMS.";
    assert_eq!(hint(app.enter(&id, "12").await, "invalid_code"), digits);
    let form = "'transactionId' must be the transactionId that the first step has answered.";
    assert_eq!(hint(app.enter("1", "123456").await, "invalid_transaction_id"), form);

    let no_header = app.get("/api/users/me", None).await;
    assert_eq!(hint(no_header, "session_invalid"), "Send the session's token in the header user-token.");
    let no_session = app.get("/api/users/me", Some("B83FA46D-A19A-A8CE-FF2B-976B7A1D8100")).await;
    assert_eq!(no_session.body["errorData"], json!({ "reason": "session_invalid" }));
}

#[tokio::test]
async fn a_code_that_is_not_there_says_why() {
    let app = TestApp::start().await;
    let code = async || app.get("/_local/code?to=%2B14155550102", None).await;
    let none = code().await;
    none.refused(404, 14000, "no_code");
    assert_eq!(none.body["message"], "No message to this number yet.");
    app.login_start(UNKNOWN).await.ok();
    assert_eq!(code().await.body["message"], "No message to this number; /_local/starts says why.");
}

#[tokio::test]
async fn every_path_that_a_wrong_one_is_told_is_there() {
    let app = TestApp::start().await;
    let wrong = app.get("/_local/users/me", None).await;
    let hint = wrong.body["errorData"]["hint"].as_str().unwrap().trim_end_matches('.');
    let (_, paths) = hint.split_once("Below /_local are ").unwrap();
    for path in paths.split(", ") {
        let status = app.get(&format!("/_local/{path}"), None).await;
        assert!(status.body["errorData"]["reason"] != "not_found", "{path}: {}", status.body);
    }
    let page = app.get("/", None).await;
    let hint = format!("There is no route GET /. Open {}/ in a browser: it lists all routes.", app.stack.config.url);
    assert_eq!(page.body["errorData"]["hint"], hint);
}

/// Starts that send nothing take no more calls where somebody listens, as here; and nobody listens in a function binary.
#[tokio::test]
async fn a_listener_changes_no_call() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    app.register(PHONE, "jane@example.com").await;
    proxy.take_calls();
    let known = app.login_start(PHONE).await;
    let calls = proxy.take_operations();
    let unknown = app.login_start(UNKNOWN).await;
    assert_eq!((known.status, calls.len()), (unknown.status, 6));
    assert_eq!(proxy.take_operations(), calls);
    let id = challenge_id(&known.ok());
    for code in [wrong(&app.last_code(PHONE)), app.last_code(PHONE)] {
        app.enter(&id, &code).await;
    }
    proxy.take_calls();
    app.enter(&id, &app.last_code(PHONE)).await.refused(401, 14000, "code_rejected");
    let operations = proxy.take_operations();
    assert_eq!(operations.iter().filter(|operation| operation.contains("GetItem")).count(), 1, "{operations:?}");
    assert_eq!(newest(&app).await, entry("rejected", "used", PHONE));
}

#[test]
fn no_function_binary_has_a_listener() {
    fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files: Vec<_> = ["functions", "shared/src"].iter().flat_map(|folder| sources(&root.join(folder))).collect();
    let setters = ["Hints::to(", ".hints ="];
    let sets = |path: &&std::path::PathBuf| {
        std::fs::read_to_string(path).is_ok_and(|source| setters.iter().any(|setter| source.contains(setter)))
    };
    assert_eq!(files.iter().filter(sets).count(), 0);
    assert!(files.len() > 80, "{}", files.len());
    assert!(sets(&&root.join("local/src/inbox/starts.rs")), "the local stack does");
}
