//! Requests outside dialogs by what all copies of one have in common (RFC 3261 §8.2.2.2).
//!
//! An origin is a seeded hash of 64 bits over [`super::key::origin`], and decides alone: one
//! half lies in the transaction and leads to its entry, the other in the entry.

use std::num::NonZeroU32;

use hashbrown::HashTable;

use super::Transaction;
use super::bounds::{INDEX_PARTS, INDEX_ROOM};
use super::index::{is_wasteful, part_of, spread};
use crate::slots::Slots;

/// The half of an origin that a transaction keeps.
pub(crate) type Half = NonZeroU32;

#[derive(Debug, Clone, Copy)]
struct Entry {
    rest: u32,
    index: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Origins {
    parts: Vec<HashTable<Entry>>,
}

impl Origins {
    /// Bytes that one entry takes, as in `index.rs`.
    #[cfg(test)]
    pub(crate) const PLACE: usize = (size_of::<Entry>() + 1) * 16 / 7;

    pub(crate) fn new() -> Self {
        Self { parts: (0..INDEX_PARTS).map(|_| HashTable::with_capacity(INDEX_ROOM)).collect() }
    }

    /// The transaction at `index` carries a request of this origin.
    pub(crate) fn insert(&mut self, slots: &mut Slots<Transaction>, index: u32, origin: u64) {
        let (half, rest) = halves(origin);
        let Some(transaction) = slots.at_mut(index) else { return };
        transaction.origin = Some(half);
        let hash = spread(half.get());
        if let Some(part) = self.parts.get_mut(part_of(hash)) {
            part.insert_unique(hash, Entry { rest, index }, |entry| hash_of(slots, entry));
        }
    }

    /// Another transaction of the same origin as that at `index` of which `is_it` holds.
    pub(crate) fn other(
        &self,
        slots: &Slots<Transaction>,
        index: u32,
        is_it: impl Fn(&Transaction) -> bool,
    ) -> Option<u32> {
        let half = slots.at(index)?.origin?;
        let hash = spread(half.get());
        let part = self.parts.get(part_of(hash))?;
        let own = part.find(hash, |entry| entry.index == index)?.rest;
        let found = part.find(hash, |entry| {
            entry.index != index
                && entry.rest == own
                && slots.at(entry.index).is_some_and(|it| it.origin == Some(half) && is_it(it))
        });
        found.map(|entry| entry.index)
    }

    /// The transaction at `index` is gone; `half` is what it kept.
    pub(crate) fn remove(&mut self, slots: &Slots<Transaction>, half: Half, index: u32) {
        let hash = spread(half.get());
        let Some(part) = self.parts.get_mut(part_of(hash)) else { return };
        if let Ok(entry) = part.find_entry(hash, |entry| entry.index == index) {
            entry.remove();
        }
        if is_wasteful(part) {
            part.shrink_to(2 * part.len(), |entry| hash_of(slots, entry));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }
}

/// What an entry stands under: its transaction knows.
fn hash_of(slots: &Slots<Transaction>, entry: &Entry) -> u64 {
    let half = slots.at(entry.index).and_then(|it| it.origin);
    half.map_or(0, |half| spread(half.get()))
}

fn halves(origin: u64) -> (Half, u32) {
    let [a, b, c, d, rest @ ..] = origin.to_be_bytes();
    let half = u32::from_be_bytes([a, b, c, d]) | 1;
    (Half::new(half).unwrap_or(Half::MIN), u32::from_be_bytes(rest))
}
