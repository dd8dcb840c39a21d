//! Response padding: an answer whose time must not reveal what was looked up for it leaves at a multiple of 10 ms (a step) after its request
//! arrived. The comparison of a password, which takes the same time for all, also begins at a step.
//!
//! An item that exists takes longer to read and to write than one that does not: 0.15 ms for a phone's (`bench/run silence`), which an attacker
//! can see by comparing enough answers. A step is longer than storage usually takes, so nearly all answers leave at the end of the first
//! (Askarov, Zhang and Myers, "Predictive black-box mitigation of timing channels", CCS 2010).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// Longer than three calls to DynamoDB usually take.
const STEP: Duration = Duration::from_millis(10);

/// The padding of a process.
#[derive(Debug, Default)]
pub struct ResponsePadding {
    has_begun: AtomicBool,
}

/// When a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    at: Instant,
    is_first: bool,
}

impl ResponsePadding {
    /// Notes that a request has arrived.
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival { at: Instant::now(), is_first: !self.has_begun.swap(true, Ordering::Relaxed) }
    }
}

impl Arrival {
    /// Answers or refuses at the end of a step.
    pub(crate) async fn padded<T>(self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        self.pad().await;
        result
    }

    /// Waits for the end of the current step. The first request of a process does not wait: how long the process takes to warm up hides more.
    pub(crate) async fn pad(self) {
        if !self.is_first {
            // It fails only when the runtime shuts down, which is no reason to refuse a request.
            let _ = spawn_blocking(move || sleep(remaining(self.at.elapsed()))).await;
        }
    }
}

/// Tokio's timer waits whole milliseconds from when the runtime was last idle, which is when storage answered. So the fraction of a
/// millisecond that storage took would still show after the wait. The system's timer is exact enough.
#[expect(clippy::disallowed_methods, reason = "on a thread that blocks nobody")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// What remains of the step.
fn remaining(passed: Duration) -> Duration {
    // A second is a whole number of steps.
    STEP.saturating_sub(Duration::from_nanos(u64::from(passed.subsec_nanos() % STEP.subsec_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_request_of_a_process_is_not_padded() {
        let padding = ResponsePadding::default();
        let arrivals = [padding.arrival(), padding.arrival(), padding.arrival()];
        assert_eq!(arrivals.map(|arrival| arrival.is_first), [true, false, false]);
    }

    #[test]
    fn answers_leave_at_whole_steps() {
        for (passed, leaves) in [(0, 10_000), (1, 10_000), (9_999, 10_000), (10_000, 20_000), (1_234_567, 1_240_000)] {
            let passed = Duration::from_micros(passed);
            assert_eq!(passed + remaining(passed), Duration::from_micros(leaves));
        }
    }
}
