//! How long a start takes: from fork to the line `ready`, on an empty directory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Figure;

const START_RUNS: usize = 11;

/// From the start of the process on an empty directory to the line `ready`.
pub(super) fn run(root: &Path) -> Result<Figure> {
    let program = super::built(root)?;
    let mut times = Vec::with_capacity(START_RUNS);
    for number in 0..START_RUNS {
        let dir =
            std::env::temp_dir().join(format!("ringmaster-bench-{}-{number}", std::process::id()));
        let took = one_start(&program, &dir)?;
        std::fs::remove_dir_all(&dir).context("cannot remove the data directory of a run")?;
        times.push(took);
    }
    times.sort_unstable();
    let measured = format!(
        "{} ms (fastest {}, slowest {})",
        times[START_RUNS / 2].as_millis(),
        times[0].as_millis(),
        times[START_RUNS - 1].as_millis()
    );
    Ok(Figure {
        what: "`standalone`, empty directory, start to `ready`",
        goal: "< 1 s",
        measured,
        how: "median of 11 starts, from fork to the line `ready` on stdout; free ports",
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn one_start(program: &Path, dir: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(["standalone", "--demo", "--cps", "0", "--data-dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let stdout = child.stdout.take().context("stdout was asked for")?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.trim() == "ready");
    let took = begun.elapsed();
    child.kill()?;
    child.wait()?;
    if !ready {
        bail!("{} ended without `ready`", program.display());
    }
    Ok(took)
}
