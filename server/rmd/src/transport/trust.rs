//! Whether a stream's source is one that we know: peers and media servers keep idle connections
//! longer and are not held to the limit per source (rm.md §1.9).
//!
//! It decides nothing about a call; that is `core/rm` admit (rm.md §13.1), by role.

use model::snapshot::Snapshot;
use rm::settings::{Match, Peer};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Known sources.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    peers: Vec<Match>,
    loopback: bool,
    resources: BTreeSet<IpAddr>,
}

impl Trust {
    /// The peers of the settings (without any, loopback: rm.md §13.1) and the media servers.
    pub(crate) fn new(peers: &[Peer], snapshot: &Snapshot) -> Self {
        let mut trust = Self::of(peers);
        trust.set_resources(snapshot);
        trust
    }

    /// The peers alone.
    pub(super) fn of(peers: &[Peer]) -> Self {
        Self {
            peers: peers.iter().flat_map(|peer| peer.matches.iter().copied()).collect(),
            loopback: peers.is_empty(),
            resources: BTreeSet::new(),
        }
    }

    /// Strangers all but these.
    #[cfg(test)]
    pub(super) fn of_matches(peers: Vec<Match>) -> Self {
        Self { peers, ..Self::default() }
    }

    /// The media servers of another configuration, in place of the former ones.
    pub(crate) fn set_resources(&mut self, snapshot: &Snapshot) {
        self.resources =
            snapshot.resources().map(|(_, resource)| resource.address.addr.ip()).collect();
    }

    /// A stream from there is a peer's or a resource's.
    pub(crate) fn knows(&self, source: SocketAddr) -> bool {
        (self.loopback && source.ip().is_loopback())
            || self.resources.contains(&source.ip())
            || self.peers.iter().any(|peer| peer.rank(source).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rm::settings::Role;

    fn peer(text: &str) -> Peer {
        Peer {
            name: "p".into(),
            matches: vec![Match::parse(text).unwrap()],
            role: Role::SipServer,
            allow_route: false,
            trusted_headers: false,
            priority: false,
        }
    }

    #[test]
    fn loopback_is_known_only_without_peers() {
        let loopback = "127.0.0.2:9".parse().unwrap();
        let peer_address = "10.1.2.3:4000".parse().unwrap();
        assert!(Trust::of(&[]).knows(loopback));
        let mut trust = Trust::of(&[peer("10.1.0.0/16")]);
        assert!(!trust.knows(loopback) && trust.knows(peer_address));
        trust.resources.insert("127.0.0.2".parse().unwrap());
        assert!(trust.knows(loopback));
    }
}
