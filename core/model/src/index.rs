//! Numbers found by a key that lies elsewhere: a hash table of nothing but hashes and numbers.
//!
//! For texts that somebody keeps anyway, so that finding them does not cost a second copy. Several
//! numbers may stand under one key; who asks looks whether a number is the one that is meant.

use std::fmt;
use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

use crate::parts::Parts;

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    number: u32,
}

/// See the module.
pub struct Index {
    entries: Parts<Entry>,
    hasher: FixedState,
}

impl Index {
    /// An empty index whose hashing is seeded with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { entries: Parts::new(), hasher: FixedState::with_seed(seed) }
    }

    /// Puts a number under a key, beside those that are there.
    pub fn insert<Q: Hash + ?Sized>(&mut self, key: &Q, number: u32) {
        let hash = self.hasher.hash_one(key);
        let table = self.entries.room_for(hash, |entry| entry.hash);
        table.insert_unique(hash, Entry { hash, number }, |entry| entry.hash);
    }

    /// The number under `key` of which `is` says yes. It is asked about a few others, too.
    pub fn find<Q: Hash + ?Sized>(&self, key: &Q, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let table = self.entries.of(hash);
        let found = table.find(hash, |entry| entry.hash == hash && is(entry.number));
        found.map(|entry| entry.number)
    }

    /// Takes a number out; an index that is left nearly empty gives memory back.
    pub fn remove<Q: Hash + ?Sized>(&mut self, key: &Q, number: u32) {
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.entries.of_mut(hash).find_entry(hash, |one| one.number == number) {
            entry.remove();
            self.entries.give_back(hash, |entry| entry.hash);
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index of {}", self.entries.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn numbers_of_one_key_are_told_apart_by_who_asks() {
        let texts = ["a", "b", "a", "c"];
        let mut index = Index::new(1);
        for (number, text) in (0..).zip(texts) {
            index.insert(text, number);
        }
        let is = |text: &'static str| move |number: u32| texts[number as usize] == text;
        assert_eq!(index.find("b", is("b")), Some(1));
        assert_eq!(index.find("a", |number| number == 2), Some(2));
        assert_eq!(index.find("x", is("x")), None);
        index.remove("a", 0);
        assert_eq!(index.find("a", is("a")), Some(2));
        index.remove("a", 2);
        assert_eq!(index.find("a", is("a")), None);
        assert_eq!(index.find("c", is("c")), Some(3));
    }
}
