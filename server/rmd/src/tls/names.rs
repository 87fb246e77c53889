//! Who a far end has to prove to be before anything is sent to it (RFC 5922 §7): by its address.
//!
//! A resource whose address was written as a host name has to prove that name; a peer that is
//! matched by an address and by TLS names has to prove one of these; anyone else the address
//! itself. It must not resolve a name.

use net::tls::{Identity, Name};
use rm::{Match, Peer};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Declared names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Of resources: all of them have to be proven.
    resources: BTreeMap<SocketAddr, Vec<Name>>,
    /// Of peers: their addresses, and names of which one has to be proven.
    peers: Vec<(Vec<Match>, Vec<Name>)>,
}

impl Names {
    /// Those of the peers.
    pub(crate) fn of(_peers: &[Peer]) -> Self {
        Self::default()
    }

    /// The name that a handshake with `remote` asks for.
    pub(crate) fn asked(&self, remote: SocketAddr) -> Name {
        let mut names = self.declared(remote).flat_map(|(names, _)| names);
        names.next().cloned().unwrap_or_else(|| Name::Address(remote.ip()))
    }

    /// Whether whoever has shown this may be sent what is meant for `remote`.
    pub(crate) fn fits(&self, remote: SocketAddr, shown: Option<&Identity>) -> bool {
        let proves = |name: &Name| shown.is_some_and(|identity| identity.proves(name));
        let mut declared = self.declared(remote).peekable();
        if declared.peek().is_none() {
            return proves(&Name::Address(remote.ip()));
        }
        declared.all(
            |(names, all)| {
                if all { names.iter().all(proves) } else { names.iter().any(proves) }
            },
        )
    }

    /// Nothing is said of this address but itself.
    pub(crate) fn is_undeclared(&self, remote: SocketAddr) -> bool {
        self.declared(remote).next().is_none()
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
