//! Keeps the processors awake while something is measured. On a virtual machine, an idle processor is given back to the host, and waking
//! it takes 40 to 100 µs: more than most of what is measured here, several times in each round trip on loopback, and not the same
//! from one minute to the next. So each processor has a process of the idle class that does nothing: whatever else wants to run,
//! runs at once in its place.

use std::process::{Child, Command, Stdio};

use crate::Failure;

/// The hidden subcommand that does nothing.
pub(crate) const SUBCOMMAND: &str = "stay-awake";

/// While this lives, the processors stay awake.
pub(crate) struct Awake(Vec<Child>);

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // They end with their input, too; one that has ended is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Awake {
    /// Starts them.
    ///
    /// # Errors
    /// Why not, like a system without `chrt` (util-linux).
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut awake = Self(Vec::new());
        let program = std::env::current_exe()?;
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0"]).arg(&program).arg(SUBCOMMAND);
            awake.0.push(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        Ok(awake)
    }
}

/// Keeps one processor busy until the input ends, which it does with whoever started this.
pub(crate) fn stay_awake() -> ! {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    loop {
        std::hint::spin_loop();
    }
}
