//! The local stack under load: a fixed number of flows by one client and by several at once. Uses `flow`, `process`.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::flow::{Clients, Flow};
use crate::machine::{MEMORY_COLUMNS, memory_row};
use crate::process::{self, LocalStack};
use crate::report::Report;
use crate::table::{self, percentile, time};
use crate::{Effort, Failure};

/// What a full run does with so many clients at once.
struct Level {
    clients: usize,
    /// Who registers and logs in.
    persons: usize,
    tokens: usize,
    infos: usize,
}

const LEVELS: [Level; 2] = [
    Level { clients: 1, persons: 200, tokens: 4_000, infos: 8_000 },
    Level { clients: 16, persons: 800, tokens: 8_000, infos: 16_000 },
];

const COLUMNS: [&str; 7] =
    ["flow", "clients at once", "flows", "flows a second", "requests a second", "request, median", "request, 99 %"];

/// Measures and says it.
pub(crate) async fn print(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let stack = LocalStack::start()?;
    let clients = Arc::new(Clients::of(&stack.url)?);
    let mut memory = vec![memory_row("after its start", &stack.id())];
    let (mut rows, mut first) = (Vec::new(), 0);
    for level in LEVELS {
        let persons = first..first + effort.of(level.persons);
        first = persons.end;
        for (flow, numbers) in [
            (Flow::Registration, persons.clone()),
            (Flow::Login, persons),
            (Flow::Token, 0..effort.of(level.tokens)),
            (Flow::Info, 0..effort.of(level.infos)),
        ] {
            let flows = numbers.len();
            let took = run(&clients, flow, numbers, level.clients).await?;
            rows.push(row(flow, level.clients, flows, took, clients.take_times()));
            clients.wait().await?;
        }
        memory.push(memory_row(&format!("after {} at once", level.clients), &stack.id()));
    }
    // Before anything is printed: a closed pipe would end this process, and leave the other behind.
    drop(stack);
    report.say(&table::markdown("The local stack under load", &COLUMNS, &rows));
    report.say(&table::markdown("Its memory", &MEMORY_COLUMNS, &memory));
    report.say(&format!("Its binary: {} KiB", process::size()? >> 10));
    Ok(())
}

/// Has so many clients go through the flow for all numbers. Answers how long it took them.
async fn run(clients: &Arc<Clients>, flow: Flow, numbers: Range<usize>, at_once: usize) -> Result<Duration, Failure> {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let (clients, next) = (clients.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    return Ok::<_, Failure>(());
                }
                clients.go(flow, number).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(started.elapsed())
}

fn row(flow: Flow, at_once: usize, flows: usize, took: Duration, mut times: Vec<Duration>) -> Vec<String> {
    let a_second = |number: usize| format!("{:.0}", number as f64 / took.as_secs_f64());
    vec![
        flow.name().to_owned(),
        at_once.to_string(),
        flows.to_string(),
        a_second(flows),
        a_second(times.len()),
        time(percentile(&mut times, 50)),
        time(percentile(&mut times, 99)),
    ]
}
