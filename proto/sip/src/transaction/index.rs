//! Places by hash, in parts: a hash table that grows moves all its entries at once, so it is a
//! small part that a turn of the engine waits for.
//!
//! Holds half a hash and a place; whoever looks up says what else must agree.

use hashbrown::HashTable;

use super::bounds::{INDEX_PARTS, INDEX_ROOM};

#[derive(Debug, Clone, Copy)]
struct Found {
    hash: u32,
    index: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    parts: Vec<HashTable<Found>>,
}

impl Index {
    /// Bytes that one entry takes: itself and its control byte in a table that is at worst 7/16
    /// full.
    #[cfg(test)]
    pub(crate) const PLACE: usize = (size_of::<Found>() + 1) * 16 / 7;

    pub(crate) fn new() -> Self {
        Self { parts: (0..INDEX_PARTS).map(|_| HashTable::with_capacity(INDEX_ROOM)).collect() }
    }

    /// The first place of this hash of which `is_it` holds.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let half = half(hash);
        let part = self.parts.get(part_of(spread(half)))?;
        let found = part.find(spread(half), |found| found.hash == half && is_it(found.index));
        found.map(|found| found.index)
    }

    pub(crate) fn insert(&mut self, hash: u64, index: u32) {
        let half = half(hash);
        if let Some(part) = self.parts.get_mut(part_of(spread(half))) {
            part.insert_unique(spread(half), Found { hash: half, index }, |one| spread(one.hash));
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, index: u32) {
        let spread = spread(half(hash));
        let Some(part) = self.parts.get_mut(part_of(spread)) else { return };
        if let Ok(entry) = part.find_entry(spread, |found| found.index == index) {
            entry.remove();
        }
        if is_wasteful(part) {
            part.shrink_to(2 * part.len(), |one| self::spread(one.hash));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }
}

/// The half that is kept; the other one may be shown in tags.
const fn half(hash: u64) -> u32 {
    let [_, _, _, _, low @ ..] = hash.to_be_bytes();
    u32::from_be_bytes(low)
}

/// Whether a part that was once larger should give memory back.
pub(super) fn is_wasteful<T>(part: &HashTable<T>) -> bool {
    part.capacity() > 4 * INDEX_ROOM && part.len() < part.capacity() / 16
}

/// A hash of 64 bits again, of which all parts depend on the whole half.
pub(super) const fn spread(half: u32) -> u64 {
    (half as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// From bits of the hash that a part does not use itself: it takes the lowest ones for the place
/// and the seven highest for the control byte.
pub(super) const fn part_of(hash: u64) -> usize {
    (hash >> 40) as usize % INDEX_PARTS
}
