//! The machine: what figures without it mean nothing without. Linux tells it in `/proc`; elsewhere it stays unknown.

use std::process::Command;
use std::thread::available_parallelism;

/// One line.
pub(crate) fn describe() -> String {
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let usable = available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| kibibytes(&text));
    let memory = memory.map_or_else(|| "memory unknown".to_owned(), |kib| format!("{} GiB", kib >> 20));
    let system = format!("{} {}", std::env::consts::OS, system.trim());
    format!("Machine: {model}, processors for this process: {usable}, {memory}, {}, {}\n", system.trim(), compiler())
}

/// The compiler that is there, which is the one that built what is measured.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().ok();
    output
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_else(|| "rustc unknown".to_owned())
        .trim()
        .to_owned()
}

/// The columns of [`memory_row`].
pub(crate) const MEMORY_COLUMNS: [&str; 3] = ["when", "resident", "at most so far"];

/// When, and what a process (its id, or `self`) holds in memory then and at most held until then.
pub(crate) fn memory_row(when: &str, process: &str) -> Vec<String> {
    let mebibytes =
        |name| memory(process, name).map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib >> 10));
    vec![when.to_owned(), mebibytes("VmRSS"), mebibytes("VmHWM")]
}

/// KiB of a process (its id, or `self`) by the kernel's name, like `VmHWM`, the most it ever held.
pub(crate) fn memory(process: &str, name: &str) -> Option<u64> {
    field(&format!("/proc/{process}/status"), name).and_then(|text| kibibytes(&text))
}

/// What stands after `name:` in a file of `/proc`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// `123 kB`, which are KiB.
fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.trim().parse().ok()
}
