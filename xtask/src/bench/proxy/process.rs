//! A child process and all below it: what they cost, how much memory they have, their end.

use std::fs;
use std::process::{Child, Command};

use anyhow::{Context, Result};

/// A process that is killed with the value.
pub(in crate::bench) struct Process(Child);

impl Process {
    pub(in crate::bench) fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Self).with_context(|| format!("cannot start {name}"))
    }

    /// SIGKILL, and gone.
    pub(in crate::bench) fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// It has ended; with what.
    pub(in crate::bench) fn ended(&mut self) -> Result<Option<bool>> {
        Ok(self.0.try_wait()?.map(|status| status.success()))
    }

    /// User and system time of it and all below it, in microseconds. The kernel tells hundredths
    /// of a second.
    pub(in crate::bench) fn cpu_us(&self) -> Result<f64> {
        let mut ticks: u64 = 0;
        for pid in self.tree()? {
            // Fields 14 and 15 of proc(5), counted behind the name.
            let fields = stat(pid).unwrap_or_default();
            let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
            ticks += field(11).unwrap_or(0) + field(12).unwrap_or(0);
        }
        Ok(u32::try_from(ticks).map(f64::from)? * 10_000.0)
    }

    /// Memory of it and all below it in bytes, what they share counted once.
    pub(in crate::bench) fn pss(&self) -> Result<f64> {
        let mut kib = 0;
        for pid in self.tree()? {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let number = line.and_then(|line| line.split_whitespace().next());
            kib += number.and_then(|number| number.parse().ok()).unwrap_or(0_u32);
        }
        Ok(f64::from(kib) * 1024.0)
    }

    /// It and all below it.
    pub(in crate::bench) fn tree(&self) -> Result<Vec<u32>> {
        let mut tree = vec![self.0.id()];
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            let parent = stat(pid).and_then(|fields| fields.get(1)?.parse::<u32>().ok());
            all.extend(parent.map(|parent| (pid, parent)));
        }
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            tree.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        Ok(tree)
    }
}

/// The fields of `/proc/PID/stat` behind the name, the state first; `None`: it is gone.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        // Kamailio's children end with their parent, if that is asked and not killed.
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-s", "INT", &pid]).status();
        for _ in 0..100 {
            if asked.is_err() || !matches!(self.0.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
