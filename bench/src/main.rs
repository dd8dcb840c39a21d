//! The benchmark: what each operation asks of others, what it costs in our own code, what a cold start takes, and whether times tell who is
//! a user. It asserts counts, never times. `bench/README.md` says how it measures, `docs/figures.md` holds the figures.
//!
//! | module | for |
//! |---|---|
//! | `operation` | an operation: its request, and the function that answers it |
//! | `record` | carries out every operation once and keeps its calls |
//! | `rounds`, `prices` | the table of round trips, capacity and prices |
//! | `stand_in`, `tls`, `link` | DynamoDB from a recording, Secrets Manager and Plivo; TLS and a round-trip time for them |
//! | `times` | processor time in our own code, by criterion |
//! | `cold` | the functions' binaries: cold starts, warm requests, memory; peers |
//! | `silence` | whether times tell who is a user |
//! | `process`, `table` | what Linux tells of a process; tables in Markdown |

mod cold;
mod link;
mod operation;
mod prices;
mod process;
mod record;
mod rounds;
mod silence;
mod stand_in;
mod table;
mod times;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tokio::runtime::Builder;

use crate::record::When;

/// Anything that ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures Otpost on this machine and prints Markdown. Exits with 1 when an operation takes more round trips than it may.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// A tenth of the iterations: minutes instead of many, and rougher times.
    #[arg(long)]
    quick: bool,
    /// Lambda functions in other languages to start beside ours: lines of a name, a tab and a command, as bench/peers/install prints.
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// What to measure; all but `times` when none is named.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The functions' binaries as Lambda starts them; needs `cargo build --release` of them and of `empty` first.
    Cold,
    /// Whether times tell who is a user.
    Silence,
    /// Round trips and capacity of each operation.
    Rounds,
    /// Processor time in our own code.
    Times,
}

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For a quick look and for CI.
    Quick,
    /// For figures that are written down.
    Full,
}

impl Effort {
    /// The number of iterations of what a full run does `full` times.
    pub(crate) const fn of(self, full: usize) -> usize {
        match self {
            Self::Quick => full.div_ceil(10),
            Self::Full => full,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Refusals are logged, and logging is work.
    shared::logging::init(std::io::sink);
    match run(&arguments) {
        Ok(over_limit) => {
            over_limit.iter().for_each(|what| eprintln!("bench: over its limit: {what}"));
            if over_limit.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bench: {}", shared::logging::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints. Returns what is over its limit.
fn run(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    if cfg!(debug_assertions) {
        eprintln!("bench: a debug build; the counts hold, the times mean nothing (use --release)");
    }
    // One thread for all handlers, as in a function; what answers them has its own.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let asked = |part| arguments.parts.contains(&part) || arguments.parts.is_empty() && part != Part::Times;
    let mut over_limit = Vec::new();
    if asked(Part::Cold) {
        println!("## Cold starts\n");
        runtime.block_on(cold::print(effort, arguments.peers.as_deref()))?;
    }
    if asked(Part::Silence) {
        println!("## Silence\n");
        runtime.block_on(silence::print(effort))?;
    }
    if asked(Part::Rounds) || asked(Part::Times) {
        let recording = runtime.block_on(record::record(When::Now))?;
        if asked(Part::Rounds) {
            println!("## What operations ask of others\n\n{}\n", rounds::table(&recording.operations)?);
            over_limit.extend(rounds::over_the_limit(&recording.operations));
        }
        if asked(Part::Times) {
            println!("## Our own code\n");
            times::print(&runtime, &recording, effort)?;
        }
    }
    Ok(over_limit)
}
