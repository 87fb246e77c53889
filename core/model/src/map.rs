//! A hash map without iteration, so that no order of ours can depend on hashing.
//!
//! Every map of the pure rooms is this one or a `BTreeMap`. The seed is given (chance is an input)
//! and keeps a caller's choice of keys from aiming at one bucket.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;

use foldhash::quality::FixedState;
use hashbrown::HashMap;

/// Entries for which an empty map keeps room.
const KEPT_ROOM: usize = 4096;

/// A hash map from `K` to `V` that can be asked but not walked through.
#[derive(Clone)]
pub struct Map<K, V> {
    inner: HashMap<K, V, FixedState>,
}

impl<K: Eq + Hash, V> Map<K, V> {
    /// An empty map whose hashing is seeded with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { inner: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// An empty map with room for `capacity` entries.
    #[must_use]
    pub fn with_capacity(seed: u64, capacity: usize) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { inner: HashMap::with_capacity_and_hasher(capacity, hasher) }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The value of `key`.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.inner.get(key)
    }

    /// The value of `key`, to change.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.inner.get_mut(key)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.inner.contains_key(key)
    }

    /// Puts a value; gives back the one that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.inner.insert(key, value)
    }

    /// The value of `key`, made by `make` if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.inner.entry(key).or_insert_with(make)
    }

    /// Takes a value out; a map that is left nearly empty gives memory back.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let value = self.inner.remove(key);
        let (len, room) = (self.inner.len(), self.inner.capacity());
        if room > KEPT_ROOM && len < room / 16 {
            self.inner.shrink_to(2 * len);
        }
        value
    }

    /// Forgets the entries of which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.inner.retain(|key, value| keep(key, value));
    }

    /// Forgets all entries; the memory stays.
    pub fn clear(&mut self) {
        self.inner.clear();
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map of {}", self.inner.len())
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
