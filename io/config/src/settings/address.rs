//! Addresses in settings: listeners, names with ports, brokers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use model::schema::Field;
use model::tree::Value;
use openwire::Brokers;

/// A host, by name or address, and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    /// A name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The transport of a SIP listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// `udp:`
    Udp,
    /// `tcp:`
    Tcp,
    /// `tls:`
    Tls,
}

impl Transport {
    /// Ports of streams are one space, whatever runs in them.
    pub(super) fn is_stream(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }
}

/// A SIP listener: `udp:127.0.0.1:5060`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// Its transport.
    pub transport: Transport,
    /// Where it listens.
    pub addr: SocketAddr,
}

/// `IP:port`, where something listens.
pub(super) fn listen(field: &Field<'_>) -> Option<SocketAddr> {
    let text = field.text()?;
    let parsed = text.parse();
    parsed.ok().or_else(|| field.invalid("address to listen on", "expected IP:port"))
}

/// `udp:IP:port`, `tcp:IP:port` or `tls:IP:port`.
pub(super) fn sip_listen(field: &Field<'_>) -> Option<Listen> {
    let text = field.text()?;
    let expected = "expected udp:IP:port, tcp:IP:port or tls:IP:port";
    let (transport, rest) = match text.split_once(':') {
        Some(("udp", rest)) => (Transport::Udp, rest),
        Some(("tcp", rest)) => (Transport::Tcp, rest),
        Some(("tls", rest)) => (Transport::Tls, rest),
        _ => return field.invalid("SIP listener", expected),
    };
    let Ok(addr) = rest.parse() else { return field.invalid("SIP listener", expected) };
    Some(Listen { transport, addr })
}

/// `host:port`.
pub(super) fn host_port(field: &Field<'_>) -> Option<HostPort> {
    let text = field.text()?;
    parse_host_port(text).or_else(|| field.invalid("address", "expected host:port"))
}

/// One `host:port` or a list of them.
pub(super) fn host_ports(field: &Field<'_>) -> Option<Vec<HostPort>> {
    if let Value::Seq(_) = field.node().value {
        return field.list()?.iter().map(host_port).collect();
    }
    host_port(field).map(|one| vec![one])
}

/// `tcp://host:port`, `ssl://host:port` or `failover:(…)`.
pub(super) fn brokers(field: &Field<'_>) -> Option<Brokers> {
    let parsed = Brokers::parse(field.text_up_to(4096)?);
    parsed.map_err(|error| field.invalid::<()>("broker", error)).ok()
}

pub(super) fn parse_host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        inner.parse::<Ipv6Addr>().ok()?;
        return Some(HostPort { host: inner.to_owned(), port });
    }
    is_host(host).then(|| HostPort { host: host.to_owned(), port })
}

/// A host name or an IPv4 address.
pub(super) fn is_host(host: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let name = !host.is_empty() && host.len() <= 253 && host.chars().all(letter);
    let numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    name && !host.starts_with(['-', '.']) && (!numeric || host.parse::<IpAddr>().is_ok())
}
