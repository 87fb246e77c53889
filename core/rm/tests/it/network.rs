//! A caller, the Proxy and two media servers, each with a transaction engine of its own, on a
//! network that loses, doubles and reorders, in virtual time and from a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use model::chance::Chance;
use rm::{Event, Input, NodeState, Proxy};
use sip::transport::{Flow, Transport};

use crate::party::{Manner, Party};
use crate::world::{CALLER, MCP1, MCP2, World, objects, settings};

/// How bad the network is, per cent, and how much latency differs, ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Net {
    pub(crate) loss: u64,
    pub(crate) twice: u64,
    pub(crate) jitter: u64,
}

impl Net {
    /// Every packet takes 10 ms.
    pub(crate) const GOOD: Self = Self { loss: 0, twice: 0, jitter: 0 };
    pub(crate) const BAD: Self = Self { loss: 15, twice: 10, jitter: 300 };
}

/// A packet: from, to, bytes.
type Packet = (SocketAddr, SocketAddr, Vec<u8>);

pub(crate) struct Network {
    pub(crate) world: World,
    /// The caller, and the media servers.
    pub(crate) parties: [Party; 3],
    /// May be changed on the way.
    pub(crate) net: Net,
    chance: Chance,
    under_way: BTreeMap<(Duration, u64), Packet>,
    sent: u64,
    /// Packets that were lost or doubled.
    pub(crate) trouble: u64,
    pub(crate) ends: usize,
}

impl Network {
    pub(crate) fn new(net: Net, manner: Manner, seed: u64) -> Self {
        let mut settings = settings();
        settings.options.no_timer_lifetime = Duration::from_secs(120);
        settings.options.orphan_lifetime = Duration::from_secs(120);
        settings.timers.c = Duration::from_secs(60);
        let silent = Manner { rings: None, answers: None };
        let mut network = Self {
            world: World::cold(&objects(), settings),
            parties: [
                Party::new(CALLER, silent, seed),
                Party::new(MCP1, manner, seed + 1),
                Party::new(MCP2, manner, seed + 2),
            ],
            net: Net::GOOD,
            chance: Chance::new([seed, 5, 6, 7]),
            under_way: BTreeMap::new(),
            sent: 0,
            trouble: 0,
            ends: 0,
        };
        let now = network.world.now;
        network.world.proxy.handle_input(now, Input::State(NodeState::Ready));
        network.drain();
        network.run(Duration::from_secs(1));
        network.net = net;
        network
    }

    pub(crate) fn now(&self) -> Duration {
        self.world.now.mono
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.world.proxy
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        self.drain();
        loop {
            let packet = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let proxy = self.world.proxy.poll_timeout().map(|(at, _)| at);
            let parties = self.parties.iter().filter_map(Party::next_time).min();
            let next = packet.into_iter().chain(proxy).chain(parties).min();
            let Some(at) = next.filter(|at| *at <= end) else {
                self.world.now = self.world.now.plus(end - self.now());
                return;
            };
            self.world.now = self.world.now.plus(at.saturating_sub(self.now()));
            if packet == Some(at) {
                if let Some((_, packet)) = self.under_way.pop_first() {
                    self.arrive(&packet);
                }
            } else {
                self.world.proxy.handle_timeout(self.world.now);
                self.parties.iter_mut().for_each(|party| party.time(at));
            }
            self.drain();
        }
    }

    fn arrive(&mut self, (from, to, bytes): &Packet) {
        let now = self.now();
        if let Some(party) = self.parties.iter_mut().find(|party| party.address == *to) {
            return party.hear(now, from.port(), bytes);
        }
        let listener = if to.port() == 5064 { 2 } else { 0 };
        let flow = Flow { transport: Transport::Udp, listener, remote: *from, conn: None };
        self.world
            .proxy
            .handle_input(self.world.now, Input::Packet { flow, bytes, age: Duration::ZERO });
    }

    /// Moves what everybody made into the network.
    pub(crate) fn drain(&mut self) {
        let mut out = Vec::new();
        for at in 0..self.parties.len() {
            self.parties[at].events();
            let from = self.parties[at].address;
            while let Some(sent) = self.parties[at].endpoint.poll_transmit(&mut out) {
                self.put(from, sent.flow.remote, std::mem::take(&mut out));
            }
        }
        while let Some(sent) = self.world.proxy.poll_transmit(&mut out) {
            let port = if sent.flow.listener == 2 { 5064 } else { 5060 };
            let from = SocketAddr::from(([10, 0, 0, 5], port));
            self.put(from, sent.flow.remote, std::mem::take(&mut out));
        }
        let mut durable = None;
        while let Some(event) = self.world.proxy.poll_event(&mut out) {
            let bytes = std::mem::take(&mut out);
            if let Event::Record { no, json, .. } = event {
                durable = Some(no);
                let json: serde_json::Value = serde_json::from_slice(&bytes[..json]).unwrap();
                self.ends += usize::from(json["phase"] == "end");
            }
        }
        if let Some(no) = durable {
            self.world.proxy.handle_input(self.world.now, Input::Durable { no });
            self.drain();
        }
    }

    fn put(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if self.chance.below(100) < self.net.loss {
            self.trouble += 1;
            return;
        }
        let copies = if self.chance.below(100) < self.net.twice { 2 } else { 1 };
        self.trouble += copies - 1;
        for _ in 0..copies {
            let late = Duration::from_millis(10 + self.chance.below(self.net.jitter + 1));
            self.sent += 1;
            self.under_way.insert((self.now() + late, self.sent), (from, to, bytes.clone()));
        }
    }
}
