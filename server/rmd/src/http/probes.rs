//! Liveness, readiness and start-up (ops.md §4): from atomics and checks, never from the engine.

use super::Shared;
use crate::limits::ENGINE_STUCK;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The engine has turned lately. Never depends on a peer: a restart cannot heal somebody else.
pub(super) async fn live(State(shared): State<Arc<Shared>>) -> Response {
    let age = shared.pulse.age(&shared.clock);
    let ok = age <= ENGINE_STUCK;
    let word = if ok { "ok" } else { "fail" };
    let detail = format!("last turn {} ms ago", age.as_millis());
    let body = serde_json::json!({
        "status": word,
        "node": shared.state.name(),
        "revision": shared.state.revision().0,
        "checks": { "engine": { "ok": ok, "since": shared.state.started(), "detail": detail } },
    });
    answer(if ok { 200 } else { 503 }, format!("{body}\n"))
}

/// New calls may come.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let (status, body) = shared.state.report();
    answer(status, body)
}

/// As `/ready` once, then 200 for ever.
pub(super) async fn startup(State(shared): State<Arc<Shared>>) -> Response {
    let (status, body) = shared.state.report();
    answer(if shared.state.was_ready() { 200 } else { status }, body)
}

fn answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
