//! `cargo run -p otpost`: the operator's commands.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use aws_config::{BehaviorVersion, Region};
use aws_types::SdkConfig;
use clap::{Parser, Subcommand};
use otpost::stack::DeployedStack;
use shared::aws::AwsClients;
use shared::aws::secrets::Secrets;
use shared::clock::{Clock as _, SystemClock};
use shared::config::{
    Lookup, NAMES, RESOURCE_NAMES, Resources, confirmed_countries, default_country, environment, message_rules,
    required, sms_countries, spend_rules,
};
use shared::http_client::AwsHttpClient;
use shared::logging::chain;
use shared::spend::kill_switch::KillSwitch;
use shared::store::{Controls, KillSwitchChange, Store};

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
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what an attacker can cost at most in an hour, a day and a month. Without --stack, makes no calls.
    MaxExposure,
    /// Print the kill switches that are set, and the last changes. Reads the table CONTROLS_TABLE.
    KillSwitches,
    /// Set a kill switch within 15 seconds: register, login, second_factor, message, sms, mms, or a country like DE.
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
    /// Find or change a user, by phone like +14155550100, e-mail address or objectId. Uses the secret ROOT_SECRET and the tables USERS_TABLE,
    /// SESSIONS_TABLE, PHONES_TABLE and CONTROLS_TABLE, in which each change is recorded.
    #[command(subcommand)]
    User(UserCommand),
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

#[derive(clap::Args)]
struct UserChange {
    /// Phone, e-mail address or objectId.
    who: String,
    /// Who you are. Recorded with the change.
    #[arg(long)]
    by: String,
    /// Why. Recorded with the change.
    #[arg(long)]
    why: String,
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
    /// Who you are. Recorded with the change.
    #[arg(long)]
    by: String,
    /// Why. Recorded with the change.
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
    let Arguments { stack, settings, profile, region, command } = arguments;
    let account = Account { profile, region };
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
    let lookup: Lookup<'_> = &lookup;
    match command {
        Command::MaxExposure => {
            let (all_phones, confirmed) = (sms_countries(lookup)?, confirmed_countries(lookup)?);
            Ok(otpost::max_exposure(&spend_rules(lookup)?, &message_rules(lookup)?, &all_phones, &confirmed))
        }
        Command::KillSwitches => {
            let controls = Controls::of(&account.dynamodb().await?, &required(lookup, "CONTROLS_TABLE")?);
            Ok(otpost::kill_switches(&controls.kill_switches().await?))
        }
        Command::Off(change) => switch(true, change, &account.dynamodb().await?, lookup).await,
        Command::On(change) => switch(false, change, &account.dynamodb().await?, lookup).await,
        Command::Lint { file } => otpost::texts::lint(&std::fs::read_to_string(file)?, lookup),
        Command::User(command) => user(command, &account, lookup).await,
        Command::Replay => {
            let (rules, table) = (spend_rules(lookup)?, required(lookup, "DECISIONS_TABLE")?);
            Ok(otpost::replay(&otpost::decisions(&account.dynamodb().await?, &table).await?, &rules))
        }
    }
}

async fn user(command: UserCommand, account: &Account, lookup: Lookup<'_>) -> Result<String, Box<dyn Error>> {
    use otpost::user::{Action, change, describe, find};
    let needed = ["USERS_TABLE", "SESSIONS_TABLE", "PHONES_TABLE", "CONTROLS_TABLE", "ROOT_SECRET"];
    let (names, clients) = (Resources::of_command(lookup, &needed)?, account.clients().await?);
    let store = Store::new(&clients.dynamodb(), &names);
    let now = SystemClock.now();
    let keys = Secrets::new(clients, names).keys(now).await?;
    store.users.check_root_key(&keys).await?;
    let country = default_country(lookup, "DEFAULT_COUNTRY")?;
    let (what, action) = match command {
        UserCommand::Find { who } => return Ok(describe(&find(&store, &keys, country, &who).await?)),
        UserCommand::Disable(what) => (what, Action::Disable),
        UserCommand::Enable(what) => (what, Action::Enable),
        UserCommand::SignOut(what) => (what, Action::SignOut),
        UserCommand::Delete(what) => (what, Action::Delete),
        UserCommand::ReleaseEmail(what) => (what, Action::ReleaseEmail),
        UserCommand::AddRole(RoleChange { change, role }) => (change, Action::AddRole(role)),
        UserCommand::RemoveRole(RoleChange { change, role }) => (change, Action::RemoveRole(role)),
    };
    let found = find(&store, &keys, country, &what.who).await?;
    change(&store, &found, &action, (&what.by, &what.why), now).await?;
    match find(&store, &keys, country, found.id()).await {
        Ok(found) => Ok(describe(&found)),
        Err(_) => Ok(format!("{} is deleted\n", found.id())),
    }
}

async fn switch(
    off: bool,
    Change { name, by, why }: Change,
    dynamodb: &aws_sdk_dynamodb::Client,
    lookup: Lookup<'_>,
) -> Result<String, Box<dyn Error>> {
    let switch = KillSwitch::parse(&name).ok_or_else(|| format!("there is no kill switch {name}"))?;
    let controls = Controls::of(dynamodb, &required(lookup, "CONTROLS_TABLE")?);
    let change = KillSwitchChange { at: SystemClock.now(), by, name, off, why };
    Ok(otpost::kill_switches(&controls.switch(&switch, change).await?))
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

    async fn clients(&self) -> Result<AwsClients, Box<dyn Error>> {
        Ok(AwsClients::from_config(self.config().await?))
    }

    async fn dynamodb(&self) -> Result<aws_sdk_dynamodb::Client, Box<dyn Error>> {
        Ok(self.clients().await?.dynamodb())
    }
}
