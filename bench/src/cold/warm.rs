//! Warm requests: one process, one request after the other, and what they take of a processor and of memory. Uses `process`.

use std::time::Duration;

use super::process::{Bench, Running, SETTLE, settle};
use super::services::Hosts;
use super::starts::Networks;
use super::subject::{Kind, Subject};
use crate::operation::Hashing;
use crate::{Effort, Failure, cpu, machine};

/// Where warm requests are measured, and how often in a full run.
pub(crate) const WHERE: [(Hosts, u64, usize); 4] =
    [(Hosts::Plain, 0, 500), (Hosts::TlsThree, 0, 500), (Hosts::TlsThree, 5, 100), (Hosts::TlsThree, 20, 40)];
/// With a password to hash, at most so often.
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
pub(crate) fn measure(
    bench: &Bench,
    subject: &Subject,
    networks: &Networks,
    effort: Effort,
) -> Result<Vec<Warm>, Failure> {
    let most = if subject.kind == Kind::Function(Hashing::Argon2id) { HASHES } else { usize::MAX };
    let places = WHERE.into_iter();
    places
        .map(|(hosts, added, times)| {
            let (running, _) = bench.start(subject, networks.get(hosts, added)?, None)?;
            Warm::of(&running, &subject.event, effort.of(times.min(most)))
                .map_err(|error| format!("{}, warm: {error}", subject.name).into())
        })
        .collect()
}

impl Warm {
    fn of(running: &Running, event: &str, times: usize) -> Result<Self, Failure> {
        let memory = || machine::memory(&running.id().to_string(), "VmHWM");
        // The processor's time is read while the process waits for an event.
        let waiting = |passes: usize| -> Result<Vec<Duration>, Failure> {
            let passes: Result<Vec<_>, _> = (0..passes).map(|_| running.request(event)).collect();
            settle(SETTLE);
            passes
        };
        let first = memory();
        waiting(times.div_ceil(10))?;
        let before = cpu::of_process(running.id());
        let passes = waiting(times)?;
        let used = before.zip(cpu::of_process(running.id())).map(|(before, after)| after.saturating_sub(before));
        let processor = used.map(|used| used / u32::try_from(times).unwrap_or(u32::MAX));
        Ok(Self { processor, times: passes, memory: [first, memory()] })
    }
}
