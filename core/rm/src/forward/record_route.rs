//! The Record-Route entries of a forwarded INVITE (rm.md §1.4).
//!
//! One with the token; a second, plain one behind it where the two sides differ in transport,
//! address family or advertised address (RFC 5658). Must not read the token's content.

use std::fmt::Write;

use model::id::{LegId, NodeId};
use sip::transport::Transport;

use crate::settings::Listener;
use crate::token::BARE;

/// Whether the Request-URI of each side is `sips:`: then its entry is one too (RFC 3261 §16.6
/// step 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secure {
    pub(crate) ingress: bool,
    pub(crate) egress: bool,
}

/// What the entry of the called side tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) token: &'a str,
    pub(crate) node: NodeId,
    pub(crate) leg: LegId,
    /// Name of its conference.
    pub(crate) conference: Option<&'a str>,
}

/// Whether the two sides need an entry each.
pub(crate) fn is_double(ingress: (&Listener, Transport), egress: (&Listener, Transport)) -> bool {
    ingress.1 != egress.1
        || ingress.0.bound.is_ipv4() != egress.0.bound.is_ipv4()
        || ingress.0.advertise != egress.0.advertise
}

/// Appends the header lines, that of the called side on top.
pub(crate) fn write(
    entry: &Entry<'_>,
    ingress: (&Listener, Transport),
    egress: (&Listener, Transport),
    secure: Secure,
    out: &mut String,
) {
    let Entry { token, node, leg, conference } = entry;
    let (host, port) = &egress.0.advertise;
    let scheme = scheme(secure.egress);
    let transport = parameter(egress.1, secure.egress);
    // writing to a String cannot fail
    let _ = write!(
        out,
        "Record-Route: <{scheme}:{token}@{host}:{port};lr{transport};gvp.rm.datanodes={node}"
    );
    if let Some(instance) = conference {
        let _ = write!(out, ";confinstid={instance}");
    }
    let _ = write!(out, ";idtag={leg}>\r\n");
    if is_double(ingress, egress) {
        let (host, port) = &ingress.0.advertise;
        let scheme = self::scheme(secure.ingress);
        let transport = parameter(ingress.1, secure.ingress);
        let _ = write!(out, "Record-Route: <{scheme}:{BARE}@{host}:{port};lr{transport}>\r\n");
    }
}

fn scheme(secure: bool) -> &'static str {
    if secure { "sips" } else { "sip" }
}

/// `sips:` means TLS by itself.
fn parameter(transport: Transport, secure: bool) -> &'static str {
    match transport {
        _ if secure => "",
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}
