//! `/v1/resources`: media servers, and what an operator wants of them (rm.md §7.11, §10).

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, asked, whole};
use crate::inbox::{Change, Query};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query as Parameters, State};
use model::config::Admin;
use model::time::Millis;
use rm::{ResourceView, Will};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a list of resources may be narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ResourcesParameters {
    group: Option<String>,
}

/// Group and name, as they stand in the path.
type Named = Result<Path<(String, String)>, PathRejection>;
type Body = Result<Bytes, BytesRejection>;
type Answer = Result<Json<ResourceView>, Problem>;

/// `GET /v1/resources`.
pub(in crate::http) async fn list(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<ResourcesParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let parameters = asked::parameters(parameters)?;
    let mut resources = shared.ask(Query::Resources).await?;
    if let Some(group) = &parameters.group {
        resources.retain(|resource| resource.group == *group);
    }
    Ok(Json(json!({ "resources": resources })))
}

/// `GET /v1/resources/{group}/{name}`.
pub(in crate::http) async fn one(State(shared): State<Arc<Shared>>, named: Named) -> Answer {
    let (group, name) = both(named)?;
    let found = shared.ask(|reply| Query::Resource { group, name, change: None, reply }).await?;
    found.map(|found| Json(found.resource)).ok_or_else(Problem::not_found)
}

/// By when a resource is to be empty.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Drain {
    deadline: Option<String>,
}

/// `POST …/drain`: no new calls; those that it still has at the deadline are ended.
pub(in crate::http) async fn drain(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    named: Named,
    body: Body,
) -> Answer {
    let empty = body.as_ref().is_ok_and(|body| body.is_empty());
    let Drain { deadline } = if empty { Drain::default() } else { asked::json(body)? };
    let until = match deadline {
        Some(text) => Some(time(&text, shared.clock.now().wall)?),
        None => None,
    };
    let change = Change::Will(Will { admin: Admin::Draining, until });
    administer(&operator, &shared, named, change).await
}

/// `POST …/enable`.
pub(in crate::http) async fn enable(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    named: Named,
) -> Answer {
    let change = Change::Will(Will { admin: Admin::Enabled, until: None });
    administer(&operator, &shared, named, change).await
}

/// `POST …/disable`.
pub(in crate::http) async fn disable(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    named: Named,
) -> Answer {
    let change = Change::Will(Will { admin: Admin::Disabled, until: None });
    administer(&operator, &shared, named, change).await
}

/// `POST …/reset`: what the configuration says, and no quarantine.
pub(in crate::http) async fn reset(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    named: Named,
) -> Answer {
    administer(&operator, &shared, named, Change::Reset).await
}

fn both(named: Named) -> Result<(String, String), Problem> {
    let Path(both) = named.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    Ok(both)
}

/// A time from now.
fn time(text: &str, now: Millis) -> Result<Millis, Problem> {
    /// Thirty days: whoever waits longer does not wait.
    const LONGEST: Duration = Duration::from_secs(30 * 86_400);
    let long = config::units::duration(text)
        .map_err(|problem| Problem::bad_request(format!("deadline: {problem}")))?;
    if long > LONGEST {
        return Err(Problem::bad_request("deadline: expected at most 720h"));
    }
    Ok(now.plus(long))
}

/// Changes it, and answers when that is on disk: a restart must not bring back what an operator
/// has taken out.
async fn administer(
    operator: &Operator,
    shared: &Arc<Shared>,
    named: Named,
    change: Change,
) -> Answer {
    let named = both(named)?;
    let turn = shared.admin.wills.turn().await;
    let (shared, peer) = (Arc::clone(shared), operator.source);
    whole::done(async move {
        let _turn = turn;
        keep(&shared, peer, named, change).await
    })
    .await
}

async fn keep(
    shared: &Shared,
    peer: SocketAddr,
    (group, name): (String, String),
    change: Change,
) -> Answer {
    let found = {
        let (name, change) = (name.clone(), Some(change));
        shared.ask(|reply| Query::Resource { group, name, change, reply }).await?
    };
    let administered = found.ok_or_else(Problem::not_found)?;
    let action = match change {
        Change::Will(will) => will.admin.as_str(),
        Change::Reset => "reset",
    };
    let peer = peer.to_string();
    let fields = [("action", action), ("peer", &*peer), ("resource", &*name)];
    shared.state.log().emit(10801, None, &fields);
    let (wills, all) = (shared.admin.wills.clone(), administered.wills);
    let kept = tokio::task::spawn_blocking(move || wills.write(&all)).await;
    match kept {
        Ok(Ok(())) => Ok(Json(administered.resource)),
        Ok(Err(error)) => Err(Problem::not_kept(&error.to_string())),
        Err(error) => Err(Problem::not_kept(&error.to_string())),
    }
}
