//! The OpenAPI document agrees with the routes, the reasons, the settings, and with what the service takes and answers.

use std::collections::BTreeSet;

use local::events::{self, EventFile, Expected};
use local::openapi::{Operation, Security, TAGS, document, operations};
use local::{API_KEY, APP_ID, Options};
use reqwest::Method;
use serde_json::{Value, json};
use shared::http::Reason;
use shared::http::routes::{self, Found, ROUTES};

use crate::events::body;
use crate::support::TestApp;

const URL: &str = "http://127.0.0.1:3000";

fn served(app: &TestApp) -> Value {
    serde_json::to_value(document(&app.stack.app.settings, URL)).unwrap()
}

/// The document's operation for a method and a path.
fn operation(method: &str, path: &str) -> Option<Operation> {
    let Found::Route(found) = routes::find(method, path) else { return None };
    operations().into_iter().find(|one| (one.method, one.path) == (method, found.route.path))
}

/// The schema with the document's components, since it refers to them.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).unwrap()
}

fn in_document<'a>(document: &'a Value, operation: &Operation) -> &'a Value {
    &document["paths"][operation.path][operation.method.to_lowercase()]
}

#[test]
fn every_route_is_an_operation_and_every_operation_a_route() {
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let described: Vec<_> = operations().iter().map(|operation| (operation.method, operation.path)).collect();
    assert_eq!(described.iter().copied().collect::<BTreeSet<_>>(), routes);
    assert_eq!(described.len(), routes.len(), "an operation is described twice");
    let ids: BTreeSet<_> = operations().iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), routes.len(), "two operations have one name");
    assert!(operations().iter().all(|operation| TAGS.contains(&operation.tag)), "a group without a place on the page");
}

/// `curl -s http://127.0.0.1:3000/openapi.json` while `cargo run` runs writes it anew.
#[tokio::test]
async fn the_committed_document_is_that_of_the_default_settings() {
    let app = TestApp::start().await;
    let committed: Value = serde_json::from_str(include_str!("../../../clients/openapi.json")).unwrap();
    assert!(committed == served(&app), "clients/openapi.json is out of date: see clients/README.md");
    let here = app.get("/openapi.json", None).await.ok();
    assert_eq!(here["servers"][0]["url"], format!("{}/api", app.stack.config.url));
    assert_eq!(here["components"], committed["components"]);
}

#[tokio::test]
async fn settings_change_the_document() {
    let app =
        TestApp::with(&[("PHONE_COLUMN", "mobile"), ("CODE_LENGTH", "8"), ("APP_ID", API_KEY), ("API_KEY", APP_ID)])
            .await;
    let document = served(&app);
    let schemas = &document["components"]["schemas"];
    for name in ["Registration", "UserChange", "User", "FoundUser", "RegistrationAnswer"] {
        assert!(schemas[name]["properties"]["mobile"].is_object(), "{name}");
        assert!(schemas[name]["properties"]["phoneNumber"].is_null(), "{name}");
    }
    assert!(schemas["User"]["required"].as_array().unwrap().contains(&json!("mobile")));
    assert!(schemas["Phone"]["properties"]["phoneNumber"].is_object(), "the Plivo services always say phoneNumber");
    assert!(schemas["TransactionCode"]["properties"]["code"]["description"].as_str().unwrap().contains("8 digits"));
    assert_eq!(document["servers"][1]["variables"]["appId"]["default"], API_KEY);
}

/// Each event's request fits the document if it is answered, and its answer fits in any case.
#[tokio::test]
async fn the_events_and_their_answers_fit_the_document() {
    let app = TestApp::options(Options { seed: Some(events::seed()), ..Options::default() }).await;
    let document = served(&app);
    for EventFile { name, function, expected, event } in events::all().unwrap() {
        let http = &event["requestContext"]["http"];
        let (Some(method), Some(path)) = (http["method"].as_str(), http["path"].as_str()) else { continue };
        let Some(operation) = operation(method, path) else { continue };
        let described = in_document(&document, &operation);
        let answer = app.stack.invoke(function, event.clone()).await.unwrap();
        let content = &described["responses"][answer["statusCode"].to_string()]["content"]["application/json"];
        let answered: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let problems: Vec<_> =
            validator(&document, &content["schema"]).iter_errors(&answered).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
        match expected {
            Expected::Refusal(reason) => assert!(operation.reasons.contains(&reason), "{name}: {}", operation.id),
            _ => {
                let schema = &described["requestBody"]["content"]["application/json"]["schema"];
                if let (Ok(body), true) = (serde_json::from_str::<Value>(&body(&event)), schema.is_object()) {
                    // Backendless' own forms: a bare phone, and links in one text.
                    let is_backendless = !body.is_object() || body["mediaUrls"].is_string();
                    assert!(is_backendless || validator(&document, schema).is_valid(&body), "{name}: {body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn examples_fit_their_schemas() {
    let app = TestApp::start().await;
    let document = served(&app);
    for operation in operations() {
        let described = in_document(&document, &operation);
        let request = &described["requestBody"]["content"]["application/json"];
        let answer = &described["responses"]["200"]["content"]["application/json"];
        for content in [request, answer].into_iter().filter(|content| content.is_object()) {
            let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
            let examples: Vec<_> = named.chain(content.get("example")).collect();
            assert!(!examples.is_empty(), "{}", operation.id);
            for example in examples {
                assert!(validator(&document, &content["schema"]).is_valid(example), "{}: {example}", operation.id);
            }
        }
    }
    let error = validator(&document, &json!({ "$ref": "#/components/schemas/ErrorResponse" }));
    for reason in Reason::ALL {
        assert!(error.is_valid(&document["components"]["examples"][reason.as_str()]["value"]), "{}", reason.as_str());
    }
}

/// What needs a session or the message key is refused without it, whatever else the request holds.
#[tokio::test]
async fn what_needs_a_session_or_a_key_is_refused_without_it() {
    let app = TestApp::start().await;
    for operation in operations() {
        let path = operation.path.replace("{objectId}", "X").replace("{sessionId}", "X");
        let body = operation.body.and_then(|(_, examples)| Some(examples.first()?.1.clone())).unwrap_or_default();
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let root = if operation.security == Security::Plivo { "" } else { "/api" };
        let reply = app.send(app.request(method, &format!("{root}{path}")).body(body.to_string())).await;
        match operation.security {
            Security::Session => reply.refused(401, 3064, "session_invalid"),
            Security::MessageKey => reply.refused(401, 14008, "access_denied"),
            Security::Plivo => reply.refused(401, 14008, "signature_invalid"),
            Security::None | Security::OptionalSession => assert_ne!(reply.body["code"], 3064, "{}", operation.id),
        }
    }
}
