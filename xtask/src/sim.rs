//! `cargo xtask sim --seed N [--steps N] | [--seeds N] [--from N] [--minutes N]`: random lives of
//! calls in the simulator, optimised, and with all invariants asked; with `--ingest` those of the
//! Reporting Server's ingest at every point at which the power may go.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{cargo, run as step, shown};

pub(crate) const PACKAGE: &str = "ringmaster-sim";
const PROFILE: &str = "sim";
/// Seeds of the bounded sweep in `cargo xtask ci`: 10,000 calls.
const CI_SEEDS: &str = "100";
/// Of ingest: each is some thousand lives.
const CI_INGEST: &str = "4";

/// Hands the arguments on; `--minutes` ends a sweep that has found nothing.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let mut rest = args.to_vec();
    let minutes = match rest.iter().position(|arg| arg == "--minutes") {
        Some(at) if at + 1 < rest.len() => {
            let [_, minutes] = [rest.remove(at), rest.remove(at)];
            Some(minutes.parse::<u32>().with_context(|| format!("--minutes {minutes}"))?)
        }
        _ => None,
    };
    let mut command = program(root);
    command.args(&rest);
    let Some(minutes) = minutes else { return step(command) };
    println!("$ {}", shown(&command));
    let mut child = command.spawn().context("cannot run cargo")?;
    for _ in 0..minutes.saturating_mul(60) {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("the simulator found something");
            }
            return Ok(());
        }
        thread::sleep(Duration::from_secs(1));
    }
    child.kill()?;
    child.wait()?;
    println!("{minutes} minutes are over, and nothing was found");
    Ok(())
}

/// The bounded sweep of `cargo xtask ci`.
pub(crate) fn bounded(root: &Path) -> Result<()> {
    let mut command = program(root);
    command.args(["--seeds", CI_SEEDS]);
    step(command)?;
    let mut command = program(root);
    command.args(["--ingest", "--seeds", CI_INGEST]);
    step(command)
}

fn program(root: &Path) -> std::process::Command {
    cargo(root, &["run", "--locked", "--quiet", "--profile", PROFILE, "--package", PACKAGE, "--"])
}

/// Its tests, in the same build.
pub(crate) fn tests(root: &Path) -> Result<()> {
    step(cargo(root, &["test", "--locked", "--profile", PROFILE, "--package", PACKAGE]))
}
