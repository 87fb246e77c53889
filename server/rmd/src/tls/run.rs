//! The TLS thread: wait, accept, read, hand over; take, seal, write; again.
//!
//! It moves bytes and never decides. While the engine does not take what it was given nothing is
//! read, so that peers feel it; nothing here can make the engine wait.

use super::exchange::{Exchange, Happened, Seen};
use super::kind::Secure;
use super::material::Certificates;
use super::names::Names;
use crate::limits::{ACCEPT_REST, ACCEPTS_PER_TURN, LONGEST_TURN_WAIT};
use crate::transport::{Origins, Seats, Streams, Trust};
use model::time::Now;
use net::tcp::Listener;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Ready, Token};
use sip::transport::{Flow, Transport};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use telemetry::Log;

/// The poller's name for the waker; listeners have the numbers below by their index.
const WAKER: Token = Token(1 << 32);

/// One listener of the settings.
#[derive(Debug)]
pub(crate) struct Listening {
    /// Its index among all listeners of the node.
    pub(crate) index: u8,
    pub(crate) listener: Listener,
    pub(crate) resting_until: Option<Duration>,
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
    pub(crate) log: Log,
}

/// The thread at work.
struct Running {
    poller: Poller,
    /// Watches the waker alone, for while nothing may be read.
    held: Poller,
    ready: Vec<Ready>,
    listeners: Vec<Listening>,
    streams: Streams<Secure>,
    exchange: Exchange,
    wakes: WakeReceiver,
    log: Log,
}

impl Room {
    /// Runs until it is told to stop. A broken poller ends it, which is logged.
    pub(crate) fn run(self) {
        let (clock, log) = (self.clock, self.log.clone());
        if let Err(error) = self.open().and_then(|running| running.turns(clock)) {
            log.emit(20901, None, &[("part", "tls"), ("error", &error.to_string())]);
        }
    }

    fn open(self) -> io::Result<Running> {
        let Self { listeners, certificates, names, trust, seats, wakes, exchange, log, .. } = self;
        let (poller, held) = (Poller::new()?, Poller::new()?);
        poller.add(&wakes, WAKER, Interest::Read)?;
        held.add(&wakes, WAKER, Interest::Read)?;
        for one in &listeners {
            poller.add(&one.listener, Token(one.index.into()), Interest::Read)?;
        }
        let origins = Origins::new(self.addresses.iter().map(SocketAddr::ip), self.dscp);
        let kind = Secure { certificates, names, origins, log: log.clone(), known: None };
        let streams = Streams::new(kind, trust, seats);
        let ready = Vec::new();
        Ok(Running { poller, held, ready, listeners, streams, exchange, wakes, log })
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
            self.streams.kind_mut().certificates.look(now, orders.reload, &self.log);
            self.receive(now.mono);
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
        let named = |one: &&mut Listening| Token(one.index.into()) == token;
        let Some(listening) = self.listeners.iter_mut().find(named) else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            let (stream, remote) = match listening.listener.accept() {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return,
                Err(_) => {
                    self.streams.refused();
                    if self.poller.remove(&listening.listener).is_ok() {
                        listening.resting_until = Some(now + ACCEPT_REST);
                    }
                    return;
                }
            };
            let flow =
                Flow { transport: Transport::Tls, listener: listening.index, remote, conn: None };
            match self.streams.kind_mut().certificates.material().accept(stream) {
                Ok(stream) => self.streams.accept(&self.poller, now, flow, stream),
                Err(_) => self.streams.refused(),
            }
        }
    }

    /// Listens again where an accept had failed.
    fn wake_listeners(&mut self, now: Duration) {
        for one in &mut self.listeners {
            if one.resting_until.is_some_and(|until| until <= now) {
                let token = Token(one.index.into());
                if self.poller.add(&one.listener, token, Interest::Read).is_ok() {
                    one.resting_until = None;
                }
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
        let resting = self.listeners.iter().filter_map(|one| one.resting_until);
        let due = resting.chain(self.streams.next_sweep());
        let due = due.chain([self.streams.kind_mut().certificates.next_look()]).min();
        due.map_or(LONGEST_TURN_WAIT, |due| due.saturating_sub(now)).min(LONGEST_TURN_WAIT)
    }
}
