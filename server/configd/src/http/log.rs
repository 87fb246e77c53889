//! `PUT /v1/log`: another level, for a while or for a part of the lines (ops.md §8).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use telemetry::log::{Only, Raise};
use telemetry::log_id::Level;

use super::access::Asked;
use super::body::{self, Form};
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::limits::MAX_TEXT;
use crate::refusal::Refusal;

/// Whoever wants it for longer does not want it for a while.
const LONGEST: Duration = Duration::from_secs(86_400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: String,
    #[serde(rename = "for")]
    time: Option<String>,
    #[serde(rename = "match")]
    only: Option<Match>,
}

/// Whose lines.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Match {
    tenant: Option<String>,
    profile: Option<String>,
    session: Option<String>,
    call_id: Option<String>,
    peer: Option<String>,
}

/// `PUT /v1/log`.
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    asked.who.needs_all_tenants()?;
    Query::of(&uri)?.finish()?;
    Form::json(&headers)?;
    let bytes = body::read(&headers, body, limits::SMALL, shared.times.body).await?;
    let Wanted { level: word, time, only } = body::fields(&bytes)?;
    let level = level(&word)?;
    let long = time.as_deref().map(duration).transpose()?;
    let only = only.map(whose).transpose()?;
    if long.is_none() && only.is_none() {
        shared.log.set_level(level);
    } else {
        let until = long.map(|long| shared.clock.now().wall.plus(long));
        shared.log.raise(Raise { level, until, only: only.unwrap_or_default() });
    }
    let body = String::from_utf8_lossy(&bytes).trim().chars().take(MAX_TEXT).collect::<String>();
    let fields = [
        ("action", "log"),
        ("peer", asked.who.source.as_str()),
        ("actor", asked.who.actor.as_str()),
        ("log", body.as_str()),
    ];
    shared.log.emit(10801, None, &fields);
    shared.books.note_done("log", std::slice::from_ref(&body), &asked.who);
    Ok(StatusCode::NO_CONTENT)
}

fn level(word: &str) -> Result<Option<Level>, Refusal> {
    let found = Level::ALL.into_iter().find(|level| level.word() == word);
    if found.is_some() || word == "off" {
        return Ok(found);
    }
    let words = Level::ALL.map(Level::word).join(", ");
    Err(malformed(format!("level: expected {words} or off")))
}

fn duration(text: &str) -> Result<Duration, Refusal> {
    let long =
        config::units::duration(text).map_err(|problem| malformed(format!("for: {problem}")))?;
    if long.is_zero() || long > LONGEST {
        return Err(malformed("for: expected more than 0s and at most 24h"));
    }
    Ok(long)
}

fn whose(only: Match) -> Result<Only, Refusal> {
    let Match { tenant, profile, session, call_id, peer } = only;
    let only = Only { tenant, profile, session, call_id, peer };
    if only.is_all() {
        return Err(malformed("match: expected tenant, profile, session, call_id or peer"));
    }
    Ok(only)
}
