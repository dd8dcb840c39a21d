//! Silence: no response reveals whether a phone has a user, or why a code was wrong.

use local::fault_proxy::FaultProxy;
use local::simulator::Fault;
use serde_json::json;
use shared::store::DeliveryState;

use crate::status::{NO_REPORTS, report};

use crate::support::{PASSWORD, Reply, TestApp, challenge_id, wrong};

const KNOWN: &str = "+14155550101";
const UNKNOWN: &str = "+14155550102";

/// What is told of a code where more would tell who is a user: at once, after 5 s, 10 s, 30 s, and when the code has expired.
const STORY: [&str; 5] = ["queued", "sent", "sent", "sent", "unknown"];

/// Asks what became of the codes of two phones, for as long as a user would, and past it. Returns the states of the second.
async fn assert_alike(app: &TestApp, proxy: &FaultProxy, ids: [&str; 2]) -> Vec<String> {
    let mut states = Vec::new();
    for wait in [0, 5, 5, 20, 270] {
        app.advance(wait);
        let mut answers = Vec::new();
        for id in ids {
            proxy.take_calls();
            let answer = app.get(&format!("/api/services/Plivo/status/{id}"), None).await;
            answers.push((shape(&answer), proxy.take_operations()));
            states.push(answer.ok()["state"].as_str().unwrap().to_owned());
        }
        assert_eq!(answers[0], answers[1], "after {wait} s");
    }
    states.into_iter().skip(1).step_by(2).collect()
}

/// Both phones have been registered with before, long ago or just now; one of them by somebody who never finished. Whatever Plivo reports, and whether
/// it takes the message at all.
#[tokio::test]
async fn a_code_s_status_does_not_tell_who_is_a_user() {
    for (wait, outcome, fault) in [
        (30, None, Fault::None),
        (86_400, None, Fault::SendStatus(429)),
        (30, Some((DeliveryState::Delivered, None)), Fault::None),
        (86_400, Some((DeliveryState::Undelivered, Some("80"))), Fault::None),
    ] {
        let (app, proxy, _store) = TestApp::behind_fault_proxy_of(&[NO_REPORTS]).await;
        app.register(KNOWN, "jane@example.com").await;
        app.advance(3600);
        app.register_start(KNOWN).await.ok();
        let id = challenge_id(&app.register_start(UNKNOWN).await.ok());
        // The first request checks the root key.
        app.get(&format!("/api/services/Plivo/status/{id}"), None).await.ok();
        app.advance(wait);
        app.stack.simulator.set_fault(fault);
        let (known, unknown) = (app.login_start(KNOWN).await.ok(), app.login_start(UNKNOWN).await.ok());
        if let Some((state, error)) = outcome {
            for phone in [KNOWN, UNKNOWN] {
                report(&app, phone, state, error).await;
            }
        }
        let states = assert_alike(&app, &proxy, [&challenge_id(&known), &challenge_id(&unknown)]).await;
        assert_eq!(states, STORY);
    }
}

/// The parts of a response that must not differ: all but IDs and the date.
fn shape(reply: &Reply) -> (u16, Vec<String>, String) {
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "date")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort_unstable();
    let mut body = reply.body.clone();
    if body["transactionId"].is_string() {
        body["transactionId"] = json!("any");
    }
    (reply.status.as_u16(), headers, body.to_string())
}

#[tokio::test]
async fn a_login_s_start_does_not_tell_who_is_a_user() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(86_400);
    let sent = app.sent();
    for _ in 0..11 {
        proxy.take_calls();
        let known = app.login_start(KNOWN).await;
        let known_calls = proxy.take_operations();
        let unknown = app.login_start(UNKNOWN).await;
        assert_eq!(shape(&known), shape(&unknown));
        assert_eq!(known_calls, proxy.take_operations(), "the same calls to storage");
        let (known, unknown) = (app.login_start(KNOWN).await, app.login_start(UNKNOWN).await);
        assert_eq!(shape(&known), shape(&unknown), "and the same limits");
        app.advance(2000);
    }
    assert_eq!(app.sent(), sent + 10);
    assert_eq!(app.texts(UNKNOWN), [""; 0], "no message to who is no user");
}

#[tokio::test]
async fn a_login_s_start_does_not_tell_who_is_a_user_when_plivo_fails() {
    let faults = [
        Fault::Status(500),
        Fault::SendStatus(402),
        Fault::SendStatus(500),
        Fault::Status(401),
        Fault::Status(429),
        Fault::HangUp,
        Fault::Nonsense,
    ];
    for fault in faults {
        let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
        app.register(KNOWN, "jane@example.com").await;
        app.advance(86_400);
        app.stack.simulator.set_fault(fault.clone());
        for _ in 0..5 {
            proxy.take_calls();
            let known = app.login_start(KNOWN).await;
            let known_calls = proxy.take_operations();
            let unknown = app.login_start(UNKNOWN).await;
            assert_eq!(shape(&known), shape(&unknown), "{fault:?}");
            assert_eq!(known_calls, proxy.take_operations(), "{fault:?}");
            known.ok();
            app.advance(2000);
        }
    }
}

#[tokio::test]
async fn a_login_s_start_leaves_nothing_that_tells_the_next_client_who_is_a_user() {
    let app = TestApp::start().await;
    app.register(KNOWN, "jane@example.com").await;
    app.stack.simulator.set_fault(Fault::SendStatus(402));
    for line in 0..2 {
        app.register_start(&format!("+1415555030{line}")).await.refused(503, 14000, "sms_unavailable");
    }
    let controls = async || app.dump().await.into_iter().filter(|(table, _)| *table == "controls").collect::<Vec<_>>();
    let before = controls().await;
    assert_eq!(before.len(), 1);
    app.login_start(KNOWN).await.ok();
    assert_eq!(controls().await, before);
    app.login_start(UNKNOWN).await.ok();
    assert_eq!(controls().await, before);
}

#[tokio::test]
async fn everybody_is_told_alike_while_plivo_is_known_to_be_down() {
    let app = TestApp::start().await;
    app.register(KNOWN, "jane@example.com").await;
    app.stack.simulator.set_fault(Fault::Status(503));
    for line in 0..3 {
        app.register_start(&format!("+1415555030{line}")).await.refused(503, 14000, "sms_unavailable");
    }
    app.advance(1);
    let sent = app.sent();
    let (known, unknown) = (app.login_start(KNOWN).await, app.login_start(UNKNOWN).await);
    known.refused(503, 14000, "sms_unavailable");
    assert_eq!(known.body["errorData"]["retryAfter"], 29);
    assert_eq!(shape(&unknown), shape(&known));
    app.register_start("+14155550103").await.refused(503, 14000, "sms_unavailable");
    app.password_start(KNOWN, PASSWORD).await.refused(503, 14000, "sms_unavailable");
    app.password_start(KNOWN, "wrong password").await.refused(401, 3003, "login_rejected");
    assert_eq!(app.sent(), sent, "and Plivo is left alone");
    app.stack.simulator.set_fault(Fault::None);
    app.advance(30);
    app.login_start(KNOWN).await.ok();
    assert_eq!(app.sent(), sent + 1);
    app.login_start(UNKNOWN).await.ok();
}

#[tokio::test]
async fn a_rate_limit_or_a_refused_number_stops_nobody_else() {
    for fault in [Fault::Status(429), Fault::Status(400), Fault::Status(403)] {
        let app = TestApp::start().await;
        app.stack.simulator.set_fault(fault);
        for line in 0..5 {
            assert_eq!(app.register_start(&format!("+1415555030{line}")).await.status, 503);
        }
        app.stack.simulator.set_fault(Fault::None);
        app.register_start(KNOWN).await.ok();
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_phones_are_alike() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    app.register(KNOWN, "jane@example.com").await;
    let sent = app.sent();
    proxy.take_calls();
    let known = app.password_start(KNOWN, "another password").await;
    let known_calls = proxy.take_operations();
    let unknown = app.password_start(UNKNOWN, PASSWORD).await;
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(known_calls, proxy.take_operations());
    known.refused(401, 3003, "login_rejected");
    assert_eq!(app.sent(), sent);
}

#[tokio::test]
async fn a_registration_s_start_does_not_tell_who_is_a_user() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(86_400);
    for _ in 0..11 {
        proxy.take_calls();
        let known = app.register_start(KNOWN).await;
        let known_calls = proxy.take_operations();
        let unknown = app.register_start(UNKNOWN).await;
        assert_eq!(shape(&known), shape(&unknown));
        assert_eq!(known_calls, proxy.take_operations());
        app.advance(2000);
    }
    let texts = (app.texts(KNOWN).len(), app.texts(UNKNOWN).len());
    assert_eq!(texts, (1 + 10, 5), "a message either way, while the phone may have one");
}

/// After five starts, a phone without a user gets no message, so Plivo's errors must not be visible any more.
#[tokio::test]
async fn a_registration_s_start_past_five_does_not_tell_who_is_a_user_when_plivo_fails() {
    for fault in
        [Fault::SendStatus(402), Fault::SendStatus(500), Fault::Refuse400("no such number".to_owned()), Fault::HangUp]
    {
        let app = TestApp::start().await;
        app.register(KNOWN, "jane@example.com").await;
        app.advance(86_400);
        for start in 0..10 {
            if start == 5 {
                app.stack.simulator.set_fault(fault.clone());
            }
            let (known, unknown) = (app.register_start(KNOWN).await, app.register_start(UNKNOWN).await);
            assert_eq!(shape(&known), shape(&unknown), "{fault:?} {start}");
            known.ok();
            app.advance(2000);
        }
        let controls = app.dump().await.into_iter().filter(|(table, _)| *table == "controls").count();
        assert_eq!(controls, 0, "nor does it leave anything for the next client");
    }
}

/// After five starts, only a user's phone gets a message. Yet the counts, and so the suspensions, are the same for both.
#[tokio::test]
async fn registrations_past_five_suspend_a_prefix_or_a_country_alike() {
    for setting in ["PUMPING_PREFIX", "PUMPING_COUNTRY"] {
        let mut answers = Vec::new();
        for phone in [KNOWN, UNKNOWN] {
            let app = TestApp::with(&[(setting, "8/0/100"), ("PUMPING_MODE", "refuse")]).await;
            app.register(KNOWN, "jane@example.com").await;
            app.advance(86_400);
            let mut statuses = Vec::new();
            for wait in [0, 30, 60, 120, 240, 480, 960] {
                app.advance(wait);
                statuses.push(app.register_start(phone).await.status.as_u16());
            }
            for line in 0..3 {
                statuses.push(app.register_start(&format!("+1415555030{line}")).await.status.as_u16());
            }
            answers.push(statuses);
        }
        assert_eq!(answers[0], answers[1], "{setting}");
        assert_eq!(answers[0].iter().filter(|status| **status == 200).count(), 8, "{setting}: {answers:?}");
    }
}

/// The counts must not expire sooner for a phone without a user.
#[tokio::test]
async fn wrong_passwords_are_kept_as_long_with_and_without_a_user() {
    let app = TestApp::start().await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(86_400);
    for phone in [KNOWN, UNKNOWN] {
        app.password_start(phone, "another password").await.refused(401, 3003, "login_rejected");
    }
    let now = app.stack.clock.advance(std::time::Duration::ZERO).as_seconds();
    let items = app.dump().await;
    let kept = |item: &serde_json::Value| item["expires_at"]["N"].as_str().unwrap().parse::<i64>().unwrap() - now;
    let kept: Vec<_> = items.iter().filter(|(table, _)| *table == "phones").map(|(_, item)| kept(item)).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|seconds| *seconds == 30 * 86_400), "{kept:?}");
}

/// The messages sent for logins depend on who is a user. Even if they look pumped, all responses are alike.
#[tokio::test]
async fn logins_that_look_pumped_are_answered_alike() {
    let app = TestApp::with(&[("PUMPING_PREFIX", "2/0/100"), ("PUMPING_COUNTRY", "2/0/100")]).await;
    app.register(KNOWN, "jane@example.com").await;
    app.advance(86_400);
    for _ in 0..8 {
        let (known, unknown) = (app.login_start(KNOWN).await, app.login_start(UNKNOWN).await);
        assert_eq!(shape(&known), shape(&unknown));
        known.ok();
        app.advance(2000);
    }
}

#[tokio::test]
async fn codes_are_refused_alike_whatever_is_wrong() {
    let app = TestApp::start().await;
    app.register(KNOWN, "jane@example.com").await;
    let mut replies = Vec::new();
    let right = challenge_id(&app.login_start(KNOWN).await.ok());
    let code = app.last_code(KNOWN);
    replies.push(app.enter(&right, &wrong(&code)).await);
    replies.push(app.enter("5E1F0B5C-0000-0000-0000-00000000BBBB", &code).await);
    app.enter(&right, &code).await.ok();
    replies.push(app.enter(&right, &code).await);
    app.advance(30);
    let expired = challenge_id(&app.login_start(KNOWN).await.ok());
    let code = app.last_code(KNOWN);
    app.advance(300);
    replies.push(app.enter(&expired, &code).await);
    let decoy = challenge_id(&app.login_start(UNKNOWN).await.ok());
    replies.push(app.enter(&decoy, "123456").await);
    for _ in 0..5 {
        replies.push(app.enter(&decoy, "654321").await);
    }
    for reply in &replies {
        reply.refused(401, 14000, "code_rejected");
        assert_eq!(shape(reply), shape(&replies[0]));
    }
}

#[tokio::test]
async fn a_registration_s_codes_are_refused_alike_too() {
    let app = TestApp::start().await;
    let mut replies = Vec::new();
    let id = challenge_id(&app.register_start(KNOWN).await.ok());
    let code = app.last_code(KNOWN);
    let post = async |id: &str, code: &str| {
        app.post("/api/users/register", &TestApp::registration(KNOWN, "jane@example.com", id, code)).await
    };
    replies.push(post(&id, &wrong(&code)).await);
    replies.push(post("5E1F0B5C-0000-0000-0000-00000000BBBB", &code).await);
    app.advance(300);
    replies.push(post(&id, &code).await);
    let id = challenge_id(&app.register_start(KNOWN).await.ok());
    let code = app.last_code(KNOWN);
    post(&id, &code).await.ok();
    replies.push(post(&id, &code).await);
    for reply in &replies {
        assert_eq!(shape(reply), shape(&replies[0]));
        reply.refused(401, 14000, "code_rejected");
    }
}
