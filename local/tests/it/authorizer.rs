//! The authorizer, asked as API Gateway asks it (payload 2.0).

use local::fault_proxy::Fault as StoreFault;
use serde_json::{Value, json};

use crate::support::TestApp;

const PHONE: &str = "+14155550101";

async fn ask(app: &TestApp, headers: Value) -> Value {
    let event = json!({
        "version": "2.0", "type": "REQUEST", "routeKey": "GET /orders", "rawPath": "/orders", "rawQueryString": "",
        "routeArn": "arn:aws:execute-api:us-east-1:000000000000:api/$default/GET/orders",
        "identitySource": [headers["user-token"]], "headers": headers,
        "requestContext": {"http": {"method": "GET", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}},
    });
    app.stack.invoke("authorizer", event).await.unwrap()
}

#[tokio::test]
async fn what_is_no_session_is_not_authorized() {
    let app = TestApp::start().await;
    app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let refused = json!({"isAuthorized": false});
    let stale = "B83FA46D-A19A-A8CE-FF2B-976B7A1D8100";
    for headers in [json!({}), json!({"user-token": ""}), json!({"user-token": stale}), json!({"user-token": 7})] {
        assert_eq!(ask(&app, headers).await, refused);
    }
    for headers in [json!({"user-token": format!("{token},{token}")}), json!({"User-Token": token}), json!(null)] {
        assert_eq!(ask(&app, headers).await, refused);
    }
    app.get("/api/users/logout", Some(&token)).await.ok();
    assert_eq!(ask(&app, json!({ "user-token": token })).await, refused);
}

#[tokio::test]
async fn a_session_is_authorized_and_says_whose_it_is() {
    let app = TestApp::start().await;
    let user = app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    let sessions = app.get("/api/users/sessions", Some(&token)).await.ok();
    let context = json!({
        "objectId": user["objectId"], "sessionId": sessions[0]["id"], "roles": ["AuthenticatedUser", "RestUser"],
    });
    assert_eq!(ask(&app, json!({ "user-token": token })).await, json!({"isAuthorized": true, "context": context}));
    assert!(!context.to_string().contains(&token) && !context.to_string().contains("4155550101"));
}

#[tokio::test]
async fn an_authorizer_that_cannot_ask_refuses() {
    let (app, proxy, _store) = TestApp::behind_fault_proxy().await;
    app.register(PHONE, "jane@example.com").await;
    let token = app.log_in(PHONE).await;
    for fault in [StoreFault::Throttle, StoreFault::Fail, StoreFault::HangUp] {
        proxy.always(Some(fault));
        assert_eq!(ask(&app, json!({ "user-token": token })).await, json!({"isAuthorized": false}));
        proxy.always(None);
    }
    assert_eq!(ask(&app, json!({ "user-token": token })).await["isAuthorized"], true);
}
