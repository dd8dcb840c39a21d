//! Holds a process to a share of a processor, as Lambda holds one with little memory. Linux only, and only for who may make cgroups.

use std::path::{Path, PathBuf};

/// A function of 256 MB has a seventh of a processor: of each period of 20 ms so much, in microseconds.
const QUOTA: &str = "2857";
const PERIOD: &str = "20000";

/// A cgroup. Removed when dropped; its processes have ended then.
pub(crate) struct Held {
    folder: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // One that stays holds nobody.
        let _ = std::fs::remove_dir(&self.folder);
    }
}

impl Held {
    /// Makes one by version 2, or by version 1 where that has the processor. Or says why not.
    pub(crate) fn make() -> Result<Self, String> {
        let quota = format!("{QUOTA} {PERIOD}");
        let second = ("/sys/fs/cgroup", [("../cgroup.subtree_control", "+cpu"), ("cpu.max", &*quota)]);
        let first = ("/sys/fs/cgroup/cpu", [("cpu.cfs_period_us", PERIOD), ("cpu.cfs_quota_us", QUOTA)]);
        Self::below(second.0, &second.1).or_else(|why| {
            if Path::new(first.0).join(first.1[1].0).exists() { Self::below(first.0, &first.1) } else { Err(why) }
        })
    }

    fn below(root: &str, settings: &[(&str, &str)]) -> Result<Self, String> {
        let folder = Path::new(root).join(format!("otpost-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).map_err(|error| format!("no cgroup can be made in {root}: {error}"))?;
        let held = Self { folder };
        for (name, value) in settings {
            let file = held.folder.join(name);
            // Not created where it is not there: on a file system that is no cgroup, one would be.
            let mut open = std::fs::OpenOptions::new();
            let written = open
                .write(true)
                .open(&file)
                .and_then(|mut file| std::io::Write::write_all(&mut file, value.as_bytes()));
            written.map_err(|error| format!("the cgroup in {root} does not take {name}: {error}"))?;
        }
        Ok(held)
    }

    /// Holds this process from now on.
    pub(crate) fn hold(&self, process: u32) -> std::io::Result<()> {
        std::fs::write(self.folder.join("cgroup.procs"), process.to_string())
    }
}
