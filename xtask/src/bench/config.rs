//! What the configuration costs at the size of a large platform (ops.md §1.11), by the benches of
//! `server/configd`, `core/model` and `core/rm`: 1,000 tenants, 3,000 profiles, 100,000 numbers,
//! 500 resources.

mod outside;

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
    figures.extend(objects(root)?);
    figures.push(engine(root)?);
    figures.extend(outside::run(root)?);
    Ok(figures)
}

/// From documents and changes to snapshots.
fn objects(root: &Path) -> Result<Vec<Figure>> {
    let keys = ["build_ms=", "did_us=", "profile_us=", "resource_us=", "come_us=", "go_us="];
    let [build, did, profile, resource, come, go] =
        medians(root, "ringmaster-model", "change", keys)?;
    let how = "median of 5 runs of `cargo bench -p ringmaster-model --bench change`";
    let figure = |what, goal, measured| Figure { what, goal, measured, how };
    let ms = |us: f64| format!("{:.2}", us / 1000.0);
    Ok(vec![
        figure(
            "snapshot of a large platform from its documents",
            "< 200 ms",
            format!("{build:.0} ms"),
        ),
        figure(
            "one changed number of 100,000, up to the snapshot to swap in",
            "< 5 ms",
            format!("{} ms; of a profile {}, of a resource {}", ms(did), ms(profile), ms(resource)),
        ),
        figure(
            "the same for a number group that comes or goes",
            "< 5 ms",
            format!("{} and {} ms", ms(come), ms(go)),
        ),
    ])
}

/// The turn in which the engine takes a snapshot over.
fn engine(root: &Path) -> Result<Figure> {
    let keys = ["did_us=", "did_most_us=", "drained_us=", "more_us=", "more_most_us="];
    let [did, did_most, drained, more, more_most] = medians(root, "ringmaster-rm", "swap", keys)?;
    let ms = |us: f64| format!("{:.2}", us / 1000.0);
    Ok(Figure {
        what: "turn of the engine that takes it over, with 10,000 calls up",
        goal: "< 2 ms",
        measured: format!(
            "{} ms (longest of 21 {}); a resource drained {}, a new one {} ({})",
            ms(did),
            ms(did_most),
            ms(drained),
            ms(more),
            ms(more_most)
        ),
        how: "median of 5 runs of `cargo bench -p ringmaster-rm --bench swap`",
    })
}
