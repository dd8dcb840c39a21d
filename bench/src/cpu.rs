//! The processor time of this process's threads, and of another process, from Linux's `schedstat` in nanoseconds. Elsewhere there is none.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

/// The id of the calling thread.
pub(crate) fn this_thread() -> Option<String> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// Reads the time of all threads but one, that of the stub which answers them.
pub(crate) struct Meter {
    own: Option<File>,
    own_thread: Option<String>,
    left_out: Option<String>,
}

impl Meter {
    /// To be read on the thread that makes it.
    pub(crate) fn new(left_out: Option<String>) -> Self {
        Self { own: File::open("/proc/thread-self/schedstat").ok(), own_thread: this_thread(), left_out }
    }

    /// The calling thread's time so far.
    pub(crate) fn own(&self) -> Option<Duration> {
        // The kernel brings the count up to date when it looks for another thread to run.
        std::thread::yield_now();
        let mut text = [0; 80];
        let length = self.own.as_ref()?.read_at(&mut text, 0).ok()?;
        run_time(std::str::from_utf8(&text[..length]).ok()?)
    }

    /// The time of the others, which must be idle: the count of a running one is old.
    pub(crate) fn others(&self) -> Option<Duration> {
        let mut sum = Duration::ZERO;
        for thread in std::fs::read_dir("/proc/self/task").ok()? {
            let thread = thread.ok()?;
            let name = Some(thread.file_name().to_string_lossy().into_owned());
            if name != self.left_out && name != self.own_thread {
                // One that has just ended has no file any more.
                sum += time_of(&thread.path()).unwrap_or_default();
            }
        }
        Some(sum)
    }
}

/// The time of all threads of a process, which must be idle. Those that have ended are not in it.
pub(crate) fn of_process(id: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
    Some(threads.flatten().filter_map(|thread| time_of(&thread.path())).sum())
}

fn time_of(thread: &Path) -> Option<Duration> {
    run_time(&std::fs::read_to_string(thread.join("schedstat")).ok()?)
}

/// What another process took so far, all its threads that ever were; in hundredths of a second, as Linux counts it.
pub(crate) fn of_process_ever(id: &str) -> Option<Duration> {
    ticks(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The 14th and the 15th field: user's and system's. The second, a name in brackets, may hold anything.
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

/// The first number: nanoseconds on a processor.
fn run_time(schedstat: &str) -> Option<Duration> {
    schedstat.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_counts() {
        assert_eq!(run_time("1200 7 3\n"), Some(Duration::from_nanos(1200)));
        assert_eq!(run_time(""), None);
    }

    #[test]
    fn user_s_and_system_s_ticks_are_added() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 163 0 0 0 12 30 0 0 20 0 1 0 100 1000 10";
        assert_eq!(ticks(stat), Some(Duration::from_millis(420)));
        assert_eq!(ticks("7 (a) S"), None);
    }
}
