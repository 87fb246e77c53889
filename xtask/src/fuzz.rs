//! `cargo xtask fuzz [TARGET…] [--minutes N] [--seed N] [--replay FILE] [--distil]`.
//!
//! Builds `fuzz/` in a profile of its own, with the compiler's counters at every edge, so that the
//! run is guided by what inputs reach. That is stable rustc and needs nothing else installed. What
//! was found stays in `target/fuzz/found` and is where the next run begins.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cargo, run as step};

/// Puts a counter at every edge (LLVM's SanitizerCoverage); `fuzz/src/coverage.rs` reads them.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters";

/// Inputs of the bounded run in `cargo xtask ci`, per target of full share: about 20 s.
const CI_RUNS: &str = "15000";

/// Builds the program, and hands the arguments on.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<()> {
    let host = host()?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), std::path::PathBuf::from)
        .join("fuzz");
    // with --target the flags stay away from build scripts and macros, which lack the function
    let mut build = cargo(
        root,
        &["build", "--locked", "--package", "ringmaster-fuzz", "--profile", "fuzz", "--target"],
    );
    build.arg(&host).env("RUSTFLAGS", COUNTERS).env("CARGO_TARGET_DIR", &target);
    step(build)?;
    let mut program = Command::new(target.join(host).join("fuzz/ringmaster-fuzz"));
    program.current_dir(root).args(args).arg("--found").arg(target.join("found"));
    step(program)
}

/// The bounded run of `cargo xtask ci`: mutations of the committed inputs, in the build of the
/// tests, which checks overflows. The seed is in its output; the same seed, the same inputs.
pub(crate) fn bounded(root: &Path) -> Result<()> {
    step(cargo(
        root,
        &["run", "--locked", "--quiet", "--package", "ringmaster-fuzz", "--", "--runs", CI_RUNS],
    ))
}

/// The machine that this compiler builds for.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}
