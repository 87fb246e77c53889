//! Names of configuration objects as they were when a call was given them.
//!
//! A call keeps what it was given, whatever the configuration does later; calls of one revision
//! share the same allocation. Must not be looked up again for a running call.

use std::sync::Arc;

use model::config::{ProfileIx, ResourceIx, Service, TenantIx};
use model::id::Dbid;
use model::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// A tenant with its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TenantNames {
    pub(crate) name: String,
    pub(crate) dbid: Dbid,
    /// Root first, the tenant itself last.
    pub(crate) path: Vec<(String, Dbid)>,
}

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProfileNames {
    pub(crate) name: String,
    pub(crate) dbid: Dbid,
    /// Number of its service.
    service: u8,
}

impl ProfileNames {
    pub(crate) fn new(name: String, dbid: Dbid, service: Service) -> Self {
        Self { name, dbid, service: service.number() }
    }

    pub(crate) fn service(&self) -> Service {
        Service::from_number(self.service).unwrap_or(Service::Voicexml)
    }
}

/// A resource with its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResourceNames {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) dbid: Dbid,
    pub(crate) address: String,
}

/// The names of one revision by their indexes, made when first asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    tenants: Vec<Option<Arc<TenantNames>>>,
    profiles: Vec<Option<Arc<ProfileNames>>>,
}

impl Names {
    /// A new revision: indexes mean other objects now.
    pub(crate) fn clear(&mut self) {
        self.tenants.clear();
        self.profiles.clear();
    }

    pub(crate) fn tenant(&mut self, snapshot: &Snapshot, tenant: TenantIx) -> Arc<TenantNames> {
        let make = || {
            let path: Vec<_> = snapshot
                .path(tenant)
                .into_iter()
                .map(|one| (snapshot.tenant(one).name.clone(), snapshot.tenant(one).dbid))
                .collect();
            let own = snapshot.tenant(tenant);
            Arc::new(TenantNames { name: own.name.clone(), dbid: own.dbid, path })
        };
        shared(&mut self.tenants, tenant.index(), make)
    }

    pub(crate) fn profile(&mut self, snapshot: &Snapshot, profile: ProfileIx) -> Arc<ProfileNames> {
        let make = || {
            let own = snapshot.profile(profile);
            Arc::new(ProfileNames::new(own.name.clone(), own.dbid, own.service))
        };
        shared(&mut self.profiles, profile.index(), make)
    }
}

fn shared<T>(all: &mut Vec<Option<Arc<T>>>, index: usize, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
    if all.len() <= index {
        all.resize(index + 1, None);
    }
    match all.get_mut(index) {
        Some(cell) => Arc::clone(cell.get_or_insert_with(make)),
        None => make(),
    }
}

/// The names of a resource.
pub(crate) fn resource(snapshot: &Snapshot, resource: ResourceIx) -> ResourceNames {
    let own = snapshot.resource(resource);
    ResourceNames {
        group: snapshot.group(own.group).name.clone(),
        name: own.name.clone(),
        dbid: own.dbid,
        address: own.address.uri.clone(),
    }
}
