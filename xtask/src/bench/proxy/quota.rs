//! A share of one processor for a system, so that it and not SIPp is what runs short: a control
//! group of the kernel, of version 1 or 2, which needs root.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::process::Process;

/// Microseconds after which the share begins anew: short, so that nothing stands still for long.
const PERIOD_US: u32 = 10_000;

/// The group; removed with the value, once its processes are gone.
pub(super) struct Quota(PathBuf);

impl Quota {
    /// Holds a process and all below it to so many percent of one processor.
    pub(super) fn hold(process: &Process, percent: u32) -> Result<Self> {
        let name = format!("ringmaster-bench-{}", std::process::id());
        let quota = PERIOD_US / 100 * percent;
        let first = Path::new("/sys/fs/cgroup/cpu");
        let group = if first.is_dir() {
            let group = Self::new(first.join(name))?;
            group.set("cpu.cfs_period_us", &PERIOD_US.to_string())?;
            group.set("cpu.cfs_quota_us", &quota.to_string())?;
            group
        } else {
            let group = Self::new(Path::new("/sys/fs/cgroup").join(name))?;
            group.set("cpu.max", &format!("{quota} {PERIOD_US}"))?;
            group
        };
        for pid in process.tree()? {
            group.set("cgroup.procs", &pid.to_string())?;
        }
        Ok(group)
    }

    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {path:?}"))?;
        Ok(Self(path))
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        let path = self.0.join(name);
        fs::write(&path, value).with_context(|| format!("cannot write {value} to {path:?}"))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The kernel lets go of a group some time after its last process.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
