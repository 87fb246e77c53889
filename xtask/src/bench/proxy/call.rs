//! The load: which calls, how fast, for how long.

use std::net::{IpAddr, Ipv4Addr};

/// Proxy, callers and media servers have addresses of their own: over TCP, whoever calls from the
/// address of a media server is taken for it.
pub(super) const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const CALLER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
pub(super) const MEDIA: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// The transport on both sides of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Via {
    Udp,
    Tcp,
}

impl Via {
    /// `udp` or `tcp`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "udp" => Some(Self::Udp),
            "tcp" => Some(Self::Tcp),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }

    /// SIPp's `-t`: one socket for all calls.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }

    /// What the URI of a media server ends with.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
        }
    }
}

/// Calls that one SIPp places.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) struct Calls {
    pub(super) via: Via,
    pub(super) per_second: u32,
    pub(in crate::bench) count: u32,
    /// From answer to BYE.
    pub(super) hold_ms: u32,
}

impl Calls {
    /// Short calls for some seconds.
    pub(in crate::bench) fn short(via: Via, per_second: u32, seconds: u32) -> Self {
        Self { via, per_second, count: per_second * seconds, hold_ms: 200 }
    }
}
