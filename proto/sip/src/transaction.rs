//! The four transaction machines of RFC 3261 §17 and RFC 6026, and what they share.
//!
//! A machine knows statuses, methods and whether its transport is reliable; it never reads a
//! message, never looks anything up and never decides where something goes. It is an enum whose
//! states own what exists only in them, and a step consumes the old state. `endpoint.rs` finds
//! the machine a message belongs to and does what the machine says. LIFECYCLE.md draws them.

pub(crate) mod bounds;
pub(crate) mod chain;
pub(crate) mod client_invite;
pub(crate) mod client_other;
pub(crate) mod deadline;
pub(crate) mod hop;
pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod members;
pub(crate) mod origins;
pub(crate) mod server_invite;
pub(crate) mod server_other;
pub(crate) mod table;
pub mod timer;

use std::time::Duration;

use crate::buffers::Buffers;
use crate::endpoint::outbox::Outbox;
use crate::transport::Flow;
use chain::{Link, Linked};
use deadline::{Armed, Deadlines};
use key::Key;
use timer::{Kind, Timer, Timers};

/// Why a packet needs no attention from above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Absorbed {
    /// A request or response that had come before; answered again where that is due.
    Retransmission,
    /// The ACK to a failure response.
    AckToFailure,
    /// A CANCEL without its INVITE; 481 was queued.
    UnmatchedCancel,
    /// A CANCEL after the final response: 200 was queued, and it has no effect (§9.2).
    LateCancel,
    /// An answer to a CANCEL of ours.
    CancelAnswer,
    /// A provisional response after the final one.
    LateProvisional,
    /// Another final response after the first.
    LateFinal,
    /// A request whose answer would go to many: its topmost Via names a group.
    Unanswerable,
    /// Blank lines or STUN: somebody keeps a binding open.
    KeepAlive,
    /// A response whose top Via we have never written (RFC 3261 §18.1.2).
    ForeignVia,
}

/// What the endpoint does with the message that caused a step, or with the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes up.
    Pass,
    /// Nobody above needs it.
    Absorb(Absorbed),
    /// It goes up as belonging to no transaction.
    Stray,
    /// The user is told that nobody answered.
    Timeout,
    /// The user is told that the transport failed.
    Failed,
    /// Nothing to tell.
    Quiet,
}

/// How far a transaction is, as the tables count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Without a final response.
    Pending,
    /// With one; it only absorbs and repeats.
    Finished,
    /// Nothing left to do: it is removed.
    Over,
}

/// The classes of a status that the machines tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 3xx to 6xx.
    Failure,
}

impl Class {
    pub(crate) const fn of(status: u16) -> Self {
        match status {
            0..200 => Self::Provisional,
            200..300 => Self::Success,
            _ => Self::Failure,
        }
    }
}

/// One transaction of either side. Whatever still runs for it when its machine is over is
/// disarmed with its removal, so no machine disarms on its way to Terminated.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) key: Key,
    /// Where its messages go.
    pub(crate) flow: Flow,
    /// Server, streams: the port of the sent-by, for when the connection is gone (§18.2.2).
    pub(crate) reply_port: u16,
    pub(crate) whose: Whose,
    /// Server, outside dialogs: what copies of the request have in common ([`key::origin`]).
    pub(crate) origin: Option<origins::Half>,
    pub(crate) machine: Machine,
    pub(crate) armed: Armed,
    /// Neighbours among the finished ones, by age.
    pub(crate) age: Link,
    /// Neighbours among those of the same remote address.
    pub(crate) peers: Link,
    /// Whether it is in the chain of its remote address.
    pub(crate) is_member: bool,
}

/// The chain of finished transactions.
pub(crate) const AGE: u8 = 1;
/// The chains of one remote address.
pub(crate) const PEERS: u8 = 2;

impl Linked<AGE> for Transaction {
    fn link(&mut self) -> &mut Link {
        &mut self.age
    }
}

impl Linked<PEERS> for Transaction {
    fn link(&mut self) -> &mut Link {
        &mut self.peers
    }
}

/// Who began a transaction, and so who hears of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The user above.
    Above,
    /// The endpoint itself, for a CANCEL: nobody hears of it.
    Own,
}

/// The machine of one transaction, with its state.
#[derive(Debug)]
pub(crate) enum Machine {
    ClientInvite(client_invite::State),
    ClientOther(client_other::State),
    ServerInvite(server_invite::State),
    ServerOther(server_other::State),
    /// Only while a step has the state in its hands.
    Stepping,
}

impl Machine {
    pub(crate) const fn phase(&self) -> Phase {
        match self {
            Self::ClientInvite(state) => state.phase(),
            Self::ClientOther(state) => state.phase(),
            Self::ServerInvite(state) => state.phase(),
            Self::ServerOther(state) => state.phase(),
            Self::Stepping => Phase::Pending,
        }
    }

    /// A server transaction that may still succeed, or has: a copy of its request that comes by
    /// another way is merged with it (RFC 3261 §8.2.2.2). After a failure the sender may try again.
    pub(crate) fn is_ongoing(&self) -> bool {
        match self {
            Self::ServerInvite(state) => state.is_ongoing(),
            Self::ServerOther(state) => state.is_ongoing(),
            Self::ClientInvite(_) | Self::ClientOther(_) | Self::Stepping => false,
        }
    }

    pub(crate) const fn is_client(&self) -> bool {
        matches!(self, Self::ClientInvite(_) | Self::ClientOther(_))
    }

    /// The step that a timer causes.
    pub(crate) fn on_timer(self, timer: Timer, desk: &mut Desk<'_>) -> (Self, Verdict) {
        match self {
            Self::ClientInvite(state) => {
                let (state, verdict) = state.on_timer(timer, desk);
                (Self::ClientInvite(state), verdict)
            }
            Self::ClientOther(state) => {
                let (state, verdict) = state.on_timer(timer, desk);
                (Self::ClientOther(state), verdict)
            }
            Self::ServerInvite(state) => {
                let (state, verdict) = state.on_timer(timer, desk);
                (Self::ServerInvite(state), verdict)
            }
            Self::ServerOther(state) => {
                let (state, verdict) = state.on_timer(timer, desk);
                (Self::ServerOther(state), verdict)
            }
            Self::Stepping => (self, Verdict::Quiet),
        }
    }
}

/// What a machine has at hand during a step: the way out, the clock and its own deadlines.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) now: Duration,
    pub(crate) timers: &'a Timers,
    pub(crate) flow: Flow,
    pub(crate) owner: u32,
    pub(crate) armed: &'a mut Armed,
    pub(crate) deadlines: &'a mut Deadlines,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) buffers: &'a mut Buffers,
    /// Messages sent again.
    pub(crate) repeated: &'a mut u64,
}

impl Desk<'_> {
    /// Whether the transport is reliable, so that nothing is repeated.
    pub(crate) const fn reliable(&self) -> bool {
        self.flow.transport.is_stream()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.outbox.push(self.flow, bytes);
    }

    pub(crate) fn send_again(&mut self, bytes: &[u8]) {
        *self.repeated += 1;
        self.send(bytes);
    }

    /// What was kept of a message is needed no longer.
    pub(crate) fn release(&mut self, kept: Option<Vec<u8>>) {
        if let Some(kept) = kept {
            self.buffers.release(kept);
        }
    }

    /// Arms `timer` with its first duration.
    pub(crate) fn arm(&mut self, timer: Timer) {
        self.arm_for(timer, self.timers.first(timer));
    }

    pub(crate) fn arm_for(&mut self, timer: Timer, after: Duration) {
        self.deadlines.arm(self.now, self.owner, self.armed, timer, after);
    }

    /// Sends once more and arms the next, longer interval; returns how often it was repeated now.
    pub(crate) fn repeat(&mut self, timer: Timer, bytes: &[u8], repeats: u32) -> u32 {
        self.send_again(bytes);
        let repeats = repeats.saturating_add(1);
        self.arm_for(timer, self.timers.interval(timer, repeats));
        repeats
    }

    /// Whatever was to be sent is not sent any more.
    pub(crate) fn disarm_resend(&mut self) {
        self.deadlines.disarm(self.armed, Kind::Resend);
    }

    pub(crate) fn disarm_all(&mut self) {
        self.deadlines.disarm_all(self.armed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::Slots;

    #[test]
    fn a_finished_transaction_is_small() {
        // spec/rm.md §1.9: at most 300 bytes besides the response.
        let indexes = index::Index::PLACE + origins::Origins::PLACE;
        let size = Slots::<Transaction>::PLACE + Deadlines::PLACE + indexes;
        assert!(size <= 300, "{size}");
    }
}
