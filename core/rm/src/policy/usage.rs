//! Usage of tenants and profiles: sets of live sessions and legs, never counters (rm.md §2.1,
//! §6.2), and the buckets of their rates.
//!
//! A session is in one set of each object, by its first leg; a leg is in the set of its service.
//! Entering twice is entering once, and leaving what one was not in changes nothing.

use std::time::Duration;

use model::config::Service;
use model::id::Dbid;
use model::map::Map;
use model::record::Scope;
use smallvec::SmallVec;

use super::rate::{Bucket, Rates};
use crate::session::Kind;

/// One object with a policy: its kind and number.
pub(crate) type Object = (Scope, Dbid);

type Set = Map<u32, ()>;

/// For every object the sets of its live sessions and legs, by their keys in the session table.
#[derive(Debug)]
pub(crate) struct Usage {
    objects: Map<Object, Sets>,
    rates: Rates,
    seed: u64,
}

/// What belongs to one object.
#[derive(Debug)]
pub(crate) struct Sets {
    /// Sessions whose first leg is inbound.
    inbound: Set,
    /// All others.
    others: Set,
    /// Legs by service; few objects have more than one.
    legs: SmallVec<[(Service, Set); 1]>,
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
        Self { objects: Map::new(seed), rates: Map::new(seed), seed }
    }

    /// The sets of an object, unless nothing was ever in them.
    pub(crate) fn of(&self, object: Object) -> Option<&Sets> {
        self.objects.get(&object)
    }

    /// Whether a session is in the sets of an object.
    pub(crate) fn contains(&self, object: Object, session: usize) -> bool {
        self.of(object).is_some_and(|sets| sets.has(session))
    }

    /// A leg and its session are there, for all these objects.
    pub(crate) fn enter(&mut self, objects: &[Object], place: Place) {
        let seed = self.seed;
        for object in objects {
            let sets = self.objects.get_or_insert_with(*object, || Sets::new(seed));
            let (session, kind) = place.session;
            sets.sessions_mut(kind).insert(narrow(session), ());
            let (leg, service) = place.leg;
            sets.enter_leg(leg, service, seed);
        }
    }

    /// A leg has gone, and with `last` its session.
    pub(crate) fn leave(&mut self, objects: &[Object], place: Place, last: bool) {
        for object in objects {
            let Some(sets) = self.objects.get_mut(object) else { continue };
            for (_, set) in &mut sets.legs {
                set.remove(&narrow(place.leg.0));
            }
            if last {
                let (session, kind) = place.session;
                sets.sessions_mut(kind).remove(&narrow(session));
            }
        }
    }

    /// A session is there again, without a leg yet.
    pub(crate) fn enter_session(&mut self, objects: &[Object], (key, kind): (usize, Kind)) {
        let seed = self.seed;
        for object in objects {
            let sets = self.objects.get_or_insert_with(*object, || Sets::new(seed));
            sets.sessions_mut(kind).insert(narrow(key), ());
        }
    }

    /// A session and its legs belong to an object no more.
    pub(crate) fn leave_session(
        &mut self,
        object: Object,
        (key, kind): (usize, Kind),
        legs: &[usize],
    ) {
        let Some(sets) = self.objects.get_mut(&object) else { return };
        sets.sessions_mut(kind).remove(&narrow(key));
        for (_, set) in &mut sets.legs {
            for leg in legs {
                set.remove(&narrow(*leg));
            }
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

    /// Forgets the objects that nobody uses: their empty sets are kept for the next session.
    pub(crate) fn forget_unused(&mut self, now: Duration) {
        self.objects.retain(|_, sets| !sets.is_empty());
        self.rates.retain(|_, bucket| !bucket.is_full(now));
    }
}

impl Sets {
    fn new(seed: u64) -> Self {
        Self { inbound: Map::new(seed), others: Map::new(seed), legs: SmallVec::new() }
    }

    /// Live sessions.
    pub(crate) fn sessions(&self) -> u64 {
        size(&self.inbound) + size(&self.others)
    }

    /// Live sessions whose first leg is inbound.
    pub(crate) fn inbound(&self) -> u64 {
        size(&self.inbound)
    }

    /// Live legs of a service.
    pub(crate) fn legs(&self, service: Service) -> u64 {
        self.legs.iter().find(|(of, _)| *of == service).map_or(0, |(_, set)| size(set))
    }

    /// Whether a leg and its session are where they belong.
    pub(crate) fn holds(&self, place: Place) -> bool {
        let ((session, kind), (leg, service)) = (place.session, place.leg);
        let sessions = if kind == Kind::Inbound { &self.inbound } else { &self.others };
        let legs = self.legs.iter().find(|(of, _)| *of == service);
        sessions.contains_key(&narrow(session))
            && legs.is_some_and(|(_, set)| set.contains_key(&narrow(leg)))
    }

    /// Whether a session is among those that live.
    pub(crate) fn has(&self, session: usize) -> bool {
        let key = narrow(session);
        self.inbound.contains_key(&key) || self.others.contains_key(&key)
    }

    /// Live legs of all services.
    pub(crate) fn all_legs(&self) -> u64 {
        self.legs.iter().map(|(_, set)| size(set)).sum()
    }

    fn sessions_mut(&mut self, kind: Kind) -> &mut Set {
        if kind == Kind::Inbound { &mut self.inbound } else { &mut self.others }
    }

    /// A leg is of one service, which may be another than before: a connector was asked in vain.
    fn enter_leg(&mut self, leg: usize, service: Service, seed: u64) {
        for (_, set) in self.legs.iter_mut().filter(|(of, _)| *of != service) {
            set.remove(&narrow(leg));
        }
        match self.legs.iter_mut().find(|(of, _)| *of == service) {
            Some((_, set)) => {
                set.insert(narrow(leg), ());
            }
            None => {
                let mut set = Map::new(seed);
                set.insert(narrow(leg), ());
                self.legs.push((service, set));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.sessions() == 0 && self.all_legs() == 0
    }
}

fn size(set: &Set) -> u64 {
    u64::try_from(set.len()).unwrap_or(u64::MAX)
}

/// There are fewer sessions and legs than 2^32 (`limits.rs`).
fn narrow(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Place, Usage};
    use crate::session::Kind;
    use model::config::Service;
    use model::id::Dbid;
    use model::record::Scope;

    #[test]
    fn a_leg_is_in_a_set_once_and_its_session_until_the_last_one() {
        let (mut usage, object) = (Usage::new(1), (Scope::Tenant, Dbid(7)));
        let place = |leg, service| Place { session: (3, Kind::Inbound), leg: (leg, service) };
        let (first, second) = (place(1, Service::Voicexml), place(2, Service::Gateway));
        for one in [first, first, second] {
            usage.enter(&[object], one);
        }
        let counted = |usage: &Usage| {
            let sets = usage.of(object).unwrap();
            let legs = [Service::Voicexml, Service::Gateway].map(|service| sets.legs(service));
            (sets.sessions(), sets.inbound(), legs)
        };
        assert_eq!(counted(&usage), (1, 1, [1, 1]));
        usage.leave(&[object], first, false);
        usage.leave(&[object], first, false);
        assert_eq!(counted(&usage), (1, 1, [0, 1]));
        usage.leave(&[object], second, true);
        assert_eq!(counted(&usage), (0, 0, [0, 0]));
        usage.forget_unused(std::time::Duration::ZERO);
        assert!(usage.of(object).is_none());
    }
}
