//! `/api/v1/dead-letters`: what could not be stored, and trying it again (rs.md §2.8, §6).

mod retry;
mod retrying;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use model::time::Millis;
use rs::Refused;
use serde_json::{Value, json};

use super::access::Asker;
use super::answer::{self, Shape, refusal, respond};
use super::audit::{line, time};
use super::page::{Paging, page};
use super::{Shared, native};
use crate::base64;
use crate::store::StoreError;
use crate::store::custody::{Custody, Letter, LetterFilter, LetterState, Place};

pub(super) use self::retry::{retry, retry_all};
pub(super) use self::retrying::Retrying;

/// Those that match, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    respond(items(&shared, &uri).await)
}

async fn items(shared: &Arc<Shared>, uri: &Uri) -> Result<String, Refused> {
    let (paging, rest) = Paging::read(shared, uri)?;
    let filter = filter(&rest)?;
    let (after, most) = (paging.after, paging.limit + 1);
    settled(shared).await?;
    let letters = ask(shared, move |custody| custody.letters(&filter, false, after, most)).await?;
    let place = |letter: &Letter| Place { time_ms: letter.received_ms, no: letter.no };
    page(shared, &paging, letters, place, |letter| summary(shared, &letter))
}

/// One, with its body.
pub(super) async fn one(State(shared): State<Arc<Shared>>, Path(no): Path<String>) -> Response {
    respond(read(&shared, &no).await)
}

async fn read(shared: &Arc<Shared>, no: &str) -> Result<String, Refused> {
    settled(shared).await?;
    let letter = find(shared, no).await?;
    let mut value = summary(shared, &letter);
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
        let (no, detail) = (letter.no, json!({"code": letter.code}));
        let line = line(&shared, &asker, "dead-letter.delete", &no.to_string(), &detail);
        ask(&shared, move |custody| custody.delete(no, &line)).await
    };
    match done.await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => refusal(Shape::Json, &refused),
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

/// Forgets the retries that the database has by now.
async fn settled(shared: &Arc<Shared>) -> Result<(), Refused> {
    if !shared.retrying.is_empty() {
        shared.retrying.applied(answer::ask(shared, |store| store.applied_seq()).await?);
    }
    Ok(())
}

fn summary(shared: &Shared, letter: &Letter) -> Value {
    let received = Millis(u64::try_from(letter.received_ms).unwrap_or_default());
    let properties: Value = serde_json::from_str(&letter.properties).unwrap_or_default();
    let under_way = letter.state == LetterState::Open && shared.retrying.is(letter.no);
    let state = if under_way { "retrying" } else { letter.state.as_str() };
    json!({
        "no": letter.no, "received_at": received, "queue": letter.queue,
        "transport": letter.transport, "user": letter.user, "peer": letter.peer,
        "message_id": letter.message_id, "properties": properties, "bytes": letter.bytes,
        "code": letter.code, "field": letter.field, "text": letter.text,
        "producer": letter.producer, "retries": letter.retries, "state": state,
    })
}
