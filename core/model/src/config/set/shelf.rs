//! The objects of one kind, and how the next ones are laid among them.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::Entry;
use crate::config::{Key, Object};
use crate::id::Dbid;
use crate::index::Index;

/// By DBID.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) objects: Arc<[Arc<Object>]>,
    places: Arc<Index>,
}

/// Where the objects of the next shelf come from.
pub(super) enum Slot {
    Old(usize),
    New(usize),
}

impl Default for Shelf {
    fn default() -> Self {
        Self { objects: Arc::default(), places: Arc::new(Index::new(0)) }
    }
}

impl Shelf {
    pub(super) fn place(&self, key: &Key) -> Option<usize> {
        let is =
            |place: u32| self.objects.get(place as usize).is_some_and(|object| object.key == *key);
        self.places.find(key, is).map(|place| place as usize)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.objects.get(self.place(key)?)
    }

    pub(super) fn by_dbid(&self, dbid: Dbid) -> Option<&Arc<Object>> {
        let at = self.objects.binary_search_by_key(&dbid, |object| object.dbid).ok()?;
        self.objects.get(at)
    }

    /// What is left without `out`, and `new` among it; `new` stands by DBID itself.
    pub(super) fn slots(&self, out: &BTreeSet<usize>, new: &[&Entry]) -> Vec<Slot> {
        let mut slots = Vec::with_capacity(self.objects.len() + new.len());
        let left = |range: std::ops::Range<usize>| {
            range.filter(|place| !out.contains(place)).map(Slot::Old)
        };
        let mut from = 0;
        for (at, entry) in new.iter().enumerate() {
            let before = |object: &Arc<Object>| order(object, &entry.object) == Ordering::Less;
            let to = self.objects.partition_point(before);
            slots.extend(left(from..to));
            slots.push(Slot::New(at));
            from = to;
        }
        slots.extend(left(from..self.objects.len()));
        slots
    }

    /// The shelf after a change.
    pub(super) fn next(&self, slots: &[Slot], new: &[&Entry]) -> Self {
        let new: Vec<&Arc<Object>> = new.iter().map(|entry| &entry.object).collect();
        let objects = laid(slots, &self.objects, &new);
        let same = |(at, slot): (usize, &Slot)| match slot {
            Slot::Old(place) => *place == at,
            Slot::New(number) => {
                let key = new.get(*number).map(|object| &object.key);
                self.objects.get(at).map(|object| &object.key) == key
            }
        };
        if objects.len() == self.objects.len() && slots.iter().enumerate().all(same) {
            return Self { objects, places: Arc::clone(&self.places) };
        }
        let mut places = Index::new(0);
        objects.iter().zip(0..).for_each(|(object, place)| places.insert(&object.key, place));
        Self { objects, places: Arc::new(places) }
    }
}

/// By DBID; objects that have the same are no valid set, but have an order.
pub(super) fn order(a: &Object, b: &Object) -> Ordering {
    (a.dbid, &a.key).cmp(&(b.dbid, &b.key))
}

/// A list laid out by these slots.
pub(super) fn laid<T>(slots: &[Slot], old: &[Arc<T>], new: &[&Arc<T>]) -> Arc<[Arc<T>]> {
    let taken = slots.iter().filter_map(|slot| match slot {
        Slot::Old(place) => old.get(*place),
        Slot::New(number) => new.get(*number).copied(),
    });
    taken.cloned().collect::<Vec<_>>().into()
}
