//! `/v1/clients`: who works with which revision, as the clients tell it (ops.md §1.10).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use model::config::limits::MAX_NAME;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::body::{self, Form};
use super::path::Path;
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::books::Books;
use crate::refusal::Refusal;
use crate::store::ClientRow;

/// What a client tells of itself; one of a later version may tell more.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Report {
    /// `rm`, `rs`, …
    pub(super) component: String,
    /// Of the program.
    pub(super) version: String,
    /// The revision that it works with; `None`: none yet.
    pub(super) applied: Option<u64>,
    /// The newest one, if it cannot accept it.
    #[serde(default)]
    pub(super) rejected: Option<Rejected>,
    /// Options that have changed and count from its next start on.
    #[serde(default)]
    pub(super) restart_required: Vec<String>,
}

/// A revision that a client cannot accept.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Rejected {
    /// Which.
    pub(super) revision: u64,
    /// Why.
    pub(super) reason: String,
}

/// `GET /v1/clients`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    asked.who.needs_all_tenants()?;
    Query::of(&uri)?.finish()?;
    let clients = shared.books.clients();
    let items: Vec<Json> = clients.iter().map(|client| shown(client, &shared.books)).collect();
    let revision = shared.books.now().revision;
    Ok(asked.wanted.ok(&json!({ "revision": revision, "items": items })))
}

fn shown(row: &ClientRow, books: &Books) -> Json {
    // it was an object when it came
    let mut shown = serde_json::from_str(&row.report).unwrap_or_else(|_| json!({}));
    shown["name"] = json!(row.name);
    shown["source"] = json!(row.source);
    shown["seen_at"] = json!(row.seen_at);
    shown["age_s"] = json!(books.silence(row).as_secs());
    shown["connected"] = json!(books.is_connected(row));
    shown
}

/// `PUT /v1/clients/{name}`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    Query::of(&uri)?.finish()?;
    Form::json(&headers)?;
    let bytes = body::read(&headers, body, limits::SMALL, shared.times.body).await?;
    let report: Report = body::fields(&bytes)?;
    for (name, text) in [("component", &report.component), ("version", &report.version)] {
        if text.chars().count() > MAX_NAME {
            return Err(malformed(format!("{name}: at most {MAX_NAME} characters")));
        }
    }
    let before = shared.books.clients().into_iter().find(|row| row.name == name);
    let before = before.and_then(|row| serde_json::from_str::<Report>(&row.report).ok());
    shared.books.put_client(&name, &json!(report), &asked.who)?;
    let news = before.is_none_or(|before| before.rejected != report.rejected);
    if let Some(Rejected { revision, reason }) = report.rejected.as_ref().filter(|_| news) {
        let revision = revision.to_string();
        let fields = [("client", &*name), ("revision", &*revision), ("error", &**reason)];
        shared.log.emit(40201, None, &fields);
    }
    Ok(StatusCode::NO_CONTENT)
}
