//! The transactions of each remote address, so that the failure of a flow finds its own without
//! a look at the others.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::SocketAddr;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::chain::Chain;
use super::{PEERS, Transaction};
use crate::slots::{NONE, Slots};
use crate::transport::{Flow, Transport};

#[derive(Debug)]
struct Remote {
    transport: Transport,
    address: SocketAddr,
    chain: Chain<PEERS>,
}

/// A flow that has failed, whose transactions were not all looked at.
#[derive(Debug)]
struct Failing {
    flow: Flow,
    /// The next one.
    at: u32,
    /// Those that were made since do not concern it.
    before: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Members {
    remotes: HashTable<Remote>,
    hasher: FixedState,
    failing: VecDeque<Failing>,
}

impl Members {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            remotes: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            failing: VecDeque::new(),
        }
    }

    pub(crate) fn join(&mut self, slots: &mut Slots<Transaction>, index: u32) {
        let Some(transaction) = slots.at_mut(index) else { return };
        transaction.is_member = true;
        let flow = transaction.flow;
        let Self { remotes, hasher, .. } = self;
        let hash = hash(hasher, flow.transport, flow.remote);
        let entry = remotes.entry(
            hash,
            |remote| (remote.transport, remote.address) == (flow.transport, flow.remote),
            |remote| self::hash(hasher, remote.transport, remote.address),
        );
        let (transport, address) = (flow.transport, flow.remote);
        let mut entry = entry.or_insert_with(|| Remote { transport, address, chain: Chain::EMPTY });
        entry.get_mut().chain.push(slots, index);
    }

    pub(crate) fn leave(&mut self, slots: &mut Slots<Transaction>, index: u32) {
        let Some(transaction) = slots.at_mut(index).filter(|it| it.is_member) else { return };
        transaction.is_member = false;
        let (flow, next) = (transaction.flow, transaction.peers.next);
        for failing in self.failing.iter_mut().filter(|failing| failing.at == index) {
            failing.at = next;
        }
        let hash = hash(&self.hasher, flow.transport, flow.remote);
        let entry = self.remotes.entry(
            hash,
            |remote| (remote.transport, remote.address) == (flow.transport, flow.remote),
            |remote| self::hash(&self.hasher, remote.transport, remote.address),
        );
        if let Entry::Occupied(mut entry) = entry {
            entry.get_mut().chain.unlink(slots, index);
            if entry.get().chain.len == 0 {
                entry.remove();
            }
        }
    }

    /// A flow has failed: its transactions so far are to be looked at.
    pub(crate) fn fails(&mut self, slots: &Slots<Transaction>, flow: Flow) {
        let before = slots.moment();
        let known = self.failing.iter_mut().find(|one| one.flow == flow && one.at != NONE);
        match known {
            // those that came since stand behind
            Some(known) => known.before = before,
            None => {
                let at = self.first(flow);
                self.failing.push_back(Failing { flow, at, before });
            }
        }
    }

    /// The next transaction of the address of a flow that has failed; none: all were looked at.
    pub(crate) fn next_failing(&mut self, slots: &Slots<Transaction>) -> Option<(Flow, u32)> {
        while let Some(Failing { flow, at, before }) = self.failing.front_mut() {
            if let Some(transaction) = slots.at(*at).filter(|_| slots.is_older(*at, *before)) {
                let found = (*flow, *at);
                *at = transaction.peers.next;
                return Some(found);
            }
            self.failing.pop_front();
        }
        None
    }

    /// Whether there may be one.
    pub(crate) fn is_failing(&self) -> bool {
        !self.failing.is_empty()
    }

    /// The first transaction of the address of `flow`; the others follow by `Transaction::peers`.
    fn first(&self, flow: Flow) -> u32 {
        let hash = hash(&self.hasher, flow.transport, flow.remote);
        let found = self.remotes.find(hash, |remote| {
            (remote.transport, remote.address) == (flow.transport, flow.remote)
        });
        found.map_or(NONE, |remote| remote.chain.head)
    }

    /// How many transactions the chains of all addresses hold, for checks.
    pub(crate) fn total(&self) -> usize {
        self.remotes.iter().map(|remote| remote.chain.len).sum()
    }
}

fn hash(hasher: &FixedState, transport: Transport, address: SocketAddr) -> u64 {
    hasher.hash_one((transport, address))
}
