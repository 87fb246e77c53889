//! Where transactions lie and how they are found: places by id, a hash index by key, the finished
//! ones by age, and those of one remote address.
//!
//! The index comes in parts, because a hash table that grows moves all its entries at once: so it
//! is a small part that a turn of the engine waits for. It holds hashes and places only; a key is
//! compared in full when a hash agrees. The hash is seeded, so that a peer cannot choose branches
//! that meet in one place.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::bounds::{INDEX_PARTS, INDEX_ROOM};
use super::chain::Chain;
use super::members::Members;
use super::slots::{SlotId, Slots};
use super::{AGE, Phase, Transaction};

#[derive(Debug, Clone, Copy)]
struct Found {
    hash: u64,
    index: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) slots: Slots<Transaction>,
    index: Vec<HashTable<Found>>,
    pub(crate) members: Members,
    finished: Chain<AGE>,
    hasher: FixedState,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Slots::new(),
            index: (0..INDEX_PARTS).map(|_| HashTable::with_capacity(INDEX_ROOM)).collect(),
            members: Members::new(seed),
            finished: Chain::EMPTY,
            hasher: FixedState::with_seed(seed),
        }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut state = self.hasher.build_hasher();
        state.write(key);
        state.finish()
    }

    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let is_it = |index| self.slots.at(index).is_some_and(|it| it.key.as_slice() == key);
        let part = self.index.get(part_of(hash))?;
        let found = part.find(hash, |found| found.hash == hash && is_it(found.index));
        found.map(|found| found.index)
    }

    /// Takes in a pending transaction; `hash` is that of its key.
    pub(crate) fn insert(&mut self, hash: u64, transaction: Transaction) -> SlotId {
        let id = self.slots.insert(transaction);
        let found = Found { hash, index: id.index };
        if let Some(part) = self.index.get_mut(part_of(hash)) {
            part.insert_unique(hash, found, |found| found.hash);
        }
        id
    }

    /// Moves a transaction from the pending ones to the finished ones.
    pub(crate) fn finish(&mut self, index: u32) {
        self.finished.push(&mut self.slots, index);
    }

    /// The one that finished first.
    pub(crate) fn oldest(&self) -> Option<u32> {
        self.slots.at(self.finished.head).map(|_| self.finished.head)
    }

    /// Takes out a transaction; `counted` says where it has been counted until now.
    pub(crate) fn remove(&mut self, index: u32, counted: Phase) -> Option<Transaction> {
        if counted == Phase::Finished {
            self.finished.unlink(&mut self.slots, index);
        }
        self.members.leave(&mut self.slots, index);
        let transaction = self.slots.remove(index)?;
        let hash = self.hash(&transaction.key);
        let part = self.index.get_mut(part_of(hash));
        if let Some(Ok(entry)) =
            part.map(|part| part.find_entry(hash, |found| found.index == index))
        {
            entry.remove();
        }
        Some(transaction)
    }

    pub(crate) fn pending(&self) -> usize {
        self.slots.len() - self.finished.len
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.len
    }

    pub(crate) fn indexed(&self) -> usize {
        self.index.iter().map(HashTable::len).sum()
    }
}

/// From bits of the hash that a part of the index does not use itself: it takes the lowest ones
/// for the place and the seven highest for the control byte.
const fn part_of(hash: u64) -> usize {
    (hash >> 40) as usize % INDEX_PARTS
}
