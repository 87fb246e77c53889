//! `/v1/limits`: every limit of tenants and profiles, and how much of it is used (rm.md §6.1).
//!
//! What limits there are stands in the snapshot, which is at hand; only the figures are asked for,
//! a bounded number at a time. A page is one of objects: tenants first, then profiles.

use crate::http::Shared;
use crate::http::asked;
use crate::http::problem::Problem;
use crate::inbox::Query;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query as Parameters, State};
use model::config::TenantIx;
use model::snapshot::Snapshot;
use rm::limits::USED_ASKED;
use rm::view::limits::{Limit, of_profile, of_tenant};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Objects whose figures are asked for at once.
const STEP: usize = 128;

/// What a list of limits may be narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ListParameters {
    tenant: Option<String>,
    /// Only limits of which at least so many percent are used.
    used: Option<u64>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/limits`: those that are set.
pub(in crate::http) async fn list(
    State(shared): State<Arc<Shared>>,
    parameters: Result<Parameters<ListParameters>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let parameters = asked::parameters(parameters)?;
    let most = asked::limit(parameters.limit)?;
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let within = match &parameters.tenant {
        Some(name) => Some(snapshot.tenant_by_name(name).ok_or_else(Problem::not_found)?),
        None => None,
    };
    let from = begin(parameters.cursor.as_deref(), &snapshot)?;
    let all = objects(&snapshot, within).enumerate().skip(from).collect::<Vec<_>>();
    let (mut found, mut shown, mut next) = (Vec::new(), 0, None);
    'page: for step in all.chunks(STEP) {
        let mut limits: Vec<(usize, Limit)> = Vec::new();
        for (at, one) in step {
            limits.extend(one.limits(&snapshot).into_iter().map(|limit| (*at, limit)));
        }
        fill(&shared, limits.iter_mut().map(|(_, limit)| limit)).await?;
        limits.retain(|(_, limit)| is_wanted(limit, parameters.used));
        for one in limits.chunk_by(|(a, _), (b, _)| a == b) {
            if shown == most {
                next = one.first().map(|(at, _)| *at);
                break 'page;
            }
            shown += 1;
            found.extend(one.iter().map(|(_, limit)| limit.clone()));
        }
    }
    Ok(Json(json!({ "limits": found, "cursor": cursor(next, &snapshot) })))
}

/// A tenant or a profile.
#[derive(Clone, Copy)]
enum Object {
    Tenant(TenantIx),
    Profile(model::config::ProfileIx),
}

impl Object {
    fn limits(self, snapshot: &Snapshot) -> Vec<Limit> {
        match self {
            Self::Tenant(ix) => of_tenant(snapshot, ix),
            Self::Profile(ix) => of_profile(snapshot, ix),
        }
    }
}

/// All objects, or one tenant with its profiles.
fn objects(snapshot: &Snapshot, within: Option<TenantIx>) -> impl Iterator<Item = Object> {
    let meant = move |tenant: TenantIx| within.is_none_or(|within| within == tenant);
    let tenants = snapshot.tenants().map(|(ix, _)| ix).filter(move |ix| meant(*ix));
    let profiles = snapshot.profiles().filter(move |(_, profile)| meant(profile.tenant));
    tenants.map(Object::Tenant).chain(profiles.map(|(ix, _)| Object::Profile(ix)))
}

fn is_wanted(limit: &Limit, percent: Option<u64>) -> bool {
    let Some(level) = limit.limit else { return false };
    percent.is_none_or(|percent| limit.used.saturating_mul(100) >= level.saturating_mul(percent))
}

/// Writes what is used into limits.
pub(super) async fn fill(
    shared: &Shared,
    limits: impl Iterator<Item = &mut Limit>,
) -> Result<(), Problem> {
    let mut limits: Vec<&mut Limit> = limits.collect();
    for part in limits.chunks_mut(USED_ASKED) {
        let sets = part.iter().map(|limit| limit.set).collect();
        let figures = shared.ask(|reply| Query::Used(sets, reply)).await?;
        for (limit, used) in part.iter_mut().zip(figures) {
            limit.used = used;
        }
    }
    Ok(())
}

/// Where a page begins: a place in the order of one revision.
pub(super) fn begin(cursor: Option<&str>, snapshot: &Snapshot) -> Result<usize, Problem> {
    let Some(text) = cursor else { return Ok(0) };
    let parts = text.split_once('.').and_then(|(revision, at)| {
        Some((revision.parse::<u64>().ok()?, at.parse::<usize>().ok()?))
    });
    match parts {
        Some((revision, at)) if revision == snapshot.revision.0 => Ok(at),
        Some(_) => Err(Problem::config_changed()),
        None => Err(Problem::bad_request("cursor: not one of ours")),
    }
}

/// The cursor of the next page.
pub(super) fn cursor(next: Option<usize>, snapshot: &Snapshot) -> Option<String> {
    next.map(|at| format!("{}.{at}", snapshot.revision))
}
