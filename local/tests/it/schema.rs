//! `docs/message.schema.json` says which messages the function accepts.

use serde_json::{Value, json};

use crate::support::TestApp;

const PHONE: &str = "+14155550101";

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/message.schema.json")).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[tokio::test]
async fn what_the_schema_refuses_is_refused() {
    let (app, schema) = (TestApp::start().await, schema());
    for message in [
        json!({}),
        json!([]),
        json!({"message": "Hello"}),
        json!({"phoneNumber": PHONE}),
        json!({"phoneNumber": "", "message": "Hello"}),
        json!({"phoneNumber": null, "message": "Hello"}),
        json!({"phoneNumber": 14_155_550_101_u64, "message": "Hello"}),
        json!({"phoneNumber": PHONE, "message": ""}),
        json!({"phoneNumber": PHONE, "message": null}),
        json!({"phoneNumber": PHONE, "message": ["Hello"]}),
        json!({"phoneNumber": PHONE, "message": "a".repeat(1601)}),
        json!({"phoneNumber": PHONE, "mediaUrls": []}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": [""]}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": [null]}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": {"0": "https://example.com/a.png"}}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": vec!["https://example.com/a.png"; 11]}),
        json!({"phoneNumber": PHONE, "mediaUrls": "https://example.com/a.png", "mediaUrl": "https://example.com/a.png"}),
        json!({"phoneNumber": PHONE, "message": "Hello", "from": PHONE}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": ""}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": " "}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "\u{e9}"}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": "a".repeat(258)}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": 7}),
    ] {
        assert!(!schema.is_valid(&message), "{message}");
        assert_eq!(app.message(&message).await.status, 400, "{message}");
    }
    assert_eq!(app.sent(), 0);
}

#[tokio::test]
async fn what_is_taken_is_of_the_schema() {
    let (app, schema) = (TestApp::start().await, schema());
    let messages = [
        json!({"phoneNumber": PHONE, "message": "Hello"}),
        json!({"phoneNumber": "4155550101", "message": "Hello", "mediaUrls": null, "idempotencyKey": null}),
        json!({"phoneNumber": PHONE, "message": "a".repeat(1600), "idempotencyKey": "order 7"}),
        json!({"phoneNumber": PHONE, "message": null, "mediaUrls": "https://example.com/a.png,https%3A%2F%2Fexample.com"}),
        json!({"phoneNumber": PHONE, "mediaUrls": ["https://example.com/1,2.png", "https%3A%2F%2Fexample.com"]}),
        json!({"phoneNumber": PHONE, "message": "Hello", "mediaUrls": []}),
        json!({"phoneNumber": PHONE, "mediaUrl": "https://example.com/a.png", "idempotencyKey": "a".repeat(255)}),
        json!({"phoneNumber": PHONE, "message": "Hello", "idempotencyKey": format!("\"{}\"", "b".repeat(255))}),
    ];
    for message in &messages {
        assert!(schema.is_valid(message), "{message}");
        app.message(message).await.ok();
    }
    assert_eq!(app.sent(), messages.len());
}
