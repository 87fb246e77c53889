//! A request that goes on through a Route entry of its sender, behind our own (rm.md §1.5): the
//! resource that was chosen stands in its Request-URI, and it leaves for the topmost entry that
//! is left (RFC 3261 §16.6 steps 6 and 7).
//!
//! Between admit, which knows who may say so, and forward. What the entry does not answer says
//! nothing of the resource behind it.

use sip::locate::{Goal, Target};
use sip::message::Message;
use sip::transport::Transport;
use sip::uri::Uri;
use smallvec::SmallVec;

use crate::admit::Request;
use crate::call::is_secure;
use crate::dialog::hop::Ways;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::resolve::What;

/// Where the entry leads.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    /// In their order.
    pub(crate) targets: SmallVec<[Target; 2]>,
    /// Its URI states the transport: size does not change it (rm.md §1.2).
    pub(crate) fixed: bool,
}

/// What is known of that.
#[derive(Debug)]
pub(crate) enum Onward {
    /// Everything; `None`: there is no such entry.
    Known(Option<Box<Through>>),
    /// The request waits for the name in it.
    Waits,
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
    /// Where a request outside dialogs goes on to, besides its resource.
    ///
    /// # Errors
    /// `next-hop`, `relay-refused`.
    pub(crate) fn onward(&mut self, request: &Request<'_, '_>) -> Result<Onward, No> {
        let Request { now, flow, message, .. } = *request;
        let Some(entry) = message.routes().nth(self.own_routes(message)) else {
            return Ok(Onward::Known(None));
        };
        let no = || No::new(Reason::NextHop, entry.uri);
        let uri = entry.parsed_uri().ok_or_else(no)?;
        let mut chance = self.chance.clone();
        let ways = self.ways_to(now, &uri, is_secure(message), |below| chance.below(below));
        self.chance = chance;
        match ways? {
            Ways::Name(goal) => {
                self.wait(now, What::Request(flow, request.id), message.raw(), goal)?;
                Ok(Onward::Waits)
            }
            Ways::Flows(flows) => {
                let target = |flow: &sip::transport::Flow| Target {
                    transport: flow.transport,
                    remote: flow.remote,
                };
                let targets = flows.iter().map(target).collect();
                let fixed = Goal::of_uri(&uri).is_some_and(|goal| goal.transport.is_some());
                Ok(Onward::Known(Some(Box::new(Through { targets, fixed }))))
            }
        }
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
