//! `/api/v1/dead-letters`: what could not be stored, and trying it again (rs.md §2.8, §6).
//!
//! A retry goes the way of every record: into the spool, and from there into the database with its
//! own id. So it is stored once however often it is tried, and also when RS ends in between: then
//! the letter is still open, and another try meets a record that is there.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use model::record::{Arrived, Record};
use model::time::Millis;
use rs::Refused;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::access::Asker;
use super::answer::{self, Shape, refusal, respond};
use super::audit::{note, time};
use super::limits::{ANSWER, LETTERS_MOST, RETRY_BYTES, RETRY_GROUP};
use super::page::{Paging, page};
use super::{Shared, base64, native};
use crate::entry::{Body, Entry, Message, Transport};
use crate::store::custody::{Custody, Letter, LetterFilter, LetterState, Place};
use crate::store::{Store, StoreError};

/// How long an answer waits for the database; what is in the spool is stored later all the same.
const APPLY: Duration = Duration::from_secs(10);
/// Between two looks at how far the database is.
const LOOK: Duration = Duration::from_millis(20);

/// Those that match, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    respond(items(&shared, &uri).await)
}

async fn items(shared: &Arc<Shared>, uri: &Uri) -> Result<String, Refused> {
    let (paging, rest) = Paging::read(shared, uri)?;
    let filter = filter(&rest)?;
    let (after, most) = (paging.after, paging.limit + 1);
    let letters = ask(shared, move |custody| custody.letters(&filter, false, after, most)).await?;
    let place = |letter: &Letter| Place { time_ms: letter.received_ms, no: letter.no };
    page(shared, &paging, letters, place, |letter| summary(&letter))
}

/// One, with its body.
pub(super) async fn one(State(shared): State<Arc<Shared>>, Path(no): Path<String>) -> Response {
    respond(read(&shared, &no).await)
}

async fn read(shared: &Arc<Shared>, no: &str) -> Result<String, Refused> {
    let letter = find(shared, no).await?;
    let mut value = summary(&letter);
    match std::str::from_utf8(&letter.body) {
        Ok(text) => value["body"] = json!(text),
        Err(_) => value["body_base64"] = json!(base64::encode(&letter.body)),
    }
    answer::written(&value)
}

/// Throws one away: only its state changes.
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path(no): Path<String>,
) -> Response {
    let done = async {
        let letter = find(&shared, &no).await?;
        let no = letter.no;
        ask(&shared, move |custody| custody.settle(no, LetterState::Deleted, false)).await?;
        let object = no.to_string();
        let detail = json!({"code": letter.code});
        note(&shared, &asker, "dead-letter.delete", &object, &detail, "done").await
    };
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

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
pub(super) async fn retry(
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
        let edited = edit.body.is_some();
        match edit.body {
            Some(Value::String(text)) => letter.body = text.into_bytes(),
            Some(value) => letter.body = value.to_string().into_bytes(),
            None => {}
        }
        let object = letter.no.to_string();
        let tried = again(&shared, &asker, vec![letter]).await?;
        let detail = json!({"edited": edited, "stored": tried.stored, "failed": tried.failed});
        let outcome = if tried.failed == 0 { "done" } else { "refused" };
        let action = "dead-letter.retry";
        note(&shared, &asker, action, &object, &detail, outcome).await?;
        answer::written(&tried)
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
pub(super) async fn retry_all(
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
        let mut detail = json!({"code": filter.code, "producer": filter.producer});
        let tried = again_all(&shared, &asker, filter, limit).await?;
        detail["stored"] = json!(tried.stored);
        detail["failed"] = json!(tried.failed);
        note(&shared, &asker, "dead-letter.retry", "open", &detail, "done").await?;
        answer::written(&tried)
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
        let letters = move |custody: &dyn Custody| custody.letters(&filter, true, after, most);
        let letters = ask(shared, letters).await?;
        let Some(last) = letters.last() else { break };
        after = Some(Place { time_ms: last.received_ms, no: last.no });
        left -= letters.len().min(left);
        let group = again(shared, asker, letters).await?;
        tried.stored += group.stored;
        tried.failed += group.failed;
        tried.pending += group.pending;
    }
    Ok(tried)
}

/// Sends the records of letters the way of every record, and says what became of them.
async fn again(
    shared: &Arc<Shared>,
    asker: &Asker,
    letters: Vec<Letter>,
) -> Result<Tried, Refused> {
    let mut tried = Tried::default();
    let now = shared.parts.clock.now();
    let (mut messages, mut sent) = (Vec::new(), Vec::new());
    for letter in letters {
        let no = letter.no;
        if let Some(message) = message(letter, now.wall) {
            messages.push(message);
            sent.push(no);
        } else {
            tried.failed += 1;
            ask(shared, move |custody| custody.settle(no, LetterState::Open, true)).await?;
        }
    }
    if messages.is_empty() {
        return Ok(tried);
    }
    let (received, transport) = (now.wall.0, Transport::Http);
    let (user, peer) = (asker.user.clone(), asker.address);
    let entry = Entry { received, transport, user, peer, messages };
    let seq = spooled(shared, &entry, now.mono).await?;
    let count = u64::try_from(sent.len()).unwrap_or(u64::MAX);
    // they are on disk: what becomes of them is another letter's matter
    ask(shared, move |custody| {
        let mut sent = sent.iter();
        sent.try_for_each(|no| custody.settle(*no, LetterState::Retried, true).map(|_found| ()))
    })
    .await?;
    if applied(shared, seq).await? {
        let failed = ask(shared, move |custody| custody.letters_of(seq)).await?.min(count);
        tried.failed += failed;
        tried.stored = count - failed;
    } else {
        tried.pending = count;
    }
    Ok(tried)
}

/// The letter as a message, if a record can be read in it now.
fn message(letter: Letter, now: Millis) -> Option<Message> {
    let Letter { queue, message_id, properties, body, .. } = letter;
    let text = String::from_utf8(body).ok()?;
    let properties: Vec<(String, String)> = serde_json::from_str(&properties).unwrap_or_default();
    let own = properties.iter().find(|(name, _)| name == "recordId");
    let fallback_id = own.map(|(_, value)| value.clone());
    let arrived = Arrived { at: now, message_id: fallback_id.as_deref() };
    let (record, _) = Record::read(text.as_bytes(), &arrived).ok()?;
    let known = model::record::Stream::of_queue(&queue).is_some();
    let queue = if known { queue } else { model::record::queue(record.kind()).to_owned() };
    Some(Message { queue, message_id, fallback_id, properties, body: Body::Text(text) })
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

/// Asks the database for what operators ask.
pub(super) async fn ask<T: Send + 'static>(
    shared: &Arc<Shared>,
    question: impl FnOnce(&dyn Custody) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refused> {
    answer::ask(shared, move |store| question(store.custody())).await
}

async fn find(shared: &Arc<Shared>, no: &str) -> Result<Letter, Refused> {
    let unknown = || Refused::other(404, "no-such-letter", "no dead letter has this number");
    let no: i64 = no.parse().map_err(|_| unknown())?;
    ask(shared, move |custody| custody.letter(no)).await?.ok_or_else(unknown)
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

fn filter(pairs: &[(String, String)]) -> Result<LetterFilter, Refused> {
    let mut filter = LetterFilter::default();
    for (name, value) in pairs {
        match name.as_str() {
            "code" => filter.code = Some(value.clone()),
            "producer" => filter.producer = Some(value.clone()),
            "state" => {
                let bad = || format!("state has no value {value}");
                let state = LetterState::parse(value);
                let state = state.ok_or_else(|| Refused::parameter("bad-enum", bad(), &[name]))?;
                filter.state = Some(state);
            }
            "from" => filter.from_ms = Some(time(name, value)?),
            "to" => filter.to_ms = Some(time(name, value)?),
            _ => return Err(native::unknown_parameter(name)),
        }
    }
    Ok(filter)
}

fn summary(letter: &Letter) -> Value {
    let received = Millis(u64::try_from(letter.received_ms).unwrap_or_default());
    let properties: Value = serde_json::from_str(&letter.properties).unwrap_or_default();
    json!({
        "no": letter.no, "received_at": received, "queue": letter.queue,
        "transport": letter.transport, "user": letter.user, "peer": letter.peer,
        "message_id": letter.message_id, "properties": properties, "bytes": letter.bytes,
        "code": letter.code, "field": letter.field, "text": letter.text,
        "producer": letter.producer, "retries": letter.retries, "state": letter.state.as_str(),
    })
}
