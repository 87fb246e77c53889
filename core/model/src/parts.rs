//! A hash table in parts: one that grows moves all its entries at once, so a large one is many
//! small ones, and a turn of the engine waits for the growth of one of them only.
//!
//! Under `map` and `index`, which know the keys and hash them. Small tables are one part, and cost
//! nothing more than that.

use hashbrown::HashTable;

/// Entries that one part may have before it is split instead of growing: moved within some 20 µs.
const WHOLE: usize = 896;
/// Parts of a large table. With 300,000 entries one part that grows moves some thousands.
const PARTS: usize = 64;
/// Entries for which an empty table keeps room, all parts together.
const KEPT_ROOM: usize = 4096;

/// See the module.
#[derive(Clone)]
pub(crate) struct Parts<T> {
    /// All there is, until it is split.
    whole: HashTable<T>,
    parts: Vec<HashTable<T>>,
}

impl<T> Parts<T> {
    pub(crate) const fn new() -> Self {
        Self { whole: HashTable::new(), parts: Vec::new() }
    }

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { whole: HashTable::with_capacity(capacity), parts: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.tables().map(HashTable::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tables().all(HashTable::is_empty)
    }

    /// Where an entry of this hash is if it is anywhere.
    pub(crate) fn of(&self, hash: u64) -> &HashTable<T> {
        self.parts.get(part_of(hash)).unwrap_or(&self.whole)
    }

    /// The same, to change or to take out of.
    pub(crate) fn of_mut(&mut self, hash: u64) -> &mut HashTable<T> {
        self.parts.get_mut(part_of(hash)).unwrap_or(&mut self.whole)
    }

    /// The same, to put one more into.
    pub(crate) fn room_for(&mut self, hash: u64, hasher: impl Fn(&T) -> u64) -> &mut HashTable<T> {
        if self.whole.len() >= WHOLE && self.whole.len() == self.whole.capacity() {
            self.split(hasher);
        }
        self.of_mut(hash)
    }

    /// An entry of this hash was taken out: a part that is left nearly empty gives memory back.
    pub(crate) fn give_back(&mut self, hash: u64, hasher: impl Fn(&T) -> u64) {
        let kept = if self.parts.is_empty() { KEPT_ROOM } else { KEPT_ROOM / PARTS };
        let part = self.of_mut(hash);
        let (len, room) = (part.len(), part.capacity());
        if room > kept && len < room / 16 {
            part.shrink_to(2 * len, hasher);
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.tables_mut().for_each(|table| table.retain(&mut keep));
    }

    pub(crate) fn clear(&mut self) {
        self.tables_mut().for_each(HashTable::clear);
    }

    fn split(&mut self, hasher: impl Fn(&T) -> u64) {
        let whole = std::mem::take(&mut self.whole);
        let room = 2 * whole.len() / PARTS;
        self.parts = (0..PARTS).map(|_| HashTable::with_capacity(room)).collect();
        for entry in whole {
            let hash = hasher(&entry);
            self.of_mut(hash).insert_unique(hash, entry, &hasher);
        }
    }

    fn tables(&self) -> impl Iterator<Item = &HashTable<T>> {
        std::iter::once(&self.whole).chain(&self.parts)
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut HashTable<T>> {
        std::iter::once(&mut self.whole).chain(&mut self.parts)
    }
}

/// From bits of the hash that a part does not use itself: it takes the lowest ones for the place
/// and the seven highest for the control byte.
const fn part_of(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use super::{KEPT_ROOM, PARTS, Parts, WHOLE};

    /// As good as a hash.
    fn hash(one: &u64) -> u64 {
        one.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn with(numbers: u64) -> Parts<u64> {
        let mut parts = Parts::new();
        for one in 0..numbers {
            parts.room_for(hash(&one), hash).insert_unique(hash(&one), one, hash);
        }
        parts
    }

    fn room(parts: &Parts<u64>) -> usize {
        parts.tables().map(hashbrown::HashTable::capacity).sum()
    }

    #[test]
    fn a_small_one_is_whole_and_a_large_one_has_everything_in_small_parts() {
        assert!(with(WHOLE as u64).parts.is_empty());
        let all = 100_000;
        let parts = with(all);
        assert_eq!((parts.parts.len(), parts.whole.len()), (PARTS, 0));
        assert_eq!(parts.len() as u64, all);
        let largest = parts.tables().map(hashbrown::HashTable::len).max().unwrap_or_default();
        assert!(largest < 2 * parts.len() / PARTS, "{largest}");
        for one in 0..all {
            assert_eq!(parts.of(hash(&one)).find(hash(&one), |own| *own == one), Some(&one));
        }
        assert_eq!(parts.of(hash(&all)).find(hash(&all), |own| *own == all), None);
    }

    #[test]
    fn what_is_left_nearly_empty_gives_memory_back() {
        let mut parts = with(100_000);
        for one in 0..100_000 {
            let table = parts.of_mut(hash(&one));
            table.find_entry(hash(&one), |own| *own == one).unwrap().remove();
            parts.give_back(hash(&one), hash);
        }
        assert!(parts.is_empty() && room(&parts) <= 2 * KEPT_ROOM, "{}", room(&parts));
    }

    #[test]
    fn some_are_kept_and_none_after_all_are_forgotten() {
        for all in [100, 10_000] {
            let mut parts = with(all);
            parts.retain(|one| *one % 2 == 0);
            assert_eq!(parts.len() as u64, all / 2);
            parts.clear();
            assert!(parts.is_empty());
        }
    }
}
