//! Who a far end has to prove to be before anything is sent to it (RFC 5922 §7): by its address.
//!
//! A resource whose address was written as a host name has to prove that name; a peer that is
//! matched by an address and by TLS names has to prove one of these. Of anyone else nothing is
//! declared: whoever is there because host names of next hops led there has to prove all of them,
//! or else the address itself. It must not resolve a name.

use net::tls::{Identity, Name};
use rm::{Match, Peer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Declared names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Of resources: all of them have to be proven.
    resources: BTreeMap<SocketAddr, Vec<Name>>,
    /// Of next hops, where nothing is declared.
    hops: BTreeMap<SocketAddr, Vec<Name>>,
    /// Of peers: their addresses, and names of which one has to be proven.
    peers: Vec<(Vec<Match>, Vec<Name>)>,
}

impl Names {
    /// Those of the peers.
    pub(crate) fn of(peers: &[Peer]) -> Self {
        let names = |peer: &Peer| peer.names.iter().cloned().map(Name::Host).collect();
        let named = peers.iter().filter(|peer| !peer.names.is_empty());
        let peers = named.map(|peer| (peer.matches.clone(), names(peer))).collect();
        Self { resources: BTreeMap::new(), hops: BTreeMap::new(), peers }
    }

    /// Where the resources with host names are now.
    pub(crate) fn set_resources(&mut self, found: &BTreeMap<SocketAddr, BTreeSet<String>>) {
        self.resources = hosts(found);
    }

    /// Where the host names of next hops lead to.
    pub(crate) fn set_hops(&mut self, found: &BTreeMap<SocketAddr, BTreeSet<String>>) {
        self.hops = hosts(found);
    }

    /// Whether whoever has shown this is a peer by its name.
    pub(crate) fn knows(&self, shown: &Identity) -> bool {
        self.peers.iter().any(|(_, names)| names.iter().any(|name| shown.proves(name)))
    }

    /// The name that a handshake with `remote` asks for.
    pub(crate) fn asked(&self, remote: SocketAddr) -> Name {
        let mut names = self.declared(remote).flat_map(|(names, _)| names);
        let declared = names.next().or_else(|| self.hops.get(&remote)?.first());
        declared.cloned().unwrap_or_else(|| Name::Address(remote.ip()))
    }

    /// Whether whoever has shown this may be sent what is meant for `remote`.
    pub(crate) fn fits(&self, remote: SocketAddr, shown: Option<&Identity>) -> bool {
        let proves = |name: &Name| shown.is_some_and(|identity| identity.proves(name));
        let mut declared = self.declared(remote).peekable();
        if declared.peek().is_none() {
            let hop = self.hops.get(&remote).is_some_and(|names| names.iter().all(proves));
            return hop || proves(&Name::Address(remote.ip()));
        }
        declared.all(
            |(names, all)| {
                if all { names.iter().all(proves) } else { names.iter().any(proves) }
            },
        )
    }

    /// Nothing is said of this address but itself.
    pub(crate) fn is_undeclared(&self, remote: SocketAddr) -> bool {
        self.declared(remote).next().is_none() && !self.hops.contains_key(&remote)
    }

    /// Names, and whether all of them have to be proven.
    fn declared(&self, remote: SocketAddr) -> impl Iterator<Item = (&[Name], bool)> {
        let resource = self.resources.get(&remote).map(|names| (names.as_slice(), true));
        let peers = self
            .peers
            .iter()
            .filter(move |(rules, _)| rules.iter().any(|rule| rule.rank(remote).is_some()));
        resource.into_iter().chain(peers.map(|(_, names)| (names.as_slice(), false)))
    }
}

fn hosts(found: &BTreeMap<SocketAddr, BTreeSet<String>>) -> BTreeMap<SocketAddr, Vec<Name>> {
    let hosts = |names: &BTreeSet<String>| names.iter().cloned().map(Name::Host).collect();
    found.iter().map(|(at, names)| (*at, hosts(names))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::peer;

    #[test]
    fn a_peer_is_asked_for_its_names_and_anyone_else_for_the_address() {
        let names = Names::of(&[
            peer(&["192.0.2.0/24"], &["sip.example", "other.example"]),
            peer(&["198.51.100.1"], &[]),
            peer(&[], &["gw.example"]),
        ]);
        let (named, plain) =
            ("192.0.2.9:5061".parse().unwrap(), "198.51.100.1:5061".parse().unwrap());
        assert_eq!(names.asked(named), Name::Host("sip.example".to_owned()));
        assert_eq!(names.asked(plain), Name::Address(plain.ip()));
        assert!(names.is_undeclared(plain) && !names.is_undeclared(named));
        let mut names = names;
        let found = [(plain, BTreeSet::from(["mcp.example".to_owned()]))].into();
        names.set_resources(&found);
        assert_eq!(names.asked(plain), Name::Host("mcp.example".to_owned()));
        names.set_resources(&BTreeMap::new());
        assert_eq!(names.asked(plain), Name::Address(plain.ip()));
        // a name of a next hop counts where nothing is declared
        let hop = |at| [(at, BTreeSet::from(["hop.example".to_owned()]))].into();
        names.set_hops(&hop(plain));
        assert_eq!(names.asked(plain), Name::Host("hop.example".to_owned()));
        assert!(!names.is_undeclared(plain));
        names.set_hops(&hop(named));
        assert_eq!(names.asked(named), Name::Host("sip.example".to_owned()));
        for remote in [named, plain] {
            assert!(!names.fits(remote, None) && !names.fits(remote, Some(&Identity::default())));
        }
    }
}
