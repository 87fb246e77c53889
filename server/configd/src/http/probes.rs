//! Liveness and readiness (ops.md §4): from what was found last, never from the store.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Shared;

/// Their paths: whoever keeps the process alive knows neither token nor certificate.
pub(super) const PATHS: [&str; 2] = ["/live", "/ready"];

/// The writer that has not turned for so long is stuck; with nothing to do it turns every 10 s.
const STUCK: Duration = Duration::from_secs(30);

/// `GET /live`: HTTP turns, and so does the writer.
pub(super) async fn live(State(shared): State<Arc<Shared>>) -> Response {
    let age = shared.books.age();
    let ok = age <= STUCK;
    let body = json!({
        "status": if ok { "ok" } else { "fail" },
        "node": crate::NODE,
        "revision": shared.books.now().revision,
        "checks": { "writer": {
            "ok": ok,
            "since": shared.started,
            "detail": format!("last turn {} s ago", age.as_secs()),
        } },
    });
    answer(if ok { 200 } else { 503 }, format!("{body}\n"))
}

/// `GET /ready`: the objects are there, and the server does not leave.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let (status, body) = shared.health.report(Some(shared.books.now().revision.0));
    answer(status, body)
}

fn answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
