//! `/v1`: what is asked of a node and done to it, as JSON (rm.md §10); here status, resources and
//! configuration.
//!
//! Handlers check what they were asked, ask the engine, and print.

pub(super) mod calls;
pub(super) mod explain;
pub(super) mod limits;
pub(super) mod tenants;

use super::problem::Problem;
use super::{Shared, asked};
use crate::inbox::Query;
use crate::publish::Line;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use serde::Deserialize;
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

/// What a list of resources may be narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourcesParameters {
    group: Option<String>,
}

/// `GET /v1/resources`.
pub(super) async fn resources(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<ResourcesParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let parameters = asked::parameters(parameters)?;
    let mut resources = shared.ask(Query::Resources).await?;
    if let Some(group) = &parameters.group {
        resources.retain(|resource| resource.group == *group);
    }
    Ok(Json(json!({ "resources": resources })))
}

/// `GET /v1/config`.
pub(super) async fn config(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (revision, applied) = shared.state.revision();
    let age = shared.clock.now().wall.since(applied).as_secs();
    Json(json!({ "rev": revision, "source": shared.source, "age_s": age, "rejected": null }))
}
