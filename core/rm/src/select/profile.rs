//! What a request says explicitly of tenant and profile (rm.md §3.2, part A).
//!
//! `X-Genesys-gsw-ivr-profile-id` and `-name` from trusted sources, and the Request-URI parameters
//! `gvp-tenant-id` and `media-service`. Names only; numbers and defaults are asked afterwards.

use std::borrow::Cow;

use model::config::{Options, ProfileIx, TenantIx};
use model::id::Dbid;
use model::record::SelectedBy;
use model::snapshot::Snapshot;

use super::Asking;
use crate::reject::{No, Reason};

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named<'m> {
    /// The tenant that `gvp-tenant-id` names.
    pub(crate) tenant: Option<TenantIx>,
    /// The profile that is there, and its name as it was asked for.
    pub(crate) profile: Option<(ProfileIx, Cow<'m, str>)>,
    /// A name that nobody has: defaults, never the number.
    pub(crate) missed: Option<Cow<'m, str>>,
    /// By what it was asked for, if it was.
    pub(crate) by: Option<SelectedBy>,
    pub(crate) media_service: Option<Cow<'m, str>>,
}

/// Reads headers and parameters; `over` is the tenant of the gateway that it comes from.
///
/// # Errors
/// `tenant-mismatch`: the tenant that is named is neither that of the gateway nor below it.
pub(crate) fn named<'m>(asking: &Asking<'_, 'm>, over: Option<TenantIx>) -> Result<Named<'m>, No> {
    let (snapshot, options) = (asking.snapshot, asking.options);
    let name = header(asking, "X-Genesys-gsw-ivr-profile-id")
        .or_else(|| header(asking, "X-Genesys-gsw-ivr-profile-name"));
    let parameter = asking
        .parameter("gvp-tenant-id")
        .filter(|_| asking.source.trusted || options.trust_tenant_parameter);
    let by = match (&name, &parameter) {
        (Some(_), _) => Some(SelectedBy::Headers),
        (None, Some(_)) => Some(SelectedBy::GvpTenantId),
        (None, None) => None,
    };
    let (tenant, wanted) = match (name, &parameter) {
        (Some(name), Some(parameter)) => (tenant_by(snapshot, options, parameter), Some(name)),
        (None, Some(parameter)) => split(snapshot, options, parameter),
        (name, None) => (None, name),
    };
    if let (Some(tenant), Some(over)) = (tenant, over)
        && !snapshot.chain(tenant).any(|one| one == over)
    {
        return Err(No::new(Reason::TenantMismatch, parameter.unwrap_or_default()));
    }
    let media_service = asking.parameter("media-service");
    let mut named = Named { tenant, by, media_service, ..Named::default() };
    if let Some(wanted) = wanted {
        match profile_by(snapshot, tenant.or(over), &wanted) {
            Some(profile) => named.profile = Some((profile, wanted)),
            None => named.missed = Some(wanted),
        }
    }
    Ok(named)
}

/// The value of a header that only a trusted source may give.
fn header<'m>(asking: &Asking<'_, 'm>, name: &str) -> Option<Cow<'m, str>> {
    let found = asking.message.named(name).filter(|_| asking.source.trusted)?;
    let text = match found.text_lossy() {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A tenant, `tenant.profile`, or a profile.
fn split<'m>(
    snapshot: &Snapshot,
    options: &Options,
    parameter: &Cow<'m, str>,
) -> (Option<TenantIx>, Option<Cow<'m, str>>) {
    if let Some(tenant) = tenant_by(snapshot, options, parameter) {
        return (Some(tenant), None);
    }
    match parameter.split_once('.') {
        Some((tenant, profile)) => {
            (tenant_by(snapshot, options, tenant), Some(profile.to_owned().into()))
        }
        None => (None, Some(parameter.clone())),
    }
}

/// By name, then by alias, then by number unless that is not heeded.
fn tenant_by(snapshot: &Snapshot, options: &Options, text: &str) -> Option<TenantIx> {
    let by_dbid = || {
        let dbid = text.parse().ok().filter(|_| !options.ignore_ruri_tenant_dbid)?;
        snapshot.tenant_by_dbid(Dbid(dbid))
    };
    snapshot.tenant_by_name(text).or_else(|| snapshot.tenant_by_alias(text)).or_else(by_dbid)
}

/// By name, then by number: within a tenant and its parents, else of all tenants if it is unique.
fn profile_by(snapshot: &Snapshot, tenant: Option<TenantIx>, wanted: &str) -> Option<ProfileIx> {
    let found = match tenant {
        Some(tenant) => snapshot.profile_within(tenant, wanted),
        None => snapshot.profile_anywhere(wanted),
    };
    found.or_else(|| {
        let profile = snapshot.profile_by_dbid(wanted.parse().ok().map(Dbid)?)?;
        let owner = snapshot.profile(profile).tenant;
        let seen = tenant.is_none_or(|tenant| snapshot.chain(tenant).any(|one| one == owner));
        seen.then_some(profile)
    })
}
