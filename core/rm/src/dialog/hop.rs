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
use sip::transport::Flow;
use sip::uri::Uri;
use smallvec::SmallVec;

use super::Located;
use crate::admit::own;
use crate::forward::own_request::Way;
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
pub(crate) enum Ways {
    /// At least one, in their order.
    Flows(SmallVec<[Flow; 1]>),
    Name(Goal),
}

/// The next hop, and the edits that lead there.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    pub(crate) flow: Flow,
    /// Its URI states the transport: size does not change it (rm.md §1.2).
    pub(crate) fixed: bool,
    /// Further addresses of the same name.
    pub(crate) others: SmallVec<[Flow; 1]>,
    /// A Request-URI in place of the one that came.
    pub(crate) uri: Option<String>,
    /// Route values on top to leave out.
    pub(crate) gone: usize,
    /// A Route value of our own behind all others: the target, where a strict router is next.
    pub(crate) last: Option<String>,
    /// Whole Route lines of our own, which the message does not have.
    pub(crate) learnt: Option<String>,
}

/// What a message states, after our own entries.
struct Stated<'m> {
    /// Its target.
    uri: Cow<'m, str>,
    /// The topmost Route entry.
    route: Option<Cow<'m, str>>,
    /// Both are what the leg has learnt: the route set as it is kept.
    learnt: Option<String>,
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
        let stated = self.stated(message, located)?;
        let to = stated.route.as_ref().unwrap_or(&stated.uri);
        let parsed = Uri::parse(to).map_err(|_| No::new(Reason::NextHop, &**to))?;
        // whatever the routes say, a `sips:` target is reached as if they were (RFC 3261 §16.6
        // step 7)
        let secure = is_secure(&stated.uri);
        let mut chance = self.chance.clone();
        let ways = self.ways_to(now, &parsed, secure, |below| chance.below(below));
        self.chance = chance;
        let mut flows = match ways? {
            Ways::Flows(flows) => flows,
            Ways::Name(goal) => {
                // nobody has names asked for that it could not be sent to
                self.may_go(ingress, &parsed, secure, None, located)?;
                return Ok(Next::Name(goal));
            }
        };
        if flows.is_empty() {
            return Err(No::new(Reason::NextHop, &**to));
        }
        let flow = flows.remove(0);
        self.may_go(ingress, &parsed, secure, Some(flow.remote), located)?;
        let strict = stated.route.is_some() && parsed.param("lr").is_none();
        let fixed = Goal::of_uri(&parsed).is_some_and(|goal| goal.transport.is_some());
        let hop = stated.hop(flow, flows, located.own, strict);
        Ok(Next::Hop(Hop { fixed, ..hop }))
    }

    fn stated<'m>(&self, message: &Message<'m>, located: &Located) -> Result<Stated<'m>, No> {
        let line = message.request().ok_or_else(|| No::from(Reason::Malformed))?;
        if !located.targetless {
            let route = message.routes().nth(located.own).map(|route| Cow::Borrowed(route.uri));
            return Ok(Stated { uri: Cow::Borrowed(line.uri), route, learnt: None });
        }
        // the Request-URI is ours and nothing else is stated
        let leg = located.leg.and_then(|key| self.table.leg(key));
        let leg = leg.ok_or_else(|| No::new(Reason::NoDialog, message.call_id()))?;
        let (target, route) = towards(located.side.other());
        let (uri, set) = (leg.texts.get(target), leg.texts.get(route));
        if uri.is_empty() {
            return Err(No::new(Reason::NoDialog, message.call_id()));
        }
        let route = entries(set).next().map(|uri| Cow::Owned(uri.to_owned()));
        Ok(Stated { uri: Cow::Owned(uri.to_owned()), route, learnt: Some(set.to_owned()) })
    }

    /// The flow to a URI, as far as that is known now; `secure`: as if it were a `sips:` one.
    ///
    /// # Errors
    /// `next-hop` for a name that is not known or leads nowhere, or a transport that no listener
    /// has; `relay-refused` for an address to which nothing may be sent.
    pub(crate) fn flow_to(&self, now: Now, uri: &Uri<'_>, secure: bool) -> Result<Flow, No> {
        match self.ways_to(now, uri, secure, |_| 0)? {
            Ways::Flows(flows) => {
                flows.first().copied().ok_or_else(|| No::new(Reason::NextHop, uri.text))
            }
            Ways::Name(_) => Err(No::new(Reason::NextHop, uri.text)),
        }
    }

    /// All flows to a URI: one to an IP literal, those of its targets to a name.
    pub(crate) fn ways_to(
        &self,
        now: Now,
        uri: &Uri<'_>,
        secure: bool,
        below: impl FnMut(u64) -> u64,
    ) -> Result<Ways, No> {
        let no = || No::new(Reason::NextHop, uri.text);
        let goal = Goal::of_uri(uri).ok_or_else(no)?.secured(secure);
        self.ways_of(now, &goal, uri.text, below)
    }

    /// The same to a goal, which is called `text` where there is none.
    pub(crate) fn ways_of(
        &self,
        now: Now,
        goal: &Goal,
        text: &str,
        below: impl FnMut(u64) -> u64,
    ) -> Result<Ways, No> {
        let no = || No::new(Reason::NextHop, text);
        if let Some(target) = at_once(goal, self.settings.spoken()) {
            let flow = self.flow_of(target.map_err(|_| no())?, text)?;
            return Ok(Ways::Flows(SmallVec::from_buf([flow])));
        }
        let mut order = match self.book.look(now.mono, goal) {
            Known::Targets(targets) => targets.order(below),
            Known::Failed(failure) => {
                let text = format!("{text}: {}", failure.as_str());
                return Err(No::new(Reason::NextHop, text));
            }
            Known::Asked | Known::Nothing => return Ok(Ways::Name(goal.clone())),
        };
        self.book.away.sort(now.mono, &mut order);
        let mut flows = SmallVec::new();
        let mut refused = no();
        for target in order {
            match self.flow_of(target, text) {
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
        let local = own::is_local(ip) && !own::is_listener(&self.settings, remote);
        if own::is_forbidden(ip) || (local && !self.is_declared(ip)) {
            return Err(No::new(Reason::RelayRefused, text));
        }
        Ok(Flow { transport, listener, remote, conn: None })
    }

    /// A peer or resource is there, or one that has left or moved while calls are up on it.
    fn is_declared(&self, ip: IpAddr) -> bool {
        self.sources.is_declared(&self.settings, ip) || self.pool.is_left_at(ip)
    }

    /// A statement that differs from what is known is followed for a trusted source only; for a
    /// leg that nobody knows it must lead to a peer or resource. `to` is `None` for a name whose
    /// addresses are not known yet.
    fn may_go(
        &self,
        ingress: Flow,
        stated: &Uri<'_>,
        secure: bool,
        to: Option<SocketAddr>,
        located: &Located,
    ) -> Result<(), No> {
        // of another leg of a call that passes through us more than once: sealed, and judged there
        if own::is_own(&self.settings, stated) {
            return Ok(());
        }
        let named = Goal::of_uri(stated).filter(|goal| goal.name().is_some());
        let known = located.leg.and_then(|key| self.table.leg(key)).is_some_and(|leg| {
            let (target, route) = towards(located.side.other());
            let route = entries(leg.texts.get(route)).next();
            let learnt = [route, Some(leg.texts.get(target))];
            let goal = |uri: &str| Uri::parse(uri).ok().as_ref().and_then(Goal::of_uri);
            let address = |uri: &str| {
                let target = at_once(&goal(uri)?.secured(secure), self.settings.spoken())?;
                target.ok().map(|target| target.remote)
            };
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

impl Stated<'_> {
    /// The edits that lead to a hop; `strict`: it finds itself in the Request-URI, and the target
    /// behind all routes (RFC 3261 §16.6 step 6).
    fn hop(self, flow: Flow, others: SmallVec<[Flow; 1]>, own: usize, strict: bool) -> Hop {
        let Self { uri, route, learnt } = self;
        if let Some(set) = learnt {
            let way = Way::through(&uri, &set);
            let line = |route: &str| format!("Route: {route}\r\n");
            let learnt = if way.route.is_empty() { String::new() } else { line(&way.route) };
            let (uri, gone) = (Some(way.uri), usize::MAX);
            let learnt = Some(learnt);
            return Hop { flow, fixed: false, others, uri, gone, last: None, learnt };
        }
        let (uri, gone, last) = if strict {
            (route.map(Cow::into_owned), own + 1, Some(uri.into_owned()))
        } else {
            (None, own, None)
        };
        Hop { flow, fixed: false, others, uri, gone, last, learnt: None }
    }
}

pub(crate) fn is_secure(uri: &str) -> bool {
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
