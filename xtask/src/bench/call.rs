//! What a whole call costs in the pure core, by the bench of `core/rm`.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::medians;

/// INVITE, 180, 200, ACK, BYE, 200 with both records; no socket and no disk.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let keys = ["ns=", "allocs_per_1000=", "heads_ns="];
    let [ns, allocs, heads] = medians(root, "ringmaster-rm", "call", keys)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-rm --bench call`";
    Ok(vec![
        Figure {
            what: "a whole call through the pure core",
            goal: "< 15 µs",
            measured: format!("{:.1} µs", ns / 1000.0),
            how,
        },
        Figure {
            what: "of that, to keep the heads of its 12 messages",
            goal: "< 1 % of a call's CPU",
            measured: format!("{:.2} µs", heads / 1000.0),
            how: "the same bench, against an engine that keeps none",
        },
        Figure {
            what: "allocations of 1,000 such calls, 100 at a time",
            goal: "those of the index of sessions",
            measured: format!("{allocs:.0}"),
            how: "counting allocator in the same bench",
        },
    ])
}
