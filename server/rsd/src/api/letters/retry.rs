//! Trying dead letters again (rs.md §2.8).
//!
//! A retry goes the way of every record: into the spool, with the number of its letter, and from
//! there into the database with its own id. The batch that stores the record, or refuses it again,
//! writes that into the letter, and the line of the audit log; so both say what is stored, wherever
//! RS ends in between.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use model::record::{Arrived, Record, Stream};
use model::time::Millis;
use rs::Refused;
use rs::share::{LetterNo, fallback_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::{ask, find};
use crate::api::access::Asker;
use crate::api::answer::{self, respond};
use crate::api::audit::{note, time};
use crate::api::limits::{ANSWER, LETTERS_MOST, RETRY_BYTES, RETRY_GROUP, RETRY_GROUP_BYTES};
use crate::api::{Shared, native};
use crate::entry::{Body, Entry, Message, Raw, TOO_LARGE, Transport};
use crate::store::custody::{Custody, Letter, LetterFilter, LetterState, Place};
use crate::store::{Store, StoreError};

/// How long an answer waits for the database; what is in the spool is stored later all the same.
const APPLY: Duration = Duration::from_secs(10);
/// Between two looks at how far the database is.
const LOOK: Duration = Duration::from_millis(20);

/// What came of a retry.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Tried {
    stored: u64,
    failed: u64,
    /// In the spool; the database has not got so far.
    #[serde(skip_serializing_if = "is_none")]
    pending: u64,
}

const fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    body: Option<Value>,
}

/// Tries one again, with another body if one is given.
pub(in crate::api) async fn retry(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path(no): Path<String>,
    body: HttpBody,
) -> Response {
    let tried = async {
        let edit: Edit = told(body).await?;
        let mut letter = find(&shared, &no).await?;
        if letter.state != LetterState::Open {
            let text = format!("this letter is {}", letter.state.as_str());
            return Err(Refused::other(409, "not-open", text));
        }
        if shared.retrying.is(letter.no) {
            let text = "a retry of this letter is under way".to_owned();
            return Err(Refused::other(409, "not-open", text));
        }
        if let Some(body) = edit.body {
            letter.body = match body {
                Value::String(text) => text.into_bytes(),
                value => value.to_string().into_bytes(),
            };
            // one that was stored whole may be tried again as it is, whatever counts now
            if letter.body.len() > shared.parts.live.record() {
                return Err(Refused::other(413, "too-large", TOO_LARGE));
            }
            // before it goes where nothing calls it back
            let (object, detail) = (letter.no.to_string(), json!({"bytes": letter.body.len()}));
            note(&shared, &asker, "dead-letter.edit", &object, &detail).await?;
        }
        answer::written(&again(&shared, &asker, vec![letter]).await?)
    };
    respond(tried.await)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    code: Option<String>,
    producer: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

/// Tries all open ones that match again, oldest last, at most so many.
pub(in crate::api) async fn retry_all(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    RawQuery(query): RawQuery,
    body: HttpBody,
) -> Response {
    let tried = async {
        if let Some((name, _)) = native::pairs(query.as_deref().unwrap_or_default())?.first() {
            let message = "the filter stands in the body".to_owned();
            return Err(Refused::parameter("unknown-parameter", message, &[name]));
        }
        let many: Many = told(body).await?;
        let limit = many.limit.unwrap_or(LETTERS_MOST);
        if limit == 0 || limit > LETTERS_MOST {
            let message = format!("limit is 1 to {LETTERS_MOST}");
            return Err(Refused::parameter("bad-integer", message, &["limit"]));
        }
        let filter = LetterFilter {
            code: many.code,
            producer: many.producer,
            state: Some(LetterState::Open),
            from_ms: many.from.map(|from| time("from", &from)).transpose()?,
            to_ms: many.to.map(|to| time("to", &to)).transpose()?,
        };
        answer::written(&again_all(&shared, &asker, filter, limit).await?)
    };
    respond(tried.await)
}

/// Group by group, so that few bodies are in memory. What fails stays open and is passed by.
async fn again_all(
    shared: &Arc<Shared>,
    asker: &Asker,
    filter: LetterFilter,
    limit: usize,
) -> Result<Tried, Refused> {
    let (mut tried, mut after, mut left) = (Tried::default(), None, limit);
    while left > 0 {
        let (filter, most) = (filter.clone(), left.min(RETRY_GROUP));
        let letters = ask(shared, move |custody| group(custody, &filter, after, most)).await?;
        let Some(last) = letters.last() else { break };
        after = Some(Place { time_ms: last.received_ms, no: last.no });
        left -= letters.len().min(left);
        // a frame has one way on which its records came
        let own = |letter: &Letter| letter.transport == Transport::Own.as_str();
        let (own, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(own);
        for letters in [own, others] {
            let group = again(shared, asker, letters).await?;
            tried.stored += group.stored;
            tried.failed += group.failed;
            tried.pending += group.pending;
        }
    }
    Ok(tried)
}

/// The next letters with their bodies, which fit into one frame.
fn group(
    custody: &dyn Custody,
    filter: &LetterFilter,
    after: Option<Place>,
    most: usize,
) -> Result<Vec<Letter>, StoreError> {
    let (mut group, mut bytes) = (Vec::new(), 0);
    for letter in custody.letters(filter, false, after, most)? {
        bytes += letter.bytes;
        if bytes > RETRY_GROUP_BYTES && !group.is_empty() {
            break;
        }
        // one that was retried meanwhile has gone from the list, not from the table
        group.extend(custody.letter(letter.no)?);
    }
    Ok(group)
}

/// Sends the records of letters the way of every record, and says what became of them: what the
/// batch that brought them has written into the letters. What an RS had written, all or none of
/// them, is believed again.
async fn again(
    shared: &Arc<Shared>,
    asker: &Asker,
    letters: Vec<Letter>,
) -> Result<Tried, Refused> {
    let mut tried = Tried::default();
    let now = shared.parts.clock.now();
    let (mut messages, mut sent) = (Vec::new(), Vec::new());
    let own = letters.iter().any(|letter| letter.transport == Transport::Own.as_str());
    for letter in letters {
        if shared.retrying.begin(letter.no) {
            sent.push(LetterNo { no: letter.no, retries: letter.retries.saturating_add(1) });
            messages.push(message(letter, now.wall));
        } else {
            tried.pending += 1;
        }
    }
    if messages.is_empty() {
        return Ok(tried);
    }
    let received = now.wall.0;
    let transport = if own { Transport::Own } else { Transport::Http };
    let (user, peer) = (asker.user.clone(), asker.address);
    let letters = sent.clone();
    let entry = Entry { received, transport, user, peer, messages, letters, produces: Vec::new() };
    let under_way = UnderWay { shared, letters: sent };
    let seq = spooled(shared, &entry, now.mono).await?;
    if !applied(shared, seq).await? {
        tried.pending += u64::try_from(under_way.letters.len()).unwrap_or(u64::MAX);
        under_way.left_to(seq);
        return Ok(tried);
    }
    for LetterNo { no, .. } in under_way.letters.clone() {
        let letter = ask(shared, move |custody| custody.letter(no)).await?;
        match letter.map(|letter| letter.state) {
            Some(LetterState::Retried) => tried.stored += 1,
            Some(LetterState::Open | LetterState::Deleted) | None => tried.failed += 1,
        }
    }
    Ok(tried)
}

/// Letters that are tried again now, until it is dropped.
struct UnderWay<'s> {
    shared: &'s Shared,
    letters: Vec<LetterNo>,
}

impl UnderWay<'_> {
    /// They are until the database has this sequence.
    fn left_to(mut self, seq: u64) {
        for letter in std::mem::take(&mut self.letters) {
            self.shared.retrying.until(letter.no, seq);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        for letter in &self.letters {
            self.shared.retrying.end(letter.no);
        }
    }
}

/// The letter as a message; if no record can be read in it now either, it is refused again.
fn message(letter: Letter, now: Millis) -> Message {
    let Letter { queue, message_id, properties, body, .. } = letter;
    let properties: Vec<(String, String)> = serde_json::from_str(&properties).unwrap_or_default();
    let fallback_id = fallback_id(&properties).map(str::to_owned);
    let arrived = Arrived { at: now, message_id: fallback_id.as_deref() };
    let known = Stream::of_queue(&queue).is_some();
    let queue = match Record::read(&body, &arrived) {
        Ok((record, _)) if !known => model::record::queue(record.kind()).to_owned(),
        _ => queue,
    };
    let body = String::from_utf8(body);
    let body = body.map_or_else(|raw| Body::NotUtf8(Raw(raw.into_bytes())), Body::Text);
    Message { queue, message_id, fallback_id, properties, body }
}

/// Into the spool, and on disk: its sequence.
async fn spooled(shared: &Shared, entry: &Entry, since: Duration) -> Result<u64, Refused> {
    let ingest = &shared.parts.ingest;
    let mut durable = ingest.durable.subscribe();
    let held = || Refused::other(503, "held-back", "there is no room for these records now");
    let seq = ingest.store(entry).map_err(|_not_taken| held())?;
    let synced = timeout_at(Instant::now() + ANSWER, durable.wait_for(|upto| *upto >= seq)).await;
    match synced {
        Ok(Ok(_)) => {
            ingest.answered(entry.transport, &entry.parts(), since);
            Ok(seq)
        }
        Ok(Err(_)) | Err(_) => Err(Refused::other(503, "not-confirmed", "the disk says nothing")),
    }
}

/// Whether the database has got so far.
async fn applied(shared: &Arc<Shared>, seq: u64) -> Result<bool, Refused> {
    let until = Instant::now() + APPLY;
    loop {
        if answer::ask(shared, |store: &dyn Store| store.applied_seq()).await? >= seq {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(LOOK).await;
    }
}

/// What a request's body says; an empty one says nothing.
async fn told<T: Default + for<'de> Deserialize<'de>>(body: HttpBody) -> Result<T, Refused> {
    let bad = |text: String| Refused::other(400, "bad-body", text);
    let bytes = to_bytes(body, RETRY_BYTES).await;
    let bytes = bytes.map_err(|_| bad(format!("at most {RETRY_BYTES} bytes")))?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))
}
