//! The policies that judge a call: from its profile up to `Environment` (rm.md §6.1).
//!
//! What a parent lays over a child stands between the profile and the child's own policy.

use smallvec::SmallVec;

use super::Snapshot;
use crate::config::{Policy, ProfileIx, TenantIx};

/// One policy on the way.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'s> {
    /// Whose sessions its limits count.
    pub level: Level,
    /// It is the `children` entry of that tenant's parent.
    pub laid_over: bool,
    /// What it says.
    pub policy: &'s Policy,
}

/// An object whose sessions are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// A profile.
    Profile(ProfileIx),
    /// A tenant.
    Tenant(TenantIx),
}

impl Snapshot {
    /// All policies of a call under `tenant` with `profile`, the nearest first; without a profile
    /// those of the tenants.
    pub fn policies(
        &self,
        tenant: TenantIx,
        profile: Option<ProfileIx>,
    ) -> impl Iterator<Item = Layer<'_>> {
        let own = profile.map(|ix| {
            let (level, policy) = (Level::Profile(ix), &self.profile(ix).policy);
            Layer { level, laid_over: false, policy }
        });
        let above = self.chain(tenant).flat_map(|ix| {
            let (level, tenant) = (Level::Tenant(ix), self.tenant(ix));
            let over = tenant.laid_over.as_deref();
            let over = over.map(|policy| Layer { level, laid_over: true, policy });
            over.into_iter().chain([Layer { level, laid_over: false, policy: &tenant.policy }])
        });
        own.into_iter().chain(above)
    }

    /// How many sessions an object may have at burst level 1, 2 and 3: of what it says itself and
    /// what is laid over it the stricter. `None`: any number.
    #[must_use]
    pub fn session_limits(&self, level: Level) -> Option<[u32; 3]> {
        let (own, over) = match level {
            Level::Profile(ix) => (&self.profile(ix).policy, None),
            Level::Tenant(ix) => (&self.tenant(ix).policy, self.tenant(ix).laid_over.as_deref()),
        };
        let limits = |policy: &Policy| {
            let first = policy.usage_limit?;
            let second = policy.burst.map_or(first, |burst| burst.level2);
            let third = policy.burst.and_then(|burst| burst.level3).unwrap_or(second);
            Some([first, second, third])
        };
        match (limits(own), over.and_then(limits)) {
            (Some([a, b, c]), Some([d, e, f])) => Some([a.min(d), b.min(e), c.min(f)]),
            (one, other) => one.or(other),
        }
    }

    /// What `pass` gives to the calls of a profile, by key: of one key the nearest.
    #[must_use]
    pub fn passed(
        &self,
        tenant: TenantIx,
        profile: Option<ProfileIx>,
    ) -> SmallVec<[(&str, &str); 4]> {
        let mut passed: SmallVec<[(&str, &str); 4]> = SmallVec::new();
        for (key, value) in self.policies(tenant, profile).flat_map(|layer| &layer.policy.pass) {
            if let Err(place) = passed.binary_search_by(|(other, _)| (*other).cmp(key)) {
                passed.insert(place, (key, value));
            }
        }
        passed
    }

    /// What the nearest policy of a call says of something (category III).
    pub fn nearest<'s, T>(
        &'s self,
        tenant: TenantIx,
        profile: Option<ProfileIx>,
        said: impl Fn(&'s Policy) -> Option<T>,
    ) -> Option<T> {
        self.policies(tenant, profile).find_map(|layer| said(layer.policy))
    }
}
