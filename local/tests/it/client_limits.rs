//! Limits of clients: starts and countries by network, and password attempts.

use serde_json::json;

use crate::support::{PASSWORD, TestApp, challenge_id, wrong};

const PHONE: &str = "+14155550101";
const HOME: &str = "198.51.100.7";

/// An app with the limits of a deployment, without those that these tests would reach first.
async fn app(settings: &[(&str, &str)]) -> TestApp {
    let own = [("STARTS_PER_ADDRESS", "20"), ("PUMPING_MODE", "monitor")];
    TestApp::with(&[&own[..], settings].concat()).await
}

fn phone(line: usize) -> String {
    format!("+14155550{line:03}")
}

#[tokio::test]
async fn the_twenty_first_start_of_an_hour_from_one_address_waits_and_others_do_not() {
    let app = app(&[]).await;
    for line in 0..20 {
        app.register_from(HOME, &phone(line)).await.ok();
    }
    let sent = app.sent();
    let limited = app.register_from(HOME, &phone(20)).await;
    assert_eq!(limited.limited("too_many_starts"), 3600);
    assert_eq!(limited.headers["ratelimit-policy"], "\"starts_per_address\";q=20;w=3600");
    assert_eq!(limited.headers["ratelimit"], "\"starts_per_address\";r=0;t=3600");
    assert_eq!(app.sent(), sent);
    app.register_from("198.51.100.8", &phone(20)).await.ok();
    app.advance(3599);
    app.register_from(HOME, &phone(21)).await.limited("too_many_starts");
    app.advance(1);
    app.register_from(HOME, &phone(21)).await.ok();
}

#[tokio::test]
async fn all_addresses_of_one_ipv6_network_are_one() {
    let app = app(&[]).await;
    for line in 0..20 {
        app.register_from(&format!("2001:db8:1:2:{line:x}::{line:x}"), &phone(line)).await.ok();
    }
    app.register_from("2001:db8:1:2:ffff::1", &phone(20)).await.limited("too_many_starts");
    app.register_from("2001:db8:1:3::1", &phone(20)).await.ok();
}

#[tokio::test]
async fn what_headers_say_about_the_address_changes_nothing() {
    let app = app(&[]).await;
    for line in 0..21 {
        let claimed = format!("203.0.113.{line}");
        let headers = json!({
            "x-forwarded-for": claimed, "x-real-ip": claimed, "forwarded": format!("for={claimed}"), "true-client-ip": claimed,
        });
        let body = json!({ "phoneNumber": phone(line) });
        let reply = app.post_from(HOME, &headers, "/api/users/register", &body).await;
        assert_eq!(reply.status, if line < 20 { 200 } else { 429 });
    }
}

/// Behind a proxy, its header counts, and only with its secret.
#[tokio::test]
async fn behind_a_proxy_its_word_counts_for_the_address_and_nobody_gets_past_it() {
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of `secret`
    let app = app(&[("CLIENT_ADDRESS_HEADER", "CloudFront-Viewer-Address"), ("PROXY_SECRET_SHA256", hash)]).await;
    let start = async |source: &str, headers: serde_json::Value, line: usize| {
        app.post_from(source, &headers, "/api/users/register", &json!({ "phoneNumber": phone(line) })).await
    };
    let through = |client: &str| json!({ "proxy-secret": "secret", "cloudfront-viewer-address": client });
    for line in 0..20 {
        start(&format!("203.0.113.{line}"), through(&format!("198.51.100.7:{line}")), line).await.ok();
    }
    start("203.0.113.99", through("198.51.100.7:99"), 20).await.limited("too_many_starts");
    start("203.0.113.99", through("198.51.100.8:99"), 20).await.ok();
    for secret in [json!(null), json!(""), json!("Secret"), json!(hash)] {
        let mut headers = through("198.51.100.9:1");
        headers["proxy-secret"] = secret;
        headers.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        start("198.51.100.9", headers, 21).await.refused(403, 14008, "proxy_required");
    }
    app.get("/api/info", None).await.refused(403, 14008, "proxy_required");
}

#[tokio::test]
async fn one_address_calls_five_countries_a_day() {
    let app = app(&[("SMS_COUNTRIES", "US,GB,DE,FR,ES,IT")]).await;
    let countries = ["+14155550101", "+447400123456", "+4915123456789", "+33612345678", "+34612345678"];
    for phone in countries {
        app.register_from(HOME, phone).await.ok();
        app.advance(60);
    }
    assert_eq!(app.register_from(HOME, "+393123456789").await.limited("too_many_starts"), 86_400 - 300);
    app.register_from("198.51.100.8", "+393123456789").await.ok();
    app.register_from(HOME, "+447400123457").await.ok();
}

#[tokio::test]
async fn a_phone_s_limits_hold_whatever_the_address() {
    let app = app(&[]).await;
    app.register_from("198.51.100.1", PHONE).await.ok();
    assert_eq!(app.register_from("198.51.100.2", PHONE).await.limited("too_many_messages"), 30);
}

/// A start that the phone's limits refuse does not count for the network.
#[tokio::test]
async fn a_start_that_its_phone_refuses_takes_nothing_of_the_address() {
    let app = app(&[]).await;
    app.register_from(HOME, PHONE).await.ok();
    for _ in 0..30 {
        app.register_from(HOME, PHONE).await.limited("too_many_messages");
    }
    app.register_from(HOME, "+14155550102").await.ok();
}

#[tokio::test]
async fn wrong_passwords_wait_and_the_wait_ends_at_its_second() {
    let app = app(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    for stranger in 0..5 {
        let address = format!("203.0.113.{stranger}");
        app.password_from(&address, PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    }
    let limited = app.password_from("203.0.113.9", PHONE, PASSWORD).await;
    assert_eq!(limited.limited("too_many_passwords"), 30, "whatever it is");
    app.advance(29);
    app.password_from("203.0.113.9", PHONE, "wrong password").await.limited("too_many_passwords");
    app.advance(1);
    app.password_from("203.0.113.9", PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    assert_eq!(app.password_from("203.0.113.10", PHONE, PASSWORD).await.limited("too_many_passwords"), 60);
}

/// An office or a carrier behind one address: whoever enters the code takes nothing of it.
#[tokio::test]
async fn starts_whose_code_comes_back_do_not_count_for_their_address() {
    let app = app(&[]).await;
    let register = async |line: usize| {
        let id = challenge_id(&app.register_from(HOME, &phone(line)).await.ok());
        let code = app.last_code(&phone(line));
        let body = TestApp::registration(&phone(line), &format!("user{line}@example.com"), &id, &code);
        app.post_from(HOME, &json!({}), "/api/users/register", &body).await.ok();
    };
    for line in 0..30 {
        register(line).await;
    }
    for line in 100..120 {
        app.register_from(HOME, &phone(line)).await.ok();
    }
    app.register_from(HOME, &phone(120)).await.limited("too_many_starts");
}

#[tokio::test]
async fn a_network_s_wrong_codes_count_over_all_phones_and_a_right_one_takes_its_phone_s_back() {
    let app = app(&[("WRONG_CODES_PER_DAY", "1000")]).await;
    let mut ids = Vec::new();
    for line in 0..6 {
        ids.push(challenge_id(&app.register_from(HOME, &phone(line)).await.ok()));
    }
    let enter = async |line: usize, code: &str| {
        let body = TestApp::registration(&phone(line), &format!("user{line}@example.com"), &ids[line], code);
        app.post_from(HOME, &json!({}), "/api/users/register", &body).await
    };
    for line in 0..5 {
        for _ in 0..4 {
            enter(line, &wrong(&app.last_code(&phone(line)))).await.refused(401, 14000, "code_rejected");
        }
    }
    enter(0, &app.last_code(&phone(0))).await.ok();
    for line in [1, 2, 3, 4, 5, 5, 5, 5, 5] {
        enter(line, &wrong(&app.last_code(&phone(line)))).await.refused(401, 14000, "code_rejected");
    }
    let limited = enter(5, &app.last_code(&phone(5))).await;
    assert_eq!(limited.limited("too_many_wrong_codes"), 86_400, "whatever it is");
    assert_eq!(limited.headers["ratelimit-policy"], "\"wrong_codes_per_address\";q=25;w=86400");
    app.enter_from("198.51.100.8", &ids[1], "000000").await.refused(401, 14000, "code_rejected");
}

#[tokio::test]
async fn wrong_passwords_at_once_are_counted_before_they_are_compared() {
    let app = app(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    let attempts = (0..30).map(|stranger| {
        let address = format!("203.0.113.{stranger}");
        let app = &app;
        async move { app.password_from(&address, PHONE, "wrong password").await.status }
    });
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
}

#[tokio::test]
async fn a_right_password_is_no_wrong_one_where_the_start_is_refused_for_something_else() {
    let app = app(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    app.password_from("203.0.113.9", PHONE, PASSWORD).await.ok();
    for _ in 0..8 {
        app.password_from("203.0.113.9", PHONE, PASSWORD).await.limited("too_many_messages");
    }
    app.advance(30);
    app.password_from("203.0.113.9", PHONE, PASSWORD).await.ok();
}

/// Otherwise anyone could fill the decision log.
#[tokio::test]
async fn a_start_that_a_rule_refuses_counts_for_its_network() {
    let app = TestApp::with(&[("STARTS_PER_ADDRESS", "5"), ("BUDGET", "0.001/1/1")]).await;
    for _ in 0..5 {
        app.register_from(HOME, PHONE).await.refused_in(503, "budget_spent");
    }
    app.register_from(HOME, PHONE).await.limited("too_many_starts");
}

/// Found by a review: when several requests read the network's count before any of them wrote it, their right passwords stayed counted as
/// wrong.
#[tokio::test]
async fn a_network_that_has_to_wait_has_no_password_compared_at_once_either() {
    let app = app(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    for line in 0..19 {
        app.register_from(HOME, &phone(200 + line)).await.ok();
    }
    let attempts = (0..5).map(|_| async { app.password_from(HOME, PHONE, "wrong password").await.status });
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 1, "{answers:?}");
    for _ in 0..4 {
        app.password_from("203.0.113.9", PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    }
    app.password_from("203.0.113.9", PHONE, "wrong password").await.limited("too_many_passwords");
}

/// A client that has to wait because of its network's limit has made no password attempt.
#[tokio::test]
async fn a_network_that_has_to_wait_has_no_password_compared() {
    let app = app(&[]).await;
    app.register(PHONE, "jane@example.com").await;
    for line in 0..20 {
        app.register_from(HOME, &phone(200 + line)).await.ok();
    }
    for _ in 0..6 {
        app.password_from(HOME, PHONE, "wrong password").await.limited("too_many_starts");
    }
    app.password_from("203.0.113.9", PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
}

#[tokio::test]
async fn a_phone_without_a_user_has_the_same_waits_for_passwords() {
    let app = app(&[]).await;
    for stranger in 0..5 {
        let address = format!("203.0.113.{stranger}");
        app.password_from(&address, PHONE, "wrong password").await.refused(401, 3003, "login_rejected");
    }
    assert_eq!(app.password_from("203.0.113.9", PHONE, "wrong password").await.limited("too_many_passwords"), 30);
}
