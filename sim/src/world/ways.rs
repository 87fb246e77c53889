//! How what one party makes reaches the others: packets onto the network, answers of the name
//! service, and everything of a node past the checks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use model::time::Now;
use rm::Input;
use serde_json::Value as Json;
use sip::locate::Goal;
use sip::transport::{Flow, Transport};

use super::{Fault, Logged, World};
use crate::check::Before;
use crate::names::TTL;
use crate::network::{Conn, Packet};
use crate::node::{Node, Output};
use crate::objects;
use crate::promise::Kept;

/// Address of the broker.
const BROKER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 80));
/// So long a party waits for a connection.
const CONNECT: Duration = Duration::from_secs(4);
/// Address of the name service.
const NAMES: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 53));

impl World {
    pub(super) fn deliver(&mut self, packet: Packet) -> Result<(), Fault> {
        match packet {
            Packet::Datagram { from, to, bytes } => {
                self.trace.add(self.now.mono, "packet", &bytes);
                let agent = self.agents.iter().position(|agent| agent.is_at(to));
                if let Some(agent) = agent {
                    let transport = Transport::Udp;
                    let flow = Flow { transport, listener: 0, remote: from, conn: None };
                    self.agents[agent].hear(self.now.mono, flow, &bytes);
                    return self.settle_agent(agent);
                }
                let Some(node) = self.node_at(to.ip()) else { return Ok(()) };
                self.checks.heard(&self.nodes[node], self.now.mono, &bytes);
                let listener = if to.port() == objects::MONITOR { 2 } else { 0 };
                let (transport, age) = (Transport::Udp, Duration::ZERO);
                let flow = Flow { transport, listener, remote: from, conn: None };
                self.input(node, Input::Packet { flow, bytes: &bytes, age })
            }
            Packet::Segment { to, segment } => self.segment_comes(to, segment),
            Packet::Lost(lost) => self.loses(&lost),
            Packet::Told { node, boot, goal, answer } => {
                if self.nodes[node].boot() != boot {
                    return Ok(());
                }
                let name = self.nodes[node].name;
                self.names.told(self.now.mono, name, &goal, &answer);
                self.input(node, Input::Resolved { goal, found: answer, ttl: TTL })
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

    pub(super) fn node_at(&self, ip: IpAddr) -> Option<usize> {
        self.nodes.iter().position(|node| node.address.ip() == ip)
    }

    fn node_of(&self, conn: Conn) -> Option<usize> {
        let number = usize::try_from(conn.0 >> 32).ok()?;
        number.checked_sub(1).filter(|node| *node < self.nodes.len())
    }

    pub(super) fn back_to_nodes(&mut self, packets: Vec<Packet>) {
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

    pub(super) fn settle_agent(&mut self, agent: usize) -> Result<(), Fault> {
        let (now, agent) = (self.now.mono, &mut self.agents[agent]);
        agent.events(now);
        let mut by_stream = Vec::new();
        while let Some((flow, bytes)) = agent.poll() {
            match flow.transport {
                _ if !agent.has_power() => {}
                Transport::Udp => self.network.datagram(now, agent.address, flow.remote, bytes),
                Transport::Tcp | Transport::Tls => by_stream.push((flow, bytes)),
            }
        }
        let ips: Vec<IpAddr> = agent.ips().collect();
        let asked = self.steps.is_multiple_of(self.checks.sparse.max(1));
        let (name, holds) = (agent.name, if asked { agent.invariant() } else { Ok(()) });
        for note in agent.notes.drain(..) {
            self.truth.note(note);
        }
        for (flow, bytes) in by_stream {
            self.by_stream(&ips, flow, bytes, CONNECT);
        }
        holds.map_err(|broken| self.fault(format!("{name}: {broken}")))
    }

    pub(super) fn with_node(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Node, Now, &mut Output),
    ) -> Result<(), Fault> {
        let before = Before::of(&mut self.nodes[node], self.now);
        let mut out = Output::default();
        act(&mut self.nodes[node], self.now, &mut out);
        self.poured(node, &before, out)
    }

    /// What a node has made goes its ways.
    pub(super) fn poured(
        &mut self,
        node: usize,
        before: &Before,
        out: Output,
    ) -> Result<(), Fault> {
        let now = self.now.mono;
        let made: Result<Vec<Json>, _> =
            out.made.iter().map(|(_, json)| serde_json::from_slice(json)).collect();
        let made = made.map_err(|error| self.fault(error.to_string()))?;
        let own = &self.nodes[node];
        let (name, address) = (own.name, own.address);
        let placed = self.checks.after(own, before, (now, &out), &made, &self.truth);
        for (to, anew) in placed.map_err(|what| self.fault(what))? {
            self.names.permit(name, to, anew).map_err(|what| self.fault(what))?;
        }
        for (to, anew) in self.checks.followed(&out, |host| self.names.has(host)) {
            self.names.permit(name, to, anew).map_err(|what| self.fault(what))?;
        }
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
        for goal in out.asked {
            self.ask(node, goal);
        }
        for (from, flow, bytes) in out.messages {
            // it reads the whole disk each time
            if self.steps.is_multiple_of(self.checks.sparse.max(1)) {
                self.promised(node, &bytes)?;
            }
            self.leaves(node, from, flow, bytes);
        }
        for packet in out.packets {
            self.network.stream(now, (address.ip(), BROKER), packet);
        }
        Ok(())
    }

    /// A message of a node goes onto the network.
    fn leaves(&mut self, node: usize, from: SocketAddr, flow: Flow, bytes: Vec<u8>) {
        let (now, to) = (self.now.mono, flow.remote);
        if flow.transport == Transport::Udp {
            return self.network.datagram(now, from, to, bytes);
        }
        let most = self.nodes[node].proxy().map_or(CONNECT, |proxy| {
            let (resource, other) = proxy.connect_times();
            let is_resource = proxy.resource_addresses().any(|(at, _)| at == to);
            if is_resource { resource } else { other }
        });
        self.by_stream(&[from.ip()], flow, bytes, most);
    }

    /// A node asks the name service, which answers some time later, in any case.
    fn ask(&mut self, node: usize, goal: Goal) {
        let answer = self.names.answer(&goal);
        let (ip, boot) = (self.nodes[node].address.ip(), self.nodes[node].boot());
        self.network.told(self.now.mono, (NAMES, ip), Packet::Told { node, boot, goal, answer });
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
