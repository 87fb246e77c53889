//! Where a message came from and where it goes to: the names the sans-IO parts use for sockets.
//!
//! Nothing here opens, resolves or picks anything; the shell maps a `Flow` to a socket.
//! Stage 1 (packet in) makes flows, all later stages pass them on.

use std::fmt;
use std::net::SocketAddr;

/// A transport of RFC 3261 §18 that Ringmaster speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams; responses may be retransmitted.
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// True for TCP and TLS: ordered, reliable, framed by Content-Length.
    pub const fn is_stream(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The spelling of a Via header: `UDP`, `TCP`, `TLS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The spelling of a URI's `transport` parameter: `udp`, `tcp`, `tls`.
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Reads either spelling without case; `None` for a transport we do not speak.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(text))
    }

    /// The port when none is given: 5060, or 5061 for TLS (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One accepted or opened stream, numbered by the shell and never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// Where a message came from, or where it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Datagram, stream, or stream under TLS.
    pub transport: Transport,
    /// Index into the daemon's listeners.
    pub listener: u8,
    /// The far end.
    pub remote: SocketAddr,
    /// The stream, if there is one already; `None` lets the shell find or open one.
    pub conn: Option<ConnId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, expected) in [
            ("UDP", Some(Transport::Udp)),
            ("tcp", Some(Transport::Tcp)),
            ("Tls", Some(Transport::Tls)),
            ("SCTP", None),
            ("", None),
        ] {
            assert_eq!(Transport::parse(text), expected, "{text}");
        }
        assert_eq!(Transport::Tls.to_string(), "TLS");
        assert_eq!(Transport::Tls.uri_param(), "tls");
        assert!(!Transport::Udp.is_stream());
    }
}
