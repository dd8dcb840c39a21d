//! A process as Lambda starts it: with its environment, its Runtime API and nothing else. Uses `runtime`, `services`, `cgroup`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::cgroup::Held;
use super::runtime::{Invoker, RuntimeApi};
use super::services::Services;
use super::subject::Subject;
use super::tls::Authority;
use crate::Failure;

/// So long a shell has to start, and a new period of the cgroup to begin.
pub(crate) const SETTLE: Duration = Duration::from_millis(60);
/// Waits for a word, then becomes the process.
const SHELL: [&str; 4] = ["/bin/sh", "-c", "read -r go; exec \"$@\"", "sh"];

/// What processes are started with.
pub(crate) struct Bench {
    pub(crate) runtime: RuntimeApi,
    pub(crate) authority: Authority,
    /// What the last one wrote.
    output: PathBuf,
}

/// A running one. Ended when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) invoker: Invoker,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Hands an event to the process, which waits for one, and says how long the answer took; then it waits again.
    pub(crate) fn request(&self, event: &str) -> Result<Duration, Failure> {
        let started = Instant::now();
        self.invoker.hand(event)?;
        let took = self.invoker.answer()?.duration_since(started);
        self.invoker.next()?;
        Ok(took)
    }
}

/// How long after its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct First {
    /// It asked for an event.
    pub(crate) init: Duration,
    /// It had answered it.
    pub(crate) answer: Duration,
}

impl Bench {
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let (runtime, authority) = (RuntimeApi::start()?, Authority::make(folder)?);
        Ok(Self { runtime, authority, output: folder.join("output") })
    }

    /// Starts it and has it answer its event once, until it waits for another.
    pub(crate) fn start(
        &self,
        subject: &Subject,
        services: &Services,
        held: Option<&Held>,
    ) -> Result<(Running, First), Failure> {
        services.load(&subject.answers);
        services.counts.take();
        let (running, started) = self.spawn(subject, services, held)?;
        let first = || {
            running.invoker.hand(&subject.event)?;
            let init = running.invoker.next()?.duration_since(started);
            let answer = running.invoker.answer()?.duration_since(started);
            // By then it has done what it does after its answer, which counts among its calls.
            running.invoker.next()?;
            Ok(First { init, answer })
        };
        let first = first().map_err(|error: Failure| {
            let output = std::fs::read_to_string(&self.output).unwrap_or_default();
            format!("{}: {error}; it wrote: {output}", subject.name)
        })?;
        Ok((running, first))
    }

    fn spawn(
        &self,
        subject: &Subject,
        services: &Services,
        held: Option<&Held>,
    ) -> Result<(Running, Instant), Failure> {
        let own = subject.command.iter().map(String::as_str);
        let words: Vec<_> = if held.is_some() { SHELL.into_iter().chain(own).collect() } else { own.collect() };
        let (program, arguments) = words.split_first().ok_or("a command is empty")?;
        let output = File::create(&self.output)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment(services));
        command.stdin(if held.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(output.try_clone()?).stderr(output);
        let invoker = self.runtime.await_process();
        let mut started = Instant::now();
        let child = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
        let mut running = Running { child, invoker };
        if let Some(held) = held {
            held.hold(running.id())?;
            settle(SETTLE);
            let mut input = running.child.stdin.take().ok_or("the shell has no input")?;
            started = Instant::now();
            input.write_all(b"\n")?;
        }
        Ok((running, started))
    }

    /// The local stack's, Lambda's, and what makes each language's library take the authority's certificates.
    fn environment(&self, services: &Services) -> Vec<(String, String)> {
        let stack = local::environment(&services.plivo, &services.storage, &services.secrets, &services.storage);
        let bundle = self.authority.bundle.to_string_lossy();
        let own = [
            ("AWS_LAMBDA_RUNTIME_API", &*self.runtime.address),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("_HANDLER", "handler"),
            ("AWS_CA_BUNDLE", &bundle),
            ("NODE_EXTRA_CA_CERTS", &bundle),
            ("REQUESTS_CA_BUNDLE", &bundle),
            ("SSL_CERT_FILE", &bundle),
        ];
        stack.into_iter().chain(own.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }
}

/// Until a process that has nothing to do sleeps, or one that is gone has left nothing to do.
#[expect(clippy::disallowed_methods, reason = "neither says so")]
pub(crate) fn settle(time: Duration) {
    std::thread::sleep(time);
}
