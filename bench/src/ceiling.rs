//! What the embedded store allows: the calls of a flow, as they were recorded, carried out on it and on nothing else. From JSON to JSON, as
//! DynamoDB's API has it; without HTTP, without the service, without Plivo. Uses `record`.

use std::collections::BTreeSet;

use dynoxide::Database;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::flow::Flow;
use crate::record::Recording;
use crate::{Effort, Failure};

/// Flows of a full run, by each thread.
const FLOWS: usize = 2_000;

/// What belongs to each flow, by the names of the operations.
const OF: [(Flow, [&str; 2]); 2] = [
    (Flow::Registration, ["register, step 1", "register, step 2"]),
    (Flow::Login, ["loginWithPhoneNumber, a user's", "loginWithCode, after the phone"]),
];

/// Flows a second.
pub(crate) struct Ceiling(Vec<(Flow, f64)>);

impl Ceiling {
    pub(crate) fn of(&self, flow: Flow) -> Option<f64> {
        self.0.iter().find(|(of, _)| *of == flow).map(|(_, flows)| *flows)
    }
}

/// Measures with one thread and with two, since the store has one lock and the machine may have more processors than one; the better
/// counts.
pub(crate) fn measure(recording: &Recording, effort: Effort) -> Result<Ceiling, Failure> {
    let mut best = OF.map(|(flow, _)| (flow, 0.0));
    for threads in [1, 2] {
        let database = database()?;
        // Logins are of those who have just registered.
        for ((_, best), (_, names)) in best.iter_mut().zip(OF) {
            let calls = calls(recording, &names)?;
            *best = f64::max(*best, together(&database, &calls, threads, effort.of(FLOWS))?);
        }
    }
    Ok(Ceiling(best.to_vec()))
}

/// A store with the tables that the stack has.
fn database() -> Result<Database, Failure> {
    let database = local::dynamodb::open(None)?;
    for (name, _) in local::dynamodb::TABLES {
        let table = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        });
        database.create_table(serde_json::from_value(table)?)?;
    }
    Ok(database)
}

/// A call to the store: the operation, and the request.
type Request = (String, String);

fn calls(recording: &Recording, names: &[&str]) -> Result<Vec<Request>, Failure> {
    let mut requests = Vec::new();
    for name in names {
        let operation = recording.operations.iter().find(|operation| operation.name == *name);
        let calls = &operation.ok_or_else(|| format!("{name} was not recorded"))?.calls;
        requests.extend(calls.iter().map(|call| {
            let mut request = call.request.clone();
            // Nobody asks for it in production.
            if let Some(request) = request.as_object_mut() {
                request.remove("ReturnConsumedCapacity");
            }
            (call.operation.clone(), request.to_string())
        }));
    }
    Ok(requests)
}

/// So many threads with so many flows each. Answers flows a second.
fn together(database: &Database, calls: &[Request], threads: usize, flows: usize) -> Result<f64, Failure> {
    let owned = owned(calls)?;
    let of_person = |person: usize| -> Vec<Request> {
        let own = |text: &str| owned.iter().fold(text.to_owned(), |text, id| text.replace(id, &of(id, person)));
        calls.iter().map(|(operation, request)| (operation.clone(), own(request))).collect()
    };
    let of_thread = |thread: usize| (0..flows).flat_map(|flow| of_person(thread * flows + flow)).collect::<Vec<_>>();
    let requests: Vec<_> = (0..threads).map(of_thread).collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let ask = |requests: &Vec<Request>| requests.iter().try_for_each(|request| ask(database, request).map(drop));
        let running: Vec<_> = requests.iter().map(|requests| scope.spawn(move || ask(requests))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread of the ceiling ended early")?)
    })?;
    Ok((threads * flows) as f64 / started.elapsed().as_secs_f64())
}

/// What no two persons share: the keys of their items, and the tokens of their transactions.
fn owned(calls: &[Request]) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for (_, request) in calls {
        let request: Value = serde_json::from_str(request)?;
        found.extend(request["ClientRequestToken"].as_str().map(str::to_owned));
        let actions = request["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
        for action in actions.flat_map(serde_json::Map::values).chain([&request]) {
            let key = [&action["Key"]["id"]["S"], &action["Item"]["id"]["S"]].into_iter().find_map(Value::as_str);
            found.extend(key.filter(|key| *key != "plivo").map(str::to_owned));
        }
    }
    Ok(found)
}

/// A person's own in the place of the recorded one; it is as long, but for the shards', whose numbers are short.
fn of(id: &str, person: usize) -> String {
    format!("{}{person:08}", &id[..id.len().saturating_sub(8).max(id.len().min(7))])
}

fn ask(database: &Database, (operation, request): &Request) -> Result<String, Failure> {
    match operation.as_str() {
        "BatchGetItem" => answer(request, |request| database.batch_get_item(request)),
        "GetItem" => answer(request, |request| database.get_item(request)),
        "PutItem" => answer(request, |request| database.put_item(request)),
        "UpdateItem" => answer(request, |request| database.update_item(request)),
        "TransactWriteItems" => answer(request, |request| database.transact_write_items(request)),
        other => Err(format!("{other} is in no flow").into()),
    }
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    request: &str,
    ask: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> Result<String, Failure> {
    match ask(serde_json::from_str(request)?) {
        Ok(answer) => Ok(serde_json::to_string(&answer)?),
        // An addition to a shard that this person has not used yet: refused, it costs as much.
        Err(error) if error.to_string().to_lowercase().contains("condition") => Ok(error.to_string()),
        Err(error) => Err(error.into()),
    }
}
