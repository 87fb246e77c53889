//! All SIP streams of the node: accepted, opened, found again by their far end, given up in time.
//!
//! The limits of rm.md §1.9 stand here. Whatever ends a stream is reported as failed flows, so that
//! the transactions on it fail over; nothing is retried here.

use super::connection::Connection;
use super::seats::{Full, Seats};
use super::trust::Trust;
use super::wire::{Input, Kind, Wire};
use crate::limits::{HANDSHAKES, STRANGERS_UNFINISHED, STREAM_READ, SWEEP, UNFINISHED};
use net::{Poller, Ready, Token};
use sip::parse::ParseError;
use sip::stream::Frame;
use sip::transport::{ConnId, Flow, Transport};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// Poller tokens of streams carry this bit; the rest is the connection's number.
const STREAM: u64 = 1 << 63;
/// Bits of a connection's number that are its place in the table; the rest counts up.
const PLACE_BITS: u32 = 16;

/// The table of one kind.
#[derive(Debug)]
pub(crate) struct Streams<K: Kind> {
    kind: K,
    table: Slab<Connection<K::Stream>>,
    by_remote: HashMap<(u8, SocketAddr), ConnId>,
    seats: Seats,
    /// Accepted streams whose handshake was under way when last looked at, oldest first.
    shaking: VecDeque<ConnId>,
    trust: Trust,
    failed: VecDeque<Lost>,
    /// Streams with something to write, once each.
    unwritten: Vec<ConnId>,
    buffer: Box<[u8]>,
    unfinished: Unfinished,
    opened: u64,
    next_sweep: Duration,
    counters: StreamCounters,
}

/// A flow that cannot carry (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) flow: Flow,
    /// It is no connect that has failed.
    pub(crate) stood: bool,
}

/// Bytes of incomplete messages.
#[derive(Debug, Default)]
struct Unfinished {
    all: usize,
    strangers: usize,
}

impl Unfinished {
    /// A stream had so many of them, and has so many now.
    fn change(&mut self, trusted: bool, before: usize, now: usize) {
        self.all = self.all.saturating_sub(before) + now;
        if !trusted {
            self.strangers = self.strangers.saturating_sub(before) + now;
        }
    }
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

impl<K: Kind> Streams<K> {
    pub(crate) fn new(kind: K, trust: Trust, seats: Seats) -> Self {
        Self {
            kind,
            table: Slab::new(),
            by_remote: HashMap::new(),
            seats,
            shaking: VecDeque::new(),
            trust,
            failed: VecDeque::new(),
            unwritten: Vec::new(),
            buffer: vec![0; STREAM_READ].into_boxed_slice(),
            unfinished: Unfinished::default(),
            opened: first(K::TRANSPORT),
            next_sweep: Duration::ZERO,
            counters: StreamCounters::default(),
        }
    }

    /// What makes this kind of streams.
    pub(crate) fn kind_mut(&mut self) -> &mut K {
        &mut self.kind
    }

    pub(crate) fn trust_mut(&mut self) -> &mut Trust {
        &mut self.trust
    }

    pub(crate) fn counters(&self) -> StreamCounters {
        StreamCounters { open: self.table.len(), ..self.counters.clone() }
    }

    /// The connection that a poller token names.
    pub(crate) fn named_by(token: Token) -> Option<ConnId> {
        (token.0 & STREAM != 0).then_some(ConnId(token.0 & !STREAM))
    }

    /// Takes a stream that a peer opened, or closes it where a limit says so.
    pub(crate) fn accept(&mut self, poller: &Poller, now: Duration, flow: Flow, stream: K::Stream) {
        let trusted = self.trust.knows(flow.remote);
        let shaking = stream.handshaking();
        if !self.take_seat(flow.remote, trusted) {
            self.counters.refused += 1;
            return;
        }
        if shaking {
            self.make_way();
        }
        let id = self.next_id();
        let taken = self.insert(poller, Connection::accepted(flow, id, trusted, stream, now));
        if taken && shaking {
            self.shaking.push_back(id);
        }
    }

    /// One more handshake may begin: beyond the limit the oldest is given up, of a stranger if
    /// there is one, since whoever has not even ended it for so long is likely never to
    /// (rm.md §13.2).
    fn make_way(&mut self) {
        if self.shaking.len() < HANDSHAKES {
            return;
        }
        let table = &self.table;
        let shakes = |id: &ConnId| {
            table.get(place(*id)).is_some_and(|found| found.id == *id && found.handshaking())
        };
        self.shaking.retain(shakes);
        if self.shaking.len() < HANDSHAKES {
            return;
        }
        let strange = |id: &&ConnId| table.get(place(**id)).is_some_and(|found| !found.trusted);
        let oldest = self.shaking.iter().find(strange).or(self.shaking.front()).copied();
        if let Some(oldest) = oldest {
            self.end(oldest, "handshakes");
            self.shaking.retain(|id| *id != oldest);
        }
    }

    /// A seat for a stream, if need be that of the stranger that has been idle for longest.
    fn take_seat(&mut self, remote: SocketAddr, trusted: bool) -> bool {
        match self.seats.take(remote.ip(), !trusted) {
            Ok(()) => true,
            Err(Full::Source) => false,
            Err(Full::All) => {
                while self.make_room() {
                    if self.seats.take(remote.ip(), !trusted).is_ok() {
                        return true;
                    }
                }
                false
            }
        }
    }

    /// So many there may be at once from now on, of all kinds.
    pub(crate) fn set_most(&self, most: usize) {
        self.seats.set_most(most);
    }

    /// Reads and writes as far as the stream allows; each message goes to `sink`.
    pub(crate) fn turn(
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
        let blocked = connection.is_blocked();
        match connection.read(now, &mut self.buffer) {
            Input::Bytes => {}
            Input::Nothing => return,
            Input::Over(why) => return self.end(id, why),
        }
        let flow = connection.flow();
        if connection.shaken() {
            match self.kind.up(flow, &connection.stream) {
                Ok(known) => connection.trusted |= known,
                Err(why) => {
                    self.kind.failed(flow.remote, &connection.stream, why);
                    return self.end(id, why);
                }
            }
        }
        if connection.stream.wants_write() {
            self.unwritten.push(id);
        }
        loop {
            match connection.framer.next_frame() {
                Ok(Some(Frame::Message(bytes))) => sink(flow, bytes, None),
                Ok(Some(Frame::Ping)) => {
                    // Who does not read needs no pong, and must not have us keep them. A full queue
                    // ends the stream with the next message; a pong may be lost.
                    if !blocked && connection.stream.queue(b"\r\n").is_ok() {
                        self.unwritten.push(id);
                    }
                    continue;
                }
                Ok(None) => break,
                Err(error) => {
                    sink(flow, connection.framer.rest(), Some(error.0));
                    return connection.refuse(now);
                }
            }
            connection.complete();
        }
        connection.framed(now);
        let ((before, now), trusted) = (connection.unfinished(), connection.trusted);
        self.unfinished.change(trusted, before, now);
        let most = now > before && !trusted && self.unfinished.strangers > STRANGERS_UNFINISHED;
        if let Some(why) = connection.stream.over().or(most.then_some("unfinished")) {
            self.end(id, why);
        }
        while self.unfinished.all > UNFINISHED && self.end_fattest() {}
    }

    /// Closes the stream with the largest incomplete message, of equal ones the oldest.
    fn end_fattest(&mut self) -> bool {
        let told = |(_, connection): (usize, &Connection<K::Stream>)| {
            (connection.told(), Reverse(connection.partial_since()), connection.id)
        };
        let Some((_, _, id)) = self.table.iter().map(told).max() else { return false };
        self.end(id, "unfinished");
        true
    }

    /// The engine has answered to a stream whose framing is broken, or will not: it ends when that
    /// is written.
    pub(crate) fn answered(&mut self, flow: Flow) {
        let Some(id) = flow.conn else { return };
        let found = self.table.get_mut(place(id)).filter(|found| found.id == id);
        if let Some(connection) = found {
            connection.answered();
            self.unwritten.push(id);
        }
    }

    /// Queues a message on its stream, on one that leads to the same place, or on a new one.
    pub(crate) fn send(&mut self, poller: &Poller, now: Duration, flow: Flow, bytes: &[u8]) {
        let Some(id) = self.find(flow).or_else(|| self.connect(poller, now, flow)) else {
            // one that has a number was up once
            self.failed.push_back(Lost { flow, stood: flow.conn.is_some() });
            return;
        };
        let Some(connection) = self.table.get_mut(place(id)) else { return };
        if connection.stream.queue(bytes).is_err() {
            let stood = connection.stood();
            self.end(id, "write-queue");
            self.failed.push_back(Lost { flow, stood });
            return;
        }
        self.unwritten.push(id);
    }

    /// Writes what was queued in this turn: one write per stream.
    pub(crate) fn flush(&mut self, poller: &Poller) {
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
    pub(crate) fn sweep(&mut self, now: Duration) {
        if self.table.is_empty() || now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        let due = |(_, connection): (usize, &mut Connection<K::Stream>)| {
            connection.watch(now);
            let (deadline, why) = connection.deadline();
            (deadline <= now).then_some((connection.id, why))
        };
        let over: Vec<_> = self.table.iter_mut().filter_map(due).collect();
        for (id, why) in over {
            self.end(id, why);
        }
    }

    /// When [`Self::sweep`] has something to look at; `None` without streams.
    pub(crate) fn next_sweep(&self) -> Option<Duration> {
        (!self.table.is_empty()).then_some(self.next_sweep)
    }

    /// The next flow that failed.
    pub(crate) fn next_failed(&mut self) -> Option<Lost> {
        self.failed.pop_front()
    }

    /// A flow that has no socket to carry it.
    pub(crate) fn fail(&mut self, flow: Flow) {
        self.failed.push_back(Lost { flow, stood: true });
    }

    /// A stream that could not even be accepted.
    pub(crate) fn refused(&mut self) {
        self.counters.refused += 1;
    }

    /// Streams whose far end does not take what waits for it.
    #[cfg(test)]
    pub(super) fn blocked(&self) -> impl Iterator<Item = &K::Stream> {
        let blocked = self.table.iter().filter(|(_, connection)| connection.is_blocked());
        blocked.map(|(_, connection)| &connection.stream)
    }

    /// Failed flows wait to be told.
    pub(crate) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    fn find(&self, flow: Flow) -> Option<ConnId> {
        let known = |id: &ConnId| self.table.get(place(*id)).filter(|found| found.id == *id);
        let same_end = || {
            let id = self.by_remote.get(&(flow.listener, flow.remote)).copied()?;
            let found = known(&id)?;
            self.kind.carries(&found.stream, found.remote, flow.remote).then_some(id)
        };
        flow.conn.filter(|id| known(id).is_some()).or_else(same_end)
    }

    /// A stream that was accepted may carry what is meant for another port of its far end (RFC 5923
    /// §8.1), if that end has proven to be who is expected there. Nothing changes for a port to
    /// which a stream leads already.
    pub(crate) fn alias(&mut self, flow: Flow, port: u16) {
        let Some(id) = flow.conn else { return };
        let Some(found) = self.table.get_mut(place(id)).filter(|found| found.id == id) else {
            return;
        };
        let at = SocketAddr::new(found.remote.ip(), port);
        let key = (found.listener, at);
        let proven = !found.handshaking() && self.kind.carries(&found.stream, found.remote, at);
        if proven && found.alias.is_none() && !self.by_remote.contains_key(&key) {
            found.alias = Some(at);
            self.by_remote.insert(key, id);
        }
    }

    /// Opens a stream, unless the flow names one that is gone: its far end was not listening.
    fn connect(&mut self, poller: &Poller, now: Duration, flow: Flow) -> Option<ConnId> {
        if flow.conn.is_some() || !self.take_seat(flow.remote, true) {
            return None;
        }
        match self.kind.connect(flow) {
            Ok(stream) => {
                let id = self.next_id();
                let trusted = self.trust.knows(flow.remote);
                let until = now + self.trust.connect_time(flow.remote);
                let connection = Connection::connecting(flow, id, trusted, stream, until);
                self.insert(poller, connection).then_some(id)
            }
            Err(why) => {
                self.seats.give_back(flow.remote.ip());
                *self.counters.errors.entry(why).or_default() += 1;
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

    /// Watches a stream that has a seat; false and without one if it cannot.
    fn insert(&mut self, poller: &Poller, connection: Connection<K::Stream>) -> bool {
        let (id, remote) = (connection.id, connection.remote);
        if poller.add(&connection.stream, token(id), connection.interest).is_err() {
            self.counters.refused += 1;
            self.seats.give_back(remote.ip());
            return false;
        }
        self.by_remote.insert((connection.listener, remote), id);
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
        let (flow, stood) = (connection.flow(), connection.stood());
        let key = (flow.listener, flow.remote);
        if self.by_remote.get(&key) == Some(&id) {
            self.by_remote.remove(&key);
        }
        if let Some(alias) = connection.alias {
            let key = (flow.listener, alias);
            if self.by_remote.get(&key) == Some(&id) {
                self.by_remote.remove(&key);
            }
            let flow = Flow { conn: None, remote: alias, ..flow };
            self.failed.push_back(Lost { flow, stood });
        }
        self.seats.give_back(flow.remote.ip());
        self.unfinished.change(connection.trusted, connection.told(), 0);
        if connection.handshaking() {
            self.kind.failed(flow.remote, &connection.stream, why);
        }
        if !matches!(why, "ended" | "idle" | "closed") {
            *self.counters.errors.entry(why).or_default() += 1;
        }
        self.failed.push_back(Lost { flow, stood });
        self.failed.push_back(Lost { flow: Flow { conn: None, ..flow }, stood });
    }
}

fn place(id: ConnId) -> usize {
    usize::try_from(id.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

fn token(id: ConnId) -> Token {
    Token(STREAM | id.0)
}

/// Numbers of TLS begin far above those of TCP, so that no number comes twice in a process.
fn first(transport: Transport) -> u64 {
    if transport == Transport::Tls { 1 << 44 } else { 0 }
}

// `proxy.sip.maxtcpconnections` has 16 bits.
const _: () = assert!((u16::MAX as u32) < 1 << PLACE_BITS);
