//! SIP over TCP: connections that are refused, not answered, broken, or half open after a crash.
//! What is sent arrives whole and in order, or not at all.
//!
//! Each end has a number of its own and knows the connection by itself, as
//! `server/rmd/src/transport/streams.rs` has it for a node. It looks at no content.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sip::transport::{ConnId, Flow, Transport};

/// The first port of those who connect.
const PORTS: u64 = 32_768;

/// What passes between both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The other end wants to connect.
    Open,
    /// It may.
    Opened,
    /// One message.
    Message(Vec<u8>),
    /// There is no such connection here.
    Reset,
}

/// What becomes of a message that is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// This leaves for that end; a new connection is opened with it.
    Leaves(ConnId, Segment),
    /// It waits until the connection stands.
    Waits,
    /// Its connection is gone.
    Lost,
}

/// A connection that carries nothing any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Whose end.
    pub local: SocketAddr,
    /// As that end knows it.
    pub flow: Flow,
    /// It has carried something, or could have.
    pub stood: bool,
}

/// What follows from a segment that has arrived.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Segments that go back.
    pub back: Vec<Segment>,
    /// A message, and its flow.
    pub message: Option<(Flow, Vec<u8>)>,
    /// The connection is over.
    pub lost: Option<Lost>,
}

/// A host as it is when a segment comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It takes connections.
    Listens,
    /// It takes none.
    Refuses,
    /// It has no power.
    Silent,
}

#[derive(Debug)]
struct End {
    local: SocketAddr,
    remote: SocketAddr,
    state: State,
    /// Something was sent to it while it was silent.
    missed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// What is to be sent waits until then at most.
    Connecting {
        until: Duration,
        waits: Vec<Vec<u8>>,
    },
    Open,
    Gone,
}

/// All connections, by number: the end of who has opened it first.
#[derive(Debug, Default)]
pub struct Streams {
    all: BTreeMap<u64, [End; 2]>,
    number: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that broke.
    pub broken: u64,
}

/// The other end.
#[must_use]
pub const fn other(end: ConnId) -> ConnId {
    ConnId(end.0 ^ 1)
}

impl Streams {
    fn end(&self, id: ConnId) -> Option<&End> {
        self.all.get(&(id.0 >> 1)).map(|ends| &ends[usize::from(id.0 & 1 == 1)])
    }

    fn end_mut(&mut self, id: ConnId) -> Option<&mut End> {
        self.all.get_mut(&(id.0 >> 1)).map(|ends| &mut ends[usize::from(id.0 & 1 == 1)])
    }

    fn ends(&self) -> impl DoubleEndedIterator<Item = (ConnId, &End)> {
        self.all.iter().flat_map(|(number, [first, second])| {
            [(ConnId(number << 1), first), (ConnId(number << 1 | 1), second)]
        })
    }

    /// Who is at an end, and who at the other.
    #[must_use]
    pub fn between(&self, id: ConnId) -> Option<(SocketAddr, SocketAddr)> {
        self.end(id).map(|end| (end.local, end.remote))
    }

    /// Someone sends a message: by the connection that the flow names, by one that leads to the
    /// same place, or by a new one from the
    /// first of its addresses, which has to stand by `until`.
    pub fn send(&mut self, from: &[IpAddr], flow: Flow, bytes: Vec<u8>, until: Duration) -> Sent {
        let lives = |end: &End| from.contains(&end.local.ip()) && end.state != State::Gone;
        let named = flow.conn.filter(|id| self.end(*id).is_some_and(lives));
        let leads = |(_, end): &(ConnId, &End)| lives(end) && end.remote == flow.remote;
        let found = named.or_else(|| self.ends().rev().find(leads).map(|(id, _)| id));
        if let Some((id, end)) = found.and_then(|id| Some((id, self.end_mut(id)?))) {
            if let State::Connecting { waits, .. } = &mut end.state {
                waits.push(bytes);
                return Sent::Waits;
            }
            return Sent::Leaves(other(id), Segment::Message(bytes));
        }
        if flow.conn.is_some() {
            return Sent::Lost;
        }
        self.number += 1;
        let port = u16::try_from(PORTS + self.number % PORTS).unwrap_or(u16::MAX);
        let from = from.first().copied().unwrap_or(flow.remote.ip());
        let (local, remote) = (SocketAddr::new(from, port), flow.remote);
        let state = State::Connecting { until, waits: vec![bytes] };
        let opens = End { local, remote, state, missed: false };
        let takes = End { local: remote, remote: local, state: State::Gone, missed: false };
        self.all.insert(self.number, [opens, takes]);
        Sent::Leaves(ConnId(self.number << 1 | 1), Segment::Open)
    }

    /// A segment has come to this end, whose host is so.
    pub fn arrived(&mut self, id: ConnId, segment: Segment, host: Host) -> Arrived {
        let mut arrived = Arrived::default();
        let Some(end) = self.end_mut(id) else { return arrived };
        let flow = flow(end, id);
        match (segment, &mut end.state) {
            (Segment::Open, State::Gone) if host == Host::Listens => {
                end.state = State::Open;
                arrived.back.push(Segment::Opened);
                self.opened += 1;
            }
            (Segment::Opened, State::Connecting { waits, .. }) => {
                arrived.back = std::mem::take(waits).into_iter().map(Segment::Message).collect();
                end.state = State::Open;
            }
            (Segment::Message(bytes), State::Open) => arrived.message = Some((flow, bytes)),
            (Segment::Reset, _) => arrived.lost = self.lose(id),
            (Segment::Open | Segment::Opened | Segment::Message(_), _) => match host {
                Host::Silent => end.missed = true,
                Host::Listens | Host::Refuses => arrived.back.push(Segment::Reset),
            },
        }
        arrived
    }

    /// When the next connect is given up.
    #[must_use]
    pub fn next_time(&self) -> Option<Duration> {
        let until = |(_, end): (ConnId, &End)| match end.state {
            State::Connecting { until, .. } => Some(until),
            State::Open | State::Gone => None,
        };
        self.ends().filter_map(until).min()
    }

    /// The next connect that is given up by now.
    pub fn unopened(&mut self, now: Duration) -> Option<Lost> {
        let due = |end: &End| matches!(end.state, State::Connecting { until, .. } if until <= now);
        let id = self.ends().find(|(_, end)| due(end)).map(|(id, _)| id)?;
        self.lose(id)
    }

    /// All ends of a host are gone, and nobody is told; gives back the others.
    pub fn forget(&mut self, host: IpAddr) -> Vec<ConnId> {
        let own = |(_, end): &(ConnId, &End)| end.local.ip() == host && end.state != State::Gone;
        let own: Vec<ConnId> = self.ends().filter(own).map(|(id, _)| id).collect();
        for id in &own {
            self.lose(*id);
        }
        own.into_iter().map(other).collect()
    }

    /// A host has power again: what was sent to it meanwhile is sent again, and refused. Gives back
    /// the ends that are told.
    pub fn wake(&mut self, host: IpAddr) -> Vec<ConnId> {
        let missed = |(_, end): &(ConnId, &End)| end.local.ip() == host && end.missed;
        let missed: Vec<ConnId> = self.ends().filter(missed).map(|(id, _)| id).collect();
        for id in &missed {
            if let Some(end) = self.end_mut(*id) {
                end.missed = false;
            }
        }
        missed.into_iter().map(other).collect()
    }

    /// All connections between two hosts break.
    pub fn cut(&mut self, a: IpAddr, b: IpAddr) -> Vec<Lost> {
        let both = |end: &End| [end.local.ip(), end.remote.ip()];
        let own = |(_, end): &(ConnId, &End)| both(end) == [a, b] || both(end) == [b, a];
        let own: Vec<ConnId> = self.ends().filter(own).map(|(id, _)| id).collect();
        own.into_iter().filter_map(|id| self.lose(id)).collect()
    }

    fn lose(&mut self, id: ConnId) -> Option<Lost> {
        let end = self.end_mut(id).filter(|end| end.state != State::Gone)?;
        let stood = end.state == State::Open;
        end.state = State::Gone;
        let lost = Lost { local: end.local, flow: flow(end, id), stood };
        self.broken += u64::from(stood);
        let is_gone = |id| self.end(id).is_none_or(|end| end.state == State::Gone);
        if is_gone(id) && is_gone(other(id)) {
            self.all.remove(&(id.0 >> 1));
        }
        Some(lost)
    }
}

fn flow(end: &End, id: ConnId) -> Flow {
    Flow { transport: Transport::Tcp, listener: 0, remote: end.remote, conn: Some(id) }
}
