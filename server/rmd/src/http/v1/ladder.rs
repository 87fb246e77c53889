//! `/v1/calls/{guid}/sip`: the messages of a call in order, also of one that is over (rm.md §10.1).
//!
//! The ring is gone through from its oldest segment to its newest, one in a turn of the engine, and
//! twice: for the Call-IDs of the session's legs, then for their messages. What it has lost is
//! told.

use crate::http::Shared;
use crate::http::access::Operator;
use crate::http::asked;
use crate::http::problem::Problem;
use crate::http::shown::shown;
use crate::inbox::Query;
use crate::limits::LADDER_BYTES;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query as Parameters, State};
use model::id::Guid;
use model::time::Millis;
use rm::heads::{Entry, Head, entries};
use rm::limits::HEADS_SEGMENT;
use serde::{Deserialize, Serialize};
use sip::glance;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use telemetry::Log;

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PageParameters {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of messages.
#[derive(Serialize)]
pub(in crate::http) struct Ladder {
    session: Guid,
    /// All messages from here on are there.
    since: Millis,
    /// The call had some before that.
    lost: bool,
    messages: Vec<Message>,
    cursor: Option<String>,
}

/// One message, without its body.
#[derive(Serialize)]
struct Message {
    time: Millis,
    direction: &'static str,
    transport: &'static str,
    /// The far end.
    peer: String,
    call_id: String,
    /// Of the whole message.
    bytes: usize,
    /// Start line and header lines, as they may be shown.
    head: String,
}

/// `GET /v1/calls/{guid}/sip`.
pub(in crate::http) async fn ladder(
    _: Operator,
    State(shared): State<Arc<Shared>>,
    guid: Result<Path<String>, PathRejection>,
    parameters: Result<Parameters<PageParameters>, QueryRejection>,
) -> Result<Json<Ladder>, Problem> {
    let guid = Guid::parse(&asked::name(guid)?).ok_or_else(Problem::not_found)?;
    let parameters = asked::parameters(parameters)?;
    let limit = asked::limit(parameters.limit)?;
    let after = parameters.cursor.as_deref().map(place).transpose()?;
    let _one = shared.admin.ladders.acquire().await.map_err(|_| Problem::busy())?;
    let live = shared.ask(|reply| Query::Call(guid, reply)).await?;
    let began = live.as_ref().map(|call| call.call.started).or_else(|| guid.time());
    let legs = live.into_iter().flat_map(|call| call.leg);
    let mut wanted = Wanted { guid, calls: legs.map(|leg| leg.call_id.into_bytes()).collect() };
    let mut first = u64::MAX;
    let since = through(&shared, 0, None, |number, segment| {
        first = first.min(number);
        wanted.note(segment);
        ControlFlow::Continue(())
    })
    .await?;
    let mut page = Page { limit, bytes: 0, messages: Vec::new(), cursor: None };
    let (from, behind) = after.map_or((first, 0), |after| (after.0.max(first), after.1));
    let log = shared.state.log();
    let since = through(&shared, from, Some(since), |number, segment| {
        let behind = if after.is_some_and(|after| after.0 == number) { behind } else { 0 };
        let heads = wanted.of(segment).filter(|(place, ..)| *place >= behind);
        page.take(number, heads, log)
    })
    .await?;
    let Some(message) = page.messages.first() else { return Err(Problem::not_found()) };
    // of a session that was begun elsewhere the time is not known
    let lost = began.map_or(!message.head.starts_with("INVITE "), |began| began < since);
    let Page { messages, cursor, .. } = page;
    Ok(Json(Ladder { session: guid, since, lost, messages, cursor }))
}

/// Whose messages.
struct Wanted {
    guid: Guid,
    /// Call-IDs of its legs.
    calls: BTreeSet<Vec<u8>>,
}

impl Wanted {
    /// Legs that have ended.
    fn note(&mut self, segment: &[u8]) {
        for (_, entry) in entries(segment) {
            if let Entry::Ended { guid, call_id, .. } = entry
                && guid == self.guid
            {
                self.calls.insert(call_id.to_owned());
            }
        }
    }

    /// The messages of its legs, with their places and Call-IDs.
    fn of<'s>(&self, segment: &'s [u8]) -> impl Iterator<Item = (usize, Head<'s>, &'s [u8])> {
        entries(segment).filter_map(|(place, entry)| {
            let Entry::Head(head) = entry else { return None };
            let call_id = glance::call_id(head.text).filter(|id| self.calls.contains(*id))?;
            Some((place, head, call_id))
        })
    }
}

/// A page in the making.
struct Page {
    limit: usize,
    bytes: usize,
    messages: Vec<Message>,
    cursor: Option<String>,
}

impl Page {
    /// Takes messages of a segment, until it is full.
    fn take<'s>(
        &mut self,
        segment: u64,
        heads: impl Iterator<Item = (usize, Head<'s>, &'s [u8])>,
        log: &Log,
    ) -> ControlFlow<()> {
        for (place, head, call_id) in heads {
            self.bytes += head.text.len();
            let full = self.messages.len() >= self.limit || self.bytes > LADDER_BYTES;
            if full && !self.messages.is_empty() {
                self.cursor = Some(format!("{segment}.{place}"));
                return ControlFlow::Break(());
            }
            self.messages.push(Message {
                time: head.at,
                direction: head.direction.as_str(),
                transport: head.transport.as_str(),
                peer: head.peer.to_string(),
                call_id: String::from_utf8_lossy(call_id).into_owned(),
                bytes: head.size,
                head: shown(&String::from_utf8_lossy(head.text), log),
            });
        }
        ControlFlow::Continue(())
    }
}

/// A cursor: number of a segment, and a place in it.
fn place(cursor: &str) -> Result<(u64, usize), Problem> {
    let parsed = cursor.split_once('.').and_then(|(segment, place)| {
        let place = place.parse().ok().filter(|place| *place <= HEADS_SEGMENT);
        segment.parse().ok().zip(place)
    });
    parsed.ok_or_else(|| Problem::bad_request("cursor: not one of ours"))
}

/// Goes through the segments from `from` to the one that is the newest now. The answer: since when
/// nothing is lost; `since` if nothing was overwritten meanwhile.
async fn through(
    shared: &Shared,
    from: u64,
    since: Option<Millis>,
    mut each: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> Result<Millis, Problem> {
    let (mut number, mut last, mut since) = (from, None, since);
    let mut bytes = Vec::with_capacity(HEADS_SEGMENT);
    loop {
        bytes.clear();
        let ask = |reply| Query::Heads { number, bytes, reply };
        let (back, segments) = shared.ask(ask).await?;
        bytes = back;
        let last = *last.get_or_insert(segments.newest);
        if number < segments.oldest {
            (number, since) = (segments.oldest, None);
            continue;
        }
        let first = || entries(&bytes).next().map(|(_, entry)| entry.at());
        let all = *since.get_or_insert_with(|| match number {
            0 => segments.begun,
            _ => first().unwrap_or(segments.begun),
        });
        if each(number, &bytes).is_break() || number >= last {
            return Ok(all);
        }
        number += 1;
    }
}
