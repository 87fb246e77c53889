//! Where a request inside a dialog goes next, and whether it may (rm.md §1.8).
//!
//! The message states it: the next Route entry, else the Request-URI; a host name in it is resolved
//! first (`resolve`). A statement that differs from what the leg has learnt is followed for a
//! trusted source only.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use model::time::Now;
use sip::locate::{Goal, Target, at_once};
use sip::message::Message;
use sip::transport::{Flow, Transport};
use sip::uri::{Scheme, Uri};
use smallvec::SmallVec;

use super::Located;
use crate::admit::own;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::resolve::Known;
use crate::session::{Side, Text};

/// What is known of the next hop.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    Hop(Hop),
    /// Its host name must be resolved first.
    Name(Goal),
}

/// Ways to one URI.
enum Ways {
    /// At least one, in their order.
    Flows(SmallVec<[Flow; 1]>),
    Name(Goal),
}

/// The next hop, and the edits that lead there.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) flow: Flow,
    /// Further addresses of the same name.
    pub(crate) others: SmallVec<[Flow; 1]>,
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
struct Stated<'m> {
    uri: Cow<'m, str>,
    routes: SmallVec<[Cow<'m, str>; 4]>,
    /// The Request-URI or the routes are not those of the message.
    rewritten: bool,
}

impl Proxy {
    /// Works out the next hop of a located request.
    ///
    /// # Errors
    /// `relay-refused`, `next-hop`, `no-dialog`.
    pub(crate) fn next_hop(
        &mut self,
        now: Now,
        ingress: Flow,
        message: &Message<'_>,
        located: &Located,
    ) -> Result<Next, No> {
        let mut stated = self.stated(message, located)?;
        let first = stated.routes.first().cloned();
        let to = match &first {
            None => stated.uri.clone(),
            Some(route) => {
                let parsed = Uri::parse(route).map_err(|_| No::new(Reason::NextHop, &**route))?;
                if parsed.param("lr").is_none() {
                    // a strict router is next (RFC 3261 §16.6 step 6)
                    stated.routes.remove(0);
                    stated.routes.push(std::mem::replace(&mut stated.uri, route.clone()));
                    stated.rewritten = true;
                }
                route.clone()
            }
        };
        let parsed = Uri::parse(&to).map_err(|_| No::new(Reason::NextHop, &*to))?;
        let mut chance = self.chance.clone();
        let ways = self.ways_to(now, &parsed, |below| chance.below(below));
        self.chance = chance;
        let mut flows = match ways? {
            Ways::Flows(flows) => flows,
            Ways::Name(goal) => {
                // nobody has names asked for that it could not be sent to
                self.may_go(ingress, &parsed, None, located)?;
                return Ok(Next::Name(goal));
            }
        };
        // whatever the routes say, a `sips:` target is reached by TLS only (RFC 3261 §16.6 step 7)
        if is_secure(&stated.uri) {
            flows.retain(|flow| flow.transport == Transport::Tls);
        }
        if flows.is_empty() {
            return Err(No::new(Reason::NextHop, &*to));
        }
        let flow = flows.remove(0);
        self.may_go(ingress, &parsed, Some(flow.remote), located)?;
        let routes = if stated.rewritten {
            stated.routes.iter().map(|route| format!("Route: <{route}>\r\n")).collect()
        } else {
            String::new()
        };
        Ok(Next::Hop(Hop {
            flow,
            others: flows,
            uri: stated.rewritten.then(|| stated.uri.into_owned()),
            gone: located.own,
            routes_rewritten: stated.rewritten,
            routes,
        }))
    }

    fn stated<'m>(&self, message: &Message<'m>, located: &Located) -> Result<Stated<'m>, No> {
        let line = message.request().ok_or_else(|| No::from(Reason::Malformed))?;
        let routes = message.routes().skip(located.own).map(|route| Cow::Borrowed(route.uri));
        let mut routes: SmallVec<[Cow<'m, str>; 4]> = routes.collect();
        if located.strict
            && let Some(last) = routes.pop()
        {
            return Ok(Stated { uri: last, routes, rewritten: true });
        }
        if !located.targetless && !located.strict {
            return Ok(Stated { uri: Cow::Borrowed(line.uri), routes, rewritten: false });
        }
        // the Request-URI is ours and nothing else is stated: what the leg has learnt
        let leg = located.leg.and_then(|key| self.table.leg(key));
        let leg = leg.ok_or_else(|| No::new(Reason::NoDialog, message.call_id()))?;
        let (target, route) = towards(located.side.other());
        let uri = leg.texts.get(target).to_owned();
        if uri.is_empty() {
            return Err(No::new(Reason::NoDialog, message.call_id()));
        }
        let routes = entries(leg.texts.get(route)).map(|uri| Cow::Owned(uri.to_owned()));
        Ok(Stated { uri: Cow::Owned(uri), routes: routes.collect(), rewritten: true })
    }

    /// The flow to a URI, as far as that is known now.
    ///
    /// # Errors
    /// `next-hop` for a name that is not known or leads nowhere, or a transport that no listener
    /// has; `relay-refused` for an address to which nothing may be sent.
    pub(crate) fn flow_to(&self, now: Now, uri: &Uri<'_>) -> Result<Flow, No> {
        match self.ways_to(now, uri, |_| 0)? {
            Ways::Flows(flows) => {
                flows.first().copied().ok_or_else(|| No::new(Reason::NextHop, uri.text))
            }
            Ways::Name(_) => Err(No::new(Reason::NextHop, uri.text)),
        }
    }

    /// All flows to a URI: one to an IP literal, those of its targets to a name.
    fn ways_to(&self, now: Now, uri: &Uri<'_>, below: impl FnMut(u64) -> u64) -> Result<Ways, No> {
        let no = || No::new(Reason::NextHop, uri.text);
        let goal = Goal::of_uri(uri).ok_or_else(no)?;
        if let Some(target) = at_once(&goal, self.settings.spoken()) {
            let flow = self.flow_of(target.map_err(|_| no())?, uri.text)?;
            return Ok(Ways::Flows(SmallVec::from_buf([flow])));
        }
        let mut order = match self.book.look(now.mono, &goal) {
            Known::Targets(targets) => targets.order(below),
            Known::Failed(failure) => {
                let text = format!("{}: {}", uri.text, failure.as_str());
                return Err(No::new(Reason::NextHop, text));
            }
            Known::Asked | Known::Nothing => return Ok(Ways::Name(goal)),
        };
        self.book.away.sort(now.mono, &mut order);
        let mut flows = SmallVec::new();
        let mut refused = no();
        for target in order {
            match self.flow_of(target, uri.text) {
                Ok(flow) => flows.push(flow),
                Err(no) => refused = no,
            }
        }
        if flows.is_empty() { Err(refused) } else { Ok(Ways::Flows(flows)) }
    }

    /// The flow to one target, if it may be sent to.
    pub(crate) fn flow_of(&self, target: Target, text: &str) -> Result<Flow, No> {
        let Target { transport, remote } = target;
        let listener =
            self.egress(transport, remote).ok_or_else(|| No::new(Reason::NextHop, text))?;
        let ip = remote.ip();
        if own::is_forbidden(ip) || (own::is_local(ip) && !self.is_declared(ip)) {
            return Err(No::new(Reason::RelayRefused, text));
        }
        Ok(Flow { transport, listener, remote, conn: None })
    }

    fn is_declared(&self, ip: IpAddr) -> bool {
        self.sources.is_declared(&self.settings, ip)
    }

    /// A statement that differs from what is known is followed for a trusted source only; for a
    /// leg that nobody knows it must lead to a peer or resource. `to` is `None` for a name whose
    /// addresses are not known yet.
    fn may_go(
        &self,
        ingress: Flow,
        stated: &Uri<'_>,
        to: Option<SocketAddr>,
        located: &Located,
    ) -> Result<(), No> {
        let named = Goal::of_uri(stated).filter(|goal| goal.name().is_some());
        let known = located.leg.and_then(|key| self.table.leg(key)).is_some_and(|leg| {
            let (target, route) = towards(located.side.other());
            let route = entries(leg.texts.get(route)).next();
            let learnt = [route, Some(leg.texts.get(target))];
            let goal = |uri: &str| Uri::parse(uri).ok().as_ref().and_then(Goal::of_uri);
            learnt.iter().flatten().any(|uri| match &named {
                Some(_) => goal(uri) == named,
                None => to.is_some() && address(uri) == to,
            })
        });
        if known || self.sources.of(&self.settings, ingress).may_redirect() {
            return Ok(());
        }
        let rebuilt = located
            .leg
            .and_then(|key| self.table.leg(key))
            .is_none_or(|leg| leg.texts.get(towards(located.side.other()).0).is_empty());
        if rebuilt && to.is_none_or(|to| self.is_declared(to.ip())) {
            return Ok(());
        }
        let shown = to.map_or_else(|| stated.text.to_owned(), |to| to.to_string());
        Err(No::new(Reason::RelayRefused, shown))
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
fn entries(route: &str) -> impl Iterator<Item = &str> {
    fn bare(entry: &str) -> &str {
        entry.trim().trim_matches(['<', '>'])
    }
    route.split(", ").map(bare).filter(|uri| !uri.is_empty())
}

fn address(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri).ok()?;
    let default = if uri.scheme == Scheme::Sips { 5061 } else { 5060 };
    Some(SocketAddr::new(uri.host_ip()?, uri.port.unwrap_or(default)))
}
