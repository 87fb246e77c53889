//! The sockets of rm.md §1.2: bound at the start, and what they are called in messages.
//!
//! All sockets are bound before anything is served; one that cannot be bound stops the start. That
//! a wildcard listener has an `advertise` is checked where settings are read.

use crate::error::StartError;
use crate::settings;
use config::settings::HostPort;
use net::tcp::Listener;
use net::udp::UdpSocket;
use sip::transport::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A listener to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) transport: Transport,
    /// Port 0: a free one.
    pub(crate) address: SocketAddr,
}

/// A listener that is.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) socket: Socket,
    /// With the port that was given.
    pub(crate) address: SocketAddr,
}

/// Its socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Udp(UdpSocket),
    Tcp(Listener),
    /// `None`: the TLS thread has it.
    Tls(Option<Listener>),
}

impl Bound {
    pub(crate) fn transport(&self) -> Transport {
        match self.socket {
            Socket::Udp(_) => Transport::Udp,
            Socket::Tcp(_) => Transport::Tcp,
            Socket::Tls(_) => Transport::Tls,
        }
    }
}

/// Binds one. Where TCP asks for any port and UDP has got one on the same address, it gets the
/// same if that is free: a SIP address is one port for both.
pub(crate) fn bind(wanted: Wanted, others: &[Bound], dscp: u8) -> Result<Bound, StartError> {
    let address = wanted.address;
    let failed = |what| move |source| StartError::Listen { what, address, source };
    match wanted.transport {
        Transport::Udp => {
            let socket = UdpSocket::bind(address, dscp).map_err(failed("udp"))?;
            let address = socket.local();
            Ok(Bound { socket: Socket::Udp(socket), address })
        }
        Transport::Tcp => {
            let twin = others.iter().find(|other| {
                address.port() == 0
                    && other.address.ip() == address.ip()
                    && other.transport() == Transport::Udp
            });
            let same = twin.and_then(|twin| Listener::bind(twin.address, dscp).ok());
            let listener = match same {
                Some(listener) => listener,
                None => Listener::bind(address, dscp).map_err(failed("tcp"))?,
            };
            let address = listener.local();
            Ok(Bound { socket: Socket::Tcp(listener), address })
        }
        Transport::Tls => {
            let listener = Listener::bind(address, dscp).map_err(failed("tls"))?;
            let address = listener.local();
            Ok(Bound { socket: Socket::Tls(Some(listener)), address })
        }
    }
}

/// Host and port that a listener shows: its own entry of the setting, the only entry, or itself.
/// `io/config` has checked that there is one entry, or one per listener.
pub(crate) fn shown(entries: &[HostPort], index: usize, bound: SocketAddr) -> (String, u16) {
    match entries {
        [] => (host_text(bound), bound.port()),
        [only] => settings::shown(only),
        many => many.get(index).map_or_else(|| (host_text(bound), bound.port()), settings::shown),
    }
}

/// Where a listener is reached: of a wildcard the address from which packets leave by default
/// (rm.md §1.2). Nothing is sent to find it.
pub(crate) fn own_address(bound: SocketAddr) -> SocketAddr {
    let (any, far): (IpAddr, IpAddr) = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (ip.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        IpAddr::V6(ip) if ip.is_unspecified() => {
            (ip.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => return bound,
    };
    let leaves = std::net::UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((far, 9))?;
        socket.local_addr()
    });
    let loopback: IpAddr =
        if any.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(leaves.map_or(loopback, |address| address.ip()), bound.port())
}

fn host_text(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(transport: Transport, address: &str) -> Wanted {
        Wanted { transport, address: address.parse().unwrap() }
    }

    #[test]
    fn tcp_gets_the_port_that_udp_has_got_unless_it_is_taken() {
        // A connection of some other process may have it, but not twenty times.
        let same = (0..20).any(|_| {
            let udp = bind(wanted(Transport::Udp, "127.0.0.1:0"), &[], 24).unwrap();
            let port = udp.address.port();
            let tcp = bind(wanted(Transport::Tcp, "127.0.0.1:0"), &[udp], 24).unwrap();
            assert_ne!(tcp.address.port(), 0);
            tcp.address.port() == port
        });
        assert!(same);
        let udp = bind(wanted(Transport::Udp, "127.0.0.1:0"), &[], 24).unwrap();
        let held = Wanted { transport: Transport::Tcp, address: udp.address };
        if let Ok(_held) = bind(held, &[], 24) {
            bind(wanted(Transport::Tcp, "127.0.0.1:0"), &[udp], 24).unwrap();
        }
    }

    #[test]
    fn an_address_in_use_is_exit_code_8() {
        let held = bind(wanted(Transport::Tcp, "127.0.0.1:0"), &[], 24).unwrap();
        let again = Wanted { transport: Transport::Tcp, address: held.address };
        let error = bind(again, &[], 24).unwrap_err();
        assert_eq!(error.exit_code(), 8);
        assert_eq!(error.to_string(), format!("cannot listen on tcp {}", held.address));
        let again = Wanted { transport: Transport::Tls, ..again };
        let error = bind(again, &[], 24).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on tls {}", held.address));
    }

    #[test]
    fn a_wildcard_is_never_shown() {
        for (bound, itself) in [
            ("127.0.0.1:5060", true),
            ("[::1]:5060", true),
            ("0.0.0.0:5060", false),
            ("[::]:5060", false),
        ] {
            let bound: SocketAddr = bound.parse().unwrap();
            let own = own_address(bound);
            assert_eq!((own.port(), own.is_ipv4()), (5060, bound.is_ipv4()));
            assert!(!own.ip().is_unspecified() && (own == bound) == itself, "{own}");
        }
    }

    #[test]
    fn what_a_listener_shows() {
        let bound = "[::1]:5060".parse().unwrap();
        let entry = |host: &str, port| HostPort { host: host.to_owned(), port };
        let cases = [
            (vec![], ("[::1]", 5060)),
            (vec![entry("rm.example", 1)], ("rm.example", 1)),
            (vec![entry("a", 1), entry("2001:db8::1", 2)], ("[2001:db8::1]", 2)),
        ];
        for (entries, (host, port)) in cases {
            assert_eq!(shown(&entries, 1, bound), (host.to_owned(), port));
        }
    }
}
