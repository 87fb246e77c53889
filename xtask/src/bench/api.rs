//! How long a question of the HTTP API, or what happens to all legs at once, holds the engine, by
//! the benches of `core/rm`.

use std::path::Path;

use anyhow::Result;

use super::Figure;
use super::printed::medians;

/// A list of calls holds the engine for so long in one turn, then goes on in the next
/// (`SLICE_TIME` of `server/rmd`); the last slice may begin at its end.
const SLICE_US: f64 = 200.0;

/// Lists, limits, one call, all resources, the counters, an explained call, messages.
pub(super) fn run(root: &Path) -> Result<Vec<Figure>> {
    let keys = [
        "list_us=",
        "filtered_us=",
        "limits_us=",
        "call_us=",
        "resources_us=",
        "figures_us=",
        "explain_us=",
        "heads_us=",
    ];
    let found = medians(root, "ringmaster-rm", "api", keys)?;
    let [list, filtered, limits, call, resources, figures, explain, heads] = found;
    let list = SLICE_US + list.max(filtered);
    let longest =
        [list, limits, call, resources + figures, explain, heads].into_iter().fold(0.0, f64::max);
    let question = Figure {
        what: "longest hold of the engine by a question, with 100,000 legs up",
        goal: "< 2 ms",
        measured: format!(
            "{longest:.0} µs: list of calls {list:.0}, 512 limits {limits:.0}, one call {call:.1}, \
             metrics {:.0}, explain {explain:.0}, 256 KiB of messages {heads:.0}",
            resources + figures,
        ),
        how: "median of 5 runs of `cargo bench -p ringmaster-rm --bench api`",
    };
    Ok(vec![question, turns(root)?])
}

/// Their coming, a configuration, an operator, the death of a server, a slow disk, a restart, the
/// end of all.
fn turns(root: &Path) -> Result<Figure> {
    let keys = [
        "silent_us=",
        "fresh_us=",
        "grow_us=",
        "same_us=",
        "come_us=",
        "drain_us=",
        "bye_us=",
        "notify_us=",
        "durable_us=",
        "gone_us=",
        "back_us=",
        "updates_us=",
        "forgotten_us=",
    ];
    let found = medians(root, "ringmaster-rm", "turns", keys)?;
    let longest = found.into_iter().fold(0.0, f64::max);
    let [silent, fresh, grow, same, rest @ ..] = found;
    let [come, drain, bye, notify, durable, gone, back, updates, forgotten] = rest;
    Ok(Figure {
        what: "longest turn of the engine when something happens to 100,000 legs on one server",
        goal: "< 2 ms",
        measured: format!(
            "{longest:.0} µs: they come {grow:.0} (for the \
             first time since the start {fresh:.0}), the same configuration {same:.0}, another \
             server comes {come:.0}, theirs is drained until a time {drain:.0}, dies {bye:.0} \
             (BYE) and {notify:.0} (NOTIFY), is gone while 2,000 calls ring {gone:.0}, comes \
             after a restart {back:.0}; the disk is slow {durable:.0}, all renew their records \
             {updates:.0}, are silent for too long {silent:.0}, are forgotten {forgotten:.0}",
        ),
        how: "median of 5 runs of `cargo bench -p ringmaster-rm --bench turns`",
    })
}
