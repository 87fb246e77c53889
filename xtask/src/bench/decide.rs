//! What a decision costs on a large platform, by the bench of `core/rm`.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::medians;

/// Select, authorise and place among 1,000 tenants and 100,000 live sessions.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let keys = ["ns=", "allocs_per_1000=", "lookup_ns=", "snapshot_mb=", "built_ms="];
    let [ns, allocs, lookup, mb, built] = medians(root, "ringmaster-rm", "decide", keys)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-rm --bench decide`";
    let figure = |what, goal, measured| Figure { what, goal, measured, how };
    Ok(vec![
        figure(
            "a decision (select, authorise, place) among 100,000 live sessions",
            "< 2 µs",
            format!("{:.2} µs, {:.0} a second", ns / 1000.0, 1e9 / ns),
        ),
        figure("allocations of 1,000 decisions", "none", format!("{allocs:.0}")),
        figure("look up one of 1,000,000 numbers", "< 1 µs", format!("{lookup:.0} ns")),
        figure(
            "memory of the snapshot: 1,000 tenants, 10,000 profiles, 1,000,000 numbers, 500 \
             resources",
            "–",
            format!("{mb:.0} MB, built in {:.1} s", built / 1000.0),
        ),
    ])
}
