//! `rm.sip.peers`: who may call, and as what (rm.md §13.1).

use std::net::SocketAddr;
use std::num::NonZeroU32;

use model::config::Network;
use model::config::read::{network, session_interval};
use model::schema::{Field, Object};
use model::tree::Value;

use super::address::is_host;

/// Requests per second above which a rate says nothing.
const MAX_RATE: u32 = 1_000_000;

/// A peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where it calls from; any of them. The most specific match of all peers wins.
    pub matches: Vec<PeerMatch>,
    /// What it may do.
    pub role: Role,
    /// Whether it may send preloaded Routes to third parties.
    pub allow_route: bool,
    /// Whether its internal headers are kept (`headers: trusted`); by default those of SIP Servers
    /// and media servers are.
    pub trust_headers: bool,
    /// Whether its calls are refused by no limit and not shed.
    pub priority: bool,
    /// The session interval asked for where a call of it says nothing, in seconds (RFC 4028).
    pub session_expires: Option<u32>,
    /// Whether it is told of calls that were lost with a media server.
    pub notify_failures: bool,
    /// Requests per second that it may send outside dialogs; `None`: as many as it likes.
    pub rate: Option<NonZeroU32>,
}

/// Where a peer calls from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerMatch {
    /// An address and port.
    Endpoint(SocketAddr),
    /// An address, or a network.
    Network(Network),
    /// A host name that its certificate proves, lower case.
    Name(String),
}

/// What a peer may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// INVITE any service, join sessions, all internal headers.
    SipServer,
    /// INVITE.
    Gateway,
    /// INVITE, join, outbound.
    Media,
    /// OPTIONS only.
    Probe,
}

pub(super) fn read(item: &Field<'_>) -> Option<Peer> {
    let peer = item.object()?;
    let name = peer.require("name", "peer").and_then(|field| super::name(&field));
    let matches = matches(&peer);
    let roles = [
        ("sip-server", Role::SipServer),
        ("gateway", Role::Gateway),
        ("media", Role::Media),
        ("probe", Role::Probe),
    ];
    let role = peer.require("role", "peer").and_then(|field| field.choice(&roles));
    let allow_route = peer.get("allow_route").and_then(|field| field.boolean());
    let session_expires = peer.get("session_expires").and_then(|f| session_interval(&f));
    let choices = [("trusted", true), ("untrusted", false)];
    let trusted = peer.get("headers").and_then(|field| field.choice(&choices));
    let priority = peer.get("priority").and_then(|field| field.boolean());
    let rate = peer.get("rate").and_then(|field| field.whole(1, MAX_RATE));
    let notify_failures = peer.get("notify_failures").and_then(|field| field.boolean());
    peer.finish();
    let role = role?;
    let trusted_role = matches!(role, Role::SipServer | Role::Media);
    Some(Peer {
        name: name?,
        matches: matches?,
        role,
        allow_route: allow_route.unwrap_or(false),
        trust_headers: trusted.unwrap_or(trusted_role),
        priority: priority.unwrap_or(false),
        session_expires,
        notify_failures: notify_failures.unwrap_or(false),
        rate: rate.and_then(NonZeroU32::new),
    })
}

fn matches(peer: &Object<'_>) -> Option<Vec<PeerMatch>> {
    let field = peer.require("match", "peer")?;
    let items = match field.node().value {
        Value::Seq(_) => field.list()?,
        _ => vec![field.clone()],
    };
    if items.is_empty() {
        return field.wrong_type("a list of at least one address");
    }
    items.iter().map(one).collect()
}

fn one(field: &Field<'_>) -> Option<PeerMatch> {
    let text = field.text()?;
    if let Ok(endpoint) = text.parse::<SocketAddr>() {
        return Some(PeerMatch::Endpoint(endpoint));
    }
    if let Some(network) = network(text) {
        return Some(PeerMatch::Network(network));
    }
    if is_host(text) {
        return Some(PeerMatch::Name(text.trim_end_matches('.').to_ascii_lowercase()));
    }
    field.invalid(
        "peer address",
        "expected IP, IP:port, a network such as 192.0.2.0/24 or a TLS name",
    )
}
