//! The benchmark: what each operation asks of storage, what it costs in our own code, and what the local stack carries. It asserts
//! counts, never times. `docs/performance.md` says how to run it and holds the figures.
//!
//! | module | for |
//! |---|---|
//! | `operation` | an operation: its request, and who answers it |
//! | `record` | carries every operation out once and keeps its calls to storage |
//! | `delay` | a distance before storage, so that calls side by side are seen as such |
//! | `rounds` | the table of round trips and capacity |
//! | `replay` | storage and Plivo that answer at once, from a recording |
//! | `partitions` | a simulation: how hot the tables' partitions get |
//! | `times`, `parts`, `cpu` | the tables of time in our own code |
//! | `load`, `flow`, `process` | the table of the local stack under load |
//! | `machine`, `table` | where it ran; Markdown |

mod cpu;
mod delay;
mod flow;
mod load;
mod machine;
mod operation;
mod partitions;
mod parts;
mod process;
mod record;
mod replay;
mod rounds;
mod table;
mod times;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Anything that ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures Otpost on this machine and prints Markdown. Ends with 1 when an operation takes more round trips than it may, or
/// a partition more than its limit with recommended settings.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// A tenth of the iterations: seconds instead of minutes, and rougher times.
    #[arg(long)]
    quick: bool,
    /// What to measure; all when none is named.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Round trips and capacity of each operation.
    Rounds,
    /// Time in our own code.
    Times,
    /// How hot DynamoDB's partitions get at 10, 1,000 and 100,000 logins a second: a simulation.
    Partitions,
    /// The local stack under load; needs `cargo build --release -p local` first.
    Load,
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

// One thread for all handlers, as in a function; what answers them has its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {}", shared::logging::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        eprintln!("bench: a debug build; the counts hold, the times mean nothing (use --release)");
    }
    // Refusals are logged, and logging is work.
    shared::logging::init_to(std::io::sink);
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let asked = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    println!("{}", machine::describe());
    let mut code = ExitCode::SUCCESS;
    if asked(Part::Rounds) || asked(Part::Partitions) || asked(Part::Times) {
        let recording = record::record().await?;
        if asked(Part::Rounds) {
            println!("{}", rounds::table(&recording.operations));
            let over = rounds::over_the_limit(&recording.operations);
            if !over.is_empty() {
                eprintln!("bench: more than {} round trips: {}", rounds::MOST, over.join(", "));
                code = ExitCode::FAILURE;
            }
        }
        if asked(Part::Partitions) {
            let over = partitions::print(&recording, effort).await?;
            if !over.is_empty() {
                eprintln!("bench: partitions over their limit with recommended settings: {}", over.join(", "));
                code = ExitCode::FAILURE;
            }
        }
        if asked(Part::Times) {
            times::print(&recording, effort).await?;
        }
    }
    if asked(Part::Load) {
        load::print(effort).await?;
    }
    Ok(code)
}
