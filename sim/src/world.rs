//! The world: it moves everybody through virtual time, one thing after the other, and asks after
//! every step whether all still holds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::chance::Chance;
use model::time::{Millis, Now};
use rm::Input;
use serde_json::Value as Json;
use sip::transport::{Flow, Transport};

use crate::agent::{Agent, Call};
use crate::check::{Before, Checks};
use crate::network::{Conn, Network, Packet};
use crate::node::{Node, Output};
use crate::objects;
use crate::promise::{Kept, Promises};
use crate::reporting::Reporting;
use crate::seed;
use crate::trace::Trace;
use crate::truth::Truth;

/// When every world begins: 2026-01-01.
const START: Millis = Millis(1_767_225_600_000);
/// On the monotonic clock.
const BEGIN: Duration = Duration::from_secs(1000);
/// Steps at one instant beyond which time stands still.
const STANDSTILL: u64 = 100_000;
/// Address of the broker.
const BROKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 80));

/// The SIP Server, which places the calls.
pub const CALLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 5090);

/// Something does not hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, step {step}, {at:?}: {what}")]
pub struct Fault {
    /// Of the world.
    pub seed: u64,
    /// How many steps were taken.
    pub step: u64,
    /// Since the beginning.
    pub at: Duration,
    /// What.
    pub what: String,
}

/// What a world is made of.
pub struct Setup {
    /// Decides all chance.
    pub seed: u64,
    /// Resource Managers: each has its own address, and no cluster.
    pub nodes: u8,
    /// Names and addresses of who is called: media servers, and others.
    pub servers: Vec<(&'static str, SocketAddr)>,
    /// The configuration.
    pub objects: Json,
    /// Changes the settings of each node.
    pub settings: fn(&mut rm::Settings),
}

impl Setup {
    /// One Resource Manager, mcp-1 and mcp-2, example 1 of rm.md §4.3.
    #[must_use]
    pub fn example_1(seed: u64) -> Self {
        let servers = vec![("mcp-1", server(11)), ("mcp-2", server(12))];
        let objects = objects::example_1(&servers);
        Self { seed, nodes: 1, servers, objects, settings: |_| () }
    }
}

/// Address of a media server.
#[must_use]
pub const fn server(last: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 5070)
}

/// The wall clock at a time of the monotonic one: both pass alike.
pub(crate) fn wall(mono: Duration) -> Millis {
    START.plus(mono - BEGIN)
}

/// A log line of a node.
#[derive(Clone, Debug)]
pub struct Logged {
    /// When.
    pub at: Duration,
    /// Its number.
    pub id: u16,
    /// Its fields, in order.
    pub fields: Vec<(&'static str, String)>,
}

/// A whole platform.
pub struct World {
    /// The present.
    pub now: Now,
    /// Between all of them.
    pub network: Network,
    /// Resource Managers.
    pub nodes: Vec<Node>,
    /// The caller, and the media servers.
    pub agents: Vec<Agent>,
    /// Broker and report.
    pub report: Reporting,
    /// The reference model.
    pub truth: Truth,
    /// The configuration in force.
    pub objects: Json,
    /// What has to hold after every step.
    pub checks: Checks,
    promises: Promises,
    /// Log lines of all nodes.
    pub logs: Vec<Logged>,
    /// Whether `logs` is filled.
    pub listens: bool,
    /// Steps after which it stops.
    pub most_steps: u64,
    /// Whether SIP connects are refused or get no answer; nothing here carries SIP over TCP.
    pub refuses_tcp: bool,
    /// TCP connects that were tried.
    pub connects: Vec<(Duration, SocketAddr)>,
    pub(crate) chance: Chance,
    seed: u64,
    revision: u64,
    trace: Trace,
    steps: u64,
    standstill: u64,
}

impl World {
    /// A platform whose nodes have started and whose media servers have been probed.
    ///
    /// # Errors
    /// The configuration is not valid, or something does not hold.
    pub fn new(setup: Setup) -> Result<Self, Fault> {
        let Setup { seed, nodes, servers, objects, settings } = setup;
        let fault = |what| Fault { seed, step: 0, at: Duration::ZERO, what };
        let mut chance = seed::chance(seed, 4);
        let snapshot = objects::snapshot(&objects, 1).map_err(fault)?;
        let names = ["rm-1", "rm-2", "rm-3", "rm-4"];
        let mut all = Vec::new();
        for (name, number) in names.into_iter().zip(1..=nodes) {
            let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4 + number));
            let own = objects::settings(name, u16::from(number), ip, CALLER);
            let mut own = own.map_err(fault)?;
            settings(&mut own);
            all.push(Node::new(name, own, snapshot.clone(), chance.next_u64()));
        }
        let mut agents = vec![Agent::new("sip-server", CALLER, chance.next_u64())];
        for (name, address) in servers {
            agents.push(Agent::new(name, address, chance.next_u64()));
        }
        let checks = Checks::new(&objects);
        let mut world = Self {
            now: Now { mono: BEGIN, wall: START },
            network: Network::new(chance.next_u64()),
            nodes: all,
            agents,
            report: Reporting::new(chance.next_u64()),
            truth: Truth::default(),
            objects,
            checks,
            promises: Promises::default(),
            logs: Vec::new(),
            listens: true,
            most_steps: u64::MAX,
            refuses_tcp: true,
            connects: Vec::new(),
            chance,
            seed,
            revision: 1,
            trace: Trace::default(),
            steps: 0,
            standstill: 0,
        };
        for node in 0..world.nodes.len() {
            world.start(node)?;
        }
        world.run(Duration::from_secs(1))?;
        Ok(world)
    }

    /// Since the beginning.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.now.mono - BEGIN
    }

    /// Steps taken.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// All that happened, as a number.
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.trace.hash()
    }

    /// What does not hold, here and now.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { seed: self.seed, step: self.steps, at: self.time(), what: what.into() }
    }

    /// The caller.
    pub fn caller(&mut self) -> &mut Agent {
        self.agent("sip-server")
    }

    /// The agent of this name, else the caller.
    pub fn agent(&mut self, name: &str) -> &mut Agent {
        let at = self.agents.iter().position(|agent| agent.name == name).unwrap_or(0);
        &mut self.agents[at]
    }

    /// The caller places a call at a node; gives back its Call-ID.
    pub fn place(&mut self, node: usize, call: Call) -> String {
        self.place_by(0, node, call)
    }

    /// A party, by its number among the agents, places a call at a node; gives back its Call-ID.
    pub fn place_by(&mut self, agent: usize, node: usize, call: Call) -> String {
        let (now, via) = (self.now.mono, self.nodes[node].address);
        self.agents[agent].place(now, via, call)
    }

    /// Starts a node from what is on its disk.
    ///
    /// # Errors
    /// The disk refused, or something does not hold.
    pub fn start(&mut self, node: usize) -> Result<rm::Restored, Fault> {
        let (seed, mut out) = (self.chance.next_u64(), Output::default());
        let restored = self.nodes[node].start(self.now, seed, &mut out);
        let restored = restored.map_err(|what| self.fault(what))?;
        self.poured(node, &Before::default(), out)?;
        Ok(restored)
    }

    /// A node is gone in the middle of whatever it did; its connections break.
    pub fn crash(&mut self, node: usize) {
        let name = self.nodes[node].name;
        self.nodes[node].crash();
        self.truth.crashed(name, self.now.mono);
        self.promises.crashed(name);
        self.trace.add(self.now.mono, "crash", name.as_bytes());
    }

    /// The broker and the report go down, or come back.
    pub fn set_report(&mut self, up: bool) {
        let packets = self.report.set_up(self.now, up);
        self.back_to_nodes(packets);
    }

    /// A new configuration for all nodes.
    ///
    /// # Errors
    /// It is not valid, or something does not hold.
    pub fn configure(&mut self, objects: Json) -> Result<(), Fault> {
        self.revision += 1;
        let snapshot = objects::snapshot(&objects, self.revision);
        let snapshot = snapshot.map_err(|what| self.fault(what))?;
        self.checks.configure(&objects);
        self.objects = objects;
        for node in 0..self.nodes.len() {
            self.with_node(node, |node, now, out| node.configure(now, snapshot.clone(), out))?;
        }
        Ok(())
    }

    /// Gives a node something else that happened.
    ///
    /// # Errors
    /// Something does not hold.
    pub fn input(&mut self, node: usize, input: Input<'_>) -> Result<(), Fault> {
        self.with_node(node, |node, now, out| node.input(now, input, out))
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// Something does not hold.
    pub fn run(&mut self, time: Duration) -> Result<(), Fault> {
        let end = self.now.mono + time;
        for agent in 0..self.agents.len() {
            self.settle_agent(agent)?;
        }
        while let Some(at) = self.next_time().filter(|at| *at <= end) {
            let wait = at.saturating_sub(self.now.mono);
            self.standstill = if wait.is_zero() { self.standstill + 1 } else { 0 };
            if self.standstill > STANDSTILL {
                return Err(self.fault("time stands still"));
            }
            self.pass(wait);
            self.step()?;
            self.steps += 1;
            if self.steps >= self.most_steps {
                return Err(self.fault("stopped here, as asked"));
            }
        }
        self.pass(end.saturating_sub(self.now.mono));
        Ok(())
    }

    /// Lets time pass until something holds; false: it did not within this time.
    ///
    /// # Errors
    /// Something does not hold that must.
    pub fn run_until(
        &mut self,
        most: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Fault> {
        let end = self.now.mono + most;
        while !holds(self) {
            if self.now.mono >= end {
                return Ok(false);
            }
            self.run(Duration::from_millis(100))?;
        }
        Ok(true)
    }

    fn pass(&mut self, time: Duration) {
        // the wall clock is in milliseconds: it follows the other without drift
        let mono = self.now.mono + time;
        self.now = Now { mono, wall: wall(mono) };
    }

    fn next_time(&self) -> Option<Duration> {
        let nodes = self.nodes.iter().filter_map(Node::next_time);
        let agents = self.agents.iter().filter_map(Agent::next_time);
        let others = [self.network.next_time(), self.report.next_time()];
        nodes.chain(agents).chain(others.into_iter().flatten()).min()
    }

    /// The one thing that is due first.
    fn step(&mut self) -> Result<(), Fault> {
        let now = self.now.mono;
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if let Some(packet) = self.network.arrived(now) {
            return self.deliver(packet);
        }
        if let Some(node) = self.nodes.iter().position(|node| due(node.next_time())) {
            return self.with_node(node, Node::time);
        }
        if let Some(agent) = self.agents.iter().position(|agent| due(agent.next_time())) {
            self.agents[agent].time(now);
            return self.settle_agent(agent);
        }
        let mut packets = Vec::new();
        self.report.time(self.now, &mut packets);
        self.back_to_nodes(packets);
        Ok(())
    }

    fn deliver(&mut self, packet: Packet) -> Result<(), Fault> {
        match packet {
            Packet::Datagram { from, to, bytes } => {
                self.trace.add(self.now.mono, "packet", &bytes);
                let agent = self.agents.iter().position(|agent| agent.address == to);
                if let Some(agent) = agent {
                    self.agents[agent].hear(self.now.mono, from, &bytes);
                    return self.settle_agent(agent);
                }
                let Some(node) = self.node_at(to.ip()) else { return Ok(()) };
                let listener = if to.port() == objects::MONITOR { 2 } else { 0 };
                let (transport, age) = (Transport::Udp, Duration::ZERO);
                let flow = Flow { transport, listener, remote: from, conn: None };
                self.input(node, Input::Packet { flow, bytes: &bytes, age })
            }
            Packet::Refused { from, to } => {
                let Some(node) = self.node_at(from.ip()) else { return Ok(()) };
                let transport = Transport::Tcp;
                let flow = Flow { transport, listener: 1, remote: to, conn: None };
                self.input(node, Input::ConnectFailed { flow })
            }
            Packet::Connect(_)
            | Packet::Stream { up: true, .. }
            | Packet::Closed { up: true, .. } => {
                let mut packets = Vec::new();
                self.report.arrived(self.now, &packet, &mut packets);
                self.back_to_nodes(packets);
                Ok(())
            }
            Packet::Stream { conn, up: false, .. } | Packet::Closed { conn, up: false } => {
                let Some(node) = self.node_of(conn) else { return Ok(()) };
                self.with_node(node, |node, now, out| node.arrived(now, &packet, out))
            }
        }
    }

    fn node_at(&self, ip: IpAddr) -> Option<usize> {
        self.nodes.iter().position(|node| node.address.ip() == ip)
    }

    fn node_of(&self, conn: Conn) -> Option<usize> {
        let number = usize::try_from(conn.0 >> 32).ok()?;
        number.checked_sub(1).filter(|node| *node < self.nodes.len())
    }

    fn back_to_nodes(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            let (Packet::Stream { conn, .. } | Packet::Closed { conn, .. }) = &packet else {
                continue;
            };
            if let Some(node) = self.node_of(*conn) {
                let ends = (self.nodes[node].address.ip(), BROKER);
                self.network.stream(self.now.mono, ends, packet);
            }
        }
    }

    fn settle_agent(&mut self, agent: usize) -> Result<(), Fault> {
        let (now, agent) = (self.now.mono, &mut self.agents[agent]);
        agent.events(now);
        while let Some((to, bytes)) = agent.poll() {
            if agent.has_power() {
                self.network.datagram(now, agent.address, to, bytes);
            }
        }
        let asked = self.steps.is_multiple_of(self.checks.sparse.max(1));
        let (name, holds) = (agent.name, if asked { agent.invariant() } else { Ok(()) });
        for note in agent.notes.drain(..) {
            self.truth.note(note);
        }
        holds.map_err(|broken| self.fault(format!("{name}: {broken}")))
    }

    fn with_node(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Node, Now, &mut Output),
    ) -> Result<(), Fault> {
        let before = Before::of(&self.nodes[node]);
        let mut out = Output::default();
        act(&mut self.nodes[node], self.now, &mut out);
        self.poured(node, &before, out)
    }

    /// What a node has made goes its ways.
    fn poured(&mut self, node: usize, before: &Before, out: Output) -> Result<(), Fault> {
        let now = self.now.mono;
        let made: Result<Vec<Json>, _> =
            out.made.iter().map(|(_, json)| serde_json::from_slice(json)).collect();
        let made = made.map_err(|error| self.fault(error.to_string()))?;
        let own = &self.nodes[node];
        let holds = self.checks.after(own, before, &out, &made, &self.truth);
        holds.map_err(|what| self.fault(what))?;
        let (name, address) = (own.name, own.address);
        for ((no, bytes), json) in out.made.iter().zip(&made) {
            self.trace.add(now, "record", bytes);
            self.truth.made(name, *no, json).map_err(|what| self.fault(what))?;
            self.promises.made(name, now, json);
        }
        if let Some(no) = out.durable {
            self.truth.is_durable(name, no);
        }
        for (id, fields) in out.logs {
            self.trace.add(now, "log", &id.to_be_bytes());
            if self.listens {
                self.logs.push(Logged { at: now, id, fields });
            }
        }
        for (from, to, transport, bytes) in out.messages {
            if self.steps.is_multiple_of(self.checks.sparse.max(1)) {
                self.promised(node, &bytes)?;
            }
            if transport == Transport::Udp {
                self.network.datagram(now, from, to, bytes);
                continue;
            }
            self.connects.push((now, to));
            if self.refuses_tcp {
                self.network.refused(now, from, to);
            }
        }
        for packet in out.packets {
            self.network.stream(now, (address.ip(), BROKER), packet);
        }
        Ok(())
    }

    /// What a node says with a message about its records.
    fn promised(&mut self, node: usize, message: &[u8]) -> Result<(), Fault> {
        let (own, now, report) = (&self.nodes[node], self.now.mono, &self.report);
        let said = self.promises.sends(own, now, message, |id| report.has(id));
        if let Some((call, Kept::Late)) = said.map_err(|what| self.fault(what))? {
            self.truth.is_late(call);
        }
        Ok(())
    }
}
