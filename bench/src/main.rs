//! The benchmark: what each operation asks of others, what it costs in our own code, what a cold start takes, and what the local stack
//! carries. It asserts counts and sizes, never times. `bench/README.md` says how it measures, `docs/figures.md` holds the figures.
//!
//! | module | for |
//! |---|---|
//! | `operation` | an operation: its request, and who answers it |
//! | `record` | carries every operation out once and keeps its calls to storage |
//! | `delay` | a distance before storage and Plivo, so that calls side by side are seen as such |
//! | `rounds`, `prices` | the table of round trips, capacity and prices |
//! | `replay` | storage and Plivo that answer at once, from a recording |
//! | `cold` | the tables of the functions' binaries: cold starts, warm requests, sizes; peers |
//! | `times`, `cpu` | the tables of time in our own code |
//! | `load` | the table of the local stack under load |
//! | `contest`, `flow`, `process` | servers that go through the same flows in turns |
//! | `silence` | whether times tell who is a user |
//! | `awake` | keeps the processors awake meanwhile |
//! | `machine`, `table`, `report` | where it ran; Markdown; what is printed and written |

mod awake;
mod cold;
mod contest;
mod cpu;
mod delay;
mod flow;
mod load;
mod machine;
mod operation;
mod prices;
mod process;
mod record;
mod replay;
mod report;
mod rounds;
mod silence;
mod table;
mod times;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Builder;

use crate::awake::Awake;
use crate::record::When;
use crate::report::Report;

/// Anything that ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures Otpost on this machine and prints Markdown. Ends with 1 when an operation takes more round trips than it may or a zip is larger than it
/// may be.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    /// A tenth of the iterations: minutes instead of many, and rougher times.
    #[arg(long)]
    quick: bool,
    /// Writes the figures as figures.md into this folder.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Lambda functions in other languages to start beside ours: lines of a name, a tab and a command, as bench/peers/install prints.
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// What to measure; all when none is named.
    parts: Vec<Part>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The local stack, for the benchmark's own clients.
    #[command(hide = true)]
    Serve(process::Serve),
    /// Nothing, for as long as somebody writes.
    #[command(hide = true, name = awake::SUBCOMMAND)]
    StayAwake,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Round trips and capacity of each operation.
    Rounds,
    /// Time in our own code.
    Times,
    /// The functions' binaries as Lambda starts them; needs `cargo build --release` of them and of `empty` first.
    Cold,
    /// The local stack under load, beside better-auth where `bench/peers/install better-auth` has put it.
    Load,
    /// Whether times tell who is a user.
    Silence,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// For a quick look and for CI.
    Quick,
    /// For figures that are written down.
    Full,
}

impl Effort {
    /// So many of what a full run does `full` times.
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
    shared::logging::init_to(std::io::sink);
    let done = match &arguments.command {
        // As `cargo run` runs it.
        Some(Command::Serve(serve)) => {
            block_on(Builder::new_multi_thread(), async { serve.run().await.map(|()| ExitCode::SUCCESS) })
        }
        Some(Command::StayAwake) => awake::stay_awake(),
        // One thread for all handlers, as in a function; what answers them has its own.
        None => block_on(Builder::new_current_thread(), run(&arguments)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("bench: {}", shared::logging::chain(&*error));
        ExitCode::FAILURE
    })
}

fn block_on<T>(mut runtime: Builder, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime.enable_all().build()?.block_on(work)
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        eprintln!("bench: a debug build; the counts hold, the times mean nothing (use --release)");
    }
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let asked = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    println!("{}", machine::describe());
    let mut report = Report::default();
    let awake = Awake::start();
    report.say(match &awake {
        Ok(_) => "Processors are kept awake while something is measured.",
        Err(_) => "Processors could not be kept awake (`chrt` of util-linux): waking them is in the times.",
    });
    let mut broken = Vec::new();
    if asked(Part::Cold) {
        let asked = cold::Asked { effort, peers: arguments.peers.as_deref() };
        report.say("## Cold starts");
        broken.extend(cold::print(&asked, &mut report).await?);
    }
    if asked(Part::Silence) {
        report.say("## Silence");
        silence::print(effort, &mut report).await?;
    }
    let recording = record::record(When::Now).await?;
    if asked(Part::Rounds) || asked(Part::Times) {
        if asked(Part::Rounds) {
            report.say("## What operations ask of others");
            report.say(&rounds::table(&recording.operations)?);
            broken.extend(rounds::over_the_limit(&recording.operations));
        }
        if asked(Part::Times) {
            report.say("## Our own code");
            times::print(&recording, effort, &mut report).await?;
        }
    }
    if asked(Part::Load) {
        report.say("## The local stack");
        load::print(effort, &mut report).await?;
    }
    if let Some(folder) = &arguments.write {
        report.write(folder, effort)?;
    }
    broken.iter().for_each(|what| eprintln!("bench: over its limit: {what}"));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
