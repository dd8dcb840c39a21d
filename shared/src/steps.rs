//! When an answer leaves whose time must not tell what was looked up for it: at whole steps after its request came. And when a password is
//! compared, which takes as long for all. Uses nothing of this crate.
//!
//! What is found takes longer to read and to write again than what is not: 0.15 ms for a phone's item (`bench silence`), which shows to who
//! compares enough answers. A step is longer than storage usually takes, so nearly all answers leave at the end of the first (Askarov,
//! Zhang and Myers, "Predictive black-box mitigation of timing channels", CCS 2010).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// Three calls to DynamoDB, and a little more.
const STEP: Duration = Duration::from_millis(10);

/// The steps of a process.
#[derive(Debug, Default)]
pub struct Steps {
    has_begun: AtomicBool,
}

/// When a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    at: Instant,
    is_first: bool,
}

impl Steps {
    /// Now.
    pub(crate) fn came(&self) -> Came {
        Came { at: Instant::now(), is_first: !self.has_begun.swap(true, Ordering::Relaxed) }
    }
}

impl Came {
    /// Waits for the next whole step since the request came; not where it is the first of its process, since how long that takes to warm
    /// up hides more.
    pub(crate) async fn next_step(self) {
        if !self.is_first {
            // It fails only where the runtime ends: no reason to refuse anybody.
            let _ = spawn_blocking(move || sleep(left(self.at.elapsed()))).await;
        }
    }
}

/// The runtime's own timer waits whole milliseconds from when it last had nothing to do, which is when storage answered: so the part of a
/// millisecond that storage took would show after the wait as it did before. The system's timer ends when it should.
#[expect(clippy::disallowed_methods, reason = "on a thread that blocks nobody")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// What is left of the step.
fn left(passed: Duration) -> Duration {
    // A second is a whole number of steps.
    STEP.saturating_sub(Duration::from_nanos(u64::from(passed.subsec_nanos() % STEP.subsec_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_request_of_a_process_waits_for_no_step() {
        let steps = Steps::default();
        assert_eq!([steps.came(), steps.came(), steps.came()].map(|came| came.is_first), [true, false, false]);
    }

    #[test]
    fn answers_leave_at_whole_steps() {
        for (passed, leaves) in [(0, 10_000), (1, 10_000), (9_999, 10_000), (10_000, 20_000), (1_234_567, 1_240_000)] {
            let passed = Duration::from_micros(passed);
            assert_eq!(passed + left(passed), Duration::from_micros(leaves));
        }
    }
}
