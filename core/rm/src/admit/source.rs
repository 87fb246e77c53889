//! Who sent a request, and what that one may do (rm.md §13.1).
//!
//! The most specific match wins: a name proven by TLS over address and port over address over
//! network (longest prefix); on a tie a resource over a peer. Must not read headers: only where
//! it came from counts.

use std::net::{IpAddr, SocketAddr};

use model::map::Map;
use model::snapshot::Snapshot;
use sip::locate::Target;
use sip::transport::{ConnId, Flow};
use smallvec::SmallVec;

use crate::settings::{Match, Peer, Role, Settings};

/// A judged source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// None: a stranger.
    pub(crate) role: Option<Role>,
    pub(crate) who: Who,
    pub(crate) allow_route: bool,
    /// Its internal headers are believed.
    pub(crate) trusted: bool,
    pub(crate) priority: bool,
}

/// Whose name a source has; [`Sources::name`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    /// A peer, by its number in the settings.
    Peer(usize),
    /// A resource, by its number in the configuration.
    Resource(usize),
}

impl Source {
    /// Neither a peer nor a resource.
    pub(crate) const fn is_stranger(self) -> bool {
        self.role.is_none()
    }

    /// It may name another next hop inside a dialog than the one that was learnt (rm.md §1.8).
    pub(crate) fn may_redirect(&self) -> bool {
        self.trusted && self.role.is_some_and(|role| role != Role::Probe)
    }
}

/// The resources at one address: port, number, role.
type Here = SmallVec<[(u16, usize, Role); 1]>;

/// Addresses of the declared resources.
#[derive(Debug)]
pub(crate) struct Sources {
    by_ip: Map<IpAddr, Here>,
    networks: Vec<(Match, usize, Role)>,
    names: Vec<String>,
    /// Streams under TLS whose far end has proven to be a peer: its index in the settings.
    proven: Map<ConnId, usize>,
}

impl Sources {
    pub(crate) fn new(snapshot: &Snapshot, seed: u64) -> Self {
        let mut by_ip: Map<IpAddr, Here> = Map::new(seed);
        let (mut networks, mut names) = (Vec::new(), Vec::new());
        for (_, resource) in snapshot.resources() {
            let number = names.len();
            names.push(resource.name.clone());
            let services = &snapshot.group(resource.group).services;
            let gateway = services.contains(&model::config::Service::Gateway);
            let role = if gateway { Role::Gateway } else { Role::Media };
            if let Some(address) = resource.address.addr() {
                by_ip.get_or_insert_with(address.ip().to_canonical(), SmallVec::new).push((
                    address.port(),
                    number,
                    role,
                ));
            }
            for network in &resource.source_addresses {
                let most = if network.ip.is_ipv4() { 32 } else { 128 };
                let rule = if network.prefix == most {
                    Match::Ip(network.ip)
                } else {
                    Match::Net(network.ip, network.prefix)
                };
                networks.push((rule, number, role));
            }
        }
        Self { by_ip, networks, names, proven: Map::new(seed) }
    }

    /// Where else resources may call from.
    pub(crate) fn networks(&self) -> impl Iterator<Item = Match> + '_ {
        self.networks.iter().map(|(rule, ..)| *rule)
    }

    /// Streams outlive a configuration, and so does what is known of them.
    pub(crate) fn inherit(&mut self, former: &mut Self) {
        std::mem::swap(&mut self.proven, &mut former.proven);
    }

    /// The far end of a stream has proven these names: which peer that is, if any.
    pub(crate) fn verified(&mut self, settings: &Settings, flow: Flow, names: &[String]) {
        let known = |peer: &Peer| peer.names.iter().any(|name| names.contains(name));
        let peer = settings.peers.iter().position(known);
        if let (Some(conn), Some(peer)) = (flow.conn, peer) {
            self.proven.insert(conn, peer);
        }
    }

    /// A stream is gone.
    pub(crate) fn gone(&mut self, flow: Flow) {
        if let Some(conn) = flow.conn {
            self.proven.remove(&conn);
        }
    }

    /// The name of a resource leads elsewhere now.
    pub(crate) fn moved(&mut self, name: &str, role: Role, before: &[Target], after: &[Target]) {
        let Some(number) = self.names.iter().position(|own| own == name) else { return };
        for target in before.iter().chain(after) {
            let ip = target.remote.ip().to_canonical();
            if let Some(here) = self.by_ip.get_mut(&ip) {
                here.retain(|(_, own, _)| *own != number);
                if here.is_empty() {
                    self.by_ip.remove(&ip);
                }
            }
        }
        for target in after {
            let (ip, port) = (target.remote.ip().to_canonical(), target.remote.port());
            self.by_ip.get_or_insert_with(ip, SmallVec::new).push((port, number, role));
        }
    }

    /// Judges the source of a flow.
    pub(crate) fn of(&self, settings: &Settings, flow: Flow) -> Source {
        let proven = flow.conn.and_then(|conn| self.proven.get(&conn));
        if let Some((at, peer)) = proven.and_then(|at| Some((*at, settings.peers.get(*at)?))) {
            return of_peer(at, peer);
        }
        let mut best: (u16, Source) = (0, stranger());
        for (number, peer) in settings.peers.iter().enumerate() {
            let ranks = peer.matches.iter().filter_map(|rule| rule.rank(flow.remote));
            let Some(rank) = ranks.max() else { continue };
            // ranks of networks begin at 0 for a prefix of no bits: shift them above the stranger
            if rank + 1 > best.0 {
                best = (rank + 1, of_peer(number, peer));
            }
        }
        if settings.peers.is_empty() && flow.remote.ip().to_canonical().is_loopback() {
            best = (9, declared(Who::Nobody, Role::SipServer));
        }
        match self.resource(flow) {
            Some((rank, number, role)) if rank + 1 >= best.0 => {
                let own = declared(Who::Resource(number), role);
                // a gateway may be a peer besides, which alone can say `headers: trusted`
                let vouched = best.1.role == Some(Role::Gateway) && best.1.trusted;
                Source { trusted: own.trusted || vouched, ..own }
            }
            _ => best.1,
        }
    }

    /// A peer or resource by its name: where it calls from, and who it is where no address says so.
    pub(crate) fn called(
        &self,
        settings: &Settings,
        snapshot: &Snapshot,
        name: &str,
    ) -> Option<(SocketAddr, Option<Source>)> {
        if let Some(number) = settings.peers.iter().position(|peer| peer.name == name) {
            return settings.peers.get(number).map(|peer| from_peer(number, peer));
        }
        let resource = snapshot.resource(snapshot.resource_by_name(name)?);
        resource.address.addr().map(|address| (address, None))
    }

    /// Who calls when nobody is named: the first peer that may, else this machine.
    pub(crate) fn usual(&self, settings: &Settings) -> (SocketAddr, Option<Source>) {
        let first = |wanted: Role| settings.peers.iter().position(|peer| peer.role == wanted);
        let number = first(Role::SipServer).or_else(|| first(Role::Gateway));
        let peer = number.and_then(|number| Some((number, settings.peers.get(number)?)));
        let here = (SocketAddr::from(([127, 0, 0, 1], 5060)), None);
        peer.map_or(here, |(number, peer)| from_peer(number, peer))
    }

    /// Name of a peer or resource; empty for an unnamed one.
    pub(crate) fn name<'s>(&'s self, settings: &'s Settings, who: Who) -> &'s str {
        match who {
            Who::Nobody => "",
            Who::Peer(number) => settings.peers.get(number).map_or("", |peer| &peer.name),
            Who::Resource(number) => self.names.get(number).map_or("", String::as_str),
        }
    }

    /// Whether a peer or resource is declared at this address, whatever the port.
    pub(crate) fn is_declared(&self, settings: &Settings, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if self.by_ip.contains_key(&ip) || (settings.peers.is_empty() && ip.is_loopback()) {
            return true;
        }
        let peers = settings.peers.iter().flat_map(|peer| &peer.matches);
        peers.chain(self.networks.iter().map(|(rule, ..)| rule)).any(|rule| match rule {
            Match::Socket(address) => address.ip().to_canonical() == ip,
            Match::Ip(_) | Match::Net(..) => rule.rank((ip, 0).into()).is_some(),
        })
    }

    /// Whether a resource is called there: on UDP by address and port, on streams by address.
    pub(crate) fn is_resource(&self, target: Target) -> bool {
        let Target { transport, remote } = target;
        let here = self.by_ip.get(&remote.ip().to_canonical());
        here.into_iter().flatten().any(|(port, ..)| transport.is_stream() || *port == remote.port())
    }

    /// On UDP by address and port, on streams by address.
    fn resource(&self, flow: Flow) -> Option<(u16, usize, Role)> {
        let own = self.by_ip.get(&flow.remote.ip().to_canonical()).and_then(|here| {
            let port = flow.remote.port();
            match here.iter().find(|(one, ..)| *one == port) {
                Some((_, number, role)) => Some((1000, *number, *role)),
                None if flow.transport.is_stream() => {
                    here.first().map(|(_, number, role)| (500, *number, *role))
                }
                None => None,
            }
        });
        let others = self.networks.iter().filter_map(|(rule, number, role)| {
            rule.rank(flow.remote).map(|rank| (rank, *number, *role))
        });
        own.into_iter().chain(others).max_by_key(|(rank, ..)| *rank)
    }
}

/// An address of a peer. One that is known by the names of a certificate is known without.
fn from_peer(number: usize, peer: &Peer) -> (SocketAddr, Option<Source>) {
    match peer.matches.first() {
        Some(Match::Socket(address)) => (*address, None),
        Some(Match::Ip(ip) | Match::Net(ip, _)) => ((*ip, 5060).into(), None),
        None => (SocketAddr::from(([127, 0, 0, 1], 5061)), Some(of_peer(number, peer))),
    }
}

fn stranger() -> Source {
    let who = Who::Nobody;
    Source { role: None, who, allow_route: false, trusted: false, priority: false }
}

fn of_peer(number: usize, peer: &Peer) -> Source {
    Source {
        role: Some(peer.role),
        who: Who::Peer(number),
        allow_route: peer.allow_route,
        trusted: peer.role != Role::Gateway || peer.trusted_headers,
        priority: peer.priority,
    }
}

fn declared(who: Who, role: Role) -> Source {
    Source {
        role: Some(role),
        who,
        allow_route: false,
        trusted: role != Role::Gateway,
        priority: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::transport::Transport;

    /// A gateway that is declared as a resource may be a peer besides, which says whether its
    /// headers are believed.
    #[test]
    fn a_gateway_is_trusted_by_its_peer_alone() {
        let remote = SocketAddr::from(([10, 0, 0, 9], 5060));
        let flow = Flow { transport: Transport::Udp, listener: 0, remote, conn: None };
        for (role, trusted_headers, resource, expected) in [
            (Role::Gateway, true, Role::Gateway, true),
            (Role::Gateway, false, Role::Gateway, false),
            (Role::SipServer, true, Role::Gateway, false),
            (Role::Gateway, false, Role::Media, true),
        ] {
            let mut settings = Settings::bare();
            settings.peers = vec![Peer {
                name: "g".to_owned(),
                matches: vec![Match::Ip(remote.ip())],
                names: Vec::new(),
                role,
                allow_route: false,
                trusted_headers,
                priority: false,
                session_expires: None,
                notify_failures: false,
                rate: None,
            }];
            let mut by_ip: Map<IpAddr, Here> = Map::new(1);
            by_ip.insert(remote.ip(), SmallVec::from_slice(&[(5060, 0, resource)]));
            let names = vec!["r".to_owned()];
            let sources = Sources { by_ip, networks: Vec::new(), names, proven: Map::new(1) };
            let source = sources.of(&settings, flow);
            assert_eq!((source.role, source.trusted), (Some(resource), expected), "{role:?}");
        }
    }
}
