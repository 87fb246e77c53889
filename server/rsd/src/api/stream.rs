//! `/api/v1/live/stream`: server-sent events of changed calls (rs.md §6).
//!
//! At most two messages a second; what changed in between comes together, the newest state of each
//! call. A reader that is too slow, or that comes back with an id that is not the newest, gets
//! `reset` and reads the lists again. A stream ends when its reader would not be let in any
//! more, or may see something else than at its beginning; whoever may, comes back by itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use rs::Refused;
use rs::report::Call;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_stream::wrappers::ReceiverStream;

use super::access::Asker;
use super::answer::{self, Shape};
use super::call::leg;
use super::native::pairs;
use super::scope::Scope;
use super::{Shared, limits};
use crate::apply::Changed;

pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = topics(query.as_deref().unwrap_or_default()) {
        return answer::refusal(Shape::Json, &refused);
    }
    let scope = match shared.scope(&asker).await {
        Ok(scope) => scope,
        Err(refused) => return answer::refusal(Shape::Json, &refused),
    };
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let refused = Refused::other(503, "too-many-streams", "too many live streams are open");
        return answer::refusal(Shape::Json, &refused);
    };
    let resumes = headers.contains_key("last-event-id");
    let changes = shared.parts.changed.subscribe();
    // a reader that does not take a message misses what follows, and is told so by `reset`
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(async move {
        let _place = place;
        let mut closed = shared.parts.closed.clone();
        tokio::select! {
            () = feed((&shared, &asker, scope.as_ref()), changes, resumes, &sender) => {}
            () = sender.closed() => {}
            // one that cannot be followed any more has ended too
            _ = closed.wait_for(|closed| *closed) => {}
        }
    });
    let keep_alive = KeepAlive::new().interval(limits::STREAM_SILENCE);
    Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive).into_response()
}

/// Only calls are told in this version.
fn topics(query: &str) -> Result<(), Refused> {
    for (name, value) in pairs(query)? {
        if name != "topics" {
            let message = format!("{name} is no parameter of the stream");
            return Err(Refused::parameter("unknown-parameter", message, &[&name]));
        }
        if value != "calls" {
            let message = "the topic calls is offered in this version";
            return Err(Refused::parameter("bad-enum", message, &["topics"]));
        }
    }
    Ok(())
}

type Sender = mpsc::Sender<Result<Event, Infallible>>;

async fn feed(
    (shared, asker, scope): (&Arc<Shared>, &Asker, Option<&Scope>),
    mut changes: broadcast::Receiver<Changed>,
    resumes: bool,
    sender: &Sender,
) {
    let mut id = 0_u64;
    // A new reader has read nothing yet; one that comes back may have missed something.
    if resumes && sender.send(Ok(event(&mut id, "reset", "{}"))).await.is_err() {
        return;
    }
    let mut looks = tokio::time::interval(limits::STREAM_SILENCE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // the first is at once
    looks.tick().await;
    loop {
        let changed = tokio::select! {
            changed = changes.recv() => changed,
            _ = looks.tick() => {
                if !goes_on(shared, asker, scope).await {
                    return;
                }
                continue;
            }
        };
        let mut newest: BTreeMap<[u8; 16], Call> = BTreeMap::new();
        let mut lost = false;
        match changed {
            Ok(changed) => take(&mut newest, &changed),
            Err(RecvError::Lagged(_)) => lost = true,
            Err(RecvError::Closed) => return,
        }
        tokio::time::sleep(limits::STREAM_PACE).await;
        loop {
            match changes.try_recv() {
                Ok(changed) => take(&mut newest, &changed),
                Err(TryRecvError::Lagged(_)) => lost = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !shared.still_knows(asker) {
            return;
        }
        let message = if lost || newest.len() > limits::STREAM_ITEMS {
            event(&mut id, "reset", "{}")
        } else {
            let now = shared.now();
            if let Some(scope) = scope {
                newest.retain(|_, call| call.narrow(scope.roots()));
            }
            if newest.is_empty() && !lost {
                continue;
            }
            shared.show(asker, newest.values_mut());
            let items: Vec<Value> = newest.values().map(|call| leg(call, now)).collect();
            event(&mut id, "calls", &json!({ "items": items }).to_string())
        };
        if sender.send(Ok(message)).await.is_err() {
            return;
        }
    }
}

/// Whether a reader may see what it might see when the stream began. A database that is away takes
/// nothing from anybody.
async fn goes_on(shared: &Arc<Shared>, asker: &Asker, scope: Option<&Scope>) -> bool {
    shared.still_knows(asker) && shared.scope(asker).await.map_or(true, |now| now.as_ref() == scope)
}

fn take(newest: &mut BTreeMap<[u8; 16], Call>, changed: &Changed) {
    for call in changed.iter() {
        newest.insert(call.key, call.clone());
    }
}

fn event(id: &mut u64, name: &str, data: &str) -> Event {
    *id += 1;
    Event::default().id(id.to_string()).event(name).data(data)
}
