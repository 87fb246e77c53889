//! What was found, and the order in which it is tried: by rank, then by the lot of RFC 2782.

use crate::limits;
use crate::transport::{Flow, Transport};
use std::net::SocketAddr;

/// One way to a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// By which transport.
    pub transport: Transport,
    /// To which address and port.
    pub remote: SocketAddr,
}

impl Target {
    /// Where a flow leads.
    pub const fn of(flow: Flow) -> Self {
        Self { transport: flow.transport, remote: flow.remote }
    }
}

/// One host that offers the service, with its addresses in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its transport.
    pub transport: Transport,
    /// Lower ones first: preference of the service, then priority of the SRV record.
    pub rank: u32,
    /// Its share among those of its rank.
    pub weight: u16,
    /// Its addresses, the preferred one first.
    pub addresses: Vec<SocketAddr>,
}

/// All that was found: at least one address, at most [`limits::TARGETS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// By rank, each with at least one address.
    choices: Vec<Choice>,
}

impl Targets {
    /// Exactly one target.
    pub fn one(target: Target) -> Self {
        let Target { transport, remote } = target;
        Self { choices: vec![Choice { transport, rank: 0, weight: 0, addresses: vec![remote] }] }
    }

    /// Those choices that have addresses, in their order and within the bound; `None` if none has.
    pub fn of(mut choices: Vec<Choice>) -> Option<Self> {
        choices.sort_by_key(|choice| choice.rank);
        let mut room = limits::TARGETS;
        for choice in &mut choices {
            choice.addresses.truncate(room);
            room -= choice.addresses.len();
        }
        choices.retain(|choice| !choice.addresses.is_empty());
        (!choices.is_empty()).then_some(Self { choices })
    }

    /// The target, if there is but one.
    pub fn only(&self) -> Option<Target> {
        let mut all = self.iter();
        all.next().filter(|_| all.next().is_none())
    }

    /// All targets, in the order of rank and answer.
    pub fn iter(&self) -> impl Iterator<Item = Target> + '_ {
        self.choices.iter().flat_map(Choice::targets)
    }

    /// The order for one use (RFC 3263 §4.3, RFC 2782): by rank; within a rank a lot in which each
    /// choice has the chance that its weight gives it; then the addresses of the choice in their
    /// order. Without doubles. `below(n)` is a number from 0 to n − 1.
    pub fn order(&self, mut below: impl FnMut(u64) -> u64) -> Vec<Target> {
        let mut ordered: Vec<Target> = Vec::new();
        for rank in self.choices.chunk_by(|a, b| a.rank == b.rank) {
            // "those with weight 0 are placed at the beginning of the list"
            let mut left: Vec<&Choice> = rank.iter().collect();
            left.sort_by_key(|choice| choice.weight != 0);
            while !left.is_empty() {
                let sum: u64 = left.iter().map(|choice| u64::from(choice.weight)).sum();
                // "choose a uniform random number between 0 and the sum computed (inclusive), and
                // select the RR whose running sum value is the first in the selected order which
                // is greater than or equal to the random number selected"
                let lot = below(sum + 1);
                let mut running = 0;
                let drawn = left.iter().position(|choice| {
                    running += u64::from(choice.weight);
                    running >= lot
                });
                let choice = left.remove(drawn.unwrap_or_default());
                for target in choice.targets() {
                    if !ordered.contains(&target) {
                        ordered.push(target);
                    }
                }
            }
        }
        ordered
    }
}

impl Choice {
    fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        self.addresses.iter().map(|remote| Target { transport: self.transport, remote: *remote })
    }
}
