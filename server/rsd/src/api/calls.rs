//! `/api/v1/calls` and `/api/v1/live/calls`: lists of calls (rs.md §6).

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use rs::Refused;
use rs::query::Progress;
use rs::report::{Item, of_session};
use serde::Serialize;

use super::access::Asker;
use super::answer::{self, respond};
use super::native::{self, Question};
use super::scope::Scope;
use super::source::From;
use super::{Shared, cursor};
use crate::store::Lists;

/// The list: newest start first, one item per GUID unless legs are asked for.
pub(super) async fn list(State(shared): State<Arc<Shared>>, asker: Asker, uri: Uri) -> Response {
    respond(items(&shared, &asker, &uri, Progress::All).await)
}

/// Calls in progress, with their total.
pub(super) async fn live(State(shared): State<Arc<Shared>>, asker: Asker, uri: Uri) -> Response {
    respond(items(&shared, &asker, &uri, Progress::Live).await)
}

async fn items(
    shared: &Arc<Shared>,
    asker: &Asker,
    uri: &Uri,
    which: Progress,
) -> Result<String, Refused> {
    let now = shared.now();
    let mut question = native::question(uri, which, now)?;
    shared.allow(asker, &question.filter)?;
    if question.cursor.is_none() {
        // a page behind the first one tells nothing new
        shared.count_search(asker, question.filter.numbers_asked())?;
    }
    let heavy = shared.heavy_place(asker, &question.filter, now).await?;
    let scope = shared.scope(asker).await?;
    Scope::narrow(scope.as_ref(), &mut question.filter);
    let after = match &question.cursor {
        Some(text) => Some(cursor::open(&shared.cursor_key, &question.bound, text, now)?),
        None => None,
    };
    let (limit, bound) = (question.limit, question.bound.clone());
    let (known, own) = (Arc::clone(&shared.parts.known), scope.clone());
    let ask = move |source: &dyn Lists| {
        // also when nobody waits for the answer any more
        let _heavy = &heavy;
        let mut question = question.clone();
        let counted = which == Progress::Live;
        let named = question.resolve(source, &known)?;
        if !named || !Scope::leaves(own.as_ref(), &mut question.filter.tenants) {
            return Ok((Vec::new(), counted.then_some(0)));
        }
        let Question { filter, unit, .. } = &question;
        let total = counted.then(|| source.count(filter, *unit, now)).transpose()?;
        // one more than asked for tells whether there is another page
        Ok((source.list(filter, *unit, after, limit + 1, now)?, total))
    };
    let ((mut found, total), from) = match which {
        Progress::Live => shared.either(ask).await?,
        Progress::All | Progress::Completed => (shared.stored(ask).await?, From::Database),
    };
    let asked = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > asked;
    found.truncate(asked);
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::seal(&shared.cursor_key, &bound, last.position, now));
    if let Some(scope) = &scope {
        // those above them are not named
        found.iter_mut().for_each(|item| item.legs.retain_mut(|leg| leg.narrow(scope.roots())));
    }
    shared.show(asker, found.iter_mut().flat_map(|item| &mut item.legs));
    let items: Vec<Item<'_>> =
        found.iter().filter_map(|item| of_session(&item.legs, now)).collect();
    let view = &shared.parts.view;
    let live = total.map(|total| match from {
        From::Database => Total { total, source: "database", complete: true },
        From::Memory => Total { total, source: "memory", complete: view.is_whole() },
    });
    answer::written(&List { items, next, live })
}

/// Members in the order of the specification.
#[derive(Serialize)]
struct List<'f> {
    items: Vec<Item<'f>>,
    next: Option<String>,
    #[serde(flatten)]
    live: Option<Total>,
}

/// What is told of calls in progress beside them.
#[derive(Serialize)]
struct Total {
    total: u64,
    /// `database`, or `memory` while that is away.
    source: &'static str,
    /// False: there are more, which memory has no room for.
    complete: bool,
}
