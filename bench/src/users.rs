//! The local stack with few users and with many, on files: no request may cost more where there are more users. Uses `crowd`, `contest`.

use std::time::Duration;

use tokio::time::Instant;

use crate::contest::{self, COLUMNS, Contestant, Heat, Score};
use crate::crowd;
use crate::flow::{Api, Flow};
use crate::machine::{MEMORY_COLUMNS, memory_row};
use crate::process::Serve;
use crate::report::Report;
use crate::{Effort, Failure, table};

const FEW: usize = 1_000;

/// How many users are many.
const fn many(effort: Effort) -> usize {
    match effort {
        Effort::Quick => 20_000,
        Effort::Full => 1_000_000,
    }
}

/// Clients at once, draws of persons, draws of tokens. No more persons than there are of the few: each logs in once.
const LEVELS: [(usize, usize, usize); 2] = [(1, 150, 1_500), (16, 750, 6_000)];

/// Measures and says it.
pub(crate) async fn print(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    // Beside the benchmark, not with other temporary files: those may be in memory.
    let program = std::env::current_exe()?;
    let folder = tempfile::tempdir_in(program.parent().ok_or("the benchmark is in no folder")?)?;
    let (mut servers, mut made) = (Vec::new(), Vec::new());
    for users in [FEW, many(effort)] {
        let data = folder.path().join(users.to_string());
        let started = Instant::now();
        crowd::make(&data, users).await?;
        made.push(describe(users, started.elapsed(), std::fs::metadata(data.join("otpost.sqlite"))?.len()));
        let name = format!("{users} users");
        servers
            .push(Contestant::new(&name, Api::Otpost, Serve::on(&data).without_hashing().start()?)?.with_crowd(users));
    }
    let mut scores = compare(&servers.iter().collect::<Vec<_>>(), effort).await?;
    let memory: Vec<_> = servers.iter().map(|one| memory_row(&one.name, &one.server.id())).collect();
    drop(servers);
    report.say(&table::markdown("With few users and with many", &COLUMNS, &rows(&mut scores)));
    say_ratios(&scores, report);
    report.say(&table::markdown("Their memory, after all of the above", &MEMORY_COLUMNS, &memory));
    report.say(&format!("Each user has three rows, a pending login and a session. {}.", made.join("; ")));
    Ok(())
}

fn describe(users: usize, took: Duration, bytes: u64) -> String {
    format!("{users} users were made in {:.1} s, {} MiB", took.as_secs_f64(), bytes >> 20)
}

fn rows(scores: &mut [Score]) -> Vec<Vec<String>> {
    scores.iter_mut().map(Score::row).collect()
}

async fn compare(servers: &[&Contestant], effort: Effort) -> Result<Vec<Score>, Failure> {
    let (mut scores, mut first) = (Vec::new(), 0);
    for (clients, persons, tokens) in LEVELS {
        let persons = first..first + effort.of(persons);
        first = persons.end;
        for server in servers {
            let drawn = (0..effort.of(tokens)).map(|draw| crowd::token(server.person(Flow::Token, draw)));
            server.clients.add_tokens(drawn);
        }
        for (flow, draws) in
            [(Flow::Registration, persons.clone()), (Flow::Login, persons), (Flow::Token, 0..effort.of(tokens))]
        {
            scores.extend(contest::run(servers, &Heat::new(flow, clients, draws)).await?);
            contest::wait(servers).await?;
        }
    }
    Ok(scores)
}

/// The scores come in pairs, few before many.
fn say_ratios(scores: &[Score], report: &mut Report) {
    let row = |pair: &[Score]| {
        let flows = pair[1].flows_a_second() / pair[0].flows_a_second();
        let processor = pair[1].processor_a_flow().zip(pair[0].processor_a_flow());
        let processor = processor.map(|(many, few)| format!("{:.2}", many.div_duration_f64(few)));
        vec![
            pair[0].flow.name().to_owned(),
            pair[0].at_once.to_string(),
            format!("{flows:.2}"),
            processor.unwrap_or_else(|| "unknown".to_owned()),
        ]
    };
    let rows: Vec<_> = scores.chunks_exact(2).map(row).collect();
    let columns = ["flow", "clients at once", "flows a second", "processor a flow"];
    report.say(&table::markdown("With many users, in what it is with few", &columns, &rows));
}
