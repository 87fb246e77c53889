//! `/v1/watch`: every change, in order, without holes (ops.md §1.7), as a stream of events.
//!
//! The books tell; here it is narrowed to what the watcher may see and wants to see, and written.
//! One that does not read holds one event and the connection's own buffer; the books tell it
//! at its next turn that it is too far behind, and one that takes nothing for a minute is let go.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use model::config::{Digest, Kind};
use model::id::Revision;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;

use super::access::Asked;
use super::query::{Query, malformed};
use super::{Shared, limits, objects};
use crate::books::{Event, Held, State as Objects, Told, Watcher};
use crate::change::{Change, Item};
use crate::refusal::Refusal;
use crate::who::{Scope, owner};

/// `GET /v1/watch`.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let since = match query.revision("since")? {
        Some(since) => Some(since),
        None => last_event(&headers)?,
    };
    let kind = query.text("kind")?.map(|kind| objects::parse(&kind)).transpose()?;
    let tenant = query.text("tenant")?;
    query.finish()?;
    let Ok(place) = Arc::clone(&shared.watchers).try_acquire_owned() else {
        return Err(Refusal::Full("too many watch"));
    };
    let watcher = shared.books.watch(since)?;
    let filter = Filter { scope: asked.who.scope, kind, tenant };
    // a reader that does not take an event leaves the next ones with the books
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let _place = place;
        let (peer, token) = (asked.who.source, asked.who.token);
        let feed = Feed { shared: &shared, filter, sender: sender.clone(), peer, token };
        tokio::select! {
            () = feed.run(watcher) => {}
            () = sender.closed() => {}
        }
    });
    let head = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((head, Body::from_stream(ReceiverStream::new(events))).into_response())
}

/// Where a client that comes back goes on.
fn last_event(headers: &HeaderMap) -> Result<Option<Revision>, Refusal> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| malformed("Last-Event-ID: expected a whole number"))?;
    Ok(Some(Revision(number)))
}

/// What of the changes somebody hears.
struct Filter {
    scope: Scope,
    kind: Option<Kind>,
    tenant: Option<String>,
}

impl Filter {
    fn is_all(&self) -> bool {
        self.scope.is_all() && self.kind.is_none() && self.tenant.is_none()
    }

    fn item(&self, item: &Item) -> Option<Item> {
        let seen = item.seen_by(&self.scope)?;
        let kind = self.kind.is_none_or(|kind| seen.key().is_some_and(|key| key.kind == kind));
        let of = |tenant: &String| {
            let mut entries = seen.before.iter().chain(&seen.after);
            entries.any(|entry| owner(&entry.object.key) == tenant)
        };
        let tenant = self.tenant.as_ref().is_none_or(of);
        (kind && tenant).then_some(seen)
    }

    /// A tenant that is somewhere else in the tree takes all that it has along: what of it is seen
    /// cannot be told by what changed.
    fn is_upset(&self, change: &Change) -> bool {
        let moved = |item: &Item| {
            let tenant = item.key().is_some_and(|key| key.kind == Kind::Tenant);
            let (was, is) = (self.scope.holds(&item.was), self.scope.holds(&item.is));
            tenant && item.before.is_some() && item.after.is_some() && was != is
        };
        !self.scope.is_all() && change.items.iter().any(moved)
    }
}

/// The last event of a stream that the server ends.
const BYE: &str = "event: bye\ndata: {}\n\n";

/// One stream.
struct Feed<'s> {
    shared: &'s Shared,
    filter: Filter,
    sender: mpsc::Sender<Result<Bytes, Infallible>>,
    peer: String,
    /// The stream lives no longer than the token that it was opened with.
    token: Option<String>,
}

/// The reader has gone, or does not read.
struct Gone;

impl Feed<'_> {
    /// Until the reader has gone or the books have nothing more to tell.
    async fn run(self, watcher: Watcher) {
        // that the reader has gone is an end like any other
        let _gone = self.tell(watcher).await;
    }

    async fn tell(&self, mut watcher: Watcher) -> Result<(), Gone> {
        self.send("retry: 1000\n\n".to_owned()).await?;
        let mut revoked = self.shared.books.revocations();
        loop {
            let silence = sleep_until(Instant::now() + limits::HEARTBEAT);
            let event = tokio::select! {
                event = watcher.next() => Some(event),
                () = silence => None,
                _ = revoked.changed() => None,
            };
            if !self.token.as_ref().is_none_or(|token| self.shared.books.has_token(token)) {
                return self.send(BYE.to_owned()).await;
            }
            let Some(event) = event else {
                self.send(self.heartbeat(watcher.told(), false)).await?;
                continue;
            };
            match event {
                Event::Change(told) => {
                    let (text, held, stored) = (self.change(&told).await, told.held(), told.stored);
                    // what it was made of may be large, and is not needed while it is sent
                    drop(told);
                    self.pass(text, held).await?;
                    // one that comes back late was not delivered late
                    if let Some(stored) = stored {
                        let took = self.shared.books.elapsed(stored);
                        self.shared.counters.delivery.observe(took);
                    }
                }
                Event::Resync(revision) => self.send(resync(revision)).await?,
                Event::Overflow => {
                    self.shared.counters.overflows.fetch_add(1, Ordering::Relaxed);
                    let told = watcher.told().to_string();
                    self.shared.log.emit(40103, None, &[("peer", &self.peer), ("revision", &told)]);
                    return self.send("event: overflow\ndata: {}\n\n".to_owned()).await;
                }
                Event::Bye => return self.send(BYE.to_owned()).await,
            }
        }
    }

    async fn send(&self, text: String) -> Result<(), Gone> {
        self.pass(text, None).await
    }

    /// Hands a text over, piece by piece: what the connection has not taken stays here, with the
    /// memory that it takes of those who resume. They have less time, for others wait for it.
    async fn pass(&self, text: String, held: Option<Held>) -> Result<(), Gone> {
        let times = &self.shared.times;
        let most = if held.is_some() { times.resuming_stalled } else { times.stalled };
        for piece in text.as_bytes().chunks(limits::PIECE) {
            let piece = Bytes::copy_from_slice(piece);
            match timeout(most, self.sender.send(Ok(piece))).await {
                Ok(sent) => sent.map_err(|_| Gone)?,
                Err(_) => {
                    self.shared.counters.overflows.fetch_add(1, Ordering::Relaxed);
                    let fields = [("peer", &*self.peer), ("revision", "-")];
                    self.shared.log.emit(40103, None, &fields);
                    return Err(Gone);
                }
            }
        }
        Ok(())
    }

    /// A change as this watcher hears it.
    async fn change(&self, told: &Told) -> String {
        let change = &told.change;
        let revision = change.revision;
        if self.filter.is_all() {
            return event(revision, &told.json);
        }
        if self.filter.is_upset(change) {
            return resync(revision);
        }
        let items: Vec<Item> =
            change.items.iter().filter_map(|item| self.filter.item(item)).collect();
        if items.is_empty() {
            return self.heartbeat(revision, true);
        }
        let digest = match self.filter.scope.is_all() {
            true => Some(change.digest),
            false => self.digest(revision).await,
        };
        // the history has forgotten it already: the watcher is far behind
        let Some(digest) = digest else { return resync(revision) };
        let narrowed = Change { items, digest, ..change.clone() };
        match serde_json::to_string(&narrowed) {
            Ok(json) if json.len() <= limits::EVENT => event(revision, &json),
            _ => resync(revision),
        }
    }

    /// Of what is seen at a revision.
    async fn digest(&self, revision: Revision) -> Option<Digest> {
        let now = self.shared.books.now();
        let state = if now.revision == revision {
            now
        } else {
            objects::state(self.shared, Some(revision)).await.ok()?
        };
        Some(seen(&state, &self.filter.scope))
    }

    /// Nothing has happened, or nothing that is for this watcher: then with an id. It tells
    /// the digest of what is seen, and which books they are: a client may hold another set under
    /// the same number.
    fn heartbeat(&self, revision: Revision, has_id: bool) -> String {
        let mut text = String::new();
        if has_id {
            // writing to a String cannot fail
            let _ = writeln!(text, "id: {revision}");
        }
        let mut data = json!({ "revision": revision, "time": self.shared.clock.now().wall });
        let now = self.shared.books.now();
        if now.revision == revision {
            data["digest"] = json!(seen(&now, &self.filter.scope));
            data["books"] = json!(now.books.as_deref());
        }
        let _ = write!(text, "event: heartbeat\ndata: {data}\n\n");
        text
    }
}

/// The digest of what a scope sees of a state.
pub(super) fn seen(state: &Objects, scope: &Scope) -> Digest {
    if scope.is_all() {
        return state.digest;
    }
    let seen = state.set.objects().filter(|object| scope.sees(&state.set, &object.key));
    Digest::of(seen.map(|object| &object.digest))
}

fn event(revision: Revision, json: &str) -> String {
    format!("id: {revision}\nevent: change\ndata: {json}\n\n")
}

fn resync(revision: Revision) -> String {
    format!("id: {revision}\nevent: resync\ndata: {{\"revision\":{revision}}}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_says_where_it_was() {
        for (value, expected) in
            [("42", Ok(Some(42))), ("", Err(())), ("-1", Err(())), ("4x", Err(()))]
        {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", value.parse().unwrap());
            let found = last_event(&headers).map(|it| it.map(|it| it.0)).map_err(|_| ());
            assert_eq!(found, expected, "{value:?}");
        }
        assert_eq!(last_event(&HeaderMap::new()), Ok(None));
    }
}
