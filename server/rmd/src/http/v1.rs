//! `/v1`: status, calls, resources and configuration as JSON (rm.md §10).
//!
//! Handlers check what they were asked, ask the engine once, and print. Of the routes of the
//! specification those that change something are not built yet.

use super::Shared;
use super::problem::Problem;
use crate::inbox::Query;
use crate::publish::Line;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query as Parameters, State};
use model::id::Guid;
use model::time::Millis;
use rm::{CallDetail, CallFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Calls of one page when nothing else is asked for, and at most (rm.md §10).
const PAGE: usize = 1000;

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

/// What a list of calls may be narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallsParameters {
    tenant: Option<String>,
    profile: Option<String>,
    resource: Option<String>,
    state: Option<String>,
    older_than: Option<String>,
    call_id: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/calls`.
pub(super) async fn calls(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<CallsParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Parameters(parameters) =
        parameters.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let limit = parameters.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::bad_request(format!("limit: expected 1 to {PAGE}")));
    }
    let after = match &parameters.cursor {
        Some(text) => {
            Some(Guid::parse(text).ok_or_else(|| Problem::bad_request("cursor: not one of ours"))?)
        }
        None => None,
    };
    let filter = filter(parameters, shared.clock.now().wall)?;
    let calls = shared.ask(|reply| Query::Calls { filter, after, limit, reply }).await?;
    let cursor = calls.last().filter(|_| calls.len() == limit).map(|call| call.session);
    Ok(Json(json!({ "calls": calls, "cursor": cursor })))
}

fn filter(parameters: CallsParameters, now: Millis) -> Result<CallFilter, Problem> {
    const STATES: [&str; 4] = ["trying", "early", "up", "ending"];
    if let Some(state) = &parameters.state
        && !STATES.contains(&state.as_str())
    {
        return Err(Problem::bad_request("state: expected trying, early, up or ending"));
    }
    let before = match &parameters.older_than {
        Some(text) => {
            let age = config::units::duration(text)
                .map_err(|problem| Problem::bad_request(format!("older_than: {problem}")))?;
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Some(Millis(now.0.saturating_sub(age)))
        }
        None => None,
    };
    Ok(CallFilter {
        tenant: parameters.tenant,
        profile: parameters.profile,
        resource: parameters.resource,
        state: parameters.state,
        before,
        call_id: parameters.call_id,
    })
}

/// `GET /v1/calls/{guid}`.
pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(guid): Path<String>,
) -> Result<Json<CallDetail>, Problem> {
    let guid = Guid::parse(&guid).ok_or_else(Problem::not_found)?;
    let call = shared.ask(|reply| Query::Call(guid, reply)).await?;
    call.map(Json).ok_or_else(Problem::not_found)
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
    let Parameters(parameters) =
        parameters.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
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
