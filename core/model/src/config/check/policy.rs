//! Policy: do the values of an object agree with each other, and with those around it?

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use super::references::ENVIRONMENT;
use super::{Links, Step};
use crate::config::limits::MAX_ADDED_HEADERS;
use crate::config::read::{Drafts, GroupDraft, PolicyDraft, ProfileDraft, ResourceDraft, RuleBook};
use crate::config::{ProfileIx, ResourceHost, ResourceTransport, Scheme, Service, TenantIx};
use crate::map::Map;
use crate::schema::{Placed, Problems, Warning};
use crate::snapshot::Snapshot;
use crate::units::print_duration;

/// Gives back all dialling rules, compiled; `known` are those of the old drafts.
pub(super) fn check(
    step: &Step<'_>,
    links: &Links,
    known: &Arc<RuleBook>,
    problems: &Problems,
) -> Arc<RuleBook> {
    let rules = match step.same_rules() {
        true => Arc::clone(known),
        false => Arc::new(rules(step.drafts, known, problems)),
    };
    for policy in step.new_tenants().flat_map(|tenant| tenant.policy.with_children()) {
        values(policy, problems);
    }
    for profile in step.new_profiles() {
        values(&profile.policy, problems);
        needs(profile, problems);
    }
    for group in step.new_groups() {
        monitor(group, problems);
        quarantine(group, problems);
        respcode(group.noresource_response_code.as_ref(), problems);
        services(group, problems);
    }
    if step.own_differs || !step.deltas.groups.is_same() {
        resource_names(step.drafts, problems);
        addresses(step.drafts, step.own, problems);
    }
    if !step.deltas.alike() {
        headers(step.drafts, links, problems);
    }
    rules
}

impl Step<'_> {
    fn same_rules(&self) -> bool {
        let (tenants, profiles) = (&self.deltas.tenants, &self.deltas.profiles);
        let same_tenants = tenants.changes.iter().all(|(old, new)| {
            let of = |drafts: &Drafts, at: &Option<usize>| {
                let draft = at.and_then(|at| drafts.tenants.get(at));
                draft.map(|draft| texts(draft.policy.with_children()))
            };
            of(self.old, old) == of(self.drafts, new)
        });
        let same_profiles = profiles.changes.iter().all(|(old, new)| {
            let of = |drafts: &Drafts, at: &Option<usize>| {
                let draft = at.and_then(|at| drafts.profiles.get(at));
                draft.map(|draft| texts([&draft.policy]))
            };
            of(self.old, old) == of(self.drafts, new)
        });
        same_tenants && same_profiles
    }
}

fn texts<'d>(policies: impl IntoIterator<Item = &'d PolicyDraft>) -> Vec<String> {
    let rules = policies.into_iter().flat_map(|policy| &policy.dialing_rules);
    rules.map(|rule| rule.value.clone()).collect()
}

/// All dialling rules, and E402.
fn rules(drafts: &Drafts, known: &RuleBook, problems: &Problems) -> RuleBook {
    let mut rules = RuleBook::default();
    let tenants = drafts.tenants.iter().flat_map(|tenant| tenant.policy.with_children());
    for policy in tenants.chain(drafts.profiles.iter().map(|profile| &profile.policy)) {
        for (number, rule) in (1..).zip(&policy.dialing_rules) {
            if let Err(why) = rules.add(&rule.value, known) {
                let text = format!("dialling rule {number}: {why}");
                problems.note(rule.place.problem("E402", text));
            }
        }
    }
    rules
}

/// E401: usage_limit ≤ level2 ≤ level3; and E405.
fn values(policy: &PolicyDraft, problems: &Problems) {
    policy.codes.iter().for_each(|code| respcode(Some(code), problems));
    let Some(burst) = &policy.burst else { return };
    let Some(limit) = &policy.usage_limit else {
        problems.note(burst.place.problem("E401", "burst needs usage_limit"));
        return;
    };
    let below = |upper: &Placed<u32>, name: &str, lower: u32, lower_name: &str| {
        let n = upper.value;
        if n < lower {
            let text = format!("burst.{name} ({n}) must not be below {lower_name} ({lower})");
            problems.note(upper.place.problem("E401", text));
        }
    };
    below(&burst.level2, "level2", limit.value, "usage_limit");
    if let Some(level3) = &burst.level3 {
        below(level3, "level3", burst.level2.value, "burst.level2");
    }
}

fn respcode(code: Option<&Placed<i64>>, problems: &Problems) {
    if let Some(code) = code.filter(|code| !(400..=699).contains(&code.value)) {
        let text = format!("response code {} is not between 400 and 699", code.value);
        problems.note(code.place.problem("E405", text));
    }
}

/// E403.
fn needs(profile: &ProfileDraft, problems: &Problems) {
    let service = profile.service.value;
    let missing = match service {
        Service::Voicexml | Service::Ccxml if profile.initial_page_url.is_none() => {
            "initial_page_url"
        }
        Service::Announcement if profile.play.is_none() => "play",
        _ => return,
    };
    let text = format!("service {service} needs {missing}");
    problems.note(profile.service.place.problem("E403", text));
}

/// E407.
fn services(group: &GroupDraft, problems: &Problems) {
    let name = &group.head.name.value;
    let alone = group.services.iter().find(|service| service.stands_alone());
    if let Some(service) = alone.filter(|_| group.services.len() > 1) {
        let text =
            format!("group \"{name}\": service {service} cannot be combined with other services");
        problems.note(group.head.name.place.problem("E407", text));
    }
    if let Some(place) = group.hash_on.as_ref().filter(|_| !matches!(group.scheme, Scheme::Hash(_)))
    {
        let text = format!("group \"{name}\": hash_on needs scheme hash");
        problems.note(place.problem("E407", text));
    }
    for Placed { value: (field, service), place } in &group.only_with {
        if !group.services.contains(service) {
            let text = format!("group \"{name}\": {field} needs service {service}");
            problems.note(place.problem("E407", text));
        }
    }
}

/// E412.
fn quarantine(group: &GroupDraft, problems: &Problems) {
    let (first, longest) = (&group.quarantine, &group.max_quarantine);
    if longest.value < first.value {
        let (first, shown) = (print_duration(first.value), print_duration(longest.value));
        let text = format!("max_quarantine ({shown}) must not be below quarantine ({first})");
        problems.note(longest.place.problem("E412", text));
    }
}

fn monitor(group: &GroupDraft, problems: &Problems) {
    let monitor = &group.monitor.value;
    if monitor.timeout >= monitor.interval {
        let text = "monitor.timeout must be below monitor.interval";
        problems.note(group.monitor.place.problem("E408", text));
    }
}

fn resources(drafts: &Drafts) -> impl Iterator<Item = (&GroupDraft, &ResourceDraft)> {
    let groups = drafts.groups.iter().map(AsRef::as_ref);
    groups.flat_map(|group: &GroupDraft| group.resources.iter().map(move |r| (group, r)))
}

/// E404.
fn resource_names(drafts: &Drafts, problems: &Problems) {
    let mut first: Map<String, &str> = Map::new(0);
    for (group, resource) in resources(drafts) {
        let (name, group) = (&resource.name.value, group.head.name.value.as_str());
        let other = *first.get_or_insert_with(name.to_lowercase(), || "");
        if other.is_empty() {
            first.insert(name.to_lowercase(), group);
            continue;
        }
        let text =
            format!("resource name \"{name}\" is used by group \"{other}\" and group \"{group}\"");
        problems.note(resource.name.place.problem("E404", text));
    }
}

/// E406, and E409 for addresses of this RM itself.
fn addresses(drafts: &Drafts, own: &[SocketAddr], problems: &Problems) {
    let mut first: Map<(&ResourceHost, u16, Option<ResourceTransport>), &str> = Map::new(0);
    for (_, resource) in resources(drafts) {
        let (address, name) = (&resource.address.value, resource.name.value.as_str());
        let note = |code, text| problems.note(resource.address.place.problem(code, text));
        if address.addr().is_some_and(|addr| own.contains(&addr)) {
            note("E409", format!("resource address \"{}\" is this RM itself", address.uri));
        }
        // two names may lead to the same place; that is the business of whoever keeps the zone, and
        // one name has services of its own for each transport
        let (host, port) = (&address.host, address.port);
        let service = match host {
            ResourceHost::Ip(_) => (host, port.unwrap_or(5060), None),
            ResourceHost::Name(_) => (host, port.unwrap_or(0), address.transport),
        };
        let other = *first.get_or_insert_with(service, || name);
        if other != name {
            let uri = &address.uri;
            note(
                "E406",
                format!("resource address \"{uri}\" is used by \"{other}\" and \"{name}\""),
            );
        }
    }
}

/// Bytes of the headers besides names and path (rm.md §1.4, §2.3): Via, Record-Route at its limit
/// and the fixed parts of the three session headers.
const HEADERS_WITHOUT_NAMES: usize = 700;
/// A DBID and its separator in the path.
const PATH_STEP: usize = 11;

/// E410: no call of a profile may get more headers than allowed. A profile runs under its own
/// tenant, and under those whose numbers lead to it.
fn headers(drafts: &Drafts, links: &Links, problems: &Problems) {
    let paths: Vec<usize> =
        (0..).take(links.parents.len()).map(|ix| path_bytes(drafts, links, TenantIx(ix))).collect();
    let under_owner = (0..).map(ProfileIx).zip(links.profile_owners.iter().copied());
    let by_number = links.did_profiles.iter().copied().zip(links.did_owners.iter().copied());
    let mut told = BTreeSet::new();
    for (profile, tenant) in under_owner.chain(by_number) {
        let Some(draft) = drafts.profiles.get(profile.index()) else { continue };
        let path = paths.get(tenant.index()).copied().unwrap_or_default();
        let bytes = HEADERS_WITHOUT_NAMES + path + 2 * draft.head.name.value.len();
        if bytes > MAX_ADDED_HEADERS && told.insert(profile) {
            let text = format!("headers for this profile would exceed {MAX_ADDED_HEADERS} bytes");
            problems.note(draft.head.name.place.problem("E410", text));
        }
    }
}

fn path_bytes(drafts: &Drafts, links: &Links, tenant: TenantIx) -> usize {
    let chain =
        std::iter::successors(Some(tenant), |ix| links.parents.get(ix.index()).copied().flatten());
    let step = |ix: TenantIx| {
        let draft = links.tenant_drafts.get(ix.index()).copied().flatten();
        let draft = draft.and_then(|at| drafts.tenant(at));
        let name = draft.map_or(ENVIRONMENT.len(), |tenant| tenant.head.name.value.len());
        PATH_STEP + name + 1
    };
    chain.map(step).sum()
}

/// W401 and W402: what is allowed but hardly meant.
pub(super) fn warnings(snapshot: &Snapshot, drafts: &Drafts, links: &Links) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (at, draft) in links.tenant_drafts.iter().enumerate() {
        let tenant = draft.and_then(|at| drafts.tenant(at));
        if let (Some(tenant), Some(parent)) = (tenant, links.parents.get(at).copied().flatten()) {
            let limit = tenant.policy.usage_limit.as_ref();
            warnings.extend(above_parent(snapshot, limit, &tenant.head.name.value, parent));
        }
    }
    let mut users: Vec<(ProfileIx, TenantIx)> =
        links.did_profiles.iter().copied().zip(links.did_owners.iter().copied()).collect();
    users.sort_by_key(|(profile, _)| *profile);
    let mut users = users.into_iter().peekable();
    let mut told = BTreeSet::new();
    let owned = drafts.profiles.iter().zip(&links.profile_owners);
    for (ix, (profile, owner)) in (0..).map(ProfileIx).zip(owned) {
        let limit = profile.policy.usage_limit.as_ref();
        warnings.extend(above_parent(snapshot, limit, &profile.head.name.value, *owner));
        let service = profile.service.value.of_legs();
        let users = std::iter::from_fn(|| users.next_if(|(used, _)| *used == ix));
        for tenant in std::iter::once(*owner).chain(users.map(|(_, tenant)| tenant)) {
            let none = snapshot.groups_for(tenant, service).is_empty();
            if none && told.insert((tenant, service)) {
                let name = &snapshot.tenant(tenant).name;
                let text = format!("no group offers service \"{service}\" to tenant \"{name}\"");
                warnings.push(profile.service.place.problem("W402", text));
            }
        }
    }
    warnings
}

fn above_parent(
    snapshot: &Snapshot,
    limit: Option<&Placed<u32>>,
    child: &str,
    parent: TenantIx,
) -> Option<Warning> {
    let limit = limit?;
    let mut above = snapshot.chain(parent).filter_map(|ix| {
        let tenant = snapshot.tenant(ix);
        tenant.policy.usage_limit.map(|most| (most, &tenant.name))
    });
    let (most, parent) = above.next().filter(|(most, _)| *most < limit.value)?;
    let n = limit.value;
    let text = format!("limit {n} of \"{child}\" is above the {most} of its parent \"{parent}\"");
    Some(limit.place.problem("W401", format!("{text}; the parent's will bind")))
}
