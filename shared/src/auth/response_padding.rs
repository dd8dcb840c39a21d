//! Response padding: an answer whose time must not tell what was looked up for it leaves at a whole step after its request arrived. A
//! password is compared from such a step on, too, which takes as long for all.
//!
//! What is found takes longer to read and to write again than what is not: 0.15 ms for a phone's item (`bench silence`), which shows to
//! whoever compares enough answers. A step is longer than storage usually takes, so nearly all answers leave at the end of the first
//! (Askarov, Zhang and Myers, "Predictive black-box mitigation of timing channels", CCS 2010).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// Three calls to DynamoDB, and a little more.
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
    /// Answers or refuses at a whole step: no time tells what was found.
    pub(crate) async fn padded<T>(self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        self.pad().await;
        result
    }

    /// Waits for the next whole step since the arrival; not for the first request of a process, since how long that takes to warm up hides
    /// more.
    pub(crate) async fn pad(self) {
        if !self.is_first {
            // It fails only where the runtime ends: no reason to refuse anybody.
            let _ = spawn_blocking(move || sleep(remaining(self.at.elapsed()))).await;
        }
    }
}

/// The runtime's own timer waits whole milliseconds from when it was last idle, which is when storage answered: so the fraction of a
/// millisecond that storage took would show after the wait as it did before. The system's timer ends when it should.
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
