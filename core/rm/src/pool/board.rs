//! The seats of one group side by side: what a choice needs of each member, and no more.
//!
//! A member that has changed is looked at again before the next choice, the others are not; what
//! changes by time alone (quarantine, a word of its own) says when. Must not decide who is chosen.

use std::time::Duration;

use model::config::{ResourceIx, Scheme};
use model::id::Dbid;

use super::resource::{Member, Shown};
use super::scheme;

/// Capacity of one without bound, where parts of a capacity are compared (rm.md §7.4).
const BOUNDLESS: u32 = 1_000_000;

/// In this order (rm.md §7.3); the last resort of any group comes behind all healthy ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    Active,
    Passive,
    ActiveLastResort,
    PassiveLastResort,
}

impl Tier {
    /// Of healthy members, then of the others that may take a call.
    pub(crate) const ALL: [[Self; 2]; 2] =
        [[Self::Active, Self::Passive], [Self::ActiveLastResort, Self::PassiveLastResort]];

    pub(crate) const fn is_last_resort(self) -> bool {
        matches!(self, Self::ActiveLastResort | Self::PassiveLastResort)
    }

    /// Of a member that is shown so; none: it takes no call.
    fn of(member: &Member, shown: Shown, now: Duration) -> Option<Self> {
        if !member.reach.is_known() {
            return None;
        }
        let last_resort = match shown {
            Shown::Healthy => false,
            Shown::Unknown | Shown::Quarantined
                if member.has_place() && !member.said.is_full(now) =>
            {
                true
            }
            _ => return None,
        };
        Some(match (member.passive, last_resort) {
            (false, false) => Self::Active,
            (true, false) => Self::Passive,
            (false, true) => Self::ActiveLastResort,
            (true, true) => Self::PassiveLastResort,
        })
    }
}

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Key of the member.
    pub(crate) member: usize,
    pub(crate) resource: ResourceIx,
    pub(crate) dbid: Dbid,
    pub(crate) shown: Shown,
    pub(crate) tier: Option<Tier>,
    /// By what the scheme compares first: legs, or their part of the capacity.
    pub(crate) load: u64,
    /// Legs.
    pub(crate) used: u32,
    pub(crate) capacity: Option<u32>,
    /// Place among the names of the group.
    pub(crate) rank: u32,
    /// Number of the choice that fell on it last; 0: none has.
    pub(crate) chosen: u64,
    pub(crate) weight: u16,
    /// Of smooth weighted round robin.
    pub(crate) credit: i32,
    /// Hash of its name.
    pub(crate) name: u64,
}

impl Seat {
    pub(crate) fn new(
        member: usize,
        resource: ResourceIx,
        rank: u32,
        name: &str,
        weight: u16,
    ) -> Self {
        Self {
            member,
            resource,
            dbid: Dbid(0),
            shown: Shown::Disabled,
            tier: None,
            load: 0,
            used: 0,
            capacity: None,
            rank,
            chosen: 0,
            weight,
            credit: 0,
            name: scheme::hash(name.as_bytes()),
        }
    }

    fn look(&mut self, member: &Member, scheme: Scheme, now: Duration) {
        self.dbid = member.names.dbid;
        self.shown = member.shown(now);
        self.tier = Tier::of(member, self.shown, now);
        self.used = u32::try_from(member.used()).unwrap_or(u32::MAX);
        self.capacity = member.capacity;
        self.load = match scheme {
            Scheme::LeastPercent => percent(self.used, member.capacity),
            _ => u64::from(self.used),
        };
    }
}

/// Legs over capacity as a binary fraction of 64 digits: equal exactly for equal fractions, since
/// two that differ do so by more than 1/2⁶⁴.
pub(crate) fn percent(used: u32, capacity: Option<u32>) -> u64 {
    let capacity = u128::from(capacity.unwrap_or(BOUNDLESS).max(1));
    u64::try_from((u128::from(used) << 64) / capacity).unwrap_or(u64::MAX)
}

/// All seats of a group, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) seats: Vec<Seat>,
    pub(crate) scheme: Scheme,
    /// The one chosen last.
    pub(crate) last: Option<usize>,
    pub(crate) sums: Sums,
    /// It was told that all who might take calls are full.
    pub(crate) told_full: bool,
    /// When the first of them changes by itself.
    pub(crate) until: Duration,
}

/// How many seats of a group are in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Not shown as healthy.
    pub(crate) unwell: usize,
    /// May take a call.
    pub(crate) open: usize,
    /// Shown as full.
    pub(crate) full: usize,
}

impl Sums {
    /// Of these, as they are now.
    pub(crate) fn of<'m>(members: impl Iterator<Item = &'m Member>, now: Duration) -> Self {
        let mut sums = Self::default();
        for member in members {
            let shown = member.shown(now);
            sums.count(shown, Tier::of(member, shown, now));
        }
        sums
    }

    /// All who might take calls are full.
    pub(crate) fn is_full(self) -> bool {
        self.open == 0 && self.full > 0
    }

    fn count(&mut self, shown: Shown, tier: Option<Tier>) {
        self.unwell += usize::from(shown != Shown::Healthy);
        self.open += usize::from(tier.is_some());
        self.full += usize::from(shown == Shown::Full);
    }

    fn add(&mut self, seat: &Seat) {
        self.count(seat.shown, seat.tier);
    }

    fn take(&mut self, seat: &Seat) {
        self.unwell -= usize::from(seat.shown != Shown::Healthy);
        self.open -= usize::from(seat.tier.is_some());
        self.full -= usize::from(seat.shown == Shown::Full);
    }
}

impl Board {
    /// Nobody has been looked at yet.
    pub(crate) fn of(scheme: Scheme, seats: Vec<Seat>) -> Self {
        let latest = seats.iter().enumerate().max_by_key(|(_, seat)| seat.chosen);
        let last = latest.filter(|(_, seat)| seat.chosen > 0).map(|(at, _)| at);
        let mut sums = Sums::default();
        seats.iter().for_each(|seat| sums.add(seat));
        Self { seats, scheme, last, sums, told_full: false, until: Duration::ZERO }
    }

    /// Whether all who might take calls are full, if that is not what was said before.
    pub(crate) fn fills(&mut self) -> Option<bool> {
        let full = self.sums.is_full();
        let told = std::mem::replace(&mut self.told_full, full);
        (full != told).then_some(full)
    }

    /// One member has changed.
    pub(crate) fn look(&mut self, at: usize, member: &Member, now: Duration) {
        let Some(seat) = self.seats.get_mut(at) else { return };
        self.sums.take(seat);
        seat.look(member, self.scheme, now);
        self.sums.add(seat);
        self.until = self.until.min(member.changes(now));
    }

    /// Time alone has changed some.
    pub(crate) fn look_at_all<'m>(
        &mut self,
        member: impl Fn(usize) -> Option<&'m Member>,
        now: Duration,
    ) {
        self.until = Duration::MAX;
        self.sums = Sums::default();
        for seat in &mut self.seats {
            if let Some(member) = member(seat.member) {
                seat.look(member, self.scheme, now);
                self.until = self.until.min(member.changes(now));
            }
            self.sums.add(seat);
        }
    }
}
