//! Stage 9 entered from outside: requests inside a dialog (rm.md §1.8). The way is in the token.
//!
//! Never selected, authorised or limited again; served while draining. What a leg learns from them
//! (BYE, refresh, target) is noted here. Must not answer a BYE before its record is safe: `hold`.

pub(crate) mod again;
mod effect;
pub(crate) mod hold;
pub(crate) mod hop;
pub(crate) mod relay;
pub(crate) mod route;
mod update;

use std::net::SocketAddr;

use model::time::{Millis, Now};
use sip::endpoint::{ClientId, ServerId};
use sip::header::Name;
use sip::locate::Target;
use sip::message::Message;
use sip::method::Method;
use sip::transport::Flow;

use crate::admit::Request;
use crate::forward::draft::Draft;
use crate::forward::size::Carriage;
use crate::forward::trust::Trust;
use crate::forward::{branch, rewrite, routes, session_timer};
use crate::log;
use crate::pool::health::Health;
use crate::pool::{Member, Plan};
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::reject::{No, Reason};
use crate::resolve::What;
use crate::session::{Bye, Side, State, Text};
use crate::timer::Timer;
use crate::token::Token;
use again::{Again, Sent};
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
    /// When it came.
    came: Millis,
    /// Its leg, if there is one: it may end meanwhile.
    leg: Option<(Guid, LegId)>,
    side: Side,
    /// Session interval that a 2xx without one is given (RFC 4028 §8.2).
    owed: Option<u32>,
    /// From who asks to who is asked.
    trust: Trust,
    sent: Sent,
    /// Another way, as long as nobody has answered.
    again: Option<Box<Again>>,
}

/// A request that is passed on without becoming a call, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing<'m, 'a> {
    pub(crate) message: &'m Message<'a>,
    pub(crate) ingress: Flow,
    /// Its loop hash (rm.md §1.6).
    pub(crate) hash: u32,
    /// The session timer that it asks for.
    pub(crate) timer: session_timer::Timer,
    pub(crate) trust: Trust,
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
pub(crate) enum Kind {
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
    /// Key of the resource that it was placed on, when it is outside dialogs.
    pub(crate) fn asks(&self) -> Option<usize> {
        self.placed.as_ref().map(|placed| placed.member)
    }

    /// A request outside dialogs that goes to one resource; `bytes` are those received.
    pub(crate) fn outside(
        request: &Request<'_, '_>,
        client: ClientId,
        bytes: Vec<u8>,
        placed: Placed,
        (trust, sent, again): (Trust, Sent, Option<Box<Again>>),
    ) -> Self {
        Self {
            server: request.id,
            client,
            ingress: request.flow,
            request: bytes,
            placed: Some(placed),
            kind: Kind::Other,
            came: request.now.wall,
            leg: None,
            side: Side::Caller,
            owed: None,
            trust,
            sent,
            again,
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
        if self.is_to_the_dead(&located, hop.flow.remote) {
            return Err(No::new(Reason::NoDialog, message.call_id()));
        }
        session_timer::is_long_enough(message, &self.options)?;
        if located.leg.is_none()
            && let Some(token) = located.token
        {
            located.leg = self.rebuild(request, &token);
        }
        self.branches += 1;
        let wish = || self.wished_interval(self.table.leg(located.leg?)?);
        let timer = session_timer::Said::of(message).ask(&self.options, wish);
        let to = self.trusts_party(hop.flow, located.leg, located.side.other());
        let trust = Trust { from: request.source.trusted, to };
        let (ingress, hash) = (request.flow, request.hash);
        let passing = Passing { message, ingress, hash, timer, trust };
        let mut draft = self.fresh_draft();
        let written = self.written_in_dialog(request.now, &passing, &hop, &mut draft);
        let done = written.map(|sent| {
            let again =
                (sent.by_size || !hop.others.is_empty()).then(|| Box::new(Again::Hop(hop, timer)));
            self.relay(request, &located, (trust, timer, sent, again), &draft.bytes);
        });
        self.draft = draft;
        done
    }

    /// Its leg has ended here, and the media server that it goes to is dead: only we can say so.
    fn is_to_the_dead(&self, located: &Located, to: SocketAddr) -> bool {
        let buried = |token: Token| self.table.is_buried(token.guid, token.leg);
        let is_dead = |(_, one): (usize, &Member)| {
            one.health == Health::Dead && one.reach.all().any(|target| target.remote == to)
        };
        located.leg.is_none()
            && located.token.is_some_and(buried)
            && self.pool.configured().any(is_dead)
    }

    /// The request goes on, and somebody waits for its answer.
    fn relay(
        &mut self,
        request: &Request<'_, '_>,
        located: &Located,
        (trust, timer, sent, again): (Trust, session_timer::Timer, Sent, Option<Box<Again>>),
        bytes: &[u8],
    ) {
        let kind = Kind::of(request.method());
        let leg = located.leg.and_then(|key| self.heard(request, key, located.side, kind));
        let left = again.as_ref().map_or(0, |again| again.left());
        let options = self.patience(kind, left, sent.by_size);
        let client = self.endpoint.request(request.now.mono, sent.flow, bytes, options);
        let relay = self.relays.insert(Relay {
            server: request.id,
            client,
            ingress: request.flow,
            request: self.buffers.keep(request.message.raw()),
            placed: None,
            kind,
            came: request.now.wall,
            leg,
            side: located.side,
            owed: timer.owed(),
            trust,
            sent,
            again,
        });
        if kind == Kind::Invite {
            self.timers.set(request.now.mono + self.settings.timers.c, Timer::RelayC(relay));
        }
        self.clients.insert(client, ClientUse::Relay(relay));
        self.servers.insert(request.id, ServerUse::Relay(relay));
    }

    /// An ACK to a 2xx: routed by its token, without a transaction; dropped when it cannot be.
    /// One to an answer of ours that left no transaction ends here, which must cost little.
    pub(crate) fn on_ack(&mut self, now: Now, flow: Flow, message: &Message<'_>) {
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
            let to = self.trusts_party(hop.flow, located.leg, located.side.other());
            let trust = Trust { from: self.sources.of(&self.settings, flow).trusted, to };
            let timer = session_timer::Timer::default();
            let passing = Passing { message, ingress: flow, hash, timer, trust };
            let mut draft = self.fresh_draft();
            let written = self.written_in_dialog(now, &passing, &hop, &mut draft);
            if let Ok(sent) = written {
                self.endpoint.send(sent.flow, &draft.bytes);
                if sent.by_size {
                    self.ack_by_tcp(now, sent.flow.remote);
                }
            }
            self.draft = draft;
            written.map(|_| ())
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

    /// Writes a request inside a dialog as it goes on, by the transport that its size leaves.
    ///
    /// # Errors
    /// `next-hop`, `too-large`.
    fn written_in_dialog(
        &self,
        now: Now,
        passing: &Passing<'_, '_>,
        hop: &hop::Hop,
        draft: &mut Draft,
    ) -> Result<Sent, No> {
        let flow = hop.flow;
        self.write_in_dialog(passing, hop, flow, draft)?;
        match self.carriage(now, Target::of(flow), hop.fixed, draft.bytes.len())? {
            Carriage::AsAddressed => Ok(Sent { flow, by_size: false }),
            Carriage::ByTcp => {
                let flow = self.by_tcp(flow.remote)?;
                draft.clear();
                self.write_in_dialog(passing, hop, flow, draft)?;
                Ok(Sent { flow, by_size: true })
            }
        }
    }

    /// The same by this flow (rm.md §1.4, §1.6).
    fn write_in_dialog(
        &self,
        passing: &Passing<'_, '_>,
        hop: &hop::Hop,
        flow: Flow,
        draft: &mut Draft,
    ) -> Result<(), No> {
        let Passing { message, ingress, hash, timer, trust } = *passing;
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
        trust.strip(message, edits);
        if let Some(uri) = &hop.uri {
            start.push_str(message.method().as_str());
            start.push(' ');
            start.push_str(uri);
            start.push_str(" SIP/2.0");
        }
        draft.write(message);
        Ok(())
    }

    /// The leg of a relay, if it is still there.
    pub(crate) fn leg_of_relay(&self, leg: Option<(Guid, LegId)>) -> Option<usize> {
        leg.and_then(|(guid, id)| self.table.leg_of(guid, id))
    }
}
