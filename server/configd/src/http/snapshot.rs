//! `/v1/snapshot`: everything at one revision, line by line (ops.md §1.6).

use std::io::{self, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::json;

use super::access::Asked;
use super::answer::{self, tagged};
use super::query::Query;
use super::{Shared, watch};
use crate::books::State as Objects;
use crate::refusal::Refusal;
use crate::who::Scope;

/// `GET /v1/snapshot`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let state = shared.books.now();
    let revision = state.revision;
    if answer::has(&headers, revision) {
        return Ok(answer::unchanged(revision));
    }
    let (scope, place) = (asked.who.scope, shared.streams.place(&asked.who.source).await?);
    let lines = asked.wanted.lines(place, move |out| write(&state, &scope, out));
    Ok(tagged(lines, revision))
}

fn write(state: &Objects, scope: &Scope, out: &mut dyn Write) -> io::Result<()> {
    let seen = || state.entries().filter(|entry| scope.sees(&state.set, &entry.object.key));
    let (revision, objects) = (state.revision, seen().count());
    let head = json!({
        "format": "ringmaster-snapshot/1", "revision": revision, "objects": objects,
        "books": state.books.as_deref(),
    });
    writeln!(out, "{head}")?;
    for entry in seen() {
        serde_json::to_writer(&mut *out, &entry)?;
        out.write_all(b"\n")?;
    }
    let end = json!({ "end": true, "digest": watch::seen(state, scope) });
    writeln!(out, "{end}")
}
