//! STOP, START and HELP: once STOP is confirmed, no message begins any more; an opt-out outlives its user; and nothing that a stranger writes
//! costs more than one answer a day.

use futures_util::future::join_all;
use local::fault_proxy::Fault as StoreFault;
use reqwest::Method;
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::http::routes::INBOUND;
use shared::plivo::signature::{NONCE, Signed};
use shared::store::{PhoneKey, SendId};

use crate::support::{Reply, TestApp};

const PHONE: &str = "+14155550101";
const OTHER: &str = "+14155550102";
const OURS: &str = "14155550199";
const NOTHING: &str = "<Response/>";

/// Posts a form as Plivo does, signed with this token.
async fn post(app: &TestApp, path: &str, token: &str, form: &[(&str, &str)]) -> Reply {
    let form: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = format!("{}{path}", app.stack.config.url);
    let signed = Signed { method: &Method::POST, url: &url, parameters: &form };
    let request = app.request(Method::POST, path).header(NONCE, "nonce");
    let request = request.header("x-plivo-signature-ma-v3", signed.sign("nonce", &token.into()));
    app.send(request.form(&form)).await
}

/// An inbound message of Plivo's; returns the XML that answers it.
pub(crate) async fn text(app: &TestApp, uuid: &str, from: &str, text: &str) -> String {
    let from = from.trim_start_matches('+');
    let form = [("MessageUUID", uuid), ("From", from), ("To", OURS), ("Text", text), ("Type", "sms")];
    let reply = post(app, INBOUND, local::PLIVO_AUTH_TOKEN, &form).await;
    assert_eq!(reply.headers["content-type"], "application/xml");
    reply.ok().as_str().unwrap().to_owned()
}

async fn hello(app: &TestApp, phone: &str) -> Reply {
    app.message(&json!({"phoneNumber": phone, "message": "Hello"})).await
}

async fn is_opted_out(app: &TestApp, phone: &str) -> bool {
    let reply = hello(app, phone).await;
    if reply.status == 403 {
        reply.refused(403, 14000, "opted_out");
    } else {
        reply.clone().ok();
    }
    reply.status == 403
}

async fn with_key(app: &TestApp, method: Method, path: &str, body: &str) -> Reply {
    let path = format!("/api/services/Plivo/consent{path}");
    app.send(app.request(method, &path).bearer_auth(local::MESSAGE_KEY).body(body.to_owned())).await
}

async fn consents(app: &TestApp, phone: &str) -> Value {
    with_key(app, Method::GET, &format!("/{phone}"), "").await.ok()
}

async fn items(app: &TestApp) -> Vec<Value> {
    app.dump().await.into_iter().filter(|(table, _)| *table == "consents").map(|(_, item)| item).collect()
}

#[tokio::test]
async fn what_plivo_has_not_signed_has_no_effect() {
    let app = TestApp::start().await;
    let form = [("MessageUUID", "one"), ("From", &PHONE[1..]), ("To", OURS), ("Text", "STOP")];
    assert_eq!(post(&app, INBOUND, "another token", &form).await.status, 401);
    let unsigned = app.request(Method::POST, INBOUND).form(&form);
    assert_eq!(app.send(unsigned).await.status, 401);
    assert!(items(&app).await.is_empty() && !is_opted_out(&app, PHONE).await);
}

#[tokio::test]
async fn what_asks_for_nothing_is_not_stored_and_not_answered() {
    let app = TestApp::with(&[("OPT_OUT_WORDS", "genug")]).await;
    for (uuid, from, words) in [
        ("one", PHONE, "Please stop by at 5"),
        ("two", PHONE, ""),
        ("three", "+1415555", "STOP"),
        ("four", "+15005550006", "STOP"),
        ("", PHONE, "STOP"),
        ("no id!", PHONE, "STOP"),
        ("five", "AMAZON", "STOP"),
    ] {
        assert_eq!(text(&app, uuid, from, words).await, NOTHING, "{words}");
    }
    assert_eq!(items(&app).await, [Value::Null; 0]);
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn stop_ends_messages_at_once_for_its_phone_alone_and_start_lets_them_through_again() {
    let app = TestApp::start().await;
    assert_eq!(text(&app, "one", PHONE, " Stop.\n").await, NOTHING, "Plivo confirms it");
    assert!(is_opted_out(&app, PHONE).await && !is_opted_out(&app, OTHER).await);
    let media = json!({"phoneNumber": PHONE, "message": "x", "mediaUrls": "https://example.com/a.png"});
    app.message(&media).await.refused(403, 14000, "opted_out");
    app.advance(400 * 86_400);
    assert!(is_opted_out(&app, PHONE).await, "it does not expire");
    assert_eq!(app.sent(), 1);
    assert_eq!(text(&app, "two", PHONE, "START").await, NOTHING);
    assert!(!is_opted_out(&app, PHONE).await);
    let kept = consents(&app, PHONE).await;
    assert_eq!(kept["optedOut"], Value::Null);
    let records: Vec<_> =
        kept["records"].as_array().unwrap().iter().map(|one| (&one["kind"], &one["text"], &one["source"])).collect();
    let (out, back, sms) = (json!("opt_out"), json!("opt_in"), json!("sms"));
    assert_eq!(records, [(&out, &json!("STOP"), &sms), (&back, &json!("START"), &sms)]);
}

#[tokio::test]
async fn words_of_the_operator_and_what_plivo_recognises_opt_out_as_well() {
    let app = TestApp::with(&[("OPT_OUT_WORDS", "genug, basta ya")]).await;
    text(&app, "one", PHONE, "Basta ya!").await;
    assert_eq!(consents(&app, PHONE).await["optedOut"]["by"], "BASTA YA");
    let form =
        [("MessageUUID", "two"), ("From", &OTHER[1..]), ("To", OURS), ("Body", "no"), ("MessageIntent", "optout")];
    post(&app, INBOUND, local::PLIVO_AUTH_TOKEN, &form).await.ok();
    assert_eq!(consents(&app, OTHER).await["optedOut"]["by"], "plivo_optout");
}

#[tokio::test]
async fn a_repeated_message_has_no_effect() {
    let app = TestApp::start().await;
    text(&app, "start-0", PHONE, "START").await;
    text(&app, "stop-1", PHONE, "STOP").await;
    text(&app, "start-1", PHONE, "START").await;
    app.advance(86_400);
    text(&app, "stop-1", PHONE, "STOP").await;
    assert!(!is_opted_out(&app, PHONE).await);
    text(&app, "stop-2", PHONE, "STOP").await;
    for uuid in ["start-0", "start-1"] {
        text(&app, uuid, PHONE, "START").await;
    }
    assert!(is_opted_out(&app, PHONE).await);
}

#[tokio::test]
async fn a_change_of_the_sender_s_number_keeps_the_opt_out() {
    let (app, _proxy, store) = TestApp::behind_fault_proxy_of(&[("PLIVO_SENDER", "+14155550177")]).await;
    text(&store, "one", PHONE, "STOP").await;
    assert!(is_opted_out(&app, PHONE).await);
}

/// Plivo repeats a request that is not answered with 200.
#[tokio::test]
async fn a_stop_that_cannot_be_recorded_is_not_confirmed_and_works_when_plivo_repeats_it() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    let form = [("MessageUUID", "one"), ("From", &PHONE[1..]), ("To", OURS), ("Text", "STOP")];
    for fault in [StoreFault::Throttle, StoreFault::HangUp] {
        for _ in 0..3 {
            proxy.once("PutItem", fault);
        }
        post(&app, INBOUND, local::PLIVO_AUTH_TOKEN, &form).await.refused(503, 14000, "unavailable");
    }
    text(&app, "one", PHONE, "STOP").await;
    assert!(is_opted_out(&app, PHONE).await);
}

/// The read that decides sees every opt-out that was confirmed before, and costs no call.
#[tokio::test]
async fn a_message_reads_the_opt_out_strongly_consistent_beside_its_limits() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    // With it, the root key's check value is known.
    app.register(OTHER, "jane@example.com").await;
    hello(&app, PHONE).await.ok();
    app.advance(60);
    proxy.take_calls();
    hello(&app, PHONE).await.ok();
    let calls = proxy.take_calls();
    let reads: Vec<_> = calls.iter().filter(|call| call.operation.contains("Get")).collect();
    let [read] = reads[..] else { panic!("{reads:?}") };
    let tables = &read.request["RequestItems"];
    assert_eq!(
        (&tables["consents"]["ConsistentRead"], &tables["counters"]["ConsistentRead"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_stop_is_answered_no_message_begins() {
    let app = TestApp::start().await;
    for round in 0..5 {
        let phone = format!("+1415555011{round}");
        let stop = async {
            text(&app, &format!("stop-{round}"), &phone, "STOP").await;
            join_all((0..5).map(|_| hello(&app, &phone))).await
        };
        let (later, _meanwhile) = tokio::join!(stop, join_all((0..10).map(|_| hello(&app, &phone))));
        for reply in later {
            reply.refused(403, 14000, "opted_out");
        }
        let sent = app.sent();
        hello(&app, &phone).await.refused(403, 14000, "opted_out");
        assert_eq!(app.sent(), sent);
    }
}

#[tokio::test]
async fn a_refusal_leaves_the_idempotency_key_free() {
    let app = TestApp::start().await;
    text(&app, "one", PHONE, "STOP").await;
    let body = json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "k"});
    app.message(&body).await.refused(403, 14000, "opted_out");
    text(&app, "two", PHONE, "START").await;
    app.message(&body).await.ok();
    assert_eq!(app.sent(), 1);
}

#[tokio::test]
async fn a_queue_s_message_goes_to_the_dead_letters_with_the_reason() {
    let app = TestApp::start().await;
    text(&app, "one", PHONE, "STOP").await;
    let body = json!({"phoneNumber": PHONE, "message": "Hello"}).to_string();
    let record = json!({"messageId": "m", "body": body, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:messages", "attributes": {"ApproximateReceiveCount": "1"}});
    let answer = app.stack.invoke("send-message", json!({ "Records": [record] })).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let letters = app.stack.queues.dead_letters();
    assert_eq!((letters.len(), &letters[0].attributes["reason"]), (1, &json!("opted_out")));
    let failure = app.stack.invoke("send-message", json!({"phoneNumber": PHONE, "message": "Hello"})).await;
    assert_eq!(failure.unwrap_err().error_type, "opted_out");
    assert_eq!(app.sent(), 0);
}

/// The user asks for each of them.
#[tokio::test]
async fn codes_are_sent_to_a_phone_that_has_opted_out_and_notices_are_not() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    text(&app, "one", PHONE, "STOP").await;
    let token = app.log_in(PHONE).await;
    assert_eq!(app.texts(PHONE).len(), 2);
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    let change = json!({ "password": "another horse battery" }).to_string();
    app.send(app.request(Method::PUT, &path).header("user-token", &token).body(change)).await.ok();
    assert_eq!(app.texts(PHONE).len(), 2);
}

#[tokio::test]
async fn help_is_answered_once_a_day_even_to_a_phone_that_has_opted_out() {
    let app = TestApp::with(&[("APP_NAME", "Tom & Co")]).await;
    text(&app, "stop", PHONE, "STOP").await;
    let answer = format!(
        "<Response><Message src=\"{OURS}\" dst=\"{}\" type=\"sms\">Tom &amp; Co: codes to log in, sent when you ask for them. \
         Reply STOP to end messages.</Message></Response>",
        &PHONE[1..]
    );
    assert_eq!(text(&app, "one", PHONE, "help?").await, answer);
    for uuid in ["one", "two"] {
        assert_eq!(text(&app, uuid, PHONE, "INFO").await, NOTHING);
    }
    assert_ne!(text(&app, "three", OTHER, "HELP").await, NOTHING, "another phone");
    app.advance(86_400);
    assert_eq!(text(&app, "one", PHONE, "help?").await, NOTHING, "the same message");
    assert_eq!(text(&app, "four", PHONE, "HELP").await, answer);
    let own = TestApp::with(&[("HELP_TEXT", "Ask <us>.")]).await;
    assert!(text(&own, "one", PHONE, "HELP").await.contains(">Ask &lt;us&gt;.</Message>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_helps_at_once_one_is_answered() {
    let app = TestApp::start().await;
    let uuids: Vec<_> = (0..10).map(|number| format!("help-{number}")).collect();
    let answers = join_all(uuids.iter().map(|uuid| text(&app, uuid, PHONE, "HELP"))).await;
    assert_eq!(answers.iter().filter(|answer| *answer != NOTHING).count(), 1);
}

/// As a person with a phone sees it, with the simulator's own STOP.
#[tokio::test]
async fn a_phone_that_writes_stop_help_and_start_gets_what_it_asks_for() {
    let app = TestApp::start().await;
    hello(&app, PHONE).await.ok();
    let write = async |text: &str| {
        app.post("/_local/inbound", &json!({"from": PHONE, "text": text})).await.ok();
        app.advance(60);
        app.stack.settle().await;
    };
    write("HELP").await;
    assert!(
        app.texts(PHONE).iter().any(|text| text.ends_with("Reply STOP to end messages.")),
        "{:?}",
        app.texts(PHONE)
    );
    write("STOP").await;
    assert!(is_opted_out(&app, PHONE).await);
    write("START").await;
    assert!(!is_opted_out(&app, PHONE).await);
}

/// An answer takes from the budget and the phone's limit like any message.
#[tokio::test]
async fn strangers_cannot_make_us_answer_beyond_the_limits_of_messages() {
    let settings = [("SMS_PRICES", "*=0.01"), ("MESSAGE_BUDGET", "0.04/1/10"), ("MESSAGES_PER_PHONE", "1")];
    let app = TestApp::with(&settings).await;
    assert_eq!(text(&app, "abroad", "+447700900101", "HELP").await, NOTHING, "no SMS go there");
    assert_eq!(text(&app, "premium", "+19005550101", "HELP").await, NOTHING);
    assert_ne!(text(&app, "one", PHONE, "HELP").await, NOTHING);
    hello(&app, PHONE).await.limited("too_many_messages");
    assert_ne!(text(&app, "two", OTHER, "HELP").await, NOTHING);
    assert_eq!(text(&app, "three", "+14155550103", "HELP").await, NOTHING, "half of the budget is spent");
    hello(&app, "+14155550107").await.ok();
    app.advance(3600);
    assert_ne!(text(&app, "four", "+14155550103", "HELP").await, NOTHING, "what was refused is not counted");
    for (name, phone) in [("message", "+14155550104"), ("sms", "+14155550105"), ("US", "+14155550106")] {
        app.advance(3600);
        crate::kill_switches::switch(&app, name, true).await;
        app.advance(60);
        assert_eq!(text(&app, name, phone, "HELP").await, NOTHING, "{name} is switched off");
        crate::kill_switches::switch(&app, name, false).await;
    }
}

#[tokio::test]
async fn what_plivo_blocks_because_of_an_opt_out_opts_out_here_as_well() {
    let app = TestApp::start().await;
    let keys = app.stack.app.secrets.keys(app.stack.clock.now()).await.unwrap();
    let send = SendId::new(&keys, PhoneKey(keys.phone(PHONE).short())).text();
    let report = async |path: &str, uuid: &str, to: &str, error: &str| {
        let form = [("MessageUUID", uuid), ("From", OURS), ("To", to), ("Status", "failed"), ("ErrorCode", error)];
        post(&app, &format!("/plivo/{path}/{send}"), local::PLIVO_AUTH_TOKEN, &form).await
    };
    for (uuid, to, error) in [("other-error", &PHONE[1..], "30"), ("other-phone", &OTHER[1..], "200")] {
        assert_eq!(report("messages", uuid, to, error).await.status, 200);
    }
    assert_eq!(items(&app).await, [Value::Null; 0]);
    for (path, uuid) in [("messages", "report-1"), ("codes", "report-2")] {
        assert_eq!(report(path, uuid, &PHONE[1..], "200").await.status, 200);
        assert!(is_opted_out(&app, PHONE).await, "{path}");
        let kept = consents(&app, PHONE).await;
        assert_eq!(kept["optedOut"]["by"], "plivo_200");
        assert_eq!(kept["records"].as_array().unwrap().last().unwrap()["source"], "plivo_200");
        app.advance(60);
        text(&app, &format!("start-{uuid}"), PHONE, "START").await;
        for repeated in [uuid, "late"] {
            report(path, repeated, &PHONE[1..], "200").await;
            assert!(!is_opted_out(&app, PHONE).await, "a late report of a message from before");
        }
        app.advance(4 * 60 * 60);
    }
}

#[tokio::test]
async fn an_opt_out_that_plivo_tells_of_and_that_cannot_be_recorded_is_told_again() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    let keys = app.stack.app.secrets.keys(app.stack.clock.now()).await.unwrap();
    let send = SendId::new(&keys, PhoneKey(keys.phone(PHONE).short())).text();
    let form = [("MessageUUID", "one"), ("To", &PHONE[1..]), ("Status", "failed"), ("ErrorCode", "200")];
    let path = format!("/plivo/messages/{send}");
    for _ in 0..3 {
        proxy.once("PutItem", StoreFault::Throttle);
    }
    post(&app, &path, local::PLIVO_AUTH_TOKEN, &form).await.refused(503, 14000, "unavailable");
    assert_eq!(post(&app, &path, local::PLIVO_AUTH_TOKEN, &form).await.status, 200);
    assert!(is_opted_out(&app, PHONE).await);
}

#[tokio::test]
async fn a_consent_is_refused_without_the_key_and_where_it_is_none() {
    let app = TestApp::start().await;
    let good = json!({"phoneNumber": PHONE, "text": "Text me.", "source": "app"});
    app.post("/api/services/Plivo/consent", &good).await.refused(401, 14008, "access_denied");
    app.get(&format!("/api/services/Plivo/consent/{PHONE}"), None).await.refused(401, 14008, "access_denied");
    for (name, value, code, reason) in [
        ("phoneNumber", json!("12"), 8008, "invalid_phone_number"),
        ("text", Value::Null, 8007, "missing_field"),
        ("text", json!(""), 8007, "missing_field"),
        ("text", json!(7), 8008, "wrong_type"),
        ("text", json!("a".repeat(501)), 8008, "wrong_type"),
        ("source", json!("a\u{0}"), 8008, "wrong_type"),
        ("at", json!(7), 8008, "unknown_field"),
    ] {
        let mut body = good.clone();
        body[name] = value;
        with_key(&app, Method::POST, "", &body.to_string()).await.refused(400, code, reason);
    }
    with_key(&app, Method::GET, "/12", "").await.refused(400, 8008, "invalid_phone_number");
    assert!(items(&app).await.is_empty());
}

#[tokio::test]
async fn consents_are_kept_with_time_text_and_source_and_lift_no_opt_out() {
    let app = TestApp::start().await;
    text(&app, "one", PHONE, "STOP").await;
    app.advance(60);
    let body = json!({"phoneNumber": "(415) 555-0101", "text": "Text me.", "source": "https://example.com/book"});
    let kept = with_key(&app, Method::POST, "", &body.to_string()).await.ok();
    let now = app.stack.clock.now().as_millis();
    let expected = json!({"at": now, "kind": "consent", "text": "Text me.", "source": "https://example.com/book"});
    assert_eq!(kept["records"][1], expected);
    assert_eq!(consents(&app, "%2B14155550101").await, kept);
    assert!(is_opted_out(&app, PHONE).await);
    assert_eq!(consents(&app, OTHER).await, json!({"optedOut": null, "records": []}));
}

#[tokio::test]
async fn an_export_holds_the_consents_and_a_deletion_leaves_the_opt_out_and_no_text() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let body = json!({"phoneNumber": PHONE, "text": "Text me about tables.", "source": "app"});
    with_key(&app, Method::POST, "", &body.to_string()).await.ok();
    text(&app, "one", PHONE, "STOP").await;
    let kept = consents(&app, PHONE).await;
    assert_eq!(app.get("/api/users/export", Some(&token)).await.ok()["consents"], kept);
    let path = format!("/api/users/{}", user["objectId"].as_str().unwrap());
    app.send(app.request(Method::DELETE, &path).header("user-token", &token)).await.ok();
    let rest = consents(&app, PHONE).await;
    assert_eq!(rest["optedOut"], kept["optedOut"]);
    assert_eq!(
        rest["records"][0],
        json!({"at": kept["records"][0]["at"], "kind": "consent", "text": null, "source": "app"})
    );
    let [item] = &items(&app).await[..] else { panic!("one item") };
    assert!(!item.to_string().contains("tables") && !item.to_string().contains(&PHONE[2..]), "{item}");
    assert!(is_opted_out(&app, PHONE).await, "it outlives its user");
}
