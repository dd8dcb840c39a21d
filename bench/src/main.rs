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
//! | `times`, `parts`, `cpu` | the tables of time in our own code |
//! | `load`, `users` | the tables of the local stack under load, and with many users |
//! | `contest`, `flow`, `process` | servers that go through the same flows in turns |
//! | `ceiling` | what the store alone can do |
//! | `crowd` | a store of many users |
//! | `machine`, `table` | where it ran; Markdown |

mod ceiling;
mod contest;
mod cpu;
mod crowd;
mod delay;
mod flow;
mod load;
mod machine;
mod operation;
mod parts;
mod process;
mod record;
mod replay;
mod rounds;
mod table;
mod times;
mod users;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Builder;

/// Anything that ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures Otpost on this machine and prints Markdown. Ends with 1 when an operation takes more round trips than it may.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    /// A tenth of the iterations: seconds instead of minutes, and rougher times.
    #[arg(long)]
    quick: bool,
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
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Round trips and capacity of each operation.
    Rounds,
    /// Time in our own code.
    Times,
    /// The local stack under load, beside better-auth where `bench/peers/install better-auth` has put it, and with many users.
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Refusals are logged, and logging is work.
    shared::logging::init_to(std::io::sink);
    let done = match &arguments.command {
        // As `cargo run` runs it.
        Some(Command::Serve(serve)) => {
            block_on(Builder::new_multi_thread(), async { serve.run().await.map(|()| ExitCode::SUCCESS) })
        }
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
    let mut code = ExitCode::SUCCESS;
    let recording = record::record().await?;
    if asked(Part::Rounds) || asked(Part::Times) {
        if asked(Part::Rounds) {
            println!("{}", rounds::table(&recording.operations));
            let over = rounds::over_the_limit(&recording.operations);
            if !over.is_empty() {
                eprintln!("bench: more than {} round trips: {}", rounds::MOST, over.join(", "));
                code = ExitCode::FAILURE;
            }
        }
        if asked(Part::Times) {
            times::print(&recording, effort).await?;
        }
    }
    if asked(Part::Load) {
        load::print(&recording, effort).await?;
    }
    Ok(code)
}
