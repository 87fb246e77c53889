//! A hash map without iteration, so that no order of ours can depend on hashing.
//!
//! Every map of the pure rooms is this one or a `BTreeMap`. The seed is given (chance is an input)
//! and keeps a caller's choice of keys from aiming at one bucket.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;
use hashbrown::hash_table::Entry;

use crate::parts::Parts;

/// A hash map from `K` to `V` that can be asked but not walked through.
#[derive(Clone)]
pub struct Map<K, V> {
    entries: Parts<(K, V)>,
    hasher: FixedState,
}

impl<K: Eq + Hash, V> Map<K, V> {
    /// An empty map whose hashing is seeded with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { entries: Parts::new(), hasher: FixedState::with_seed(seed) }
    }

    /// An empty map with room for `capacity` entries.
    #[must_use]
    pub fn with_capacity(seed: u64, capacity: usize) -> Self {
        Self { entries: Parts::with_capacity(capacity), hasher: FixedState::with_seed(seed) }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let found = self.entries.of(hash).find(hash, |(own, _)| own.borrow() == key);
        found.map(|(_, value)| value)
    }

    /// The value of `key`, to change.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let found = self.entries.of_mut(hash).find_mut(hash, |(own, _)| own.borrow() == key);
        found.map(|(_, value)| value)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// Puts a value; gives back the one that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.entry(&key) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().1, value)),
            Entry::Vacant(entry) => {
                entry.insert((key, value));
                None
            }
        }
    }

    /// The value of `key`, made by `make` if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let (_, value) = self.entry(&key).or_insert_with(|| (key, make())).into_mut();
        value
    }

    /// Takes a value out; a map that is left nearly empty gives memory back.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let table = self.entries.of_mut(hash);
        let entry = table.find_entry(hash, |(own, _)| own.borrow() == key).ok()?;
        let ((_, value), _) = entry.remove();
        let hasher = &self.hasher;
        self.entries.give_back(hash, |(own, _)| hasher.hash_one(own));
        Some(value)
    }

    /// Forgets the entries of which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// Forgets all entries; the memory stays.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn entry(&mut self, key: &K) -> Entry<'_, (K, V)> {
        let Self { entries, hasher } = self;
        let hash = hasher.hash_one(key);
        let again = |(own, _): &(K, V)| hasher.hash_one(own);
        entries.room_for(hash, again).entry(hash, |(own, _)| own == key, again)
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map of {}", self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn keeps_what_it_is_given() {
        let mut map: Map<String, u32> = Map::with_capacity(3, 2);
        assert!(map.is_empty());
        assert_eq!(map.insert("a".to_owned(), 1), None);
        assert_eq!(map.insert("a".to_owned(), 2), Some(1));
        *map.get_or_insert_with("b".to_owned(), || 7) += 1;
        if let Some(a) = map.get_mut("a") {
            *a += 10;
        }
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(&12), Some(&8), None));
        assert!(map.contains_key("b"));
        assert_eq!((map.remove("b"), map.remove("b"), map.len()), (Some(8), None, 1));
        map.clear();
        assert!(map.is_empty());
    }
}
