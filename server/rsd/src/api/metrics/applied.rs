//! What came of records, by kind (ops.md §5.2). Labels are of closed lists or bounded where they
//! are counted; those of closed lists are there from the start.

use std::collections::BTreeMap;
use std::time::Duration;

use model::record::{CallType, ComponentType, EndState, Kind as RecordKind};
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

use crate::apply::Figures;
use crate::monitor::Stock;

/// Codes of dead letters (rs.md §2.8).
const CODES: [&str; 14] = [
    "not_json",
    "not_utf8",
    "not_an_object",
    "too_deep",
    "too_large",
    "unknown_kind",
    "missing_field",
    "bad_type",
    "bad_value",
    "bad_id",
    "bad_time",
    "id_conflict",
    "db_rejected",
    "expired_partition",
];

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(super) fn families(out: &mut Exposition, figures: &Figures, stock: &Stock, now: Duration) {
    let tallied = figures.tallied();
    out.family(names::RS_APPLY_DUPLICATES_TOTAL, Kind::Counter, "records known already");
    for (producer, count) in &tallied.duplicates {
        out.sample(&[("producer", producer)], *count as f64);
    }
    out.family(names::RS_DEAD_LETTERS_TOTAL, Kind::Counter, "records that became dead letters");
    let mut dead: BTreeMap<&str, u64> = CODES.into_iter().map(|code| (code, 0)).collect();
    dead.extend(&tallied.dead);
    for (code, count) in dead {
        out.sample(&[("code", code)], count as f64);
    }
    out.family(names::RS_DEAD_LETTERS_OPEN, Kind::Gauge, "dead letters that are open");
    out.sample(&[], stock.letters as f64);
    for (name, help, counts) in [
        (names::RS_MISROUTED_TOTAL, "records on another kind's queue", &tallied.misrouted),
        (names::RS_FIELDS_CUT_TOTAL, "texts and unknown fields that were cut", &tallied.cut),
        (names::RS_FIELDS_BAD_TOTAL, "optional fields of a wrong type", &tallied.bad),
    ] {
        out.family(name, Kind::Counter, help);
        for kind in RecordKind::ALL {
            let count = counts.get(kind).copied().unwrap_or_default();
            out.sample(&[("kind", kind.as_str())], count as f64);
        }
    }
    out.family(names::RS_CALLS_TOTAL, Kind::Counter, "ends of calls that were stored");
    for call_type in CallType::ALL {
        for end in EndState::ALL {
            let count = tallied.ended.get(&(*call_type, *end)).copied().unwrap_or_default();
            let labels = [("call_type", call_type.as_str()), ("end_state", end.as_str())];
            out.sample(&labels, count as f64);
        }
    }
    out.family(names::RS_LIVE_CALLS, Kind::Gauge, "calls in progress");
    for component in ComponentType::ALL {
        let count = stock.live.get(component).copied().unwrap_or_default();
        out.sample(&[("component_type", component.as_str())], count as f64);
    }
    out.family(names::RS_PRODUCER_SKEW_SECONDS, Kind::Gauge, "its clock is behind ours");
    for (producer, ms) in tallied.skews.figures(now) {
        out.sample(&[("producer", producer)], ms as f64 / 1000.0);
    }
}
