//! The operator's console: who may open it, what it refuses, shows and changes, and that every change is in the audit log.
//! local/tests/sdk/console.test.mjs opens it in a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::MetricDataResult;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use local::clock::Pace;
use local::{Options, Stack};
use otpost::console::figures::{Counted, Counts, HOURS};
use otpost::console::{COLOURS, Operator, access, cloudwatch};
use phone_number::Country;
use serde_json::{Value, json};
use shared::aws::AwsClients;
use shared::aws::secrets::Secrets;
use shared::clock::Timestamp;
use shared::flow::Flow;
use shared::http_client::AwsHttpClient;
use shared::metrics::Metric;
use shared::store::Store;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tower::ServiceExt as _;

const PHONE: &str = "+14155550101";
const ARN: &str = "arn:aws:sts::123456789012:assumed-role/operators/jane";
/// The most that the console's own files may weigh together, in bytes.
const MAX_ASSETS: usize = 60 * 1024;
const VIEWS: [&str; 7] = ["", "/people", "/countries", "/switches", "/test-numbers", "/texts", "/audit"];

async fn start(settings: &[(&str, &str)]) -> Stack {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Stack::start(Options { settings, pace: Pace::Stands, ..Options::default() }).await.unwrap()
}

/// An answer of the console.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// The stack's own console. With a form, sends it as a page of the console would.
async fn ask(stack: &Stack, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
    let client = local::http_client().unwrap();
    let url = format!("{}/_local/console{path}", stack.config.url);
    let request = match form {
        Some(form) => client.post(url).header(header::ORIGIN, &stack.config.url).form(form),
        None => client.get(url),
    };
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

async fn shown(stack: &Stack, path: &str) -> String {
    let answer = ask(stack, path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

/// Sends a change and asserts that it was made.
async fn change(stack: &Stack, path: &str, form: &[(&str, &str)]) {
    let form = [form, &[("by", "Jane"), ("why", "a <b>test</b>")]].concat();
    let answer = ask(stack, path, Some(&form)).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.text);
    assert!(answer.headers[header::LOCATION].to_str().unwrap().ends_with("?done=1"));
    // So that the log is in order.
    stack.clock.advance(Duration::from_secs(1));
}

async fn call(stack: &Stack, path: &str, body: Value) -> Value {
    let request = local::http_client().unwrap().post(format!("{}/api/{path}", stack.config.url)).body(body.to_string());
    let answer = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    stack.settle().await;
    answer
}

fn code(stack: &Stack) -> String {
    stack.simulator.messages(Some(PHONE))[0].text.chars().take(6).collect()
}

/// Registers a user with this name and returns the objectId.
async fn register(stack: &Stack, name: &str) -> String {
    let started = call(stack, "users/register", json!({ "phoneNumber": PHONE })).await;
    let body = json!({
        "phoneNumber": PHONE, "email": "jane@example.com", "password": "correct horse battery", "name": name,
        "transactionId": started["transactionId"], "transactionCode": code(stack),
    });
    call(stack, "users/register", body).await["objectId"].as_str().unwrap().to_owned()
}

/// What the audit log says was done, newest first, with who did it and why.
async fn audited(stack: &Stack) -> Vec<(String, String, String, Option<String>)> {
    let log = stack.app.store.controls.audit_log().await.unwrap();
    log.into_iter().map(|entry| (entry.action, entry.by, entry.why, entry.arn)).collect()
}

/// A console of its own, as `otpost console` serves it, on port 4000: its router, and the path that opens it.
fn protected(stack: &Stack, arn: Option<&str>) -> (Router, String) {
    let lookup = |name: &str| stack.settings.get(name).cloned();
    let clients = AwsClients::from_environment(&lookup, AwsHttpClient::new(&lookup).unwrap()).unwrap();
    let resources = stack.app.settings.resources.clone();
    let operator = Operator {
        store: Store::new(&clients.dynamodb(), &resources),
        secrets: Secrets::new(clients, resources),
        settings: stack.app.settings.clone(),
        clock: Arc::clone(&stack.app.clock),
        arn: arn.map(str::to_owned),
        place: "a test".to_owned(),
        links: Vec::new(),
        counts: Counts::none("nobody <counts>"),
        refresh: Duration::from_secs(60),
        stopped: watch::channel(()).1,
    };
    access::protected(operator, 4000)
}

const OWN: &str = "127.0.0.1:4000";

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, text }
}

fn get(path: &str, host: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, host).header(header::COOKIE, cookie).body(Body::empty()).unwrap()
}

fn post(path: &str, cookie: &str, origin: Option<&str>, form: &str) -> Request<Body> {
    let request = Request::post(path).header(header::HOST, OWN).header(header::COOKIE, cookie);
    let request = origin.into_iter().fold(request, |request, origin| request.header(header::ORIGIN, origin));
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(form.to_owned())).unwrap()
}

/// Opens a console; returns the path that it is below, and its cookie.
async fn open(router: &Router, opening: &str) -> (String, String) {
    let opened = send(router, get(opening, OWN, "")).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    let cookie = opened.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let base = cookie.split("Path=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    assert!(base.len() > 32 && opened.text.contains(&format!("url={base}")), "{base}");
    (base, cookie.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn only_whoever_has_the_printed_address_gets_in_and_it_works_once() {
    let stack = start(&[]).await;
    let (router, opening) = protected(&stack, None);
    for path in ["/", "/open/", "/open/0", &opening[..opening.len() - 1]] {
        assert_ne!(send(&router, get(path, OWN, "")).await.status, 200, "{path}");
    }
    let (base, cookie) = open(&router, &opening).await;
    assert_eq!(send(&router, get(&opening, OWN, "")).await.status, 403, "it works once");
    assert!(
        !cookie.contains(opening.trim_start_matches("/open/")),
        "the address that a browser keeps opens nothing more"
    );
    for view in VIEWS {
        let path = format!("{base}{view}");
        assert_eq!(send(&router, get(&path, OWN, &cookie)).await.status, 200, "{path}");
        for wrong in ["", "otpost-console=", "otpost-console=0", &cookie[..cookie.len() - 1], &format!("x{cookie}")] {
            assert_eq!(send(&router, get(&path, OWN, wrong)).await.status, 403, "{path} {wrong}");
        }
        let among_others = format!("theme=dark; {cookie}; x=1");
        assert_eq!(send(&router, get(&path, OWN, &among_others)).await.status, 200, "{path}");
    }
    let (other, _) = protected(&stack, None);
    assert_eq!(send(&other, get(&base, OWN, &cookie)).await.status, 403, "each run has a path and a cookie of its own");
}

#[tokio::test]
async fn names_of_other_sites_that_point_here_get_nothing() {
    let stack = start(&[]).await;
    let (router, opening) = protected(&stack, None);
    for host in [
        "example.com",
        "example.com:4000",
        "127.0.0.1",
        "127.0.0.1:4001",
        "127.0.0.1.example.com:4000",
        "[::1]:4000",
        "",
    ] {
        assert_eq!(send(&router, get(&opening, host, "")).await.status, 403, "{host}");
    }
    let two = Request::get(&opening).header(header::HOST, OWN).header(header::HOST, "example.com");
    assert_eq!(send(&router, two.body(Body::empty()).unwrap()).await.status, 403);
    assert_eq!(send(&router, Request::get(&opening).body(Body::empty()).unwrap()).await.status, 403);
    // None of these has used the address up.
    let (base, cookie) = open(&router, &opening).await;
    assert_eq!(send(&router, get(&base, "example.com:4000", &cookie)).await.status, 403);
    assert_eq!(send(&router, get(&base, "localhost:4000", &cookie)).await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing_even_with_the_cookie() {
    let stack = start(&[]).await;
    let (router, opening) = protected(&stack, Some(ARN));
    let (base, cookie) = open(&router, &opening).await;
    let (path, form) = (format!("{base}/switches"), "name=login&to=off&why=x");
    let foreign = [
        None,
        Some("null"),
        Some("https://example.com"),
        Some("http://127.0.0.1:4001"),
        Some("https://127.0.0.1:4000"),
    ];
    for origin in foreign {
        assert_eq!(send(&router, post(&path, &cookie, origin, form)).await.status, 403, "{origin:?}");
    }
    let put =
        Request::put(&path).header(header::HOST, OWN).header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(send(&router, put).await.status, 403);
    assert_eq!(send(&router, post(&path, "", Some("http://127.0.0.1:4000"), form)).await.status, 403, "no cookie");
    assert!(audited(&stack).await.is_empty());
    let done = send(&router, post(&path, &cookie, Some("http://127.0.0.1:4000"), form)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(
        audited(&stack).await,
        [("off login".to_owned(), "jane".to_owned(), "x".to_owned(), Some(ARN.to_owned()))]
    );
    let shown = send(&router, get(&format!("{base}/audit"), OWN, &cookie)).await.text;
    assert!(shown.contains(ARN) && !shown.contains("Your name"), "the caller's ARN says who it is");
}

#[tokio::test]
async fn the_stack_s_own_console_takes_changes_from_its_pages_only() {
    let stack = start(&[]).await;
    let url = format!("{}/_local/console/switches", stack.config.url);
    let form = [("name", "login"), ("to", "off"), ("by", "x"), ("why", "x")];
    let client = local::http_client().unwrap();
    for origin in [None, Some("null"), Some("https://example.com"), Some("http://127.0.0.1:1")] {
        let request = client.post(&url).form(&form);
        let request = origin.into_iter().fold(request, |request, origin| request.header(header::ORIGIN, origin));
        assert_eq!(request.send().await.unwrap().status(), 403, "{origin:?}");
    }
    let rebound = client.get(&url).header(header::HOST, "example.com").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    assert!(audited(&stack).await.is_empty());
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let stack = start(&[]).await;
    for path in VIEWS.into_iter().chain(["/console.css", "/console.js", "/people/nobody"]) {
        let Answer { headers, text, .. } = ask(&stack, path, None).await;
        let header = |name: &str| headers[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}: {policy}");
        for part in ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(
            [header("cache-control"), header("x-content-type-options"), header("x-frame-options")],
            ["no-store", "nosniff", "DENY"]
        );
        assert_eq!(header("referrer-policy"), "same-origin", "by no-referrer, a form would not say its origin");
        assert!(headers.get("access-control-allow-origin").is_none());
        for forbidden in ["<style", " style=\"", " onclick=", "<script>", "http://", "https://"] {
            let known = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!known.contains(forbidden), "{path}: {forbidden}");
        }
    }
}

#[tokio::test]
async fn all_files_together_are_small() {
    let stack = start(&[]).await;
    let (style, script) = (shown(&stack, "/console.css").await, shown(&stack, "/console.js").await);
    assert!(style.starts_with(COLOURS));
    let mut pages = 0;
    for view in VIEWS {
        pages = pages.max(shown(&stack, view).await.len());
    }
    let size = style.len() + script.len() + pages;
    assert!(size < MAX_ASSETS, "{size} bytes with the largest page");
}

#[tokio::test]
async fn what_users_and_operators_write_is_text() {
    let stack = start(&[]).await;
    let id = register(&stack, "<script>alert(1)</script>").await;
    let answer = ask(&stack, "/people", Some(&[("who", PHONE)])).await;
    assert!(answer.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !answer.text.contains("<script>alert"));
    let answer = ask(&stack, "/people", Some(&[("who", "\"><img src=x>")])).await;
    assert_eq!(answer.status, 404);
    assert!(!answer.text.contains("<img") && answer.text.contains("&quot;&gt;&lt;img"), "{}", answer.text);
    change(&stack, &format!("/people/{id}/sign-out"), &[]).await;
    let log = shown(&stack, "/audit").await;
    assert!(log.contains("a &lt;b&gt;test&lt;/b&gt;") && !log.contains("<b>test"), "{log}");
    let answer =
        ask(&stack, "/texts", Some(&[("language", "en"), ("purpose", "login"), ("text", "</textarea><b>{code}")]))
            .await;
    assert!(answer.text.contains("&lt;/textarea&gt;") && !answer.text.contains("</textarea><b>"));
}

#[tokio::test]
async fn each_change_of_a_user_is_made_and_recorded() {
    let stack = start(&[]).await;
    let id = register(&stack, "Jane").await;
    let at = |action: &str| format!("/people/{id}/{action}");
    for (action, word) in
        [("disable", "DISABLED"), ("enable", "Enabled"), ("sign-out", "Enabled"), ("release-email", "Enabled")]
    {
        change(&stack, &at(action), &[]).await;
        let text = shown(&stack, &format!("/people/{id}?done=1")).await;
        assert!(text.contains(word) && text.contains("Done."), "{action}: {text}");
    }
    assert!(!shown(&stack, &format!("/people/{id}")).await.contains("jane@example.com"));
    change(&stack, &at("delete"), &[("digits", "0101")]).await;
    assert_eq!(ask(&stack, &format!("/people/{id}"), None).await.status, 404);
    let actions: Vec<_> = audited(&stack).await.into_iter().map(|(action, by, why, _)| (action, by, why)).collect();
    let expected = ["delete", "release-email", "sign-out", "enable", "disable"];
    let of_jane = |action: &str| (action.to_owned(), "Jane".to_owned(), "a <b>test</b>".to_owned());
    assert_eq!(actions, expected.map(of_jane));
}

#[tokio::test]
async fn a_change_without_name_reason_or_confirmation_is_not_made() {
    let stack = start(&[]).await;
    let id = register(&stack, "Jane").await;
    let long = "x".repeat(501);
    for (path, form) in [
        (format!("/people/{id}/disable"), vec![("by", "Jane")]),
        (format!("/people/{id}/disable"), vec![("why", "x")]),
        (format!("/people/{id}/disable"), vec![("by", " "), ("why", "x")]),
        (format!("/people/{id}/disable"), vec![("by", "Jane"), ("why", &long)]),
        (format!("/people/{id}/nothing"), vec![("by", "Jane"), ("why", "x")]),
        (format!("/people/{id}/delete"), vec![("by", "Jane"), ("why", "x")]),
        (format!("/people/{id}/delete"), vec![("by", "Jane"), ("why", "x"), ("digits", "0102")]),
        (format!("/people/{id}/delete"), vec![("by", "Jane"), ("why", "x"), ("digits", "1")]),
        ("/switches".to_owned(), vec![("name", "login"), ("to", "off"), ("why", "x")]),
        ("/switches".to_owned(), vec![("name", "XX"), ("to", "off"), ("by", "Jane"), ("why", "x")]),
    ] {
        let answer = ask(&stack, &path, Some(&form)).await;
        assert_eq!(answer.status, 400, "{path} {form:?}");
        assert!(answer.text.contains("role=\"alert\""), "{path} {form:?}");
    }
    assert!(audited(&stack).await.is_empty());
    assert!(shown(&stack, &format!("/people/{id}")).await.contains("Enabled"));
    let huge = "x".repeat(20_000);
    assert_eq!(ask(&stack, "/people", Some(&[("who", &huge)])).await.status, 413);
}

#[tokio::test]
async fn a_person_is_found_by_phone_address_and_id_and_nobody_else_is() {
    let stack = start(&[]).await;
    let id = register(&stack, "Jane").await;
    for who in [PHONE, " +1 415 555 0101 ", "jane@EXAMPLE.com", &id] {
        let answer = ask(&stack, "/people", Some(&[("who", who)])).await;
        assert!(answer.status == 200 && answer.text.contains(PHONE), "{who}: {}", answer.text);
    }
    for who in ["+14155550102", "joe@example.com"] {
        let answer = ask(&stack, "/people", Some(&[("who", who)])).await;
        assert!(answer.status == 200 && answer.text.contains("No user") && !answer.text.contains(&id), "{who}");
    }
    for who in ["CBFA6722-58AD-12BE-FF80-28999D7D0200", "@", "+1", ""] {
        let answer = ask(&stack, "/people", Some(&[("who", who)])).await;
        assert!(answer.status == 404 && answer.text.contains("role=\"alert\""), "{who}");
    }
}

#[tokio::test]
async fn a_timeline_says_why_there_was_no_code_and_unblocking_is_recorded() {
    let stack = start(&[]).await;
    let id = register(&stack, "Jane").await;
    stack.clock.advance(Duration::from_secs(60));
    stack.simulator.deliver_due().await;
    for _ in 0..2 {
        call(&stack, "services/Plivo/loginWithPhoneNumber", json!({ "phoneNumber": PHONE })).await;
    }
    let text = shown(&stack, &format!("/people/{id}")).await;
    for part in ["start_spacing", "too soon after the last start", "registered", " was to go out", "by Plivo's report"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    change(&stack, "/unblock", &[("who", &id)]).await;
    assert!(shown(&stack, &format!("/people/{id}")).await.contains("None: a start would be allowed."));

    // A phone without a user stands in no address of a page.
    call(&stack, "users/register", json!({ "phoneNumber": "+14155550102" })).await;
    let found = ask(&stack, "/people", Some(&[("who", "+14155550102")])).await.text;
    assert!(found.contains("No user") && found.contains("start_spacing"), "{found}");
    let form = [("who", "+14155550102"), ("by", "Jane"), ("why", "asked")];
    let answer = ask(&stack, "/unblock", Some(&form)).await;
    assert!(answer.status == 200 && answer.text.contains("Done."), "{}", answer.text);
    assert!(answer.text.contains("None: a start would be allowed."));
    let actions: Vec<_> = audited(&stack).await.into_iter().map(|(action, by, ..)| (action, by)).collect();
    // Jane's phone and e-mail address each, and the other phone.
    assert_eq!(actions, vec![("unblock".to_owned(), "Jane".to_owned()); 3]);
    assert!(!shown(&stack, "/audit").await.contains("+1415555"), "the log names no phone");
    for form in [&[("who", "+14155550102"), ("by", "Jane")][..], &[("who", "@"), ("by", "Jane"), ("why", "x")]] {
        assert!(ask(&stack, "/unblock", Some(form)).await.status.is_client_error());
    }
    assert_eq!(audited(&stack).await.len(), 3);
}

#[tokio::test]
async fn a_switch_stops_a_flow_and_a_country() {
    let stack = start(&[]).await;
    change(&stack, "/switches", &[("name", "register"), ("to", "off")]).await;
    change(&stack, "/switches", &[("name", "us"), ("to", "off"), ("back", "countries")]).await;
    let off = stack.app.store.controls.kill_switches().await.unwrap().off;
    assert_eq!(off.into_iter().collect::<Vec<_>>(), ["US", "register"]);
    assert!(shown(&stack, "/switches").await.contains("Switch register on"));
    assert!(shown(&stack, "/countries").await.contains("Unblock US"));
    change(&stack, "/switches", &[("name", "US"), ("to", "on")]).await;
    let actions: Vec<_> = audited(&stack).await.into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["on US", "off US", "off register"]);
}

#[tokio::test]
async fn the_overview_counts_and_its_events_bring_the_same() {
    let stack = start(&[]).await;
    register(&stack, "Jane").await;
    call(&stack, "users/register", json!({ "phoneNumber": "+4915112345678" })).await;
    stack.clock.advance(Duration::from_secs(60));
    stack.simulator.deliver_due().await;
    stack.settle().await;
    let page = shown(&stack, "").await;
    assert!(page.contains("In 24 hours: 1 sent, 1 delivered, 1 verified, 1 refused."), "{page}");
    assert!(page.contains("country_not_served") && page.contains("0.0077 of 5.00"), "{page}");

    let mut events =
        local::http_client().unwrap().get(format!("{}/_local/console/events", stack.config.url)).send().await.unwrap();
    assert_eq!(events.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(text.starts_with("event: figures\ndata: ") && text.contains("In 24 hours: 1 sent, 1 delivered"), "{text}");
    assert!(page.contains(text["event: figures\ndata: ".len()..].trim_end()), "the page has what the event brings");
}

#[tokio::test]
async fn texts_and_test_numbers_are_shown_as_configured() {
    let stack = start(&[("TEST_NUMBERS", "+14155550190=246810@2099-12-31,+14155550191=135790@2020-12-31")]).await;
    let numbers = shown(&stack, "/test-numbers").await;
    for part in ["+14155550190", "2100-01-01 00:00:00", "In use", "+14155550191", "Ended"] {
        assert!(numbers.contains(part), "{part}: {numbers}");
    }
    assert!(!numbers.contains("246810"), "no code is shown");
    let texts = shown(&stack, "/texts?language=ar").await;
    assert!(
        texts.contains("رمز Otpost") && texts.contains("characters of UCS-2") && texts.contains("1 segment"),
        "{texts}"
    );
    let tried = [("language", "en"), ("purpose", "login"), ("text", &"{code} ж".repeat(12))];
    let answer = ask(&stack, "/texts", Some(&tried)).await;
    assert!(answer.text.contains("segments") && answer.text.contains("Should not be sent"), "{}", answer.text);
    let answer = ask(&stack, "/texts", Some(&[("language", "en"), ("purpose", "login"), ("text", "no code")])).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn it_ends_while_a_page_still_listens() {
    let stack = start(&[]).await;
    let mut events =
        local::http_client().unwrap().get(format!("{}/_local/console/events", stack.config.url)).send().await.unwrap();
    events.chunk().await.unwrap().unwrap();
    // Would wait for good if the stream went on.
    stack.stop(Duration::MAX).await;
    while events.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn where_nobody_counts_the_overview_says_so_and_shows_the_budgets() {
    let stack = start(&[]).await;
    let (router, opening) = protected(&stack, None);
    let (base, cookie) = open(&router, &opening).await;
    let page = send(&router, get(&base, OWN, &cookie)).await.text;
    assert!(page.contains("nobody &lt;counts&gt;") && page.contains("0.00 of 5.00"), "{page}");
}

#[tokio::test]
async fn the_command_prints_the_address_and_ends_by_an_interrupt() {
    let stack = start(&[]).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
    let command = command.env_clear().envs(&stack.settings).arg("console").stdout(Stdio::piped()).kill_on_drop(true);
    let mut running = command.spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let url = line.strip_prefix("Open ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("/open/"), "{line}");

    let client = local::http_client().unwrap();
    let opened = client.get(url).send().await.unwrap();
    let cookie = opened.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    let base = cookie.split("Path=").nth(1).unwrap().split(';').next().unwrap();
    let origin = url.split("/open/").next().unwrap();
    let get = |path: &str| {
        client.get(format!("{origin}{base}{path}")).header(header::COOKIE, cookie.split(';').next().unwrap())
    };
    let page = get("").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Tables in us-east-1") && page.contains("with --stack only"), "{page}");
    // A page that listens does not keep it from ending.
    let mut events = get("/events").send().await.unwrap();
    events.chunk().await.unwrap().unwrap();
    let interrupt = Command::new("kill").args(["-INT", &running.id().unwrap().to_string()]).status();
    assert!(interrupt.await.unwrap().success() && running.wait().await.unwrap().success());
}

#[test]
fn cloudwatch_is_asked_for_what_the_functions_count() {
    let us = Country::parse("US").unwrap();
    let counted = [
        Metric::Sent("login"),
        Metric::Delivered(us, true),
        Metric::Undelivered(us),
        Metric::Verified(Flow::Login, us),
        Metric::NotSent("x"),
        Metric::Refused("x"),
    ];
    assert_eq!(cloudwatch::SHOWN, counted.map(|metric| (metric.fields().0, metric.fields().2[0].0)));
    let queries = cloudwatch::queries("Otpost/otpost");
    let (first, label) = (queries[0].expression().unwrap(), queries[0].label().unwrap());
    assert_eq!(first, "SEARCH('{\"Otpost/otpost\",Flow} MetricName=\"Sent\"', 'Sum', 3600)");
    assert_eq!(label, "${PROP('Dim.Flow')}");

    let now = Timestamp::from_millis(1_000_000 * 3_600_000);
    let mut found = Counted::default();
    for (id, label, sums) in [
        ("m0", "login", [3.0, 2.0]),
        ("m0", "register", [0.0, 1.0]),
        ("m5", "budget", [7.0, 0.0]),
        ("x", "x", [9.0, 9.0]),
    ] {
        let hours = [now, now.minus(Duration::from_secs(3600))].map(|at| DateTime::from_millis(at.as_millis()));
        let result = MetricDataResult::builder()
            .id(id)
            .label(label)
            .set_timestamps(Some(hours.into()))
            .set_values(Some(sums.into()));
        cloudwatch::add(&mut found, &result.build());
    }
    assert_eq!(found.by_hour("Sent", now)[22..], [3, 3]);
    assert_eq!(found.by_value("Sent", now), [("login".to_owned(), 5), ("register".to_owned(), 1)]);
    assert_eq!(found.by_value("Refused", now), [("budget".to_owned(), 7)]);
}

#[test]
fn counts_are_those_of_a_day_and_by_the_hour() {
    let hour = 3_600_000;
    let now = Timestamp::from_millis(1_000_000 * hour);
    let line = |at: i64, name: &str, dimension: Option<(&str, &str)>, count: u64| {
        let dimensions = dimension.map_or(json!([[]]), |(name, _)| json!([[], [name]]));
        let mut line = json!({
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [{"Dimensions": dimensions, "Metrics": [{"Name": name}]}]}, name: count,
        });
        if let Some((name, value)) = dimension {
            line[name] = json!(value);
        }
        line
    };
    let mut counted = Counted::default();
    let at = |hours_ago: i64| now.as_millis() - hours_ago * hour;
    for line in [
        line(at(HOURS), "Sent", Some(("Flow", "old")), 5),
        line(at(HOURS - 1), "Sent", Some(("Flow", "login")), 1),
        line(at(1), "Sent", Some(("Flow", "register")), 2),
        line(at(0), "Sent", Some(("Flow", "login")), 3),
        line(at(0), "Decoys", None, 7),
        json!({
            "_aws": {"Timestamp": at(0), "CloudWatchMetrics": [{"Dimensions": [["Flow"], ["Country"]], "Metrics": [{"Name": "Verified"}]}]},
            "Verified": 1, "Flow": "login", "Country": "US",
        }),
        json!({ "level": "INFO" }),
    ] {
        counted.add_line(&line);
    }
    let by_hour = counted.by_hour("Sent", now);
    assert_eq!((by_hour.len(), by_hour[0], &by_hour[22..]), (24, 1, &[2, 3][..]));
    assert_eq!(counted.by_value("Sent", now), [("login".to_owned(), 4), ("register".to_owned(), 2)]);
    assert_eq!(counted.by_value("Decoys", now), [(String::new(), 7)]);
    assert_eq!(counted.by_value("Verified", now), [("login".to_owned(), 1)], "counted once, by the first dimension");
    assert_eq!(counted.by_value("Nothing", now), []);
}
