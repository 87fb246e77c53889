//! `/api/v1/audit`: what operators did, and how it is noted (rs.md §6, §8).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use model::time::Millis;
use rs::Refused;
use rs::query::datetime;
use serde_json::{Value, json};

use super::access::Asker;
use super::answer::respond;
use super::letters::ask;
use super::page::{Paging, page};
use super::{Shared, limits, native};
use crate::diary::Entry;
use crate::monitor::Forbidden;
use crate::store::custody::{Audit, AuditFilter, Place, ms};

/// Methods that a refusal names.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Lines, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    respond(lines(&shared, &uri).await)
}

async fn lines(shared: &Arc<Shared>, uri: &Uri) -> Result<String, Refused> {
    let (paging, rest) = Paging::read(shared, uri)?;
    let mut filter = AuditFilter::default();
    for (name, value) in &rest {
        match name.as_str() {
            "user" => filter.user = Some(value.clone()),
            "action" => filter.action = Some(value.clone()),
            "from" => filter.from_ms = Some(time(name, value)?),
            "to" => filter.to_ms = Some(time(name, value)?),
            _ => return Err(native::unknown_parameter(name)),
        }
    }
    let (after, most) = (paging.after, paging.limit + 1);
    let found = ask(shared, move |custody| custody.audit(&filter, after, most)).await?;
    let place = |line: &Audit| Place { time_ms: line.time_ms, no: line.no };
    page(shared, &paging, found, place, |line| {
        let detail: Value = serde_json::from_str(&line.detail).unwrap_or_default();
        json!({
            "no": line.no, "time": Millis(u64::try_from(line.time_ms).unwrap_or_default()),
            "user": line.user, "address": line.address, "action": line.action,
            "object": line.object, "detail": detail, "outcome": line.outcome,
        })
    })
}

/// What is asked, for the case that it is not allowed.
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { method: request.method().clone(), uri: request.uri().clone(), route }
    }

    /// Has the audit log tell a refusal (403): once an hour of a user, an address and what can be
    /// done at a route, of which there are a few dozen. The parameters are not told: they may have
    /// numbers of callers.
    pub(super) fn note(
        &self,
        shared: &Shared,
        user: Option<&str>,
        from: IpAddr,
        response: &Response,
    ) {
        let Some(Refused { code, message, .. }) = response.extensions().get::<Refused>() else {
            return;
        };
        let method = METHODS.into_iter().find(|known| self.method == **known).unwrap_or("other");
        let about = format!("{method} {}", self.route.as_ref().map_or("-", MatchedPath::as_str));
        let path: String = self.uri.path().chars().take(limits::AUDITED_PATH).collect();
        let detail = Forbidden { asked: format!("{method} {path}"), code, why: message.clone() };
        let at = shared.parts.clock.mono();
        let entry = Entry { user: user.map(str::to_owned), from, detail, at };
        shared.parts.monitor.forbidden.note(&about, entry);
    }
}

/// Adds a line about what is begun now and is not in the database.
pub(super) async fn note(
    shared: &Arc<Shared>,
    asker: &Asker,
    action: &str,
    object: &str,
    detail: &Value,
) -> Result<(), Refused> {
    let line = line(shared, asker, action, object, detail);
    ask(shared, move |custody| custody.note(&line)).await
}

/// Adds a line about what an operator does now, database or not: where that is away it is written
/// when it is back.
///
/// # Errors
/// Too many lines wait already: it may not be done.
pub(super) fn deed(
    shared: &Shared,
    asker: &Asker,
    action: &str,
    object: &str,
    detail: &Value,
) -> Result<(), Refused> {
    let line = line(shared, asker, action, object, detail);
    if shared.parts.monitor.deeds.add(line) {
        return Ok(());
    }
    let text = "too many lines of the audit log wait for the database";
    Err(Refused::other(503, "audit-full", text))
}

/// A line of now: what it tells is done when it is written.
pub(super) fn line(
    shared: &Shared,
    asker: &Asker,
    action: &str,
    object: &str,
    detail: &Value,
) -> Audit {
    Audit {
        no: 0,
        time_ms: ms(shared.now()),
        user: asker.user.clone(),
        address: asker.address.to_string(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail: detail.to_string(),
        outcome: "done".to_owned(),
    }
}

/// A time of a parameter as a column has it.
pub(super) fn time(name: &str, value: &str) -> Result<i64, Refused> {
    datetime(name, value).map(ms)
}
