//! `/v1`: what is asked of a node and done to it, as JSON (rm.md §10); here the node
//! as a whole.
//!
//! Handlers check what they were asked, ask the engine, and print.

pub(super) mod alarms;
pub(super) mod calls;
pub(super) mod config;
pub(super) mod explain;
pub(super) mod ladder;
pub(super) mod limits;
pub(super) mod log;
pub(super) mod node;
pub(super) mod resources;
pub(super) mod tenants;

use super::Shared;
use super::problem::Problem;
use crate::inbox::Query;
use crate::publish::Line;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/status`.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, Problem> {
    let (status, cps) = shared.ask(Query::Status).await?;
    let uptime = shared.clock.now().wall.since(shared.state.started());
    let connected = shared.publishing.line(Line::Cdr).is_connected();
    Ok(Json(json!({
        "name": status.name,
        "node_id": status.node_id,
        "boot": status.boot,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": uptime.as_secs(),
        "state": status.state,
        "config_rev": status.config_rev,
        "sessions": status.sessions,
        "legs": status.legs,
        "cps": cps,
        "spool": { "pending": shared.publishing.pending(), "bytes": shared.spool.status().bytes },
        "broker": if connected { "connected" } else { "away" },
    })))
}
