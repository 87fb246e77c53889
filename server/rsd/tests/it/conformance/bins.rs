//! Rollups over what a story has left: the job until nothing is marked, and then every row.

use rs::rollup::{Granularity, Rules, Weekday, Zone, work};
use rs::share::Objects;
use rsd::store::Store;
use rsd::store::bins::LEASE;

use super::NOW;

/// The fence of the job's lease.
pub(super) fn lease(store: &dyn Store) -> u64 {
    store.keeping().take_lease(LEASE, "a test", 0, i64::MAX).unwrap().unwrap().fence
}

/// All bins, as text; empty where the database has not learned them.
pub(super) fn answers(store: &dyn Store) -> Vec<String> {
    let Some(bins) = store.bins() else { return Vec::new() };
    let zone = Zone::new(3600, [], Weekday::Monday);
    // a day later: everything is due
    let now_ms = i64::try_from(NOW.0).unwrap() + 86_400_000;
    let fence = lease(store);
    let rules =
        Rules { zone: &zone, delay_ms: 0, deltas_ms: now_ms, numbers: 50_000, fence, now_ms };
    let mut objects = Objects::default();
    let mut turns = 0;
    while {
        let done = work(bins, &mut objects, &rules, || true).unwrap();
        done.bins > 0 || done.more
    } {
        turns += 1;
        assert!(turns < 1000, "it comes to an end");
    }
    assert_eq!(bins.oldest_mark().unwrap(), None);
    let mut answers = vec![format!("{:?}", bins.spans().unwrap())];
    for of in Granularity::ALL {
        let rows = bins.rows(of, 0, i64::MAX).unwrap();
        let mut lines: Vec<String> = rows.counts.iter().map(|row| format!("{row:?}")).collect();
        lines.extend(rows.levels.iter().map(|row| format!("{row:?}")));
        lines.extend(rows.outcomes.iter().map(|row| format!("{row:?}")));
        lines.extend(rows.actions.iter().map(|row| format!("{row:?}")));
        lines.extend(rows.quality.iter().map(|row| format!("{row:?}")));
        lines.extend(rows.latencies.iter().map(|row| format!("{row:?}")));
        lines.sort();
        answers.extend(lines);
    }
    answers
}
