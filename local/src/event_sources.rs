//! What else invokes `send-message` on AWS: EventBridge (`PutEvents`), SNS (`Publish`) and Lambda itself (`Invoke`). With SQS's API, they are
//! at `/_local/aws`, for the AWS CLI and the SDKs: `aws --endpoint-url http://127.0.0.1:3000/_local/aws …`.
//!
//! Events and notifications invoke the function asynchronously, as on AWS: a failed invocation is repeated twice, here at once, and then
//! recorded in the dead-letter queue.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use lambda_http::lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::crypto::identifier;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded;

use crate::clock::MovableClock;
use crate::functions::{self, Functions};
use crate::sqs::{self, Queues};

/// Where the APIs are.
pub const PATH: &str = "/_local/aws";
/// The source and the detail type of the template's rule, for a stack of samconfig.toml's name.
pub const RULE: (&str, &str) = ("otpost.otpost", "SendMessage");
/// The topic that stands for all topics of the account.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:messages";
/// The function's ARN.
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:send-message";
/// The first attempt of an asynchronous invocation and two more, as in the template.
const ATTEMPTS: u32 = 3;

/// What the APIs need.
#[derive(Clone)]
pub(crate) struct EventSources {
    pub(crate) functions: Arc<Functions>,
    pub(crate) queues: Queues,
    pub(crate) clock: Arc<MovableClock>,
}

impl EventSources {
    /// The routes.
    pub(crate) fn router(self) -> Router {
        Router::new()
            .route(PATH, post(respond))
            .route(&format!("{PATH}/"), post(respond))
            .route(&format!("{PATH}/2015-03-31/functions/{{name}}/invocations"), post(invoke))
            .with_state(self)
    }

    /// Invokes `send-message` in the background.
    fn invoke_later(&self, event: Value) {
        let own = self.clone();
        self.functions.in_background(async move {
            let context = functions::context(own.clock.now(), functions::timeout("send-message"));
            let mut failure = None;
            for _ in 0..ATTEMPTS {
                match own.functions.invoke_in("send-message", LambdaEvent::new(event.clone(), context.clone())).await {
                    Ok(_) => return,
                    Err(error) => failure = Some(error),
                }
            }
            if let Some(error) = failure {
                let time = own.time();
                own.queues.add_failed_invocation(&failed_invocation(&time, &context.request_id, &event, &error));
            }
        });
    }

    /// The stack's time in AWS's form.
    fn time(&self) -> String {
        let time = OffsetDateTime::from_unix_timestamp(self.clock.now().as_seconds());
        time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
    }

    /// Accepts events, and passes those that match the rule to the function.
    fn put_events(&self, request: &Value) -> Response {
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.is_empty() || entries.len() > 10 {
            return refusal("ValidationException", "There must be 1 to 10 entries.");
        }
        let results: Vec<_> = entries.iter().map(|entry| self.put_event(entry)).collect();
        let failed = results.iter().filter(|result| result["EventId"].is_null()).count();
        json_1_1(StatusCode::OK, &json!({ "FailedEntryCount": failed, "Entries": results }))
    }

    fn put_event(&self, entry: &Value) -> Value {
        let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
        let (Some(source), Some(kind), Some(detail)) = (text("Source"), text("DetailType"), text("Detail")) else {
            return json!({ "ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and Detail are required." });
        };
        let Ok(detail @ Value::Object(_)) = serde_json::from_str(detail) else {
            return json!({ "ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed." });
        };
        let id = identifier::random();
        if (source, kind) == RULE
            && text("EventBusName").is_none_or(|bus| bus == "default" || bus.ends_with("/default"))
        {
            self.invoke_later(json!({
                "version": "0", "id": id, "detail-type": kind, "source": source, "account": "000000000000", "time": self.time(),
                "region": "us-east-1", "resources": entry.get("Resources").cloned().unwrap_or(json!([])), "detail": detail,
            }));
        }
        json!({ "EventId": id })
    }

    /// Publishes to a topic. The function is subscribed to every topic.
    fn publish(&self, parameters: &HashMap<String, String>) -> Response {
        let (topic, message) = (parameters.get("TopicArn"), parameters.get("Message").filter(|text| !text.is_empty()));
        let (Some(topic), Some(message)) = (topic.filter(|topic| topic.starts_with("arn:aws:sns:")), message) else {
            return xml(StatusCode::BAD_REQUEST, "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>TopicArn and Message are required.</Message></Error></ErrorResponse>".to_owned());
        };
        let id = identifier::random();
        self.invoke_later(json!({ "Records": [{
            "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": format!("{topic}:local"),
            "Sns": {
                "Type": "Notification", "MessageId": id, "TopicArn": topic, "Subject": parameters.get("Subject"), "Message": message,
                "Timestamp": self.time(), "MessageAttributes": {},
            },
        }] }));
        xml(
            StatusCode::OK,
            format!(
                "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>{id}</MessageId></PublishResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></PublishResponse>",
                identifier::random()
            ),
        )
    }
}

/// Responds to SQS's and EventBridge's protocols, which name the operation in a header, and to SNS's, which is a form.
async fn respond(State(sources): State<EventSources>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if target.starts_with(sqs::api::TARGET) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        return sqs::api::answer(&sources.queues, &headers, &body, &format!("http://{host}{PATH}"));
    }
    if target == "AWSEvents.PutEvents" {
        return sources.put_events(&serde_json::from_slice(&body).unwrap_or_default());
    }
    let parameters: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    match parameters.get("Action").map(String::as_str) {
        Some("Publish") if target.is_empty() => sources.publish(&parameters),
        _ => refusal("UnknownOperationException", "The local stack does not have this operation."),
    }
}

/// Lambda's `Invoke`. The name may be an ARN.
async fn invoke(
    State(sources): State<EventSources>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = name.rsplit(':').next().unwrap_or_default();
    if name != "send-message" {
        let headers = [("x-amzn-errortype", "ResourceNotFoundException")];
        let message = json!({ "Type": "User", "Message": "Function not found. The local stack has send-message." });
        return (StatusCode::NOT_FOUND, headers, axum::Json(message)).into_response();
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        let headers = [("x-amzn-errortype", "InvalidRequestContentException")];
        let message = json!({ "Type": "User", "message": "The payload is not JSON." });
        return (StatusCode::BAD_REQUEST, headers, axum::Json(message)).into_response();
    };
    if headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event") {
        sources.invoke_later(event);
        return StatusCode::ACCEPTED.into_response();
    }
    match sources.functions.invoke(name, event).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(error) => {
            let headers = [("x-amz-function-error", "Unhandled")];
            (headers, axum::Json(response_payload(&error))).into_response()
        }
    }
}

fn response_payload(error: &Diagnostic) -> Value {
    json!({ "errorType": error.error_type, "errorMessage": error.error_message })
}

/// The record of a failed asynchronous invocation (AWS: "Capturing records of Lambda asynchronous invocations").
fn failed_invocation(time: &str, request_id: &str, event: &Value, error: &Diagnostic) -> Value {
    json!({
        "version": "1.0", "timestamp": time,
        "requestContext": {
            "requestId": request_id, "functionArn": format!("{FUNCTION}:$LATEST"), "condition": "RetriesExhausted",
            "approximateInvokeCount": ATTEMPTS,
        },
        "requestPayload": event,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": response_payload(error),
    })
}

fn refusal(kind: &str, message: &str) -> Response {
    json_1_1(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
}

fn json_1_1(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

fn xml(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"))], body).into_response()
}
