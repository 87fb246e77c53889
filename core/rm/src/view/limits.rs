//! The limits of tenants and profiles, and how much of each is used (rm.md §6.1, §10).
//!
//! What limits there are is read from a snapshot, wherever that is at hand; what is used only the
//! engine knows. Must not judge: stage 6 does.

use model::config::{Policy, ProfileIx, TenantIx};
use model::record::Scope;
use model::snapshot::Snapshot;
use serde::Serialize;

use crate::limits;
use crate::policy::Object;
use crate::proxy::Proxy;

/// One limit of one object, and what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// `tenant` or `profile`.
    pub kind: &'static str,
    /// Its tenant; of a tenant itself.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// Its dbid.
    pub dbid: u32,
    /// Field of the policy.
    pub rule: &'static str,
    /// What is in use.
    pub used: u64,
    /// Level 1; null = any number.
    pub limit: Option<u64>,
    /// Highest number at burst level 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level2: Option<u64>,
    /// The same at level 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level3: Option<u64>,
    /// The set that is counted.
    #[serde(skip)]
    pub set: Set,
}

/// A set of live sessions, whose size is asked for by [`Proxy::used`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(Object);

impl Limit {
    /// The number that nothing goes beyond: the highest burst level.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.level3.or(self.level2).or(self.limit)
    }
}

/// The limits of a tenant; the first is that of all its sessions, set or not.
#[must_use]
pub fn of_tenant(snapshot: &Snapshot, ix: TenantIx) -> Vec<Limit> {
    let tenant = snapshot.tenant(ix);
    of_policy((Scope::Tenant, tenant.dbid), &tenant.name, &tenant.name, &tenant.policy)
}

/// The limits of a profile, alike.
#[must_use]
pub fn of_profile(snapshot: &Snapshot, ix: ProfileIx) -> Vec<Limit> {
    let profile = snapshot.profile(ix);
    let tenant = &snapshot.tenant(profile.tenant).name;
    of_policy((Scope::Profile, profile.dbid), tenant, &profile.name, &profile.policy)
}

fn of_policy(object: Object, tenant: &str, name: &str, policy: &Policy) -> Vec<Limit> {
    let (scope, dbid) = object;
    vec![Limit {
        kind: scope.as_str(),
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        dbid: dbid.0,
        rule: "usage_limit",
        used: 0,
        limit: policy.usage_limit.map(u64::from),
        level2: policy.burst.map(|burst| u64::from(burst.level2)),
        level3: policy.burst.and_then(|burst| burst.level3).map(u64::from),
        set: Set(object),
    }]
}

impl Proxy {
    /// The sizes of sets, of at most [`limits::USED_ASKED`].
    #[must_use]
    pub fn used(&self, sets: &[Set]) -> Vec<u64> {
        sets.iter().take(limits::USED_ASKED).map(|set| self.usage.count(set.0)).collect()
    }
}
