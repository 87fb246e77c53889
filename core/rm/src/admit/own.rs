//! Which URIs mean this Resource Manager (rm.md §1.5).
//!
//! Reads settings only; no name is resolved.

use std::net::{IpAddr, SocketAddr};

use sip::uri::Uri;

use crate::settings::Settings;
use crate::token::PREFIX;

/// The host is ours, and the port, if there is one, is a port of ours there.
pub(crate) fn is_own_host(settings: &Settings, uri: &Uri<'_>) -> bool {
    if settings.domains.iter().any(|name| name.eq_ignore_ascii_case(uri.host)) {
        return true;
    }
    settings.listeners.iter().any(|listener| {
        let (shown, via) = (&listener.advertise, &listener.via);
        let named = [shown, via].into_iter().any(|(host, port)| {
            host.eq_ignore_ascii_case(uri.host) && uri.port.is_none_or(|one| one == *port)
        });
        named || is_bound(listener.bound, uri)
    })
}

fn is_bound(bound: SocketAddr, uri: &Uri<'_>) -> bool {
    !bound.ip().is_unspecified()
        && uri.host_ip().map(|ip| ip.to_canonical()) == Some(bound.ip().to_canonical())
        && uri.port.is_none_or(|port| port == bound.port())
}

/// A Route entry or strict-routed Request-URI that is ours: our host, and our kind of user part
/// (or none, for a preloaded route).
pub(crate) fn is_own(settings: &Settings, uri: &Uri<'_>) -> bool {
    uri.scheme.is_sip()
        && uri.user.is_none_or(|user| user.starts_with(PREFIX))
        && is_own_host(settings, uri)
}

/// An address to which nothing may ever be sent (rm.md §1.8).
pub(crate) fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
    }
}

/// An address to which something may be sent only where a peer or resource is declared.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    }
}
