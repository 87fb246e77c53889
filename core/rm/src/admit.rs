//! Stage 4, admit: may this request be looked at, and which way does it go? (rm.md §1.5)
//!
//! Behind the transaction layer, before any look-up: hops, loops, source, extensions, routes,
//! methods, node state. Must not know numbers, tenants or resources by name.

pub(crate) mod method;
pub(crate) mod own;
pub(crate) mod ration;
pub(crate) mod shed;
pub(crate) mod source;
pub(crate) mod strangers;

use sip::endpoint::ServerId;
use sip::header::Name;
use sip::message::Message;
use sip::method::Method;
use sip::transport::Flow;
use sip::uri::Scheme;

use crate::affinity;
use crate::forward::{branch, session_timer};
use crate::input::NodeState;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::settings::Role;
use model::time::Now;
pub(crate) use source::{Source, Sources, Who};

/// A request in hand, with its transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'m, 'a> {
    pub(crate) now: Now,
    pub(crate) id: ServerId,
    pub(crate) flow: Flow,
    pub(crate) message: &'m Message<'a>,
    pub(crate) source: Source,
    /// Its loop hash (rm.md §1.6), worked out when it is known not to be shed.
    pub(crate) hash: u32,
}

impl<'a> Request<'_, 'a> {
    pub(crate) fn method(&self) -> Method<'a> {
        self.message.method()
    }

    pub(crate) fn is_invite(&self) -> bool {
        self.method() == Method::Invite
    }
}

/// Where a request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Inside a dialog: stage 9.
    Dialog,
    /// A call: stages 4 to 10.
    Call,
    /// Selected like a call, forwarded to one resource, no session.
    Single,
    /// Answered here: OPTIONS to RM.
    Answer,
}

impl Proxy {
    /// The gate that every request passes.
    ///
    /// # Errors
    /// The first "no" in the order of rm.md §1.5.
    pub(crate) fn gate(&self, request: &Request<'_, '_>) -> Result<Way, No> {
        let message = request.message;
        let options = request.method() == Method::Options;
        self.is_text(message)?;
        if message.max_forwards() == Some(0) {
            return if options { Ok(Way::Answer) } else { Err(Reason::Hops.into()) };
        }
        let spirals = self.no_loop(message, request.hash)?;
        // two answers to a question do no harm, and who asks by hand may number them all alike
        if spirals == 0 && !options && self.endpoint.is_merged(request.id) {
            return Err(Reason::Merged.into());
        }
        if message.header(Name::MaxBreadth).and_then(|header| header.number()) == Some(0) {
            return Err(Reason::Breadth.into());
        }
        no_extension(message, Name::ProxyRequire)?;
        if message.to().tag().is_some() {
            return Ok(Way::Dialog);
        }
        let way = method::way(self, request)?;
        if way == Way::Answer {
            // here we are the user agent server (RFC 3261 §8.2.2.3)
            no_extension(message, Name::Require)?;
        }
        Ok(way)
    }

    /// May this source begin this call, now?
    ///
    /// # Errors
    /// Unknown source, relay attempt, node state, what an INVITE may not say, limits of the engine.
    pub(crate) fn admit(&self, request: &Request<'_, '_>) -> Result<Source, No> {
        let source = request.source;
        match source.role {
            Some(Role::SipServer | Role::Gateway | Role::Media) => {}
            Some(Role::Probe) | None => {
                return Err(Reason::UntrustedSource.into());
            }
        }
        self.is_for_us(request, &source)?;
        match self.state {
            NodeState::Ready => {}
            NodeState::Starting => return Err(Reason::NodeNotReady.into()),
            NodeState::Draining => return Err(Reason::NodeDraining.into()),
        }
        if request.is_invite() {
            affinity::named(request.message)?;
            session_timer::is_long_enough(request.message, &self.options)?;
        }
        // what has priority is not shed, but there is no room for it either
        if self.table.is_full() {
            return Err(self.overloaded());
        }
        Ok(source)
    }

    pub(crate) fn overloaded(&self) -> No {
        No::from(Reason::Overload).with_status(Some(self.options.overload_respcode))
    }

    /// How often it has passed through the cluster: a spiral, with another Request-URI each time.
    ///
    /// # Errors
    /// `loop`: it has been here as it is, or too often.
    fn no_loop(&self, message: &Message<'_>, hash: u32) -> Result<usize, No> {
        let mut passed = 0_usize;
        for via in message.vias() {
            let Some(other) = via.branch.and_then(branch::hash_of) else { continue };
            passed += 1;
            if other == hash || passed > usize::from(self.options.max_spirals) {
                return Err(No::new(Reason::Loop, message.call_id()));
            }
        }
        Ok(passed)
    }

    /// What of the gate concerns an ACK, whose loop hash this is; nobody is told of a "no".
    ///
    /// # Errors
    /// `hops`, `loop`.
    pub(crate) fn gate_of_ack(&self, message: &Message<'_>, hash: u32) -> Result<(), No> {
        self.is_text(message)?;
        if message.max_forwards() == Some(0) {
            return Err(Reason::Hops.into());
        }
        self.no_loop(message, hash).map(|_| ())
    }

    /// Where that is asked for, its head is UTF-8 (RFC 3261 §7.3.1).
    fn is_text(&self, message: &Message<'_>) -> Result<(), No> {
        let raw = message.raw();
        let head = raw.get(..raw.len().saturating_sub(message.body().len())).unwrap_or(raw);
        let fits = !self.options.header_utf8 || std::str::from_utf8(head).is_ok();
        if fits { Ok(()) } else { Err(Reason::Malformed.into()) }
    }

    /// The Request-URI, and Route entries beyond our own, of a request outside dialogs.
    fn is_for_us(&self, request: &Request<'_, '_>, source: &Source) -> Result<(), No> {
        let Some(line) = request.message.request() else {
            return Err(Reason::Malformed.into());
        };
        match line.target.scheme {
            Scheme::Sip | Scheme::Sips => {
                // what a resource sends elsewhere is a call to the outside
                let any_host = matches!(source.role, Some(Role::SipServer | Role::Media));
                if !any_host && !own::is_own_host(&self.settings, &line.target) {
                    return Err(No::new(Reason::RelayRefused, line.uri));
                }
            }
            Scheme::Tel => {}
            Scheme::Urn if is_sos(line.uri) && self.options.sos_number.is_some() => {}
            Scheme::Urn | Scheme::Other(_) => return Err(No::new(Reason::Scheme, line.uri)),
        }
        // both halves of a double entry are ours, where one is
        let own = self.own_routes(request.message);
        match request.message.routes().nth(own) {
            Some(further) if !source.allow_route => {
                Err(No::new(Reason::PreloadedRoute, further.uri))
            }
            _ => Ok(()),
        }
    }
}

/// Of these extensions none is understood.
fn no_extension(message: &Message<'_>, name: Name) -> Result<(), No> {
    let mut required = message.all(name).filter(|one| !one.value.is_empty());
    let Some(first) = required.next() else { return Ok(()) };
    let all =
        required.fold(first.text_lossy().into_owned(), |all, one| all + ", " + &one.text_lossy());
    Err(No::new(Reason::BadExtension, all))
}

/// `urn:service:sos` and its sub-services (RFC 5031).
pub(crate) fn is_sos(uri: &str) -> bool {
    let lower = uri.to_ascii_lowercase();
    lower
        .strip_prefix("urn:service:sos")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
