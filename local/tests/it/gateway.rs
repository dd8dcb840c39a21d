//! The gateway: CORS, headers, both roots, sizes.

use reqwest::Method;
use serde_json::json;

use crate::support::TestApp;

const ORIGIN: &str = "http://localhost:18099";

#[tokio::test]
async fn every_path_answers_a_preflight() {
    let app = TestApp::start().await;
    for path in [
        "/api/users/register",
        "/api/services/Plivo/loginWithCode",
        "/api/users/isvalidusertoken/T",
        "/a/b/info",
        "/nothing/here",
    ] {
        let request =
            app.request(Method::OPTIONS, path).header("origin", ORIGIN).header("access-control-request-method", "POST");
        let reply = app
            .send(
                request.header(
                    "access-control-request-headers",
                    "content-type,user-token,bl-execution-type,authorization",
                ),
            )
            .await;
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(reply.headers["access-control-allow-origin"], "*");
        let allowed = reply.headers["access-control-allow-headers"].to_str().unwrap();
        for header in ["content-type", "user-token", "bl-execution-type", "authorization"] {
            assert!(allowed.split(',').any(|name| name == header), "{header}");
        }
        let methods = reply.headers["access-control-allow-methods"].to_str().unwrap();
        assert!(["GET", "POST", "PUT", "DELETE"].iter().all(|method| methods.contains(method)));
    }
}

#[tokio::test]
async fn plain_options_lists_the_methods() {
    let app = TestApp::start().await;
    for (path, allow) in [("/api/users/register", "POST, OPTIONS"), ("/api/info", "GET, OPTIONS")] {
        let reply = app.send(app.request(Method::OPTIONS, path)).await;
        assert_eq!((reply.status.as_u16(), &reply.headers["allow"]), (204, &allow.parse().unwrap()), "{path}");
    }
    app.send(app.request(Method::OPTIONS, "/nothing")).await.refused(404, 14002, "not_found");
}

#[tokio::test]
async fn answers_and_errors_are_for_every_origin() {
    let app = TestApp::start().await;
    for path in ["/api/info", "/nothing", "/api/users/logout", "/x/y/info"] {
        let reply = app.send(app.request(Method::GET, path).header("origin", ORIGIN)).await;
        assert_eq!(reply.headers["access-control-allow-origin"], "*", "{path}");
        assert_eq!(
            app.get(path, None).await.headers.get("access-control-allow-origin"),
            None,
            "{path}: only for pages"
        );
    }
}

#[tokio::test]
async fn origins_can_be_limited() {
    let app = TestApp::with(&[("ALLOWED_ORIGINS", "https://app.example.com,http://localhost:18099")]).await;
    let reply = app.send(app.request(Method::GET, "/api/info").header("origin", ORIGIN)).await;
    assert_eq!(reply.headers["access-control-allow-origin"], ORIGIN);
    for origin in ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com"] {
        let request = app
            .request(Method::OPTIONS, "/api/info")
            .header("origin", origin)
            .header("access-control-request-method", "GET");
        assert_eq!(app.send(request).await.headers.get("access-control-allow-origin"), None, "{origin}");
        let reply = app.send(app.request(Method::GET, "/api/info").header("origin", origin)).await;
        assert_eq!(reply.headers.get("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn what_a_client_says_of_hosts_and_proxies_confuses_nobody() {
    let app = TestApp::start().await;
    for host in ["a b", "exa%mple", "http://x", "", "a:b", "127.0.0.1:99999", "[::1", "256.0.0.1", ":", "my_app:3000"] {
        app.send(app.request(Method::GET, "/api/info").header("host", host)).await.ok();
    }
    app.send(app.request(Method::GET, "/api/info").header("x-forwarded-proto", "a b")).await.ok();
}

#[tokio::test]
async fn every_answer_is_json_that_nobody_keeps() {
    let app = TestApp::start().await;
    for path in ["/api/info", "/nothing", "/api/users/logout"] {
        let reply = app.get(path, None).await;
        assert_eq!(
            (&reply.headers["cache-control"], &reply.headers["content-type"]),
            (&"no-store".parse().unwrap(), &"application/json".parse().unwrap()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn info_tells_the_application_below_both_roots() {
    let app = TestApp::start().await;
    let version = env!("CARGO_PKG_VERSION");
    let expected = json!({"appId": local::APP_ID, "apiKey": local::API_KEY, "rtURL": "", "version": version});
    assert_eq!(app.get("/api/info", None).await.ok(), expected);
    assert_eq!(app.get(&format!("/{}/{}/info", local::APP_ID, local::API_KEY), None).await.ok(), expected);
}

#[tokio::test]
async fn a_body_may_be_exactly_as_large_as_allowed() {
    let app = TestApp::start().await;
    let body = format!("{{\"phoneNumber\":\"+14155550101\",\"own\":\"{}\"}}", "x".repeat(16 * 1024));
    let padded = format!("{:<width$}", "{\"phoneNumber\":\"+14155550101\"}", width = 16 * 1024);
    app.post_text("/api/users/register", padded).await.ok();
    app.post_text("/api/users/register", body).await.refused(413, 14000, "body_too_large");
    let huge = vec![b' '; 11 * 1024 * 1024];
    assert_eq!(app.post_text("/api/users/register", huge).await.status, 413);
}
