//! The records' way as metrics: made, on disk, acknowledged, lost.

use super::{float, single, total};
use crate::figures::Figures;
use crate::http::Shared;
use std::sync::atomic::Ordering;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

pub(super) fn families(out: &mut Exposition, figures: &Figures, shared: &Shared) {
    out.family(names::RM_RECORDS_WRITTEN_TOTAL, Kind::Counter, "records made for the spool");
    for ((kind, phase), count) in &figures.counters.records {
        out.sample(&[("kind", kind), ("phase", phase)], float(*count));
    }
    let publish = &shared.publish;
    out.family(names::RM_RECORDS_ACKED_TOTAL, Kind::Counter, "records acknowledged by the broker");
    out.sample(&[("kind", "cdr")], float(publish.acknowledged.load(Ordering::Relaxed)));
    out.family(names::RM_RECORDS_DROPPED_TOTAL, Kind::Counter, "records lost; must stay 0");
    let kinds = ["call.event", "cdr.update", "cdr.start", "cdr.end"];
    for (kind, count) in kinds.into_iter().zip(figures.journal.dropped) {
        out.sample(&[("kind", kind)], float(count));
    }
    out.sample(&[("kind", "too-large")], float(publish.too_large.load(Ordering::Relaxed)));
    let late = figures.counters.bye_answer_late;
    total(out, names::RM_BYE_ANSWER_LATE_TOTAL, "answers to BYE before their record", late);
    let spool = shared.spool.status();
    single(
        out,
        names::RM_SPOOL_PENDING,
        "records that no broker has",
        float(shared.publish.pending()),
    );
    single(out, names::RM_SPOOL_BYTES, "bytes of the spool on disk", float(spool.bytes));
    single(out, names::RM_SPOOL_LIMIT_BYTES, "bytes that it may have", float(spool.limit));
    out.family(names::RM_PUBLISH_SECONDS, Kind::Histogram, "from send to acknowledgement");
    out.histogram(&[], &publish.seconds);
    let connected = f64::from(u8::from(publish.connected.load(Ordering::Acquire)));
    single(out, names::RM_BROKER_CONNECTED, "a broker has let us in", connected);
}
