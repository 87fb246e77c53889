//! `POST /api/v1/records`: records over HTTP (rs.md §1.7). The request is one group: answered when
//! all of it is on disk, and one frame of the spool, so that it is there whole or not at all.
//!
//! Through the same gate, spool and figures as the listener for producers. A record that is no good
//! is stored too, and the answer says what is wrong with it.

mod body;
mod judge;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use model::record::BODY_BYTES;
use rs::Refused;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use self::body::Arriving;
use self::judge::{Judged, judge};
use super::Shared;
use super::access::Asker;
use super::answer::{Shape, joined, refusal, respond, written};
use super::limits::{ANSWER, WAIT};
use super::native;
use crate::entry::{Entry, Transport};
use crate::ingest::NotTaken;
use crate::users::Role;

pub(super) use self::body::Room;

/// What was done with the records.
#[derive(Serialize)]
struct Receipt {
    accepted: usize,
    dead_lettered: Vec<Dead>,
}

/// A record that is kept as a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Dead {
    /// Which of the body, from 0.
    index: usize,
    id: Option<String>,
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    text: String,
    /// The number of a letter is given by the database, later.
    dead_letter: Option<u64>,
}

/// Why nothing was stored, and when to come again.
struct Turned {
    refused: Refused,
    again: Option<Duration>,
}

impl From<Refused> for Turned {
    fn from(refused: Refused) -> Self {
        Self { refused, again: None }
    }
}

pub(super) async fn take(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    request: Request,
) -> Response {
    match receive(&shared, asker, request).await {
        Ok(receipt) => respond(written(&receipt)),
        Err(Turned { refused, again }) => {
            let mut response = refusal(Shape::Json, &refused);
            let again = again.and_then(|again| HeaderValue::from_str(&seconds(again)).ok());
            if let Some(again) = again {
                response.headers_mut().insert(RETRY_AFTER, again);
            }
            response
        }
    }
}

fn seconds(time: Duration) -> String {
    time.as_secs().to_string()
}

/// Whether an RS has written these records: `?import`, which an admin may say.
fn is_import(asker: &Asker, uri: &Uri) -> Result<bool, Refused> {
    let own = native::switch(uri, "import")?;
    if own && !asker.is(Role::Admin) {
        let text = "import is for whoever has the role admin";
        return Err(Refused::other(403, "role-needed", text));
    }
    Ok(own)
}

async fn receive(shared: &Shared, asker: Asker, request: Request) -> Result<Receipt, Turned> {
    let own = is_import(&asker, request.uri())?;
    let form = body::form(request.headers())?;
    let packing = body::packing(request.headers())?;
    let length = body::length(request.headers())?;
    let seat = shared.room.seat(asker.address.ip())?;
    let arriving = Arriving::begin(request.into_body()).await?;
    let room = shared.room.enter(&seat, arriving.needs(length, packing)).await?;
    let bytes = arriving.whole().await?;
    // its last byte is here
    let now = shared.parts.clock.now();
    let names = asker.produces.clone();
    // what an RS has written was let in once
    let most = if own { BODY_BYTES } else { shared.parts.live.record() };
    let judging = tokio::task::spawn_blocking(move || {
        let bytes = body::unpacked(bytes, packing)?;
        judge(&bytes, (form, most), &names, now.wall)
    });
    let Judged { messages, dead } = joined(shared, judging.await)??;
    let receipt = Receipt { accepted: messages.len() - dead.len(), dead_lettered: dead };
    if messages.is_empty() {
        return Ok(receipt);
    }
    let transport = if own { Transport::Own } else { Transport::Http };
    let Asker { user, address: peer, produces, .. } = asker;
    let (received, letters) = (now.wall.0, Vec::new());
    let entry = Entry { received, transport, user, peer, messages, letters, produces };
    store(shared, &entry, now.mono).await?;
    drop((room, seat));
    Ok(receipt)
}

/// Into the spool, and on disk.
async fn store(shared: &Shared, entry: &Entry, since: Duration) -> Result<(), Turned> {
    let ingest = &shared.parts.ingest;
    let mut durable = ingest.durable.subscribe();
    let held = || Turned {
        refused: Refused::other(503, "held-back", "there is no room for these records now"),
        again: Some(WAIT),
    };
    let seq = ingest.store(entry).map_err(|not_taken| match not_taken {
        NotTaken::Later => held(),
        NotTaken::Never => Refused::other(413, "too-large", "more than is kept at once").into(),
    })?;
    // the group is synced within milliseconds; a disk that has failed may never say so
    let synced = timeout_at(Instant::now() + ANSWER, durable.wait_for(|upto| *upto >= seq)).await;
    match synced {
        Ok(Ok(_)) => {
            ingest.answered(entry.transport, &entry.parts(), since);
            Ok(())
        }
        Ok(Err(_)) | Err(_) => {
            let text = "whether these records are on disk is not known: send them again";
            let refused = Refused::other(503, "not-confirmed", text);
            Err(Turned { refused, again: Some(WAIT) })
        }
    }
}
