//! What a recorded call touches: every item by table and key, with the units that it took there. Reads any operation by key, so a
//! start may read one by one or in a batch. Uses nothing of its neighbours but `heat`'s units.

use local::fault_proxy::Call;
use serde_json::Value;

use super::heat::Load;
use crate::Failure;

/// An item that a call read or wrote.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Touch {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) load: Load,
}

/// The items of a call. A call that is not by key is an error: it would have no partition of its own.
pub(super) fn of(call: &Call) -> Result<Vec<Touch>, Failure> {
    let items = items(call).ok_or_else(|| format!("{} is not by key: {}", call.operation, call.request))?;
    let touch = |(table, key): &(String, String)| {
        // One table's items share what was consumed there; DynamoDB does not say it item by item.
        let among = items.iter().filter(|(other, _)| other == table).count();
        let units =
            consumed(&call.answer, table).ok_or_else(|| format!("{} says no units of {table}", call.operation))?;
        let units = units / among as f64;
        let load = if reads(&call.operation) { Load::read(units) } else { Load::write(units) };
        Ok(Touch { table: table.clone(), key: key.clone(), load })
    };
    items.iter().map(touch).collect()
}

fn reads(operation: &str) -> bool {
    matches!(operation, "GetItem" | "BatchGetItem" | "TransactGetItems")
}

/// Table and key of each item.
fn items(call: &Call) -> Option<Vec<(String, String)>> {
    match call.operation.as_str() {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => Some(vec![item(&call.request)?]),
        "TransactWriteItems" | "TransactGetItems" => {
            let actions = call.request["TransactItems"].as_array()?;
            // `{"Put": {…}}`: what is to be done, and with what.
            actions.iter().map(|action| item(action.as_object()?.values().next()?)).collect()
        }
        "BatchGetItem" => {
            let tables = call.request["RequestItems"].as_object()?.iter();
            let keys =
                tables.flat_map(|(table, of)| of["Keys"].as_array().into_iter().flatten().map(move |key| (table, key)));
            keys.map(|(table, key)| Some((table.clone(), key["id"]["S"].as_str()?.to_owned()))).collect()
        }
        _ => None,
    }
}

fn item(action: &Value) -> Option<(String, String)> {
    let id = action["Key"]["id"]["S"].as_str().or_else(|| action["Item"]["id"]["S"].as_str())?;
    Some((action["TableName"].as_str()?.to_owned(), id.to_owned()))
}

/// The units of one table: the only one of a call on one item, or one of several.
fn consumed(answer: &Value, table: &str) -> Option<f64> {
    let of = |capacity: &Value| capacity["CapacityUnits"].as_f64();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => of(tables.iter().find(|capacity| capacity["TableName"] == table)?),
        one => of(one),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;

    fn touched(operation: &str, request: Value, capacity: &Value) -> Vec<(String, String, Load)> {
        let (operation, answer) = (operation.to_owned(), json!({ "ConsumedCapacity": capacity }));
        let call = Call { operation, started: Instant::now(), ended: Instant::now(), request, answer };
        of(&call).unwrap().into_iter().map(|touch| (touch.table, touch.key, touch.load)).collect()
    }

    fn expected(table: &str, key: &str, load: Load) -> (String, String, Load) {
        (table.to_owned(), key.to_owned(), load)
    }

    #[test]
    fn a_batch_reads_in_each_table() {
        let request = json!({ "RequestItems": {
            "phones": { "Keys": [{ "id": { "S": "a" } }] },
            "users": { "Keys": [{ "id": { "S": "b" } }, { "id": { "S": "c" } }] },
        }});
        let capacity =
            json!([{ "TableName": "users", "CapacityUnits": 2.0 }, { "TableName": "phones", "CapacityUnits": 0.5 }]);
        let touches = touched("BatchGetItem", request, &capacity);
        let one = Load::read(1.0);
        assert_eq!(
            touches,
            [expected("phones", "a", Load::read(0.5)), expected("users", "b", one), expected("users", "c", one)]
        );
    }

    #[test]
    fn a_transaction_writes_each_of_its_items() {
        let request = json!({ "TransactItems": [
            { "Update": { "TableName": "phones", "Key": { "id": { "S": "a" } } } },
            { "Put": { "TableName": "sessions", "Item": { "id": { "S": "b" } } } },
        ]});
        let capacity =
            json!([{ "TableName": "phones", "CapacityUnits": 4.0 }, { "TableName": "sessions", "CapacityUnits": 2.0 }]);
        let touches = touched("TransactWriteItems", request, &capacity);
        assert_eq!(touches, [expected("phones", "a", Load::write(4.0)), expected("sessions", "b", Load::write(2.0))]);
    }

    #[test]
    fn what_is_not_by_key_is_an_error() {
        let answer = json!({ "ConsumedCapacity": { "CapacityUnits": 1.0 } });
        let (started, request) = (Instant::now(), json!({ "TableName": "users" }));
        let call = Call { operation: "Scan".to_owned(), started, ended: started, request, answer };
        assert!(of(&call).is_err());
    }
}
