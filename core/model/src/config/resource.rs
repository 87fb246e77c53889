//! A resource: one media server, known by its name; its address is an attribute.
//!
//! Plain data of a snapshot; stage place chooses among them.

use std::net::{IpAddr, SocketAddr};

use super::{Capabilities, GroupIx, Source};
use crate::id::Dbid;

/// A resource of a snapshot.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name, unique in the platform: its identity.
    pub name: String,
    /// Its number in reports; it shares the counter of applications.
    pub dbid: Dbid,
    /// The group that it is in.
    pub group: GroupIx,
    /// Where it is.
    pub address: ResourceAddress,
    /// How many calls it takes; `None` = any number, 0 = none.
    pub capacity: Option<u32>,
    /// Its share in weighted schemes, 1–1000.
    pub weight: u16,
    /// Only where no active one of its group has a place (`redundancy: passive`).
    pub passive: bool,
    /// What it can do; those of its group are among them.
    pub capabilities: Capabilities,
    /// The largest conference that it takes; `None` = any.
    pub conference_size: Option<u32>,
    /// How many conferences it takes at once; `None` = any number.
    pub conference_count: Option<u32>,
    /// What the configuration says of it; disabled when its group or a tenant above it is.
    pub state: Admin,
    /// Further addresses that its calls may come from.
    pub source_addresses: Vec<Network>,
    /// Who says that it is there.
    pub source: Source,
}

/// The operator's will.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Admin {
    /// Takes calls.
    #[default]
    Enabled,
    /// Takes no new calls, keeps those it has.
    Draining,
    /// Takes none.
    Disabled,
}

impl Admin {
    /// Its word, as in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }

    /// The will of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enabled, Self::Draining, Self::Disabled].into_iter().find(|one| one.as_str() == word)
    }
}

/// A SIP address of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceAddress {
    /// As it was written: `sip:10.0.0.11:5070;transport=tcp`.
    pub uri: String,
    /// Whether it is a `sips:` address.
    pub secure: bool,
    /// The host that was written.
    pub host: ResourceHost,
    /// The port, if one was written.
    pub port: Option<u16>,
    /// The transport, if one was written: it is then never overridden.
    pub transport: Option<ResourceTransport>,
}

impl ResourceAddress {
    /// IP address and port (if none was written 5060, with TLS 5061); `None` for a host name, whose
    /// addresses the name service tells.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        let default = if self.transport == Some(ResourceTransport::Tls) { 5061 } else { 5060 };
        match self.host {
            ResourceHost::Ip(ip) => Some(SocketAddr::new(ip, self.port.unwrap_or(default))),
            ResourceHost::Name(_) => None,
        }
    }
}

/// The host of a resource's address.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ResourceHost {
    /// An address.
    Ip(IpAddr),
    /// A name to be resolved (RFC 3263), lower case, without the dot at its end.
    Name(String),
}

/// A transport written in a resource's address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResourceTransport {
    /// `;transport=udp`
    Udp,
    /// `;transport=tcp`
    Tcp,
    /// `;transport=tls`, or a `sips:` address.
    Tls,
}

/// An IP address or a network of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    /// Any address of it.
    pub ip: IpAddr,
    /// How many leading bits count: 0–32 or 0–128.
    pub prefix: u8,
}
