//! A set of occupants in the order of their coming: the load of a resource is its size.
//!
//! A list linked through slots, and where in it each one stands: entering, leaving and the oldest
//! cost the same whatever its size, and nothing is allocated in the steady state. Who wants to look
//! at all of them walks: the list may change under its feet.

use model::map::Map;
use sip::slots::Slots;
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
    before: Option<u32>,
    behind: Option<u32>,
}

/// A look at all who were there when it began.
#[derive(Debug)]
struct Walk {
    next: Option<u32>,
    /// The latest stay of then.
    last: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Occupants {
    links: Slots<Link>,
    legs: Map<usize, u32>,
    watches: Map<u64, u32>,
    first: Option<u32>,
    last: Option<u32>,
    stays: u64,
    walks: Slab<Walk>,
}

impl Occupants {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            links: Slots::default(),
            legs: Map::new(seed),
            watches: Map::new(seed),
            first: None,
            last: None,
            stays: 0,
            walks: Slab::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// How many of them are legs.
    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn contains(&self, occupant: Occupant) -> bool {
        match occupant {
            Occupant::Leg(key) => self.legs.contains_key(&key),
            Occupant::Watch(number) => self.watches.contains_key(&number),
        }
    }

    /// All in the order of their coming.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Occupant> + '_ {
        let first = self.first.and_then(|at| self.links.at(at));
        let next = |link: &&Link| link.behind.and_then(|at| self.links.at(at));
        std::iter::successors(first, next).map(|link| link.occupant)
    }

    pub(crate) fn insert(&mut self, occupant: Occupant) {
        if self.contains(occupant) {
            return;
        }
        self.stays += 1;
        let link = Link { occupant, stay: self.stays, before: self.last, behind: None };
        let at = self.links.insert(link).index;
        match self.last.and_then(|last| self.links.at_mut(last)) {
            Some(last) => last.behind = Some(at),
            None => self.first = Some(at),
        }
        self.last = Some(at);
        match occupant {
            Occupant::Leg(key) => self.legs.insert(key, at),
            Occupant::Watch(number) => self.watches.insert(number, at),
        };
    }

    pub(crate) fn remove(&mut self, occupant: Occupant) {
        let at = match occupant {
            Occupant::Leg(key) => self.legs.remove(&key),
            Occupant::Watch(number) => self.watches.remove(&number),
        };
        let Some(at) = at else { return };
        let Some(Link { before, behind, .. }) = self.links.remove(at) else { return };
        match before.and_then(|at| self.links.at_mut(at)) {
            Some(link) => link.behind = behind,
            None => self.first = behind,
        }
        match behind.and_then(|at| self.links.at_mut(at)) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
        for (_, walk) in &mut self.walks {
            if walk.next == Some(at) {
                walk.next = behind;
            }
        }
    }

    /// Begins a walk over all who are here now, and gives back its number.
    pub(crate) fn begin_walk(&mut self) -> usize {
        self.walks.insert(Walk { next: self.first, last: self.stays })
    }

    /// The next one of a walk that is still here; none: there are no more.
    pub(crate) fn walk_on(&mut self, number: usize) -> Option<Occupant> {
        let walk = self.walks.get_mut(number)?;
        let link = self.links.at(walk.next?).filter(|link| link.stay <= walk.last)?;
        walk.next = link.behind;
        Some(link.occupant)
    }

    pub(crate) fn end_walk(&mut self, number: usize) {
        self.walks.try_remove(number);
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
            let key = chance.below(40);
            let leg = Occupant::Leg(usize::try_from(key).unwrap());
            let one = if key.is_multiple_of(4) { Occupant::Watch(key) } else { leg };
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
            assert_eq!(set.iter().collect::<Vec<_>>(), truth);
            let legs = truth.iter().filter(|one| matches!(one, Occupant::Leg(_))).count();
            assert_eq!(set.legs(), legs);
        }
    }

    /// Whoever stays is seen once and in order; who has left, has come since or has come again is
    /// not.
    #[test]
    fn a_walk_sees_those_who_have_been_here_all_the_time() {
        let (mut set, mut chance) = (Occupants::new(1), Chance::new([4; 4]));
        for _ in 0..200 {
            let here: Vec<_> = set.iter().collect();
            let (mut stayed, mut seen) = (here.clone(), [Vec::new(), Vec::new()]);
            let walks = [set.begin_walk(), set.begin_walk()];
            for step in 0..100 {
                let one = Occupant::Leg(usize::try_from(chance.below(60)).unwrap());
                let which = step % 2;
                match chance.below(4) {
                    0 | 1 => set.insert(one),
                    2 => {
                        set.remove(one);
                        stayed.retain(|other| *other != one);
                    }
                    _ => {
                        let next = set.walk_on(walks[which]);
                        assert!(next.is_none_or(|next| stayed.contains(&next)));
                        seen[which].extend(next);
                    }
                }
            }
            for (walk, seen) in walks.into_iter().zip(&mut seen) {
                seen.extend(std::iter::from_fn(|| set.walk_on(walk)));
                assert!(stayed.iter().all(|one| seen.contains(one)));
                assert!(here.iter().filter(|one| seen.contains(one)).eq(seen.iter()));
                set.end_walk(walk);
            }
            assert!(set.walks.is_empty());
        }
    }
}
