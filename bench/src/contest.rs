//! Servers that do the same flows in turns, so that what else the machine does meets all of them. Uses `flow`, `process`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::flow::{Api, Clients, Flow};
use crate::process::Server;
use crate::table::{percentile, time};
use crate::{Failure, cpu};

/// Each server has so many turns at each thing.
const TURNS: usize = 3;

/// A server that is measured.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) server: Server,
    pub(crate) clients: Arc<Clients>,
}

impl Contestant {
    pub(crate) fn new(name: &str, api: Api, server: Server) -> Result<Self, Failure> {
        let clients = Arc::new(Clients::of(api, &server.url)?);
        Ok(Self { name: name.to_owned(), server, clients })
    }
}

/// A flow, how many clients go through it at once, and the draws of each turn: numbers that stand for persons.
pub(crate) struct Heat {
    pub(crate) flow: Flow,
    pub(crate) at_once: usize,
    turns: Vec<Range<usize>>,
}

impl Heat {
    pub(crate) fn new(flow: Flow, at_once: usize, draws: Range<usize>) -> Self {
        let turn = draws.len().div_ceil(TURNS).max(1);
        let turns = draws.clone().step_by(turn).map(|first| first..draws.end.min(first + turn)).collect();
        Self { flow, at_once, turns }
    }
}

/// What was measured of one flow with one server.
pub(crate) struct Score {
    pub(crate) server: String,
    pub(crate) flow: Flow,
    pub(crate) at_once: usize,
    flows: usize,
    took: Duration,
    /// What the server took of a processor; unknown but on Linux.
    processor: Option<Duration>,
    times: Vec<Duration>,
}

/// The columns of [`Score::row`].
pub(crate) const COLUMNS: [&str; 9] = [
    "server",
    "flow",
    "clients at once",
    "flows",
    "flows a second",
    "server's processor a flow",
    "requests a second",
    "request, median",
    "request, 99 %",
];

impl Score {
    pub(crate) fn flows_a_second(&self) -> f64 {
        self.flows as f64 / self.took.as_secs_f64()
    }

    /// It depends less than the flows a second on what else the machine does.
    pub(crate) fn processor_a_flow(&self) -> Option<Duration> {
        self.processor.map(|processor| processor.div_f64(self.flows.max(1) as f64))
    }

    pub(crate) fn row(&mut self) -> Vec<String> {
        vec![
            self.server.clone(),
            self.flow.name().to_owned(),
            self.at_once.to_string(),
            self.flows.to_string(),
            format!("{:.0}", self.flows_a_second()),
            self.processor_a_flow().map_or_else(|| "unknown".to_owned(), time),
            format!("{:.0}", self.times.len() as f64 / self.took.as_secs_f64()),
            time(percentile(&mut self.times, 50)),
            time(percentile(&mut self.times, 99)),
        ]
    }
}

/// Has every server go through a heat, in turns.
pub(crate) async fn run(servers: &[&Contestant], heat: &Heat) -> Result<Vec<Score>, Failure> {
    let score = |server: &&Contestant| Score {
        server: server.name.clone(),
        flow: heat.flow,
        at_once: heat.at_once,
        flows: 0,
        took: Duration::ZERO,
        processor: Some(Duration::ZERO),
        times: Vec::new(),
    };
    let mut scores: Vec<_> = servers.iter().map(score).collect();
    for draws in &heat.turns {
        for (server, score) in servers.iter().zip(&mut scores) {
            let persons = draws.clone().collect();
            let processor = || cpu::of_process_ever(&server.server.id());
            let before = processor();
            score.took += turn(&server.clients, heat, persons).await?;
            let used = processor().zip(before).map(|(after, before)| after - before);
            score.processor = score.processor.zip(used).map(|(sum, used)| sum + used);
            score.flows += draws.len();
            score.times.extend(server.clients.take_times());
        }
    }
    Ok(scores)
}

/// Has so many clients go through the flow as all persons. Answers how long it took them.
async fn turn(clients: &Arc<Clients>, heat: &Heat, persons: Arc<[usize]>) -> Result<Duration, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..heat.at_once {
        let (clients, next, persons, flow) = (clients.clone(), next.clone(), persons.clone(), heat.flow);
        tasks.spawn(async move {
            while let Some(person) = persons.get(next.fetch_add(1, Ordering::Relaxed)) {
                clients.go(flow, *person).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(started.elapsed())
}

/// Past the limit on messages to one phone.
pub(crate) async fn wait(servers: &[&Contestant]) -> Result<(), Failure> {
    for server in servers {
        server.clients.wait().await?;
    }
    Ok(())
}
