//! How SIP streams run through the world: segments onto the network, messages and losses to whoever
//! is at an end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rm::Input;
use sip::transport::{ConnId, Flow};

use super::{Fault, World};
use crate::streams::{Host, Lost, Segment, Sent, other};

/// The index of the listener of every node that takes TCP.
const LISTENER: u8 = 1;

impl World {
    /// Someone at these addresses sends a message by a stream.
    pub(super) fn by_stream(
        &mut self,
        from: &[IpAddr],
        flow: Flow,
        bytes: Vec<u8>,
        most: Duration,
    ) {
        let now = self.now.mono;
        match self.streams.send(from, flow, bytes, now + most) {
            Sent::Waits => {}
            Sent::Leaves(to, segment) => {
                if segment == Segment::Open {
                    self.connects.push((now, flow.remote));
                }
                self.segment(to, segment);
            }
            Sent::Lost => {
                let local = from.first().copied().unwrap_or(flow.remote.ip());
                let local = SocketAddr::new(local, 0);
                self.network.lost(now, Lost { local, flow, stood: true });
            }
        }
    }

    fn segment(&mut self, to: ConnId, segment: Segment) {
        if let Some((local, remote)) = self.streams.between(to) {
            self.network.segment(self.now.mono, (local.ip(), remote.ip()), to, segment);
        }
    }

    /// A segment has come to this end.
    pub(super) fn segment_comes(&mut self, to: ConnId, segment: Segment) -> Result<(), Fault> {
        let Some((local, _)) = self.streams.between(to) else { return Ok(()) };
        let arrived = self.streams.arrived(to, segment, self.host_at(local.ip()));
        for segment in arrived.back {
            self.segment(other(to), segment);
        }
        if let Some(lost) = arrived.lost {
            return self.loses(&lost);
        }
        let Some((flow, bytes)) = arrived.message else { return Ok(()) };
        self.trace.add(self.now.mono, "message", &bytes);
        if let Some(node) = self.node_at(local.ip()) {
            self.checks.heard(&self.nodes[node], self.now.mono, &bytes);
            let (flow, age) = (Flow { listener: LISTENER, ..flow }, Duration::ZERO);
            return self.input(node, Input::Packet { flow, bytes: &bytes, age });
        }
        let Some(agent) = self.agent_at(local.ip()) else { return Ok(()) };
        self.agents[agent].hear(self.now.mono, flow, &bytes);
        self.settle_agent(agent)
    }

    /// An end is told that its stream is gone: by its number, and by its far end.
    pub(super) fn loses(&mut self, lost: &Lost) -> Result<(), Fault> {
        let Lost { local, flow, stood } = *lost;
        self.trace.add(self.now.mono, "lost", &[u8::from(stood)]);
        let flows = [flow, Flow { conn: None, ..flow }];
        if let Some(node) = self.node_at(local.ip()) {
            for flow in flows {
                let flow = Flow { listener: LISTENER, ..flow };
                let failed = Input::FlowFailed { flow };
                let input = if stood { failed } else { Input::ConnectFailed { flow } };
                self.input(node, input)?;
            }
            return Ok(());
        }
        let Some(agent) = self.agent_at(local.ip()) else { return Ok(()) };
        flows.into_iter().for_each(|flow| self.agents[agent].lost(self.now.mono, flow));
        self.settle_agent(agent)
    }

    /// All streams between two hosts break.
    ///
    /// # Errors
    /// Something does not hold.
    pub fn break_streams(&mut self, a: IpAddr, b: IpAddr) -> Result<(), Fault> {
        let lost = self.streams.cut(a, b);
        lost.iter().try_for_each(|lost| self.loses(lost))
    }

    /// A party loses its power, and with it all streams; nobody is told.
    pub fn power_off(&mut self, agent: usize) {
        let now = self.now.mono;
        self.agents[agent].power_off(now);
        for ip in self.agents[agent].ips() {
            self.streams.forget(ip);
        }
    }

    /// A party has power again: it knows of no stream, and says so where it was spoken to.
    pub fn power_on(&mut self, agent: usize) {
        self.agents[agent].power_on();
        for ip in self.agents[agent].ips() {
            for end in self.streams.wake(ip) {
                self.segment(end, Segment::Reset);
            }
        }
    }

    /// All streams of a node are gone; the other ends are told, or not.
    pub(super) fn forget_streams(&mut self, node: usize) {
        let told = self.chance.below(2) == 0;
        for end in self.streams.forget(self.nodes[node].address.ip()) {
            if told {
                self.segment(end, Segment::Reset);
            }
        }
    }

    fn agent_at(&self, ip: IpAddr) -> Option<usize> {
        self.agents.iter().position(|agent| agent.ips().any(|own| own == ip))
    }

    fn host_at(&self, ip: IpAddr) -> Host {
        let listens = match (self.node_at(ip), self.agent_at(ip)) {
            (Some(node), _) => self.nodes[node].is_up(),
            (None, Some(agent)) if !self.agents[agent].has_power() => return Host::Silent,
            (None, Some(agent)) => self.agents[agent].listens_tcp,
            (None, None) => return Host::Silent,
        };
        if listens { Host::Listens } else { Host::Refuses }
    }
}
