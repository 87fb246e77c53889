//! `/metrics`: the figures of the Config Server as text (ops.md §5.3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use telemetry::door::Source;
use telemetry::prometheus::{Exposition, Format, Kind};
use telemetry::{names, process};

use super::clients::Report;
use super::{Shared, access, limits};
use crate::refusal::Refusal;
use crate::store::ClientRow;

/// Clients that are told of one by one.
const CLIENTS: usize = 500;

/// `GET /metrics`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(source): ConnectInfo<Source>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if shared.settings.http_metrics_auth {
        access::authenticate(&shared, &source, &headers, String::new()).await?;
    }
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::from_accept(accept);
    let mut out = Exposition::new(format);
    process::families(&mut out, "config-server", "config-server", shared.started, &shared.log);
    state(&mut out, &shared);
    requests(&mut out, &shared);
    watchers(&mut out, &shared);
    store(&mut out, &shared);
    clients(&mut out, shared.books.clients());
    Ok(([(CONTENT_TYPE, format.content_type())], out.finish()).into_response())
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn gauge(out: &mut Exposition, name: &'static str, help: &str, value: u64) {
    out.family(name, Kind::Gauge, help);
    out.sample(&[], value as f64);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn state(out: &mut Exposition, shared: &Shared) {
    let state = shared.books.now();
    gauge(out, names::CONFIG_REVISION, "current revision", state.revision.0);
    let help = "oldest revision of the history";
    gauge(out, names::CONFIG_OLDEST_REVISION, help, state.oldest.0);
    out.family(names::CONFIG_OBJECTS, Kind::Gauge, "objects");
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for object in state.set.objects() {
        *kinds.entry(object.key.kind.as_str()).or_default() += 1;
    }
    for (kind, count) in kinds {
        out.sample(&[("kind", kind)], count as f64);
    }
    gauge(out, names::CONFIG_DIDS, "patterns of numbers", state.set.dids() as u64);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn requests(out: &mut Exposition, shared: &Shared) {
    let counters = &shared.counters;
    out.family(names::CONFIG_TRANSACTIONS_TOTAL, Kind::Counter, "transactions by outcome");
    for (outcome, count) in counters.transactions() {
        out.sample(&[("outcome", outcome)], count as f64);
    }
    out.family(names::CONFIG_VALIDATION_ERRORS_TOTAL, Kind::Counter, "errors of objects by code");
    for (code, count) in counters.errors() {
        out.sample(&[("code", code)], count as f64);
    }
    out.family(names::CONFIG_APPLY_SECONDS, Kind::Histogram, "request to end of a transaction");
    out.histogram(&[], &counters.apply);
    out.family(names::CONFIG_HTTP_REQUESTS_TOTAL, Kind::Counter, "requests");
    counters.each_route(|route, requests, _| {
        for ((method, code), count) in requests {
            let code = code.to_string();
            let labels = [("route", route), ("method", *method), ("code", &code)];
            out.sample(&labels, *count as f64);
        }
    });
    out.family(names::CONFIG_HTTP_SECONDS, Kind::Histogram, "time to the answer's head");
    counters.each_route(|route, _, seconds| out.histogram(&[("route", route)], seconds));
    out.family(names::CONFIG_AUTH_FAILURES_TOTAL, Kind::Counter, "requests let in nowhere");
    for (reason, count) in counters.strangers() {
        out.sample(&[("reason", reason)], count as f64);
    }
    out.family(names::CONFIG_REFUSALS_TOTAL, Kind::Counter, "requests refused, by problem");
    for (reason, count) in counters.refusals() {
        out.sample(&[("reason", reason)], count as f64);
    }
    if shared.certificates.is_some() {
        let help = "handshakes that came to nothing";
        out.family(names::CONFIG_TLS_FAILURES_TOTAL, Kind::Counter, help);
        for (reason, count) in counters.handshakes() {
            out.sample(&[("reason", reason)], count as f64);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn watchers(out: &mut Exposition, shared: &Shared) {
    let open = limits::WATCHERS.saturating_sub(shared.watchers.available_permits());
    gauge(out, names::CONFIG_WATCHERS, "open event streams", open as u64);
    let overflows = shared.counters.overflows.load(Ordering::Relaxed);
    let help = "watchers that could not keep up";
    out.family(names::CONFIG_WATCH_OVERFLOWS_TOTAL, Kind::Counter, help);
    out.sample(&[], overflows as f64);
    let help = "commit to bytes handed to the connection";
    out.family(names::CONFIG_WATCH_DELIVERY_SECONDS, Kind::Histogram, help);
    out.histogram(&[], &shared.counters.delivery);
}

fn store(out: &mut Exposition, shared: &Shared) {
    let away = shared.books.is_read_only();
    gauge(out, names::CONFIG_STORE_UP, "1: the store answers", u64::from(!away));
    let help = "1: the store is away, reads go on";
    gauge(out, names::CONFIG_READ_ONLY, help, u64::from(away));
    if let Some(certificates) = &shared.certificates {
        let own = certificates.lock().unwrap_or_else(PoisonError::into_inner);
        let left = own.left(shared.clock.now().wall);
        let help = "how long the first certificate to expire is still valid";
        out.family(names::TLS_CERTIFICATE_EXPIRY_SECONDS, Kind::Gauge, help);
        out.sample(&[("use", "config")], left.as_secs_f64());
    }
}

/// The clients that were heard last.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
fn clients(out: &mut Exposition, mut rows: Vec<ClientRow>) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.seen_at));
    rows.truncate(CLIENTS);
    let told: Vec<(String, Report)> = rows
        .into_iter()
        .filter_map(|row| Some((row.name, serde_json::from_str(&row.report).ok()?)))
        .collect();
    let labels = |name: &'_ str, report: &'_ Report| {
        [("client", name.to_owned()), ("component", report.component.clone())]
    };
    out.family(names::CONFIG_CLIENT_APPLIED_REVISION, Kind::Gauge, "revision a client works with");
    for (name, report) in &told {
        if let Some(applied) = report.applied {
            let labels = labels(name, report);
            out.sample(&labels.each_ref().map(|(k, v)| (*k, v.as_str())), applied as f64);
        }
    }
    out.family(names::CONFIG_CLIENT_REJECTED, Kind::Gauge, "1: it cannot accept the newest one");
    for (name, report) in &told {
        let labels = labels(name, report);
        let rejected = u8::from(report.rejected.is_some());
        out.sample(&labels.each_ref().map(|(k, v)| (*k, v.as_str())), f64::from(rejected));
    }
}
