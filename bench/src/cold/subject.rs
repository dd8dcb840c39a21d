//! What is started: the empty function, each of ours with the request it gets, and peers in other languages.

use std::path::Path;
use std::sync::Arc;

use local::template::Template;
use serde_json::{Value, json};

use super::minimum::Waits;
use crate::Failure;
use crate::operation::{Hashing, Operation};
use crate::record::{self, When};
use crate::stand_in::{self, Responses};
use crate::{prices, rounds};

/// What a function is asked: a success, as recorded, at a time that suits its answers.
const ASKED: [(&str, When); 6] = [
    ("register, step 1", When::Past),
    ("loginWithPhoneNumber, a user's", When::Past),
    ("loginWithPhoneNumberAndPassword", When::Past),
    ("loginWithCode, after the phone", When::Future),
    ("sendMessage", When::Past),
    ("isvalidusertoken", When::Past),
];
/// What peers answer, too.
const PEERS_ASKED: &str = "loginWithPhoneNumber, a user's";

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    Function(Hashing),
    Peer,
}

/// What is started.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) command: Vec<String>,
    pub(crate) event: Value,
    /// DynamoDB's.
    pub(crate) responses: Arc<Responses>,
    pub(crate) waits: Waits,
    /// MB, in the template.
    pub(crate) memory: u64,
}

impl Subject {
    /// The bars are not for those that hash a password: that is meant to be slow.
    pub(crate) fn has_bars(&self) -> bool {
        self.kind == Kind::Function(Hashing::None)
    }

    fn of(name: &str, kind: Kind, command: Vec<String>, operation: &Operation) -> Result<Self, Failure> {
        let function = operation.ask.function.name();
        let template = Template::read()?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            command,
            event: operation.ask.event(),
            responses: Arc::new(stand_in::responses(&operation.calls)),
            waits: Waits { secrets: prices::secrets(function)? > 0, calls: rounds::count(operation) },
            memory: template.functions.get(function).ok_or("the template has no such function")?.memory,
        })
    }
}

/// The empty one first, then the functions, then peers. Binaries are those beside the benchmark.
pub(crate) async fn all(peers: Option<&Path>) -> Result<Vec<Subject>, Failure> {
    let past = record::record(When::Past).await?.operations;
    let future = record::record(When::Future).await?.operations;
    let find = |name: &str, when: When| {
        let operations = if when == When::Future { &future } else { &past };
        operations.iter().find(|operation| operation.name == name).ok_or_else(|| format!("no operation {name}"))
    };
    let mut subjects = vec![Subject {
        name: "empty".to_owned(),
        kind: Kind::Empty,
        command: vec![binary("empty")?],
        event: json!({}),
        responses: Arc::default(),
        waits: Waits::default(),
        memory: 256,
    }];
    for (name, when) in ASKED {
        let operation = find(name, when)?;
        let function = operation.ask.function.name();
        subjects.push(Subject::of(function, Kind::Function(operation.hashing), vec![binary(function)?], operation)?);
    }
    let lines = peers.map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    for (name, command) in lines.lines().filter_map(|line| line.split_once('\t')) {
        let command = command.split(' ').map(str::to_owned).collect();
        subjects.push(Subject::of(name, Kind::Peer, command, find(PEERS_ASKED, When::Past)?)?);
    }
    Ok(subjects)
}

fn binary(name: &str) -> Result<String, Failure> {
    let path = std::env::current_exe()?.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if path.exists() {
        return Ok(path.to_string_lossy().into_owned());
    }
    Err(format!("no {name} beside the benchmark: bench/run builds it, and says how").into())
}
