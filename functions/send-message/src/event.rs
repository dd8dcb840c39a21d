//! The kinds of events, and the idempotency key of each message. Every source delivers at least once, so a redelivered message must keep
//! its key. Events are parsed by hand: AWS's library (`aws_lambda_events`) requires fields that are not needed here, so a missing one could
//! fail a whole batch, and it adds a calendar to the binary.

use serde_json::{Map, Value};
use shared::http::{self, Fields, Problem, Reason};
use shared::messaging::{IdempotencyKey, KeyError, is_arn_of};

/// An event.
pub enum Event {
    /// From API Gateway (payload 2.0).
    Http(Value),
    /// From SQS, standard or FIFO.
    Queue(Vec<Record>),
    /// From SNS.
    Notifications(Vec<Carried>),
    /// From EventBridge, Scheduler, or a direct invocation with a message.
    One(Carried),
}

/// A message, and the idempotency key that follows from its source.
pub struct Carried {
    /// The idempotency key.
    pub key: IdempotencyKey,
    /// The message, if it is a JSON object.
    pub fields: Result<Fields, Problem>,
}

/// A message of a queue.
pub struct Record {
    /// SQS's ID of the message.
    pub id: String,
    /// Its text.
    pub body: String,
    /// The queue's ARN.
    pub source: String,
    /// Its group, in a FIFO queue.
    pub group: Option<String>,
    /// The number of deliveries, including this one.
    pub receives: u32,
    /// The attribute `idempotencyKey`: the sender's, or the dead-letter queue's if the message was moved back from there.
    pub key: Result<Option<IdempotencyKey>, KeyError>,
}

impl Event {
    /// Parses an event.
    ///
    /// # Errors
    /// [`Reason::UnknownEvent`].
    pub fn read(payload: Value, request_id: &str) -> Result<Self, Problem> {
        if payload["requestContext"]["http"].is_object() {
            return Ok(Self::Http(payload));
        }
        let event = match payload {
            Value::Object(event) => event,
            _ => return Err(unknown()),
        };
        if let Some(Value::Array(records)) = event.get("Records") {
            return records_of(records);
        }
        if event.contains_key("detail-type") {
            return bus(&event).map(Self::One).ok_or_else(unknown);
        }
        if event.contains_key("phoneNumber") {
            // Lambda keeps the ID when it retries an asynchronous invocation.
            let key = IdempotencyKey::of("invocation", request_id);
            return Ok(Self::One(Carried { key, fields: Ok(Fields(event)) }));
        }
        Err(unknown())
    }
}

fn unknown() -> Problem {
    Problem::new(Reason::UnknownEvent)
}

/// Records of one service (AWS: "Using Lambda with Amazon SQS", "Invoking Lambda functions with Amazon SNS notifications").
fn records_of(records: &[Value]) -> Result<Event, Problem> {
    let first = records.first().ok_or_else(unknown)?;
    if first["eventSource"] == "aws:sqs" {
        let records = records.iter().map(record).collect::<Option<_>>();
        records.map(Event::Queue).ok_or_else(unknown)
    } else if first["EventSource"] == "aws:sns" {
        let carried = records.iter().map(notification).collect::<Option<_>>();
        carried.map(Event::Notifications).ok_or_else(unknown)
    } else {
        Err(unknown())
    }
}

/// `None` if the message lacks an identity, so that SQS must deliver the whole batch again.
fn record(record: &Value) -> Option<Record> {
    let source = record["eventSourceARN"].as_str().filter(|source| is_arn_of("sqs", source))?;
    let attributes = &record["attributes"];
    let key = record["messageAttributes"]["idempotencyKey"]["stringValue"].as_str();
    // Messages of a standard queue may have groups as well, for fairness, but they have no order.
    let group = attributes["MessageGroupId"].as_str().filter(|_| source.ends_with(".fifo"));
    Some(Record {
        id: record["messageId"].as_str()?.to_owned(),
        body: record["body"].as_str().unwrap_or_default().to_owned(),
        source: source.to_owned(),
        group: group.map(str::to_owned),
        receives: attributes["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok()).unwrap_or(1),
        key: key.map(|key| IdempotencyKey::of_attribute(key, source)).transpose(),
    })
}

fn notification(record: &Value) -> Option<Carried> {
    let sns = &record["Sns"];
    let key = IdempotencyKey::of_resource("sns", sns["TopicArn"].as_str()?, sns["MessageId"].as_str()?)?;
    Some(Carried { key, fields: http::fields(sns["Message"].as_str().unwrap_or_default()) })
}

/// An event of a bus has an ID. Scheduler's ID is new for each attempt, so its key is made of the schedule and the scheduled time (AWS:
/// "Adding context attributes" of EventBridge Scheduler).
fn bus(event: &Map<String, Value>) -> Option<Carried> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let key = if text("source")? == "aws.scheduler" {
        let (schedule, time) = (event.get("resources")?.get(0)?.as_str()?, text("time")?);
        // A misspelt `<aws.scheduler…>` attribute is passed unchanged, so the key would be the same every day.
        if time.starts_with('<') {
            return None;
        }
        IdempotencyKey::of_resource("scheduler", schedule, time)?
    } else {
        IdempotencyKey::of("eventbridge", text("id")?)
    };
    let fields = match event.get("detail")? {
        Value::Object(detail) => Ok(Fields(detail.clone())),
        _ => Err(Problem::new(Reason::NotAnObject)),
    };
    Some(Carried { key, fields })
}
