//! Everything that can happen to the engine, as one closed enum; time comes beside it.
//!
//! Must not hold anything that the shell could have decided: it moves bytes and reports facts.

use std::sync::Arc;
use std::time::Duration;

use model::config::Admin;
use model::id::{Guid, LegId};
use model::snapshot::Snapshot;
use model::time::Millis;
use sip::locate::{Failure, Goal, Listing, Member, Targets};
use sip::transport::Flow;

use crate::token::Keys;

/// One thing that happened. Bytes are borrowed from the receive buffer of the shell.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram, or one framed message of a stream.
    Packet {
        /// Where it came from, and on which listener.
        flow: Flow,
        /// The whole message.
        bytes: &'a [u8],
        /// How long a datagram has waited in the kernel; zero for messages of streams.
        age: Duration,
    },
    /// The kernel had no room for so many datagrams since it was asked last, once a second.
    KernelDrops {
        /// Of all sockets.
        packets: u64,
    },
    /// A stream whose framing is broken; the shell closes it when the answer is written.
    Broken {
        /// The stream.
        flow: Flow,
        /// What has come of the message in hand.
        bytes: &'a [u8],
        /// What is wrong with it.
        error: sip::parse::ParseError,
    },
    /// A stream under TLS is up, and a certificate of its far end proves these host names. It comes
    /// before anything that the stream carries; `FlowFailed` ends it.
    Verified {
        /// The stream.
        flow: Flow,
        /// Lower case.
        names: &'a [String],
    },
    /// A stream that stood has closed, or a port was reported unreachable.
    FlowFailed {
        /// The flow as the engine named it in its transmit, or as it was in the packet.
        flow: Flow,
    },
    /// A connect was refused, or not done in time: that stream has never stood.
    ConnectFailed {
        /// The flow as the engine named it in its transmit.
        flow: Flow,
    },
    /// A new configuration, already valid; calls in progress keep what they were given.
    Snapshot(Arc<Snapshot>),
    /// The cluster key ring has changed: the first key signs from now on, all verify.
    Keys(Box<Keys>),
    /// All records up to `no` are on disk (rm.md §9.6): held answers to BYE may leave.
    Durable {
        /// Number of the newest durable record event.
        no: u64,
    },
    /// What became of a name that an `Event::Resolve` asked for.
    Resolved {
        /// As it was asked.
        goal: Goal,
        /// Where it leads, or why nowhere.
        found: Result<Targets, Failure>,
        /// The shortest TTL of the records that led there.
        ttl: Duration,
    },
    /// Who is behind a name that an `Event::Discover` asked for.
    Discovered {
        /// As it was asked.
        listing: Listing,
        /// At least one, or why nobody is known.
        found: Result<Vec<Member>, Failure>,
    },
    /// The node's state changed.
    State(NodeState),
    /// What an operator wants of a resource from now on (rm.md §7.1, §7.11).
    Administer {
        /// Its name; it need not be in the configuration yet.
        resource: &'a str,
        /// `None`: what the configuration says, and its quarantine ends.
        will: Option<Will>,
    },
    /// Whether the log prints what every decision came to; it does not from the start.
    TellDecisions(bool),
    /// An operator ends a session, or one leg of it (rm.md §2.7).
    HangUp {
        /// The session.
        guid: Guid,
        /// Only this leg.
        leg: Option<LegId>,
    },
}

/// What an operator wants of a resource: it goes before the configuration until it is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will {
    /// The state.
    pub admin: Admin,
    /// Calls that it still has then are ended.
    pub until: Option<Millis>,
}

/// Whether the node takes new calls (rm.md §11.3, §11.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Not ready: new calls get 503 `node-not-ready`; dialogs are served.
    Starting,
    /// Takes everything.
    Ready,
    /// Leaving: new calls get 503 `node-draining`; dialogs are served.
    Draining,
}
