//! Who refers to whom: why an object cannot be deleted.

use super::{Entry, Set};
use crate::config::read::Draft;
use crate::config::{Key, Kind};

const ENVIRONMENT: &str = "Environment";

impl Set {
    /// The objects that refer to this one: a tenant's are those that it owns and its children, and
    /// a parent whose policy names it.
    #[must_use]
    pub fn referrers(&self, key: &Key) -> Vec<Key> {
        let refers = |entry: &Entry| {
            let names = entry.draft.names();
            let tenant = &entry.object.key.tenant;
            let mut named = names.into_iter().filter(|(kind, name)| {
                *kind == key.kind && *name == key.name && entry.object.key != *key
            });
            named.any(|(kind, name)| self.resolves(kind, &entry.home(tenant), name, key))
        };
        self.entries().filter(refers).map(|entry| entry.object.key.clone()).collect()
    }

    /// Whether a name that an object of `tenant` uses means `key`: the nearest on the way up.
    fn resolves(&self, kind: Kind, tenant: &str, name: &str, key: &Key) -> bool {
        if !kind.is_owned() {
            return true;
        }
        let mut at = Some(tenant.to_owned());
        while let Some(tenant) = at {
            let here = Key { kind, tenant, name: name.to_owned() };
            if self.get(&here).is_some() {
                return here == *key;
            }
            at = self.parent(&here.tenant);
        }
        false
    }

    fn parent(&self, tenant: &str) -> Option<String> {
        let (owner, name) = (ENVIRONMENT.to_owned(), tenant.to_owned());
        let key = Key { kind: Kind::Tenant, tenant: owner, name };
        let place = self.shelf(Kind::Tenant).place(&key)?;
        match &self.state.checked.drafts.get(Kind::Tenant, place)? {
            Draft::Tenant(_) if tenant == ENVIRONMENT => None,
            Draft::Tenant(draft) => {
                let parent = draft.parent.as_ref();
                Some(parent.map_or(ENVIRONMENT, |parent| &parent.value).to_owned())
            }
            _ => None,
        }
    }
}

impl Entry {
    /// The tenant from which its names are looked up: of a tenant itself.
    fn home(&self, owner: &str) -> String {
        match &self.draft {
            Draft::Tenant(draft) => draft.head.name.value.clone(),
            _ => owner.to_owned(),
        }
    }
}

impl Draft {
    /// All names of other objects in it.
    fn names(&self) -> Vec<(Kind, &str)> {
        let owner = (Kind::Tenant, self.head().tenant.value.as_str());
        match self {
            Self::Tenant(draft) => {
                let parent = draft.parent.as_ref().map_or(ENVIRONMENT, |parent| &parent.value);
                let profile = draft.default_profile.as_ref();
                let profile = profile.map(|profile| (Kind::IvrProfile, profile.value.as_str()));
                let children = draft.policy.children.iter();
                let children = children.map(|(child, _)| (Kind::Tenant, child.value.as_str()));
                [(Kind::Tenant, parent)].into_iter().chain(profile).chain(children).collect()
            }
            Self::IvrProfile(draft) => {
                let groups = draft.prefer.iter();
                let groups = groups.map(|group| (Kind::ResourceGroup, group.value.as_str()));
                [owner].into_iter().chain(groups).collect()
            }
            Self::DidGroup(draft) => vec![owner, (Kind::IvrProfile, &draft.profile.value)],
            Self::ResourceGroup(_) => vec![owner],
            Self::Application(draft) => {
                let named = draft.template.iter().chain(&draft.connections);
                named.map(|name| (Kind::Application, name.value.as_str())).collect()
            }
        }
    }
}
