//! The virtual network: datagrams that are lost, delayed, doubled and reordered, streams that keep
//! their order and break, links that are cut. It looks at no content.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::chance::Chance;
use sip::locate::{Failure, Goal};
use sip::transport::ConnId;

use crate::names::Answer;
use crate::seed;
use crate::streams::{Lost, Segment};

/// So long the name service is waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// What is lost of a stream is sent again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// How good the way between two hosts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What every packet takes.
    pub delay: Duration,
    /// What it may take more, evenly: datagrams overtake each other by it.
    pub jitter: Duration,
    /// Datagrams lost, per cent.
    pub loss: u8,
    /// Datagrams doubled, per cent.
    pub twice: u8,
    /// Nothing passes.
    pub cut: bool,
}

impl Link {
    /// Every packet takes a millisecond.
    pub const GOOD: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0,
        twice: 0,
        cut: false,
    };
    /// Nothing passes.
    pub const CUT: Self = Self { cut: true, ..Self::GOOD };
}

/// One connection to the broker, numbered by who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conn(pub u64);

/// What arrives somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A datagram.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Something of a SIP stream.
    Segment {
        /// For which end.
        to: ConnId,
        /// What.
        segment: Segment,
    },
    /// What was to be sent by a SIP stream that is gone.
    Lost(Lost),
    /// The name service has answered a node.
    Told {
        /// Which node.
        node: usize,
        /// The run of it that has asked.
        boot: u32,
        /// As it was asked.
        goal: Goal,
        /// Where it leads.
        answer: Answer,
    },
    /// Someone connects to the broker.
    Connect(Conn),
    /// Bytes of a connection to the broker; `up`: towards the broker.
    Stream {
        /// Which one.
        conn: Conn,
        /// Towards the broker.
        up: bool,
        /// In order.
        bytes: Vec<u8>,
    },
    /// A connection to the broker is over; `up`: the broker is told.
    Closed {
        /// Which one.
        conn: Conn,
        /// Towards the broker.
        up: bool,
    },
}

/// What was done to datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Put onto the network.
    pub sent: u64,
    /// Lost, or stopped by a cut.
    pub lost: u64,
    /// Doubled.
    pub doubled: u64,
}

/// All packets under way.
#[derive(Debug)]
pub struct Network {
    /// The way between hosts that have none of their own.
    pub usual: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    under_way: BTreeMap<(Duration, u64), Packet>,
    /// Latest arrival on each direction of each stream: what comes later arrives later.
    latest: BTreeMap<(Conn, bool), Duration>,
    /// Streams on which something was lost: nothing more arrives.
    dead: BTreeMap<Conn, ()>,
    /// The same of each end of a SIP stream.
    latest_of: BTreeMap<ConnId, Duration>,
    /// Messages of SIP streams that wait for the end of a cut.
    waiting: Vec<(ConnId, Segment)>,
    number: u64,
    chance: Chance,
    figures: Figures,
}

impl Network {
    /// An empty one with good ways everywhere.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            usual: Link::GOOD,
            links: BTreeMap::new(),
            under_way: BTreeMap::new(),
            latest: BTreeMap::new(),
            dead: BTreeMap::new(),
            latest_of: BTreeMap::new(),
            waiting: Vec::new(),
            number: 0,
            chance: seed::chance(seed, 1),
            figures: Figures::default(),
        }
    }

    /// The way between two hosts, both directions.
    pub fn set(&mut self, a: IpAddr, b: IpAddr, link: Link) {
        self.links.insert((a.min(b), a.max(b)), link);
    }

    /// All ways are the usual one again; what has waited for that is sent again.
    pub fn mend(&mut self, now: Duration) {
        self.links.clear();
        for (to, segment) in std::mem::take(&mut self.waiting) {
            let at = now + AGAIN;
            let at = at.max(self.latest_of.get(&to).copied().unwrap_or(at));
            self.latest_of.insert(to, at);
            self.put(at, Packet::Segment { to, segment });
        }
    }

    /// What was done so far.
    #[must_use]
    pub const fn figures(&self) -> Figures {
        self.figures
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn next_time(&self) -> Option<Duration> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next packet, if it has arrived by now.
    pub fn arrived(&mut self, now: Duration) -> Option<Packet> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Sends a datagram.
    pub fn datagram(&mut self, now: Duration, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let link = self.link(from.ip(), to.ip());
        self.figures.sent += 1;
        if link.cut || self.chance.below(100) < u64::from(link.loss) {
            self.figures.lost += 1;
            return;
        }
        if self.chance.below(100) < u64::from(link.twice) {
            self.figures.doubled += 1;
            let at = self.arrival(now, link);
            self.put(at, Packet::Datagram { from, to, bytes: bytes.clone() });
        }
        let at = self.arrival(now, link);
        self.put(at, Packet::Datagram { from, to, bytes });
    }

    /// Sends something of a SIP stream between these two hosts. What a bad way loses comes later;
    /// over a cut a message waits until that is mended, and anything else is lost.
    pub fn segment(&mut self, now: Duration, ends: (IpAddr, IpAddr), to: ConnId, segment: Segment) {
        let link = self.link(ends.0, ends.1);
        if link.cut {
            if matches!(segment, Segment::Message(_)) {
                self.waiting.push((to, segment));
            }
            return;
        }
        let lost = self.chance.below(100) < u64::from(link.loss);
        let again = if lost { AGAIN } else { Duration::ZERO };
        let at = self.arrival(now, link) + again;
        let at = at.max(self.latest_of.get(&to).copied().unwrap_or(at));
        self.latest_of.insert(to, at);
        self.put(at, Packet::Segment { to, segment });
    }

    /// The sender of a message is told that its stream is gone.
    pub fn lost(&mut self, now: Duration, lost: Lost) {
        self.put(now, Packet::Lost(lost));
    }

    /// An answer of the name service, which is asked until it answers: it comes later when it is
    /// away or the way to it is bad.
    pub fn told(&mut self, now: Duration, ends: (IpAddr, IpAddr), packet: Packet) {
        let link = self.link(ends.0, ends.1);
        let at = self.arrival(now, link) + link.delay;
        let silent = matches!(&packet, Packet::Told { answer: Err(Failure::Unanswered), .. });
        self.put(if silent || link.cut { at + SILENCE } else { at }, packet);
    }

    /// Sends something of a connection to the broker, which lies between these two hosts.
    pub fn stream(&mut self, now: Duration, ends: (IpAddr, IpAddr), packet: Packet) {
        let (conn, up) = match &packet {
            Packet::Connect(conn) => (*conn, true),
            Packet::Stream { conn, up, .. } | Packet::Closed { conn, up } => (*conn, *up),
            Packet::Datagram { .. }
            | Packet::Segment { .. }
            | Packet::Lost(_)
            | Packet::Told { .. } => return,
        };
        let link = self.link(ends.0, ends.1);
        if link.cut {
            self.dead.insert(conn, ());
        }
        if self.dead.contains_key(&conn) {
            return;
        }
        let at = self.arrival(now, link).max(self.latest.get(&(conn, up)).copied().unwrap_or(now));
        self.latest.insert((conn, up), at);
        if matches!(packet, Packet::Closed { .. }) {
            self.latest.remove(&(conn, up));
        }
        self.put(at, packet);
    }

    fn link(&self, a: IpAddr, b: IpAddr) -> Link {
        self.links.get(&(a.min(b), a.max(b))).copied().unwrap_or(self.usual)
    }

    fn arrival(&mut self, now: Duration, link: Link) -> Duration {
        let jitter = u64::try_from(link.jitter.as_micros()).unwrap_or(u64::MAX);
        now + link.delay + Duration::from_micros(self.chance.below(jitter.saturating_add(1)))
    }

    fn put(&mut self, at: Duration, packet: Packet) {
        self.number += 1;
        self.under_way.insert((at, self.number), packet);
    }
}
