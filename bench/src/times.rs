//! Time in our own code: each recorded operation again and again, one at a time, with `replay` in the place of storage and Plivo.

use std::sync::Arc;
use std::time::Duration;

use local::{Data, Options, Stack};
use shared::app::App;
use shared::aws::secrets::Secret;
use tokio::time::Instant;

use crate::cpu::Meter;
use crate::machine::{MEMORY_COLUMNS, memory_row};
use crate::operation::{Hashing, Operation};
use crate::record::Recording;
use crate::replay::Replay;
use crate::report::Report;
use crate::table::{self, percentile, time};
use crate::{Effort, Failure};

/// How often a full run does what takes less than a millisecond.
pub(crate) const MANY: usize = 5_000;
/// How often a full run hashes a password.
pub(crate) const FEW: usize = 300;

/// Enough for a thread that has done its work to go to sleep.
const SETTLE: Duration = Duration::from_millis(1);

/// Measures and says it.
pub(crate) async fn print(recording: &Recording, effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let replay = Replay::start()?;
    let stack = stack(recording, &replay.url).await?;
    let meter = Meter::new(replay.thread.clone());
    let mut memory = vec![memory_row("after one run of each operation", "self")];
    let mut rows = Vec::new();
    for operation in &recording.operations {
        replay.load(&operation.calls);
        let samples = measure(operation, &stack.app, &meter, effort).await?;
        rows.push(samples.row(operation.name));
    }
    report.say(&table::markdown("Time in our own code, one request", &COLUMNS, &rows));
    memory.push(memory_row("after all of the above", "self"));
    report.say(&table::markdown("Memory of the benchmark's own process", &MEMORY_COLUMNS, &memory));
    Ok(())
}

const COLUMNS: [&str; 6] = ["what", "times", "processor, median", "processor, 99 %", "whole, median", "whole, 99 %"];

/// A stack whose handlers reach the stub. Its clock stands where the recording's did, and only ever goes on.
async fn stack(recording: &Recording, stub: &str) -> Result<Stack, Failure> {
    let settings = [("AWS_ENDPOINT_URL_DYNAMODB", stub), ("PLIVO_API_URL", stub)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let data = Data::At(recording.store.config.dynamodb_endpoint.clone());
    let stack = Stack::start(Options { data, settings, ..Options::default() }).await?;
    stack.clock.advance(Duration::from_secs(60));
    stack.app.warm_up(&[Secret::RootKey, Secret::Plivo, Secret::MessageKey]).await;
    Ok(stack)
}

async fn measure(operation: &Operation, app: &Arc<App>, meter: &Meter, effort: Effort) -> Result<Samples, Failure> {
    Samples::take(operation.hashing, meter, effort, async || {
        let (answer, _) = operation.ask.answer(app).await?;
        if answer.status() == operation.ending.status() {
            Ok(())
        } else {
            Err(format!("{}: the replay was answered {}", operation.name, answer.status()).into())
        }
    })
    .await
}

/// What was measured of one thing.
pub(crate) struct Samples {
    processor: Vec<Duration>,
    whole: Vec<Duration>,
}

impl Samples {
    /// Does it as often as its kind asks for, after a tenth of that to warm up.
    pub(crate) async fn take(
        hashing: Hashing,
        meter: &Meter,
        effort: Effort,
        what: impl AsyncFn() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let times = match hashing {
            Hashing::None => effort.of(MANY),
            Hashing::Argon2id => effort.of(FEW),
        };
        for _ in 0..times.div_ceil(10) {
            what().await?;
        }
        let mut samples = Self { processor: Vec::with_capacity(times), whole: Vec::with_capacity(times) };
        for _ in 0..times {
            let others = others(meter, hashing).await;
            let own = meter.own();
            let started = Instant::now();
            what().await?;
            samples.whole.push(started.elapsed());
            let own = used(own, meter.own());
            let others = used(others, self::others(meter, hashing).await);
            samples.processor.extend(own.zip(others).map(|(own, others)| own + others));
        }
        Ok(samples)
    }

    pub(crate) fn row(mut self, name: &str) -> Vec<String> {
        let mut cells = vec![name.to_owned(), self.whole.len().to_string()];
        for values in [&mut self.processor, &mut self.whole] {
            for percent in [50, 99] {
                let cell = if values.is_empty() { "unknown".to_owned() } else { time(percentile(values, percent)) };
                cells.push(cell);
            }
        }
        cells
    }
}

/// Only hashing uses other threads.
async fn others(meter: &Meter, hashing: Hashing) -> Option<Duration> {
    match hashing {
        Hashing::None => Some(Duration::ZERO),
        Hashing::Argon2id => {
            tokio::time::sleep(SETTLE).await;
            meter.others()
        }
    }
}

fn used(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    Some(after?.saturating_sub(before?))
}
