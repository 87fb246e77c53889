//! The TLS thread: wait, accept, read, hand over; take, seal, write; again.
//!
//! It moves bytes and never decides. While the engine does not take what it was given nothing is
//! read, so that peers feel it; nothing here can make the engine wait.

use super::exchange::{Exchange, Happened, Seen};
use super::kind::Secure;
use super::material::Certificates;
use super::names::Names;
use crate::accepting::{Accepting, Rests};
use crate::limits::{ACCEPTS_PER_TURN, LONGEST_TURN_WAIT};
use crate::state::State;
use crate::transport::{Origins, Seats, Streams, Trust};
use model::time::Now;
use net::tcp::Listener;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Ready, Token};
use sip::transport::{Flow, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The poller's name for the waker; listeners have the numbers below by their index.
const WAKER: Token = Token(1 << 32);

/// One listener of the settings.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Its index among all listeners of the node.
    pub(crate) index: u8,
    pub(crate) listener: Listener,
}

/// What the thread is made of.
pub(crate) struct Room {
    pub(crate) listeners: Vec<Listening>,
    pub(crate) certificates: Certificates,
    pub(crate) names: Names,
    pub(crate) trust: Trust,
    pub(crate) seats: Seats,
    /// Addresses of all listeners of the node, in the order of their indexes.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) dscp: u8,
    pub(crate) exchange: Exchange,
    pub(crate) wakes: WakeReceiver,
    pub(crate) clock: Clock,
    pub(crate) state: State,
}

/// The thread at work.
struct Running {
    poller: Poller,
    /// Watches the waker alone, for while nothing may be read.
    held: Poller,
    ready: Vec<Ready>,
    /// By their index.
    listeners: Vec<(u8, Accepting)>,
    streams: Streams<Secure>,
    exchange: Exchange,
    wakes: WakeReceiver,
    state: State,
}

impl Room {
    /// Runs until it is told to stop. A broken poller ends it, which is logged.
    pub(crate) fn run(self) {
        let (clock, log) = (self.clock, self.state.log().clone());
        if let Err(error) = self.open().and_then(|running| running.turns(clock)) {
            log.emit(20901, None, &[("part", "tls"), ("error", &error.to_string())]);
        }
    }

    fn open(self) -> io::Result<Running> {
        let Self { certificates, names, trust, seats, wakes, exchange, state, .. } = self;
        let (poller, held) = (Poller::new()?, Poller::new()?);
        poller.add(&wakes, WAKER, Interest::Read)?;
        held.add(&wakes, WAKER, Interest::Read)?;
        let mut listeners = Vec::with_capacity(self.listeners.len());
        for Listening { index, listener } in self.listeners {
            listeners.push((index, Accepting::watched(listener, Token(index.into()), &poller)?));
        }
        let origins = Origins::new(self.addresses.iter().map(SocketAddr::ip), self.dscp);
        let kind = Secure { certificates, names, origins, log: state.log().clone(), known: None };
        let streams = Streams::new(kind, trust, seats);
        let ready = Vec::new();
        Ok(Running { poller, held, ready, listeners, streams, exchange, wakes, state })
    }
}

impl Running {
    fn turns(mut self, clock: Clock) -> io::Result<()> {
        let mut reading = true;
        loop {
            let wait = self.wait_time(clock.now().mono);
            let poller = if reading { &mut self.poller } else { &mut self.held };
            poller.wait(Some(wait), &mut self.ready)?;
            let now = clock.now();
            self.wakes.drain();
            let orders = self.exchange.take();
            if let Some(trust) = orders.trust {
                self.streams.kind_mut().names.set_resources(trust.names());
                self.streams.kind_mut().names.set_hops(trust.hops());
                *self.streams.trust_mut() = trust;
            }
            for (flow, port) in orders.aliases {
                self.streams.alias(flow, port);
            }
            self.say(now.mono);
            orders.answered.into_iter().for_each(|flow| self.streams.answered(flow));
            if orders.stop {
                self.streams.flush(&self.poller);
                return Ok(());
            }
            self.streams.kind_mut().certificates.look(now, orders.reload, self.state.log());
            self.receive(now.mono);
            self.tell_listeners(now);
            self.streams.flush(&self.poller);
            self.report();
            reading = self.exchange.give();
            self.show(now);
        }
    }

    /// Queues what the engine wants to say.
    fn say(&mut self, now: Duration) {
        let Self { poller, streams, exchange, .. } = self;
        exchange.say(|flow, bytes| streams.send(poller, now, flow, bytes));
    }

    /// Accepts and reads what the poller has found.
    fn receive(&mut self, now: Duration) {
        self.streams.sweep(now);
        self.wake_listeners(now);
        let mut ready = std::mem::take(&mut self.ready);
        for event in ready.drain(..) {
            if event.token == WAKER {
                continue;
            }
            let Some(id) = Streams::<Secure>::named_by(event.token) else {
                self.accept(now, event.token);
                continue;
            };
            let out = self.exchange.out();
            let before = out.items.len();
            self.streams.turn(now, event, id, &mut |flow, bytes, broken| {
                out.bytes.extend_from_slice(bytes);
                out.items.push(match broken {
                    None => Happened::Packet(flow, bytes.len()),
                    Some(error) => Happened::Broken(flow, bytes.len(), error),
                });
            });
            if let Some((flow, names)) = self.streams.kind_mut().known.take() {
                out.items.insert(before, Happened::Verified(flow, names));
            }
        }
        self.ready = ready;
    }

    fn accept(&mut self, now: Duration, token: Token) {
        let named = |(index, _): &&mut (u8, Accepting)| Token((*index).into()) == token;
        let Some((index, listener)) = self.listeners.iter_mut().find(named) else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            let (stream, remote) = match listener.accept(now, &self.poller) {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return,
                Err(Rests) => return self.streams.refused(),
            };
            let flow = Flow { transport: Transport::Tls, listener: *index, remote, conn: None };
            match self.streams.kind_mut().certificates.material().accept(stream) {
                Ok(stream) => self.streams.accept(&self.poller, now, flow, stream),
                Err(_) => self.streams.refused(),
            }
        }
    }

    /// Listens again where an accept had failed.
    fn wake_listeners(&mut self, now: Duration) {
        for at in 0..self.listeners.len() {
            let Some((index, listener)) = self.listeners.get_mut(at) else { return };
            let token = Token((*index).into());
            if listener.wakes(now, &self.poller) {
                self.accept(now, token);
            }
        }
    }

    /// What has become of listeners is told at once: the alarms are everybody's.
    fn tell_listeners(&mut self, now: Now) {
        for (_, listener) in &mut self.listeners {
            if let Some(news) = listener.news() {
                self.state.listener(now.wall, &format!("tls {}", listener.local()), news);
            }
        }
    }

    /// Flows that have failed, for the engine.
    fn report(&mut self) {
        while let Some(lost) = self.streams.next_failed() {
            self.exchange.out().items.push(Happened::Failed(lost.flow));
        }
    }

    fn show(&mut self, now: Now) {
        let left = self.streams.kind_mut().certificates.material().left(now.wall);
        self.exchange.show(Seen { streams: self.streams.counters(), certificate: Some(left) });
    }

    fn wait_time(&mut self, now: Duration) -> Duration {
        let resting = self.listeners.iter().filter_map(|(_, one)| one.resting_until());
        let due = resting.chain(self.streams.next_sweep());
        let due = due.chain([self.streams.kind_mut().certificates.next_look()]).min();
        due.map_or(LONGEST_TURN_WAIT, |due| due.saturating_sub(now)).min(LONGEST_TURN_WAIT)
    }
}
