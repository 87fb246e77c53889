//! How long what is kept, as a pure function of values, objects and a time (rs.md §10).
//!
//! [`Terms`] are the values in force: defaults, and overrides of tenants and profiles, of which
//! the nearest wins: profile, tenant, its ancestors. They say what of a day may go ([`DayPlan`])
//! and which record comes too late ([`Terms::judge`]). Days are whole days of the RS zone after
//! the call's end. No clock, no database; who carries a plan out decides nothing.

mod clock;
mod judge;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::key::Day;
use crate::privacy::Hush;
use crate::rollup::Zone;

pub use clock::ahead;
pub use judge::TIMED_OUT;
pub use plan::{DayPlan, Due, Group, Which};

/// Days that ids are remembered at least, before the margin (rs.md §10).
const LEDGER_LEAST: u32 = 14;
/// Days by which the ledger outlives the facts.
const LEDGER_MARGIN: u32 = 2;
/// Ancestors that are looked at: a circle of parents ends here.
const DEPTH: usize = 64;
/// The greatest number of days.
pub const DAYS_MOST: u32 = 36_500;

/// What an override may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Calls, and all that hangs on them.
    Cdr,
    /// Events, but for the reports of voice applications.
    Events,
    /// What voice applications report.
    Var,
}

/// Whose override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A tenant's, and that of its descendants which have none of their own.
    Tenant(i64),
    /// A profile's.
    Profile(i64),
}

/// Days by kind; `None`: what stands above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of [`What::Cdr`].
    pub cdr: Option<u32>,
    /// Of [`What::Events`].
    pub events: Option<u32>,
    /// Of [`What::Var`].
    pub var: Option<u32>,
}

/// The defaults, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// `rs.retention.cdr`; reports of voice applications are kept as long.
    pub cdr: u32,
    /// `rs.retention.events`
    pub events: u32,
}

/// An object as the database knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Last name.
    pub name: String,
    /// Parent of a tenant.
    pub parent: Option<i64>,
    /// The object of a DBID that has this name now.
    pub alias_of: Option<i64>,
}

/// The values in force.
#[derive(Clone, Debug)]
pub struct Terms {
    zone: Zone,
    defaults: Defaults,
    overrides: BTreeMap<Holder, Wanted>,
    tenants: BTreeMap<i64, Known>,
    profiles: BTreeMap<i64, Known>,
    /// Ids of tenants, and of profiles with an override, by the name that a record may give
    /// instead.
    names: BTreeMap<(bool, String), i64>,
    /// First day of a call that is still in progress.
    oldest_live: Option<Day>,
    hush: Hush,
}

impl Wanted {
    /// These, and where they say nothing those below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let Self { cdr, events, var } = self;
        Self { cdr: cdr.or(below.cdr), events: events.or(below.events), var: var.or(below.var) }
    }

    const fn of(&self, what: What) -> Option<u32> {
        match what {
            What::Cdr => self.cdr,
            What::Events => self.events,
            What::Var => self.var,
        }
    }
}

impl Terms {
    /// Defaults without overrides.
    #[must_use]
    pub const fn new(zone: Zone, defaults: Defaults) -> Self {
        Self {
            zone,
            defaults,
            overrides: BTreeMap::new(),
            tenants: BTreeMap::new(),
            profiles: BTreeMap::new(),
            names: BTreeMap::new(),
            oldest_live: None,
            hush: Hush::of(Vec::new()),
        }
    }

    /// With these overrides, and the objects that they are of or stand above.
    #[must_use]
    pub fn with(
        mut self,
        overrides: BTreeMap<Holder, Wanted>,
        tenants: BTreeMap<i64, Known>,
        profiles: BTreeMap<i64, Known>,
    ) -> Self {
        let name = |holder: &Holder| match holder {
            Holder::Tenant(id) => Some(((false, tenants.get(id)?.name.clone()), *id)),
            Holder::Profile(id) => Some(((true, profiles.get(id)?.name.clone()), *id)),
        };
        let all = tenants.iter().map(|(id, tenant)| ((false, tenant.name.clone()), *id));
        // of several with one name the one that has an override
        self.names = all.chain(overrides.keys().filter_map(name)).collect();
        (self.overrides, self.tenants, self.profiles) = (overrides, tenants, profiles);
        self
    }

    /// With the first day of a call in progress, so that what it still sends has its day.
    #[must_use]
    pub const fn with_live(mut self, oldest: Option<Day>) -> Self {
        self.oldest_live = oldest;
        self
    }

    /// With events whose texts are not stored.
    #[must_use]
    pub fn with_hush(mut self, hush: Hush) -> Self {
        self.hush = hush;
        self
    }

    /// The defaults.
    #[must_use]
    pub const fn defaults(&self) -> Defaults {
        self.defaults
    }

    /// All overrides.
    #[must_use]
    pub const fn overrides(&self) -> &BTreeMap<Holder, Wanted> {
        &self.overrides
    }

    /// Days in force for the calls of a tenant and a profile, by their ids in the database.
    #[must_use]
    pub fn days(&self, what: What, tenant: Option<i64>, profile: Option<i64>) -> u32 {
        let own = |holder| self.overrides.get(&holder).and_then(|wanted| wanted.of(what));
        let real = |known: &BTreeMap<i64, Known>, id: i64| {
            known.get(&id).and_then(|object| object.alias_of).unwrap_or(id)
        };
        let profile = profile.map(|id| real(&self.profiles, id));
        if let Some(days) = profile.and_then(|id| own(Holder::Profile(id))) {
            return days;
        }
        let mut next = tenant;
        for _ in 0..DEPTH {
            let Some(id) = next.map(|id| real(&self.tenants, id)) else { break };
            if let Some(days) = own(Holder::Tenant(id)) {
                return days;
            }
            next = self.tenants.get(&id).and_then(|tenant| tenant.parent);
        }
        match what {
            What::Cdr => self.defaults.cdr,
            What::Events => self.defaults.events,
            // as long as their call
            What::Var => self.days(What::Cdr, tenant, profile),
        }
    }

    /// The longest time of calls in force.
    #[must_use]
    pub fn longest(&self) -> u32 {
        let cdr = self.overrides.values().filter_map(|wanted| wanted.cdr);
        cdr.chain([self.defaults.cdr]).max().unwrap_or_default()
    }

    /// Days that ids are remembered, so that no replay comes back to life.
    #[must_use]
    pub fn ledger_days(&self) -> u32 {
        self.longest().max(LEDGER_LEAST) + LEDGER_MARGIN
    }

    /// What ended before this instant has been kept for so many whole days.
    #[must_use]
    pub fn cutoff(&self, days: u32, now_ms: i64) -> i64 {
        self.zone.day_start(now_ms, days)
    }
}
