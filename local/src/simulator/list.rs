//! Filters and pages of the message list ("Plivo: List all messages" page).

use serde_json::{Value, json};

use super::message::Message;
use super::number::digits;
use super::response::Refused;
use super::time;

/// The default and maximum page size.
const MAX_LIMIT: usize = 20;
/// The values that the official SDKs accept.
const STATES: [&str; 8] = ["queued", "sent", "failed", "delivered", "undelivered", "rejected", "read", "received"];
const TYPES: [&str; 3] = ["sms", "mms", "whatsapp"];
const DIRECTIONS: [&str; 2] = ["inbound", "outbound"];

/// A checked query.
#[derive(Debug)]
pub(super) struct Listing {
    limit: usize,
    offset: usize,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    State(String),
    Type(String),
    FromNumber(String),
    ToNumber(String),
    ErrorCode(String),
    Powerpack(String),
    Time(Comparison, i64),
    Inbound(bool),
    /// Matches no message: none belongs to a sub-account.
    Never,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Listing {
    /// Checks the decoded query. Unknown names and empty values are ignored.
    pub(super) fn parse(query: &[(String, String)]) -> Result<Self, Refused> {
        let mut listing = Self { limit: MAX_LIMIT, offset: 0, conditions: Vec::new() };
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "limit" => listing.limit = number(name, value, 1, MAX_LIMIT)?,
                "offset" => listing.offset = number(name, value, 0, usize::MAX)?,
                _ => listing.conditions.extend(Condition::parse(name, value)?),
            }
        }
        Ok(listing)
    }

    /// A page of the messages that match, as Plivo's `meta` and `objects`. `query` is the query as it was sent: the links to other pages
    /// repeat its filters.
    pub(super) fn page<'a>(
        &self,
        messages: impl Iterator<Item = &'a Message>,
        now: i64,
        (auth_id, query): (&str, &str),
    ) -> Value {
        let fitting: Vec<_> =
            messages.filter(|message| self.conditions.iter().all(|condition| condition.holds(message, now))).collect();
        let objects: Vec<_> =
            fitting.iter().skip(self.offset).take(self.limit).map(|message| message.record(auth_id, now)).collect();
        let link = |offset: usize| {
            format!("/v1/Account/{auth_id}/Message/?limit={}&offset={offset}{}", self.limit, filters(query))
        };
        let following = self.offset.saturating_add(self.limit);
        json!({
            "meta": {
                "limit": self.limit,
                "next": (following < fitting.len()).then(|| link(following)),
                "offset": self.offset,
                "previous": (self.offset > 0).then(|| link(self.offset.saturating_sub(self.limit))),
                "total_count": fitting.len(),
            },
            "objects": objects,
        })
    }
}

/// The query without `limit` and `offset`, each parameter preceded by `&`.
fn filters(query: &str) -> String {
    let is_filter = |part: &&str| !part.is_empty() && !part.starts_with("limit=") && !part.starts_with("offset=");
    query.split('&').filter(is_filter).map(|part| format!("&{part}")).collect()
}

impl Condition {
    fn parse(name: &str, value: &str) -> Result<Option<Self>, Refused> {
        let condition = match name {
            "message_state" => Self::State(one_of(name, value, &STATES)?),
            "message_type" => Self::Type(one_of(name, value, &TYPES)?),
            "message_direction" => Self::Inbound(one_of(name, value, &DIRECTIONS)? == "inbound"),
            "subaccount" => Self::Never,
            "from_number" => Self::FromNumber(value.to_owned()),
            "to_number" => Self::ToNumber(value.to_owned()),
            "error_code" => Self::ErrorCode(value.to_owned()),
            "powerpack_id" => Self::Powerpack(value.to_owned()),
            "message_time" => Self::Time(Comparison::Equal, moment(name, value)?),
            "message_time__gt" => Self::Time(Comparison::Greater, moment(name, value)?),
            "message_time__gte" => Self::Time(Comparison::GreaterOrEqual, moment(name, value)?),
            "message_time__lt" => Self::Time(Comparison::Less, moment(name, value)?),
            "message_time__lte" => Self::Time(Comparison::LessOrEqual, moment(name, value)?),
            _ => return Ok(None),
        };
        Ok(Some(condition))
    }

    fn holds(&self, message: &Message, now: i64) -> bool {
        match self {
            Self::State(state) => message.state(now) == state,
            Self::Type(kind) => message.kind() == kind,
            Self::FromNumber(from) => message.sender_number().is_some_and(|number| same_number(number, from)),
            Self::ToNumber(to) => same_number(&message.recipient_number(), to),
            Self::ErrorCode(code) => message.error_code(now).as_ref() == Some(code),
            Self::Powerpack(id) => message.powerpack_id() == Some(id),
            Self::Time(comparison, time) => comparison.holds(message.created, *time),
            Self::Inbound(inbound) => message.is_inbound() == *inbound,
            Self::Never => false,
        }
    }
}

impl Comparison {
    fn holds(self, created: i64, time: i64) -> bool {
        match self {
            // Most filters are only exact to the second.
            Self::Equal => created == time || (time % 1_000 == 0 && created.div_euclid(1_000) == time / 1_000),
            Self::Greater => created > time,
            Self::GreaterOrEqual => created >= time,
            Self::Less => created < time,
            Self::LessOrEqual => created <= time,
        }
    }
}

/// Compares names and masked numbers as they are, and numbers by their digits, because a query decoder turns a plus into a space.
fn same_number(number: &str, wanted: &str) -> bool {
    number == wanted || (!number.contains(|c: char| c.is_ascii_alphabetic()) && number == digits(wanted))
}

fn number(name: &str, value: &str, least: usize, most: usize) -> Result<usize, Refused> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Refused(format!("{name} is not valid: {value}")))
}

fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<String, Refused> {
    if allowed.contains(&value) {
        Ok(value.to_owned())
    } else {
        Err(Refused(format!("{name} must be one of {}", allowed.join(", "))))
    }
}

fn moment(name: &str, value: &str) -> Result<i64, Refused> {
    time::parse(value).ok_or_else(|| Refused(format!("{name} must be a time such as 2024-05-26 14:32:13")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Simulator;
    use super::super::testing::{ACCOUNT, at, get, send};

    /// Three messages at 1 s, 2 s and 3.5 s after the epoch; it is 4 s now.
    async fn three() -> Simulator {
        let (simulator, clock) = at(1_000);
        send(&simulator, json!({"src": "MyShop", "dst": "4915112345678", "text": "one"})).await;
        clock.set(2_000);
        send(&simulator, json!({"src": "14155550100", "dst": "15550002222", "text": "two", "log": false})).await;
        clock.set(3_500);
        let media = ["https://example.com/cat.jpg"];
        send(&simulator, json!({"src": "14155550100", "dst": "15550003333", "type": "mms", "media_urls": media})).await;
        clock.set(4_000);
        simulator
    }

    async fn found(simulator: &Simulator, query: &str) -> Vec<String> {
        let answer = get(simulator, &format!("Message/?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let objects = answer.json["objects"].as_array().unwrap().clone();
        assert_eq!(answer.json["meta"]["total_count"], objects.len());
        objects.iter().map(|object| object["to_number"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn wrong_filters_are_refused() {
        let simulator = three().await;
        for query in [
            "limit=0",
            "limit=21",
            "limit=x",
            "offset=-1",
            "message_state=gone",
            "message_type=fax",
            "message_direction=up",
            "message_time=then",
            "message_time__gt=1",
            "message_time__gte=1",
            "message_time__lt=1",
            "message_time__lte=1",
        ] {
            let answer = get(&simulator, &format!("Message/?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(
                answer.json["error"].as_str().unwrap().starts_with(query.split('=').next().unwrap()),
                "{}",
                answer.text
            );
        }
    }

    #[tokio::test]
    async fn each_filter_keeps_what_fits() {
        let simulator = three().await;
        let (one, two, three) = ("4915112345678", "155XXXXX222", "15550003333");
        for (query, expected) in [
            ("", vec![three, two, one]),
            ("message_state=", vec![three, two, one]),
            ("something=else&message_direction=outbound", vec![three, two, one]),
            ("message_direction=inbound", vec![]),
            ("subaccount=SAXXXXXXXXXXXXXXXXXX", vec![]),
            ("message_state=queued", vec![three]),
            ("message_state=delivered", vec![two, one]),
            ("error_code=000", vec![two, one]),
            ("message_type=mms", vec![three]),
            ("from_number=14155550100", vec![three, two]),
            ("from_number=%2B14155550100", vec![three, two]),
            ("from_number=MyShop", vec![one]),
            ("to_number=+15550003333", vec![three]),
            ("to_number=15550002222", vec![]), // Plivo was asked not to log its number
            ("powerpack_id=5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46", vec![]),
            ("message_time=1970-01-01+00:00:03", vec![three]),
            ("message_time=1970-01-01%2000:00:03.500000", vec![three]),
            ("message_time__gt=1970-01-01+00:00:02", vec![three]),
            ("message_time__gte=1970-01-01+00:00:02", vec![three, two]),
            ("message_time__lt=1970-01-01+00:00:02", vec![one]),
            ("message_time__lte=1970-01-01+00:00:02", vec![two, one]),
            ("message_time__gte=1970-01-01+00:00:02&message_state=delivered", vec![two]),
        ] {
            assert_eq!(found(&simulator, query).await, expected, "{query}");
        }
    }

    #[tokio::test]
    async fn pages_link_to_each_other_and_keep_the_filters() {
        let simulator = three().await;
        let path = format!("/v1/Account/{ACCOUNT}/Message/");
        let answer = get(&simulator, "Message/?message_direction=outbound&limit=2").await;
        assert_eq!(
            answer.json["meta"],
            json!({"limit": 2, "next": format!("{path}?limit=2&offset=2&message_direction=outbound"), "offset": 0, "previous": null, "total_count": 3})
        );
        let answer = get(&simulator, "Message/?limit=2&offset=2").await;
        assert_eq!(
            answer.json["meta"],
            json!({"limit": 2, "next": null, "offset": 2, "previous": format!("{path}?limit=2&offset=0"), "total_count": 3})
        );
        assert_eq!(answer.json["objects"].as_array().unwrap().len(), 1);
        assert_eq!(get(&simulator, "Message/?offset=99").await.json["objects"], json!([]));
        assert_eq!(get(&simulator, "Message/").await.json["meta"]["limit"], 20);
    }
}
