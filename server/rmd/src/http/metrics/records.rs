//! The records' way as metrics: made, on disk, acknowledged, lost.

use super::{float, single, total};
use crate::figures::Figures;
use crate::http::Shared;
use crate::publish::Line;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

pub(super) fn families(out: &mut Exposition, figures: &Figures, shared: &Shared) {
    out.family(names::RM_RECORDS_WRITTEN_TOTAL, Kind::Counter, "records made for the spool");
    for ((kind, phase), count) in &figures.counters.records {
        out.sample(&[("kind", kind), ("phase", phase)], float(*count));
    }
    let lines = Line::ALL.map(|line| (line.kind(), shared.publishing.line(line)));
    out.family(names::RM_RECORDS_ACKED_TOTAL, Kind::Counter, "records acknowledged by the broker");
    for (kind, line) in lines {
        out.sample(&[("kind", kind)], float(line.acknowledged()));
    }
    out.family(names::RM_RECORDS_DROPPED_TOTAL, Kind::Counter, "records lost; must stay 0");
    let kinds = ["call.event", "or", "cdr.update", "cdr.start", "cdr.end"];
    for (kind, count) in kinds.into_iter().zip(figures.journal.dropped) {
        out.sample(&[("kind", kind)], float(count));
    }
    let too_large = lines.iter().map(|(_, line)| line.too_large()).sum();
    out.sample(&[("kind", "too-large")], float(too_large));
    let late = figures.counters.bye_answer_late;
    total(out, names::RM_BYE_ANSWER_LATE_TOTAL, "answers to BYE before their record", late);
    let spool = shared.spool.status();
    single(
        out,
        names::RM_SPOOL_PENDING,
        "records that no broker has",
        float(shared.publishing.pending()),
    );
    single(out, names::RM_SPOOL_BYTES, "bytes of the spool on disk", float(spool.bytes));
    single(out, names::RM_SPOOL_LIMIT_BYTES, "bytes that it may have", float(spool.limit));
    out.family(names::RM_PUBLISH_SECONDS, Kind::Histogram, "from send to acknowledgement");
    let cdr = shared.publishing.line(Line::Cdr);
    out.histogram(&[], &cdr.seconds);
    let connected = f64::from(u8::from(cdr.is_connected()));
    single(out, names::RM_BROKER_CONNECTED, "a broker has let us in", connected);
    let family = names::RM_BROKER_CONNECTIONS_TOTAL;
    out.family(family, Kind::Counter, "connections to a broker, by how they went");
    for (kind, line) in lines {
        for ((broker, outcome), count) in line.connections() {
            let labels = [("broker", &*broker), ("kind", kind), ("outcome", outcome.as_str())];
            out.sample(&labels, float(count));
        }
    }
}
