//! What each operation asks of others: round trips to each service (calls side by side are one), capacity units, and what that costs.

use local::fault_proxy::Call;
use serde_json::Value;

use crate::Failure;
use crate::operation::{Ending, Function, Operation};
use crate::prices::{self, Prices};
use crate::stand_in::key;
use crate::table;

/// The most round trips, to storage and Plivo, of a success before its answer.
pub(crate) const MOST: usize = 3;
/// A start that waits for Plivo takes one more, and so does a message, whose price is taken before; and an entered code, which is counted for its
/// network before it is for its phone, so that a network that has to wait uses up no attempt.
pub(crate) const MOST_OF_A_FLOW: usize = 4;
/// A flow in a session reads session and user first; and a new phone's second step, whether the phone is taken.
pub(crate) const MOST_IN_A_SESSION: usize = 6;
/// The flows in a session, by the beginning of their names.
const IN_A_SESSION: [&str; 2] = ["users/{objectId}, a phone", "users/verifypassword"];

const COLUMNS: [&str; 9] = [
    "operation",
    "round trips before the answer",
    "to Secrets Manager, cold",
    "in turn",
    "after the answer",
    "read units",
    "write units",
    "US$ a million",
    "more a million cold starts",
];

/// The table, and what its prices are.
pub(crate) fn table(operations: &[Operation]) -> Result<String, Failure> {
    let prices = Prices::read()?;
    let rows = operations.iter().map(|operation| row(operation, &prices)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("{}\n{}", table::markdown("Round trips, capacity and prices", &COLUMNS, &rows), prices.note()))
}

/// The names of successes that take more than they may.
pub(crate) fn over_the_limit(operations: &[Operation]) -> Vec<String> {
    let successes = operations.iter().filter(|operation| operation.ending == Ending::Success);
    let most = |operation: &Operation| match operation.ask.function {
        _ if IN_A_SESSION.iter().any(|name| operation.name.starts_with(name)) => MOST_IN_A_SESSION,
        Function::Register | Function::LoginPassword | Function::LoginCode | Function::SendMessage => MOST_OF_A_FLOW,
        _ => MOST,
    };
    let over = successes.filter(|operation| count(operation) > most(operation));
    over.map(|operation| format!("round trips of {}", operation.name)).collect()
}

/// The round trips of an operation before its answer.
pub(crate) fn count(operation: &Operation) -> usize {
    rounds(&operation.all_calls(true)).len()
}

fn row(operation: &Operation, prices: &Prices) -> Result<Vec<String>, Failure> {
    let calls = |before| {
        let calls = operation.all_calls(before);
        let groups: Vec<_> = rounds(&calls).iter().map(|group| described(group)).collect();
        if groups.is_empty() { "none".to_owned() } else { groups.join(", then ") }
    };
    let units = |kind| {
        let units = operation.calls.iter().filter(|call| Kind::of(call) == kind).map(|call| consumed(&call.answer));
        // Not `sum`, which is -0 of none.
        units.fold(0.0, |sum, units| sum + units)
    };
    let (read, write) = (units(Kind::Read), units(Kind::Write));
    let secrets = prices::secrets(operation.ask.function.name())?;
    Ok(vec![
        operation.name.to_owned(),
        count(operation).to_string(),
        // All side by side.
        secrets.min(1).to_string(),
        calls(true),
        calls(false),
        read.to_string(),
        write.to_string(),
        format!("{:.2}", prices.million(operation, read, write)?),
        format!("{:.2}", prices.million_secrets(secrets)),
    ])
}

/// The calls in groups: each call of a group began before another of it had ended.
fn rounds(calls: &[Call]) -> Vec<Vec<&Call>> {
    let mut sorted: Vec<_> = calls.iter().collect();
    sorted.sort_unstable_by_key(|call| call.started);
    let mut groups: Vec<Vec<&Call>> = Vec::new();
    for call in sorted {
        match groups.last_mut() {
            Some(group) if group.iter().any(|other| call.started < other.ended) => group.push(call),
            _ => groups.push(vec![call]),
        }
    }
    groups
}

/// `GetItem users + GetItem controls`.
fn described(group: &[&Call]) -> String {
    let mut names: Vec<_> = group
        .iter()
        .map(|call| match call.request["TransactItems"].as_array() {
            Some(actions) => format!("{} of {}", call.operation, actions.len()),
            None => {
                let (operation, tables) = key(&call.operation, &call.request);
                [vec![operation], tables].concat().join(" ")
            }
        })
        .collect();
    names.sort_unstable();
    names.join(" + ")
}

#[derive(PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

impl Kind {
    fn of(call: &Call) -> Self {
        match call.operation.as_str() {
            "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems" => Self::Read,
            _ => Self::Write,
        }
    }
}

/// One table's units, or those of each table of a transaction.
fn consumed(answer: &Value) -> f64 {
    let units = |capacity: &Value| capacity["CapacityUnits"].as_f64().unwrap_or_default();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => units(table),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::Instant;

    use super::*;

    fn calls(times: &[(u64, u64)]) -> Vec<Call> {
        let zero = Instant::now();
        let at = |millis| zero + Duration::from_millis(millis);
        let call = |&(started, ended): &(u64, u64)| Call {
            operation: "GetItem".into(),
            started: at(started),
            ended: at(ended),
            request: json!({ "TableName": "users" }),
            answer: json!({ "ConsumedCapacity": { "CapacityUnits": 0.5 } }),
        };
        times.iter().map(call).collect()
    }

    #[test]
    fn calls_side_by_side_are_one_round_trip() {
        for (times, groups) in [
            (&[][..], 0),
            (&[(0, 10)], 1),
            (&[(0, 10), (10, 20)], 2),
            (&[(20, 30), (0, 10), (1, 12), (2, 5)], 2),
            (&[(0, 10), (5, 25), (20, 30)], 1),
        ] {
            assert_eq!(rounds(&calls(times)).len(), groups, "{times:?}");
        }
    }

    #[test]
    fn transactions_consume_in_each_table() {
        let tables = json!({ "ConsumedCapacity": [{ "CapacityUnits": 2.0 }, { "CapacityUnits": 4.0 }] });
        assert_eq!(consumed(&tables).to_string(), "6");
        assert_eq!(consumed(&calls(&[(0, 1)])[0].answer).to_string(), "0.5");
        assert_eq!(consumed(&json!({})).to_string(), "0");
    }
}
