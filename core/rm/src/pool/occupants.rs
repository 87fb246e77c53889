//! A set of occupants in the order of their coming: the load of a resource is its size.
//!
//! A list linked through a slab, and where in it each one stands: entering, leaving and the oldest
//! cost the same whatever its size, and nothing is allocated in the steady state.

use model::map::Map;
use slab::Slab;

/// Who takes a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Occupant {
    /// A leg, by its key in the session table.
    Leg(usize),
    /// A try that was given up and is still watched, by its number.
    Watch(u64),
}

#[derive(Debug)]
struct Link {
    occupant: Occupant,
    /// Number of its coming: another stay of the same occupant has another one.
    stay: u64,
    before: Option<usize>,
    behind: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Occupants {
    links: Slab<Link>,
    places: Map<Occupant, usize>,
    first: Option<usize>,
    last: Option<usize>,
    stays: u64,
}

impl Occupants {
    pub(crate) fn new(seed: u64) -> Self {
        Self { links: Slab::new(), places: Map::new(seed), first: None, last: None, stays: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    pub(crate) fn contains(&self, occupant: Occupant) -> bool {
        self.places.contains_key(&occupant)
    }

    /// The number of its stay, if it is here.
    pub(crate) fn stay(&self, occupant: Occupant) -> Option<u64> {
        Some(self.links.get(*self.places.get(&occupant)?)?.stay)
    }

    /// All in the order of their coming, each with the number of its stay.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Occupant, u64)> + '_ {
        let first = self.first.and_then(|at| self.links.get(at));
        let next = |link: &&Link| link.behind.and_then(|at| self.links.get(at));
        std::iter::successors(first, next).map(|link| (link.occupant, link.stay))
    }

    pub(crate) fn insert(&mut self, occupant: Occupant) {
        if self.contains(occupant) {
            return;
        }
        self.stays += 1;
        let link = Link { occupant, stay: self.stays, before: self.last, behind: None };
        let at = self.links.insert(link);
        match self.last.and_then(|last| self.links.get_mut(last)) {
            Some(last) => last.behind = Some(at),
            None => self.first = Some(at),
        }
        self.last = Some(at);
        self.places.insert(occupant, at);
    }

    pub(crate) fn remove(&mut self, occupant: Occupant) {
        let Some(at) = self.places.remove(&occupant) else { return };
        let Some(Link { before, behind, .. }) = self.links.try_remove(at) else { return };
        match before.and_then(|at| self.links.get_mut(at)) {
            Some(link) => link.behind = behind,
            None => self.first = behind,
        }
        match behind.and_then(|at| self.links.get_mut(at)) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Occupant, Occupants};
    use model::chance::Chance;

    #[test]
    fn it_is_a_set_in_the_order_of_coming_whatever_goes() {
        let (mut set, mut truth) = (Occupants::new(1), Vec::new());
        let mut chance = Chance::new([3; 4]);
        for _ in 0..3000 {
            let one = Occupant::Leg(usize::try_from(chance.below(40)).unwrap());
            if chance.below(2) == 0 {
                set.insert(one);
                if !truth.contains(&one) {
                    truth.push(one);
                }
            } else {
                set.remove(one);
                truth.retain(|other| *other != one);
            }
            assert_eq!((set.len(), set.contains(one)), (truth.len(), truth.contains(&one)));
            assert_eq!(set.iter().map(|(one, _)| one).collect::<Vec<_>>(), truth);
        }
    }

    #[test]
    fn who_comes_again_is_told_from_who_was_here() {
        let mut set = Occupants::new(1);
        let one = Occupant::Watch(7);
        set.insert(one);
        let first = set.stay(one);
        set.insert(one);
        assert_eq!(set.stay(one), first);
        set.remove(one);
        assert_eq!(set.stay(one), None);
        set.insert(one);
        assert!(set.stay(one) > first);
    }
}
