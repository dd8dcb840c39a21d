//! The local stack under load, beside better-auth.

use std::path::Path;

use crate::contest::{self, COLUMNS, Contestant, Heat, Score};
use crate::flow::{Api, Flow};
use crate::machine::{MEMORY_COLUMNS, memory_row};
use crate::process::{Serve, better_auth};
use crate::report::Report;
use crate::{Effort, Failure, table};

/// With better-auth's best storage, hashing excluded and 16 clients at once, we are to be so many times as fast.
const BAR: f64 = 3.0;

/// What a full run does with so many clients at once.
struct Level {
    clients: usize,
    /// Who registers and logs in.
    persons: usize,
    tokens: usize,
    infos: usize,
}

const LEVELS: [Level; 2] = [
    Level { clients: 1, persons: 240, tokens: 2_400, infos: 4_800 },
    Level { clients: 16, persons: 900, tokens: 6_000, infos: 12_000 },
];

/// Flows that better-auth does before it is measured: its compiler learns by them. Ours has nothing to learn.
const WARM_UP: usize = 300;
/// Nobody else's numbers.
const WARM_UP_PERSONS: usize = 1_000_000;

const BETTER_AUTH: &str = "better-auth";
const HASHING: &str = "Otpost";
const NO_HASHING: &str = "Otpost, hashing excluded";

/// Measures and says it.
pub(crate) async fn print(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let servers = servers(folder.path())?;
    let mut memory = memory("after its start", &servers);
    let mut scores = compare(&servers, effort).await?;
    memory.extend(self::memory("after all of the above", &servers));
    // Before anything is said: a closed pipe would end this process.
    drop(servers);
    let rows: Vec<_> = scores.iter_mut().map(Score::row).collect();
    report.say(&table::markdown("The local stack under load", &COLUMNS, &rows));
    report.say(&table::markdown("Memory of the servers", &MEMORY_COLUMNS, &memory));
    say_ratios(&scores, report);
    Ok(())
}

/// Ours with hashing and without, and better-auth with each of its storages, where it is installed.
fn servers(folder: &Path) -> Result<Vec<Contestant>, Failure> {
    let mut servers = vec![
        Contestant::new(HASHING, Api::Otpost, Serve::default().start()?)?,
        Contestant::new(NO_HASHING, Api::Otpost, Serve::without_hashing().start()?)?,
    ];
    let file = folder.join("better-auth.sqlite");
    for (name, storage) in [("in memory", Path::new("memory")), ("file", &file)] {
        if let Some(server) = better_auth(storage)? {
            servers.push(Contestant::new(&format!("{BETTER_AUTH}, {name}"), Api::BetterAuth, server)?);
        }
    }
    Ok(servers)
}

fn memory(when: &str, servers: &[Contestant]) -> Vec<Vec<String>> {
    servers.iter().map(|one| memory_row(&format!("{}: {when}", one.name), &one.server.id())).collect()
}

async fn compare(servers: &[Contestant], effort: Effort) -> Result<Vec<Score>, Failure> {
    let all: Vec<_> = servers.iter().collect();
    let ours: Vec<_> = servers.iter().filter(|server| server.name == HASHING).collect();
    let theirs: Vec<_> = servers.iter().filter(|server| server.name.starts_with(BETTER_AUTH)).collect();
    for flow in [Flow::Registration, Flow::Login] {
        contest::run(&theirs, &Heat::new(flow, 16, WARM_UP_PERSONS..WARM_UP_PERSONS + WARM_UP)).await?;
    }
    let (mut scores, mut first) = (Vec::new(), 0);
    for level in LEVELS {
        let persons = first..first + effort.of(level.persons);
        first = persons.end;
        for (flow, who, numbers) in [
            (Flow::Registration, &all, persons.clone()),
            (Flow::Login, &all, persons),
            (Flow::Token, &ours, 0..effort.of(level.tokens)),
            (Flow::Info, &ours, 0..effort.of(level.infos)),
        ] {
            scores.extend(contest::run(who, &Heat::new(flow, level.clients, numbers)).await?);
            contest::wait(who).await?;
        }
    }
    Ok(scores)
}

/// How we compare at one thing, in better-auth's best.
struct Ratio {
    flow: Flow,
    at_once: usize,
    no_hashing: f64,
    hashing: Option<f64>,
    /// What one flow of theirs takes of a processor, in flows of ours.
    processor: Option<f64>,
}

impl Ratio {
    /// `None` where better-auth is not there.
    fn of(ours: &Score, scores: &[Score]) -> Option<Self> {
        let same = scores.iter().filter(|score| (score.flow, score.at_once) == (ours.flow, ours.at_once));
        let (theirs, others): (Vec<_>, Vec<_>) = same.partition(|score| score.server.starts_with(BETTER_AUTH));
        let best = theirs.iter().map(|score| score.flows_a_second()).reduce(f64::max)?;
        let hashing = others.iter().find(|score| score.server == HASHING);
        let processor = theirs.iter().filter_map(|score| score.processor_a_flow()).min();
        Some(Self {
            flow: ours.flow,
            at_once: ours.at_once,
            no_hashing: ours.flows_a_second() / best,
            hashing: hashing.map(|score| score.flows_a_second() / best),
            processor: processor.zip(ours.processor_a_flow()).map(|(theirs, ours)| theirs.div_duration_f64(ours)),
        })
    }

    fn row(&self) -> Vec<String> {
        let times = |ratio: Option<f64>| ratio.map_or_else(|| "unknown".to_owned(), |ratio| format!("{ratio:.1}"));
        vec![
            self.flow.name().to_owned(),
            self.at_once.to_string(),
            times(Some(self.no_hashing)),
            times(self.hashing),
            times(self.processor),
        ]
    }
}

fn say_ratios(scores: &[Score], report: &mut Report) {
    let ours = scores.iter().filter(|score| score.server == NO_HASHING);
    let ratios: Vec<_> = ours.filter_map(|ours| Ratio::of(ours, scores)).collect();
    if ratios.is_empty() {
        return report.say("better-auth is not installed (`bench/peers/install better-auth`), so there is no ratio.");
    }
    let columns =
        ["flow", "clients at once", "flows a second, no hashing", "with hashing", "processor a flow, no hashing"];
    let rows: Vec<_> = ratios.iter().map(Ratio::row).collect();
    report.say(&table::markdown("Times better than better-auth's best storage", &columns, &rows));
    let met = ratios.iter().filter(|ratio| ratio.at_once > 1).all(|ratio| ratio.no_hashing >= BAR);
    let met = if met { "met" } else { "not met" };
    report.say(&format!("Flows a second without hashing, several clients at once, at least {BAR} times: {met}."));
}
