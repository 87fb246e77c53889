//! What the books say of each producer, as metrics (ops.md §5.2). At most so many have series of
//! their own: those of which something is missing go first, then those that were heard of late; the
//! rest is `other`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

use crate::alarms::Standing;

/// Values of a label.
const VALUES: usize = 200;
/// Who was heard of in the same hour is in the order of names, so that series stay.
const HOUR_MS: i64 = 3_600_000;

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(super) fn families(out: &mut Exposition, standings: &BTreeMap<String, Standing>, now_ms: i64) {
    let mut all: Vec<(&String, &Standing)> = standings.iter().collect();
    all.sort_by_key(|(name, own)| {
        (Reverse(own.gaps + own.unbalanced), Reverse(own.last_ms / HOUR_MS), *name)
    });
    let rest = all.split_off(all.len().min(VALUES));
    all.sort_by_key(|(name, _)| *name);
    let age = |own: &Standing| now_ms.saturating_sub(own.last_ms).max(0) as f64 / 1000.0;
    type Value<'v> = &'v dyn Fn(&Standing) -> f64;
    let gauges: [(&'static str, &str, Value<'_>); 3] = [
        (names::RS_INTEGRITY_GAPS, "gaps of its sequences", &|own| own.gaps as f64),
        (names::RS_INTEGRITY_UNBALANCED_MINUTES, "minutes that do not agree", &|own| {
            own.unbalanced as f64
        }),
        (names::RS_PRODUCER_LAST_SEEN_SECONDS, "time since its last record", &age),
    ];
    for (name, help, value) in gauges {
        out.family(name, Kind::Gauge, help);
        for (producer, own) in &all {
            out.sample(&[("producer", producer)], value(own));
        }
        if !rest.is_empty() {
            let rest = rest.iter().map(|(_, own)| value(own));
            let all = match name {
                names::RS_PRODUCER_LAST_SEEN_SECONDS => rest.fold(0.0, f64::max),
                _ => rest.sum(),
            };
            out.sample(&[("producer", "other")], all);
        }
    }
}

#[cfg(test)]
mod tests {
    use telemetry::prometheus::Format;

    use super::*;

    fn shown(standings: &BTreeMap<String, Standing>) -> String {
        let mut out = Exposition::new(Format::from_accept(None));
        families(&mut out, standings, 31_000);
        out.finish()
    }

    #[test]
    fn the_label_is_bounded() {
        let one = |n: u32| {
            let mut own = Standing::default();
            (own.gaps, own.last_ms) = (1, 1_000);
            (format!("p-{n:04}"), own)
        };
        let text = shown(&(0..250).map(one).collect());
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(of("rs_integrity_gaps{"), 201);
        assert!(text.contains("rs_integrity_gaps{producer=\"other\"} 50\n"), "{text}");
        assert!(text.contains("rs_producer_last_seen_seconds{producer=\"other\"} 30\n"));
    }

    /// Not the first by name.
    #[test]
    fn who_has_lost_something_has_series_of_their_own_then_who_was_heard_of_late() {
        let one = |n: u32| {
            let mut own = Standing::default();
            own.last_ms = if n < 240 { 0 } else { 2 * HOUR_MS };
            (own.gaps, own.unbalanced) = (u64::from(n == 248), u64::from(n == 249));
            (format!("p-{n:04}"), own)
        };
        let text = shown(&(0..250).map(one).collect());
        for n in [0, 189, 240, 247, 248, 249] {
            assert!(text.contains(&format!("rs_integrity_gaps{{producer=\"p-{n:04}\"}}")), "{n}");
        }
        assert!(!text.contains("p-0190") && !text.contains("p-0239"));
        assert!(text.contains("rs_integrity_gaps{producer=\"other\"} 0\n"), "{text}");
    }
}
