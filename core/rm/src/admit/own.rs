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

/// One of our listeners is there, or is seen there by others. Of a listener on all addresses those
/// are known that others see, and those of this machine alone.
pub(crate) fn is_own_address(settings: &Settings, remote: SocketAddr) -> bool {
    let (ip, port) = (remote.ip().to_canonical(), remote.port());
    let listeners = || settings.listeners.iter();
    let shown = || listeners().flat_map(|one| [&one.advertise, &one.via]);
    let is_at = |host: &str| host_ip(host) == Some(ip);
    let on_all = |bound: SocketAddr| {
        let here = ip.is_loopback() || shown().any(|(host, _)| is_at(host));
        bound.ip().is_unspecified() && here
    };
    shown().any(|(host, one)| *one == port && is_at(host))
        || listeners()
            .map(|one| one.bound)
            .any(|bound| bound.port() == port && (bound.ip().to_canonical() == ip || on_all(bound)))
}

/// The address that a host says; IPv6 in brackets.
fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// A Route entry or strict-routed Request-URI that is ours: our host, and our kind of user part
/// (or none, for a preloaded route).
pub(crate) fn is_own(settings: &Settings, uri: &Uri<'_>) -> bool {
    uri.scheme.is_sip()
        && uri.user.is_none_or(|user| user.starts_with(PREFIX))
        && is_own_host(settings, uri)
}

/// One of our listeners: what is sent there passes our own gate.
pub(crate) fn is_listener(settings: &Settings, address: SocketAddr) -> bool {
    settings.listeners.iter().any(|listener| {
        let bound = listener.bound;
        let here = bound.ip().is_unspecified() || bound.ip() == address.ip().to_canonical();
        here && bound.port() == address.port()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_addresses() {
        for (bound, shown, remote, expected) in [
            ("10.0.0.5:5060", ("rm.example", 5060), "10.0.0.5:5060", true),
            ("10.0.0.5:5060", ("rm.example", 5060), "[::ffff:10.0.0.5]:5060", true),
            ("10.0.0.5:5060", ("rm.example", 5060), "10.0.0.5:5070", false),
            ("10.0.0.5:5060", ("rm.example", 5060), "10.0.0.6:5060", false),
            ("10.0.0.5:5060", ("rm.example", 5060), "127.0.0.1:5060", false),
            // behind an address translation
            ("10.0.0.5:5060", ("192.0.2.5", 5080), "192.0.2.5:5080", true),
            ("10.0.0.5:5060", ("192.0.2.5", 5080), "192.0.2.5:5060", false),
            // on all addresses
            ("0.0.0.0:5060", ("192.0.2.5", 5080), "192.0.2.5:5060", true),
            ("0.0.0.0:5060", ("192.0.2.5", 5080), "127.0.0.2:5060", true),
            ("0.0.0.0:5060", ("192.0.2.5", 5080), "198.51.100.7:5060", false),
            ("[::]:5060", ("[2001:db8::5]", 5060), "[2001:db8:0::5]:5060", true),
            ("[::]:5060", ("[2001:db8::5]", 5060), "[2001:db8::6]:5060", false),
        ] {
            let mut settings = Settings::bare();
            for listener in &mut settings.listeners {
                listener.bound = bound.parse().unwrap();
                listener.via = (shown.0.to_owned(), shown.1);
                listener.advertise = listener.via.clone();
            }
            let remote = remote.parse().unwrap();
            assert_eq!(is_own_address(&settings, remote), expected, "{bound} {shown:?} {remote}");
        }
    }
}
