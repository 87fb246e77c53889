//! What parsing costs, by the bench of `proto/sip`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Figure;
use crate::cargo;

const PARSE_RUNS: usize = 5;

/// Parsing one INVITE of 1 KiB, by the bench of `proto/sip`.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let mut runs = Vec::with_capacity(PARSE_RUNS);
    for _ in 0..PARSE_RUNS {
        let args =
            ["bench", "--locked", "--quiet", "--package", "ringmaster-sip", "--bench", "parse"];
        let output = cargo(root, &args).output().context("cannot run the parse bench")?;
        if !output.status.success() {
            bail!("the parse bench failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |key: &str| -> Result<f64> {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(key));
            Ok(found.with_context(|| format!("the parse bench printed no {key}"))?.parse()?)
        };
        runs.push((value("ns=")?, value("allocs=")?));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ns, allocs) = runs[PARSE_RUNS / 2];
    let how = "median of 5 runs of `cargo bench -p ringmaster-sip --bench parse`";
    Ok(vec![
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
