//! What changes something, or gives all away: who may not ask for it hears so before a body is
//! read, and each refusal has its line in the audit, wherever it comes from (ops.md §1.8, §1.12).

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use config::settings::Access;
use model::config::Kind;

use super::Shared;
use super::access::Asked;
use crate::refusal::Refusal;

/// Method, path, what the audit calls it, and the least role that may ask for it.
const WRITES: [(&str, &str, &str, Access); 9] = [
    ("POST", "/v1/transactions", "transaction", Access::Editor),
    ("PUT", "/v1/objects/{kind}/{name}", "transaction", Access::Editor),
    ("DELETE", "/v1/objects/{kind}/{name}", "transaction", Access::Editor),
    ("POST", "/v1/revisions/{rev}/rollback", "rollback", Access::Editor),
    ("POST", "/v1/tokens", "token-create", Access::Admin),
    ("DELETE", "/v1/tokens/{id}", "token-revoke", Access::Admin),
    ("GET", "/v1/backup", "backup", Access::Admin),
    ("POST", "/v1/restore", "restore", Access::Admin),
    ("PUT", "/v1/log", "log", Access::Admin),
];

/// Stands before the handlers of a path; so many requests are worked on at once.
pub(super) async fn keep(
    State((shared, path)): State<(Arc<Shared>, &'static str)>,
    named: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().as_str();
    let write = WRITES.iter().find(|(own, at, ..)| (*own, *at) == (method, path));
    let who = request.extensions().get::<Asked>().map(|asked| asked.who.clone());
    // probes and the like have no place, and are answered when all are taken
    let Some(who) = who else { return next.run(request).await };
    let place = Arc::clone(&shared.in_flight).try_acquire_owned();
    let place = place.map_err(|_| Refusal::Full("too many requests are being answered"));
    let Some((.., action, least)) = write else {
        return match place {
            Ok(_place) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        };
    };
    let action = if is_dry_run(&request) { "dry-run" } else { action };
    let about: Vec<String> = named.ok().as_ref().and_then(about).into_iter().collect();
    let response = match who.needs(*least).and(place) {
        Ok(_place) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let refusal = response.extensions().get::<Refusal>();
    if let Some(refusal) = refusal.filter(|_| !who.noted.is_noted()) {
        shared.books.note_refused(action, &about, refusal, &who);
    }
    response
}

fn is_dry_run(request: &Request) -> bool {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    pairs.into_iter().any(|pair| pair == "dry_run=true")
}

/// What an address names.
fn about(named: &RawPathParams) -> Option<String> {
    if let (Some(kind), Some(name)) = (get(named, "kind"), get(named, "name")) {
        let known = Kind::parse(kind);
        let kind = known.as_ref().map_or(kind, |known| known.as_str());
        return Some(format!("{kind} \"{name}\""));
    }
    let revision = get(named, "rev").map(|revision| format!("revision {revision}"));
    revision.or_else(|| get(named, "id").map(str::to_owned))
}

fn get<'n>(named: &'n RawPathParams, key: &str) -> Option<&'n str> {
    named.iter().find(|(own, _)| *own == key).map(|(_, value)| value)
}
