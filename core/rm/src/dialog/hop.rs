//! Where a request inside a dialog goes next, and whether it may (rm.md §1.8).
//!
//! The message states it: the next Route entry, else the Request-URI. At this stage it must be an
//! IP literal; a host name is refused (`next-hop`). A statement that differs from what the leg has
//! learnt is followed for a trusted source only.

use std::net::{IpAddr, SocketAddr};

use sip::message::Message;
use sip::transport::{Flow, Transport};
use sip::uri::{Scheme, Uri};

use super::Located;
use crate::admit::own;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::{Side, Text};

/// The next hop, and the edits that lead there.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) flow: Flow,
    /// A Request-URI in place of the one that came.
    pub(crate) uri: Option<String>,
    /// Route values on top to leave out.
    pub(crate) gone: usize,
    /// All Route lines are replaced by `routes`.
    pub(crate) routes_rewritten: bool,
    /// Whole Route lines of our own.
    pub(crate) routes: String,
}

/// What a message states, after our own entries.
struct Stated {
    uri: String,
    routes: Vec<String>,
    /// The Request-URI or the routes are not those of the message.
    rewritten: bool,
}

impl Proxy {
    /// Works out the next hop of a located request.
    ///
    /// # Errors
    /// `relay-refused`, `next-hop`, `no-dialog`.
    pub(crate) fn next_hop(
        &self,
        ingress: Flow,
        message: &Message<'_>,
        located: &Located,
    ) -> Result<Hop, No> {
        let mut stated = self.stated(message, located)?;
        let first = stated.routes.first().cloned();
        let to = match &first {
            None => stated.uri.clone(),
            Some(route) => {
                let parsed = Uri::parse(route).map_err(|_| No::new(Reason::NextHop, route))?;
                if parsed.param("lr").is_none() {
                    // a strict router is next (RFC 3261 §16.6 step 6)
                    stated.routes.remove(0);
                    stated.routes.push(std::mem::replace(&mut stated.uri, route.clone()));
                    stated.rewritten = true;
                }
                route.clone()
            }
        };
        let parsed = Uri::parse(&to).map_err(|_| No::new(Reason::NextHop, &to))?;
        let flow = self.flow_to(&parsed)?;
        // whatever the routes say, a `sips:` target is reached by TLS only (RFC 3261 §16.6 step 7)
        if is_secure(&stated.uri) && flow.transport != Transport::Tls {
            return Err(No::new(Reason::NextHop, &to));
        }
        self.may_go(ingress, flow.remote, located)?;
        let routes = if stated.rewritten {
            stated.routes.iter().map(|route| format!("Route: <{route}>\r\n")).collect()
        } else {
            String::new()
        };
        Ok(Hop {
            flow,
            uri: stated.rewritten.then_some(stated.uri),
            gone: located.own,
            routes_rewritten: stated.rewritten,
            routes,
        })
    }

    fn stated(&self, message: &Message<'_>, located: &Located) -> Result<Stated, No> {
        let line = message.request().ok_or_else(|| No::from(Reason::Malformed))?;
        let mut routes: Vec<String> =
            message.routes().skip(located.own).map(|route| route.uri.to_owned()).collect();
        if located.strict
            && let Some(last) = routes.pop()
        {
            return Ok(Stated { uri: last, routes, rewritten: true });
        }
        if !located.targetless && !located.strict {
            return Ok(Stated { uri: line.uri.to_owned(), routes, rewritten: false });
        }
        // the Request-URI is ours and nothing else is stated: what the leg has learnt
        let leg = located.leg.and_then(|key| self.table.leg(key));
        let leg = leg.ok_or_else(|| No::new(Reason::NoDialog, message.call_id()))?;
        let (target, route) = towards(located.side.other());
        let uri = leg.texts.get(target).to_owned();
        if uri.is_empty() {
            return Err(No::new(Reason::NoDialog, message.call_id()));
        }
        Ok(Stated { uri, routes: entries(leg.texts.get(route)), rewritten: true })
    }

    /// The flow to a URI with an IP literal.
    ///
    /// # Errors
    /// `next-hop` for a host name or a transport that no listener has, `relay-refused` for an
    /// address to which nothing may be sent.
    pub(crate) fn flow_to(&self, uri: &Uri<'_>) -> Result<Flow, No> {
        let no = || No::new(Reason::NextHop, uri.text);
        let ip = uri.host_ip().filter(|_| uri.scheme.is_sip()).ok_or_else(no)?;
        let transport = match (uri.scheme, uri.param("transport")) {
            (Scheme::Sips, _) => Transport::Tls,
            (_, Some(Some(name))) => Transport::parse(name).ok_or_else(no)?,
            _ => Transport::Udp,
        };
        let remote = SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port()));
        let listener = self.egress(transport, remote).ok_or_else(no)?;
        if own::is_forbidden(ip) {
            return Err(No::new(Reason::RelayRefused, uri.text));
        }
        if own::is_local(ip) && !self.is_declared(ip) {
            return Err(No::new(Reason::RelayRefused, uri.text));
        }
        Ok(Flow { transport, listener, remote, conn: None })
    }

    fn is_declared(&self, ip: IpAddr) -> bool {
        self.sources.is_declared(&self.settings, ip)
    }

    /// A statement that differs from what is known is followed for a trusted source only; for a
    /// leg that nobody knows it must lead to a peer or resource.
    fn may_go(&self, ingress: Flow, to: SocketAddr, located: &Located) -> Result<(), No> {
        let known = located.leg.and_then(|key| self.table.leg(key)).is_some_and(|leg| {
            let (target, route) = towards(located.side.other());
            let route = entries(leg.texts.get(route)).into_iter().next();
            let learnt = [route, Some(leg.texts.get(target).to_owned())];
            learnt.iter().flatten().any(|uri| address(uri) == Some(to))
        });
        if known || self.sources.of(&self.settings, ingress).may_redirect() {
            return Ok(());
        }
        let rebuilt = located
            .leg
            .and_then(|key| self.table.leg(key))
            .is_none_or(|leg| leg.texts.get(towards(located.side.other()).0).is_empty());
        if rebuilt && self.is_declared(to.ip()) {
            return Ok(());
        }
        Err(No::new(Reason::RelayRefused, to.to_string()))
    }
}

fn is_secure(uri: &str) -> bool {
    uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
}

/// Where the texts of a leg keep target and route set towards one side.
fn towards(side: Side) -> (Text, Text) {
    match side {
        Side::Caller => (Text::CallerTarget, Text::CallerRoute),
        Side::Callee => (Text::CalleeTarget, Text::CalleeRoute),
    }
}

/// The URIs of a route set as it is kept.
fn entries(route: &str) -> Vec<String> {
    let bare = |entry: &str| entry.trim().trim_matches(['<', '>']).to_owned();
    route.split(", ").map(bare).filter(|uri| !uri.is_empty()).collect()
}

fn address(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let default = if uri.scheme == Scheme::Sips { 5061 } else { 5060 };
    Some(SocketAddr::new(uri.host_ip()?, uri.port.unwrap_or(default)))
}
