//! What the benches of the crates print: one line of words, each with its key in front.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Runs of a bench, of which the median counts.
const RUNS: usize = 5;

/// What one run of a bench of a crate prints.
pub(super) fn output(root: &Path, package: &str, bench: &str) -> Result<String> {
    let args = ["bench", "--locked", "--quiet", "--package", package, "--bench", bench];
    let mut cargo = cargo(root, &args);
    // as a Resource Manager has it (app/src/memory.rs)
    cargo.env("MIMALLOC_PURGE_DELAY", "-1").env("MIMALLOC_ALLOW_THP", "0");
    let output = cargo.output().context("cannot run a bench")?;
    if !output.status.success() {
        bail!("the bench {bench} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The numbers behind these keys in the median run, by the first of them.
pub(super) fn medians<const N: usize>(
    root: &Path,
    package: &str,
    bench: &str,
    keys: [&str; N],
) -> Result<[f64; N]> {
    let mut runs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let text = output(root, package, bench)?;
        let mut values = [0.0_f64; N];
        for (key, value) in keys.into_iter().zip(&mut values) {
            *value = number(&text, key)?;
        }
        runs.push(values);
    }
    runs.sort_by(|a, b| a[0].total_cmp(&b[0]));
    Ok(runs[RUNS / 2])
}

/// The word behind `key` in what a bench printed.
pub(super) fn word<'t>(text: &'t str, key: &str) -> Result<&'t str> {
    let found = text.split_whitespace().find_map(|word| word.strip_prefix(key));
    found.with_context(|| format!("the bench printed no {key}"))
}

/// The number behind `key`.
pub(super) fn number(text: &str, key: &str) -> Result<f64> {
    Ok(word(text, key)?.parse()?)
}
