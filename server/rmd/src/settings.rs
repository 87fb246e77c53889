//! Boot settings in the words of the engine and the sockets: the same values, other types.
//!
//! `io/config` has checked them all (ops.md §15); nothing can be refused here but files that
//! cannot be read.

use crate::error::StartError;
use crate::limits::PASSWORD_FILE;
use crate::listeners::{self, Bound, Wanted};
use crate::mirror;
use config::settings::{self as given, HostPort, Listen, PeerMatch};
use net::Clock;
use openwire::{BrokerUri, Secret};
use rm::{Match, Peer, Role, Route};
use sip::transport::Transport;
use std::fs;
use std::io;
use std::path::Path;

/// All SIP listeners in the order of their indexes: those of the proxy, then the monitor's.
pub(crate) fn wanted(rm: &given::Rm) -> Vec<Wanted> {
    let listeners = rm.sip.listen.iter().map(|&Listen { transport, addr: address }| Wanted {
        transport: match transport {
            given::Transport::Udp => Transport::Udp,
            given::Transport::Tcp => Transport::Tcp,
            given::Transport::Tls => Transport::Tls,
        },
        address,
    });
    let monitor = Wanted { transport: Transport::Udp, address: rm.monitor_listen };
    listeners.chain([monitor]).collect()
}

/// Host and port as they stand in a SIP header: IPv6 in brackets.
pub(crate) fn shown(address: &HostPort) -> (String, u16) {
    let host = &address.host;
    let text = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    (text, address.port)
}

/// `rm.sip.peers`.
pub(crate) fn peers(rm: &given::Rm) -> Vec<Peer> {
    let peer = |peer: &given::Peer| Peer {
        name: peer.name.clone(),
        matches: peer.matches.iter().filter_map(one).collect(),
        names: peer.matches.iter().filter_map(name).cloned().collect(),
        role: match peer.role {
            given::Role::SipServer => Role::SipServer,
            given::Role::Gateway => Role::Gateway,
            given::Role::Media => Role::Media,
            given::Role::Probe => Role::Probe,
        },
        allow_route: peer.allow_route,
        trusted_headers: peer.trust_headers,
        priority: peer.priority,
        session_expires: peer.session_expires,
        notify_failures: peer.notify_failures,
        rate: peer.rate,
    };
    rm.sip.peers.iter().map(peer).collect()
}

/// Who is told of in the log by a name: peers, and brokers with and without their port.
pub(crate) fn told(rm: &given::Rm) -> Vec<String> {
    let peers = rm.sip.peers.iter().map(|peer| peer.name.clone());
    let names = |one: &BrokerUri| [one.host.clone(), one.host_port()];
    peers.chain(rm.brokers.list.iter().flat_map(names)).collect()
}

/// `rm.sip.routes`; the proxy's listeners come first in the engine too.
pub(crate) fn routes(rm: &given::Rm) -> Vec<Route> {
    let route = |route: &given::Route| {
        let listener = u8::try_from(route.listener).ok()?;
        Some(Route { net: route.to.ip, prefix: route.to.prefix, listener })
    };
    rm.sip.routes.iter().filter_map(route).collect()
}

/// User and password towards the broker.
pub(crate) fn login(rm: &given::Rm) -> Result<Option<(String, Option<Secret>)>, StartError> {
    let Some(user) = rm.broker_user.clone() else { return Ok(None) };
    let password = rm.broker_password_file.as_deref().map(password).transpose()?;
    Ok(Some((user, password)))
}

/// `rm.hep`: the mirror to be.
pub(crate) fn mirror(
    rm: &given::Rm,
    key: Option<Secret>,
    sockets: &[Bound],
    clock: Clock,
) -> Option<mirror::Setup> {
    let hep = rm.hep.as_ref()?;
    let HostPort { host, port } = hep.target.clone();
    let agent = hep.id.unwrap_or(u32::from(rm.node_id.0));
    let own = sockets.iter().map(|bound| listeners::own_address(bound.address)).collect();
    Some(mirror::Setup { host, port, agent, key, own, clock })
}

/// What a password file holds.
pub(crate) fn password(path: &Path) -> Result<Secret, StartError> {
    let failed = |error| StartError::file(path, error);
    if fs::metadata(path).map_err(failed)?.len() > PASSWORD_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn one(source: &PeerMatch) -> Option<Match> {
    match source {
        PeerMatch::Endpoint(address) => Some(Match::Socket(*address)),
        PeerMatch::Network(net) => {
            let whole = net.prefix == if net.ip.is_ipv4() { 32 } else { 128 };
            Some(if whole { Match::Ip(net.ip) } else { Match::Net(net.ip, net.prefix) })
        }
        PeerMatch::Name(_) => None,
    }
}

fn name(source: &PeerMatch) -> Option<&String> {
    match source {
        PeerMatch::Name(name) => Some(name),
        PeerMatch::Endpoint(_) | PeerMatch::Network(_) => None,
    }
}

/// A peer with these matches and names, and nothing special.
#[cfg(test)]
pub(crate) fn peer(matches: &[&str], names: &[&str]) -> Peer {
    Peer {
        name: "p".to_owned(),
        matches: matches.iter().map(|text| Match::parse(text).unwrap()).collect(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        role: Role::SipServer,
        allow_route: false,
        trusted_headers: false,
        priority: false,
        session_expires: None,
        notify_failures: false,
        rate: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Settings;

    fn rm(text: &str) -> given::Rm {
        Settings::from_text(text, None, []).unwrap().rm
    }

    #[test]
    fn the_monitor_is_the_last_listener() {
        let wanted = wanted(&given::Rm::default());
        let addresses: Vec<_> =
            wanted.iter().map(|w| format!("{} {}", w.transport, w.address)).collect();
        assert_eq!(addresses, ["UDP 127.0.0.1:5060", "TCP 127.0.0.1:5060", "UDP 127.0.0.1:5064"]);
    }

    #[test]
    fn peers_keep_how_exact_they_are() {
        let rm = rm("rm: { sip: { peers: [{ name: a, role: gateway, \
                     match: [\"192.0.2.1\", \"192.0.2.0/24\", \"192.0.2.9:5060\"] }] } }");
        let peer = &peers(&rm)[0];
        assert_eq!((peer.name.as_str(), peer.role), ("a", Role::Gateway));
        let ranks: Vec<_> = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.9:5060", "192.0.3.1:1"]
            .map(|source| peer.matches.iter().filter_map(|m| m.rank(source.parse().unwrap())).max())
            .to_vec();
        assert_eq!(ranks, [Some(500), Some(24), Some(1000), None]);
    }

    #[test]
    fn the_password_comes_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "secret\n").unwrap();
        let mut rm = given::Rm { broker_user: Some("u".into()), ..given::Rm::default() };
        rm.broker_password_file = Some(path.clone());
        assert_eq!(login(&rm).unwrap().unwrap().1.unwrap().reveal(), "secret");
        fs::remove_file(path).unwrap();
        assert_eq!(login(&rm).unwrap_err().exit_code(), 8);
        assert!(login(&given::Rm::default()).unwrap().is_none());
    }
}
