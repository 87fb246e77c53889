//! What is to be reached: the parts of a URI or of a Via that RFC 3263 looks at, and our side.

use crate::limits;
use crate::transport::Transport;
use crate::uri::{self, Scheme, Uri};
use std::fmt;
use std::net::IpAddr;

/// What is to be reached. Equal goals have equal answers: it is the key of a cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Goal {
    /// TARGET of RFC 3263 §4: the `maddr` parameter if there is one, else the host.
    pub host: Host,
    /// The port that is written.
    pub port: Option<u16>,
    /// The transport that is written.
    pub transport: Option<Transport>,
    /// A `sips:` URI: nothing but TLS will do.
    pub secure: bool,
}

/// A host by address or by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// Numeric.
    Ip(IpAddr),
    /// To be resolved.
    Name(HostName),
}

/// A name that may be asked for: lower case, at most 253 bytes of labels of 1–63 letters, digits,
/// hyphens and underscores, without the dot at its end. It is absolute: no search list applies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

impl Goal {
    /// The goal of a `sip:` or `sips:` URI (RFC 3263 §4); `None` for another scheme, a host that
    /// is neither address nor name, or a transport that we do not speak.
    pub fn of_uri(uri: &Uri<'_>) -> Option<Self> {
        let secure = match uri.scheme {
            Scheme::Sip => false,
            Scheme::Sips => true,
            Scheme::Tel | Scheme::Urn | Scheme::Other(_) => return None,
        };
        let transport = match uri.param("transport") {
            None => None,
            Some(value) => Some(Transport::parse(value?)?),
        };
        let host = Host::parse(uri.param("maddr").flatten().unwrap_or(uri.host))?;
        Some(Self { host, port: uri.port, transport, secure })
    }

    /// The same, over TLS alone where `secure`: the first Route of a request to a `sips:` URI
    /// (RFC 3261 §16.6 step 7).
    #[must_use]
    pub fn secured(self, secure: bool) -> Self {
        Self { secure: self.secure || secure, ..self }
    }

    /// The goal of a response whose connection or source address is gone: the sent-by of its top
    /// Via, by the transport of that Via (RFC 3263 §5, RFC 3261 §18.2.2).
    pub fn of_sent_by(transport: Transport, host: &str, port: Option<u16>) -> Option<Self> {
        let secure = transport == Transport::Tls;
        Some(Self { host: Host::parse(host)?, port, transport: Some(transport), secure })
    }

    /// The name to resolve, which is also the identity that a TLS peer must show (RFC 5922 §4):
    /// that of the URI, never one that the name service has given.
    pub fn name(&self) -> Option<&HostName> {
        match &self.host {
            Host::Ip(_) => None,
            Host::Name(name) => Some(name),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
            Host::Name(name) => f.write_str(name.as_str())?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, ";transport={}", transport.uri_param()),
            None => Ok(()),
        }
    }
}

impl Host {
    /// Reads an address (IPv6 with or without brackets) or a name; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match uri::host_ip(text) {
            Some(ip) => Some(Self::Ip(ip)),
            None => HostName::parse(text).map(Self::Name),
        }
    }
}

impl HostName {
    /// Reads a name; `None` if it may not be asked for. The last label is not all digits, else it
    /// would be a damaged address (RFC 1123 §2.1).
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let named = |label: &str| label.bytes().any(|byte| !byte.is_ascii_digit());
        let good = bare.len() <= limits::HOST_NAME
            && bare.split('.').all(fits)
            && bare.rsplit('.').next().is_some_and(named);
        good.then(|| Self(bare.to_ascii_lowercase().into()))
    }

    /// The name as it is asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the SRV records of a transport below this domain (§4.2).
    pub(super) fn service(&self, transport: Transport) -> Option<Self> {
        let service = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
        };
        Self::parse(&format!("{service}.{}", self.0))
    }
}

/// Which transports our listeners have, by address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    v4: [bool; 3],
    v6: [bool; 3],
}

impl Spoken {
    /// One more listener.
    pub const fn add(&mut self, transport: Transport, is_ipv4: bool) {
        let [udp, tcp, tls] = if is_ipv4 { &mut self.v4 } else { &mut self.v6 };
        match transport {
            Transport::Udp => *udp = true,
            Transport::Tcp => *tcp = true,
            Transport::Tls => *tls = true,
        }
    }

    /// Whether an address of this family can be reached by this transport.
    pub const fn reaches(self, transport: Transport, is_ipv4: bool) -> bool {
        let [udp, tcp, tls] = if is_ipv4 { self.v4 } else { self.v6 };
        match transport {
            Transport::Udp => udp,
            Transport::Tcp => tcp,
            Transport::Tls => tls,
        }
    }

    /// Whether any listener has this transport.
    pub const fn has(self, transport: Transport) -> bool {
        self.reaches(transport, true) || self.reaches(transport, false)
    }
}
