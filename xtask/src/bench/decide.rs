//! What a decision costs on a large platform, by the bench of `core/rm`.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::medians;

/// What the bench prints, in this order.
const KEYS: [&str; 11] = [
    "ns=",
    "least_used_ns=",
    "least_percent_ns=",
    "weighted_ns=",
    "hash_ns=",
    "allocs_per_1000=",
    "lookup_ns=",
    "snapshot_mb=",
    "built_ms=",
    "applied_us=",
    "dropped_us=",
];

/// Select, authorise and place among 1,000 tenants and 100,000 live sessions.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let [ns, used, percent, weighted, hash, allocs, lookup, mb, built, applied, dropped] =
        medians(root, "ringmaster-rm", "decide", KEYS)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-rm --bench decide`";
    let figure = |what, goal, measured| Figure { what, goal, measured, how };
    let us = |ns: f64| format!("{:.2}", ns / 1000.0);
    Ok(vec![
        figure(
            "a decision (select, authorise, place by round-robin) among 100,000 live sessions",
            "< 2 µs",
            format!("{} µs, {:.0} a second", us(ns), 1e9 / ns),
        ),
        figure(
            "the same by `least-used`, `least-percent`, `weighted`, `hash`",
            "< 2 µs",
            format!("{}, {}, {}, {} µs", us(used), us(percent), us(weighted), us(hash)),
        ),
        figure("allocations of 1,000 decisions", "none", format!("{allocs:.0}")),
        figure("look up one of 1,000,000 numbers", "< 1 µs", format!("{lookup:.0} ns")),
        figure(
            "memory of the snapshot: 1,000 tenants, 10,000 profiles, 1,000,000 numbers, 500 \
             resources",
            "–",
            format!("{mb:.0} MB, built in {:.1} s", built / 1000.0),
        ),
        figure(
            "the turn in which another such snapshot comes, with 100,000 live sessions",
            "< 2 ms",
            format!("{applied:.0} µs; the former is gone {dropped:.0} µs later, elsewhere"),
        ),
    ])
}
