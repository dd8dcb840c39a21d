//! `cargo run --bin otpost`: an operator's commands.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use local::operate;
use shared::clock::{Clock as _, SystemClock};
use shared::logging::chain;
use shared::sending::switches::Switch;
use shared::service::Service;
use shared::settings::{NAMES, RESOURCE_NAMES, Settings, environment};
use shared::store::SwitchChange;

/// Otpost for its operator. Settings come from the environment, like the functions', and from --config.
#[derive(Parser)]
#[command(name = "otpost", version, about)]
struct Arguments {
    /// A setting to override, as often as you like; README.md lists them.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting, global = true)]
    settings: Vec<(String, String)>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what an attacker can cost at most in an hour, a day and a month; asks nobody.
    WorstCase,
    /// Print what is switched off, and the last changes. Asks the table CONTROLS_TABLE.
    Switches,
    /// Switch something off within a minute: register, login, second_factor, message, sms, mms, or a country like DE.
    Off(Change),
    /// Switch it on again.
    On(Change),
    /// Try these settings on the decisions of the last 30 days, and print what would have been different. Asks the table DECISIONS_TABLE.
    Replay,
}

#[derive(clap::Args)]
struct Change {
    /// What.
    name: String,
    /// Who you are; kept with the change.
    #[arg(long)]
    by: String,
    /// Why; kept with the change.
    #[arg(long)]
    why: String,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    if NAMES.into_iter().chain(RESOURCE_NAMES).any(|known| known == name) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(format!("there is no setting {name}"))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match answer(Arguments::parse()).await {
        Ok(text) => {
            // A closed standard output is no reason to fail.
            drop(write!(std::io::stdout(), "{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("otpost: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn answer(arguments: Arguments) -> Result<String, Box<dyn std::error::Error>> {
    let given = |name: &str| {
        let set = arguments.settings.iter().rev().find(|(known, _)| known == name);
        set.map(|(_, value)| value.clone()).or_else(|| environment(name))
    };
    // What money and rules do not need, like the sender, may be missing here.
    let unneeded = local::environment("http://127.0.0.1", "", "", "");
    let lookup = |name: &str| {
        let own = unneeded.get(name).filter(|_| !name.starts_with("AWS_") && name != "STARTS_PER_ADDRESS");
        given(name).or_else(|| own.cloned())
    };
    let change = |off, Change { name, by, why }: Change, at| {
        let switch = Switch::parse(&name).ok_or_else(|| format!("there is no switch {name}"))?;
        Ok::<_, String>((switch, SwitchChange { at, by, name, off, why }))
    };
    let now = SystemClock.now();
    let service = || Service::new(&lookup, Arc::new(SystemClock), Arc::new(|_| ()));
    match arguments.command {
        Command::WorstCase => Ok(operate::worst_case(&Settings::from_lookup(&lookup)?)),
        Command::Switches => Ok(operate::switches(&service()?.controls.switch_record().await?)),
        Command::Off(wanted) => {
            let (switch, change) = change(true, wanted, now)?;
            Ok(operate::switches(&service()?.controls.switch(&switch, change).await?))
        }
        Command::On(wanted) => {
            let (switch, change) = change(false, wanted, now)?;
            Ok(operate::switches(&service()?.controls.switch(&switch, change).await?))
        }
        Command::Replay => {
            let service = service()?;
            let table = &service.settings.resources.decisions_table;
            let records = operate::decisions(service.dynamodb(), table).await?;
            Ok(operate::replay(&records, &service.settings.rules))
        }
    }
}
