//! Two endpoints and a network between them, in virtual time: packets take a while, get lost,
//! come twice or overtake each other, all from a seed. Side 0 asks, side 1 answers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test helper fails its test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sip::endpoint::{
    Absorbed, ClientId, ClientOptions, Endpoint, Received, ServerId, Timers, TransactionEvent,
};
use sip::limits::Limits;
use sip::transport::{Flow, Transport};

use crate::wire::{flow, short};

/// What the user of one side hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Request(ServerId),
    Ack,
    Cancel(ServerId),
    Response(ClientId, u16),
    Stray(u16),
    Absorbed(Absorbed),
    Event(TransactionEvent),
}

#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Duration,
    pub(crate) side: usize,
    pub(crate) what: What,
    /// The message, if one came.
    pub(crate) bytes: Vec<u8>,
}

/// How bad the network is, per mille.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Net {
    pub(crate) loss: u64,
    pub(crate) twice: u64,
    /// Latency lies between 10 ms and this much more.
    pub(crate) jitter: u64,
}

pub(crate) struct Pair {
    pub(crate) now: Duration,
    pub(crate) sides: [Endpoint; 2],
    transport: Transport,
    net: Net,
    chance: u64,
    under_way: BTreeMap<(Duration, u64), (usize, Vec<u8>)>,
    sent: u64,
    /// `(side, message)` whose next copies are lost.
    pub(crate) lose: Vec<(usize, &'static str)>,
    heard: VecDeque<Heard>,
    /// Reasons of the deadlines that were met.
    pub(crate) fired: BTreeSet<&'static str>,
}

impl Pair {
    pub(crate) fn new(transport: Transport, net: Net, seed: u64) -> Self {
        let endpoint = |side| Endpoint::new(Limits::DEFAULT, Timers::default(), seed ^ side);
        Self {
            now: Duration::ZERO,
            sides: [endpoint(1), endpoint(2)],
            transport,
            net,
            chance: seed.wrapping_mul(2).wrapping_add(1),
            under_way: BTreeMap::new(),
            sent: 0,
            lose: Vec::new(),
            heard: VecDeque::new(),
            fired: BTreeSet::new(),
        }
    }

    /// A number below `bound`, from the seed.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % bound
    }

    /// The flow on which the other side is.
    pub(crate) fn flow(&self) -> Flow {
        flow(self.transport, 5060)
    }

    pub(crate) fn ask(&mut self, side: usize, bytes: Vec<u8>) -> ClientId {
        let (now, flow) = (self.now, self.flow());
        let id = self.sides[side].request(now, flow, &bytes, ClientOptions::default());
        self.drain();
        id
    }

    pub(crate) fn respond(&mut self, side: usize, id: ServerId, code: u16, bytes: Vec<u8>) {
        let now = self.now;
        self.sides[side].respond(now, id, code, &bytes);
        self.drain();
    }

    pub(crate) fn cancel(&mut self, side: usize, id: ClientId) {
        let now = self.now;
        self.sides[side].cancel(now, id, None);
        self.drain();
    }

    pub(crate) fn send(&mut self, side: usize, bytes: &[u8]) {
        let flow = self.flow();
        self.sides[side].send(flow, bytes);
        self.drain();
    }

    /// The next thing a user hears, not later than `until`; then it is `until`.
    pub(crate) fn next(&mut self, until: Duration) -> Option<Heard> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            let arrival = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let timeouts = self.sides.iter().map(|side| side.poll_timeout().map(|(at, _)| at));
            let timeout = timeouts.flatten().min();
            let next = arrival.into_iter().chain(timeout).min().filter(|at| *at <= until);
            let Some(at) = next else {
                self.now = until;
                return None;
            };
            self.now = at;
            if arrival == Some(at)
                && let Some((_, (side, bytes))) = self.under_way.pop_first()
            {
                self.arrive(side, &bytes);
            } else {
                for side in &mut self.sides {
                    let due = side.poll_timeout().filter(|(due, _)| *due <= at);
                    self.fired.extend(due.map(|(_, reason)| reason));
                    side.handle_timeout(at);
                }
            }
            self.drain();
        }
    }

    /// Everything until then, as lines `ms side what`; one space between words.
    pub(crate) fn story(&mut self, until: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(heard) = self.next(until) {
            let what = match heard.what {
                What::Request(_) | What::Ack | What::Cancel(_) | What::Response(..) => {
                    short(&heard.bytes)
                }
                What::Stray(_) => format!("stray {}", short(&heard.bytes)),
                What::Absorbed(absorbed) => format!("{absorbed:?} {}", short(&heard.bytes)),
                What::Event(event) => {
                    let name = format!("{event:?}");
                    name.split(' ').next().unwrap_or_default().to_owned()
                }
            };
            let side = ["a", "b"][heard.side];
            lines.push(format!("{} {side} {what}", heard.at.as_millis()));
        }
        lines
    }

    /// Nothing is left anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
            && self
                .sides
                .iter()
                .all(|side| (side.pending(), side.finished(), side.poll_timeout()) == (0, 0, None))
    }

    fn arrive(&mut self, side: usize, bytes: &[u8]) {
        let (now, flow) = (self.now, self.flow());
        let what = match self.sides[side].handle_input(now, flow, bytes) {
            Received::Request { id, .. } => What::Request(id),
            Received::Ack { .. } => What::Ack,
            Received::Cancel { invite, .. } => What::Cancel(invite),
            Received::Response { id, message } => What::Response(id, message.status().unwrap()),
            Received::Stray { message } => What::Stray(message.status().unwrap()),
            Received::Absorbed(absorbed) => What::Absorbed(absorbed),
            other => panic!("{other:?}"),
        };
        self.heard.push_back(Heard { at: now, side, what, bytes: bytes.to_vec() });
    }

    /// Moves what the endpoints made into the network and to the users.
    fn drain(&mut self) {
        let mut out = Vec::new();
        for side in 0..2 {
            while let Some(transmit) = self.sides[side].poll_transmit(&mut out) {
                assert_eq!((transmit.flow, transmit.len), (self.flow(), out.len()));
                self.put(1 - side, std::mem::take(&mut out));
            }
            while let Some(event) = self.sides[side].poll_event() {
                let heard =
                    Heard { at: self.now, side, what: What::Event(event), bytes: Vec::new() };
                self.heard.push_back(heard);
            }
            assert_eq!(self.sides[side].invariant(), Ok(()));
        }
    }

    fn put(&mut self, to: usize, bytes: Vec<u8>) {
        let name = short(&bytes);
        if let Some(place) = self.lose.iter().position(|lost| *lost == (1 - to, name.as_str())) {
            self.lose.remove(place);
            return;
        }
        let unreliable = !self.transport.is_stream();
        if unreliable && self.below(1000) < self.net.loss {
            return;
        }
        let copies = if unreliable && self.below(1000) < self.net.twice { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = if unreliable { self.below(self.net.jitter + 1) } else { 0 };
            let at = self.now + Duration::from_millis(10 + jitter);
            self.sent += 1;
            self.under_way.insert((at, self.sent), (to, bytes.clone()));
        }
    }
}
