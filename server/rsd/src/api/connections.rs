//! `GET /api/v1/connections` and `DELETE /api/v1/connections/{id}`: who sends records over OpenWire
//! and STOMP, and the end of one that an operator does not want (rs.md §6).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rs::Refused;
use serde_json::{Value, json};

use super::access::Asker;
use super::answer::{Shape, refusal, respond};
use super::audit::deed;
use super::page::{Paging, page};
use super::{Shared, native};
use crate::ingest::Member;
use crate::store::custody::{Place, ms};

/// Newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    respond(connections(&shared, &uri))
}

/// The peer is told why. Whoever comes back is another connection.
pub(super) async fn end(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path(id): Path<String>,
) -> Response {
    match disconnect(&shared, &asker, &id) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

fn connections(shared: &Shared, uri: &Uri) -> Result<String, Refused> {
    let (paging, rest) = Paging::read(shared, uri)?;
    if let Some((name, _)) = rest.first() {
        return Err(native::unknown_parameter(name));
    }
    // a number that is none is no place of ours
    let before = paging.after.map(|place| u64::try_from(place.no).unwrap_or_default());
    let found = shared.parts.ingest.roster.before(before, paging.limit + 1);
    let place = |one: &Arc<Member>| Place {
        time_ms: ms(one.guest.since),
        no: i64::try_from(one.number).unwrap_or(i64::MAX),
    };
    page(shared, &paging, found, place, |one| shown(shared, &one))
}

fn disconnect(shared: &Shared, asker: &Asker, id: &str) -> Result<(), Refused> {
    let member = shared.parts.ingest.roster.find(id);
    let member = member.ok_or_else(|| {
        Refused::other(404, "no-such-connection", "no connection is open under this id")
    })?;
    let mut detail = shown(shared, &member);
    if let Some(detail) = detail.as_object_mut() {
        detail.retain(|name, _| ["peer", "user", "client_id", "protocol"].contains(&&**name));
    }
    deed(shared, asker, "disconnect", id, &detail)?;
    member.disconnect();
    Ok(())
}

fn shown(shared: &Shared, member: &Member) -> Value {
    let seen = member.glance(shared.parts.clock.mono());
    let [records, bytes] = seen.rates;
    let (unanswered, unanswered_bytes) = seen.unanswered;
    let login = seen.login.as_ref();
    json!({
        "id": member.id(),
        "peer": member.guest.peer,
        "protocol": member.guest.transport.as_str(),
        "tls": member.guest.is_secure,
        "since": member.guest.since,
        "logged_in": login.is_some(),
        "user": login.and_then(|login| login.user.as_deref()),
        "client_id": login.and_then(|login| login.client.as_deref()),
        "records": seen.records,
        "bytes": seen.bytes,
        "records_per_second": records,
        "bytes_per_second": bytes,
        "unanswered": unanswered,
        "unanswered_bytes": unanswered_bytes,
        "paused": seen.is_paused,
    })
}
