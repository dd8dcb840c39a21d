//! Replays recorded requests of the official Backendless SDKs (`transcripts.json`) byte for byte, except that valid IDs, codes and tokens
//! replace the recorded ones.

use std::collections::HashMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id};

const PHONE: &str = "+15550001111";

#[derive(Deserialize)]
struct Transcripts {
    requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    step: String,
    root: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// A stack with a user, a session and open challenges, and the values that replace the recorded IDs.
async fn prepare(recorded: &Recorded) -> (TestApp, HashMap<&'static str, String>) {
    let app = TestApp::start().await;
    let mut live = HashMap::new();
    let registration = recorded.path == "/users/register";
    if registration && recorded.body.contains("transactionCode") {
        let id = challenge_id(&app.register_start(PHONE).await.ok());
        live.extend([
            ("5E1F0B5C-0000-0000-0000-00000000AAAA", id),
            ("\"123456\"", format!("\"{}\"", app.last_code(PHONE))),
        ]);
    } else if !registration {
        let user = app.register(PHONE, "jane@example.com").await;
        live.insert("CBFA6722-58AD-12BE-FF80-28999D7D0200", user["objectId"].as_str().unwrap().to_owned());
        live.insert("B83FA46D-A19A-A8CE-FF2B-976B7A1D8100", app.log_in(PHONE).await);
        if recorded.path.ends_with("/loginWithCode") {
            let id = challenge_id(&app.login_start(PHONE).await.ok());
            live.extend([
                ("5E1F0B5C-0000-0000-0000-00000000BBBB", id),
                ("\"123456\"", format!("\"{}\"", app.last_code(PHONE))),
            ]);
        }
    }
    live.insert("\"s3cret\"", format!("\"{PASSWORD}\""));
    (app, live)
}

async fn replay(app: &TestApp, recorded: &Recorded, live: &HashMap<&'static str, String>) -> Reply {
    let fill = |text: &str| live.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let root =
        if recorded.root == "api" { "/api".to_owned() } else { format!("/{}/{}", local::APP_ID, local::API_KEY) };
    let method = Method::from_bytes(recorded.method.as_bytes()).unwrap();
    let mut request = app.request(method, &format!("{root}{}", fill(&recorded.path)));
    for (name, value) in &recorded.headers {
        request = request.header(name, fill(value));
    }
    if recorded.path.ends_with("/sendMessage") {
        request = request.bearer_auth(local::MESSAGE_KEY);
    }
    app.send(request.body(fill(&recorded.body))).await
}

/// The response that each request must get.
fn check(recorded: &Recorded, reply: &Reply) {
    let (path, body) = (recorded.path.as_str(), recorded.body.as_str());
    let has_token = recorded.headers.iter().any(|(name, _)| name == "user-token");
    if recorded.method == "OPTIONS" {
        assert_eq!(reply.status, 204);
        return;
    }
    match path {
        "/info" => assert_eq!(reply.clone().ok()["appId"], local::APP_ID),
        "/users/register" if body.contains("transactionCode") => assert!(reply.clone().ok()["objectId"].is_string()),
        "/users/register" if body.contains(PHONE) => drop(challenge_id(&reply.clone().ok())),
        "/users/register" => reply.refused(400, 8007, "missing_field"),
        "/services/Plivo/loginWithPhoneNumber" if body.is_empty() => reply.refused(400, 8005, "empty_body"),
        "/services/Plivo/loginWithPhoneNumber" if body.starts_with('[') => reply.refused(400, 8008, "wrong_type"),
        "/services/Plivo/loginWithPhoneNumber" | "/services/Plivo/loginWithPhoneNumberAndPassword" => {
            drop(challenge_id(&reply.clone().ok()))
        }
        "/services/Plivo/loginWithCode" if body.contains("BBBB") => {
            assert!(reply.clone().ok()["user-token"].is_string())
        }
        "/services/Plivo/loginWithCode" if body.contains("transactionId") => {
            reply.refused(400, 8008, "invalid_transaction_id")
        }
        "/services/Plivo/loginWithCode" => reply.refused(400, 8007, "missing_field"),
        "/services/Plivo/sendMessage" if body.contains("\"+1\"") => reply.refused(400, 8008, "invalid_phone_number"),
        "/services/Plivo/sendMessage" => assert_eq!(reply.clone().ok()["message"], "message(s) queued"),
        "/users/logout" => assert_eq!(reply.clone().ok(), json!({})),
        _ if path.starts_with("/users/isvalidusertoken/") => assert_eq!(reply.clone().ok(), Value::Bool(true)),
        _ if path.starts_with("/data/Users/") && has_token => assert_eq!(reply.clone().ok()["phoneNumber"], PHONE),
        _ if path.starts_with("/data/Users/") => reply.refused(401, 3064, "session_invalid"),
        _ => panic!("no expectation for {path}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_request_is_answered() {
    let transcripts: Transcripts = serde_json::from_str(include_str!("transcripts.json")).unwrap();
    assert!(transcripts.requests.len() > 80);
    for recorded in &transcripts.requests {
        let (app, live) = prepare(recorded).await;
        let reply = replay(&app, recorded, &live).await;
        println!("{} {} {}: {}", recorded.step, recorded.method, recorded.path, reply.status);
        check(recorded, &reply);
    }
}

#[tokio::test]
async fn the_recorded_password_is_too_short_for_us() {
    let app = TestApp::start().await;
    let id = challenge_id(&app.register_start(PHONE).await.ok());
    let body = json!({"email": "jane@example.com", "password": "s3cret", "phoneNumber": PHONE, "transactionId": id, "transactionCode": app.last_code(PHONE)});
    app.post("/api/users/register", &body).await.refused(400, 14000, "password_too_short");
}
