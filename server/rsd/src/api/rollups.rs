//! `/api/v1/rollups` (rs.md §4.10): bins are made again of their facts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::Uri;
use axum::response::Response;
use rs::Refused;
use rs::rollup::rebuild;
use serde::Deserialize;
use serde_json::json;

use super::Shared;
use super::access::Asker;
use super::answer;
use super::audit::{line, time};
use super::jobs;
use crate::jobs::{Kind, Remake};
use crate::store::bins::Bins;
use crate::store::custody::Audit;
use crate::store::{Store, StoreError};

/// Longest span that is made again at once.
const REBUILD_MS: i64 = 400 * 86_400_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    from: String,
    to: String,
}

/// Marks all bins of a span: they are made again, and are readable meanwhile.
pub(super) async fn remake(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    uri: Uri,
    body: Result<Json<Span>, JsonRejection>,
) -> Response {
    let done = async {
        let dry_run = jobs::dry_run(&uri)?;
        let Json(span) =
            body.map_err(|error| Refused::other(400, "bad-body", error.body_text()))?;
        let (from_ms, to_ms) = (time("from", &span.from)?, time("to", &span.to)?);
        if from_ms >= to_ms || to_ms - from_ms > REBUILD_MS {
            let message = "from is before to, by at most 400 days";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        let held = Arc::clone(&shared);
        let line = line(&shared, &asker, "rollup.rebuild", "bins", &json!({}));
        let now_ms = line.time_ms;
        let detail = learned(&shared, move |bins| {
            let frozen_ms = rs::rollup::State::of(&bins.meta()?).frozen_ms;
            let marks = rebuild(&held.parts.place.zone, from_ms.max(frozen_ms), to_ms);
            let detail = json!({"from": span.from, "to": span.to, "marked": marks.len()});
            if !dry_run {
                bins.remake(&marks, &Audit { detail: detail.to_string(), ..line })?;
            }
            Ok(detail)
        })
        .await?;
        let zone = &shared.parts.place.zone;
        let span = (!dry_run).then(|| Remake::of(zone, from_ms, to_ms, now_ms));
        jobs::begun(&shared, &asker, (Kind::Rebuild, dry_run, span), (detail, now_ms))
    };
    jobs::accepted(done.await)
}

/// Asks for bins of a database that has them.
pub(super) async fn learned<T: Send + 'static>(
    shared: &Arc<Shared>,
    question: impl FnOnce(&dyn Bins) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refused> {
    let answer =
        answer::ask(shared, move |store: &dyn Store| store.bins().map(question).transpose());
    let text = "rollups are not available with this database in this version";
    answer.await?.ok_or_else(|| Refused::other(501, "not-available", text))
}
