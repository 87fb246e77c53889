//! What parsing costs, by the bench of `proto/sip`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Figure;
use crate::cargo;

const PARSE_RUNS: usize = 5;

/// Parsing one INVITE of 1 KiB and the worst messages, by the benches of `proto/sip`.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let mut runs = Vec::with_capacity(PARSE_RUNS);
    for _ in 0..PARSE_RUNS {
        let text = bench(root, "parse")?;
        runs.push((number(&text, "ns=")?, number(&text, "allocs=")?));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ns, allocs) = runs[PARSE_RUNS / 2];
    let how = "median of 5 runs of `cargo bench -p ringmaster-sip --bench parse`";
    let worst = bench(root, "worst")?;
    let (worst_ns, growth) = (number(&worst, "worst_ns=")?, number(&worst, "growth=")?);
    Ok(vec![
        Figure {
            what: "read the worst message within the limits, to its answer",
            goal: "< 1 ms; twice the bytes, no more than 3 times the work",
            measured: format!(
                "{:.0} µs ({}); at most {growth:.1} times ({})",
                worst_ns / 1000.0,
                word(&worst, "worst=")?,
                word(&worst, "steepest=")?
            ),
            how: "`cargo bench -p ringmaster-sip --bench worst`: 14 kinds, each in two sizes",
        },
        Figure {
            what: "parse one INVITE of 1 KiB",
            goal: "< 1 µs",
            measured: format!("{ns:.0} ns"),
            how,
        },
        Figure {
            what: "allocations to parse it",
            goal: "none",
            measured: format!("{allocs:.0}"),
            how: "counting allocator in the same bench",
        },
    ])
}

/// What a bench of `proto/sip` prints.
fn bench(root: &Path, name: &str) -> Result<String> {
    let args = ["bench", "--locked", "--quiet", "--package", "ringmaster-sip", "--bench", name];
    let output = cargo(root, &args).output().context("cannot run a bench of proto/sip")?;
    if !output.status.success() {
        bail!("the bench {name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The word behind `key` in what a bench printed.
fn word<'t>(text: &'t str, key: &str) -> Result<&'t str> {
    let found = text.split_whitespace().find_map(|word| word.strip_prefix(key));
    found.with_context(|| format!("the bench printed no {key}"))
}

fn number(text: &str, key: &str) -> Result<f64> {
    Ok(word(text, key)?.parse()?)
}
