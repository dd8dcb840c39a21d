//! The local stack as a process of its own, the one that `cargo run --release` starts.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Failure;

/// A running one. Ended when dropped.
pub(crate) struct LocalStack {
    /// Like `http://127.0.0.1:40001`.
    pub(crate) url: String,
    child: Child,
    /// Kept open: it still has lines to write, and would end if nobody could read them.
    output: BufReader<ChildStdout>,
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        // It keeps nothing, so there is nothing to lose; one that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl LocalStack {
    /// Starts it on a free port and answers when it takes requests.
    pub(crate) fn start() -> Result<Self, Failure> {
        let binary = binary()?;
        let mut command = Command::new(&binary);
        command.args(["--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| {
            format!("no local stack beside the benchmark ({error}): cargo build --release -p local -p bench")
        })?;
        let output = BufReader::new(child.stdout.take().ok_or("the local stack has no output")?);
        let mut stack = Self { url: String::new(), child, output };
        let mut line = String::new();
        while stack.output.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.split_once("Base URL") {
                let url = rest.split_whitespace().next().and_then(|url| url.strip_suffix("/api"));
                stack.url = url.ok_or("the local stack says no address")?.to_owned();
                return Ok(stack);
            }
            line.clear();
        }
        Err("the local stack ended before it was ready".into())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }
}

/// The binary's size in bytes.
pub(crate) fn size() -> Result<u64, Failure> {
    Ok(std::fs::metadata(binary()?)?.len())
}

fn binary() -> Result<PathBuf, Failure> {
    let name = format!("local{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}
