//! Warm requests: one process, one request after the other, and what they take of a processor and of memory.

use std::time::Duration;

use local::runtime_api::Function;
use serde_json::Value;
use tokio::time::sleep;

use super::invocation::{Invoker, SETTLE, request, stop};
use super::starts::Networks;
use super::subject::{Kind, Subject};
use crate::operation::Hashing;
use crate::process::{peak_memory, processor_time};
use crate::stand_in::Hosts;
use crate::{Effort, Failure};

/// Where warm requests are measured.
const WHERE: [Hosts; 2] = [Hosts::Plain, Hosts::TlsThree];
/// The places in [`WHERE`].
pub(crate) const PLAIN: usize = 0;
pub(crate) const TLS: usize = 1;
/// How often, in a full run; with a password to hash, more rarely.
const TIMES: usize = 500;
const HASHES: usize = 100;

/// The warm requests of one process.
pub(crate) struct Warm {
    /// Of a request, user and system.
    pub(crate) processor: Option<Duration>,
    pub(crate) times: Vec<Duration>,
    /// The most that was held, in KiB, after the first request and after the last.
    pub(crate) memory: [Option<u64>; 2],
}

/// In each of the places of [`WHERE`].
pub(crate) async fn measure(
    invoker: &Invoker,
    subject: &Subject,
    networks: &Networks,
    effort: Effort,
) -> Result<Vec<Warm>, Failure> {
    let times = effort.of(if subject.kind == Kind::Function(Hashing::Argon2id) { HASHES } else { TIMES });
    let mut places = Vec::new();
    for hosts in WHERE {
        let (mut function, _) = invoker.start(subject, networks.get(hosts, 0)?, None).await?;
        let warm = Warm::of(&mut function, &subject.event, times).await;
        places.push(warm.map_err(|error| format!("{}, warm: {error}", subject.name))?);
        stop(function).await;
    }
    Ok(places)
}

impl Warm {
    async fn of(function: &mut Function, event: &Value, times: usize) -> Result<Self, Failure> {
        let id = function.process.id().ok_or("the function has ended")?.to_string();
        let first = peak_memory(&id);
        repeat(function, event, times.div_ceil(10)).await?;
        let before = processor_time(&id, None);
        let took = repeat(function, event, times).await?;
        let used = before.zip(processor_time(&id, None)).map(|(before, after)| after.saturating_sub(before));
        let processor = used.map(|used| used / u32::try_from(times).unwrap_or(u32::MAX));
        Ok(Self { processor, times: took, memory: [first, peak_memory(&id)] })
    }
}

/// Afterwards the process waits for an event: its processor time is complete then.
async fn repeat(function: &mut Function, event: &Value, times: usize) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        took.push(request(function, event).await?);
    }
    sleep(SETTLE).await;
    Ok(took)
}
