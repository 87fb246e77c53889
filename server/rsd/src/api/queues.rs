//! `GET /api/v1/queues`, `/queues/{name}` and `/queues/{name}/messages`: what waits for the
//! database (rs.md §6). Read from memory, the messages from the spool's files.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use model::record::Stream;
use model::time::Millis;
use openwire::text;
use rs::Refused;
use serde::Serialize;
use spool::{Kind, Spool};

use super::Shared;
use super::answer::{internal, joined, respond, written};
use super::limits::{PEEK_BODY, PEEK_BYTES, PEEK_FRAMES, PEEKED};
use super::native::pairs;
use crate::entry::{Body, Entry, Message, Transport};
use crate::ingest::Priority;

#[derive(Serialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Serialize)]
struct Queue {
    name: &'static str,
    depth: u64,
    bytes: u64,
    oldest_seconds: Option<u64>,
    in_per_second: f64,
    out_per_second: f64,
    held_back: bool,
    /// Of all producers, by transport; they are of no queue.
    connections: Connections,
}

#[derive(Serialize)]
struct Connections {
    openwire: u64,
    stomp: u64,
}

#[derive(Serialize)]
struct Waiting {
    id: Option<String>,
    /// When it was received.
    time: String,
    transport: &'static str,
    bytes: usize,
    /// Its first 4 KiB.
    body: String,
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let all = || Stream::ALL.iter().map(|stream| queue(&shared, *stream)).collect();
    let answer = no_parameters(&uri).and_then(|()| written(&List { items: all() }));
    respond(answer)
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    let stream = no_parameters(&uri).and_then(|()| named(&name));
    respond(stream.and_then(|stream| written(&queue(&shared, stream))))
}

pub(super) async fn messages(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    respond(peek(&shared, &name, &uri).await)
}

async fn peek(shared: &Shared, name: &str, uri: &Uri) -> Result<String, Refused> {
    let stream = named(name)?;
    let limit = limit(uri)?;
    let spool = shared.parts.ingest.spool.clone();
    // a question of its own kind: it holds the place of one to the database
    let place = Arc::clone(&shared.readers).acquire_owned().await.map_err(|_| internal())?;
    let reading = tokio::task::spawn_blocking(move || {
        let _place = place;
        waiting(&spool, stream, limit)
    });
    let items = joined(shared, reading.await)?.map_err(|_| internal())?;
    written(&List { items })
}

fn queue(shared: &Shared, stream: Stream) -> Queue {
    let ingest = &shared.parts.ingest;
    let depth = ingest.backlog.depth(stream, shared.now());
    let name = stream.queue();
    Queue {
        name,
        depth: depth.records,
        bytes: depth.bytes,
        oldest_seconds: depth.age.map(|age| age.as_secs()),
        in_per_second: depth.comes,
        out_per_second: depth.goes,
        held_back: ingest.gate.held_back(Priority::of(name)),
        connections: Connections {
            openwire: ingest.counters.connections(Transport::Openwire),
            stomp: ingest.counters.connections(Transport::Stomp),
        },
    }
}

/// The oldest messages of a queue that the database has not; what lies far behind is not looked at.
fn waiting(spool: &Spool, stream: Stream, limit: usize) -> std::io::Result<Vec<Waiting>> {
    let mut reader = spool.reader(spool.status().released);
    let mut items = Vec::new();
    let (mut frames, mut bytes) = (0, 0);
    while items.len() < limit && frames < PEEK_FRAMES && bytes < PEEK_BYTES {
        let read = reader.read(PEEK_FRAMES - frames, PEEK_BYTES - bytes)?;
        if read.is_empty() {
            break;
        }
        for frame in read {
            frames += 1;
            bytes += frame.payload.len();
            let entry = Entry::decode(&frame.payload).ok().filter(|_| frame.kind == Kind::Data);
            let Some(entry) = entry else { continue };
            let own = entry.messages.iter().filter(|message| message.queue == stream.queue());
            let room = limit - items.len();
            items.extend(own.take(room).map(|message| shown(&entry, message)));
        }
    }
    Ok(items)
}

fn shown(entry: &Entry, message: &Message) -> Waiting {
    let (bytes, body) = match &message.body {
        Body::Text(whole) => (whole.len(), text::prefix(whole, PEEK_BODY).to_owned()),
        Body::NotUtf8(raw) | Body::TooLarge(raw) | Body::Unreadable { raw, .. } => {
            let head = raw.0.get(..PEEK_BODY).unwrap_or(&raw.0);
            (raw.0.len(), String::from_utf8_lossy(head).into_owned())
        }
    };
    Waiting {
        id: message.message_id.clone().or_else(|| message.fallback_id.clone()),
        time: Millis(entry.received).to_string(),
        transport: entry.transport.as_str(),
        bytes,
        body,
    }
}

fn named(name: &str) -> Result<Stream, Refused> {
    Stream::of_queue(name).ok_or_else(|| {
        let names: Vec<_> = Stream::ALL.iter().map(|stream| stream.queue()).collect();
        Refused::other(404, "no-such-queue", format!("the queues are {}", names.join(", ")))
    })
}

fn no_parameters(uri: &Uri) -> Result<(), Refused> {
    match pairs(uri.query().unwrap_or_default())?.first() {
        None => Ok(()),
        Some((name, _)) => Err(unknown(name)),
    }
}

fn limit(uri: &Uri) -> Result<usize, Refused> {
    let mut limit = PEEKED;
    for (name, value) in pairs(uri.query().unwrap_or_default())? {
        if name != "limit" {
            return Err(unknown(&name));
        }
        let asked = value.parse().ok().filter(|limit| (1..=PEEKED).contains(limit));
        let text = format!("limit is 1 to {PEEKED}");
        limit = asked.ok_or_else(|| Refused::parameter("bad-integer", text, &["limit"]))?;
    }
    Ok(limit)
}

fn unknown(name: &str) -> Refused {
    Refused::parameter("unknown-parameter", format!("{name} is no parameter here"), &[name])
}
