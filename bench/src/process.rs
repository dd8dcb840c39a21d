//! Servers as processes of their own: our stack, which this very binary runs when it is asked to (`serve`), and better-auth. Each prints
//! its address in its first line and ends with its standard input, so that none outlives the benchmark, however that ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use local::{Options, Stack};
use shared::auth::password::Cost;

use crate::Failure;

/// Settings by which no rule refuses what one machine asks for.
pub(crate) fn unbounded() -> Vec<(String, String)> {
    let settings =
        [("BUDGET", "1000000/1000000/1000000"), ("PUMPING_MODE", "monitor"), ("STARTS_PER_ADDRESS", "10000")];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// Ours, as the hidden subcommand `serve` runs it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Serve {
    /// Hashes passwords at the least cost there is.
    #[arg(long)]
    no_hashing: bool,
}

impl Serve {
    pub(crate) fn without_hashing() -> Self {
        Self { no_hashing: true }
    }

    /// Runs it in this process until standard input ends.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let password_cost = if self.no_hashing { Cost::LEAST } else { Cost::default() };
        let stack = Stack::start(Options { password_cost, settings: unbounded(), ..Options::default() }).await?;
        println!("{}", stack.config.url);
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        stack.stop(Duration::from_secs(1)).await;
        Ok(())
    }

    /// Runs it in a process of its own.
    pub(crate) fn start(&self) -> Result<Server, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve");
        if self.no_hashing {
            command.arg("--no-hashing");
        }
        Server::start(command)
    }
}

/// better-auth, where `bench/peers/install better-auth` has put it; `None` where it has not. `storage` is `memory` or a file.
pub(crate) fn better_auth(storage: &Path) -> Result<Option<Server>, Failure> {
    // The benchmark is in a folder of the target folder.
    let target = std::env::current_exe()?.ancestors().nth(2).ok_or("the benchmark is in no target folder")?.to_owned();
    let folder = target.join("peers/better-auth");
    if !folder.join(".installed").exists() {
        return Ok(None);
    }
    let mut command = Command::new("node");
    command.arg(folder.join("server.mjs")).arg(storage).env("NODE_ENV", "production");
    Server::start(command).map(Some)
}

/// A running one. Ended when dropped.
pub(crate) struct Server {
    /// Like `http://127.0.0.1:40001`.
    pub(crate) url: String,
    child: Child,
    /// Kept open: it would end if nobody could read what it still writes.
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(mut command: Command) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child =
            command.spawn().map_err(|error| format!("{} does not start: {error}", command.get_program().display()))?;
        let output = BufReader::new(child.stdout.take().ok_or("a server has no output")?);
        let mut server = Self { url: String::new(), child, output };
        server.output.read_line(&mut server.url)?;
        server.url.truncate(server.url.trim_end().len());
        if server.url.is_empty() { Err("a server ended before it was ready".into()) } else { Ok(server) }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It keeps nothing that anybody reads again; one that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
