//! What each operation asks of others: round trips to each service (calls side by side are one), capacity units, and what that costs.
//! Uses `record`'s calls, `prices`.

use local::proxy::Call;
use serde_json::Value;

use crate::Failure;
use crate::operation::{Ending, Operation};
use crate::prices::{self, Prices};
use crate::replay::key;
use crate::table;

/// So many round trips to storage a success may take, and to Plivo [`MOST_PLIVO`].
pub(crate) const MOST: usize = 2;
/// See [`MOST`].
pub(crate) const MOST_PLIVO: usize = 1;

const COLUMNS: [&str; 9] = [
    "operation",
    "round trips to storage",
    "to Plivo",
    "to Secrets Manager, cold",
    "in turn",
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

/// The names of successes that take more than [`MOST`] or [`MOST_PLIVO`].
pub(crate) fn over_the_limit(operations: &[Operation]) -> Vec<String> {
    let successes = operations.iter().filter(|operation| operation.ending == Ending::Success);
    let over = successes.filter(|operation| count(&operation.calls) > MOST || count(&operation.plivo) > MOST_PLIVO);
    over.map(|operation| format!("round trips of {}", operation.name)).collect()
}

/// So many round trips these calls take.
pub(crate) fn count(calls: &[Call]) -> usize {
    rounds(calls).len()
}

fn row(operation: &Operation, prices: &Prices) -> Result<Vec<String>, Failure> {
    let all: Vec<_> = operation.calls.iter().chain(&operation.plivo).cloned().collect();
    let calls: Vec<_> = rounds(&all).iter().map(|group| described(group)).collect();
    let units = |kind| {
        let units = operation.calls.iter().filter(|call| Kind::of(call) == kind).map(|call| consumed(&call.answer));
        // Not `sum`, which is -0 of none.
        units.fold(0.0, |sum, units| sum + units)
    };
    let (read, write) = (units(Kind::Read), units(Kind::Write));
    let secrets = prices::secrets(operation.ask.function.name())?;
    Ok(vec![
        operation.name.to_owned(),
        count(&operation.calls).to_string(),
        count(&operation.plivo).to_string(),
        // All side by side.
        secrets.min(1).to_string(),
        if calls.is_empty() { "none".to_owned() } else { calls.join(", then ") },
        read.to_string(),
        write.to_string(),
        format!("{:.2}", prices.million(operation, read, write)?),
        format!("{:.2}", prices.million_secrets(secrets)),
    ])
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
