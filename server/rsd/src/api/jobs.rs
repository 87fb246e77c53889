//! `/api/v1/jobs` (rs.md §6): what was asked for, and how far it is.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use rs::Refused;
use serde_json::{Value, json};

use super::Shared;
use super::access::Asker;
use super::answer::{self, Shape, respond, written};
use super::native::{pairs, unknown_parameter};
use crate::jobs::{Kind, Wish};
use crate::retention::ms;

/// The newest of this process, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let done = async {
        look(&shared).await;
        let items: Vec<Value> = shared.parts.jobs.all().iter().map(|job| job.shown()).collect();
        written(&json!({"items": items}))
    };
    respond(done.await)
}

/// One of them.
pub(super) async fn one(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let done = async {
        look(&shared).await;
        let job = id.parse().ok().and_then(|id| shared.parts.jobs.one(id));
        let job = job.ok_or_else(|| {
            Refused::other(404, "no-such-job", "this process has no job of this number")
        })?;
        written(&job.shown())
    };
    respond(done.await)
}

/// Bins are made when no mark is left that is as old as the wish for them. While the database is
/// away nobody knows: the job stays what it was.
async fn look(shared: &Arc<Shared>) {
    let jobs = &shared.parts.jobs;
    let open = jobs.open(Kind::Rebuild, false);
    if open.is_empty() {
        return;
    }
    let oldest =
        answer::ask(shared, |store| store.bins().map_or(Ok(None), |bins| bins.oldest_mark()));
    let Ok(oldest) = oldest.await else { return };
    let oldest_ms = oldest.unwrap_or(i64::MAX);
    let made = open.iter().filter(|job| job.asked_ms < oldest_ms);
    let made: Vec<u64> = made.map(|job| job.id).collect();
    jobs.end(&made, &Value::Null, ms(shared.now()));
}

/// Adds one, and answers with it.
pub(super) fn begun(
    shared: &Arc<Shared>,
    asker: &Asker,
    (kind, dry_run): (Kind, bool),
    (result, asked_ms): (Value, i64),
) -> Result<String, Refused> {
    let wish = Wish { kind, dry_run, user: asker.user.clone(), asked_ms, result };
    let jobs = &shared.parts.jobs;
    let job = jobs.add(wish);
    if (kind, dry_run) == (Kind::Rebuild, true) {
        jobs.end(&[job.id], &Value::Null, asked_ms);
    }
    written(&jobs.one(job.id).unwrap_or(job).shown())
}

/// 202 and the job, or why there is none.
pub(super) fn accepted(job: Result<String, Refused>) -> Response {
    match job {
        Ok(text) => answer::document(202, "application/json", "no-store", text),
        Err(refused) => answer::refusal(Shape::Json, &refused),
    }
}

/// Reads `dry_run`, the only parameter of what begins a job.
pub(super) fn dry_run(uri: &Uri) -> Result<bool, Refused> {
    let mut dry_run = false;
    for (name, value) in pairs(uri.query().unwrap_or_default())? {
        dry_run = match (name.as_str(), value.as_str()) {
            ("dry_run", "" | "true") => true,
            ("dry_run", "false") => false,
            ("dry_run", _) => {
                let text = "dry_run is true or false";
                return Err(Refused::parameter("bad-enum", text, &["dry_run"]));
            }
            _ => return Err(unknown_parameter(&name)),
        };
    }
    Ok(dry_run)
}
