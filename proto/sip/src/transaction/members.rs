//! The transactions of each remote address, so that the failure of a flow finds its own without
//! a look at the others.

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

/// See the module.
#[derive(Debug)]
pub(crate) struct Members {
    remotes: HashTable<Remote>,
    hasher: FixedState,
}

impl Members {
    pub(crate) fn new(seed: u64) -> Self {
        Self { remotes: HashTable::new(), hasher: FixedState::with_seed(seed) }
    }

    pub(crate) fn join(&mut self, slots: &mut Slots<Transaction>, index: u32) {
        let Some(transaction) = slots.at_mut(index) else { return };
        transaction.is_member = true;
        let flow = transaction.flow;
        let Self { remotes, hasher } = self;
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
        let flow = transaction.flow;
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

    /// The first transaction of the address of `flow`; the others follow by `Transaction::peers`.
    pub(crate) fn first(&self, flow: Flow) -> u32 {
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
