//! From which listener a message leaves, and the Via that says so.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use model::config::{ResourceAddress, ResourceTransport};
use sip::message::Message;
use sip::transport::Transport;

use super::branch::Branch;
use crate::admit::own;
use crate::proxy::Proxy;
use crate::settings::Listener;

/// The transport that an address states; it is never overridden.
pub(crate) fn fixed_transport(address: &ResourceAddress) -> Option<Transport> {
    address.transport.map(transport).or(address.secure.then_some(Transport::Tls))
}

/// The transport that the configuration means.
pub(crate) const fn transport(named: ResourceTransport) -> Transport {
    match named {
        ResourceTransport::Udp => Transport::Udp,
        ResourceTransport::Tcp => Transport::Tcp,
        ResourceTransport::Tls => Transport::Tls,
    }
}

impl Proxy {
    /// How long a TCP connect may take, to a resource and to anyone else (rm.md §1.11). Never
    /// longer than a try, so that a connect that nobody takes is told apart from silence: only
    /// then does the rule of size fall back to UDP (§1.2).
    #[must_use]
    pub fn connect_times(&self) -> (Duration, Duration) {
        let other = self.options.connect_time;
        let groups = self.snapshot.groups().filter_map(|(_, group)| group.try_timeout);
        let try_time = groups.chain([self.options.try_timeout]).min();
        (try_time.map_or(other, |time| time.min(other)), other)
    }

    /// How many connections may be open at once (rm.md §1.9).
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.options.max_connections.into()
    }

    /// The listener of the longest route to this address, else the first one of this transport and
    /// address family that carries calls.
    pub(crate) fn egress(&self, transport: Transport, to: SocketAddr) -> Option<u8> {
        let fits = |listener: &Listener| {
            listener.transport == transport && listener.bound.is_ipv4() == to.is_ipv4()
        };
        let routes = self.settings.routes.iter().filter(|route| {
            route.leads_to(to.ip().to_canonical())
                && self.listener(route.listener).is_some_and(fits)
        });
        if let Some(route) = routes.max_by_key(|route| route.prefix) {
            return Some(route.listener);
        }
        (0_u8..)
            .zip(&self.settings.listeners)
            .find(|(index, one)| *index != self.settings.monitor_listener && fits(one))
            .map(|(index, _)| index)
    }

    pub(crate) fn listener(&self, index: u8) -> Option<&Listener> {
        self.settings.listeners.get(usize::from(index))
    }

    /// Appends our Via line for transaction `number`; `hash` is that of the request as received.
    pub(crate) fn via(
        &self,
        listener: &Listener,
        transport: Transport,
        number: u64,
        hash: u32,
        out: &mut String,
    ) {
        let branch = Branch { node: self.settings.node_id, number, hash };
        let (host, port) = &listener.via;
        // writing to a String cannot fail
        let _ = write!(out, "Via: SIP/2.0/{transport} {host}:{port};branch={branch}\r\n");
    }

    /// How many topmost Route values are ours.
    pub(crate) fn own_routes(&self, message: &Message<'_>) -> usize {
        message
            .routes()
            .take_while(|route| {
                route.parsed_uri().is_some_and(|uri| own::is_own(&self.settings, &uri))
            })
            .count()
    }
}
