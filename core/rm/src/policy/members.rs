//! Who is in the sets of objects, and where: sessions by their keys in the table, or legs.
//!
//! A set is a list without order, and each member knows its place in the lists that it is in. So to
//! enter, to leave and to ask costs the same whatever the sizes, and touches one list at its end,
//! or where the member stood. The size of a set is the length of its list.

use model::config::Service;
use slab::Slab;
use smallvec::SmallVec;

/// Places for which an empty list keeps room.
const KEPT_ROOM: usize = 4096;
/// Members whose standings lie together: one more costs one allocation, and no copy of the others.
const CHUNK: usize = 1024;

/// Which set of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Set {
    /// Sessions whose first leg is inbound.
    #[default]
    Inbound,
    /// All other sessions.
    Others,
    /// Legs of a service.
    Legs(Service),
}

/// The sets of one object; few have more than two.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    lists: SmallVec<[(Set, Vec<u32>); 2]>,
}

impl Sets {
    /// Live sessions.
    pub(crate) fn sessions(&self) -> u64 {
        self.size(Set::Inbound) + self.size(Set::Others)
    }

    /// Live sessions whose first leg is inbound.
    pub(crate) fn inbound(&self) -> u64 {
        self.size(Set::Inbound)
    }

    /// Live legs of a service.
    pub(crate) fn legs(&self, service: Service) -> u64 {
        self.size(Set::Legs(service))
    }

    /// Live legs of all services.
    pub(crate) fn all_legs(&self) -> u64 {
        let legs = self.lists.iter().filter(|(set, _)| matches!(set, Set::Legs(_)));
        legs.map(|(_, list)| size(list)).sum()
    }

    /// Nobody is in any.
    pub(super) fn is_empty(&self) -> bool {
        self.lists.iter().all(|(_, list)| list.is_empty())
    }

    fn size(&self, set: Set) -> u64 {
        self.list(set).map_or(0, |list| size(list))
    }

    fn list(&self, set: Set) -> Option<&Vec<u32>> {
        self.lists.iter().find(|(of, _)| *of == set).map(|(_, list)| list)
    }

    fn list_mut(&mut self, set: Set) -> Option<&mut Vec<u32>> {
        self.lists.iter_mut().find(|(of, _)| *of == set).map(|(_, list)| list)
    }

    /// Appends a member; gives back its place.
    fn push(&mut self, set: Set, key: u32) -> u32 {
        let Some(list) = self.list_mut(set) else {
            self.lists.push((set, vec![key]));
            return 0;
        };
        list.push(key);
        narrow(list.len() - 1)
    }

    /// Takes a member out; gives back the one that stands in its place now.
    fn take(&mut self, set: Set, at: u32) -> Option<u32> {
        let (list, at) = (self.list_mut(set)?, at as usize);
        if at < list.len() {
            list.swap_remove(at);
        }
        if list.capacity() > KEPT_ROOM && list.len() < list.capacity() / 16 {
            list.shrink_to(2 * list.len());
        }
        list.get(at).copied()
    }
}

/// The sets of all objects, by the number of the object.
pub(super) type Objects = Slab<Sets>;

/// Sessions or legs, by their keys.
#[derive(Debug, Default)]
pub(super) struct Members {
    standings: Vec<Vec<Standing>>,
}

/// What a member is in: the same set of some objects.
#[derive(Clone, Debug, Default)]
struct Standing {
    set: Set,
    places: SmallVec<[Place; 4]>,
}

/// One object, and where in the list.
#[derive(Clone, Copy, Debug)]
struct Place {
    object: u32,
    at: u32,
}

impl Members {
    /// Whether a member is in a set of this object.
    pub(super) fn is_in(&self, key: usize, object: u32) -> bool {
        let standing = self.standing(key);
        standing.is_some_and(|own| own.places.iter().any(|place| place.object == object))
    }

    /// Whether a member is where it belongs: in the list, at the place that it knows.
    pub(super) fn holds(&self, objects: &Objects, (key, set): (usize, Set), object: u32) -> bool {
        let Some(own) = self.standing(key).filter(|own| own.set == set) else { return false };
        let place = own.places.iter().find(|place| place.object == object);
        let list = objects.get(object as usize).and_then(|sets| sets.list(set));
        let stands = place.zip(list).and_then(|(place, list)| list.get(place.at as usize));
        stands.copied() == Some(narrow(key))
    }

    /// Puts a member into this set of these objects. It can be in one kind of set only: whoever was
    /// in another one has left it.
    pub(super) fn enter(&mut self, objects: &mut Objects, (key, set): (usize, Set), into: &[u32]) {
        while self.standings.len() <= key / CHUNK {
            self.standings.push(vec![Standing::default(); CHUNK]);
        }
        if self.standing(key).is_some_and(|own| own.set != set) {
            self.leave_all(objects, key);
        }
        let Some(own) = self.standing_mut(key) else { return };
        own.set = set;
        for object in into.iter().copied() {
            if own.places.iter().any(|place| place.object == object) {
                continue;
            }
            let Some(sets) = objects.get_mut(object as usize) else { continue };
            let at = sets.push(set, narrow(key));
            own.places.push(Place { object, at });
        }
    }

    /// Takes a member out of the sets of one object.
    pub(super) fn leave(&mut self, objects: &mut Objects, key: usize, object: u32) {
        let Some(own) = self.standing_mut(key) else { return };
        let Some(nth) = own.places.iter().position(|place| place.object == object) else { return };
        let (set, place) = (own.set, own.places.swap_remove(nth));
        self.close_up(objects, set, place);
    }

    /// Takes a member out of all sets.
    pub(super) fn leave_all(&mut self, objects: &mut Objects, key: usize) {
        while let Some(own) = self.standing_mut(key)
            && let Some(place) = own.places.pop()
        {
            let set = own.set;
            self.close_up(objects, set, place);
        }
    }

    fn standing(&self, key: usize) -> Option<&Standing> {
        self.standings.get(key / CHUNK)?.get(key % CHUNK)
    }

    fn standing_mut(&mut self, key: usize) -> Option<&mut Standing> {
        self.standings.get_mut(key / CHUNK)?.get_mut(key % CHUNK)
    }

    /// The last one of the list takes a place that is free, and knows it.
    fn close_up(&mut self, objects: &mut Objects, set: Set, free: Place) {
        let sets = objects.get_mut(free.object as usize);
        let Some(moved) = sets.and_then(|sets| sets.take(set, free.at)) else { return };
        let places = self.standing_mut(moved as usize).map(|own| &mut own.places);
        let place = places.and_then(|all| all.iter_mut().find(|one| one.object == free.object));
        if let Some(place) = place {
            place.at = free.at;
        }
    }
}

fn size(list: &[u32]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// There are fewer sessions and legs than 2^32 (`limits.rs`).
fn narrow(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Members, Objects, Set, Sets};
    use model::chance::Chance;
    use model::config::Service;
    use std::collections::BTreeMap;

    /// Where each member is, as it should be.
    type Truth = BTreeMap<usize, (Set, Vec<u32>)>;

    #[test]
    fn whatever_comes_and_goes_everybody_is_where_it_belongs() {
        let (mut objects, mut members) = (Objects::new(), Members::default());
        (0..4).for_each(|_| _ = objects.insert(Sets::default()));
        let (mut truth, mut chance) = (Truth::new(), Chance::new([5; 4]));
        let sets = [Set::Inbound, Set::Others, Set::Legs(Service::Msml)];
        for _ in 0..5000 {
            let mut below = |most: u64| usize::try_from(chance.below(most)).unwrap();
            let (key, what) = (below(60), below(8));
            let (object, set) = (u32::try_from(below(4)).unwrap(), sets[below(3)]);
            match what {
                0 => {
                    members.leave_all(&mut objects, key);
                    truth.remove(&key);
                }
                1 | 2 => {
                    members.leave(&mut objects, key, object);
                    let own = truth.entry(key).or_default();
                    own.1.retain(|one| *one != object);
                }
                _ => {
                    members.enter(&mut objects, (key, set), &[object]);
                    let own = truth.entry(key).or_default();
                    if own.0 != set {
                        *own = (set, Vec::new());
                    }
                    if !own.1.contains(&object) {
                        own.1.push(object);
                    }
                }
            }
            for (key, (set, all)) in &truth {
                for object in 0..4 {
                    let there = all.contains(&object);
                    assert_eq!(members.is_in(*key, object), there);
                    assert_eq!(members.holds(&objects, (*key, *set), object), there);
                }
            }
            for object in 0..4 {
                let of = |wanted: &dyn Fn(Set) -> bool| {
                    let in_it = truth.values().filter(|(_, all)| all.contains(&object));
                    in_it.filter(|(set, _)| wanted(*set)).count() as u64
                };
                let sets = &objects[object as usize];
                let legs = of(&|set| set == Set::Legs(Service::Msml));
                assert_eq!((sets.all_legs(), sets.legs(Service::Msml)), (legs, legs));
                assert_eq!(sets.inbound(), of(&|set| set == Set::Inbound));
                assert_eq!(sets.sessions() + legs, of(&|_| true));
                assert_eq!(sets.is_empty(), of(&|_| true) == 0);
            }
        }
    }
}
