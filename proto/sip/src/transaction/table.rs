//! Where transactions lie and how they are found: places by id, a hash index by key, one by what
//! requests outside dialogs have in common, the finished ones by age, those of one remote address.
//!
//! A key is compared in full when a hash agrees. The hash is seeded, so that a peer cannot choose
//! branches that meet in one place.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use super::chain::Chain;
use super::index::Index;
use super::members::Members;
use super::origins::Origins;
use super::{AGE, Phase, Transaction};
use crate::slots::{SlotId, Slots};

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) slots: Slots<Transaction>,
    index: Index,
    origins: Origins,
    pub(crate) members: Members,
    finished: Chain<AGE>,
    hasher: FixedState,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            slots: Slots::default(),
            index: Index::new(),
            origins: Origins::new(),
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
        self.index.find(hash, is_it)
    }

    /// Takes in a pending transaction; `hash` is that of its key.
    pub(crate) fn insert(&mut self, hash: u64, transaction: Transaction) -> SlotId {
        let id = self.slots.insert(transaction);
        self.index.insert(hash, id.index);
        id
    }

    /// Says where the request of a transaction comes from; see [`super::key::origin`].
    pub(crate) fn originate(&mut self, index: u32, origin: u64) {
        self.origins.insert(&mut self.slots, index, origin);
    }

    /// Another transaction of the same origin that may still have, or has had, success.
    pub(crate) fn twin(&self, index: u32) -> Option<u32> {
        self.origins.other(&self.slots, index, |it| it.machine.is_ongoing())
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
        self.index.remove(self.hash(&transaction.key), index);
        if let Some(half) = transaction.origin {
            self.origins.remove(&self.slots, half, index);
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
        self.index.len()
    }

    pub(crate) fn originated(&self) -> usize {
        self.origins.len()
    }
}
