//! `/live`, `/ready`, `/ems-rs/readiness`, `/api/v1/health` (rs.md §5.12, ops.md §4).
//!
//! Answered from memory. A lost database does not make RS unready: producers must still reach it.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::Response;
use telemetry::health::Status;

use super::access::Asker;
use super::answer::{JSON, XML, document};
use super::{Shared, limits};
use crate::users::Role;

/// This answer comes from the runtime of ingest and HTTP: it turns. The applier must have turned
/// lately too.
pub(super) async fn live(State(shared): State<Arc<Shared>>) -> Response {
    let turned = shared.parts.applied.turned_within(shared.parts.clock.mono(), limits::STUCK);
    let (status, word) = if turned { (200, "live\n") } else { (503, "the applier is stuck\n") };
    document(status, "text/plain; charset=utf-8", "no-store", word.to_owned())
}

/// The checks as JSON.
pub(super) async fn ready(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Response {
    let status = if is_ready(&shared, query.as_deref()) { 200 } else { 503 };
    document(status, JSON, "no-store", shared.parts.monitor.health.report(None).1)
}

/// The same for people: 200 whatever it says. To somebody who may not read only how it is.
pub(super) async fn health(State(shared): State<Arc<Shared>>, asker: Asker) -> Response {
    shared.parts.monitor.look();
    let health = &shared.parts.monitor.health;
    let body = if asker.is(Role::Reporter) || asker.is(Role::Monitor) {
        health.report(None).1
    } else {
        format!("{{\"status\":\"{}\"}}\n", health.status().as_str())
    };
    document(200, JSON, "no-store", body)
}

/// GVP's probe: the same checks as XML, or as JSON on request.
pub(super) async fn readiness(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains(JSON) {
        return ready(State(shared), RawQuery(query)).await;
    }
    let ready = is_ready(&shared, query.as_deref());
    let word = if ready { "ready" } else { "not-ready" };
    let mut body = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
    // a String takes whatever is written
    let _ = write!(body, "\n<readiness status=\"{word}\">");
    for (name, ok, required, text) in shared.parts.monitor.health.checks() {
        let _ = write!(body, "<check name=\"{name}\" ok=\"{ok}\"");
        if !required {
            body.push_str(" required=\"false\"");
        }
        if !ok {
            let _ = write!(body, " text=\"{}\"", escaped(&text));
        }
        body.push_str("/>");
    }
    body.push_str("</readiness>\n");
    document(if ready { 200 } else { 503 }, XML, "no-store", body)
}

/// `?strict=true` wants the database too, an applier that keeps up, and all that work in the
/// background.
fn is_ready(shared: &Shared, query: Option<&str>) -> bool {
    let parts = &shared.parts;
    parts.monitor.look();
    let status = parts.monitor.health.status();
    let strict =
        query.is_some_and(|query| query.split('&').any(|parameter| parameter == "strict=true"));
    if strict {
        let is_ok = |check| parts.monitor.health.is_ok(check);
        let keeps_up = parts.ingest.backlog.age(shared.now()) < limits::STRICT_LAG;
        return status != Status::Fail && is_ok("database") && is_ok("workers") && keeps_up;
    }
    status != Status::Fail
}

/// Details of checks are texts of ours; this keeps them texts.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
