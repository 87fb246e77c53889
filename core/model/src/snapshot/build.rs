//! From documents to a snapshot: the stages of validation in their order, then the linking.
//!
//! All or nothing; runs off the call thread.

use std::net::SocketAddr;

use super::Snapshot;
use super::view::{Names, Views, topological};
use crate::config::check::{self, Checked, Links, stage};
use crate::config::limits::MAX_DOCUMENT;
use crate::config::read::{self, Drafts, RuleBook};
use crate::config::{
    Admin, Application, DidGroup, Document, Group, GroupIx, Policy, Profile, ProfileIx, Resource,
    ResourceIx, Tenant, TenantIx,
};
use crate::did::DidIndex;
use crate::id::Revision;
use crate::map::Map;
use crate::schema::{Field, Place, Placed, Problem, Problems, Warning};
use crate::units::print_size;

/// W403.
const EMPTY: &str = "no objects: RM would refuse every call";

impl Snapshot {
    /// Checks and links a whole configuration.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub fn build(
        documents: &[Document],
        revision: Revision,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        Self::build_for(documents, revision, &[])
    }

    /// The same for an RM with these addresses of its own, which no resource may have.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub fn build_for(
        documents: &[Document],
        revision: Revision,
        own: &[SocketAddr],
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let warnings = Problems::default();
        stage(|problems| sizes(documents, problems))?;
        let drafts = stage(|problems| read::read(documents, problems, &warnings))?;
        let checked = Checked::new(drafts, own)?;
        let snapshot = link(&checked, revision);
        check::policy::warn(&snapshot, &checked.drafts, &checked.links, &warnings);
        check::effect::warn(&checked.drafts, &warnings);
        if documents.iter().all(|document| document.root.is_null()) {
            warnings.note(Place::default().problem("W403", EMPTY));
        }
        Ok((snapshot, warnings.take()))
    }
}

/// E002.
pub(crate) fn sizes(documents: &[Document], problems: &Problems) {
    for document in documents.iter().filter(|document| document.size > MAX_DOCUMENT) {
        let root = Field::root(&document.root, document.file.clone(), problems);
        let limit = print_size(MAX_DOCUMENT as u64);
        root.note("E002", format!("document {} is larger than {limit}", document.number));
    }
}

/// What has been checked, with indices in place of names.
pub(crate) fn link(checked: &Checked, revision: Revision) -> Snapshot {
    let Checked { drafts, links, rules } = checked;
    let tenants = tenants(drafts, links, rules);
    let profiles = profiles(drafts, links, rules, &tenants);
    let did_groups = did_groups(drafts, links, &tenants);
    let (groups, resources) = groups(drafts, links, &tenants);
    let enabled = drafts.did_groups.iter().enumerate().filter(|(_, draft)| draft.head.enabled);
    let dids = DidIndex::build(enabled.flat_map(|(at, draft)| {
        let group = u32::try_from(at).unwrap_or(u32::MAX);
        draft.dids.iter().map(move |(pattern, _)| (pattern, group))
    }));
    let applications = drafts.applications.iter().zip(&links.application_dbids);
    let applications = applications
        .enumerate()
        .map(|(at, (draft, dbid))| Application {
            name: draft.head.name.value.clone(),
            dbid: *dbid,
            enabled: draft.head.enabled,
            kind: draft.kind,
            options: check::applications::options(drafts, links, at),
        })
        .collect();
    Snapshot {
        revision,
        names: names(&tenants, &profiles, &resources),
        views: Views::build(&tenants, &groups),
        tenants,
        profiles,
        did_groups,
        groups,
        resources,
        applications,
        dids,
    }
}

fn tenants(drafts: &Drafts, links: &Links, rules: &RuleBook) -> Vec<Tenant> {
    let draft_of = |at: &Option<usize>| at.and_then(|at| drafts.tenant(at));
    let parents = links.parents.iter().zip(&links.default_profiles).zip(&links.tenant_dbids);
    let all = links.tenant_drafts.iter().map(draft_of).zip(parents);
    let mut tenants: Vec<Tenant> = all
        .map(|(draft, ((parent, default_profile), dbid))| Tenant {
            name: draft.map_or(check::references::ENVIRONMENT, |d| &d.head.name.value).to_owned(),
            dbid: *dbid,
            parent: *parent,
            enabled: draft.is_none_or(|draft| draft.head.enabled),
            aliases: draft.map_or_else(Vec::new, |draft| {
                draft.aliases.iter().map(|alias| alias.value.clone()).collect()
            }),
            default_profile: *default_profile,
            policy: draft.map_or_else(Policy::default, |draft| draft.policy.settled(rules)),
            laid_over: laid_over(drafts, links, draft, *parent, rules),
            parameters: draft.map_or_else(Vec::new, |draft| draft.parameters.clone()),
        })
        .collect();
    for ix in topological(&tenants) {
        let parent = tenants.get(ix.index()).and_then(|tenant| tenant.parent);
        let above = parent.is_none_or(|parent| is_enabled(&tenants, parent));
        if let Some(tenant) = tenants.get_mut(ix.index()) {
            tenant.enabled &= above;
        }
    }
    tenants
}

/// What the parent's `children` entry of a tenant says.
fn laid_over(
    drafts: &Drafts,
    links: &Links,
    child: Option<&read::TenantDraft>,
    parent: Option<TenantIx>,
    rules: &RuleBook,
) -> Option<Box<Policy>> {
    let child = &child?.head.name.value;
    let parent = links.tenant_drafts.get(parent?.index()).copied().flatten()?;
    let children = &drafts.tenants.get(parent)?.policy.children;
    let (_, policy) = children.iter().find(|(name, _)| name.value == *child)?;
    Some(Box::new(policy.settled(rules)))
}

fn is_enabled(tenants: &[Tenant], ix: TenantIx) -> bool {
    tenants.get(ix.index()).is_some_and(|tenant| tenant.enabled)
}

fn profiles(drafts: &Drafts, links: &Links, rules: &RuleBook, tenants: &[Tenant]) -> Vec<Profile> {
    let owned = drafts
        .profiles
        .iter()
        .map(AsRef::as_ref)
        .zip(&links.profile_owners)
        .zip(&links.profile_dbids);
    let profile = |((draft, owner), dbid): ((&read::ProfileDraft, &TenantIx), &_)| Profile {
        name: draft.head.name.value.clone(),
        dbid: *dbid,
        tenant: *owner,
        enabled: draft.head.enabled && is_enabled(tenants, *owner),
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
        policy: draft.policy.settled(rules),
    };
    owned.map(profile).collect()
}

fn did_groups(drafts: &Drafts, links: &Links, tenants: &[Tenant]) -> Vec<DidGroup> {
    let owned = drafts.did_groups.iter().zip(&links.did_owners);
    let linked = owned.zip(links.did_profiles.iter().zip(&links.did_dbids));
    linked
        .map(|((draft, owner), (profile, dbid))| DidGroup {
            name: draft.head.name.value.clone(),
            dbid: *dbid,
            tenant: *owner,
            enabled: draft.head.enabled && is_enabled(tenants, *owner),
            profile: *profile,
            description: draft.description.clone(),
        })
        .collect()
}

/// What a resource says itself, else what its group does.
fn nearest(own: &Option<Placed<u32>>, group: &Option<Placed<u32>>) -> Option<u32> {
    own.as_ref().or(group.as_ref()).map(|placed| placed.value)
}

fn groups(drafts: &Drafts, links: &Links, tenants: &[Tenant]) -> (Vec<Group>, Vec<Resource>) {
    let mut groups = Vec::new();
    let mut resources = Vec::new();
    let mut dbids = links.resource_dbids.iter();
    let owned = drafts.groups.iter().zip(&links.group_owners).zip(&links.group_dbids);
    for (group_ix, ((draft, owner), dbid)) in (0..).map(GroupIx).zip(owned) {
        let enabled = draft.head.enabled && is_enabled(tenants, *owner);
        let mut members = Vec::new();
        for (resource, dbid) in draft.resources.iter().zip(&mut dbids) {
            members.push(ResourceIx(u32::try_from(resources.len()).unwrap_or(u32::MAX)));
            resources.push(Resource {
                name: resource.name.value.clone(),
                dbid: *dbid,
                group: group_ix,
                address: resource.address.value.clone(),
                capacity: resource.capacity.or(draft.port_capacity),
                weight: resource.weight.as_ref().map_or(100, |weight| weight.value),
                passive: resource.passive,
                capabilities: draft.capabilities.with(&resource.capabilities),
                conference_size: nearest(&resource.conference_size, &draft.conference_size),
                conference_count: nearest(&resource.conference_count, &draft.conference_count),
                state: if enabled { resource.state } else { Admin::Disabled },
                source_addresses: resource.source_addresses.clone(),
            });
        }
        groups.push(Group {
            name: draft.head.name.value.clone(),
            dbid: *dbid,
            tenant: *owner,
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
            resources: members,
        });
    }
    (groups, resources)
}

fn names(tenants: &[Tenant], profiles: &[Profile], resources: &[Resource]) -> Names {
    let mut names = Names::default();
    for (ix, tenant) in (0..).map(TenantIx).zip(tenants) {
        names.tenants.insert(&tenant.name, ix);
        tenant.aliases.iter().for_each(|alias| names.aliases.insert(alias, ix));
        names.tenant_dbids.insert(tenant.dbid, ix);
    }
    let mut alike: Map<String, Vec<ProfileIx>> = Map::with_capacity(0, profiles.len());
    for (ix, profile) in (0..).map(ProfileIx).zip(profiles) {
        alike.get_or_insert_with(Names::folded(&profile.name), Vec::new).push(ix);
        names.profile_dbids.insert(profile.dbid, ix);
    }
    names.profiles = alike;
    for (ix, resource) in (0..).map(ResourceIx).zip(resources) {
        names.resources.insert(resource.name.clone(), ix);
        names.resource_dbids.insert(resource.dbid, ix);
    }
    names
}
