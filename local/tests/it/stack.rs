//! The local stack itself: its options and its API for programs.

use std::time::Duration;

use local::{Data, Options, Stack};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, challenge_id};

const PHONE: &str = "+14155550101";

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let first = TestApp::start().await;
    let port = first.stack.config.url.rsplit(':').next().unwrap().parse().unwrap();
    let error = Stack::start(Options { port, ..Options::default() }).await.err().unwrap();
    let text = error.to_string();
    assert!(text.contains(&port.to_string()) && text.contains("another Otpost") && text.contains("--port"), "{text}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_said() {
    let host = Some("192.0.2.1".parse().unwrap());
    let error = Stack::start(Options { host, ..Options::default() }).await.err().unwrap();
    assert!(error.to_string().contains("cannot listen on 192.0.2.1"), "{error}");
}

/// What is for this machine only, by one path of each router.
const LOCAL_PATHS: [&str; 10] = [
    "/_local/",
    "/_local/messages",
    "/_local/users",
    "/_local/config",
    "/_local/plivo",
    "/_local/dead-letters",
    "/v1/Account/MALOCALLOCALLOCALLOC/Message/",
    "/docs/",
    "/openapi.json",
    "/demo/",
];

/// An Android emulator reaches the machine as 10.0.2.2, which arrives from 127.0.0.1.
#[tokio::test]
async fn phones_and_emulators_reach_the_api_and_not_the_inbox() {
    for host in [None, Some("0.0.0.0")] {
        let host = host.map(|host| host.parse().unwrap());
        let app = TestApp::options(Options { host, ..Options::default() }).await;
        for name in ["10.0.2.2:3000", "192.168.1.5:3000"] {
            let start = app.request(Method::POST, "/api/users/register").header("host", name);
            app.send(start.body(json!({ "phoneNumber": PHONE }).to_string())).await.ok();
            for path in LOCAL_PATHS {
                let request =
                    app.request(Method::GET, path).basic_auth(local::PLIVO_AUTH_ID, Some(local::PLIVO_AUTH_TOKEN));
                app.send(request.header("host", name)).await.refused(403, 14000, "loopback_only");
            }
            for path in
                ["/_local/aws", "/_local/captcha", "/_local/captcha/siteverify", "/_local/clock", "/_local/inbound"]
            {
                let request = app.request(Method::POST, path).header("host", name);
                app.send(request).await.refused(403, 14000, "loopback_only");
            }
            let message = json!({ "src": "14155550199", "dst": "14155550101", "text": "From elsewhere" });
            let request = app.request(Method::POST, "/v1/Account/MALOCALLOCALLOCALLOC/Message/").header("host", name);
            let request = request.basic_auth(local::PLIVO_AUTH_ID, Some(local::PLIVO_AUTH_TOKEN));
            app.send(request.body(message.to_string())).await.refused(403, 14000, "loopback_only");
            app.advance(30);
        }
        assert_eq!(app.get("/_local/messages", None).await.ok().as_array().map(Vec::len), Some(2));
    }
}

/// Elsewhere, 127.0.0.2 has to be set up first.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stack_listens_on_two_addresses() {
    let host = Some("127.0.0.2".parse().unwrap());
    let app = TestApp::options(Options { host, ..Options::default() }).await;
    let other = app.stack.config.url.replace("127.0.0.1", "127.0.0.2");
    let info = local::http_client().unwrap().get(format!("{other}/api/info")).send().await.unwrap();
    assert_eq!(info.status(), 200);
    app.get("/api/info", None).await.ok();
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let settings = vec![("CODE_LENGTH".to_owned(), "5".to_owned())];
    let error = Stack::start(Options { settings, ..Options::default() }).await.err().unwrap();
    assert!(shared::logging::chain(&error).contains("setting CODE_LENGTH must be a number from 6 to 10"), "{error}");
}

#[test]
fn a_misspelt_setting_is_told_the_nearest() {
    for (setting, said) in [
        ("CODE_LENGHT=7", "there is no setting CODE_LENGHT; did you mean CODE_LENGTH?"),
        ("sms_countries=US", "there is no setting sms_countries; did you mean SMS_COUNTRIES?"),
        ("X=1", "there is no setting X; README.md lists the settings"),
        ("X", "must be KEY=VALUE"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_otpost-local"));
        let output = command.args(["--config", setting]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(said), "{text}");
    }
}

#[tokio::test]
async fn the_config_is_what_programs_need() {
    let app = TestApp::start().await;
    let config = app.get("/_local/config", None).await.ok();
    let names: Vec<_> = config.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "url",
            "appId",
            "apiKey",
            "messageKey",
            "plivoAuthId",
            "plivoAuthToken",
            "dynamodbEndpoint",
            "secretsEndpoint"
        ]
    );
    assert_eq!(config["url"], app.stack.config.url);
}

#[tokio::test]
async fn the_clock_moves_forward_only() {
    let app = TestApp::start().await;
    let now = |reply: crate::support::Reply| reply.ok()["now"].as_i64().unwrap();
    let first = now(app.post("/_local/clock", &json!({"advance": 0})).await);
    let second = now(app.post("/_local/clock", &json!({"advance": 3600})).await);
    assert_eq!(second, first + 3_600_000);
    for body in [
        json!({}),
        json!({"advance": -1}),
        json!({"advance": "1"}),
        json!({"advance": 1e18}),
        json!({"advance": 1, "x": 1}),
        json!([]),
    ] {
        app.post("/_local/clock", &body).await.refused(400, 14000, "invalid_advance");
    }
}

#[tokio::test]
async fn the_inbox_hears_of_messages_of_the_clock_and_of_the_end() {
    let app = TestApp::start().await;
    let version = async || app.get("/_local/events", None).await.ok()["version"].as_u64().unwrap();
    let wait = async |seen: u64| {
        app.get(&format!("/_local/events?after={seen}"), None).await.ok()["version"].as_u64().unwrap()
    };
    let first = version().await;
    let (second, _) = tokio::join!(wait(first), app.register_start(PHONE));
    assert_ne!(first, second);
    let minute = json!({"advance": 60});
    let (third, _) = tokio::join!(wait(second), app.post("/_local/clock", &minute));
    assert_ne!(second, third);
    let request = app.request(Method::GET, &format!("/_local/events?after={third}"));
    let waiting = tokio::spawn(request.send());
    app.get("/_local/config", None).await.ok();
    app.stack.stop(Duration::from_secs(15)).await;
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn messages_are_listed_for_programs() {
    let app = TestApp::start().await;
    app.register_start(PHONE).await.ok();
    app.message(&json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": "https://a.example/x.png"})).await.ok();
    app.register_start("+14155550102").await.ok();
    let list = app.get("/_local/messages?to=+14155550101", None).await.ok();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    let newest = &list[0];
    let names: Vec<_> = newest.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["id", "from", "to", "text", "type", "mediaUrls", "state", "created"]);
    assert_eq!(
        (&newest["to"], &newest["text"], &newest["type"], &newest["mediaUrls"]),
        (&json!(PHONE), &json!("Hello"), &json!("mms"), &json!(["https://a.example/x.png"]))
    );
    assert_eq!(app.get("/_local/messages?to=%2B14155550101", None).await.ok(), list);
    assert_eq!(app.get("/_local/messages", None).await.ok().as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn other_hosts_names_see_nothing_of_the_stack() {
    let app = TestApp::start().await;
    for path in ["/_local/", "/_local/config", "/_local/messages"] {
        let reply = app.send(app.request(Method::GET, path).header("host", "evil.example")).await;
        assert_eq!(reply.status, 403, "{path}");
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
        let request = app.request(Method::POST, "/_local/clock").header("origin", origin).body("{\"advance\":1}");
        assert_eq!(app.send(request).await.status, 403, "{origin}");
    }
    let own = app.stack.config.url.as_str();
    for (origin, status) in [("http://localhost:8080", 403), ("http://127.0.0.1:1", 403), (own, 200)] {
        let request = app.request(Method::POST, "/_local/clock").header("origin", origin);
        assert_eq!(app.send(request.body("{\"advance\":1}")).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn whatever_is_local_goes_into_no_frame_and_no_cache() {
    let app = TestApp::start().await;
    let headers = [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for path in LOCAL_PATHS {
        for host in ["localhost", "evil.example"] {
            let reply = app.send(app.request(Method::GET, path).header("host", host)).await;
            for (name, value) in headers {
                assert_eq!(reply.headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{path} {name}");
            }
        }
    }
    let document = app.get("/openapi.json", None).await.ok();
    assert_eq!(document["openapi"], "3.1.0", "tools send no Origin");
    let demo = app.get("/demo/", None).await;
    assert!(demo.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
}

#[tokio::test]
async fn plivo_fails_as_it_is_told() {
    let app = TestApp::start().await;
    let refused = app.post("/_local/plivo", &json!({"status": 200})).await;
    refused.refused(400, 14000, "invalid_fault");
    let message = json!({"phoneNumber": PHONE, "message": "Hello"});
    let plan = json!({"status": 503, "to": "+1415", "times": 2});
    assert_eq!(app.post("/_local/plivo", &plan).await.ok(), json!({ "fault": plan }));
    app.message(&message).await.refused(503, 14000, "sms_unavailable");
    assert_eq!(app.get("/_local/plivo", None).await.ok()["fault"]["times"], 1);
    app.send(app.request(Method::DELETE, "/_local/plivo")).await.ok();
    assert_eq!(app.get("/_local/plivo", None).await.ok(), json!({ "fault": null }));
    app.message(&message).await.ok();
    app.post("/_local/plivo", &json!({"hangUp": true, "times": 1})).await.ok();
    app.message(&message).await.refused(503, 14000, "sms_unknown");
    let elsewhere = app.request(Method::DELETE, "/_local/plivo").header("host", "evil.example");
    assert_eq!(app.send(elsewhere).await.status, 403);
}

#[tokio::test]
async fn data_in_a_folder_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { data: Data::Folder(folder.path().to_owned()), ..Options::default() };
    let first = TestApp::options(options()).await;
    first.register(PHONE, "jane@example.com").await;
    let token = first.log_in(PHONE).await;
    let messages = first.get("/_local/messages", None).await.ok();
    assert_eq!(messages.as_array().map(Vec::len), Some(2));
    first.stack.stop(Duration::from_secs(5)).await;
    let second = TestApp::options(options()).await;
    assert_eq!(second.get(&format!("/api/users/isvalidusertoken/{token}"), None).await.ok(), json!(true));
    second.advance(60);
    assert_eq!(second.get("/_local/messages", None).await.ok(), messages);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir_all(folder.path().join("taken/otpost.sqlite")).unwrap();
    std::fs::create_dir_all(folder.path().join("messages/messages.jsonl")).unwrap();
    for data in [file.clone(), file.join("below"), folder.path().join("taken"), folder.path().join("messages")] {
        let error =
            Stack::start(Options { data: Data::Folder(data.clone()), ..Options::default() }).await.err().unwrap();
        let said = format!("the data folder {} cannot be used", data.display());
        assert!(error.to_string().starts_with(&said), "{error}");
    }
}

#[tokio::test]
async fn a_seed_is_there_as_if_it_had_happened() {
    let seed = local::events::seed();
    let app = TestApp::options(Options { seed: Some(seed.clone()), ..Options::default() }).await;
    let text = std::fs::read_to_string(seed).unwrap();
    let seed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (user, session) = (&seed["users"][0], &seed["sessions"][0]);
    let own = app
        .get(&format!("/api/data/Users/{}", user["objectId"].as_str().unwrap()), session["userToken"].as_str())
        .await
        .ok();
    assert_eq!((&own["phoneNumber"], &own["email"]), (&user["phoneNumber"], &user["email"]));
    let login = seed["challenges"].as_array().unwrap().iter().find(|challenge| challenge["flow"] == "login").unwrap();
    app.enter(login["transactionId"].as_str().unwrap(), login["code"].as_str().unwrap()).await.ok();
    challenge_id(
        &app.password_start(user["phoneNumber"].as_str().unwrap(), user["password"].as_str().unwrap()).await.ok(),
    );
    app.password_start(user["phoneNumber"].as_str().unwrap(), "another password").await.refused(
        401,
        3003,
        "login_rejected",
    );
}

#[tokio::test]
async fn a_seed_that_is_none_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (text, problem) in [
        ("{", "is not a seed"),
        (r#"{"people":[]}"#, "is not a seed"),
        (
            r#"{"challenges":[{"transactionId":"5E1F0B5C-0000-0000-0000-00000000BBBB","flow":"login","phoneNumber":"+14155550101","code":"123456"}]}"#,
            "does not belong",
        ),
        (r#"{"users":[{"objectId":"X","phoneNumber":"1","password":"x"}]}"#, "phoneNumber"),
    ] {
        let file = folder.path().join("seed.json");
        std::fs::write(&file, text).unwrap();
        let error = Stack::start(Options { seed: Some(file), ..Options::default() }).await.err().unwrap();
        assert!(error.to_string().contains(problem), "{error}");
    }
}
