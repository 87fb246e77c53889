//! What the books say of each producer, as metrics (ops.md §5.2). At most so many have series of
//! their own, the first by name; the rest is `other`.

use std::collections::BTreeMap;

use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

use crate::alarms::Standing;

/// Values of a label.
const VALUES: usize = 200;

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(super) fn families(out: &mut Exposition, standings: &BTreeMap<String, Standing>, now_ms: i64) {
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
        for (producer, own) in standings.iter().take(VALUES) {
            out.sample(&[("producer", producer)], value(own));
        }
        if standings.len() > VALUES {
            let rest = standings.values().skip(VALUES).map(value);
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

    #[test]
    fn the_label_is_bounded() {
        let one = |n: u32| {
            let mut own = Standing::default();
            (own.gaps, own.last_ms) = (1, 1_000);
            (format!("p-{n:04}"), own)
        };
        let standings: BTreeMap<_, _> = (0..250).map(one).collect();
        let mut out = Exposition::new(Format::from_accept(None));
        families(&mut out, &standings, 31_000);
        let text = out.finish();
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(of("rs_integrity_gaps{"), 201);
        assert!(text.contains("rs_integrity_gaps{producer=\"other\"} 50\n"), "{text}");
        assert!(text.contains("rs_producer_last_seen_seconds{producer=\"other\"} 30\n"));
    }
}
