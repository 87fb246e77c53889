//! `/api/v1/settings` (rs.md §9): every setting in force, with who has said it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{respond, written};
use crate::live::Shown;

/// All of them, by section.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let all = shared.parts.live.shown();
    let item = |one: &Shown| {
        json!({
            "key": one.key, "value": one.value, "origin": one.origin.to_string(),
            "live": one.live, "restart_required": one.waits, "limited_to": one.limited_to,
        })
    };
    let items: Vec<Value> = all.iter().map(item).collect();
    respond(written(&json!({"items": items})))
}
