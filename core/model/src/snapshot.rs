//! The snapshot: one immutable, numbered state of the whole configuration, held as an `Arc`.
//!
//! Built off the call thread from documents (`build`), all or nothing; the engine only reads it.
//! What a call needs is computed beforehand: effective `enabled`, the groups of each tenant in
//! placement order, the number index. Stages select, authorise and place ask it; the revision is
//! stamped into every record. `Environment` (dbid 1) is always there, as tenant 0.

pub(crate) mod build;
mod joined;
pub(crate) mod link;
mod policies;
mod view;

use crate::config::{
    Application, DidGroup, DidGroupIx, Group, GroupIx, Parameter, Profile, ProfileIx, Resource,
    ResourceIx, Service, Tenant, TenantIx,
};
use crate::did::DidIndex;
use crate::id::{Dbid, Revision};
pub use joined::{Found, LeftOut};
pub use policies::{Layer, Level};
use smallvec::SmallVec;
use std::sync::Arc;
use view::{Names, Views, folded};

/// Objects of one kind.
type List<T> = Arc<[Arc<T>]>;

/// One state of the configuration. A copy is cheap: it shares all objects.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its number.
    pub revision: Revision,
    tenants: List<Tenant>,
    profiles: List<Profile>,
    did_groups: List<DidGroup>,
    /// Tenant and profile of each number group: all that a call needs to know of it.
    did_links: Arc<[(TenantIx, ProfileIx)]>,
    groups: List<Group>,
    resources: List<Resource>,
    applications: List<Application>,
    dids: DidIndex,
    names: Names,
    views: Arc<Views>,
}

/// What a called number leads to.
#[derive(Clone, Copy, Debug)]
pub struct DidMatch<'s> {
    /// The pattern in normal form: `18005550200-18005550299`, `1900*`.
    pub pattern: &'s str,
    /// The number group.
    pub group: DidGroupIx,
    /// The tenant of the number group: the call's tenant.
    pub tenant: TenantIx,
    /// The profile, of that tenant or an ancestor.
    pub profile: ProfileIx,
}

/// The tenant that always exists, as an index.
pub const ENVIRONMENT: TenantIx = TenantIx(0);

impl Snapshot {
    /// The same state under another number.
    pub(crate) fn numbered(&self, revision: Revision) -> Self {
        Self { revision, ..self.clone() }
    }

    /// A tenant.
    ///
    /// # Panics
    /// If the index is of another snapshot; so do the four that follow.
    #[must_use]
    pub fn tenant(&self, ix: TenantIx) -> &Tenant {
        &self.tenants[ix.index()]
    }

    /// A profile.
    #[must_use]
    pub fn profile(&self, ix: ProfileIx) -> &Profile {
        &self.profiles[ix.index()]
    }

    /// A number group.
    #[must_use]
    pub fn did_group(&self, ix: DidGroupIx) -> &DidGroup {
        &self.did_groups[ix.index()]
    }

    /// A resource group.
    #[must_use]
    pub fn group(&self, ix: GroupIx) -> &Group {
        &self.groups[ix.index()]
    }

    /// A resource.
    #[must_use]
    pub fn resource(&self, ix: ResourceIx) -> &Resource {
        &self.resources[ix.index()]
    }

    /// All tenants: `Environment`, then the others in the order of the documents.
    pub fn tenants(&self) -> impl Iterator<Item = (TenantIx, &Tenant)> {
        (0..).map(TenantIx).zip(self.tenants.iter().map(AsRef::as_ref))
    }

    /// All profiles in the order of the documents.
    pub fn profiles(&self) -> impl Iterator<Item = (ProfileIx, &Profile)> {
        (0..).map(ProfileIx).zip(self.profiles.iter().map(AsRef::as_ref))
    }

    /// All number groups in the order of the documents.
    pub fn did_groups(&self) -> impl Iterator<Item = (DidGroupIx, &DidGroup)> {
        (0..).map(DidGroupIx).zip(self.did_groups.iter().map(AsRef::as_ref))
    }

    /// All resource groups in the order of the documents.
    pub fn groups(&self) -> impl Iterator<Item = (GroupIx, &Group)> {
        (0..).map(GroupIx).zip(self.groups.iter().map(AsRef::as_ref))
    }

    /// All resources, group by group in the order of the documents, then those that were found.
    pub fn resources(&self) -> impl Iterator<Item = (ResourceIx, &Resource)> {
        (0..).map(ResourceIx).zip(self.resources.iter().map(AsRef::as_ref))
    }

    /// The resource of this number in that order.
    #[must_use]
    pub fn nth_resource(&self, number: usize) -> Option<&Resource> {
        self.resources.get(number).map(AsRef::as_ref)
    }

    /// All applications in the order of the documents.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.iter().map(AsRef::as_ref)
    }

    /// The application of this name.
    #[must_use]
    pub fn application(&self, name: &str) -> Option<&Application> {
        self.applications().find(|application| application.name == name)
    }

    /// The application of this DBID.
    #[must_use]
    pub fn application_by_dbid(&self, dbid: Dbid) -> Option<&Application> {
        self.applications().find(|application| application.dbid == dbid)
    }

    /// What a number in normal form (`did::normalise`) leads to. Number groups that are disabled
    /// themselves are not asked; those of disabled tenants are, so that the call can be refused as
    /// `disabled`.
    #[must_use]
    pub fn did<'s>(&'s self, normal_number: &'s str) -> Option<DidMatch<'s>> {
        let (pattern, group) = self.dids.find(normal_number)?;
        let group = DidGroupIx(group);
        let (tenant, profile) = *self.did_links.get(group.index())?;
        Some(DidMatch { pattern, group, tenant, profile })
    }

    /// The tenant of this name: exactly, else without case if that is unique.
    #[must_use]
    pub fn tenant_by_name(&self, name: &str) -> Option<TenantIx> {
        self.names.tenants.words.get(name)
    }

    /// The tenant that has this alias; compared like names.
    #[must_use]
    pub fn tenant_by_alias(&self, alias: &str) -> Option<TenantIx> {
        self.names.tenants.aliases.get(alias)
    }

    /// The tenant of this DBID.
    #[must_use]
    pub fn tenant_by_dbid(&self, dbid: Dbid) -> Option<TenantIx> {
        self.names.tenants.dbids.get(&dbid).copied()
    }

    /// The profile of this name that a tenant sees: its own, else the nearest ancestor's; names
    /// compare exactly, then without case if that is unique.
    #[must_use]
    pub fn profile_within(&self, tenant: TenantIx, name: &str) -> Option<ProfileIx> {
        let alike = self.names.profiles.alike.get(&folded(name))?;
        let seen = |ix: &&ProfileIx, exact: bool, owner: TenantIx| {
            let profile = self.profile(**ix);
            profile.tenant == owner && (!exact || profile.name == name)
        };
        let exact = self.chain(tenant).find_map(|t| alike.iter().find(|ix| seen(ix, true, t)));
        if exact.is_some() {
            return exact.copied();
        }
        let owners = self.chain(tenant);
        let mut all = owners.flat_map(|t| alike.iter().filter(move |ix| seen(ix, false, t)));
        let only = all.next()?;
        all.next().is_none().then_some(*only)
    }

    /// The profile of this name, if it is the only one of all tenants; compared like
    /// [`Snapshot::profile_within`].
    #[must_use]
    pub fn profile_anywhere(&self, name: &str) -> Option<ProfileIx> {
        let alike = self.names.profiles.alike.get(&folded(name))?;
        let mut exact = alike.iter().filter(|ix| self.profile(**ix).name == name);
        match (exact.next(), exact.next(), alike.as_slice()) {
            (Some(only), None, _) | (None, _, [only]) => Some(*only),
            _ => None,
        }
    }

    /// The profile of this DBID.
    #[must_use]
    pub fn profile_by_dbid(&self, dbid: Dbid) -> Option<ProfileIx> {
        self.names.profiles.dbids.get(&dbid).copied()
    }

    /// The resource of this name.
    #[must_use]
    pub fn resource_by_name(&self, name: &str) -> Option<ResourceIx> {
        self.names.resources.words.get(name).copied()
    }

    /// The resource of this DBID.
    #[must_use]
    pub fn resource_by_dbid(&self, dbid: Dbid) -> Option<ResourceIx> {
        self.names.resources.dbids.get(&dbid).copied()
    }

    /// From a tenant to `Environment`, both included.
    pub fn chain(&self, tenant: TenantIx) -> impl Iterator<Item = TenantIx> {
        std::iter::successors(Some(tenant), |ix| self.tenant(*ix).parent)
    }

    /// From `Environment` to a tenant, both included.
    #[must_use]
    pub fn path(&self, tenant: TenantIx) -> SmallVec<[TenantIx; 8]> {
        let mut path: SmallVec<[TenantIx; 8]> = self.chain(tenant).collect();
        path.reverse();
        path
    }

    /// The groups that offer a service to a tenant, in placement order: nearest owner tenant, then
    /// preference, then name (rm.md §7.3). Disabled groups are among them; their resources are
    /// disabled.
    #[must_use]
    pub fn groups_for(&self, tenant: TenantIx, service: Service) -> &[GroupIx] {
        self.views.groups(tenant, service)
    }

    /// The parameters of a call under `tenant` with `profile`, by name: tenants from the root,
    /// then the profile, the later of one name winning (rm.md §5.2).
    #[must_use]
    pub fn parameters(
        &self,
        tenant: TenantIx,
        profile: ProfileIx,
        service: Service,
    ) -> SmallVec<[&Parameter; 16]> {
        let path = self.path(tenant);
        let of_tenants = path.iter().flat_map(|ix| &self.tenant(*ix).parameters);
        let all = of_tenants.chain(&self.profile(profile).parameters);
        let mut by_name: SmallVec<[&Parameter; 16]> = SmallVec::new();
        for parameter in all.filter(|parameter| parameter.service == service) {
            match by_name.binary_search_by(|one| one.name.cmp(&parameter.name)) {
                Ok(place) => {
                    by_name.iter_mut().skip(place).take(1).for_each(|one| *one = parameter)
                }
                Err(place) => by_name.insert(place, parameter),
            }
        }
        by_name
    }
}
