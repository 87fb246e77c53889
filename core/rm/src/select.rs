//! Stage 5, select: number → tenant → profile → service (rm.md §3.2).
//!
//! Reads the request and the snapshot; decides nothing about permission or place. Says why it
//! chose, for the record. Joining a session by its header (rm.md §2.4), CTI and outbound calls
//! are not built: such a request makes a new session of its own.

pub(crate) mod number;
pub(crate) mod profile;
pub(crate) mod service;

use std::fmt;

use model::config::{Options, ProfileIx, Service, TenantIx};
use model::record::{SelectedBy, Stage, Verdict};
use model::snapshot::{DidMatch, Snapshot};
use sip::message::Message;

use crate::admit::Source;
use crate::record::trace::{Trace, step};
use crate::reject::{No, Reason};

/// What a call is to get, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) tenant: TenantIx,
    pub(crate) profile: ProfileIx,
    pub(crate) service: Service,
    pub(crate) by: SelectedBy,
    /// Tenant, an ancestor or the profile is disabled.
    pub(crate) disabled: bool,
    /// `gvp-tenant-id` was understood and leaves the Request-URI.
    pub(crate) consumed: bool,
}

/// Selects tenant, profile and service of a request.
///
/// # Errors
/// `no-profile`.
pub(crate) fn select(
    snapshot: &Snapshot,
    options: &Options,
    source: &Source,
    message: &Message<'_>,
    dn: &str,
    trace: &mut Trace,
) -> Result<Choice, No> {
    let asked = profile::asked(snapshot, options, source, message);
    let found = match &asked {
        profile::Asked::Profile { profile, tenant, by, wanted } => Some((
            tenant.unwrap_or(snapshot.profile(*profile).tenant),
            *profile,
            *by,
            Why::Asked(*by, wanted),
        )),
        profile::Asked::Tenant(tenant) => {
            by_number(snapshot, dn, Some(*tenant)).or_else(|| default(snapshot, Some(*tenant)))
        }
        profile::Asked::Unknown { tenant, .. } => default(snapshot, *tenant),
        profile::Asked::Nothing => {
            by_number(snapshot, dn, None).or_else(|| default(snapshot, None))
        }
    };
    if let profile::Asked::Unknown { name, .. } = &asked {
        let candidate = format_args!("profile {name}");
        trace.push(step(Stage::Select, &candidate, Verdict::Skipped, &"unknown"));
    }
    let Some((tenant, profile, by, reason)) = found else {
        let candidate = format_args!("number {dn}");
        trace.push(step(Stage::Select, &candidate, Verdict::Refused, &Reason::NoProfile.word()));
        let status = Some(options.profile_not_found_respcode);
        return Err(No::new(Reason::NoProfile, dn).with_status(status));
    };
    let chosen = snapshot.profile(profile);
    let candidate = format_args!("profile {}", chosen.name);
    trace.push(step(Stage::Select, &candidate, Verdict::Chosen, &reason));
    let user = message.request().and_then(|line| line.target.user);
    Ok(Choice {
        tenant,
        profile,
        service: user.and_then(service::of_user).unwrap_or(chosen.service),
        by,
        disabled: !chosen.enabled || !snapshot.tenant(tenant).enabled,
        consumed: asked.consumed(),
    })
}

type Found<'s> = (TenantIx, ProfileIx, SelectedBy, Why<'s>);

/// Why a profile was chosen, for the trace.
enum Why<'s> {
    Did(DidMatch<'s>),
    /// The default profile of this tenant.
    Default(&'s str),
    Asked(SelectedBy, &'s str),
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Did(found) => write!(f, "did {} of {}", found.pattern, found.group),
            Self::Default(tenant) => write!(f, "default of {tenant}"),
            Self::Asked(by, wanted) => write!(f, "{by} {wanted}"),
        }
    }
}

fn by_number<'s>(snapshot: &'s Snapshot, dn: &str, within: Option<TenantIx>) -> Option<Found<'s>> {
    let found = snapshot.did(dn)?;
    if within.is_some_and(|tenant| tenant != found.tenant) {
        return None;
    }
    Some((found.tenant, found.profile, SelectedBy::Did, Why::Did(found)))
}

/// The nearest default profile on the way to the root; without a tenant that of `Environment`.
fn default(snapshot: &Snapshot, tenant: Option<TenantIx>) -> Option<Found<'_>> {
    let from = tenant.unwrap_or(model::snapshot::ENVIRONMENT);
    snapshot.chain(from).find_map(|one| {
        let profile = snapshot.tenant(one).default_profile?;
        let reason = Why::Default(&snapshot.tenant(one).name);
        let owner = tenant.unwrap_or(snapshot.profile(profile).tenant);
        Some((owner, profile, SelectedBy::Default, reason))
    })
}
