//! `GET /v1/alarms`: what is wrong now, since when and how often (rm.md §10, §12.1).

use crate::http::problem::Problem;
use crate::http::{Shared, asked};
use crate::inbox::Query;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use rm::Alarm;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AlarmsParameters {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/alarms`, in the order of their names.
pub(in crate::http) async fn list(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<AlarmsParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let AlarmsParameters { limit, cursor } = asked::parameters(parameters)?;
    let limit = asked::limit(limit)?;
    let mut alarms = shared.state.alarms().list();
    let mut part = 0;
    while let Some(more) = shared.ask(|reply| Query::Alarms(part, reply)).await? {
        alarms.extend(more);
        part += 1;
    }
    alarms.sort_by_cached_key(place);
    if let Some(cursor) = &cursor {
        let behind = alarms.partition_point(|alarm| place(alarm) <= *cursor);
        alarms.drain(..behind);
    }
    let more = alarms.len() > limit;
    alarms.truncate(limit);
    let cursor = alarms.last().filter(|_| more).map(place);
    Ok(Json(json!({ "alarms": alarms, "cursor": cursor })))
}

/// Where an alarm stands in the list.
fn place(alarm: &Alarm) -> String {
    let Alarm { name, kind, object, what, log_id, since, .. } = alarm;
    format!("{name}/{kind}/{object}/{what}/{log_id}/{since}")
}
