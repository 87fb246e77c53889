//! Stage 9 entered from outside: requests inside a dialog (rm.md §1.8). The way is in the token.
//!
//! Never selected, authorised or limited again; served while draining. What a leg learns from them
//! (BYE, refresh, target) is noted here. Must not answer a BYE before its record is safe: `hold`.

mod effect;
pub(crate) mod hold;
pub(crate) mod hop;
pub(crate) mod relay;
pub(crate) mod route;

use model::time::Now;
use sip::endpoint::{ClientId, ClientOptions, ServerId};
use sip::header::Name;
use sip::locate::Target;
use sip::method::Method;
use sip::transport::Flow;

use crate::admit::Request;
use crate::forward::draft::Draft;
use crate::forward::{branch, rewrite, routes, session_timer};
use crate::log;
use crate::pool::Plan;
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::reject::{No, Reason};
use crate::resolve::What;
use crate::session::{Bye, Side, State, Text};
use crate::timer::Timer;
use model::id::{Guid, LegId};
use route::Located;

/// A request on its way through, until its final answer.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) server: ServerId,
    pub(crate) client: ClientId,
    ingress: Flow,
    /// The request as received, for an answer of our own.
    request: Vec<u8>,
    /// Where it was placed, when it is outside dialogs.
    placed: Option<Placed>,
    kind: Kind,
    /// Its leg, if there is one: it may end meanwhile.
    leg: Option<(Guid, LegId)>,
    side: Side,
    /// Session interval that a 2xx without one is given (RFC 4028 §8.2).
    owed: Option<u32>,
    /// Its hop, when its name has more addresses.
    pub(crate) again: Option<Box<(hop::Hop, session_timer::Timer)>>,
}

/// The resource of a request outside dialogs, and the plan by which it was chosen.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) member: usize,
    pub(crate) plan: Plan,
    /// It went through a Route entry of its sender, which alone is to blame for silence.
    pub(crate) through: bool,
}

/// What a leg has to learn from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invite,
    Update,
    Bye,
    Refer,
    Other,
}

impl Kind {
    fn of(method: Method<'_>) -> Self {
        match method {
            Method::Invite => Self::Invite,
            Method::Update => Self::Update,
            Method::Bye => Self::Bye,
            Method::Refer => Self::Refer,
            _ => Self::Other,
        }
    }
}

impl Relay {
    /// A request outside dialogs that goes to one resource; `bytes` are those received.
    pub(crate) fn outside(
        request: &Request<'_, '_>,
        client: ClientId,
        bytes: Vec<u8>,
        placed: Placed,
    ) -> Self {
        Self {
            server: request.id,
            client,
            ingress: request.flow,
            request: bytes,
            placed: Some(placed),
            kind: Kind::Other,
            leg: None,
            side: Side::Caller,
            owed: None,
            again: None,
        }
    }
}

impl Proxy {
    /// A request with To tag, any but ACK and CANCEL.
    ///
    /// # Errors
    /// No dialog, bad token, a next hop that may not or cannot be followed.
    pub(crate) fn on_dialog(&mut self, request: &Request<'_, '_>) -> Result<(), No> {
        let message = request.message;
        let mut located = self.locate(message)?;
        let hop = match self.next_hop(request.now, request.flow, message, &located)? {
            hop::Next::Hop(hop) => hop,
            hop::Next::Name(goal) => {
                let what = What::Request(request.flow, request.id);
                return self.wait(request.now, what, message.raw(), goal);
            }
        };
        session_timer::is_long_enough(message, &self.options)?;
        if located.leg.is_none()
            && let Some(token) = located.token
        {
            located.leg = self.rebuild(request, &token);
        }
        self.branches += 1;
        let wish = || self.wished_interval(self.table.leg(located.leg?)?);
        let timer = session_timer::Said::of(message).ask(&self.options, wish);
        let (ingress, hash) = (request.flow, request.hash);
        let mut draft = self.fresh_draft();
        let written = self.write_in_dialog(ingress, message, &hop, hash, timer, &mut draft);
        let sent = written.map(|()| self.relay(request, &located, hop, timer, &draft.bytes));
        self.draft = draft;
        sent
    }

    /// The request goes on, and somebody waits for its answer.
    fn relay(
        &mut self,
        request: &Request<'_, '_>,
        located: &Located,
        hop: hop::Hop,
        timer: session_timer::Timer,
        bytes: &[u8],
    ) {
        let kind = Kind::of(request.method());
        let leg = located.leg.and_then(|key| self.heard(request, key, located.side, kind));
        let options = self.patience(kind, hop.others.len());
        let client = self.endpoint.request(request.now.mono, hop.flow, bytes, options);
        let relay = self.relays.insert(Relay {
            server: request.id,
            client,
            ingress: request.flow,
            request: self.buffers.keep(request.message.raw()),
            placed: None,
            kind,
            leg,
            side: located.side,
            owed: timer.owed(),
            again: (!hop.others.is_empty()).then(|| Box::new((hop, timer))),
        });
        if kind == Kind::Invite {
            self.timers.set(request.now.mono + self.settings.timers.c, Timer::RelayC(relay));
        }
        self.clients.insert(client, ClientUse::Relay(relay));
        self.servers.insert(request.id, ServerUse::Relay(relay));
    }

    /// An ACK to a 2xx: routed by its token, without a transaction; dropped when it cannot be.
    /// One to an answer of ours that left no transaction ends here, which must cost little.
    pub(crate) fn on_ack(&mut self, now: Now, flow: Flow, message: &sip::message::Message<'_>) {
        if self.is_own_answer(message) {
            return self.counters.dropped(Reason::NoDialog.word());
        }
        let hash = branch::loop_hash(&self.settings.keys, message);
        let located = self.gate_of_ack(message, hash).and_then(|()| self.locate(message));
        let sent = located.and_then(|located| {
            let hop = match self.next_hop(now, flow, message, &located)? {
                hop::Next::Hop(hop) => hop,
                hop::Next::Name(goal) => {
                    return self.wait(now, What::Ack(flow), message.raw(), goal);
                }
            };
            if let Some(leg) = located.leg.and_then(|key| self.table.leg_mut(key)) {
                leg.last_heard = now.wall;
                leg.heard = now.mono;
                leg.silent = false;
            }
            self.branches += 1;
            let timer = session_timer::Timer::default();
            let mut draft = self.fresh_draft();
            let written = self.write_in_dialog(flow, message, &hop, hash, timer, &mut draft);
            if written.is_ok() {
                self.endpoint.send(hop.flow, &draft.bytes);
            }
            self.draft = draft;
            written
        });
        if let Err(no) = sent {
            self.counters.dropped(no.reason.word());
            if no.reason == Reason::BadToken {
                self.log(log::BAD_TOKEN, None, vec![("call_id", message.call_id().to_owned())]);
            }
        }
    }

    /// What a leg learns from the request itself.
    fn heard(
        &mut self,
        request: &Request<'_, '_>,
        key: usize,
        side: Side,
        kind: Kind,
    ) -> Option<(Guid, LegId)> {
        let reason = request.message.header(Name::Reason).map(|header| header.text_lossy());
        let leg = self.table.leg_mut(key)?;
        leg.last_heard = request.now.wall;
        leg.heard = request.now.mono;
        leg.silent = false;
        leg.note_cseq(side, request.message.cseq());
        // a BYE before the answer ends an early dialog; the INVITE has its own final answer
        if kind == Kind::Bye && leg.state >= State::Up {
            if leg.bye.is_none() {
                leg.bye = Some(Bye { at: request.now.wall, by: side });
            }
            leg.state = State::Ending;
            if let Some(reason) = reason {
                leg.texts.set(&[(Text::ReasonHeader, reason.as_ref())], &mut self.buffers);
            }
        }
        let id = leg.id;
        let session = leg.session;
        self.table.session(session).map(|session| (session.guid, id))
    }

    /// Writes the request as it goes on (rm.md §1.4, §1.6); `hash` is its loop hash.
    fn write_in_dialog(
        &self,
        ingress: Flow,
        message: &sip::message::Message<'_>,
        hop: &hop::Hop,
        hash: u32,
        timer: session_timer::Timer,
        draft: &mut Draft,
    ) -> Result<(), No> {
        let flow = hop.flow;
        let listener = self.listener(flow.listener).ok_or_else(|| No::from(Reason::NextHop))?;
        let Draft { start, top, edits, .. } = draft;
        self.via(listener, flow.transport, self.branches, hash, top);
        top.push_str(hop.learnt.as_deref().unwrap_or_default());
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        rewrite::hop(message, ingress, edits);
        routes::write(message, hop.gone, hop.last.as_deref(), edits);
        timer.write(message, top, edits);
        if !self.sources.of(&self.settings, ingress).trusted {
            for header in message.headers().filter(rewrite::needs_trust) {
                edits.drop(header.index);
            }
        }
        if let Some(uri) = &hop.uri {
            start.push_str(message.method().as_str());
            start.push(' ');
            start.push_str(uri);
            start.push_str(" SIP/2.0");
        }
        draft.write(message);
        Ok(())
    }

    /// How long an address may be silent while `others` of the same name stand by: with an INVITE
    /// as long as in any try, for whoever gets it says 100; else its share of the time for which
    /// the sender waits.
    fn patience(&self, kind: Kind, others: usize) -> ClientOptions {
        let share = u32::try_from(others + 1).unwrap_or(u32::MAX);
        let timeout = match (others, kind) {
            (0, _) => None,
            (_, Kind::Invite) => Some(self.options.try_timeout),
            (_, Kind::Update | Kind::Bye | Kind::Refer | Kind::Other) => {
                Some(self.settings.timers.t1 * 64 / share)
            }
        };
        ClientOptions { timeout }
    }

    /// The request of a relay could not be sent, or nothing has answered it: it goes to the next
    /// address of the same name (RFC 3263 §4.3). False when there is none.
    pub(crate) fn next_flow(&mut self, now: Now, key: usize, why: &'static str) -> bool {
        let Some(relay) = self.relays.get_mut(key) else { return false };
        let Some(mut again) = relay.again.take() else { return false };
        let (hop, timer) = &mut *again;
        if hop.others.is_empty() {
            return false;
        }
        self.book.away.note(now.mono, Target::of(hop.flow));
        hop.flow = hop.others.remove(0);
        self.branches += 1;
        let mut draft = Draft::default();
        let Some(relay) = self.relays.get(key) else { return false };
        let Ok(message) = sip::parse::parse(&relay.request, &self.limits) else { return false };
        let hash = branch::loop_hash(&self.settings.keys, &message);
        let written = self.write_in_dialog(relay.ingress, &message, hop, hash, *timer, &mut draft);
        if written.is_err() {
            return false;
        }
        let options = self.patience(relay.kind, hop.others.len());
        let client = self.endpoint.request(now.mono, hop.flow, &draft.bytes, options);
        self.clients.insert(client, ClientUse::Relay(key));
        *self.counters.address_failovers.entry(why).or_default() += 1;
        if let Some(relay) = self.relays.get_mut(key) {
            relay.client = client;
            relay.again = Some(again);
        }
        true
    }

    /// The leg of a relay, if it is still there.
    pub(crate) fn leg_of_relay(&self, leg: Option<(Guid, LegId)>) -> Option<usize> {
        leg.and_then(|(guid, id)| self.table.leg_of(guid, id))
    }
}
