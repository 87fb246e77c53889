//! `GET /api/v1/alarms`, and `DELETE /api/v1/alarms/{name}` for those that an operator ends.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rs::Refused;
use serde::Serialize;
use serde_json::json;

use super::Shared;
use super::access::Asker;
use super::answer::{Shape, refusal, respond, written};
use super::audit::deed;
use crate::alarms::{Alarm, Name};

#[derive(Serialize)]
struct List {
    items: Vec<Alarm>,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let monitor = &shared.parts.monitor;
    monitor.look();
    respond(written(&List { items: monitor.alarms.raised() }))
}

/// 204 also when it is not raised: it is over either way.
pub(super) async fn end(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path(name): Path<String>,
) -> Response {
    let refused = match Name::parse(&name) {
        Some(known) if known.is_by_operator() => {
            match deed(&shared, &asker, "alarm.end", &name, &json!({})) {
                Ok(()) => {
                    shared.parts.monitor.clear(known);
                    if known == Name::SpoolSync {
                        // the disk may be good again; if not, the alarm is back at once
                        shared.parts.ingest.spool.try_again();
                    }
                    return StatusCode::NO_CONTENT.into_response();
                }
                Err(refused) => refused,
            }
        }
        Some(_) => Refused::other(409, "ends-by-itself", "this alarm is over when its cause is"),
        None => Refused::other(404, "no-such-alarm", "no alarm has this name"),
    };
    refusal(Shape::Json, &refused)
}
