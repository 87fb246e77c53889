//! From checked drafts to a snapshot: indices in place of names.
//!
//! What is as it was before is shared with the snapshot before, so that a change costs what it
//! changes; runs off the call thread.

use std::sync::Arc;

use super::view::{Names, ProfileNames, ResourceNames, TenantNames, Views, topological};
use super::{List, Snapshot};
use crate::config::check::{self, Deltas, Links, Numbers};
use crate::config::read::{
    ApplicationDraft, DidGroupDraft, Drafts, GroupDraft, ProfileDraft, ResourceDraft, RuleBook,
    TenantDraft,
};
use crate::config::{
    Admin, Application, DidGroup, Group, GroupIx, Policy, Profile, ProfileIx, Resource, ResourceIx,
    Source, Tenant, TenantIx,
};
use crate::id::{Dbid, Revision};
use crate::schema::Placed;

/// What has been checked, to be put together with indices in place of names; what is as it was in
/// the snapshot before is taken from there.
pub(crate) struct Linking<'l> {
    pub(crate) before: &'l Snapshot,
    pub(crate) drafts: &'l Drafts,
    pub(crate) deltas: &'l Deltas,
    pub(crate) links: &'l Links,
    pub(crate) rules: &'l RuleBook,
    pub(crate) numbers: &'l Numbers,
}

impl Linking<'_> {
    /// The snapshot, of revision 0.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let tenants = self.tenants();
        let owners = self.owners(&tenants);
        let profiles = self.profiles(&owners);
        let did_groups = self.did_groups(&owners);
        let (groups, resources) = self.groups(&owners);
        let names = self.names(&tenants, &profiles, &resources);
        let same_groups = Arc::ptr_eq(&groups, &self.before.groups);
        let views = match self.deltas.tenants.alike && same_groups {
            true => Arc::clone(&self.before.views),
            false => Arc::new(Views::build(&self.links.parents, &groups)),
        };
        Snapshot {
            revision: Revision(0),
            did_links: match Arc::ptr_eq(&did_groups, &self.before.did_groups) {
                true => Arc::clone(&self.before.did_links),
                false => self.did_links(),
            },
            tenants,
            profiles,
            did_groups,
            groups,
            resources,
            applications: self.applications(),
            dids: self.numbers.live.clone(),
            names,
            views,
        }
    }

    fn tenants(&self) -> List<Tenant> {
        let (before, deltas) = (self.before, self.deltas);
        if deltas.tenants.is_same() && deltas.profiles.alike {
            return Arc::clone(&before.tenants);
        }
        let enabled = self.enabled();
        let alike = deltas.tenants.alike && deltas.profiles.alike;
        let mut new = vec![!alike; enabled.len()];
        for at in deltas.tenants.new_places() {
            new.get_mut(at).into_iter().for_each(|cell| *cell = true);
        }
        let is_new = |ix: usize| new.get(ix).copied().unwrap_or(true);
        let tenant = |(at, enabled): (usize, &bool)| {
            let parent = self.links.parents.get(at).copied().flatten();
            let old = before.tenants.get(at).filter(|old| {
                let news = is_new(at) || parent.is_some_and(|parent| is_new(parent.index()));
                !news && old.enabled == *enabled
            });
            old.map_or_else(|| Arc::new(self.tenant(at, parent, *enabled)), Arc::clone)
        };
        enabled.iter().enumerate().map(tenant).collect()
    }

    fn tenant(&self, at: usize, parent: Option<TenantIx>, enabled: bool) -> Tenant {
        let (links, rules) = (self.links, self.rules);
        let draft = self.tenant_draft(at);
        Tenant {
            name: draft.map_or(check::references::ENVIRONMENT, |d| &d.head.name.value).to_owned(),
            dbid: links.tenant_dbids.get(at).copied().unwrap_or_default(),
            parent,
            enabled,
            aliases: draft.map_or_else(Vec::new, |draft| {
                draft.aliases.iter().map(|alias| alias.value.clone()).collect()
            }),
            default_profile: links.default_profiles.get(at).copied().flatten(),
            policy: draft.map_or_else(Policy::default, |draft| draft.policy.settled(rules)),
            laid_over: self.laid_over(draft, parent),
            parameters: draft.map_or_else(Vec::new, |draft| draft.parameters.clone()),
            kept: draft.map(|draft| draft.kept).unwrap_or_default(),
        }
    }

    fn tenant_draft(&self, at: usize) -> Option<&TenantDraft> {
        let draft = self.links.tenant_drafts.get(at).copied().flatten();
        draft.and_then(|at| self.drafts.tenant(at))
    }

    /// Of each tenant whether it and all above it are enabled.
    fn enabled(&self) -> Vec<bool> {
        let parents = &self.links.parents;
        let mut enabled: Vec<bool> = (0..parents.len())
            .map(|at| self.tenant_draft(at).is_none_or(|draft| draft.head.enabled))
            .collect();
        for ix in topological(parents) {
            let parent = parents.get(ix.index()).copied().flatten();
            let above = parent.and_then(|parent| enabled.get(parent.index()).copied());
            if let (Some(cell), Some(false)) = (enabled.get_mut(ix.index()), above) {
                *cell = false;
            }
        }
        enabled
    }

    /// What the parent's `children` entry of a tenant says.
    fn laid_over(
        &self,
        child: Option<&TenantDraft>,
        parent: Option<TenantIx>,
    ) -> Option<Box<Policy>> {
        let child = &child?.head.name.value;
        let children = &self.tenant_draft(parent?.index())?.policy.children;
        let (_, policy) = children.iter().find(|(name, _)| name.value == *child)?;
        Some(Box::new(policy.settled(self.rules)))
    }

    /// Which tenants are enabled, and whether they are the ones that were.
    fn owners(&self, tenants: &List<Tenant>) -> Owners {
        let before = &self.before.tenants;
        let same = Arc::ptr_eq(tenants, before)
            || self.deltas.tenants.alike
                && tenants.iter().zip(before.iter()).all(|(a, b)| a.enabled == b.enabled);
        Owners { enabled: tenants.iter().map(|tenant| tenant.enabled).collect(), same }
    }

    fn profiles(&self, owners: &Owners) -> List<Profile> {
        let (before, delta) = (&self.before.profiles, &self.deltas.profiles);
        if delta.is_same() && owners.same {
            return Arc::clone(before);
        }
        let links = self.links.profile_owners.iter().zip(&self.links.profile_dbids);
        let origins = delta.origins(before.len(), self.drafts.profiles.len());
        let all = self.drafts.profiles.iter().zip(links).zip(origins);
        type Owned<'d> = (&'d Arc<ProfileDraft>, (&'d TenantIx, &'d Dbid));
        let profile = |((draft, (owner, dbid)), origin): (Owned<'_>, _)| {
            let enabled = draft.head.enabled && owners.is_enabled(*owner);
            let old =
                kept(before, origin).filter(|old| old.tenant == *owner && old.enabled == enabled);
            old.unwrap_or_else(|| Arc::new(self.profile(draft, *owner, *dbid, enabled)))
        };
        all.map(profile).collect()
    }

    fn profile(
        &self,
        draft: &ProfileDraft,
        tenant: TenantIx,
        dbid: Dbid,
        enabled: bool,
    ) -> Profile {
        Profile {
            name: draft.head.name.value.clone(),
            dbid,
            tenant,
            enabled,
            service: draft.service.value,
            initial_page_url: draft.initial_page_url.clone(),
            alternate_page_url: draft.alternate_page_url.clone(),
            default_properties_url: draft.default_properties_url.clone(),
            play: draft.play.clone(),
            conference_id: draft.conference_id.clone(),
            geo_location: draft.geo_location.clone(),
            keep_tenant_id: draft.keep_tenant_id,
            parameters: draft.parameters.clone(),
            requires: draft.requires.clone(),
            prefer: draft.prefer.iter().map(|name| name.value.clone()).collect(),
            notes: draft.notes.clone(),
            policy: draft.policy.settled(self.rules),
            kept: draft.kept,
        }
    }

    fn did_groups(&self, owners: &Owners) -> List<DidGroup> {
        let (before, delta) = (&self.before.did_groups, &self.deltas.did_groups);
        if delta.is_same() && owners.same && self.deltas.profiles.alike {
            return Arc::clone(before);
        }
        let links = self.links.did_owners.iter().zip(&self.links.did_profiles);
        let links = links.zip(&self.links.did_dbids);
        let origins = delta.origins(before.len(), self.drafts.did_groups.len());
        let all = self.drafts.did_groups.iter().zip(links).zip(origins);
        type Linked<'d> = ((&'d TenantIx, &'d ProfileIx), &'d Dbid);
        type Owned<'d> = (&'d Arc<DidGroupDraft>, Linked<'d>);
        let group = |((draft, ((owner, profile), dbid)), origin): (Owned<'_>, _)| {
            let enabled = draft.head.enabled && owners.is_enabled(*owner);
            let old = kept(before, origin).filter(|old: &Arc<DidGroup>| {
                (old.tenant, old.profile, old.enabled) == (*owner, *profile, enabled)
            });
            old.unwrap_or_else(|| {
                Arc::new(DidGroup {
                    name: draft.head.name.value.clone(),
                    dbid: *dbid,
                    tenant: *owner,
                    enabled,
                    profile: *profile,
                    description: draft.description.clone(),
                })
            })
        };
        all.map(group).collect()
    }

    fn did_links(&self) -> Arc<[(TenantIx, ProfileIx)]> {
        let owners = self.links.did_owners.iter().copied();
        owners.zip(self.links.did_profiles.iter().copied()).collect()
    }

    fn groups(&self, owners: &Owners) -> (List<Group>, List<Resource>) {
        let (before, delta) = (self.before, &self.deltas.groups);
        if delta.is_same() && owners.same {
            return (Arc::clone(&before.groups), Arc::clone(&before.resources));
        }
        let (mut groups, mut resources) = (Vec::new(), Vec::new());
        let links = self.links.group_owners.iter().zip(&self.links.group_dbids);
        let origins = delta.origins(before.groups.len(), self.drafts.groups.len());
        let all = self.drafts.groups.iter().zip(links).zip(origins);
        for ((draft, (owner, dbid)), origin) in all {
            let enabled = draft.head.enabled && owners.is_enabled(*owner);
            let place = (groups.len(), resources.len());
            let old = kept(&before.groups, origin).filter(|old| {
                let first = old.resources.first().map_or(place.1, |first| first.index());
                (old.tenant, old.enabled) == (*owner, enabled)
                    && (origin, first) == (Some(place.0), place.1)
            });
            if let Some(old) = old {
                let own = old.resources.iter().filter_map(|ix| before.resources.get(ix.index()));
                resources.extend(own.cloned());
                groups.push(old);
                continue;
            }
            let dbids = self.links.resource_dbids.iter().skip(place.1);
            let own = draft.resources.iter().zip(dbids);
            let own = own.map(|(one, dbid)| resource(draft, one, *dbid, place.0, enabled));
            resources.extend(own.map(Arc::new));
            let members = (place.1..resources.len()).map(narrow).map(ResourceIx).collect();
            groups.push(Arc::new(group(draft, *owner, *dbid, enabled, members)));
        }
        (groups.into(), resources.into())
    }

    fn applications(&self) -> List<Application> {
        if self.deltas.applications.is_same() {
            return Arc::clone(&self.before.applications);
        }
        let all = self.drafts.applications.iter().zip(&self.links.application_dbids).enumerate();
        let application = |(at, (draft, dbid)): (usize, (&Arc<ApplicationDraft>, &Dbid))| {
            Arc::new(Application {
                name: draft.head.name.value.clone(),
                dbid: *dbid,
                enabled: draft.head.enabled,
                kind: draft.kind,
                options: check::applications::options(self.drafts, self.links, at),
            })
        };
        all.map(application).collect()
    }

    fn names(
        &self,
        tenants: &[Arc<Tenant>],
        profiles: &[Arc<Profile>],
        resources: &[Arc<Resource>],
    ) -> Names {
        let (before, deltas) = (&self.before.names, self.deltas);
        Names {
            tenants: match deltas.tenants.alike {
                true => Arc::clone(&before.tenants),
                false => Arc::new(TenantNames::of(tenants)),
            },
            profiles: match deltas.profiles.alike {
                true => Arc::clone(&before.profiles),
                false => Arc::new(ProfileNames::of(profiles)),
            },
            resources: match deltas.groups.alike {
                true => Arc::clone(&before.resources),
                false => Arc::new(ResourceNames::of(resources)),
            },
        }
    }
}

/// Which tenants are enabled.
struct Owners {
    enabled: Vec<bool>,
    /// They are the same tenants as before, enabled as before.
    same: bool,
}

impl Owners {
    fn is_enabled(&self, ix: TenantIx) -> bool {
        self.enabled.get(ix.index()).copied().unwrap_or(false)
    }
}

/// What was made of the same draft before.
fn kept<T>(before: &[Arc<T>], origin: Option<usize>) -> Option<Arc<T>> {
    origin.and_then(|at| before.get(at)).map(Arc::clone)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a resource says itself, else what its group does.
fn nearest(own: &Option<Placed<u32>>, group: &Option<Placed<u32>>) -> Option<u32> {
    own.as_ref().or(group.as_ref()).map(|placed| placed.value)
}

fn resource(
    group: &GroupDraft,
    draft: &ResourceDraft,
    dbid: Dbid,
    place: usize,
    enabled: bool,
) -> Resource {
    Resource {
        name: draft.name.value.clone(),
        dbid,
        group: GroupIx(narrow(place)),
        address: draft.address.value.clone(),
        capacity: draft.capacity.or(group.port_capacity),
        weight: draft.weight.as_ref().map_or(100, |weight| weight.value),
        passive: draft.passive,
        capabilities: group.capabilities.with(&draft.capabilities),
        conference_size: nearest(&draft.conference_size, &group.conference_size),
        conference_count: nearest(&draft.conference_count, &group.conference_count),
        state: if enabled { draft.state } else { Admin::Disabled },
        source_addresses: draft.source_addresses.clone(),
        source: Source::Static,
    }
}

fn group(
    draft: &GroupDraft,
    tenant: TenantIx,
    dbid: Dbid,
    enabled: bool,
    resources: Vec<ResourceIx>,
) -> Group {
    Group {
        name: draft.head.name.value.clone(),
        dbid,
        tenant,
        enabled,
        services: draft.services.clone(),
        scheme: draft.scheme,
        shared_with_children: draft.shared_with_children,
        preference: draft.preference,
        locations: draft.locations.clone(),
        capabilities: draft.capabilities.clone(),
        monitor: draft.monitor.value.clone(),
        port_usage: draft.port_usage,
        on_dead: draft.on_dead,
        release_after: draft.release_after,
        failover_codes: draft.failover_codes.clone(),
        try_timeout: draft.try_timeout,
        quarantine: draft.quarantine.value,
        max_quarantine: draft.max_quarantine.value,
        session_expires: draft.session_expires,
        noresource_response_code: draft
            .noresource_response_code
            .as_ref()
            .and_then(|code| u16::try_from(code.value).ok()),
        use_cti: draft.use_cti,
        remove_ruri_capability_on_fallback: draft.remove_ruri_capability_on_fallback,
        cti: draft.cti.clone(),
        port_capacity: draft.port_capacity,
        conference_size: draft.conference_size.as_ref().map(|size| size.value),
        conference_count: draft.conference_count.as_ref().map(|count| count.value),
        resources,
        discovery: draft.discovery.clone(),
    }
}
