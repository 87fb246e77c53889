//! `/v1/audit`: who did what, tried to, or was kept from it (ops.md §1.8).

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use model::time::Millis;
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::limits::MAX_AUDIT_PAGE;
use crate::refusal::Refusal;
use crate::store::{AuditQuery, AuditRow};

/// `GET /v1/audit`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let limit = query.limit(limits::ITEMS, limits::ITEMS_MOST)?;
    let wanted = AuditQuery {
        from: time(&mut query, "from")?,
        to: time(&mut query, "to")?,
        actor: query.text("actor")?,
        action: query.text("action")?,
        before: query.number("cursor")?,
        limit,
    };
    query.finish()?;
    let rows = shared.books.audit(wanted, &asked.who).await?;
    let full =
        rows.len() >= limit || rows.iter().map(AuditRow::size).sum::<usize>() >= MAX_AUDIT_PAGE;
    let next = rows.last().filter(|_| full).map(|row| row.seq.to_string());
    let items: Vec<Json> = rows.iter().map(line).collect();
    Ok(asked.wanted.ok(&json!({ "items": items, "next": next })))
}

fn time(query: &mut Query, name: &str) -> Result<Option<Millis>, Refusal> {
    let Some(text) = query.text(name)? else { return Ok(None) };
    let time = Millis::parse(&text);
    time.map(Some).ok_or_else(|| malformed(format!("{name}: expected a time of RFC 3339")))
}

fn line(row: &AuditRow) -> Json {
    json!({
        "time": row.time,
        "actor": row.actor,
        "token_id": row.token_id,
        "role": row.role,
        "source": row.source,
        "action": row.action,
        "objects": row.objects,
        "outcome": row.outcome,
        "problem": row.problem,
        "revision": row.revision,
        "request_id": row.request_id,
    })
}
