//! `/metrics`: the figures of RS as text (ops.md §5.2), of what is built.

mod applied;
mod jobs;
mod producers;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::middleware::Next;
use axum::response::Response;
use model::record::Stream;
use openwire::QUEUES;
use telemetry::names;
use telemetry::process;
use telemetry::prometheus::{Exposition, Format, Histogram, Kind, LATENCY_SECONDS};

use super::Shared;
use super::answer::{REPORT, REQUEST_ID, document};
use crate::alarms::Name;
use crate::crew::Crew;
use crate::entry::Transport;
use crate::ingest::Priority;
use crate::machine;
use crate::store::Connections;
use crate::store::custody::ms;

/// Groups of paths; labels never come from the wire.
const GROUPS: [&str; 4] = ["reports", "api", "probes", "pages"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Requests by group and class of status.
#[derive(Debug)]
pub(super) struct Requests {
    counts: [[AtomicU64; CLASSES.len()]; GROUPS.len()],
    seconds: [Histogram; GROUPS.len()],
    /// Numbers the requests.
    last: AtomicU64,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            seconds: std::array::from_fn(|_| Histogram::new(LATENCY_SECONDS)),
            last: AtomicU64::new(0),
        }
    }
}

/// Time of the database for questions.
#[derive(Debug)]
pub(super) struct Questions {
    all: Histogram,
    /// By the route, of which there are a few dozen.
    reports: Mutex<BTreeMap<String, Histogram>>,
}

impl Default for Questions {
    fn default() -> Self {
        Self { all: Histogram::new(LATENCY_SECONDS), reports: Mutex::default() }
    }
}

impl Questions {
    /// One was answered.
    pub(super) fn observe(&self, report: String, took: Duration) {
        self.all.observe(took);
        let fresh = || Histogram::new(LATENCY_SECONDS);
        self.by_report().entry(report).or_insert_with(fresh).observe(took);
    }

    fn by_report(&self) -> MutexGuard<'_, BTreeMap<String, Histogram>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn group(path: &str) -> usize {
    match path {
        "/live" | "/ready" | "/metrics" | "/ems-rs/readiness" | "/api/v1/health" => 2,
        _ if path.starts_with("/ems-rs") => 0,
        _ if path.starts_with("/api") => 1,
        _ => 3,
    }
}

/// Names and counts every request.
pub(super) async fn count(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let group = group(request.uri().path());
    let begun = shared.parts.clock.mono();
    let number = shared.requests.last.fetch_add(1, Ordering::Relaxed) + 1;
    let id = format!("{:011X}-{number:08X}", shared.parts.started.0);
    let report = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let answer = REPORT.scope(report.unwrap_or_default(), next.run(request));
    let response = REQUEST_ID.scope(id, answer).await;
    let class = usize::from(response.status().as_u16() / 100).clamp(2, 5) - 2;
    if let Some(counter) = shared.requests.counts.get(group).and_then(|of| of.get(class)) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    if let Some(histogram) = shared.requests.seconds.get(group) {
        histogram.observe(shared.parts.clock.mono().saturating_sub(begun));
    }
    response
}

pub(super) async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::from_accept(accept);
    let mut out = Exposition::new(format);
    let parts = &shared.parts;
    process::families(&mut out, "rs", &parts.settings.name, parts.started, &parts.log);
    queue(&mut out, &shared);
    ingest(&mut out, &shared);
    apply(&mut out, &shared);
    requests(&mut out, &shared.requests);
    parts.known.figures.families(&mut out, "rs", shared.now());
    if let Some(left) = parts.monitor.certificates_left() {
        let help = "how long the first certificate to expire is still valid";
        out.family(names::TLS_CERTIFICATE_EXPIRY_SECONDS, Kind::Gauge, help);
        out.sample(&[("use", "rs")], left.as_secs_f64());
    }
    producers::families(&mut out, &parts.monitor.standings(), ms(shared.now()));
    out.family(names::RS_ALARM, Kind::Gauge, "1: the alarm is raised");
    for name in Name::ALL {
        let up = u8::from(parts.monitor.alarms.is_up(name));
        out.sample(&[("name", name.as_str())], f64::from(up));
    }
    out.family(names::RS_VOLUME_FREE_BYTES, Kind::Gauge, "room on the disk");
    for (volume, dir) in &parts.settings.volumes {
        if let Some(bytes) = free_bytes(dir) {
            out.sample(&[("volume", volume)], bytes);
        }
    }
    let help = "levels that were not those of the facts, repaired";
    counter(&mut out, names::RS_ROLLUP_DRIFT_TOTAL, help, parts.monitor.drift());
    workers(&mut out, &parts.ingest.crew);
    document(200, format.content_type(), "no-store", out.finish())
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn workers(out: &mut Exposition, crew: &Crew) {
    let help = "panics of what works in the background";
    out.family(names::RS_WORKER_PANICS_TOTAL, Kind::Counter, help);
    for (worker, panics) in crew.panics() {
        out.sample(&[("worker", worker.as_str())], panics as f64);
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn free_bytes(dir: &Path) -> Option<f64> {
    machine::free(dir).map(|bytes| bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn gauge(out: &mut Exposition, name: &'static str, help: &str, value: u64) {
    out.family(name, Kind::Gauge, help);
    out.sample(&[], value as f64);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn counter(out: &mut Exposition, name: &'static str, help: &str, value: u64) {
    out.family(name, Kind::Counter, help);
    out.sample(&[], value as f64);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn queue(out: &mut Exposition, shared: &Shared) {
    let status = shared.parts.ingest.spool.status();
    let waiting = shared.parts.ingest.backlog.records();
    gauge(out, names::RS_QUEUE_SIZE, "records spooled, not yet applied", waiting);
    let depth = |stream: &Stream| shared.parts.ingest.backlog.depth(*stream, shared.now());
    out.family(names::RS_QUEUE_DEPTH, Kind::Gauge, "the same of one queue");
    for stream in Stream::ALL {
        out.sample(&[("queue", stream.queue())], depth(stream).records as f64);
    }
    out.family(names::RS_QUEUE_OLDEST_SECONDS, Kind::Gauge, "age of its oldest record");
    for stream in Stream::ALL {
        let age = depth(stream).age.unwrap_or_default();
        out.sample(&[("queue", stream.queue())], age.as_secs_f64());
    }
    gauge(out, names::RS_SPOOL_BYTES, "bytes of the ingest queue on disk", status.bytes);
    gauge(out, names::RS_SPOOL_LIMIT_BYTES, "their limit", status.limit);
    let help = "areas of it that cannot be read";
    let damaged = u64::try_from(status.damaged).unwrap_or(u64::MAX);
    counter(out, names::RS_SPOOL_DAMAGED_TOTAL, help, damaged);
    let (seconds, records) = shared.parts.ingest.counters.groups();
    out.family(names::RS_SPOOL_SYNC_SECONDS, Kind::Histogram, "one group commit");
    out.histogram(&[], seconds);
    let busy = status.busy_since.map(|since| shared.parts.clock.mono().saturating_sub(since));
    out.family(names::RS_SPOOL_BUSY_SECONDS, Kind::Gauge, "age of the one under way");
    out.sample(&[], busy.unwrap_or_default().as_secs_f64());
    out.family(names::RS_SPOOL_GROUP_RECORDS, Kind::Histogram, "arrivals of one group");
    out.histogram(&[], records);
    out.family(names::RS_SPOOL_HELD_BACK, Kind::Gauge, "1: sends of this priority wait");
    let priorities = [("1", Priority::First), ("2", Priority::Second), ("3", Priority::Third)];
    for (label, priority) in priorities {
        let held = u8::from(shared.parts.ingest.gate.held_back(priority));
        out.sample(&[("priority", label)], f64::from(held));
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn ingest(out: &mut Exposition, shared: &Shared) {
    let figures = &shared.parts.ingest.counters;
    let each =
        || QUEUES.iter().flat_map(|queue| Transport::ALL.iter().map(move |via| (*queue, *via)));
    for (name, help, part) in [
        (names::RS_INGEST_RECORDS_TOTAL, "records on disk and answered", 0),
        (names::RS_INGEST_BYTES_TOTAL, "their bytes", 1),
    ] {
        out.family(name, Kind::Counter, help);
        for (queue, via) in each() {
            let (records, bytes) = figures.stored(queue, via);
            let value = if part == 0 { records } else { bytes };
            out.sample(&[("queue", queue), ("transport", via.as_str())], value as f64);
        }
    }
    out.family(names::RS_INGEST_SECONDS, Kind::Histogram, "last byte received to answer");
    out.histogram(&[], figures.seconds());
    out.family(names::RS_CONNECTIONS, Kind::Gauge, "connections of producers");
    for via in Transport::ALL {
        out.sample(&[("transport", via.as_str())], figures.connections(via) as f64);
    }
    let failed = figures.logins_failed();
    counter(out, names::RS_LOGINS_FAILED_TOTAL, "logins refused", failed);
    let unconfirmed = figures.unconfirmed_sends();
    let help = "persistent sends that asked for no answer";
    counter(out, names::RS_UNCONFIRMED_SENDS_TOTAL, help, unconfirmed);
    let help = "messages held back and not stored, as their connection was over";
    counter(out, names::RS_ABANDONED_MESSAGES_TOTAL, help, figures.abandoned());
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn apply(out: &mut Exposition, shared: &Shared) {
    let figures = &shared.parts.applied;
    counter(out, names::RS_APPLY_RECORDS_TOTAL, "records stored", figures.stored());
    let now = shared.parts.clock.mono();
    let stock = shared.parts.monitor.stock();
    applied::families(out, figures, &stock, now);
    jobs::families(out, &stock, ms(shared.now()));
    let view = &shared.parts.view;
    let legs = u64::try_from(view.legs()).unwrap_or(u64::MAX);
    gauge(out, names::RS_LIVE_VIEW_LEGS, "legs of calls in progress in memory", legs);
    let help = "1: all calls in progress are in memory";
    gauge(out, names::RS_LIVE_VIEW_COMPLETE, help, u64::from(view.is_whole()));
    let help = "reports of voice applications that broke a rule";
    out.family(names::RS_VAR_IGNORED_TOTAL, Kind::Counter, help);
    for (rule, count) in figures.ignored() {
        out.sample(&[("rule", rule.as_str())], count as f64);
    }
    let failures = figures.failures();
    counter(out, names::RS_STORE_BATCH_FAILURES_TOTAL, "batches the database refused", failures);
    gauge(out, names::RS_DATABASE_UP, "1: the last batch was stored", u64::from(figures.up(now)));
    let Connections { busy, idle } = shared.parts.store.connections();
    out.family(names::RS_DATABASE_CONNECTIONS, Kind::Gauge, "connections to a database server");
    for (state, count) in [("busy", busy), ("idle", idle)] {
        out.sample(&[("state", state)], f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    out.family(names::RS_DATABASE_SECONDS, Kind::Histogram, "time of the database");
    out.histogram(&[("statement", "batch")], figures.batch_seconds());
    out.histogram(&[("statement", "question")], &shared.questions.all);
    out.family(names::RS_QUERY_SECONDS, Kind::Histogram, "time of the database for a report");
    for (report, seconds) in &*shared.questions.by_report() {
        out.histogram(&[("report", report)], seconds);
    }
    let help = "age of the oldest record not yet applied";
    out.family(names::RS_APPLY_LAG_SECONDS, Kind::Gauge, help);
    out.sample(&[], shared.parts.ingest.backlog.age(shared.now()).as_secs_f64());
    out.family(names::RS_APPLY_BATCH_SECONDS, Kind::Histogram, "one batch into the database");
    out.histogram(&[], figures.batch_seconds());
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn requests(out: &mut Exposition, requests: &Requests) {
    out.family(names::RS_HTTP_REQUESTS_TOTAL, Kind::Counter, "HTTP requests");
    for (group, counts) in GROUPS.iter().zip(&requests.counts) {
        for (class, count) in CLASSES.iter().zip(counts) {
            let value = count.load(Ordering::Relaxed) as f64;
            out.sample(&[("path_group", group), ("status", class)], value);
        }
    }
    out.family(names::RS_HTTP_SECONDS, Kind::Histogram, "time to answer");
    for (group, histogram) in GROUPS.iter().zip(&requests.seconds) {
        out.histogram(&[("path_group", group)], histogram);
    }
}
