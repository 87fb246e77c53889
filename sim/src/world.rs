//! The world: it moves everybody through virtual time, one thing after the other, and asks after
//! every step whether all still holds.

mod ways;
mod wires;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::chance::Chance;
use model::time::{Millis, Now};
use rm::{Input, Keys};
use serde_json::Value as Json;

use crate::agent::{Agent, Call};
use crate::check::{Before, Checks};
use crate::names::Names;
use crate::network::Network;
use crate::node::{Node, Output};
use crate::objects;
use crate::promise::Promises;
use crate::reporting::Reporting;
use crate::seed;
use crate::streams::Streams;
use crate::trace::Trace;
use crate::truth::Truth;

/// When every world begins: 2026-01-01.
const START: Millis = Millis(1_767_225_600_000);
/// On the monotonic clock.
const BEGIN: Duration = Duration::from_secs(1000);
/// Steps at one instant beyond which time stands still.
const STANDSTILL: u64 = 100_000;

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
    /// Where names lead.
    pub names: &'static [(&'static str, &'static [SocketAddr])],
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
        Self { seed, nodes: 1, servers, names: &[], objects, settings: |_| () }
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
    /// Where names lead.
    pub names: Names,
    /// The reference model.
    pub truth: Truth,
    /// The configuration in force.
    pub objects: Json,
    /// What has to hold after every step.
    pub checks: Checks,
    /// What each answer to a BYE promises.
    pub promises: Promises,
    /// Log lines of all nodes.
    pub logs: Vec<Logged>,
    /// Whether `logs` is filled.
    pub listens: bool,
    /// Steps after which it stops.
    pub most_steps: u64,
    /// SIP over TCP.
    pub streams: Streams,
    /// TCP connects that were tried.
    pub connects: Vec<(Duration, SocketAddr)>,
    pub(crate) chance: Chance,
    /// The newest key first.
    ring: Vec<(u8, [u8; 32])>,
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
        let Setup { seed, nodes, servers, names: leads, objects, settings } = setup;
        let fault = |what| Fault { seed, step: 0, at: Duration::ZERO, what };
        let mut chance = seed::chance(seed, 4);
        let snapshot = objects::snapshot(&objects, 1).map_err(fault)?;
        let names = ["rm-1", "rm-2", "rm-3", "rm-4"];
        let (mut all, mut options) = (Vec::new(), rm::Options::default());
        for (name, number) in names.into_iter().zip(1..=nodes) {
            let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4 + number));
            let own = objects::settings(name, u16::from(number), ip, CALLER);
            let mut own = own.map_err(fault)?;
            settings(&mut own);
            options = own.options.clone();
            all.push(Node::new(name, own, snapshot.clone(), chance.next_u64()));
        }
        let mut agents = vec![Agent::new("sip-server", CALLER, chance.next_u64())];
        for (name, address) in servers {
            agents.push(Agent::new(name, address, chance.next_u64()));
        }
        let hosts = agents.iter().map(|agent| (agent.address, agent.name));
        let checks = Checks::new(&objects, hosts, &options);
        let mut world = Self {
            now: Now { mono: BEGIN, wall: START },
            network: Network::new(chance.next_u64()),
            nodes: all,
            agents,
            report: Reporting::new(chance.next_u64()),
            names: Names::default(),
            truth: Truth::default(),
            ring: vec![objects::key(1)],
            objects,
            checks,
            promises: Promises::default(),
            logs: Vec::new(),
            listens: true,
            most_steps: u64::MAX,
            streams: Streams::default(),
            connects: Vec::new(),
            chance,
            seed,
            revision: 1,
            trace: Trace::default(),
            steps: 0,
            standstill: 0,
        };
        for (name, addresses) in leads {
            world.names.set(name, addresses);
        }
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

    /// An agent has this address as well, to which its host may move.
    pub fn may_move(&mut self, agent: usize, to: SocketAddr) {
        self.agents[agent].other = Some(to);
        self.checks.is_at(to, self.agents[agent].name);
    }

    /// A name leads there from now on, and whoever is there has moved to the first of them.
    pub fn lead(&mut self, name: &str, addresses: &[SocketAddr]) {
        self.names.set(name, addresses);
        if let Some(first) = addresses.first() {
            self.agents.iter_mut().for_each(|agent| agent.move_to(*first));
        }
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
        self.checks.crashes(&self.nodes[node], self.now.mono);
        self.nodes[node].crash();
        self.forget_streams(node);
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

    /// All nodes seal with another key from now on, and know the older ones.
    ///
    /// # Errors
    /// Something does not hold.
    pub fn rotate(&mut self) -> Result<(), Fault> {
        let newest = objects::key(self.ring.first().map_or(1, |(id, _)| id.wrapping_add(1).max(1)));
        self.ring.retain(|(id, _)| *id != newest.0);
        self.ring.insert(0, newest);
        let keys = |ring: &[_]| Keys::new(ring).ok_or_else(|| self.fault("no key ring"));
        let (ring, newest) = (keys(&self.ring)?, keys(&[newest])?);
        for node in 0..self.nodes.len() {
            let newest = newest.clone();
            self.with_node(node, |node, now, out| node.rotate(now, &ring, newest, out))?;
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
        let others = [self.network.next_time(), self.report.next_time(), self.streams.next_time()];
        nodes.chain(agents).chain(others.into_iter().flatten()).min()
    }

    /// The one thing that is due first.
    fn step(&mut self) -> Result<(), Fault> {
        let now = self.now.mono;
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if let Some(packet) = self.network.arrived(now) {
            return self.deliver(packet);
        }
        if let Some(lost) = self.streams.unopened(now) {
            return self.loses(&lost);
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
}
