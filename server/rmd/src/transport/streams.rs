//! All SIP streams of the node: accepted, opened, found again by their far end, given up in time.
//!
//! The limits of rm.md §1.9 stand here. Whatever ends a stream is reported as failed flows, so that
//! the transactions on it fail over; nothing is retried here.

use super::connection::{Connection, Input, word};
use super::trust::Trust;
use crate::limits::{STREAM_READ, STREAMS, STREAMS_PER_SOURCE, SWEEP};
use net::tcp::Stream;
use net::{Poller, Ready, Token};
use sip::parse::ParseError;
use sip::stream::Frame;
use sip::transport::{ConnId, Flow};
use slab::Slab;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Poller tokens of streams carry this bit; the rest is the connection's number.
const STREAM: u64 = 1 << 63;
/// Bits of a connection's number that are its place in the table; the rest counts up.
const PLACE_BITS: u32 = 16;

/// The table.
#[derive(Debug)]
pub(crate) struct Streams {
    table: Slab<Connection>,
    by_remote: HashMap<(u8, SocketAddr), ConnId>,
    per_source: HashMap<IpAddr, usize>,
    trust: Trust,
    failed: VecDeque<Flow>,
    /// Streams with something to write, once each.
    unwritten: Vec<ConnId>,
    buffer: Box<[u8]>,
    opened: u64,
    next_sweep: Duration,
    /// Of outgoing connects: the address to leave from, by listener.
    origins: Vec<Option<IpAddr>>,
    dscp: u8,
    counters: StreamCounters,
}

/// What the streams have counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamCounters {
    /// Open now.
    pub(crate) open: usize,
    /// Refused by a limit.
    pub(crate) refused: u64,
    /// Ends that were no agreed ones, by why.
    pub(crate) errors: BTreeMap<&'static str, u64>,
}

impl Streams {
    pub(super) fn new(trust: Trust, origins: Vec<Option<IpAddr>>, dscp: u8) -> Self {
        Self {
            table: Slab::new(),
            by_remote: HashMap::new(),
            per_source: HashMap::new(),
            trust,
            failed: VecDeque::new(),
            unwritten: Vec::new(),
            buffer: vec![0; STREAM_READ].into_boxed_slice(),
            opened: 0,
            next_sweep: Duration::ZERO,
            origins,
            dscp,
            counters: StreamCounters::default(),
        }
    }

    pub(super) fn trust_mut(&mut self) -> &mut Trust {
        &mut self.trust
    }

    pub(super) fn counters(&self) -> StreamCounters {
        StreamCounters { open: self.table.len(), ..self.counters.clone() }
    }

    /// The connection that a poller token names.
    pub(super) fn named_by(token: Token) -> Option<ConnId> {
        (token.0 & STREAM != 0).then_some(ConnId(token.0 & !STREAM))
    }

    /// Takes a stream that a peer opened, or closes it where a limit says so.
    pub(super) fn accept(&mut self, poller: &Poller, now: Duration, flow: Flow, stream: Stream) {
        let trusted = self.trust.knows(flow.remote);
        let source = self.per_source.get(&flow.remote.ip()).copied().unwrap_or_default();
        let crowded = !trusted && source >= STREAMS_PER_SOURCE;
        if crowded || (self.table.len() >= STREAMS && !self.make_room()) {
            self.counters.refused += 1;
            return;
        }
        let id = self.next_id();
        self.insert(poller, Connection::accepted(flow, id, trusted, stream, now));
    }

    /// Reads and writes as far as the stream allows; each message goes to `sink`.
    pub(super) fn turn(
        &mut self,
        now: Duration,
        ready: Ready,
        id: ConnId,
        sink: &mut impl FnMut(Flow, &[u8], Option<ParseError>),
    ) {
        let Some(connection) = self.table.get_mut(place(id)).filter(|found| found.id == id) else {
            return;
        };
        if ready.write {
            if let Err(why) = connection.writable(now) {
                return self.end(id, why);
            }
            self.unwritten.push(id);
        }
        if !ready.read {
            return;
        }
        match connection.read(now, &mut self.buffer) {
            Input::Bytes => {}
            Input::Nothing => return,
            Input::Over(why) => return self.end(id, why),
        }
        let flow = connection.flow();
        loop {
            match connection.framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => sink(flow, bytes, None),
                Ok(Some(Frame::Ping)) => {
                    // A full queue ends the stream with the next message; a pong may be lost.
                    let _ = connection.stream.queue(b"\r\n");
                    self.unwritten.push(id);
                    continue;
                }
                Ok(None) => break,
                Err(error) => {
                    sink(flow, connection.framer.rest(), Some(error.0));
                    connection.refuse(now);
                    self.unwritten.push(id);
                    return;
                }
            }
            connection.complete();
        }
        connection.framed(now);
    }

    /// Queues a message on its stream, on one that leads to the same place, or on a new one.
    pub(super) fn send(&mut self, poller: &Poller, now: Duration, flow: Flow, bytes: &[u8]) {
        let Some(id) = self.find(flow).or_else(|| self.connect(poller, now, flow)) else {
            self.failed.push_back(flow);
            return;
        };
        let Some(connection) = self.table.get_mut(place(id)) else { return };
        if connection.stream.queue(bytes).is_err() {
            self.end(id, "write-queue");
            self.failed.push_back(flow);
            return;
        }
        self.unwritten.push(id);
    }

    /// Writes what was queued in this turn: one write per stream.
    pub(super) fn flush(&mut self, poller: &Poller) {
        let mut unwritten = std::mem::take(&mut self.unwritten);
        unwritten.sort_unstable();
        unwritten.dedup();
        for id in unwritten.drain(..) {
            let found = self.table.get_mut(place(id)).filter(|found| found.id == id);
            let Some(connection) = found else { continue };
            match connection.flush() {
                Ok(false) => {}
                Ok(true) => {
                    connection.stream.close_write();
                    self.end(id, "framing");
                    continue;
                }
                Err(why) => {
                    self.end(id, why);
                    continue;
                }
            }
            let wanted = connection.wanted();
            if wanted != connection.interest
                && poller.change(&connection.stream, token(id), wanted).is_ok()
            {
                connection.interest = wanted;
            }
        }
        self.unwritten = unwritten;
    }

    /// Gives up streams whose time is over; cheap to call in every turn.
    pub(super) fn sweep(&mut self, now: Duration) {
        if self.table.is_empty() || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        let due = |(_, connection): (usize, &Connection)| {
            let (deadline, why) = connection.deadline();
            (deadline <= now).then_some((connection.id, why))
        };
        let over: Vec<_> = self.table.iter().filter_map(due).collect();
        for (id, why) in over {
            self.end(id, why);
        }
    }

    /// When [`Self::sweep`] has something to look at; `None` without streams.
    pub(super) fn next_sweep(&self) -> Option<Duration> {
        (!self.table.is_empty()).then_some(self.next_sweep)
    }

    /// The next flow that failed.
    pub(super) fn next_failed(&mut self) -> Option<Flow> {
        self.failed.pop_front()
    }

    /// A flow that has no socket to carry it.
    pub(super) fn fail(&mut self, flow: Flow) {
        self.failed.push_back(flow);
    }

    /// A stream that could not even be accepted.
    pub(super) fn refused(&mut self) {
        self.counters.refused += 1;
    }

    /// Failed flows wait to be told.
    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    fn find(&self, flow: Flow) -> Option<ConnId> {
        let known = |id: &ConnId| self.table.get(place(*id)).is_some_and(|found| found.id == *id);
        let same_end = || self.by_remote.get(&(flow.listener, flow.remote)).copied();
        flow.conn.filter(known).or_else(same_end)
    }

    /// Opens a stream, unless the flow names one that is gone: its far end was not listening.
    fn connect(&mut self, poller: &Poller, now: Duration, flow: Flow) -> Option<ConnId> {
        if flow.conn.is_some() || (self.table.len() >= STREAMS && !self.make_room()) {
            return None;
        }
        let origin = self.origins.get(usize::from(flow.listener)).copied().flatten();
        let origin = origin.filter(|origin| origin.is_ipv4() == flow.remote.is_ipv4());
        match Stream::connect(flow.remote, origin, self.dscp) {
            Ok(stream) => {
                let id = self.next_id();
                let trusted = self.trust.knows(flow.remote);
                let until = now + self.trust.connect_time(flow.remote);
                let connection = Connection::connecting(flow, id, trusted, stream, until);
                self.insert(poller, connection).then_some(id)
            }
            Err(error) => {
                *self.counters.errors.entry(word(error.kind())).or_default() += 1;
                None
            }
        }
    }

    /// A number that no stream of this process had before.
    fn next_id(&mut self) -> ConnId {
        self.opened += 1;
        let place = u64::try_from(self.table.vacant_key()).unwrap_or(u64::MAX);
        ConnId(self.opened << PLACE_BITS | place)
    }

    fn insert(&mut self, poller: &Poller, connection: Connection) -> bool {
        let (id, remote) = (connection.id, connection.remote);
        if poller.add(&connection.stream, token(id), connection.interest).is_err() {
            self.counters.refused += 1;
            return false;
        }
        self.by_remote.insert((connection.listener, remote), id);
        *self.per_source.entry(remote.ip()).or_default() += 1;
        self.table.insert(connection);
        true
    }

    /// Closes the stranger that has been idle for longest, if there is one.
    fn make_room(&mut self) -> bool {
        let idle = self.table.iter().filter_map(|(_, c)| c.idle_since().map(|at| (at, c.id)));
        let Some((_, id)) = idle.min() else { return false };
        self.end(id, "idle");
        true
    }

    /// Closes a stream and reports its flows: by number, and by far end, as senders named it.
    fn end(&mut self, id: ConnId, why: &'static str) {
        let Some(connection) = self.table.try_remove(place(id)) else { return };
        let flow = connection.flow();
        let key = (flow.listener, flow.remote);
        if self.by_remote.get(&key) == Some(&id) {
            self.by_remote.remove(&key);
        }
        if let Some(count) = self.per_source.get_mut(&flow.remote.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&flow.remote.ip());
            }
        }
        if !matches!(why, "ended" | "idle" | "closed") {
            *self.counters.errors.entry(why).or_default() += 1;
        }
        self.failed.push_back(flow);
        self.failed.push_back(Flow { conn: None, ..flow });
    }
}

fn place(id: ConnId) -> usize {
    usize::try_from(id.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

fn token(id: ConnId) -> Token {
    Token(STREAM | id.0)
}

const _: () = assert!(STREAMS < 1 << PLACE_BITS);
