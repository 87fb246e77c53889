//! What a snapshot computes once: names to indices, and the groups that each tenant sees.
//!
//! A tenant without groups of its own shares its parent's list, so that 20,000 tenants cost little.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{
    Group, GroupIx, Profile, ProfileIx, Resource, ResourceIx, Service, Tenant, TenantIx,
};
use crate::id::Dbid;
use crate::map::Map;

/// Names and DBIDs.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) tenants: Arc<TenantNames>,
    pub(super) profiles: Arc<ProfileNames>,
    pub(super) resources: Arc<ResourceNames>,
}

/// Those of tenants.
#[derive(Debug)]
pub(super) struct TenantNames {
    pub(super) words: Words,
    pub(super) aliases: Words,
    pub(super) dbids: Map<Dbid, TenantIx>,
}

/// Those of profiles.
#[derive(Debug)]
pub(super) struct ProfileNames {
    /// Folded name → all profiles that are called so.
    pub(super) alike: Map<String, Vec<ProfileIx>>,
    pub(super) dbids: Map<Dbid, ProfileIx>,
}

/// Those of resources.
#[derive(Debug)]
pub(super) struct ResourceNames {
    pub(super) words: Map<String, ResourceIx>,
    pub(super) dbids: Map<Dbid, ResourceIx>,
}

impl TenantNames {
    pub(super) fn of(tenants: &[Arc<Tenant>]) -> Self {
        let mut names = Self::default();
        for (ix, tenant) in (0..).map(TenantIx).zip(tenants) {
            names.words.insert(&tenant.name, ix);
            tenant.aliases.iter().for_each(|alias| names.aliases.insert(alias, ix));
            names.dbids.insert(tenant.dbid, ix);
        }
        names
    }
}

impl ProfileNames {
    pub(super) fn of(profiles: &[Arc<Profile>]) -> Self {
        let mut names = Self {
            alike: Map::with_capacity(0, profiles.len()),
            dbids: Map::with_capacity(0, profiles.len()),
        };
        for (ix, profile) in (0..).map(ProfileIx).zip(profiles) {
            names.alike.get_or_insert_with(folded(&profile.name), Vec::new).push(ix);
            names.dbids.insert(profile.dbid, ix);
        }
        names
    }
}

impl ResourceNames {
    pub(super) fn of(resources: &[Arc<Resource>]) -> Self {
        let mut names = Self::default();
        for (ix, resource) in (0..).map(ResourceIx).zip(resources) {
            names.words.insert(resource.name.clone(), ix);
            names.dbids.insert(resource.dbid, ix);
        }
        names
    }
}

impl Default for TenantNames {
    fn default() -> Self {
        Self { words: Words::default(), aliases: Words::default(), dbids: Map::new(0) }
    }
}

impl Default for ProfileNames {
    fn default() -> Self {
        Self { alike: Map::new(0), dbids: Map::new(0) }
    }
}

impl Default for ResourceNames {
    fn default() -> Self {
        Self { words: Map::new(0), dbids: Map::new(0) }
    }
}

/// The form in which names without case are equal.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Words that are found exactly, else without case if that is unique.
#[derive(Debug)]
pub(super) struct Words {
    exact: Map<String, TenantIx>,
    /// `None`: several.
    folded: Map<String, Option<TenantIx>>,
}

impl Default for Words {
    fn default() -> Self {
        Self { exact: Map::new(0), folded: Map::new(0) }
    }
}

impl Words {
    pub(super) fn insert(&mut self, word: &str, ix: TenantIx) {
        self.exact.insert(word.to_owned(), ix);
        let folded = folded(word);
        let alone = !self.folded.contains_key(&folded);
        self.folded.insert(folded, alone.then_some(ix));
    }

    pub(super) fn get(&self, word: &str) -> Option<TenantIx> {
        let exact = self.exact.get(word).copied();
        exact.or_else(|| self.folded.get(&folded(word)).copied().flatten())
    }
}

/// Per tenant, the groups in placement order, service by service.
#[derive(Debug, Default)]
pub(super) struct Views {
    of_tenant: Vec<View>,
}

type View = Arc<[Vec<GroupIx>; 12]>;

impl Views {
    /// The parent of each tenant, and all groups.
    pub(super) fn build(parents: &[Option<TenantIx>], groups: &[Arc<Group>]) -> Self {
        let mut own: BTreeMap<TenantIx, Vec<GroupIx>> = BTreeMap::new();
        for (ix, group) in (0..).map(GroupIx).zip(groups) {
            own.entry(group.tenant).or_default().push(ix);
        }
        let of = |ix: &GroupIx| groups.get(ix.index());
        for list in own.values_mut() {
            list.sort_by_key(|ix| of(ix).map(|group| (group.preference, &group.name)));
        }
        let empty = View::default();
        let mut seen: Vec<Option<View>> = vec![None; parents.len()];
        let mut handed_down: Vec<View> = vec![View::default(); parents.len()];
        for ix in topological(parents) {
            let parent = parents.get(ix.index()).copied().flatten();
            let above = parent.and_then(|p| handed_down.get(p.index())).unwrap_or(&empty).clone();
            let list = own.get(&ix).map_or(&[][..], Vec::as_slice);
            let down = list.iter().filter(|ix| of(ix).is_some_and(|g| g.shared_with_children));
            let down = joined(down, &above, groups);
            if let Some(cell) = seen.get_mut(ix.index()) {
                *cell = Some(joined(list.iter(), &above, groups));
            }
            if let Some(cell) = handed_down.get_mut(ix.index()) {
                *cell = down;
            }
        }
        let of_tenant = seen.into_iter().map(Option::unwrap_or_default).collect();
        Self { of_tenant }
    }

    pub(super) fn groups(&self, tenant: TenantIx, service: Service) -> &[GroupIx] {
        let view = self.of_tenant.get(tenant.index());
        view.and_then(|view| view.get(service.index())).map_or(&[], Vec::as_slice)
    }
}

/// `list` in front of what comes from above; the very same list if there is nothing to add.
fn joined<'g>(
    list: impl Iterator<Item = &'g GroupIx>,
    above: &View,
    groups: &[Arc<Group>],
) -> View {
    let list: Vec<&GroupIx> = list.collect();
    if list.is_empty() {
        return Arc::clone(above);
    }
    let mut view: [Vec<GroupIx>; 12] = Default::default();
    for (cell, service) in view.iter_mut().zip(Service::ALL) {
        let offers = |ix: &&&GroupIx| {
            groups.get(ix.index()).is_some_and(|group| group.services.contains(&service))
        };
        cell.extend(list.iter().filter(offers).copied());
        cell.extend(above.get(service.index()).into_iter().flatten());
    }
    Arc::new(view)
}

/// All tenants, each after its parent.
pub(super) fn topological(parents: &[Option<TenantIx>]) -> Vec<TenantIx> {
    let mut children: Vec<Vec<TenantIx>> = vec![Vec::new(); parents.len()];
    let mut order = Vec::with_capacity(parents.len());
    for (ix, parent) in (0..).map(TenantIx).zip(parents) {
        match parent.and_then(|parent| children.get_mut(parent.index())) {
            Some(siblings) => siblings.push(ix),
            None => order.push(ix),
        }
    }
    let mut at = 0;
    while let Some(ix) = order.get(at).copied() {
        order.append(children.get_mut(ix.index()).unwrap_or(&mut Vec::new()));
        at += 1;
    }
    order
}
