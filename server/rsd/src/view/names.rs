//! Objects as the database has them, so that each name is in memory once.

use std::collections::BTreeMap;

use rs::Filter;
use rs::report::{Call, service};

use crate::store::{Object, ObjectKind, Store, StoreError, Turned};

/// Objects of each kind by id.
#[derive(Debug, Default)]
pub(super) struct Names([BTreeMap<u32, Object>; ObjectKind::ALL.len()]);

impl Names {
    pub(super) fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut names = Self::default();
        for kind in ObjectKind::ALL {
            let objects = store.objects(kind)?.into_iter();
            names.0[kind as usize] = objects.map(|object| (object.id, object)).collect();
        }
        Ok(names)
    }

    /// All of a kind, by id.
    pub(super) fn objects(&self, kind: ObjectKind) -> Vec<Object> {
        self.0[kind as usize].values().cloned().collect()
    }

    fn get(&self, kind: ObjectKind, id: u32) -> Option<&Object> {
        self.0[kind as usize].get(&id)
    }

    /// Whether all objects of a call are known by the names that its records told.
    pub(super) fn agree(&self, call: &Call) -> bool {
        let is = |kind, id, told: &str| {
            told.is_empty() || self.get(kind, id).is_some_and(|object| object.name == told)
        };
        let tenants = call.tenants.iter();
        is(ObjectKind::Component, call.component.id, &call.component.name)
            && tenants.clone().all(|of| is(ObjectKind::Tenant, of.id, &of.name))
            && call.application.iter().all(|of| is(ObjectKind::Profile, of.id, &of.name))
    }

    /// A leg without the names that are known.
    pub(super) fn strip(&self, mut leg: Turned) -> Turned {
        let cut = |kind, id, name: &mut String| {
            if self.get(kind, id).is_some() {
                *name = String::new();
            }
        };
        let Call { component, tenants, application, .. } = &mut leg.call;
        cut(ObjectKind::Component, component.id, &mut component.name);
        tenants.iter_mut().for_each(|of| cut(ObjectKind::Tenant, of.id, &mut of.name));
        if let Some(profile) = application {
            cut(ObjectKind::Profile, profile.id, &mut profile.name);
        }
        leg
    }

    /// Gives the objects of a call their names; one without is called by its id.
    pub(super) fn name(&self, call: &mut Call) {
        let put = |kind, id: u32, name: &mut String| match self.get(kind, id) {
            Some(object) => name.clone_from(&object.name),
            None if name.is_empty() => *name = id.to_string(),
            None => {}
        };
        let Call { component, tenants, application, .. } = call;
        put(ObjectKind::Component, component.id, &mut component.name);
        tenants.iter_mut().for_each(|of| put(ObjectKind::Tenant, of.id, &mut of.name));
        if let Some(profile) = application {
            put(ObjectKind::Profile, profile.id, &mut profile.name);
            if let Some(known) = self.get(ObjectKind::Profile, profile.id) {
                profile.service = known.kind.and_then(service);
            }
        }
    }

    /// A filter whose ids are followed by those that mean the same object.
    pub(super) fn with_aliases(&self, filter: &Filter) -> Filter {
        let more = |kind: ObjectKind, ids: &[u32]| -> Vec<u32> {
            let all = self.0[kind as usize].values();
            let alias = |object: &&Object| object.alias_of.is_some_and(|of| ids.contains(&of));
            ids.iter().copied().chain(all.filter(alias).map(|object| object.id)).collect()
        };
        Filter {
            profiles: more(ObjectKind::Profile, &filter.profiles),
            components: more(ObjectKind::Component, &filter.components),
            tenants: more(ObjectKind::Tenant, &filter.tenants),
            scope: filter.scope.as_ref().map(|scope| more(ObjectKind::Tenant, scope)),
            ..filter.clone()
        }
    }
}
