//! Processor time in our own code, by criterion: each recorded operation again and again, with a stand-in for everything else. Answers are
//! padded to steps of 10 ms, so the time by the clock would show the step.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use local::{Data, Options, Stack};
use shared::aws::secrets::Secret;
use tokio::runtime::Runtime;

use crate::operation::Operation;
use crate::record::Recording;
use crate::stand_in::{Hosts, Servers, StandIn, responses};
use crate::{Effort, Failure, process};

/// Measures; criterion prints, to standard output, the interval in which the median lies with 95 % confidence.
pub(crate) fn print(runtime: &Runtime, recording: &Recording, effort: Effort) -> Result<(), Failure> {
    let servers = Servers::start()?;
    let stand_in = StandIn::start(&servers, Hosts::Plain, Duration::ZERO, None)?;
    let stack = runtime.block_on(stack(recording, &stand_in.dynamodb))?;
    let folder = tempfile::tempdir()?;
    let mut criterion = Criterion::default().without_plots().output_directory(folder.path());
    if effort == Effort::Quick {
        criterion = criterion.sample_size(10).warm_up_time(SECOND / 5).measurement_time(SECOND / 2);
    }
    println!(
        "Processor time of one request in all threads but those of DynamoDB, Secrets Manager and Plivo:\n\n```text"
    );
    let mut group = criterion.benchmark_group("processor");
    group.sampling_mode(SamplingMode::Flat);
    for operation in &recording.operations {
        stand_in.load(&responses(&operation.calls).into());
        let one = async || repeated(operation, &stack).await;
        runtime.block_on(one())?;
        group.bench_function(operation.name, |bencher| {
            bencher.iter_custom(|iterations| {
                let time = || process::processor_time("self", servers.thread.as_deref()).unwrap_or_default();
                let before = time();
                for _ in 0..iterations {
                    // That it succeeds was seen above.
                    let _ = black_box(runtime.block_on(one()));
                }
                time() - before
            });
        });
    }
    group.finish();
    println!("```\n");
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);

/// A stack whose handlers reach the stand-in. Its clock stands where the recording's did, and only ever goes on.
async fn stack(recording: &Recording, stand_in: &str) -> Result<Stack, Failure> {
    let settings = [("AWS_ENDPOINT_URL_DYNAMODB", stand_in), ("PLIVO_API_URL", stand_in)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let data = Data::At(recording.store.config.dynamodb_endpoint.clone());
    let stack = Stack::start(Options { data, settings, ..Options::default() }).await?;
    stack.clock.advance(Duration::from_secs(60));
    stack.app.warm_up(&[Secret::RootKey, Secret::Plivo, Secret::MessageKey]).await;
    Ok(stack)
}

async fn repeated(operation: &Operation, stack: &Stack) -> Result<(), Failure> {
    let (answer, _) = operation.ask.answer(&stack.app).await?;
    if answer.status() == operation.ending.status() {
        return Ok(());
    }
    Err(format!("{}: the repeated request was answered {}", operation.name, answer.status()).into())
}
