//! Where the copies go: the collector's name, its address as it was found last, and a socket.

use crate::limits::{MIRROR_NAME, MIRROR_RETRY};
use net::udp::UdpSocket;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// The collector.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    found: Option<(SocketAddr, UdpSocket)>,
    /// When it is looked for again.
    next: Duration,
}

impl Target {
    pub(super) fn new(host: String, port: u16) -> Self {
        Self { host, port, found: None, next: Duration::ZERO }
    }

    /// Where to and from where. Resolving the name may block: the thread of the mirror has nothing
    /// else to do. While the name leads nowhere, the last address is used.
    pub(super) fn at(&mut self, now: Duration) -> Option<(SocketAddr, &UdpSocket)> {
        if now >= self.next {
            let looked = self.look();
            self.next = now + if looked.is_ok() { MIRROR_NAME } else { MIRROR_RETRY };
        }
        self.found.as_ref().map(|(to, socket)| (*to, socket))
    }

    fn look(&mut self) -> io::Result<()> {
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        let to = addresses.next().ok_or(io::ErrorKind::NotFound)?;
        if self.found.as_ref().is_some_and(|(found, _)| *found == to) {
            return Ok(());
        }
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0), 0)?;
        socket.connect(to)?;
        self.found = Some((to, socket));
        Ok(())
    }
}
