//! `/v1/calls`: the sessions of this node, one with its legs, and its end by an operator.
//!
//! A list is put together of slices, each of which holds the engine for a short time only.

use crate::http::access::Operator;
use crate::http::problem::Problem;
use crate::http::{Shared, asked, whole};
use crate::inbox::Query;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query as Parameters, State};
use axum::http::StatusCode;
use model::id::{Guid, LegId};
use model::time::Millis;
use rm::{CallDetail, CallFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a list of calls may be narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ListParameters {
    tenant: Option<String>,
    profile: Option<String>,
    resource: Option<String>,
    state: Option<String>,
    older_than: Option<String>,
    call_id: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/calls`.
pub(in crate::http) async fn list(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<ListParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let parameters = asked::parameters(parameters)?;
    let limit = asked::limit(parameters.limit)?;
    let mut after = match &parameters.cursor {
        Some(text) => {
            Some(Guid::parse(text).ok_or_else(|| Problem::bad_request("cursor: not one of ours"))?)
        }
        None => None,
    };
    let mut filter = Box::new(filter(parameters, shared.clock.now().wall)?);
    let mut calls = Vec::new();
    loop {
        let left = limit - calls.len();
        let ask = |reply| Query::Calls { filter, after, limit: left, reply };
        let (back, slice) = shared.ask(ask).await?;
        filter = back;
        calls.extend(slice.calls);
        after = slice.next;
        if after.is_none() || calls.len() >= limit {
            return Ok(Json(json!({ "calls": calls, "cursor": after })));
        }
    }
}

fn filter(parameters: ListParameters, now: Millis) -> Result<CallFilter, Problem> {
    const STATES: [&str; 4] = ["trying", "early", "up", "ending"];
    if let Some(state) = &parameters.state
        && !STATES.contains(&state.as_str())
    {
        return Err(Problem::bad_request("state: expected trying, early, up or ending"));
    }
    let before = match &parameters.older_than {
        Some(text) => {
            let age = config::units::duration(text)
                .map_err(|problem| Problem::bad_request(format!("older_than: {problem}")))?;
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Some(Millis(now.0.saturating_sub(age)))
        }
        None => None,
    };
    Ok(CallFilter {
        tenant: parameters.tenant,
        profile: parameters.profile,
        resource: parameters.resource,
        state: parameters.state,
        before,
        call_id: parameters.call_id,
    })
}

/// `GET /v1/calls/{guid}`.
pub(in crate::http) async fn one(
    State(shared): State<Arc<Shared>>,
    guid: Result<Path<String>, PathRejection>,
) -> Result<Json<CallDetail>, Problem> {
    let guid = Guid::parse(&asked::name(guid)?).ok_or_else(Problem::not_found)?;
    let call = shared.ask(|reply| Query::Call(guid, reply)).await?;
    call.map(Json).ok_or_else(Problem::not_found)
}

/// Which part of a call is to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EndParameters {
    leg: Option<String>,
}

/// `DELETE /v1/calls/{guid}`: BYE to both sides of each leg, or of one.
pub(in crate::http) async fn hang_up(
    operator: Operator,
    State(shared): State<Arc<Shared>>,
    guid: Result<Path<String>, PathRejection>,
    parameters: Result<Parameters<EndParameters>, QueryRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let guid = Guid::parse(&asked::name(guid)?).ok_or_else(Problem::not_found)?;
    let leg = match asked::parameters(parameters)?.leg {
        Some(text) => Some(leg_id(&text)?),
        None => None,
    };
    whole::done(async move {
        let legs = shared.ask(|reply| Query::HangUp { guid, leg, reply }).await?;
        let legs = legs.ok_or_else(Problem::not_found)?;
        let (session, count) = (guid.to_string(), legs.to_string());
        let peer = operator.source.to_string();
        let fields = [("action", "hang-up"), ("peer", &*peer), ("legs", &*count)];
        shared.state.log().emit(10801, Some(&session), &fields);
        Ok((StatusCode::ACCEPTED, Json(json!({ "legs": legs }))))
    })
    .await
}

fn leg_id(text: &str) -> Result<LegId, Problem> {
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8);
    number.map(LegId).ok_or_else(|| Problem::bad_request("leg: expected 8 hexadecimal digits"))
}
