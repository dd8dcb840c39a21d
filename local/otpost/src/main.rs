//! `cargo run -p otpost`: the operator's commands.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_types::SdkConfig;
use clap::{Parser, Subcommand};
use otpost::audit::{Author, caller_arn};
use otpost::console::figures::Counts;
use otpost::console::{cloudwatch, serve};
use otpost::stack::DeployedStack;
use otpost::switches;
use serde::Serialize;
use shared::aws::AwsClients;
use shared::aws::secrets::Secrets;
use shared::clock::{Clock as _, SystemClock};
use shared::config::{
    Lookup, NAMES, RESOURCE_NAMES, Resources, confirmed_countries, default_country, environment, message_rules,
    sms_countries, spend_rules, test_numbers,
};
use shared::crypto::Keys;
use shared::http_client::AwsHttpClient;
use shared::logging::chain;
use shared::messaging::consent::Consent;
use shared::store::Store;

/// Operate Otpost. Names of tables and secrets, and settings, come from a deployed stack (--stack), otherwise from the environment, as for the
/// functions. Credentials and region come from where the AWS CLI takes them.
#[derive(Parser)]
#[command(name = "otpost", version, about)]
struct Arguments {
    /// The deployed stack, like otpost. Its outputs name the tables and secrets, its parameters are the settings.
    #[arg(long, value_name = "NAME", global = true)]
    stack: Option<String>,
    /// Override a setting; can be repeated. README.md lists the settings.
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = setting, global = true)]
    settings: Vec<(String, String)>,
    /// The profile in your AWS configuration.
    #[arg(long, global = true)]
    profile: Option<String>,
    /// The AWS region.
    #[arg(long, global = true)]
    region: Option<String>,
    /// Print one JSON document. Times in it are ISO 8601. consent export prints lines of JSON in any case, console none.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what an attacker can cost at most in an hour, a day and a month. Without --stack, makes no calls.
    MaxExposure,
    /// Print what was spent of each budget, what is left and when its window ends, and codes by hour and country. Reads the tables
    /// COUNTERS_TABLE and DECISIONS_TABLE.
    Spend,
    /// Print messages and codes that came back right by country and number prefix, what is suspended, and how many verified users an hour a
    /// suspension keeps out. Reads the tables COUNTERS_TABLE and DECISIONS_TABLE.
    Conversion {
        /// Show the prefix of this number, like +14155550100, in digits beside its hash; can be repeated. Uses the secret ROOT_SECRET and
        /// the table USERS_TABLE.
        #[arg(long = "phone", value_name = "PHONE")]
        phones: Vec<String>,
    },
    /// Serve a page on 127.0.0.1 for most of what these commands do, with your credentials, until Ctrl-C. Prints the address that
    /// opens it, once. Reads and writes the tables and uses ROOT_SECRET.
    Console {
        /// The port; 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Print the test numbers and the last 100 changes that operators made. Reads the table CONTROLS_TABLE.
    Audit,
    /// Print the kill switches that are set, and the last changes. Reads the table CONTROLS_TABLE.
    KillSwitches,
    /// Set a kill switch within 15 seconds: register, login, second_factor, change_phone, reset_password, message, sms, mms, voice, or a country
    /// like DE.
    Off(Change),
    /// Clear a kill switch.
    On(Change),
    /// Apply these settings to the decisions of the last 30 days, and print what would differ. Reads the table DECISIONS_TABLE.
    Replay,
    /// Check texts of your own, in a file like shared/texts.json, and print each as a phone shows it. With --stack, by the stack's settings.
    Lint {
        /// The file.
        file: PathBuf,
    },
    /// Print what happened to a phone and what holds it up, by phone like +14155550100, e-mail address or objectId. There need be no user. Uses the
    /// secret ROOT_SECRET and the tables USERS_TABLE, PHONES_TABLE, COUNTERS_TABLE and CONTROLS_TABLE.
    Why {
        /// Phone, e-mail address or objectId.
        who: String,
    },
    /// Clear the limits of a phone, by phone, e-mail address or objectId: starts, wrong codes, wrong passwords. Not those of its devices. Uses
    /// the same as why.
    Unblock(UserChange),
    /// Find or change a user, by phone like +14155550100, e-mail address or objectId. Uses the secret ROOT_SECRET and the tables USERS_TABLE,
    /// SESSIONS_TABLE, PHONES_TABLE, CONSENTS_TABLE and CONTROLS_TABLE, in which each change is recorded.
    #[command(subcommand)]
    User(UserCommand),
    /// Record or show what a phone has agreed to, by phone, e-mail address or objectId. Uses the secret ROOT_SECRET and the tables
    /// CONSENTS_TABLE, USERS_TABLE and CONTROLS_TABLE, in which each change is recorded.
    #[command(subcommand)]
    Consent(ConsentCommand),
}

#[derive(Subcommand)]
enum ConsentCommand {
    /// Record a consent. It lifts no opt-out: only the phone does, by START.
    Add {
        /// Phone, e-mail address or objectId.
        who: String,
        /// What the phone's owner was shown, up to 500 characters.
        #[arg(long)]
        text: String,
        /// Where, like the address of the page, up to 100 characters.
        #[arg(long)]
        source: String,
        #[command(flatten)]
        stated: Stated,
    },
    /// Print a phone's opt-out and its records.
    Show {
        /// Phone, e-mail address or objectId.
        who: String,
    },
    /// Print what all phones have agreed to, one line of JSON for each. Reads the table CONSENTS_TABLE.
    Export,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Print a user.
    Find {
        /// Phone, e-mail address or objectId.
        who: String,
    },
    /// Let a user get no code and log in no more, and end all sessions.
    Disable(UserChange),
    /// Let a user log in again.
    Enable(UserChange),
    /// End all sessions of a user, and the tokens of devices.
    SignOut(UserChange),
    /// Delete a user and everything of it.
    Delete(UserChange),
    /// Take the e-mail address from a user, so that another may register with it.
    ReleaseEmail(UserChange),
    /// Give a role to a user.
    AddRole(RoleChange),
    /// Take a role from a user.
    RemoveRole(RoleChange),
}

/// What an operator says about a change. Recorded with it, beside the caller's ARN.
#[derive(clap::Args)]
struct Stated {
    /// Who you are. Recorded with the change.
    #[arg(long)]
    by: String,
    /// Why. Recorded with the change.
    #[arg(long)]
    why: String,
}

#[derive(clap::Args)]
struct UserChange {
    /// Phone, e-mail address or objectId.
    who: String,
    #[command(flatten)]
    stated: Stated,
}

#[derive(clap::Args)]
struct RoleChange {
    #[command(flatten)]
    change: UserChange,
    /// The role.
    role: String,
}

#[derive(clap::Args)]
struct Change {
    /// The kill switch.
    name: String,
    #[command(flatten)]
    stated: Stated,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    if NAMES.into_iter().chain(RESOURCE_NAMES).any(|known| known == name) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(format!("there is no setting {name}"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(text) => {
            // Ignores a closed standard output.
            drop(write!(std::io::stdout(), "{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("otpost: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, Box<dyn Error>> {
    let Arguments { stack, settings, profile, region, json, command } = arguments;
    let account = Account { profile, region };
    let stack_name = stack.clone();
    let stack = match stack {
        Some(name) => Some(DeployedStack::find(&account.config().await?, &name).await?),
        None => None,
    };
    let lookup = |name: &str| {
        let set = settings.iter().rev().find(|(known, _)| known == name);
        // With a stack, nothing comes from the environment, which may be about another one.
        let rest = || stack.as_ref().map_or_else(|| environment(name), |stack| stack.setting(name));
        set.map(|(_, value)| value.clone()).or_else(rest)
    };
    let (lookup, now): (Lookup<'_>, _) = (&lookup, SystemClock.now());
    let show = Show { json };
    match command {
        Command::MaxExposure => {
            let (all_phones, confirmed) = (sms_countries(lookup)?, confirmed_countries(lookup)?);
            let (rules, messages) = (spend_rules(lookup)?, message_rules(lookup)?);
            show.text(&otpost::exposure::max_exposure(&rules, &messages, &all_phones, &confirmed))
        }
        Command::Spend => {
            let (rules, messages) = (spend_rules(lookup)?, message_rules(lookup)?);
            let store = account.store(lookup, &["COUNTERS_TABLE", "DECISIONS_TABLE"]).await?;
            show.text(&otpost::spend::spend(&store, &rules, &messages, now).await?)
        }
        Command::Conversion { phones } => show.text(&conversion(&phones, &account, lookup).await?),
        Command::Console { port } => console(port, (&account, lookup), stack_name.as_deref()).await,
        Command::Audit => {
            let numbers = test_numbers(lookup, "TEST_NUMBERS")?;
            let store = account.store(lookup, &["CONTROLS_TABLE"]).await?;
            show.text(&otpost::audit::audit(&store.controls, &numbers, now).await?)
        }
        Command::KillSwitches => {
            let store = account.store(lookup, &["CONTROLS_TABLE"]).await?;
            show.text(&switches::kill_switches(&store.controls).await?)
        }
        Command::Off(change) => switch(true, change, (&account, lookup), show).await,
        Command::On(change) => switch(false, change, (&account, lookup), show).await,
        Command::Lint { file } => show.text(&otpost::texts::lint(&std::fs::read_to_string(file)?, lookup)?),
        Command::Why { who } => why(&who, None, (&account, lookup), show).await,
        Command::Unblock(UserChange { who, stated }) => why(&who, Some(&stated), (&account, lookup), show).await,
        Command::User(command) => user(command, (&account, lookup), show).await,
        Command::Consent(command) => consent(command, (&account, lookup), show).await,
        Command::Replay => {
            let rules = spend_rules(lookup)?;
            let store = account.store(lookup, &["DECISIONS_TABLE"]).await?;
            show.text(&otpost::replay::replay(&store.decision_log.all().await?, &rules))
        }
    }
}

/// How a report is printed.
#[derive(Clone, Copy)]
struct Show {
    json: bool,
}

impl Show {
    fn text(self, report: &(impl Display + Serialize)) -> Result<String, Box<dyn Error>> {
        Ok(if self.json { serde_json::to_string_pretty(report)? + "\n" } else { report.to_string() })
    }
}

async fn conversion(
    phones: &[String],
    account: &Account,
    lookup: Lookup<'_>,
) -> Result<otpost::conversion::ConversionReport, Box<dyn Error>> {
    let rules = spend_rules(lookup)?;
    let tables = ["COUNTERS_TABLE", "DECISIONS_TABLE", "USERS_TABLE", "ROOT_SECRET"];
    let (store, known) = if phones.is_empty() {
        (account.store(lookup, &tables[..2]).await?, BTreeMap::new())
    } else {
        let (store, keys) = account.store_and_keys(lookup, &tables).await?;
        let country = default_country(lookup, "DEFAULT_COUNTRY")?;
        (store, otpost::conversion::prefixes_of(&keys, country, phones)?)
    };
    Ok(otpost::conversion::conversion(&store, &rules, &known, SystemClock.now()).await?)
}

/// Serves the console until Ctrl-C.
async fn console(
    port: u16,
    (account, lookup): (&Account, Lookup<'_>),
    stack: Option<&str>,
) -> Result<String, Box<dyn Error>> {
    let (config, arn) = (account.config().await?, account.arn().await?);
    let region = config.region().map_or("no region", Region::as_ref);
    let place = stack.map_or_else(|| format!("Tables in {region}"), |stack| format!("Stack {stack} in {region}"));
    let clients = AwsClients::from_config(config.clone());
    let say = |url: &str| {
        println!("Open {url}\nThe address works once, on this machine. Ctrl-C ends the console.");
    };
    let stop = async {
        // Without signals, the process is ended otherwise.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let counts = stack.map_or_else(
        || Counts::none("What was sent and refused is shown with --stack only: its metrics are in CloudWatch."),
        |stack| cloudwatch::counts(aws_sdk_cloudwatch::Client::new(&config), format!("Otpost/{stack}")),
    );
    let operator = |stopped| serve::operator(clients, lookup, (arn, place), counts, stopped);
    serve::serve(operator, port, say, stop).await?;
    Ok(String::new())
}

async fn user(
    command: UserCommand,
    (account, lookup): (&Account, Lookup<'_>),
    show: Show,
) -> Result<String, Box<dyn Error>> {
    use otpost::user::{Action, Deleted, UserReport, change, find};
    let needed = ["USERS_TABLE", "SESSIONS_TABLE", "PHONES_TABLE", "CONTROLS_TABLE", "CONSENTS_TABLE", "ROOT_SECRET"];
    let (store, keys) = account.store_and_keys(lookup, &needed).await?;
    let country = default_country(lookup, "DEFAULT_COUNTRY")?;
    let (what, action) = match command {
        UserCommand::Find { who } => {
            return show.text(&UserReport::from(&find(&store, &keys, country, &who).await?));
        }
        UserCommand::Disable(what) => (what, Action::Disable),
        UserCommand::Enable(what) => (what, Action::Enable),
        UserCommand::SignOut(what) => (what, Action::SignOut),
        UserCommand::Delete(what) => (what, Action::Delete),
        UserCommand::ReleaseEmail(what) => (what, Action::ReleaseEmail),
        UserCommand::AddRole(RoleChange { change, role }) => (change, Action::AddRole(role)),
        UserCommand::RemoveRole(RoleChange { change, role }) => (change, Action::RemoveRole(role)),
    };
    let found = find(&store, &keys, country, &what.who).await?;
    change(&store, &found, &action, &account.author(&what.stated).await?, SystemClock.now()).await?;
    match find(&store, &keys, country, found.id()).await {
        Ok(found) => show.text(&UserReport::from(&found)),
        Err(_) => show.text(&Deleted { object_id: found.id().to_owned(), deleted: true }),
    }
}

/// Prints what happened to a phone; clears its limits before, where somebody says why.
async fn why(
    who: &str,
    unblocks: Option<&Stated>,
    (account, lookup): (&Account, Lookup<'_>),
    show: Show,
) -> Result<String, Box<dyn Error>> {
    let needed = ["USERS_TABLE", "PHONES_TABLE", "COUNTERS_TABLE", "CONTROLS_TABLE", "ROOT_SECRET"];
    let (store, keys) = account.store_and_keys(lookup, &needed).await?;
    let rules = otpost::why::Rules::of(lookup)?;
    if let Some(stated) = unblocks {
        let author = account.author(stated).await?;
        otpost::why::unblock(&store, &keys, rules.default_country, who, &author, SystemClock.now()).await?;
    }
    show.text(&otpost::why::why(&store, &keys, &rules, who, SystemClock.now()).await?)
}

async fn consent(
    command: ConsentCommand,
    (account, lookup): (&Account, Lookup<'_>),
    show: Show,
) -> Result<String, Box<dyn Error>> {
    use otpost::consent::{add, export, number, show as find};
    let needed = ["CONSENTS_TABLE", "USERS_TABLE", "CONTROLS_TABLE", "ROOT_SECRET"];
    let (who, added) = match command {
        ConsentCommand::Export => return export(&account.store(lookup, &needed[..1]).await?).await,
        ConsentCommand::Show { who } => (who, None),
        ConsentCommand::Add { who, text, source, stated } => (who, Some((Consent::new(&text, &source)?, stated))),
    };
    let (store, keys) = account.store_and_keys(lookup, &needed).await?;
    let number = number(&store, &keys, default_country(lookup, "DEFAULT_COUNTRY")?, &who).await?;
    let Some((consent, stated)) = added else { return show.text(&find(&store, &keys, number).await?) };
    let author = account.author(&stated).await?;
    show.text(&add(&store, &keys, number, &consent, &author, SystemClock.now()).await?)
}

async fn switch(
    off: bool,
    Change { name, stated }: Change,
    (account, lookup): (&Account, Lookup<'_>),
    show: Show,
) -> Result<String, Box<dyn Error>> {
    let store = account.store(lookup, &["CONTROLS_TABLE"]).await?;
    let author = account.author(&stated).await?;
    show.text(&switches::switch(&store.controls, (&name, off), &author, SystemClock.now()).await?)
}

/// Where credentials and region come from.
struct Account {
    profile: Option<String>,
    region: Option<String>,
}

impl Account {
    /// As the AWS CLI finds them: profile, SSO, environment, container.
    async fn config(&self) -> Result<SdkConfig, Box<dyn Error>> {
        let mut config = aws_config::defaults(BehaviorVersion::latest()).http_client(AwsHttpClient::new(&environment)?);
        if let Some(profile) = &self.profile {
            if environment("AWS_ACCESS_KEY_ID").is_some() {
                // The SDK takes credentials from the environment first: a kill switch would be set in another account.
                return Err("--profile has no effect while AWS_ACCESS_KEY_ID is set: unset it".into());
            }
            config = config.profile_name(profile);
        }
        if let Some(region) = &self.region {
            config = config.region(Region::new(region.clone()));
        }
        Ok(config.load().await)
    }

    /// The tables of these names.
    async fn store(&self, lookup: Lookup<'_>, needed: &[&'static str]) -> Result<Store, Box<dyn Error>> {
        let names = Resources::of_command(lookup, needed)?;
        Ok(Store::new(&AwsClients::from_config(self.config().await?).dynamodb(), &names))
    }

    /// The same, and the keys that are derived from the root key, which must be the one that the users were made with.
    async fn store_and_keys(
        &self,
        lookup: Lookup<'_>,
        needed: &[&'static str],
    ) -> Result<(Store, Arc<Keys>), Box<dyn Error>> {
        let (names, clients) = (Resources::of_command(lookup, needed)?, AwsClients::from_config(self.config().await?));
        let store = Store::new(&clients.dynamodb(), &names);
        let keys = Secrets::new(clients, names).keys(SystemClock.now()).await?;
        store.users.check_root_key(&keys).await?;
        Ok((store, keys))
    }

    /// Who makes a change. Where AWS does not say whose credentials these are, the change is made nevertheless: it may be urgent.
    async fn author(&self, Stated { by, why }: &Stated) -> Result<Author, Box<dyn Error>> {
        Author::new(by, why, self.arn().await?)
    }

    async fn arn(&self) -> Result<Option<String>, Box<dyn Error>> {
        Ok(caller_arn(&self.config().await?).await.unwrap_or_else(|error| {
            eprintln!("otpost: changes are recorded without your ARN: {}", chain(&error));
            None
        }))
    }
}
