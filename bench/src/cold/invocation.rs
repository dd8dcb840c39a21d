//! A process as Lambda starts it: with its environment, its Runtime API and nothing else.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use local::runtime_api::{Function, RuntimeRequest};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use super::cgroup::Held;
use super::subject::Subject;
use crate::Failure;
use crate::stand_in::StandIn;

/// How long a shell takes to start and a new period of the cgroup to begin, and a process that has nothing to do to go to sleep.
pub(crate) const SETTLE: Duration = Duration::from_millis(60);
/// The longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);
/// Waits for a word, then becomes the process.
const SHELL: [&str; 4] = ["/bin/sh", "-c", "read -r go; exec \"$@\"", "sh"];

/// Starts processes.
pub(crate) struct Invoker {
    /// The certificate of the services' authority.
    pub(crate) bundle: PathBuf,
    /// Where the last process wrote to.
    pub(crate) output: PathBuf,
}

impl Invoker {
    /// Starts a process and has it answer its event once, until it waits for another. Says how long after the start it had answered.
    pub(crate) async fn start(
        &self,
        subject: &Subject,
        services: &StandIn,
        held: Option<&Held>,
    ) -> Result<(Function, Duration), Failure> {
        services.load(&subject.responses);
        let (mut function, started) = self.spawn(subject, services, held).await?;
        let first = async {
            function.send(subject.event.clone()).await;
            next(&mut function).await?;
            let answer = answer(&mut function).await? - started;
            // By then its background tasks are done, whose calls count among its own.
            next(&mut function).await?;
            Ok(answer)
        };
        let first = first.await.map_err(|error: Failure| {
            let output = std::fs::read_to_string(&self.output).unwrap_or_default();
            format!("{}: {error}; it wrote: {output}", subject.name)
        })?;
        Ok((function, first))
    }

    async fn spawn(
        &self,
        subject: &Subject,
        services: &StandIn,
        held: Option<&Held>,
    ) -> Result<(Function, Instant), Failure> {
        let own = subject.command.iter().map(String::as_str);
        let words: Vec<_> = if held.is_some() { SHELL.into_iter().chain(own).collect() } else { own.collect() };
        let (program, arguments) = words.split_first().ok_or("a command is empty")?;
        let output = File::create(&self.output)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment(services));
        command.stdin(if held.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(output.try_clone()?).stderr(output);
        let mut function = Function::run(command, Duration::from_secs(30)).await?;
        let mut started = function.started;
        if let Some(held) = held {
            held.hold(function.process.id().ok_or("the shell has ended")?)?;
            sleep(SETTLE).await;
            let mut input = function.process.stdin.take().ok_or("the shell has no input")?;
            started = Instant::now();
            input.write_all(b"\n").await?;
        }
        Ok((function, started))
    }

    /// The local stack's, and what makes each language's library take the authority's certificates.
    fn environment(&self, services: &StandIn) -> Vec<(String, String)> {
        let stack = local::environment(&services.plivo, &services.dynamodb, &services.secrets, &services.dynamodb);
        let bundle = self.bundle.to_string_lossy();
        let own = [
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

/// Hands an event to a process that waits for one, and says how long the answer took. Then the process waits again.
pub(crate) async fn request(function: &mut Function, event: &Value) -> Result<Duration, Failure> {
    let started = Instant::now();
    function.send(event.clone()).await;
    let took = answer(function).await? - started;
    next(function).await?;
    Ok(took)
}

/// Ends a process and waits for its end.
pub(crate) async fn stop(mut function: Function) {
    // One that has ended already is as good.
    let _ = function.process.kill().await;
}

async fn next(function: &mut Function) -> Result<Instant, Failure> {
    match timeout(PATIENCE, function.request()).await? {
        Ok((at, RuntimeRequest::Next)) => Ok(at),
        other => Err(format!("instead of asking for an event: {other:?}").into()),
    }
}

/// The answer must be a success.
async fn answer(function: &mut Function) -> Result<Instant, Failure> {
    match timeout(PATIENCE, function.request()).await? {
        Ok((at, RuntimeRequest::Done(Ok(response)))) if response["statusCode"] == 200 => Ok(at),
        other => Err(format!("instead of a success: {other:?}").into()),
    }
}
