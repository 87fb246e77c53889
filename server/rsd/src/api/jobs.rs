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
use super::native::switch;
use crate::jobs::{Kind, Remake, Wish, look_at_bins};
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

/// Looks which bins are made by now. While the database is away nobody knows.
async fn look(shared: &Arc<Shared>) {
    if shared.parts.jobs.open(Kind::Rebuild, false).is_empty() {
        return;
    }
    let (jobs, clock) = (Arc::clone(&shared.parts.jobs), shared.parts.clock);
    let now_ms = move || ms(clock.now().wall);
    let looked = answer::ask(shared, move |store| look_at_bins(&jobs, store, &now_ms));
    // the log tells; the jobs stay what they were
    let _known = looked.await;
}

/// Adds one, and answers with it.
pub(super) fn begun(
    shared: &Arc<Shared>,
    asker: &Asker,
    (kind, dry_run, span): (Kind, bool, Option<Remake>),
    (result, asked_ms): (Value, i64),
) -> Result<String, Refused> {
    let wish = Wish { kind, dry_run, user: asker.user.clone(), asked_ms, result, span };
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
    switch(uri, "dry_run")
}
