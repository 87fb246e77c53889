//! `/v1/revisions` and `/v1/diff`: what was, what differs, and the way back (ops.md §1.8).

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use model::config::Kind;
use model::id::Revision;
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::path::Path;
use super::query::{self, Query, malformed};
use super::transactions::{count, message, told};
use super::{Shared, limits};
use crate::books::Revisions;
use crate::limits::MAX_REVISION;
use crate::refusal::Refusal;
use crate::store::RevisionRow;
use crate::transaction::{Name, Target};
use crate::who::Scope;

/// `GET /v1/diff`.
pub(super) async fn diff(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let from = query.revision("from")?.ok_or_else(|| malformed("from: expected a revision"))?;
    let to = query.revision("to")?.unwrap_or_else(|| shared.books.now().revision);
    query.finish()?;
    let diff = shared.books.diff(from, to, &asked.who.scope).await?;
    Ok(asked.wanted.ok(&json!({ "from": from, "to": to, "diff": diff })))
}

/// `GET /v1/revisions`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let limit = query.limit(limits::ITEMS, limits::ITEMS_MOST)?;
    let before = query.revision("before")?;
    let tenant = query.text("tenant")?;
    let object = query.text("object")?.map(|text| target(&text, tenant.clone())).transpose()?;
    if object.is_none() && tenant.is_some() {
        return Err(malformed("tenant: goes with object"));
    }
    let actor = query.text("actor")?;
    query.finish()?;
    let scope = &asked.who.scope;
    let (now, oldest) = {
        let now = shared.books.now();
        (now.revision, now.oldest)
    };
    let rows = shared.books.revisions(Revisions { before, object, actor, limit }, scope).await?;
    let full = rows.len() >= limit;
    let next = rows.last().map(|row| row.revision).filter(|last| full && *last > oldest);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        if scope.is_all() {
            items.push(json!(row));
        } else if let Some(seen) = seen(&shared, row.revision, scope).await? {
            items.push(shown(&seen.0, seen.1.len()));
        }
    }
    let page = json!({ "revision": now, "oldest": oldest, "items": items, "next": next });
    Ok(asked.wanted.ok(&page))
}

/// `Kind/name` or `Kind/dbid:105`.
fn target(text: &str, tenant: Option<String>) -> Result<Target, Refusal> {
    let parts = text.split_once('/').and_then(|(kind, name)| Some((Kind::parse(kind)?, name)));
    let (kind, name) = parts.ok_or_else(|| malformed("object: expected Kind/name"))?;
    Ok(Target { kind, tenant, name: Name::parse(name) })
}

/// `GET /v1/revisions/{rev}`.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path(revision): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let revision = number(&revision)?;
    let seen = seen(&shared, revision, &asked.who.scope).await?;
    let Some((row, diff)) = seen else {
        return Err(Refusal::NotFound(format!("revision {revision} does not exist")));
    };
    let mut shown = match asked.who.scope.is_all() {
        true => json!(row),
        false => shown(&row, diff.len()),
    };
    shown["diff"] = Json::Array(diff);
    Ok(asked.wanted.ok(&shown))
}

/// A revision and what a scope sees of it; `None` where that is nothing.
async fn seen(
    shared: &Shared,
    revision: Revision,
    scope: &Scope,
) -> Result<Option<(RevisionRow, Vec<Json>)>, Refusal> {
    let (row, diff) = shared.books.revision(revision, scope).await?;
    let diff: Vec<Json> = diff.iter().map(|diff| json!(diff)).collect();
    Ok((scope.is_all() || !diff.is_empty()).then_some((row, diff)))
}

/// A revision as a scoped token sees it: neither how much else it changed, nor what that was.
fn shown(row: &RevisionRow, changes: usize) -> Json {
    let mut shown = json!(row);
    shown["changes"] = json!(changes);
    shown["digest"] = Json::Null;
    shown
}

/// `POST /v1/revisions/{rev}/rollback`.
pub(super) async fn rollback(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path(revision): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let dry_run = query.flag("dry_run")?;
    let why = message(query.text("message")?)?;
    query.finish()?;
    let revision = number(&revision)?;
    let (who, wanted) = (asked.who, asked.wanted);
    let work = async move {
        let outcome = shared.books.rollback(revision, &why, dry_run, &who).await;
        count(&shared, &outcome, dry_run);
        outcome
    };
    // also when whoever asked does not wait; it fails only when the runtime ends
    let outcome = tokio::spawn(work).await.unwrap_or(Err(Refusal::Busy))?;
    Ok(wanted.ok(&told(&outcome)))
}

fn number(text: &str) -> Result<Revision, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits).and_then(query::revision);
    number.ok_or_else(|| malformed(format!("a revision is a whole number, at most {MAX_REVISION}")))
}
