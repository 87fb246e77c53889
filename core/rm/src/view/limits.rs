//! The limits of tenants and profiles, and how much of each is used (rm.md §6.1, §10).
//!
//! What limits there are is read from a snapshot, wherever that is at hand; what is used only the
//! engine knows. Must not judge: stage 6 does.

use model::config::{Policy, ProfileIx, Service, TenantIx};
use model::id::Dbid;
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
    pub rule: String,
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

/// A set whose size is asked for by [`Proxy::used`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    object: Object,
    /// What of its object is in it.
    pub of: Counted,
}

/// What of an object is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Its sessions.
    Sessions,
    /// Those that began with an inbound leg.
    Inbound,
    /// Legs of one service.
    Legs(Service),
}

impl Limit {
    /// The number that nothing goes beyond: the highest burst level.
    #[must_use]
    pub fn most(&self) -> Option<u64> {
        self.level3.or(self.level2).or(self.limit)
    }
}

/// The limits of a tenant; the first is that of all its sessions, set or not. Those that its parent
/// lays over it are the parent's.
#[must_use]
pub fn of_tenant(snapshot: &Snapshot, ix: TenantIx) -> Vec<Limit> {
    let tenant = snapshot.tenant(ix);
    let object = (Scope::Tenant, tenant.dbid);
    let own = Said { object, by: tenant.dbid, tenant: &tenant.name, name: &tenant.name, over: "" };
    let mut limits = own.of(&tenant.policy);
    if let (Some(parent), Some(over)) = (tenant.parent, &tenant.laid_over) {
        let parent = snapshot.tenant(parent);
        let prefix = format!("children.{}.", tenant.name);
        let (by, name) = (parent.dbid, parent.name.as_str());
        let over_it = Said { object, by, tenant: name, name, over: &prefix }.of(over);
        limits.extend(over_it.into_iter().filter(|one| one.limit.is_some()));
    }
    limits
}

/// The limits of a profile, alike.
#[must_use]
pub fn of_profile(snapshot: &Snapshot, ix: ProfileIx) -> Vec<Limit> {
    let profile = snapshot.profile(ix);
    let (object, by) = ((Scope::Profile, profile.dbid), profile.dbid);
    let tenant = &snapshot.tenant(profile.tenant).name;
    Said { object, by, tenant, name: &profile.name, over: "" }.of(&profile.policy)
}

/// Whose sets a policy is about, and who says it.
struct Said<'s> {
    object: Object,
    by: Dbid,
    tenant: &'s str,
    name: &'s str,
    /// `children.<name>.` of what is laid over a child.
    over: &'s str,
}

impl Said<'_> {
    fn of(&self, policy: &Policy) -> Vec<Limit> {
        let most = |limit: Option<u32>| limit.map(u64::from);
        let sessions = Limit {
            level2: most(policy.burst.map(|burst| burst.level2)),
            level3: most(policy.burst.and_then(|burst| burst.level3)),
            ..self.limit("usage_limit", Counted::Sessions, policy.usage_limit)
        };
        let gateway = Counted::Legs(Service::Gateway);
        let directions = [
            ("inbound_usage_limit", Counted::Inbound, policy.inbound_usage_limit),
            ("outbound_usage_limit", gateway, policy.outbound_usage_limit),
        ];
        let directions = directions.into_iter().filter(|(.., limit)| limit.is_some());
        let services = policy.services.iter().filter(|one| one.usage_limit.is_some()).map(|one| {
            let rule = format!("services.{}.usage_limit", one.service);
            self.limit(&rule, Counted::Legs(one.service), one.usage_limit)
        });
        std::iter::once(sessions)
            .chain(directions.map(|(rule, of, limit)| self.limit(rule, of, limit)))
            .chain(services)
            .collect()
    }

    fn limit(&self, rule: &str, of: Counted, limit: Option<u32>) -> Limit {
        Limit {
            kind: self.object.0.as_str(),
            tenant: self.tenant.to_owned(),
            name: self.name.to_owned(),
            dbid: self.by.0,
            rule: format!("{}{rule}", self.over),
            used: 0,
            limit: limit.map(u64::from),
            level2: None,
            level3: None,
            set: Set { object: self.object, of },
        }
    }
}

impl Proxy {
    /// The sizes of sets, of at most [`limits::USED_ASKED`].
    #[must_use]
    pub fn used(&self, sets: &[Set]) -> Vec<u64> {
        let size = |set: &Set| {
            self.usage.of(set.object).map_or(0, |sets| match set.of {
                Counted::Sessions => sets.sessions(),
                Counted::Inbound => sets.inbound(),
                Counted::Legs(service) => sets.legs(service),
            })
        };
        sets.iter().take(limits::USED_ASKED).map(size).collect()
    }
}
