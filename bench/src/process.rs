//! Processor time and peak memory of a process, from Linux's `/proc`. On other systems they are unknown.

use std::fs::read_to_string;
use std::time::Duration;

/// The id of the calling thread.
pub(crate) fn this_thread() -> Option<String> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// The processor time of all threads of a process (its id, or `self`) but one. Those that have ended are not in it, and the count of a
/// running one is as old as its last turn.
pub(crate) fn processor_time(process: &str, except: Option<&str>) -> Option<Duration> {
    // The kernel brings the calling thread's count up to date when it looks for another thread to run.
    std::thread::yield_now();
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let counted = threads.filter(|thread| except != thread.file_name().to_str());
    Some(counted.filter_map(|thread| run_time(&read_to_string(thread.path().join("schedstat")).ok()?)).sum())
}

/// The first number: nanoseconds on a processor.
fn run_time(schedstat: &str) -> Option<Duration> {
    schedstat.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The most memory that a process ever held, in KiB.
pub(crate) fn peak_memory(process: &str) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_counts() {
        assert_eq!(run_time("1200 7 3\n"), Some(Duration::from_nanos(1200)));
        assert_eq!(run_time(""), None);
    }
}
