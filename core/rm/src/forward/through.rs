//! A request that goes on through a Route entry of its sender, behind our own (rm.md §1.5): the
//! resource that was chosen stands in its Request-URI, and it leaves for the topmost entry that
//! is left (RFC 3261 §16.6 steps 6 and 7). And one that leaves for the host of its Request-URI
//! (`outside`).
//!
//! Between admit, which knows who may say so, and forward. What the entry does not answer says
//! nothing of the resource behind it.

use model::time::Now;
use sip::locate::{Goal, Target};
use sip::message::Message;
use sip::transport::Transport;
use sip::uri::Uri;
use smallvec::SmallVec;

use crate::admit::Request;
use crate::call::is_secure;
use crate::dialog::hop::Ways;
use crate::forward::outside::Outside;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

/// Where the entry leads.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    /// In their order.
    pub(crate) targets: SmallVec<[Target; 2]>,
    /// Its URI states the transport: size does not change it (rm.md §1.2).
    pub(crate) fixed: bool,
    /// The Request-URI as it came, where its host is called instead of a resource.
    pub(crate) outside: Option<String>,
}

/// Where a request goes on to besides its resource, or instead of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    /// `None`: its sender has no Route entry behind ours.
    pub(crate) through: Option<Box<Through>>,
    /// `None`: it may not leave for the host in its Request-URI.
    pub(crate) outside: Option<Box<Outside>>,
}

/// What is known of that.
#[derive(Debug)]
pub(crate) enum Onward {
    Known(Ahead),
    /// A name is to be asked for.
    Name(Goal),
}

/// What is known of the way to one URI.
pub(crate) enum Found {
    Through(Through),
    /// Its name is to be resolved first.
    Name(Goal),
}

/// First line and Route of a request towards a resource.
#[derive(Debug)]
pub(crate) struct Aim {
    /// Route values on top that are taken off.
    pub(crate) gone: usize,
    /// The Request-URI of the resource, where a strict router has got its place.
    pub(crate) last: Option<String>,
    /// The request is for a `sips:` URI.
    pub(crate) secure: bool,
}

impl Proxy {
    /// Where a request outside dialogs goes on to, besides its resource or instead of one.
    ///
    /// # Errors
    /// `next-hop`, `relay-refused`.
    pub(crate) fn onward(&mut self, request: &Request<'_, '_>) -> Result<Onward, No> {
        let through = match self.entry(request)? {
            Some(Found::Through(through)) => Some(Box::new(through)),
            Some(Found::Name(goal)) => return Ok(Onward::Name(goal)),
            None => None,
        };
        Ok(match self.outside(request, through.as_deref()) {
            Ok(outside) => Onward::Known(Ahead { through, outside }),
            Err(goal) => Onward::Name(goal),
        })
    }

    /// Where the Route entry of its sender leads, if there is one behind ours.
    ///
    /// # Errors
    /// `next-hop`, `relay-refused`.
    pub(crate) fn entry(&mut self, request: &Request<'_, '_>) -> Result<Option<Found>, No> {
        let Request { now, message, .. } = *request;
        let Some(entry) = message.routes().nth(self.own_routes(message)) else {
            return Ok(None);
        };
        let uri = entry.parsed_uri().ok_or_else(|| No::new(Reason::NextHop, entry.uri))?;
        self.find(now, &uri, is_secure(message)).map(Some)
    }

    /// The way to a URI.
    ///
    /// # Errors
    /// `next-hop`, `relay-refused`.
    pub(crate) fn find(&mut self, now: Now, uri: &Uri<'_>, secure: bool) -> Result<Found, No> {
        let mut chance = self.chance.clone();
        let ways = self.ways_to(now, uri, secure, |below| chance.below(below));
        self.chance = chance;
        Ok(match ways? {
            Ways::Name(goal) => Found::Name(goal),
            Ways::Flows(flows) => {
                let targets = flows.into_iter().map(Target::of).collect();
                let fixed = Goal::of_uri(uri).is_some_and(|goal| goal.transport.is_some());
                Found::Through(Through { targets, fixed, outside: None })
            }
        })
    }

    /// Behind the method in `start` stands `target`, the Request-URI of a resource: the first line
    /// is completed, and what becomes of the routes is told.
    ///
    /// # Errors
    /// `next-hop`: a `sips:` URI may not leave by this transport (rm.md §13.2).
    pub(crate) fn aim(
        &self,
        message: &Message<'_>,
        start: &mut String,
        transport: Transport,
    ) -> Result<Aim, No> {
        let from = start.find(' ').map_or(start.len(), |blank| blank + 1);
        let secure = start.get(from..).is_some_and(crate::dialog::hop::is_secure);
        let mut aim = Aim { gone: self.own_routes(message), last: None, secure };
        if let Some(entry) = message.routes().nth(aim.gone) {
            if secure && transport != Transport::Tls {
                return Err(No::new(Reason::NextHop, entry.uri));
            }
            if Uri::parse(entry.uri).is_ok_and(|uri| uri.param("lr").is_none()) {
                aim.last = Some(start.split_off(from));
                aim.gone += 1;
                start.push_str(entry.uri);
            }
        }
        start.push_str(" SIP/2.0");
        Ok(aim)
    }
}
