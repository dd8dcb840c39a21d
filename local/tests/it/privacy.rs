//! Secrets at rest and in logs: after every flow, no table and no log line contains a code, a password, a token, a key, or a phone number
//! outside its user's own row.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use local::simulator::Fault;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::json;
use shared::crypto::Keys;

use crate::deliveries::report;
use crate::opt_out;
use crate::support::{PASSWORD, TestApp, challenge_id, log, remember, secrets, wrong};

const PHONE: &str = "+14155550142";
const OTHER: &str = "+14155550143";

/// Every flow, with errors and failures in between. Codes have ten digits, because six occur in other numbers by chance.
async fn all_flows() -> TestApp {
    let app = TestApp::with(&[("CODE_LENGTH", "10")]).await;
    app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    let code = app.last_code(PHONE);
    app.enter(&id, &wrong(&code)).await;
    let user = app.enter(&id, &code).await.ok();
    remember(user["user-token"].as_str().unwrap());
    app.get(&format!("/api/users/isvalidusertoken/{token}"), Some(&token)).await;
    let jwt = app.send(app.request(reqwest::Method::POST, "/api/users/token").header("user-token", &token)).await.ok();
    let jwt = jwt["token"].as_str().unwrap().to_owned();
    app.get(&format!("/api/data/Users/{}", user["objectId"].as_str().unwrap()), Some(&token)).await;
    app.get("/api/users/logout", Some(&token)).await;
    app.get("/api/users/logout", Some(&token)).await;
    let (put, delete) = (reqwest::Method::PUT, reqwest::Method::DELETE);
    let own = app.register("+14155550145", "joe@example.com").await;
    let token = app.log_in("+14155550145").await;
    consents(&app, "+14155550145").await;
    let path = format!("/api/users/{}", own["objectId"].as_str().unwrap());
    for (method, body) in [(put, json!({"password": "another horse battery"})), (delete, json!({}))] {
        app.send(app.request(method, &path).header("user-token", &token).body(body.to_string())).await.ok();
    }
    remember("another horse battery");
    app.message(&json!({"phoneNumber": OTHER, "message": "a text that is nobody's business"})).await.ok();
    app.post_text("/api/services/Plivo/sendMessage", "{}").await;
    for fault in [
        Fault::Status(500),
        Fault::Nonsense,
        Fault::HangUp,
        Fault::Refuse400(format!("'{OTHER}' is not a valid phone number.")),
        Fault::Status(401),
    ] {
        app.stack.simulator.set_fault(fault);
        app.register_start(OTHER).await;
        app.login_start(PHONE).await;
        app.message(&json!({"phoneNumber": OTHER, "message": "a text that is nobody's business"})).await;
        app.advance(61);
    }
    app.stack.simulator.set_fault(Fault::None);
    app.register_start("not a number").await;
    app.register_start(OTHER).await;
    app.login_start("+14155550144").await;
    app.texts(OTHER);
    let path = app.code_path("+14155550146").await;
    for (phone, path) in [("+14155550146", path), (OTHER, app.message_path(OTHER))] {
        app.report(&path, &report(phone, "undelivered", 3, &[("ErrorCode", "70")])).await;
        app.message_status("5b40a428-bfc7-4daf-9d06-726c558bf3b8").await;
    }
    for secret in [
        local::MESSAGE_KEY,
        local::ROOT_KEY,
        local::PLIVO_AUTH_TOKEN,
        local::PLIVO_AUTH_ID,
        &local::JWT_KEY[200..300],
        jwt.as_str(),
        "nobody's business",
        "not a number",
        // Of a report.
        "14155550146",
        "14155550199",
    ] {
        remember(secret);
    }
    app
}

/// What phones agree to: this one, whose user is deleted afterwards, and others who write to us.
async fn consents(app: &TestApp, phone: &str) {
    let consent = json!({"phoneNumber": phone, "text": "Text me about shoes.", "source": "test"});
    let request = app.request(reqwest::Method::POST, "/api/services/Plivo/consent").bearer_auth(local::MESSAGE_KEY);
    app.send(request.body(consent.to_string())).await.ok();
    for (uuid, from, text) in
        [("one", phone, "STOP"), ("two", "+14155550146", "HELP"), ("three", "+14155550147", "a secret for nobody")]
    {
        opt_out::text(app, uuid, from, text).await;
        remember(&from[1..]);
    }
    app.message(&json!({"phoneNumber": phone, "message": "Hello"})).await.refused(403, 14000, "opted_out");
    remember("about shoes");
    remember("a secret for nobody");
}

#[tokio::test]
async fn no_log_line_holds_a_secret() {
    all_flows().await;
    let log = log();
    assert!(log.contains("request refused") && log.contains("code message not sent"), "there is a log to look through");
    // Six digits occur in timestamps by chance; the flows above have codes of ten.
    for secret in secrets().iter().filter(|secret| secret.len() > 6) {
        assert!(!log.contains(secret.as_str()), "the log holds {secret}");
    }
}

/// All auth events have one form: an event of the list, its outcome, the client's network, and the user if known.
#[tokio::test]
async fn auth_events_have_one_form() {
    const EVENTS: [&str; 12] = [
        "authn_login_success",
        "authn_login_fail",
        "authn_login_fail_max",
        "excess_rate_limit_exceeded",
        "authz_fail",
        "session_use_after_expire",
        "session_expired",
        "user_created",
        "user_updated",
        "user_deleted",
        "input_validation_fail",
        "sys_kill_switches_changed",
    ];
    let app = all_flows().await;
    app.register_start(PHONE).await;
    app.register_start(PHONE).await.limited("too_many_messages");
    for _ in 0..9 {
        app.password_start(PHONE, "wrong password").await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for line in log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(event) = line["event"].as_str() else { continue };
        assert!(EVENTS.contains(&event), "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        seen.insert(event.to_owned());
        if event == "sys_kill_switches_changed" {
            continue;
        }
        assert!(line["reason"].is_string() || line["flow"].is_string(), "{line}");
        let mut spans = line["spans"].as_array().into_iter().flatten();
        let Some(request) = spans.find(|span| span["name"] == "request") else {
            // An event of another AWS service has no network.
            assert_eq!(line["function"], "send-message", "{line}");
            continue;
        };
        let client = request["client"].as_str().unwrap();
        assert!(client.ends_with(".0/24") || client.ends_with("/48") || client == "unknown", "{line}");
        if event.starts_with("authn_login_success") || event == "user_created" {
            assert!(request["user"].is_string() && request["phone"].as_str().unwrap().contains("•••"), "{line}");
        }
    }
    for event in EVENTS.iter().filter(|event| **event != "sys_kill_switches_changed") {
        assert!(seen.contains(*event), "{event} was not logged: {seen:?}");
    }
}

/// An attacker with all tables but not the root key tries every code, hashed in the common ways.
#[tokio::test]
async fn without_the_root_key_a_million_guesses_find_no_code() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let code = app.last_code(PHONE);
    let items = app.dump().await;
    let sealed: Vec<_> =
        items.iter().filter_map(|(_, item)| item["challenges"]["M"]["register"]["M"]["code"]["S"].as_str()).collect();
    let [sealed] = sealed[..] else { panic!("{items:?}") };
    let stored = STANDARD_NO_PAD.decode(sealed).unwrap();
    let found = |hash: &[u8]| stored.windows(6).any(|part| hash.windows(6).any(|other| other == part));
    let tag = hmac::Key::new(hmac::HMAC_SHA256, id.as_bytes());
    for number in 0..1_000_000 {
        let tried = format!("{number:06}");
        let salted = format!("{id}{tried}");
        for hash in [digest(&SHA256, tried.as_bytes()), digest(&SHA256, salted.as_bytes())] {
            assert_ne!(&stored[stored.len() - 16..], &hash.as_ref()[..16], "{tried}");
            assert_ne!(stored.get(..16), hash.as_ref().get(..16), "{tried}");
        }
        assert_ne!(&stored[stored.len() - 16..], &hmac::sign(&tag, tried.as_bytes()).as_ref()[..16], "{tried}");
    }
    assert!(!found(code.as_bytes()) && !sealed.contains(&code), "nor does it stand there");
    let other = Keys::derive(&"another-root-key-0123456789abcdef0123".into()).unwrap();
    assert!(other.open_code(sealed, &id).is_err());
    let own = Keys::derive(&local::ROOT_KEY.into()).unwrap();
    assert!(own.open_code(sealed, &id).is_ok(), "with it, it opens");
}

#[tokio::test]
async fn no_table_holds_a_secret() {
    let app = all_flows().await;
    let own_row = |item: &serde_json::Value| item["id"]["S"].as_str().is_some_and(|id| id.starts_with("user#"));
    let items = app.dump().await;
    assert!(items.len() >= 7, "there are rows to look through");
    for (table, item) in &items {
        let text = item.to_string();
        for secret in secrets().iter().filter(|secret| secret.len() > 6) {
            let allowed = own_row(item) && PHONE.ends_with(secret.as_str());
            assert!(allowed || !text.contains(secret.as_str()), "{table} holds {secret}: {text}");
        }
        assert!(own_row(item) || !text.contains("jane@example.com"), "{table}: {text}");
    }
    let passwords: Vec<_> = items.iter().filter_map(|(_, item)| item["password"]["S"].as_str()).collect();
    assert!(passwords.len() == 1 && passwords[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{passwords:?}");
}

#[tokio::test]
async fn items_that_expire_say_when() {
    let app = all_flows().await;
    let now = app.stack.clock.advance(std::time::Duration::ZERO).as_seconds();
    for (table, item) in app.dump().await {
        let expires = item["expires_at"]["N"].as_str().map(|seconds| seconds.parse::<i64>().unwrap());
        let has_consents = item["opted_out"].is_object() || item["records"]["L"] != json!([]);
        let is_kept = match table {
            "users" => true,
            "controls" => item["count"].is_null(),
            "consents" => has_consents,
            _ => false,
        };
        assert_eq!(expires.is_none(), is_kept, "{table}");
        let longest = match (table, item["state"]["S"].as_str()) {
            ("messages", Some("unknown")) => 367,
            ("messages", _) if item["created"].is_object() => 31,
            ("messages", _) => 16,
            // The devices of an owner are kept for longer.
            ("phones", _) if item["last_verified"].is_object() => 181,
            ("counters", _) => 41,
            ("decisions" | "consents", _) => 31,
            _ => 8,
        };
        assert!(expires.is_none_or(|at| at > now && at < now + longest * 86_400), "{table}: {item}");
    }
}

#[tokio::test]
async fn nothing_that_holds_secrets_prints_them() {
    let app = TestApp::start().await;
    app.register_start(PHONE).await.ok();
    let now = app.stack.clock.advance(std::time::Duration::ZERO);
    let app = &app.stack.app;
    let printed = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        app,
        app.settings,
        app.secrets,
        app.secrets.keys(now).await,
        app.secrets.plivo(now).await,
        app.secrets.message_keys(now).await
    );
    for secret in [local::MESSAGE_KEY, local::ROOT_KEY, local::PLIVO_AUTH_TOKEN, local::PLIVO_AUTH_ID] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
