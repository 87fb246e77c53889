//! What parsing costs, by the bench of `proto/sip`.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::{medians, number, output, word};

const PACKAGE: &str = "ringmaster-sip";

/// Parsing one INVITE of 1 KiB and the worst messages, by the benches of `proto/sip`.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let [ns, allocs] = medians(root, PACKAGE, "parse", ["ns=", "allocs="])?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-sip --bench parse`";
    let worst = output(root, PACKAGE, "worst")?;
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
