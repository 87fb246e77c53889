//! Usage of tenants and profiles: sets of live sessions and legs, never counters (rm.md §2.1,
//! §6.2), and the buckets of their rates.
//!
//! A session is in one set of each object, by its first leg; a leg is in the set of its service.
//! Entering twice is entering once, and leaving what one was not in changes nothing. The sets
//! themselves are those of `members`.

use std::time::Duration;

use model::config::Service;
use model::id::Dbid;
use model::map::Map;
use model::record::Scope;
use model::snapshot::{Level, Snapshot};
use smallvec::SmallVec;

use super::judge::Judge;
use super::members::{Members, Objects, Set, Sets};
use super::rate::{Bucket, Rates};
use crate::session::Kind;

/// One object with a policy: its kind and number.
pub(crate) type Object = (Scope, Dbid);

/// Numbers of objects.
pub(crate) type Numbers = SmallVec<[u32; 8]>;

/// The number of an object that has none yet.
const NONE: u32 = u32::MAX;

/// For every object the sets of its live sessions and legs, by their keys in the session table.
#[derive(Debug)]
pub(crate) struct Usage {
    objects: Objects,
    /// The number of each object among them.
    numbers: Map<Object, u32>,
    /// The same by the indexes of the snapshot in force, as far as they were asked for.
    tenants: Vec<u32>,
    profiles: Vec<u32>,
    sessions: Members,
    legs: Members,
    rates: Rates,
}

/// A leg in the sets: with the first one of a session its session, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Key of the session, and the kind of its first leg.
    pub(crate) session: (usize, Kind),
    /// Key of the leg, and its service.
    pub(crate) leg: (usize, Service),
}

impl Usage {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            objects: Objects::new(),
            numbers: Map::new(seed),
            tenants: Vec::new(),
            profiles: Vec::new(),
            sessions: Members::default(),
            legs: Members::default(),
            rates: Map::new(seed),
        }
    }

    /// Takes over a configuration: indexes mean other objects now, and those that nobody uses are
    /// forgotten. Until then their empty sets are kept for the next session.
    pub(crate) fn apply(&mut self, now: Duration, snapshot: &Snapshot) {
        let objects = &mut self.objects;
        self.numbers.retain(|_, number| {
            let used = objects.get(*number as usize).is_some_and(|sets| !sets.is_empty());
            if !used {
                objects.try_remove(*number as usize);
            }
            used
        });
        for (numbers, all) in [
            (&mut self.tenants, snapshot.tenants().count()),
            (&mut self.profiles, snapshot.profiles().count()),
        ] {
            numbers.clear();
            numbers.resize(all, NONE);
        }
        self.rates.retain(|_, bucket| !bucket.is_full(now));
    }

    /// The sets of an object, unless nothing was ever in them.
    pub(crate) fn of(&self, object: Object) -> Option<&Sets> {
        self.objects.get(*self.numbers.get(&object)? as usize)
    }

    /// The sets of an object by its number, and whether a session is in them.
    pub(super) fn at(&self, number: u32, session: usize) -> Option<(&Sets, bool)> {
        let sets = self.objects.get(number as usize)?;
        Some((sets, self.sessions.is_in(session, number)))
    }

    /// The number of whose sessions a judge counts.
    pub(super) fn number_at(&mut self, judge: &Judge<'_>) -> u32 {
        let known = self.cell(judge.level).map_or(NONE, |cell| *cell);
        if known != NONE {
            return known;
        }
        let number = self.number_of(judge.object());
        if let Some(cell) = self.cell(judge.level) {
            *cell = number;
        }
        number
    }

    /// The numbers of these objects.
    pub(crate) fn numbers(&mut self, objects: &[Object]) -> Numbers {
        objects.iter().map(|object| self.number_of(*object)).collect()
    }

    /// How many sessions and legs are in the sets of all objects, each as often as it is counted.
    pub(crate) fn members(&self) -> (u64, u64) {
        let sum = |of: fn(&Sets) -> u64| self.objects.iter().map(|(_, sets)| of(sets)).sum::<u64>();
        (sum(Sets::sessions), sum(Sets::all_legs))
    }

    /// Whether a session is in the sets of an object.
    pub(crate) fn contains(&self, object: Object, session: usize) -> bool {
        self.numbers.get(&object).is_some_and(|number| self.sessions.is_in(session, *number))
    }

    /// Whether a leg and its session are where they belong.
    pub(crate) fn holds(&self, object: Object, place: Place) -> bool {
        let Some(number) = self.numbers.get(&object) else { return false };
        let ((session, kind), (leg, service)) = (place.session, place.leg);
        self.sessions.holds(&self.objects, (session, of_kind(kind)), *number)
            && self.legs.holds(&self.objects, (leg, Set::Legs(service)), *number)
    }

    /// A leg and its session are there, for all objects of these numbers. A leg is of one service,
    /// which may be another than before: a connector was asked in vain.
    pub(crate) fn enter(&mut self, numbers: &[u32], place: Place) {
        let ((session, kind), (leg, service)) = (place.session, place.leg);
        self.sessions.enter(&mut self.objects, (session, of_kind(kind)), numbers);
        self.legs.enter(&mut self.objects, (leg, Set::Legs(service)), numbers);
    }

    /// A leg has gone, and with `last` its session.
    pub(crate) fn leave(&mut self, place: Place, last: bool) {
        self.legs.leave_all(&mut self.objects, place.leg.0);
        if last {
            self.sessions.leave_all(&mut self.objects, place.session.0);
        }
    }

    /// A session and its legs belong to an object no more.
    pub(crate) fn leave_session(&mut self, object: Object, key: usize, legs: &[usize]) {
        let Some(number) = self.numbers.get(&object).copied() else { return };
        self.sessions.leave(&mut self.objects, key, number);
        for leg in legs {
            self.legs.leave(&mut self.objects, *leg, number);
        }
    }

    pub(crate) fn bucket(&self, object: Object, laid_over: bool) -> Bucket {
        self.rates.get(&(object, laid_over)).copied().unwrap_or_default()
    }

    pub(crate) fn bucket_mut(&mut self, object: Object, laid_over: bool) -> &mut Bucket {
        self.rates.get_or_insert_with((object, laid_over), Bucket::default)
    }

    pub(crate) fn rates(&mut self) -> &mut Rates {
        &mut self.rates
    }

    fn cell(&mut self, level: Level) -> Option<&mut u32> {
        match level {
            Level::Tenant(ix) => self.tenants.get_mut(ix.index()),
            Level::Profile(ix) => self.profiles.get_mut(ix.index()),
        }
    }

    /// The number of an object, which gets empty sets if it has none.
    fn number_of(&mut self, object: Object) -> u32 {
        let objects = &mut self.objects;
        let new = || u32::try_from(objects.insert(Sets::default())).unwrap_or(NONE);
        *self.numbers.get_or_insert_with(object, new)
    }
}

fn of_kind(kind: Kind) -> Set {
    if kind == Kind::Inbound { Set::Inbound } else { Set::Others }
}

#[cfg(test)]
mod tests {
    use super::{Place, Usage};
    use crate::session::Kind;
    use model::config::Service;
    use model::id::{Dbid, Revision};
    use model::record::Scope;
    use model::snapshot::Snapshot;
    use std::time::Duration;

    #[test]
    fn a_leg_is_in_a_set_once_and_its_session_until_the_last_one() {
        let (mut usage, object) = (Usage::new(1), (Scope::Tenant, Dbid(7)));
        let place = |leg, service| Place { session: (3, Kind::Inbound), leg: (leg, service) };
        let (first, second) = (place(1, Service::Voicexml), place(2, Service::Gateway));
        let numbers = usage.numbers(&[object]);
        for one in [first, first, second] {
            usage.enter(&numbers, one);
        }
        let counted = |usage: &Usage| {
            let sets = usage.of(object).unwrap();
            let legs = [Service::Voicexml, Service::Gateway].map(|service| sets.legs(service));
            (sets.sessions(), sets.inbound(), legs)
        };
        assert_eq!(counted(&usage), (1, 1, [1, 1]));
        usage.leave(first, false);
        usage.leave(first, false);
        assert_eq!(counted(&usage), (1, 1, [0, 1]));
        usage.leave(second, true);
        assert_eq!(counted(&usage), (0, 0, [0, 0]));
        let (nothing, _) = Snapshot::build(&[], Revision(1)).unwrap();
        usage.apply(Duration::ZERO, &nothing);
        assert!(usage.of(object).is_none());
    }
}
