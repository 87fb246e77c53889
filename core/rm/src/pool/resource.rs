//! One resource: what the configuration says, what is known of it, who is on it (rm.md §7.1).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::config::{
    Admin, GroupIx, Monitor, OnDead, PortUsage, ResourceAddress, ResourceIx, Source,
};
use model::id::Dbid;
use model::time::Millis;
use sip::endpoint::ClientId;
use sip::locate::Target;
use smallvec::SmallVec;

use super::health::{Health, Selfsaid};
use super::occupants::{Occupant, Occupants};
use super::reach::Reach;
use crate::session::ResourceNames;

/// Former addresses of a resource under calls: so many changes without a moment of rest.
const LEFT: usize = 16;

/// A resource, as long as it is configured or carries something.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) names: Arc<ResourceNames>,
    /// Its index in the snapshot in force; None when it is configured no longer.
    pub(crate) configured: Option<ResourceIx>,
    pub(crate) address: Option<ResourceAddress>,
    /// Who says that it is there.
    pub(crate) source: Source,
    pub(crate) reach: Reach,
    /// Where it was before, while calls are up there.
    pub(crate) left: SmallVec<[IpAddr; 1]>,
    pub(crate) capacity: Option<u32>,
    pub(crate) port_usage: PortUsage,
    pub(crate) passive: bool,
    pub(crate) conference_size: Option<u32>,
    pub(crate) conference_count: Option<u32>,
    pub(crate) admin: Admin,
    /// What the configuration says of that.
    pub(crate) configured_admin: Admin,
    /// When its calls are ended, if an operator wants it empty by a time.
    pub(crate) until: Option<Millis>,
    pub(crate) on_dead: OnDead,
    pub(crate) release_after: Duration,
    pub(crate) monitor: Monitor,
    /// First and longest quarantine.
    pub(crate) quarantine: (Duration, Duration),
    pub(crate) health: Health,
    /// When it died last.
    pub(crate) since: Millis,
    /// Probes missed in a row.
    pub(crate) misses: u32,
    /// Probes answered in a row.
    pub(crate) alive: u32,
    pub(crate) said: Selfsaid,
    pub(crate) quarantined: Option<Duration>,
    /// Failed tries in a row.
    pub(crate) failures: u32,
    /// Those that take a place.
    pub(crate) occupants: Occupants,
    /// Legs of the direction that takes none (`port_usage`).
    pub(crate) others: Occupants,
    /// Its conferences, with the places that each has reserved and not used.
    pub(crate) instances: BTreeMap<usize, usize>,
    /// Where it sits in its group.
    pub(crate) seat: Option<(GroupIx, usize)>,
    /// Its seat has not seen its latest change.
    pub(crate) stale: bool,
    pub(crate) probe: Probe,
    /// Calls placed since the start.
    pub(crate) total: u64,
    pub(crate) last_error: Option<String>,
}

/// A look at all who were on a resource when it began: the numbers of two walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk([usize; 2]);

/// State of its monitoring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// Call-ID and From tag, the same as long as the process lives; empty before the first.
    pub(crate) call_id: String,
    pub(crate) from_tag: String,
    /// The one that is out.
    pub(crate) out: Option<ClientId>,
    /// Where that one went.
    pub(crate) target: Option<Target>,
    /// Targets without answer since the last one that answered, or since all were tried.
    pub(crate) silent: usize,
    /// When that one began.
    pub(crate) began: Duration,
    /// When the next one is due, if a timer is set.
    pub(crate) next: Option<Duration>,
    /// Smoothed round trip in microseconds.
    pub(crate) rtt_us: Option<u64>,
}

/// The state that is shown: the first that holds, from the top (rm.md §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shown {
    Disabled,
    Dead,
    Draining,
    Quarantined,
    Full,
    Unknown,
    Healthy,
}

impl Shown {
    /// All states, from the one that hides all others on.
    pub(crate) const ALL: [Self; 7] = [
        Self::Disabled,
        Self::Dead,
        Self::Draining,
        Self::Quarantined,
        Self::Full,
        Self::Unknown,
        Self::Healthy,
    ];

    /// The state of this word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Dead => "dead",
            Self::Draining => "draining",
            Self::Quarantined => "quarantined",
            Self::Full => "full",
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
        }
    }
}

impl Member {
    pub(crate) fn new(seed: u64) -> Self {
        let names = ResourceNames {
            group: String::new(),
            name: String::new(),
            dbid: Dbid(0),
            address: String::new(),
        };
        Self {
            names: Arc::new(names),
            configured: None,
            address: None,
            source: Source::Static,
            reach: Reach::default(),
            left: SmallVec::new(),
            capacity: None,
            port_usage: PortUsage::InAndOut,
            passive: false,
            conference_size: None,
            conference_count: None,
            admin: Admin::Enabled,
            configured_admin: Admin::Enabled,
            until: None,
            on_dead: OnDead::default(),
            release_after: Duration::ZERO,
            monitor: Monitor::default(),
            quarantine: (Duration::ZERO, Duration::ZERO),
            health: Health::Unknown,
            since: Millis(0),
            misses: 0,
            alive: 0,
            said: Selfsaid::Ok,
            quarantined: None,
            failures: 0,
            occupants: Occupants::new(seed),
            others: Occupants::new(seed),
            instances: BTreeMap::new(),
            seat: None,
            stale: false,
            probe: Probe::default(),
            total: 0,
            last_error: None,
        }
    }

    /// Its load: the size of a set.
    pub(crate) fn used(&self) -> usize {
        self.occupants.len() + self.others.len()
    }

    /// Calls are up that know it at this address, which the configuration says no longer.
    pub(crate) fn is_left_at(&self, ip: IpAddr) -> bool {
        let gone = self.configured.is_none();
        let is_there = |target: Target| target.remote.ip().to_canonical() == ip;
        self.used() > 0 && (self.left.contains(&ip) || (gone && self.reach.all().any(is_there)))
    }

    /// The configuration is about to say where it is: where it was is left while calls are up.
    pub(crate) fn leave_address(&mut self) {
        let now = self.reach.all().map(|target| target.remote.ip().to_canonical());
        let now: SmallVec<[IpAddr; 2]> = now.collect();
        if self.used() == 0 {
            self.left.clear();
            return;
        }
        for ip in now {
            if !self.left.contains(&ip) && self.left.len() < LEFT {
                self.left.push(ip);
            }
        }
    }

    /// Places that nobody has taken or reserved; none: without bound.
    pub(crate) fn free_places(&self) -> Option<usize> {
        let most = usize::try_from(self.capacity?).unwrap_or(usize::MAX);
        let reserved: usize = self.instances.values().sum();
        Some(most.saturating_sub(self.occupants.len() + reserved))
    }

    /// Whether one more fits.
    pub(crate) fn has_place(&self) -> bool {
        self.free_places() != Some(0)
    }

    /// Whether this one is on it.
    pub(crate) fn carries(&self, occupant: Occupant) -> bool {
        self.occupants.contains(occupant) || self.others.contains(occupant)
    }

    /// Its legs in the order of their coming.
    pub(crate) fn legs(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.occupants.iter().chain(self.others.iter());
        all.filter_map(|occupant| match occupant {
            Occupant::Leg(leg) => Some(leg),
            Occupant::Watch(_) => None,
        })
    }

    /// How many legs are on it.
    pub(crate) fn calls(&self) -> usize {
        self.occupants.legs() + self.others.legs()
    }

    /// Begins to look at all who are on it now, while others come and go.
    pub(crate) fn begin_walk(&mut self) -> Walk {
        Walk([self.occupants.begin_walk(), self.others.begin_walk()])
    }

    /// The next of them that is still there; none: there are no more.
    pub(crate) fn walk_on(&mut self, Walk([places, others]): Walk) -> Option<Occupant> {
        self.occupants.walk_on(places).or_else(|| self.others.walk_on(others))
    }

    pub(crate) fn end_walk(&mut self, Walk([places, others]): Walk) {
        self.occupants.end_walk(places);
        self.others.end_walk(others);
    }

    /// When its state changes by itself for the next time.
    pub(crate) fn changes(&self, now: Duration) -> Duration {
        let full = match self.said {
            Selfsaid::Full(until) => until,
            Selfsaid::Ok | Selfsaid::Draining => None,
        };
        let both = [self.quarantined, full].into_iter().flatten();
        both.filter(|until| *until > now).min().unwrap_or(Duration::MAX)
    }

    /// The state that is shown at `now`.
    pub(crate) fn shown(&self, now: Duration) -> Shown {
        if self.configured.is_none() || self.admin == Admin::Disabled {
            Shown::Disabled
        } else if self.health == Health::Dead {
            Shown::Dead
        } else if self.admin == Admin::Draining || self.said == Selfsaid::Draining {
            Shown::Draining
        } else if self.quarantined_until(now).is_some() {
            Shown::Quarantined
        } else if self.said.is_full(now) || !self.has_place() {
            Shown::Full
        } else if self.health == Health::Unknown {
            Shown::Unknown
        } else {
            Shown::Healthy
        }
    }
}
