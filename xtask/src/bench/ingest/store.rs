//! How fast records come into a database that is full: the bench `store` of `server/rsd`.
//!
//! The database is built once and kept beside what is built, for the next run; each run adds the
//! records that it measures.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::plan::Plan;
use crate::bench::printed::number;
use crate::cargo;

/// What one run has shown.
pub(super) struct Stored {
    /// Records a second.
    pub(super) rate: f64,
    /// Time of a batch of 2,000 records, ms; the same of 99 of 100.
    pub(super) batch_ms: [f64; 2],
    /// Processor time for each record, µs, making it included.
    pub(super) cpu_us: f64,
    /// Until a backlog was gone while 1,000 records more came each second, s.
    pub(super) backlog_s: f64,
    /// Resident memory at most, MiB.
    pub(super) memory_mib: f64,
    /// Files of the database, MiB.
    pub(super) database_mib: f64,
}

/// The files of it.
pub(super) fn files(root: &Path, plan: &Plan) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join(format!("bench-store-{}", plan.seed))
}

/// Fills the database if that was not done; nothing is measured.
pub(super) fn fill(root: &Path, plan: &Plan) -> Result<()> {
    bench(root, plan, 0, 0).map(drop)
}

/// Fills the database if there is none, then measures.
pub(super) fn run(root: &Path, plan: &Plan) -> Result<Stored> {
    let text = bench(root, plan, plan.seconds, plan.backlog)?;
    Ok(Stored {
        rate: number(&text, "rate=")?,
        batch_ms: [number(&text, "batch_p50_ms=")?, number(&text, "batch_p99_ms=")?],
        cpu_us: number(&text, "cpu_us=")?,
        backlog_s: number(&text, "backlog_s=")?,
        memory_mib: number(&text, "memory_kib=")? / 1024.0,
        database_mib: number(&text, "database_mib=")?,
    })
}

fn bench(root: &Path, plan: &Plan, seconds: u32, backlog: u64) -> Result<String> {
    let dir = files(root, plan);
    let mut command = cargo(root, &["bench", "--locked", "--quiet", "--package", "ringmaster-rsd"]);
    command.args(["--bench", "store", "--"]);
    match &plan.database {
        Some(url) => command.arg(url),
        None => command.arg(&dir),
    };
    command.args([plan.seed, u64::from(seconds), backlog].map(|one| one.to_string()));
    let files = dir.display().to_string();
    eprintln!("{} calls in {}", plan.seed, plan.database.as_ref().unwrap_or(&files));
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eprint!("{text}{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("the bench failed");
    }
    Ok(text)
}

/// As a table.
pub(super) fn table(plan: &Plan, stored: &Stored) -> String {
    let Stored { rate, batch_ms, cpu_us, backlog_s, memory_mib, database_mib } = stored;
    format!(
        "| calls stored before | database | records/s in | batch of 2,000: p50, p99 | CPU per \
         record | memory | backlog of {} gone, 1,000/s beside |\n|---|---|---|---|---|---|---|\n\
         | {} | {database_mib:.0} MiB | {rate:.0} | {:.0}, {:.0} ms | {cpu_us:.0} µs | \
         {memory_mib:.0} MiB | {backlog_s:.0} s |\n",
        plan.backlog, plan.seed, batch_ms[0], batch_ms[1]
    )
}
