//! SQS's API (AWS JSON 1.0): sending, finding queues, and moving dead letters back. Nothing is received here, because `mapping` does so.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{DEAD_LETTERS, NewMessage, Queues, SOURCES, arn, counterpart, is_fifo, url};

/// What `X-Amz-Target` begins with.
pub(crate) const TARGET: &str = "AmazonSQS.";
/// The most messages of one `SendMessageBatch`.
const MOST_ENTRIES: usize = 10;
/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 900;

/// A refused call: the exception's type, and its message.
type Refused = (&'static str, &'static str);

const NO_QUEUE: Refused = ("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.");
const NO_GROUP: Refused = (INVALID, "A FIFO queue needs MessageGroupId and MessageDeduplicationId.");
const INVALID: &str = "com.amazonaws.sqs#InvalidParameterValueException";

/// Responds on the API's own port.
pub(super) async fn respond(State(queues): State<Queues>, headers: HeaderMap, body: Bytes) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    answer(&queues, &headers, &body, &format!("http://{host}"))
}

/// Responds to a request that came to this endpoint.
pub(crate) fn answer(queues: &Queues, headers: &HeaderMap, body: &[u8], endpoint: &str) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let answer = match target.strip_prefix(TARGET).unwrap_or_default() {
        "SendMessage" => send(queues, &request),
        "SendMessageBatch" => send_batch(queues, &request),
        "GetQueueUrl" => find(&request["QueueName"]).map(|queue| json!({ "QueueUrl": url(endpoint, queue) })),
        "ListQueues" => Ok(list(&request, endpoint)),
        "StartMessageMoveTask" => redrive(queues, &request),
        _ => Err(("com.amazonaws.sqs#UnsupportedOperation", "The local stack does not have this operation.")),
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err((kind, message)) => (StatusCode::BAD_REQUEST, json!({ "__type": kind, "message": message })),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}

/// The queue of a name, or of a URL or an ARN that ends with the name.
fn find(name: &Value) -> Result<&'static str, Refused> {
    let name = name.as_str().and_then(|name| name.rsplit(['/', ':']).next());
    let mut queues = SOURCES.into_iter().chain(DEAD_LETTERS);
    queues.find(|queue| Some(*queue) == name).ok_or(NO_QUEUE)
}

fn send(queues: &Queues, request: &Value) -> Result<Value, Refused> {
    let queue = find(&request["QueueUrl"])?;
    let message = read(queue, request)?;
    let digest = md5(&message.body);
    Ok(json!({ "MessageId": queues.add(queue, message), "MD5OfMessageBody": digest }))
}

fn send_batch(queues: &Queues, request: &Value) -> Result<Value, Refused> {
    let queue = find(&request["QueueUrl"])?;
    let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: HashSet<_> = entries.iter().map(|entry| entry["Id"].as_str()).collect();
    if entries.is_empty() {
        return Err(("com.amazonaws.sqs#EmptyBatchRequest", "There are no entries."));
    }
    if entries.len() > MOST_ENTRIES {
        return Err(("com.amazonaws.sqs#TooManyEntriesInBatchRequest", "There are more than 10 entries."));
    }
    if ids.len() != entries.len() {
        return Err(("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "Two entries have the same Id."));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match read(queue, entry) {
            Ok(message) => {
                let digest = md5(&message.body);
                let id = queues.add(queue, message);
                successful.push(json!({ "Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": digest }));
            }
            Err((kind, message)) => {
                let code = kind.rsplit('#').next();
                failed.push(json!({ "Id": entry["Id"], "SenderFault": true, "Code": code, "Message": message }));
            }
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

/// A message of `SendMessage` or of an entry of `SendMessageBatch`.
fn read(queue: &str, request: &Value) -> Result<NewMessage, Refused> {
    let text = |name: &str| request[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let body = text("MessageBody").ok_or((INVALID, "MessageBody must not be empty."))?;
    let (group, deduplication_id) = (text("MessageGroupId"), text("MessageDeduplicationId"));
    let delay = request["DelaySeconds"].as_u64().unwrap_or_default();
    match is_fifo(queue) {
        true if group.is_none() || deduplication_id.is_none() => return Err(NO_GROUP),
        true if delay > 0 => return Err((INVALID, "A FIFO queue does not delay single messages.")),
        false if deduplication_id.is_some() => return Err((INVALID, "MessageDeduplicationId is for FIFO queues.")),
        _ if delay > LONGEST_DELAY => return Err((INVALID, "DelaySeconds must be at most 900.")),
        _ => {}
    }
    let attributes = request["MessageAttributes"].as_object().cloned().unwrap_or_default();
    let attributes = attributes.into_iter().map(|(name, value)| (name, value["StringValue"].clone())).collect();
    Ok(NewMessage { body, attributes, group, deduplication_id, delay: Duration::from_secs(delay) })
}

fn list(request: &Value, endpoint: &str) -> Value {
    let prefix = request["QueueNamePrefix"].as_str().unwrap_or_default();
    let queues = SOURCES.into_iter().chain(DEAD_LETTERS).filter(|queue| queue.starts_with(prefix));
    json!({ "QueueUrls": queues.map(|queue| url(endpoint, queue)).collect::<Vec<_>>() })
}

/// Moves dead letters to a queue of the same kind: the one that they came from, unless another is named.
fn redrive(queues: &Queues, request: &Value) -> Result<Value, Refused> {
    const NO_ARN: Refused = ("com.amazonaws.sqs#ResourceNotFoundException", "There is no such queue.");
    let of_arn = |name: &str| {
        let queue = find(&request[name]).ok().filter(|queue| request[name] == arn(queue));
        queue.ok_or(NO_ARN)
    };
    let source = of_arn("SourceArn")?;
    let destination = match &request["DestinationArn"] {
        Value::Null => counterpart(source).ok_or(NO_ARN)?,
        _ => of_arn("DestinationArn")?,
    };
    if !DEAD_LETTERS.contains(&source) || is_fifo(source) != is_fifo(destination) || source == destination {
        return Err((INVALID, "Messages are moved from a dead-letter queue to another queue of the same kind."));
    }
    queues.redrive(source, destination);
    Ok(json!({ "TaskHandle": shared::crypto::identifier::random() }))
}

/// The checksum of a body, which some SDKs compare.
pub(super) fn md5(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}
