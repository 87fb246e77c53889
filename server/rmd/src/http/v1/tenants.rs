//! `/v1/tenants` and `/v1/dids`: what the configuration in force says of a tenant or a number, and
//! how much of its limits a tenant uses.

use super::limits::{begin, cursor, fill};
use crate::http::Shared;
use crate::http::asked;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query as Parameters, State};
use model::config::TenantIx;
use model::snapshot::Snapshot;
use rm::view::limits::{Limit, of_profile, of_tenant};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which page of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /v1/tenants`.
pub(in crate::http) async fn list(
    State(shared): State<Arc<Shared>>,
    page: Result<Parameters<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let all = snapshot.tenants().map(|(ix, _)| ix).collect();
    let (tenants, next): (Vec<TenantIx>, _) = cut(all, asked::parameters(page)?, &snapshot)?;
    let mut limits: Vec<_> = tenants.iter().map(|ix| of_tenant(&snapshot, *ix)).collect();
    fill(&shared, limits.iter_mut().flatten()).await?;
    let shown = tenants.iter().zip(&limits).map(|(ix, limits)| tenant(&snapshot, *ix, limits));
    Ok(Json(json!({ "tenants": shown.collect::<Vec<_>>(), "cursor": next })))
}

/// `GET /v1/tenants/{name}`, with a page of its profiles.
pub(in crate::http) async fn one(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    page: Result<Parameters<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let ix = snapshot.tenant_by_name(&asked::name(name)?).ok_or_else(Problem::not_found)?;
    let own = snapshot.profiles().filter(|(_, profile)| profile.tenant == ix);
    let own = own.map(|(profile, _)| profile).collect();
    let (profiles, next): (Vec<_>, _) = cut(own, asked::parameters(page)?, &snapshot)?;
    let mut limits = of_tenant(&snapshot, ix);
    let mut of_profiles: Vec<_> =
        profiles.iter().map(|profile| of_profile(&snapshot, *profile)).collect();
    fill(&shared, limits.iter_mut().chain(of_profiles.iter_mut().flatten())).await?;
    let profiles = profiles.iter().zip(&of_profiles).map(|(profile, limits)| {
        let profile = snapshot.profile(*profile);
        json!({
            "name": profile.name,
            "dbid": profile.dbid.0,
            "enabled": profile.enabled,
            "service": profile.service.as_str(),
            "limits": limits,
        })
    });
    let profiles: Vec<_> = profiles.collect();
    let mut shown = tenant(&snapshot, ix, &limits);
    if let Value::Object(members) = &mut shown {
        members.insert("profiles".to_owned(), profiles.into());
        members.insert("cursor".to_owned(), next.into());
    }
    Ok(Json(shown))
}

/// `GET /v1/dids/{number}`: what a dialled number leads to.
pub(in crate::http) async fn did(
    State(shared): State<Arc<Shared>>,
    number: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let snapshot = shared.state.snapshot().ok_or_else(Problem::busy)?;
    let number = model::did::normalise(&asked::name(number)?);
    let found = snapshot.did(&number).ok_or_else(Problem::not_found)?;
    Ok(Json(json!({
        "number": number,
        "pattern": found.pattern,
        "group": snapshot.did_group(found.group).name,
        "tenant": snapshot.tenant(found.tenant).name,
        "profile": snapshot.profile(found.profile).name,
    })))
}

/// One page of a list, and the cursor of the next.
fn cut<T: Copy>(
    all: Vec<T>,
    page: Page,
    snapshot: &Snapshot,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let limit = asked::limit(page.limit)?;
    let from = begin(page.cursor.as_deref(), snapshot)?;
    let next = (all.len() > from.saturating_add(limit)).then_some(from + limit);
    let part = all.into_iter().skip(from).take(limit).collect();
    Ok((part, cursor(next, snapshot)))
}

fn tenant(snapshot: &Snapshot, ix: TenantIx, limits: &[Limit]) -> Value {
    let tenant = snapshot.tenant(ix);
    let path = snapshot.path(ix).into_iter().map(|one| snapshot.tenant(one).name.as_str());
    let parent = tenant.parent.map(|parent| snapshot.tenant(parent).name.as_str());
    json!({
        "name": tenant.name,
        "dbid": tenant.dbid.0,
        "parent": parent,
        "path": path.collect::<Vec<_>>().join("/"),
        "enabled": tenant.enabled,
        "limits": limits,
    })
}
