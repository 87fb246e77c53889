//! What a request says explicitly of tenant and profile (rm.md §3.2, part A).
//!
//! `X-Genesys-gsw-ivr-profile-id` and `-name` from trusted sources, and the Request-URI parameter
//! `gvp-tenant-id`. Names only; numbers and defaults are asked afterwards.

use std::borrow::Cow;

use model::config::{Options, ProfileIx, TenantIx};
use model::id::Dbid;
use model::record::SelectedBy;
use model::snapshot::Snapshot;
use sip::message::Message;
use sip::uri::unescape;

use crate::admit::Source;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked<'m> {
    Nothing,
    /// A tenant alone: its numbers, else its defaults.
    Tenant(TenantIx),
    /// A profile that is there, under a tenant if one was named.
    Profile {
        profile: ProfileIx,
        tenant: Option<TenantIx>,
        by: SelectedBy,
        /// Its name, as it was asked for.
        wanted: Cow<'m, str>,
    },
    /// A name that nobody has: defaults, never the number.
    Unknown {
        name: Cow<'m, str>,
        tenant: Option<TenantIx>,
    },
}

impl Asked<'_> {
    /// Whether `gvp-tenant-id` led to something.
    pub(crate) fn consumed(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Tenant(_) => true,
            Self::Profile { by, tenant, .. } => *by == SelectedBy::GvpTenantId || tenant.is_some(),
            Self::Unknown { tenant, .. } => tenant.is_some(),
        }
    }
}

/// Reads headers and parameter.
pub(crate) fn asked<'m>(
    snapshot: &Snapshot,
    options: &Options,
    source: &Source,
    message: &Message<'m>,
) -> Asked<'m> {
    let header = |name: &str| {
        let found = message.named(name).filter(|_| source.trusted)?;
        let text = match found.text_lossy() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        Some(text).filter(|text| !text.is_empty())
    };
    let name =
        header("X-Genesys-gsw-ivr-profile-id").or_else(|| header("X-Genesys-gsw-ivr-profile-name"));
    let parameter = message
        .request()
        .and_then(|line| line.target.param("gvp-tenant-id").flatten())
        .filter(|_| source.trusted || options.trust_tenant_parameter)
        .map(unescape);
    let (tenant, wanted, by) = match (name, parameter) {
        (None, None) => return Asked::Nothing,
        (Some(name), None) => (None, Some(name), SelectedBy::Headers),
        (Some(name), Some(parameter)) => {
            (tenant_by(snapshot, options, &parameter), Some(name), SelectedBy::Headers)
        }
        (None, Some(parameter)) => {
            let (tenant, wanted) = split(snapshot, options, parameter);
            (tenant, wanted, SelectedBy::GvpTenantId)
        }
    };
    let Some(wanted) = wanted else {
        return tenant.map_or(Asked::Nothing, Asked::Tenant);
    };
    let found = match tenant {
        Some(tenant) => snapshot.profile_within(tenant, &wanted),
        None => snapshot.profile_anywhere(&wanted),
    };
    let by_dbid = || {
        let dbid = wanted.parse().ok().map(Dbid)?;
        let profile = snapshot.profile_by_dbid(dbid)?;
        let owner = snapshot.profile(profile).tenant;
        let seen = tenant.is_none_or(|tenant| snapshot.chain(tenant).any(|one| one == owner));
        seen.then_some(profile)
    };
    match found.or_else(by_dbid) {
        Some(profile) => Asked::Profile { profile, tenant, by, wanted },
        None => Asked::Unknown { name: wanted, tenant },
    }
}

/// A tenant, `tenant.profile`, or a profile.
fn split<'m>(
    snapshot: &Snapshot,
    options: &Options,
    parameter: Cow<'m, str>,
) -> (Option<TenantIx>, Option<Cow<'m, str>>) {
    if let Some(tenant) = tenant_by(snapshot, options, &parameter) {
        return (Some(tenant), None);
    }
    match parameter.split_once('.') {
        Some((tenant, profile)) => {
            (tenant_by(snapshot, options, tenant), Some(profile.to_owned().into()))
        }
        None => (None, Some(parameter)),
    }
}

fn tenant_by(snapshot: &Snapshot, options: &Options, text: &str) -> Option<TenantIx> {
    let by_dbid = || {
        let dbid = text.parse().ok().filter(|_| !options.ignore_ruri_tenant_dbid)?;
        snapshot.tenant_by_dbid(Dbid(dbid))
    };
    snapshot.tenant_by_name(text).or_else(|| snapshot.tenant_by_alias(text)).or_else(by_dbid)
}
