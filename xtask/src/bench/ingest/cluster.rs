//! The PostgreSQL server of a data directory, which is taken away and given back.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Debian's place of its programs; another place is found by `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// It runs when this is made.
pub(super) struct Cluster(PathBuf);

impl Cluster {
    pub(super) const fn new(data: PathBuf) -> Self {
        Self(data)
    }

    /// At once: connections break, nothing more is committed.
    pub(super) fn stop(&self) -> Result<()> {
        self.ask(&["stop", "-m", "immediate"])
    }

    /// It answers again when this returns.
    pub(super) fn start(&self) -> Result<()> {
        self.ask(&["start", "-l", "/dev/null"])
    }

    fn ask(&self, what: &[&str]) -> Result<()> {
        let mut program = PathBuf::from("pg_ctl");
        for version in std::fs::read_dir(DEBIAN).into_iter().flatten() {
            program = version?.path().join("bin/pg_ctl");
        }
        // it does not run as root
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        command.arg(program).args(["-s", "-w", "-t", "600", "-D"]).arg(&self.0).args(what);
        let ended = command.status().context("cannot run pg_ctl")?;
        if !ended.success() {
            bail!("pg_ctl {}: {ended}", what[0]);
        }
        Ok(())
    }
}
