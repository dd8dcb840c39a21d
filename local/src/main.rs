//! `cargo run`: starts the local stack and prints how to use it.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use local::differences::{Difference, differences};
use local::{Config, Data, Options, Stack};
use shared::config::NAMES;
use shared::logging::chain;
use strsim::normalized_damerau_levenshtein;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Run all of Otpost on this machine, with a simulated Plivo and an inbox. Needs no account, server or container.
#[derive(Parser)]
#[command(name = "otpost-local", version, about)]
struct Arguments {
    /// Listen on this port of 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Also listen on this address, for phones and emulators; 0.0.0.0 means all interfaces. Only the API can be used from there, not
    /// the inbox, the other pages or the simulated Plivo.
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
    /// Let other machines read the inbox and use the rest of /_local, too. For containers, whose port is published on 127.0.0.1.
    #[arg(long)]
    open_inbox: bool,
    /// Keep the data and the messages in this folder between runs. Without it, the data is in memory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Override a setting; can be repeated. README.md lists the settings.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Load users, challenges, rate-limit counters and sessions from a JSON file like events/seed.json.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Send the texts of this file instead of those in shared/texts.json.
    #[arg(long, value_name = "FILE", value_parser = contents)]
    texts: Option<String>,
}

fn contents(file: &str) -> Result<String, std::io::Error> {
    std::fs::read_to_string(file)
}

/// The least similarity of a setting's name that is suggested.
const SIMILAR: f64 = 0.6;

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    if NAMES.contains(&name) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        let likeness = |known: &&str| normalized_damerau_levenshtein(known, &name.to_uppercase());
        let nearest = NAMES.into_iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let tip = match nearest.filter(|known| likeness(known) >= SIMILAR) {
            Some(known) => format!("did you mean {known}?"),
            None => "README.md lists the settings".to_owned(),
        };
        Err(format!("there is no setting {name}; {tip}"))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let quiet = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(quiet).with(lines).init();
    let texts = arguments.texts.map(|texts| ("TEXTS".to_owned(), texts));
    let options = Options {
        port: arguments.port,
        host: arguments.host,
        open_inbox: arguments.open_inbox,
        data: arguments.data.map_or(Data::Memory, Data::Folder),
        settings: arguments.settings.into_iter().chain(texts).collect(),
        seed: arguments.seed,
        print: Some(log_line),
        ..Options::default()
    };
    let stack = match Stack::start(options).await {
        Ok(stack) => stack,
        Err(error) => {
            eprintln!("otpost: {}", chain(&error));
            return ExitCode::FAILURE;
        }
    };
    say(&welcome(&stack.config));
    if let Some(host) = arguments.host {
        say(&on_the_network(host, &stack.config.url, arguments.open_inbox));
    }
    match differences(&stack.settings) {
        Ok(differences) => say(&unlike_deployed(&differences)),
        Err(error) => eprintln!("otpost: {}", chain(&error)),
    }
    match tokio::signal::ctrl_c().await {
        Ok(()) => say("\nStopping."),
        Err(error) => eprintln!("otpost: no signals: {error}"),
    }
    stack.stop(Duration::from_secs(2)).await;
    ExitCode::SUCCESS
}

/// Prints, and ignores a closed standard output: `cargo run | head` must not stop the stack.
fn say(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints a line of the inbox where the log goes, whether or not anybody reads it.
fn log_line(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// How to use the stack.
fn welcome(config: &Config) -> String {
    let Config { url, app_id, api_key, message_key, .. } = config;
    format!(
        "Otpost is running. Nothing leaves this machine; Ctrl-C stops it.

  Base URL        {url}/api   (or {url}/{app_id}/{api_key})
  Application id  {app_id}
  API key         {api_key}
  Message key     {message_key}
  Start page      {url}/
  Inbox           {url}/_local/
  Console         {url}/_local/console

Send a code, read it, send a message:

  curl -X POST {url}/api/users/register -H 'Content-Type: application/json' -d '{{\"phoneNumber\":\"+14155550100\"}}'
  curl '{url}/_local/messages?to=+14155550100'
  curl -X POST {url}/api/services/Plivo/sendMessage -H 'Authorization: Bearer {message_key}' -d '{{\"phoneNumber\":\"+14155550100\",\"message\":\"Hello\"}}'
"
    )
}

/// What other machines can use.
fn on_the_network(host: IpAddr, url: &str, open_inbox: bool) -> String {
    let port = url.rsplit(':').next().unwrap_or_default();
    let address = match host {
        _ if host.is_unspecified() => "ADDRESS-OF-THIS-MACHINE".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let inbox = if open_inbox { "The inbox is open to them, too." } else { "The inbox is for this machine only." };
    format!("Other machines reach the API at http://{address}:{port}/api. {inbox}\n")
}

/// The settings that differ from those of a deployment.
fn unlike_deployed(differences: &[Difference]) -> String {
    let value = |text: &str| if text.is_empty() { "empty".to_owned() } else { text.to_owned() };
    let line =
        |one: &Difference| format!("  {} is {}, deployed {}\n", one.name, value(&one.here), value(&one.deployed));
    let lines: String = differences.iter().map(line).collect();
    format!("Settings that differ from a deployment's defaults (--config sets them):\n\n{lines}").trim_end().to_owned()
}
