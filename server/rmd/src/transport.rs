//! Stage 1, and the last step of each message: flows of the engine ↔ sockets of the kernel.
//!
//! One `Transport` owns every SIP socket of the node and lives on the engine thread: it waits,
//! hands over what arrived, and puts what the engine wants to say into batches. It reads no
//! message, retries nothing and decides nothing; a flow that cannot carry comes back as failed.

mod connection;
mod seats;
mod streams;
mod trust;
mod wire;

use crate::accepting::{Accepting, News, Rests};
use crate::limits::{ACCEPTS_PER_TURN, BATCHES_PER_TURN};
use crate::listeners::{Bound, Socket};
use crate::tls::{self, Happened};
pub(crate) use connection::word;
use net::udp::{ReceiveBatch, SendBatch, UdpSocket, Unsent};
use net::waker::WakeReceiver;
use net::{Interest, Poller, Ready, Token};
pub(crate) use seats::Seats;
use sip::parse::ParseError;
use sip::transport::{Flow, Transport as Kind};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::time::Duration;
use streams::Lost;
pub(crate) use streams::{StreamCounters, Streams};
pub(crate) use trust::Trust;
use wire::Plain;
pub(crate) use wire::{Input, Kind as StreamKind, Origins, Wire};

/// The poller's name for the waker; listeners have the numbers below by their index.
const WAKER: Token = Token(1 << 32);

/// One thing that arrived.
pub(crate) enum Arrival<'a> {
    /// A datagram or a framed message.
    Packet {
        /// Where from.
        flow: Flow,
        /// All of it.
        bytes: &'a [u8],
        /// The kernel's time of receipt since 1970, of datagrams.
        received: Option<Duration>,
    },
    /// A stream whose framing is broken: it closes when the answer is written.
    Broken {
        /// The stream.
        flow: Flow,
        /// What has come of the message in hand.
        bytes: &'a [u8],
        /// What is wrong.
        error: ParseError,
    },
    /// A stream under TLS whose far end has proven these names.
    Verified {
        /// The stream.
        flow: Flow,
        /// Lower case.
        names: &'a [String],
    },
    /// A stream that stood and is gone, or a datagram that cannot get there.
    Failed(Flow),
    /// A connect that has failed.
    Unopened(Flow),
}

/// Messages to be sent, in one buffer; filled by the engine, emptied by the transport.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The bytes of all messages, one behind the other.
    pub(crate) bytes: Vec<u8>,
    messages: Vec<(Flow, Range<usize>)>,
    /// Streams under TLS that may be used for another port of their far end (RFC 5923).
    pub(crate) aliases: Vec<(Flow, u16)>,
}

impl Outbox {
    /// The last `len` bytes of the buffer, which it gives back, go to `flow`.
    pub(crate) fn push(&mut self, flow: Flow, len: usize) -> &[u8] {
        let end = self.bytes.len();
        let start = end.saturating_sub(len);
        self.messages.push((flow, start..end));
        self.bytes.get(start..).unwrap_or_default()
    }
}

/// All SIP sockets of one node.
pub(crate) struct Transport {
    poller: Poller,
    waker: WakeReceiver,
    ready: Vec<Ready>,
    listeners: Vec<Slot>,
    streams: Streams<Plain>,
    /// The streams under TLS, on their own thread.
    tls: Option<tls::Link>,
    datagrams: ReceiveBatch,
    counters: Counters,
    /// What has become of listeners, until it is told.
    news: Vec<(String, News)>,
}

/// One listener; its index is the `listener` of a flow.
enum Slot {
    Udp {
        socket: UdpSocket,
        outgoing: SendBatch,
        /// Its latest receive has failed.
        fails: bool,
    },
    Tcp(Accepting),
    /// Its socket is on the TLS thread.
    Tls,
}

/// What the sockets have counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Streams.
    pub(crate) streams: StreamCounters,
    /// Streams under TLS and their certificates, where there are any.
    pub(crate) tls: Option<tls::Seen>,
    /// Datagrams that could not leave, and receives that failed, by why.
    pub(crate) udp_errors: BTreeMap<&'static str, u64>,
    /// Messages that the TLS thread had no room for.
    pub(crate) tls_errors: BTreeMap<&'static str, u64>,
}

impl Transport {
    /// Watches the bound sockets. Must be made on the engine thread.
    pub(crate) fn new(
        bound: Vec<Bound>,
        waker: WakeReceiver,
        (trust, seats): (Trust, Seats),
        dscp: u8,
        tls: Option<tls::Link>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&waker, WAKER, Interest::Read)?;
        let origins = Origins::new(bound.iter().map(|bound| bound.address.ip()), dscp);
        let mut listeners = Vec::with_capacity(bound.len());
        for (index, bound) in (0..).zip(bound) {
            listeners.push(match bound.socket {
                Socket::Udp(socket) => {
                    poller.add(&socket, Token(index), Interest::Read)?;
                    Slot::Udp { socket, outgoing: SendBatch::new(), fails: false }
                }
                Socket::Tcp(listener) => {
                    Slot::Tcp(Accepting::watched(listener, Token(index), &poller)?)
                }
                Socket::Tls(_) => Slot::Tls,
            });
        }
        Ok(Self {
            poller,
            waker,
            ready: Vec::new(),
            listeners,
            streams: Streams::new(Plain { origins }, trust, seats),
            tls,
            datagrams: ReceiveBatch::new(),
            counters: Counters::default(),
            news: Vec::new(),
        })
    }

    /// The sources that are known.
    pub(crate) fn trust_mut(&mut self) -> &mut Trust {
        self.streams.trust_mut()
    }

    /// The TLS thread knows the same sources from now on.
    pub(crate) fn trust_changed(&mut self) {
        if let Some(tls) = &self.tls {
            tls.set_trust(self.streams.trust_mut().clone());
        }
    }

    /// A copy of what was counted.
    pub(crate) fn counters(&self) -> Counters {
        let tls = self.tls.as_ref().map(tls::Link::seen);
        Counters { streams: self.streams.counters(), tls, ..self.counters.clone() }
    }

    /// What has become of listeners since the last time: which, and how.
    pub(crate) fn news(&mut self) -> impl Iterator<Item = (String, News)> {
        self.news.drain(..)
    }

    /// So many streams there may be at once from now on.
    pub(crate) fn set_most_streams(&self, most: usize) {
        self.streams.set_most(most);
    }

    /// Waits until something arrives, somebody wakes the engine, or the time has passed. Failed
    /// flows do not wait. True: at first there was nothing.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<bool> {
        self.poller.wait(Some(Duration::ZERO), &mut self.ready)?;
        let nothing = self.ready.is_empty();
        if nothing && !timeout.is_zero() && !self.streams.has_failed() {
            self.poller.wait(Some(timeout), &mut self.ready)?;
        }
        Ok(nothing)
    }

    /// The next time at which a stream or a resting listener needs a turn.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let resting = self.listeners.iter().filter_map(|slot| match slot {
            Slot::Tcp(listener) => listener.resting_until(),
            Slot::Udp { .. } | Slot::Tls => None,
        });
        resting.chain(self.streams.next_sweep()).min()
    }

    /// Hands over what has arrived, within the work budget of a turn, and sends after each batch
    /// what the engine answers.
    pub(crate) fn receive(&mut self, now: Duration, engine: &mut impl Engine) {
        self.streams.sweep(now);
        self.wake_listeners(now);
        let mut ready = std::mem::take(&mut self.ready);
        for event in ready.drain(..) {
            if event.token == WAKER {
                self.waker.drain();
            } else if let Some(id) = Streams::<Plain>::named_by(event.token) {
                let mut refused = None;
                self.streams.turn(now, event, id, &mut |flow, bytes, broken| {
                    engine.arrived(match broken {
                        None => Arrival::Packet { flow, bytes, received: None },
                        Some(error) => {
                            refused = Some(flow);
                            Arrival::Broken { flow, bytes, error }
                        }
                    });
                });
                self.send(now, engine.outbox());
                if let Some(flow) = refused {
                    self.streams.answered(flow);
                }
            } else {
                self.listener_turn(now, event.token, engine);
            }
        }
        self.ready = ready;
        self.take_tls(now, engine);
        while let Some(Lost { flow, stood }) = self.streams.next_failed() {
            engine.arrived(if stood { Arrival::Failed(flow) } else { Arrival::Unopened(flow) });
            self.send(now, engine.outbox());
        }
    }

    fn listener_turn(&mut self, now: Duration, token: Token, engine: &mut impl Engine) {
        let Ok(index) = u8::try_from(token.0) else { return };
        let mut batches = 0;
        while batches < BATCHES_PER_TURN {
            match self.listeners.get_mut(usize::from(index)) {
                Some(Slot::Udp { socket, fails, .. }) => {
                    let received = self.datagrams.receive(socket);
                    if received.is_err() != std::mem::replace(fails, received.is_err()) {
                        let how = received.as_ref().map(|_| ()).map_err(|why| why.kind().into());
                        self.news.push((format!("udp {}", socket.local()), how));
                    }
                    let full = match received {
                        Ok(0) => {
                            // woken for what the network says of datagrams that were sent
                            let (streams, errors) =
                                (&mut self.streams, &mut self.counters.udp_errors);
                            socket.take_errors(|to, kind| {
                                count(errors, word(kind));
                                streams.fail(udp_flow(index, to));
                            });
                            false
                        }
                        Ok(count) => count == net::limits::RECEIVE_BATCH,
                        Err(error) => {
                            count(&mut self.counters.udp_errors, word(error.kind()));
                            false
                        }
                    };
                    for datagram in self.datagrams.datagrams() {
                        let flow = udp_flow(index, datagram.from);
                        let (bytes, received) = (datagram.bytes, datagram.received);
                        engine.arrived(Arrival::Packet { flow, bytes, received });
                    }
                    self.send(now, engine.outbox());
                    batches = if full { batches + 1 } else { BATCHES_PER_TURN };
                }
                Some(Slot::Tcp(_)) => return self.accept(now, index),
                Some(Slot::Tls) | None => return,
            }
        }
    }

    fn accept(&mut self, now: Duration, index: u8) {
        let slot = self.listeners.get_mut(usize::from(index));
        let Some(Slot::Tcp(listener)) = slot else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept(now, &self.poller) {
                Ok(Some((stream, remote))) => {
                    let flow = Flow { transport: Kind::Tcp, listener: index, remote, conn: None };
                    self.streams.accept(&self.poller, now, flow, stream);
                }
                Ok(None) => break,
                Err(Rests) => {
                    self.streams.refused();
                    break;
                }
            }
        }
        if let Some(news) = listener.news() {
            self.news.push((format!("tcp {}", listener.local()), news));
        }
    }

    /// Listens again where an accept had failed.
    fn wake_listeners(&mut self, now: Duration) {
        for index in 0..u8::MAX {
            let Some(slot) = self.listeners.get_mut(usize::from(index)) else { return };
            if let Slot::Tcp(listener) = slot
                && listener.wakes(now, &self.poller)
            {
                self.accept(now, index);
            }
        }
    }

    /// Sends datagrams at once, in batches, and queues messages of streams until
    /// [`Self::flush`]. Empties the outbox.
    fn send(&mut self, now: Duration, outbox: &mut Outbox) {
        for (flow, port) in outbox.aliases.drain(..) {
            if let Some(tls) = &self.tls {
                tls.alias(flow, port);
            }
        }
        if outbox.messages.is_empty() {
            return;
        }
        for (flow, range) in outbox.messages.drain(..) {
            match (flow.transport, self.listeners.get_mut(usize::from(flow.listener))) {
                (Kind::Udp, Some(Slot::Udp { outgoing, .. })) => outgoing.push(range, flow.remote),
                (Kind::Tcp, _) => {
                    let bytes = outbox.bytes.get(range).unwrap_or_default();
                    self.streams.send(&self.poller, now, flow, bytes);
                }
                (Kind::Tls, _) => match &mut self.tls {
                    Some(tls) => tls.send(flow, outbox.bytes.get(range).unwrap_or_default()),
                    None => self.streams.fail(flow),
                },
                // No such listener.
                (Kind::Udp, Some(Slot::Tcp(_) | Slot::Tls) | None) => self.streams.fail(flow),
            }
        }
        for (index, slot) in (0..).zip(&mut self.listeners) {
            let Slot::Udp { socket, outgoing, .. } = slot else { continue };
            if outgoing.is_empty() {
                continue;
            }
            let (streams, errors) = (&mut self.streams, &mut self.counters.udp_errors);
            outgoing.flush(socket, &outbox.bytes, |failure| {
                match failure.why {
                    // Neither says anything of the peer, and SIP sends again by itself.
                    Unsent::Full => count(errors, "full"),
                    Unsent::TooLarge => count(errors, "too-large"),
                    Unsent::Refused(kind) => {
                        count(errors, word(kind));
                        streams.fail(udp_flow(index, failure.to));
                    }
                }
            });
        }
        outbox.bytes.clear();
    }

    /// Sends what the engine wants to say outside [`Self::receive`].
    pub(crate) fn send_all(&mut self, now: Duration, engine: &mut impl Engine) {
        self.send(now, engine.outbox());
    }

    /// Writes what was queued for streams: once per turn, one write per stream.
    pub(crate) fn flush(&mut self) {
        self.streams.flush(&self.poller);
        if let Some(tls) = &mut self.tls {
            let Self { streams, counters, .. } = self;
            tls.flush(|flow| {
                count(&mut counters.tls_errors, "full");
                streams.fail(flow);
            });
        }
    }

    /// What has come by TLS.
    fn take_tls(&mut self, now: Duration, engine: &mut impl Engine) {
        let Some(mut tls) = self.tls.take() else { return };
        tls.take(|happened, bytes| {
            engine.arrived(match happened {
                Happened::Packet(flow, _) => Arrival::Packet { flow: *flow, bytes, received: None },
                Happened::Broken(flow, _, error) => {
                    Arrival::Broken { flow: *flow, bytes, error: *error }
                }
                Happened::Verified(flow, names) => Arrival::Verified { flow: *flow, names },
                Happened::Failed(flow) => Arrival::Failed(*flow),
            });
        });
        self.tls = Some(tls);
        self.send(now, engine.outbox());
    }
}

/// The engine as the transport sees it.
pub(crate) trait Engine {
    /// Takes one arrival; what it wants to send goes into its outbox.
    fn arrived(&mut self, arrival: Arrival<'_>);
    /// What it wants to send.
    fn outbox(&mut self) -> &mut Outbox;
}

fn udp_flow(listener: u8, remote: std::net::SocketAddr) -> Flow {
    Flow { transport: Kind::Udp, listener, remote, conn: None }
}

fn count(counters: &mut BTreeMap<&'static str, u64>, why: &'static str) {
    *counters.entry(why).or_default() += 1;
}

#[cfg(test)]
mod tests;
