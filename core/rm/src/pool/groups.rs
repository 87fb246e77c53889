//! Which groups may serve a plan, and in what order (rm.md §7.3, §7.5).
//!
//! From the groups that the tenant sees for the service: without those that lack what is required,
//! by location, then by the preference of the profile. Must not look at states.

use model::config::{Capabilities, GroupIx, Profile, ProfileIx, ResourceIx, Service, TenantIx};
use model::record::{Stage, Verdict};
use model::snapshot::Snapshot;

use super::plan::{Asks, Plan};
use crate::record::trace::{Trace, step};
use crate::reject::Reason;

/// A group that may serve a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) group: GroupIx,
    /// All its members have what is required; else each is asked.
    pub(crate) whole: bool,
}

/// Whose a plan is, and what it requires: of the profile and of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants<'a> {
    tenant: Option<TenantIx>,
    profile: Option<&'a Profile>,
    asks: Option<&'a Asks>,
    /// Capabilities are those of media servers: nobody asks a gateway or a connector for them.
    of_media: bool,
}

impl<'a> Wants<'a> {
    /// `chosen`: tenant and profile, where they were chosen by this very snapshot.
    pub(crate) fn of(
        snapshot: &'a Snapshot,
        plan: &'a Plan,
        chosen: Option<(TenantIx, Option<ProfileIx>)>,
    ) -> Self {
        let (tenant, profile) = match chosen {
            Some((tenant, profile)) => (Some(tenant), profile),
            None => {
                let tenant = snapshot.tenant_by_dbid(plan.tenant);
                (tenant, snapshot.profile_by_dbid(plan.profile))
            }
        };
        let profile = profile.map(|ix| snapshot.profile(ix));
        let of_media = !matches!(plan.service, Service::Gateway | Service::Cti);
        Self { tenant, profile, asks: plan.asks.as_deref(), of_media }
    }

    /// Nothing but the service.
    fn is_plain(self) -> bool {
        self.asks.is_none()
            && self.profile.is_none_or(|one| one.requires.is_empty() && one.prefer.is_empty())
    }

    /// The first name that is not there as it is wanted.
    fn missing(self, have: &Capabilities) -> Option<&'a str> {
        if !self.of_media {
            return None;
        }
        let of_profile = self.profile.and_then(|profile| have.misses(&profile.requires));
        let lacks = |(name, value): &&(String, Option<String>)| !have.has(name, value.as_deref());
        let of_request = || self.asks?.requires.iter().find(lacks).map(|(name, _)| name.as_str());
        of_profile.or_else(of_request)
    }

    /// Whether a member of a group that is not whole has it all.
    pub(crate) fn are_met_by(self, snapshot: &Snapshot, resource: ResourceIx) -> bool {
        self.missing(&snapshot.resource(resource).capabilities).is_none()
    }

    fn rank(self, name: &str) -> usize {
        let prefer = self.profile.map_or(&[][..], |profile| &profile.prefer);
        prefer.iter().position(|one| one == name).unwrap_or(prefer.len())
    }
}

/// Writes the groups of a plan into `out`, in order; tells the trace of those left out.
///
/// # Errors
/// `no-match`: none offers what is wanted; `no-location`: none is where it must be.
pub(crate) fn fit(
    snapshot: &Snapshot,
    plan: &Plan,
    wants: Wants<'_>,
    out: &mut Vec<Fit>,
    mut trace: Option<&mut Trace>,
) -> Result<(), Reason> {
    out.clear();
    let seen = wants.tenant.map_or(&[][..], |tenant| snapshot.groups_for(tenant, plan.service));
    if seen.is_empty() {
        tell_unseen(snapshot, plan, &mut trace);
    }
    if wants.is_plain() {
        out.extend(seen.iter().map(|group| Fit { group: *group, whole: true }));
        return if out.is_empty() { Err(Reason::NoMatch) } else { Ok(()) };
    }
    for group in seen {
        let own = snapshot.group(*group);
        let Some(missing) = wants.missing(&own.capabilities) else {
            out.push(Fit { group: *group, whole: true });
            continue;
        };
        if own.resources.iter().any(|one| wants.are_met_by(snapshot, *one)) {
            out.push(Fit { group: *group, whole: false });
        } else {
            tell(&mut trace, &own.name, format_args!("capability {missing}"));
        }
    }
    if out.is_empty() {
        return Err(Reason::NoMatch);
    }
    order(snapshot, wants, out, &mut trace)
}

/// By location, then by the preference of the profile; what is equal stays as it stands.
fn order(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    out: &mut Vec<Fit>,
    trace: &mut Option<&mut Trace>,
) -> Result<(), Reason> {
    let location = wants.asks.and_then(|asks| asks.location.as_deref());
    let is_here = |group: GroupIx| {
        let labels = &snapshot.group(group).locations;
        location.is_none_or(|wanted| labels.iter().any(|one| one.eq_ignore_ascii_case(wanted)))
    };
    if wants.asks.is_some_and(|asks| asks.strict) {
        for away in out.iter().filter(|one| !is_here(one.group)) {
            tell(trace, &snapshot.group(away.group).name, format_args!("location"));
        }
        out.retain(|one| is_here(one.group));
        if out.is_empty() {
            return Err(Reason::NoLocation);
        }
    }
    out.sort_by_key(|one| (!is_here(one.group), wants.rank(&snapshot.group(one.group).name)));
    Ok(())
}

/// Why a tenant sees no group at all for a service: others own it, or nobody offers it.
fn tell_unseen(snapshot: &Snapshot, plan: &Plan, trace: &mut Option<&mut Trace>) {
    for (_, group) in snapshot.groups() {
        let offers = group.services.contains(&plan.service);
        let why = if offers { "owner" } else { "service" };
        tell(trace, &group.name, format_args!("{why}"));
    }
}

fn tell(trace: &mut Option<&mut Trace>, group: &str, why: std::fmt::Arguments<'_>) {
    if let Some(trace) = trace {
        let candidate = format_args!("group {group}");
        trace.push(step(Stage::Place, &candidate, Verdict::Skipped, &why));
    }
}
