//! What each operation asks of storage: calls, round trips (calls side by side are one), capacity units. Uses `record`'s calls.

use local::proxy::Call;
use serde_json::Value;

use crate::operation::{Ending, Operation};
use crate::table;

/// So many round trips a success may take.
pub(crate) const MOST: usize = 2;

/// The table.
pub(crate) fn table(operations: &[Operation]) -> String {
    let rows: Vec<_> = operations.iter().map(row).collect();
    table::markdown(
        "Round trips and capacity",
        &["operation", "round trips", "calls", "read units", "write units"],
        &rows,
    )
}

/// The names of successes that take more than [`MOST`].
pub(crate) fn over_the_limit(operations: &[Operation]) -> Vec<&'static str> {
    let successes = operations.iter().filter(|operation| operation.ending == Ending::Success);
    successes.filter(|operation| rounds(&operation.calls).len() > MOST).map(|operation| operation.name).collect()
}

fn row(operation: &Operation) -> Vec<String> {
    let groups = rounds(&operation.calls);
    let calls: Vec<_> = groups.iter().map(|group| described(group)).collect();
    let units = |kind| {
        let units = operation.calls.iter().filter(|call| Kind::of(call) == kind).map(|call| consumed(&call.answer));
        // Not `sum`, which is -0 of none.
        units.fold(0.0, |sum, units| sum + units).to_string()
    };
    vec![
        operation.name.to_owned(),
        groups.len().to_string(),
        if calls.is_empty() { "none".to_owned() } else { calls.join(", then ") },
        units(Kind::Read),
        units(Kind::Write),
    ]
}

/// The calls in groups of which each began before the one before it was over.
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
        .map(|call| match (&call.request["TransactItems"], &call.request["RequestItems"]) {
            (Value::Array(actions), _) => format!("{} of {}", call.operation, actions.len()),
            (_, Value::Object(tables)) => format!("{} of {}", call.operation, tables.len()),
            _ => format!("{} {}", call.operation, call.request["TableName"].as_str().unwrap_or_default()),
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
