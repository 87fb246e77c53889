//! `/v1/log`: what is logged, changed while the node runs (ops.md §8).
//!
//! A restart finds what the settings say.

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, asked};
use crate::inbox::Query;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use telemetry::log::{Only, Raise};
use telemetry::log_id::Level;

/// A level, for a while or for a part of the lines.
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

/// `GET /v1/log`.
pub(in crate::http) async fn show(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(in_force(&shared))
}

/// `PUT /v1/log`: the usual level, or another one for a while.
pub(in crate::http) async fn change(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let Wanted { level: word, time, only } = asked::json(body)?;
    let level = level(&word)?;
    let long = time.as_deref().map(duration).transpose()?;
    let only = only.map(whose).transpose()?;
    if let Some(peer) = only.as_ref().and_then(|only| only.peer.as_deref()) {
        is_known(&shared, peer).await?;
    }
    let log = shared.state.log();
    if long.is_none() && only.is_none() {
        log.set_level(level);
    } else {
        let until = long.map(|long| shared.clock.now().wall.plus(long));
        log.raise(Raise { level, until, only: only.unwrap_or_default() });
    }
    let (peer, shown) = (operator.source.to_string(), in_force(&shared).to_string());
    let fields = [("action", "log"), ("peer", &*peer), ("log", &*shown)];
    log.emit(10801, None, &fields);
    Ok(Json(in_force(&shared)))
}

fn level(word: &str) -> Result<Option<Level>, Problem> {
    let found = Level::ALL.into_iter().find(|level| level.word() == word);
    if found.is_some() || word == "off" {
        return Ok(found);
    }
    let words = Level::ALL.map(Level::word).join(", ");
    Err(Problem::bad_request(format!("level: expected {words} or off, found {word:?}")))
}

fn duration(text: &str) -> Result<Duration, Problem> {
    /// Whoever wants it for longer does not want it for a while.
    const LONGEST: Duration = Duration::from_secs(86_400);
    let long = config::units::duration(text)
        .map_err(|problem| Problem::bad_request(format!("for: {problem}")))?;
    if long.is_zero() || long > LONGEST {
        return Err(Problem::bad_request("for: expected more than 0s and at most 24h"));
    }
    Ok(long)
}

fn whose(only: Match) -> Result<Only, Problem> {
    /// Longest text that a line may have to match: a Call-ID.
    const LONGEST: usize = 256;
    let Match { tenant, profile, session, call_id, peer } = only;
    for (name, text) in [
        ("tenant", &tenant),
        ("profile", &profile),
        ("session", &session),
        ("call_id", &call_id),
        ("peer", &peer),
    ] {
        if text.as_ref().is_some_and(|text| !(1..=LONGEST).contains(&text.len())) {
            let detail = format!("match: {name}: expected 1 to {LONGEST} bytes");
            return Err(Problem::bad_request(detail));
        }
    }
    let only = Only { tenant, profile, session, call_id, peer };
    if only.is_all() {
        let names = "match: expected tenant, profile, session, call_id or peer";
        return Err(Problem::bad_request(names));
    }
    Ok(only)
}

/// A peer that no line can have is a slip of the pen, and would show nothing.
async fn is_known(shared: &Shared, peer: &str) -> Result<(), Problem> {
    let address = peer.parse::<SocketAddr>().is_ok()
        || peer.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if address || shared.admin.peers.iter().any(|name| name == peer) {
        return Ok(());
    }
    let resources = shared.ask(Query::Resources).await?;
    if resources.iter().any(|resource| resource.name == peer) {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "match: peer: expected the name of a peer or media server, an address or address:port, \
         found {peer:?}"
    )))
}

fn in_force(shared: &Shared) -> Value {
    let word = |level: Option<Level>| level.map_or("off", Level::word);
    let (usual, raise) = shared.state.log().levels();
    let raised = raise.map(|raise| {
        let Only { tenant, profile, session, call_id, peer } = raise.only;
        let all = [
            ("tenant", tenant),
            ("profile", profile),
            ("session", session),
            ("call_id", call_id),
            ("peer", peer),
        ];
        let named = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let named: serde_json::Map<_, _> =
            named.map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({ "level": word(raise.level), "until": raise.until, "match": named })
    });
    json!({ "level": word(usual), "raised": raised })
}
