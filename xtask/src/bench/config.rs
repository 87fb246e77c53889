//! What the configuration costs at the size of a large platform (ops.md §1.11), by the benches of
//! `server/configd` and `core/model`: 1,000 tenants, 3,000 profiles, 100,000 numbers, 500
//! resources.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::medians;

/// The server, then its clients.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let keys = ["apply_ms=", "change_ms=", "told_ms=", "open_ms="];
    let [apply, change, told, open] = medians(root, "ringmaster-configd", "books", keys)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-configd --bench books`";
    let figure = |what, goal, measured| Figure { what, goal, measured, how };
    let mut figures = vec![
        figure("apply of a large platform into an empty store", "< 2 s", format!("{apply:.0} ms")),
        figure(
            "change of one object, request to answer, 99 of 100",
            "< 20 ms",
            format!("{change:.1} ms"),
        ),
        figure(
            "the same until the last of 100 watchers knows it, 99 of 100",
            "< 100 ms",
            format!("{told:.1} ms"),
        ),
        figure("start of the books of a large platform", "< 1 s", format!("{open:.0} ms")),
    ];
    let keys = ["build_ms=", "did_us=", "profile_us=", "resource_us="];
    let [build, did, profile, resource] = medians(root, "ringmaster-model", "change", keys)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-model --bench change`";
    figures.push(Figure {
        what: "snapshot of a large platform from its documents",
        goal: "< 200 ms",
        measured: format!("{build:.0} ms"),
        how,
    });
    figures.push(Figure {
        what: "one changed number of 100,000, up to the snapshot to swap in",
        goal: "< 5 ms",
        measured: format!(
            "{did:.0} µs; of a profile {profile:.0} µs, of a resource {resource:.0} µs"
        ),
        how,
    });
    Ok(figures)
}
