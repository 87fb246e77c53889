//! What the engine is told once, at construction: who it is, where it listens, whom it trusts.
//!
//! Values only; parsing of files and addresses from text happens in `io/config` and the shell,
//! except for [`Match::parse`], whose grammar is rm.md §13.1.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use model::id::{BootEpoch, Dbid, NodeId};
use sip::locate::Spoken;
use sip::transport::Transport;

use crate::token::Keys;

pub use model::config::Options;

/// Settings of one engine (boot settings of rm.md §1.2, §1.4, §13.1).
#[derive(Clone, Debug)]
pub struct Settings {
    /// `rm.name`: identity of the node, in records and Warning headers.
    pub name: String,
    /// 1–1023.
    pub node_id: NodeId,
    /// Grows by one at every start.
    pub boot: BootEpoch,
    /// dbid of the node's Application object, if there is one.
    pub application_dbid: Option<Dbid>,
    /// All listeners; a `Flow` names one by its index.
    pub listeners: Vec<Listener>,
    /// Index of the UDP listener from which OPTIONS leave.
    pub monitor_listener: u8,
    /// `rm.sip.domains`: further host names that mean RM.
    pub domains: Vec<String>,
    /// `rm.sip.peers`; empty: loopback is a SIP Server and everything else nobody.
    pub peers: Vec<Peer>,
    /// `rm.sip.routes`: from which listener a destination is reached; the longest network wins.
    pub routes: Vec<Route>,
    /// The cluster key ring.
    pub keys: Keys,
    /// Seed of all chance in the engine.
    pub seed: [u64; 4],
    /// `rm.application`: the Application object of a snapshot that holds this node's options.
    pub application: String,
    /// Options (rm.md §4.4) while no snapshot has that Application.
    pub options: Options,
    /// Timers of the SIP engine.
    pub timers: SipTimers,
}

impl Settings {
    /// What the node speaks: the transports and address families of the listeners for calls.
    #[must_use]
    pub fn spoken(&self) -> Spoken {
        let mut spoken = Spoken::default();
        for (index, listener) in (0_u8..).zip(&self.listeners) {
            if index != self.monitor_listener {
                spoken.add(listener.transport, listener.bound.is_ipv4());
            }
        }
        spoken
    }
}

/// One socket that the shell has bound.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// The bound address.
    pub bound: SocketAddr,
    /// Host and port shown in Record-Route and Contact (`rm.sip.advertise`); IPv6 in brackets.
    pub advertise: (String, u16),
    /// Host and port shown in Via (`rm.sip.via`); IPv6 in brackets.
    pub via: (String, u16),
}

/// A source that RM knows (rm.md §13.1).
#[derive(Clone, Debug)]
pub struct Peer {
    /// Name in records and logs.
    pub name: String,
    /// Addresses that are this peer.
    pub matches: Vec<Match>,
    /// Host names of which a certificate has to prove one, lower case (TLS).
    pub names: Vec<String>,
    /// What it may do.
    pub role: Role,
    /// Further Route entries of its requests are accepted.
    pub allow_route: bool,
    /// A gateway whose internal headers are kept.
    pub trusted_headers: bool,
    /// Its calls are counted by limits, but never refused by them.
    pub priority: bool,
    /// Session interval asked for where its calls say nothing, in seconds (rm.md §2.6).
    pub session_expires: Option<u32>,
    /// It is told of calls that were lost with a media server (rm.md §7.10).
    pub notify_failures: bool,
    /// Requests per second that it may send outside dialogs; OPTIONS to RM do not count.
    pub rate: Option<NonZeroU32>,
}

/// A destination that is reached from one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// A network: its address.
    pub net: IpAddr,
    /// Length of its prefix in bits.
    pub prefix: u8,
    /// Index of the listener.
    pub listener: u8,
}

impl Route {
    /// Whether it leads to this address.
    #[must_use]
    pub fn leads_to(&self, ip: IpAddr) -> bool {
        in_net(self.net, self.prefix, ip)
    }
}

/// What a source may do (rm.md §13.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// INVITE any service, join sessions, all `X-Genesys-*`.
    SipServer,
    /// INVITE; internal headers are removed.
    Gateway,
    /// INVITE, join, outbound; all declared resources but gateways.
    Media,
    /// OPTIONS only.
    Probe,
}

impl Role {
    /// The word of rm.md §13.1.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SipServer => "sip-server",
            Self::Gateway => "gateway",
            Self::Media => "media",
            Self::Probe => "probe",
        }
    }
}

/// One address pattern of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// One address and port.
    Socket(SocketAddr),
    /// One address, any port.
    Ip(IpAddr),
    /// A network: address and length of its prefix in bits.
    Net(IpAddr, u8),
}

impl Match {
    /// Reads `IP:port`, `IP` or `IP/bits`; `None` if it is none of them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((ip, bits)) = text.split_once('/') {
            let (ip, bits) = (ip.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
            let most = if ip.is_ipv4() { 32 } else { 128 };
            return (bits <= most).then_some(Self::Net(ip, bits));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        text.parse::<SocketAddr>().ok().map(Self::Socket)
    }

    /// How specific the match of `source` is, higher wins; `None` if it is another address.
    #[must_use]
    pub fn rank(&self, source: SocketAddr) -> Option<u16> {
        match *self {
            Self::Socket(own) => (own == source).then_some(1000),
            Self::Ip(own) => (own == source.ip()).then_some(500),
            Self::Net(net, bits) => in_net(net, bits, source.ip()).then_some(u16::from(bits)),
        }
    }
}

fn in_net(net: IpAddr, bits: u8, ip: IpAddr) -> bool {
    match (net, ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => {
            let shift = 32_u32.saturating_sub(u32::from(bits));
            u32::from(net).checked_shr(shift) == u32::from(ip).checked_shr(shift)
        }
        (IpAddr::V6(net), IpAddr::V6(ip)) => {
            let shift = 128_u32.saturating_sub(u32::from(bits));
            u128::from(net).checked_shr(shift) == u128::from(ip).checked_shr(shift)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Timers of the SIP engine (rm.md §1.11); fixed for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipTimers {
    /// T1: estimate of a round trip.
    pub t1: Duration,
    /// T2: longest gap between repeated requests.
    pub t2: Duration,
    /// T4: longest life of a message in the network.
    pub t4: Duration,
    /// Timer C: longest wait for the final answer to an INVITE, restarted by each 101–199.
    pub c: Duration,
    /// How long the 100 to an INVITE may wait for a better answer; zero: it leaves at once.
    pub trying: Duration,
}

impl SipTimers {
    /// These, but for those that the options name. T2 is no shorter than T1.
    #[must_use]
    pub fn with(self, given: model::config::options::Timers) -> Self {
        let t1 = given.t1.unwrap_or(self.t1);
        Self {
            t1,
            t2: given.t2.unwrap_or(self.t2).max(t1),
            t4: given.t4.unwrap_or(self.t4),
            c: given.c.unwrap_or(self.c),
            trying: self.trying,
        }
    }
}

impl Default for SipTimers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            c: Duration::from_secs(180),
            trying: Duration::ZERO,
        }
    }
}

#[cfg(test)]
impl Settings {
    /// One listener, and nobody who is known.
    pub(crate) fn bare() -> Self {
        let shown = || ("10.0.0.5".to_owned(), 5060);
        Self {
            name: "rm-1".to_owned(),
            node_id: NodeId(1),
            boot: BootEpoch(1),
            application_dbid: None,
            listeners: vec![Listener {
                transport: Transport::Udp,
                bound: "10.0.0.5:5060".parse().unwrap(),
                advertise: shown(),
                via: shown(),
            }],
            monitor_listener: 1,
            domains: Vec::new(),
            peers: Vec::new(),
            routes: Vec::new(),
            keys: Keys::new(&[(1, [0; 32])]).unwrap(),
            seed: [0; 4],
            application: String::new(),
            options: Options::default(),
            timers: SipTimers::default(),
        }
    }
}
