//! Each function's role allows exactly what the function does. Every test shows that it allows enough: the IAM check refuses what the
//! role does not allow (`support::iam`). The tests here show that it allows no more.

use std::collections::{BTreeMap, BTreeSet};

use local::Options;
use local::fault_proxy::Fault as StoreFault;
use local::iam::{Iam, Permission};
use local::simulator::Fault;
use local::template::Template;
use serde_json::json;

use crate::deliveries::report;
use crate::opt_out;
use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";

/// The permissions of a function that its own calls use.
fn allowed(template: &Template, function: &str) -> BTreeSet<Permission> {
    // Lambda uses these under the function's role: it writes the logs and reads the queues.
    let by_lambda = ["logs:", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let own = |permission: &&Permission| !by_lambda.iter().any(|start| permission.0.starts_with(start));
    template.functions[function].permissions.iter().filter(own).cloned().collect()
}

#[tokio::test]
async fn no_function_may_do_what_it_never_does() {
    let iam = Iam::new().unwrap();
    flows(&iam).await;
    failures(&iam).await;
    captcha(&iam).await;
    let settings = vec![("SESSION_AFTER_REGISTRATION".to_owned(), "true".to_owned())];
    let app = TestApp::options(Options { iam: Some(iam.clone()), settings, ..Options::default() }).await;
    app.register(PHONE, "jane@example.com").await;
    let template = Template::read().unwrap();
    let allowed: BTreeMap<_, _> =
        template.functions.keys().map(|name| (name.clone(), allowed(&template, name))).collect();
    assert_eq!(iam.used(), allowed);
}

/// Every operation, without failures.
async fn flows(iam: &Iam) {
    let app = TestApp::options(Options { iam: Some(iam.clone()), ..Options::default() }).await;
    app.stack.warm().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let id = challenge_id(&app.password_start(PHONE, PASSWORD).await.ok());
    app.enter(&id, &wrong(&app.last_code(PHONE))).await.refused(401, 14000, "code_rejected");
    app.enter(&id, &app.last_code(PHONE)).await.ok();
    app.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok();
    app.get(&format!("/api/data/Users/{}", user["objectId"].as_str().unwrap()), Some(&token)).await.ok();
    let asked = json!({"version": "2.0", "type": "REQUEST", "headers": {"user-token": token}});
    assert_eq!(app.stack.invoke("authorizer", asked).await.unwrap()["isAuthorized"], true);
    app.send(app.request(reqwest::Method::POST, "/api/users/token").header("user-token", &token)).await.ok();
    let sessions = app.get("/api/users/sessions", Some(&token)).await.ok();
    app.advance(60);
    let challenge = challenge_id(&app.login_start(PHONE).await.ok());
    app.enter_with(&challenge, &app.last_code(PHONE), "new").await.ok();
    let path = format!("/api/users/sessions/{}", sessions[0]["id"].as_str().unwrap());
    for path in ["/api/users/sessions", &path] {
        let request = app.request(reqwest::Method::DELETE, path).header("user-token", &token);
        app.send(request).await.ok();
    }
    app.fill_sessions(user["objectId"].as_str().unwrap()).await;
    app.advance(60);
    let token = app.log_in(PHONE).await;
    app.get("/api/users/logout", Some(&token)).await.ok();
    // The phone that the user will have when it is deleted.
    let consent = json!({"phoneNumber": "+14155550108", "text": "Text me.", "source": "test"});
    let request = app.request(reqwest::Method::POST, "/api/services/Plivo/consent").bearer_auth(local::MESSAGE_KEY);
    app.send(request.body(consent.to_string())).await.ok();
    account(&app, user["objectId"].as_str().unwrap()).await;
    app.message(&json!({"phoneNumber": PHONE, "message": "Hello"})).await.ok();
    for word in ["STOP", "HELP"] {
        opt_out::text(&app, word, "+14155550109", word).await;
    }
    reports(&app).await;
    for queue in ["messages", "messages.fifo"] {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        let poison = json!({"eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": queue, "body": "poison",
            "attributes": {"MessageGroupId": "a"}});
        app.stack.invoke("send-message", json!({ "Records": [poison] })).await.unwrap();
    }
}

/// What became of a code that did not arrive, and of a message.
async fn reports(app: &TestApp) {
    let path = app.code_path("+14155550106").await;
    app.report(&path, &report("+14155550106", "undelivered", 3, &[])).await;
    app.report(&app.message_path(PHONE), &report(PHONE, "delivered", 3, &[("MessageUUID", "a")])).await;
    assert_eq!(app.message_status("a").await.ok()["state"], "delivered");
}

/// What users do with their account: a new password tells the phone, and that can fail.
async fn account(app: &TestApp, user: &str) {
    app.advance(60);
    let challenge = challenge_id(&app.login_start(PHONE).await.ok());
    let login = app.enter_with(&challenge, &app.last_code(PHONE), "new").await.ok();
    let token = login["user-token"].as_str().unwrap();
    let path = format!("/api/users/{user}");
    let send = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        app.send(app.request(method, path).header("user-token", token).body(body.to_string())).await.ok()
    };
    send(reqwest::Method::POST, "/api/users/verifypassword", json!({"password": PASSWORD})).await;
    for (fault, password) in [(Fault::Status(503), "another horse battery"), (Fault::None, "third horse battery")] {
        app.stack.simulator.set_fault(fault);
        send(reqwest::Method::PUT, &path, json!({ "password": password })).await;
    }
    for (fault, line) in [(Fault::Status(503), 7), (Fault::None, 8)] {
        app.stack.simulator.set_fault(fault);
        let phone = format!("+1415555010{line}");
        let request = app.request(reqwest::Method::PUT, &path).header("user-token", token);
        let started = app.send(request.body(json!({ "phoneNumber": phone }).to_string())).await;
        if let Some(challenge) = started.body["transactionId"].as_str() {
            let code = app.last_code(&phone);
            for (code, status) in [(wrong(&code), 401), (code, 200)] {
                let body = json!({"phoneNumber": phone, "transactionId": challenge, "transactionCode": code});
                let request = app.request(reqwest::Method::PUT, &path).header("user-token", token);
                assert_eq!(app.send(request.body(body.to_string())).await.status, status);
            }
        }
    }
    app.get("/api/users/export", Some(token)).await.ok();
    send(reqwest::Method::DELETE, &path, json!({})).await;
}

/// After failures, functions release reservations, open and close the circuit breaker, and look up transactions whose response was lost.
async fn failures(iam: &Iam) {
    let (app, proxy, _store) = TestApp::behind_fault_proxy_with(iam, &[]).await;
    app.register(PHONE, "jane@example.com").await;
    for fault in [Fault::Status(503), Fault::None] {
        app.stack.simulator.set_fault(fault);
        app.register_start("+14155550102").await;
        app.stack.simulator.set_fault(Fault::Status(503));
        app.advance(30);
        app.password_start(PHONE, PASSWORD).await.refused(503, 14000, "sms_unavailable");
    }
    app.stack.simulator.set_fault(Fault::Status(503));
    app.message(&json!({"phoneNumber": PHONE, "message": "Hello"})).await.refused(503, 14000, "sms_unavailable");
    app.stack.simulator.set_fault(Fault::None);
    app.advance(30);
    app.password_start(PHONE, PASSWORD).await.ok();
    app.advance(60);
    // The budget cannot be reserved, so the phone's start is rolled back. (Each shard has been used in this hour, so the reservation is an
    // update.)
    for line in 4..8 {
        app.register_start(&format!("+1415555010{line}")).await.ok();
    }
    for _ in 0..3 {
        proxy.once("UpdateItem", StoreFault::Throttle);
    }
    app.login_start(PHONE).await.refused(503, 14000, "unavailable");
    let id = challenge_id(&app.login_start(PHONE).await.ok());
    for _ in 0..3 {
        proxy.once("TransactWriteItems", StoreFault::HangUp);
    }
    app.enter(&id, &app.last_code(PHONE)).await.refused(503, 14000, "unavailable");
    app.advance(30);
    let id = challenge_id(&app.register_start("+14155550103").await.ok());
    for _ in 0..3 {
        proxy.once("TransactWriteItems", StoreFault::HangUp);
    }
    let code = app.last_code("+14155550103");
    let body = TestApp::registration("+14155550103", "joe@example.com", &id, &code);
    app.post("/api/users/register", &body).await.refused(503, 14000, "unavailable");
}

/// Whoever asks for a captcha verifies it.
async fn captcha(iam: &Iam) {
    let settings = [("CAPTCHA_HOSTNAMES", "localhost"), ("STARTS_PER_ADDRESS", "5")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let app = TestApp::options(Options { iam: Some(iam.clone()), settings, ..Options::default() }).await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let ask = async |path: &str, body: serde_json::Value| {
        app.post_from("127.0.0.1", &json!({ "captcha-token": "guessed" }), path, &body).await
    };
    for line in 0..5 {
        let phone = format!("+1415555020{line}");
        let id =
            challenge_id(&ask("/api/services/Plivo/loginWithPhoneNumber", json!({ "phoneNumber": phone })).await.ok());
        for _ in 0..5 {
            app.enter_from("127.0.0.1", &id, "000000").await.refused(401, 14000, "code_rejected");
        }
        let code = json!({ "transactionId": id, "code": "000000" });
        if line == 4 {
            ask("/api/services/Plivo/loginWithCode", code).await.refused(403, 14000, "captcha_required");
        }
    }
    let body = json!({ "phoneNumber": PHONE });
    for path in ["/api/users/register", "/api/services/Plivo/loginWithPhoneNumber"] {
        ask(path, body.clone()).await.refused(403, 14000, "captcha_required");
    }
    let body = json!({ "phoneNumber": PHONE, "password": PASSWORD });
    let path = "/api/services/Plivo/loginWithPhoneNumberAndPassword";
    ask(path, body).await.refused(403, 14000, "captcha_required");
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    let request = app.request(reqwest::Method::PUT, &path).header("user-token", token);
    let request = request.header("captcha-token", "guessed").body(json!({"phoneNumber": "+14155550109"}).to_string());
    app.send(request).await.refused(403, 14000, "captcha_required");
}

#[tokio::test]
async fn iam_refuses_what_no_role_allows() {
    // A setting points the function to a table that its role does not allow.
    for (table, path, function) in [
        ("USERS_TABLE", "/api/services/Plivo/loginWithPhoneNumber", "login-phone"),
        ("PHONES_TABLE", "/api/users/register", "register"),
    ] {
        let app = TestApp::with(&[(table, "messages")]).await;
        app.post(path, &json!({"phoneNumber": PHONE})).await.refused(503, 14000, "unavailable");
        let refusal = format!("{function} is not authorized to perform dynamodb:BatchGetItem on MessagesTable");
        assert!(crate::support::log().contains(&refusal));
    }
}
