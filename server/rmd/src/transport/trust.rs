//! Whether a stream's source is one that we know: peers and media servers keep idle connections
//! longer and are not held to the limit per source (rm.md §1.9). It also knows how long a connect
//! to each may take (rm.md §1.11).
//!
//! It decides nothing about a call; that is `core/rm` admit (rm.md §13.1), by role.

use crate::limits::CONNECT_TIME;
use rm::settings::{Match, Peer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Known sources.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    peers: Vec<Match>,
    loopback: bool,
    resources: BTreeSet<IpAddr>,
    /// Where else they may call from.
    networks: Vec<Match>,
    /// Media servers that were found by their names, and these.
    names: BTreeMap<SocketAddr, BTreeSet<String>>,
    /// Next hops that were found by their names, and these.
    hops: BTreeMap<SocketAddr, BTreeSet<String>>,
    /// Time of a connect to a resource, and to anyone else.
    connect: (Duration, Duration),
}

impl Trust {
    /// The peers of the settings; without any, loopback (rm.md §13.1).
    pub(crate) fn of(peers: &[Peer]) -> Self {
        Self {
            peers: peers.iter().flat_map(|peer| peer.matches.iter().copied()).collect(),
            loopback: peers.is_empty(),
            resources: BTreeSet::new(),
            networks: Vec::new(),
            names: BTreeMap::new(),
            hops: BTreeMap::new(),
            connect: (CONNECT_TIME, CONNECT_TIME),
        }
    }

    /// Strangers all but these.
    #[cfg(test)]
    pub(super) fn of_matches(peers: Vec<Match>) -> Self {
        Self { peers, loopback: false, ..Self::of(&[]) }
    }

    /// One media server there.
    #[cfg(test)]
    pub(super) fn set_resource(&mut self, resource: IpAddr) {
        self.resources.insert(resource);
    }

    /// Where the media servers are now, and by what names they were found.
    pub(crate) fn set_resources<'n>(
        &mut self,
        addresses: impl Iterator<Item = (SocketAddr, Option<&'n str>)>,
    ) {
        self.resources.clear();
        self.names.clear();
        for (address, name) in addresses {
            self.resources.insert(address.ip());
            if let Some(name) = name {
                self.names.entry(address).or_default().insert(name.to_owned());
            }
        }
    }

    /// Where else media servers may call from.
    pub(crate) fn set_networks(&mut self, networks: impl Iterator<Item = Match>) {
        self.networks.clear();
        self.networks.extend(networks);
    }

    /// Where the host names of next hops lead to by TLS.
    pub(crate) fn set_hops<'n>(&mut self, found: impl Iterator<Item = (SocketAddr, &'n str)>) {
        self.hops.clear();
        for (address, name) in found {
            self.hops.entry(address).or_default().insert(name.to_owned());
        }
    }

    /// Next hops that were found by their names, and these.
    pub(crate) fn hops(&self) -> &BTreeMap<SocketAddr, BTreeSet<String>> {
        &self.hops
    }

    /// Media servers that were found by their names, and these.
    pub(crate) fn names(&self) -> &BTreeMap<SocketAddr, BTreeSet<String>> {
        &self.names
    }

    /// How long connects may take from now on: to a resource, and to anyone else.
    pub(crate) fn set_connect_times(&mut self, times: (Duration, Duration)) {
        self.connect = times;
    }

    /// How long a connect to this address may take.
    pub(super) fn connect_time(&self, remote: SocketAddr) -> Duration {
        let (resource, other) = self.connect;
        if self.resources.contains(&remote.ip()) { resource } else { other }
    }

    /// A stream from there is a peer's or a resource's.
    pub(crate) fn knows(&self, source: SocketAddr) -> bool {
        (self.loopback && source.ip().is_loopback())
            || self.resources.contains(&source.ip())
            || self.networks.iter().any(|network| network.rank(source).is_some())
            || self.peers.iter().any(|peer| peer.rank(source).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::peer;

    #[test]
    fn loopback_is_known_only_without_peers() {
        let loopback = "127.0.0.2:9".parse().unwrap();
        let peer_address = "10.1.2.3:4000".parse().unwrap();
        assert!(Trust::of(&[]).knows(loopback));
        let mut trust = Trust::of(&[peer(&["10.1.0.0/16"], &[])]);
        assert!(!trust.knows(loopback) && trust.knows(peer_address));
        trust.resources.insert("127.0.0.2".parse().unwrap());
        assert!(trust.knows(loopback));
        let other = "10.2.7.1:4000".parse().unwrap();
        assert!(!trust.knows(other));
        trust.set_networks([Match::parse("10.2.0.0/16").unwrap()].into_iter());
        assert!(trust.knows(other));
        trust.set_networks(std::iter::empty());
        assert!(!trust.knows(other));
    }
}
