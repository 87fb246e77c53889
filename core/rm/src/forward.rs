//! Stage 8, forward: rewrite, send, the next one on failure (rm.md §5, §7.8, §1.6).
//!
//! Between place, which chose a resource, and the answers that come back. One branch is active at
//! a time. A `Hunt` lives from the INVITE's arrival to its final answer; then the leg alone
//! remains. Must not choose resources or judge limits: it asks place again.

pub(crate) mod branch;
pub(crate) mod cancel;
pub(crate) mod cti;
pub(crate) mod deadline;
pub(crate) mod draft;
pub(crate) mod egress;
pub(crate) mod failover;
pub(crate) mod headers;
pub(crate) mod outside;
pub(crate) mod own_request;
pub(crate) mod passed_over;
pub(crate) mod record_route;
pub(crate) mod request_uri;
pub(crate) mod response;
pub(crate) mod rewrite;
pub(crate) mod routes;
pub(crate) mod session_timer;
pub(crate) mod single;
pub(crate) mod size;
pub(crate) mod through;
pub(crate) mod trust;
pub(crate) mod verdict;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use model::config::Service;
use model::id::Dbid;
use model::time::Now;
use sip::endpoint::{ClientId, ClientOptions, ServerId};
use sip::locate::Target;
use sip::message::Message;
use sip::transport::{Flow, Transport};
use smallvec::SmallVec;

use crate::admit::Request;
use crate::call::Call;
use crate::limits;
use crate::pool::{Occupant, Pick, Plan};
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::record::Story;
use crate::reject::{No, Reason};
use crate::select::cucm;
use crate::session::{Kind, Leg, ResourceNames, Session, Text};
use crate::token::{self, Token};
use draft::Draft;
use size::Carriage;
use through::Through;
use trust::Trust;

/// An INVITE on its way to a final answer.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) server: ServerId,
    pub(crate) ingress: Flow,
    /// The INVITE as received, and its loop hash.
    pub(crate) request: Vec<u8>,
    hash: u32,
    /// Key of its leg.
    pub(crate) leg: usize,
    pub(crate) story: Story,
    pub(crate) plan: Plan,
    pub(crate) through: Option<Box<Through>>,
    target: request_uri::Target,
    pub(crate) trusted: bool,
    /// What it says of session timers.
    said: session_timer::Said,
    pub(crate) began: Duration,
    pub(crate) current: Option<Try>,
    /// Further targets of the resource in hand, in their order.
    pub(crate) others: SmallVec<[Target; 2]>,
    /// Best failure answer so far: code and the whole answer for upstream.
    pub(crate) best: Option<(u16, Vec<u8>)>,
    /// The caller has sent CANCEL.
    pub(crate) cancelled: bool,
}

/// One try of a hunt.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) client: ClientId,
    /// Transaction number of its branch.
    pub(crate) number: u64,
    pub(crate) member: usize,
    /// Who that is.
    pub(crate) names: Arc<ResourceNames>,
    /// Why it was chosen.
    pub(crate) by: &'static str,
    /// dbid of the group in which it was chosen.
    pub(crate) group: Dbid,
    pub(crate) target: Target,
    pub(crate) flow: Flow,
    /// From the caller to the resource.
    pub(crate) trust: Trust,
    /// The INVITE as sent: what CANCEL, ACK and BYE of a late answer are made from.
    pub(crate) sent: Vec<u8>,
    pub(crate) began: Duration,
    /// So long it may say nothing at all.
    time: Duration,
    /// A 101–199 was seen.
    pub(crate) progress: bool,
    /// Session interval that a 2xx without one is given (RFC 4028 §8.2).
    pub(crate) owed: Option<u32>,
    /// TCP only because of its size.
    pub(crate) by_size: bool,
}

/// One try that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) hunt: usize,
    pub(crate) pick: Pick,
    pub(crate) target: Target,
}

impl Proxy {
    /// First try of a call: from here on the hunt carries it.
    ///
    /// # Errors
    /// `internal`, when the request cannot be written; then nothing was sent.
    pub(crate) fn forward(
        &mut self,
        request: &Request<'_, '_>,
        call: &mut Call,
        pick: Pick,
    ) -> Result<(), No> {
        let hunt = self.hunt(request, call)?;
        self.servers.insert(request.id, ServerUse::Hunt(hunt));
        let sent = match self.first_try(request.now, hunt, pick, Some(request.message)) {
            Err(no) if self.passes_over(hunt, &no) => {
                self.next_try(request.now, hunt, None);
                Ok(())
            }
            sent => sent,
        };
        if sent.is_err()
            && let Some(hunt) = self.end_hunt(hunt)
        {
            call.story = self.dismiss(hunt);
        }
        sent
    }

    /// The hunt of a call, before its first try.
    ///
    /// # Errors
    /// `internal`, for what is no call.
    pub(crate) fn hunt(&mut self, request: &Request<'_, '_>, call: &mut Call) -> Result<usize, No> {
        let kept = self.target_of(request, call)?;
        let trusted = call.source.trusted;
        Ok(self.hunts.insert(Hunt {
            server: request.id,
            ingress: request.flow,
            request: self.buffers.keep(request.message.raw()),
            hash: request.hash,
            leg: call.leg,
            story: std::mem::take(&mut call.story),
            plan: call.plan.clone(),
            through: call.through.take(),
            target: kept,
            trusted,
            said: session_timer::Said::of(request.message),
            began: request.now.mono,
            current: None,
            others: SmallVec::new(),
            best: None,
            cancelled: false,
        }))
    }

    /// The Request-URI of a call, for any resource.
    fn target_of(
        &mut self,
        request: &Request<'_, '_>,
        call: &Call,
    ) -> Result<request_uri::Target, No> {
        let (Some(choice), Some(line)) = (&call.choice, request.message.request()) else {
            return Err(Reason::Internal.into());
        };
        let Some((session, leg)) = self.table.both(call.leg) else {
            return Err(Reason::Internal.into());
        };
        let mut record = String::new();
        if choice.service == Service::Announcement
            && let Some(cucm) = cucm::cucm(request.message)
        {
            cucm.record(request.now.wall, &mut record);
        }
        let facts = request_uri::Facts {
            dnis: leg.texts.get(Text::Dn),
            ani: leg.texts.get(Text::Ani),
            session: Some(session.guid),
            uuid: leg.texts.get(Text::CallUuid),
            number: call.number.as_deref(),
            page: choice.page.as_deref(),
            record: &record,
            trusted: call.source.trusted,
        };
        let snapshot = Arc::clone(&self.snapshot);
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let target = request_uri::target(&snapshot, choice, &line.target, &facts, text);
        let (kept, text) = target.kept(&mut self.buffers);
        self.scratch = text;
        Ok(kept)
    }

    /// The first target of a resource that was chosen; the others stand by. `message` is the
    /// INVITE, where it is at hand.
    pub(crate) fn first_try(
        &mut self,
        now: Now,
        key: usize,
        pick: Pick,
        message: Option<&Message<'_>>,
    ) -> Result<(), No> {
        let (target, mut others) = self.first_target(now, key, pick)?;
        if !self.options.dns_routing {
            others.clear();
        }
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.others = others;
        }
        self.send_try(now, Attempt { hunt: key, pick, target }, message)
    }

    /// Where a try goes first, and where it may go besides.
    ///
    /// # Errors
    /// `internal`, when nothing is known of that.
    pub(crate) fn first_target(
        &mut self,
        now: Now,
        key: usize,
        pick: Pick,
    ) -> Result<(Target, SmallVec<[Target; 2]>), No> {
        let through = self.hunts.get(key).and_then(|hunt| hunt.through.as_deref());
        let mut order = match (through, self.pool.get(pick.member)) {
            (Some(through), _) => through.targets.clone(),
            (None, Some(one)) => one.reach.order(now.mono, &mut self.chance),
            (None, None) => SmallVec::new(),
        };
        if order.is_empty() {
            return Err(No::new(Reason::Internal, "resource without address"));
        }
        let target = order.remove(0);
        Ok((target, order))
    }

    /// Writes and sends one try of the INVITE: `message`, or the one that was kept.
    pub(crate) fn send_try(
        &mut self,
        now: Now,
        attempt: Attempt,
        message: Option<&Message<'_>>,
    ) -> Result<(), No> {
        self.occupy_for(attempt.hunt, attempt.pick);
        self.branches += 1;
        let mut draft = self.fresh_draft();
        let written = match message {
            Some(message) => self.written(now, attempt, message, &mut draft),
            None => self.written_again(now, attempt, &mut draft),
        };
        if let Ok((flow, by_size)) = written {
            self.sent(now, attempt, flow, by_size, &draft.bytes);
        }
        self.draft = draft;
        written.map(|_| ())
    }

    /// The try is on its way.
    fn sent(&mut self, now: Now, attempt: Attempt, flow: Flow, by_size: bool, bytes: &[u8]) {
        let Attempt { hunt: key, pick, target, .. } = attempt;
        let number = self.branches;
        let (group, time) = self.time_of_try(pick);
        // a connect that fails in time must be told apart from a server that does not answer
        let grace = if by_size { limits::CONNECT_GRACE } else { Duration::ZERO };
        let options = ClientOptions { timeout: Some(time + grace) };
        let client = self.endpoint.request(now.mono, flow, bytes, options);
        let trust = self.trust_of_try(key, pick, flow);
        let names = self.names_of_try(key, pick.member, flow.remote);
        self.clients.insert(client, ClientUse::Hunt(key));
        self.await_try(now, key, pick);
        let owed = self.asked_timer(key).owed();
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.current = Some(Try {
                client,
                number,
                member: pick.member,
                names,
                by: pick.by,
                group,
                target,
                flow,
                trust,
                sent: self.buffers.keep(bytes),
                began: now.mono,
                time,
                progress: false,
                owed,
                by_size,
            });
        }
    }

    /// From the caller to the resource at the far end of this flow.
    fn trust_of_try(&self, key: usize, pick: Pick, flow: Flow) -> Trust {
        let from = self.hunts.get(key).is_some_and(|hunt| hunt.trusted);
        Trust { from, to: self.trusts_resource(pick.group, Target::of(flow)) }
    }

    /// The session timer of the current try, whose resource the leg has.
    fn asked_timer(&self, key: usize) -> session_timer::Timer {
        let Some(hunt) = self.hunts.get(key) else { return session_timer::Timer::default() };
        let wish = || self.wished_interval(self.table.leg(hunt.leg)?);
        hunt.said.ask(&self.options, wish)
    }

    /// The leg takes its place before the request leaves.
    pub(crate) fn occupy_for(&mut self, key: usize, pick: Pick) {
        let Some(hunt) = self.hunts.get(key) else { return };
        let (leg_key, listener) = (hunt.leg, hunt.ingress.listener);
        let tries = hunt.plan.tried.len();
        let Some(leg) = self.table.leg(leg_key) else { return };
        let direction = leg.kind.direction();
        self.pool.occupy(pick.member, Occupant::Leg(leg_key), direction);
        if hunt.plan.conference.is_some() {
            let plan = hunt.plan.clone();
            self.enter_conference(&plan, leg_key, pick.member, listener);
        }
        let names = self.pool.get(pick.member).map(|member| Arc::clone(&member.names));
        if let Some(leg) = self.table.leg_mut(leg_key) {
            leg.resource = names;
            leg.attempts = u8::try_from(tries).unwrap_or(u8::MAX);
            leg.placed_by = pick.by.into();
        }
    }

    /// As [`Self::written`], from the INVITE that was kept.
    fn written_again(
        &self,
        now: Now,
        attempt: Attempt,
        draft: &mut Draft,
    ) -> Result<(Flow, bool), No> {
        let internal = |what: &str| No::new(Reason::Internal, what);
        let hunt = self.hunts.get(attempt.hunt).ok_or_else(|| internal("no hunt"))?;
        let message = sip::parse::parse(&hunt.request, &self.limits)
            .map_err(|_| internal("request unreadable"))?;
        self.written(now, attempt, &message, draft)
    }

    /// The bytes of a try, by the transport of the address or by the rule of size (rm.md §1.2);
    /// whether it was the size.
    pub(crate) fn written(
        &self,
        now: Now,
        attempt: Attempt,
        message: &Message<'_>,
        draft: &mut Draft,
    ) -> Result<(Flow, bool), No> {
        let target = attempt.target;
        let through = self.hunts.get(attempt.hunt).and_then(|hunt| hunt.through.as_deref());
        let address = || self.pool.get(attempt.pick.member)?.address.as_ref();
        let fixed = match through {
            Some(through) => through.fixed,
            None => address().is_some_and(|address| egress::fixed_transport(address).is_some()),
        };
        let flow = self.write_try(attempt, message, draft)?;
        match self.carriage(now, target, fixed, draft.bytes.len())? {
            Carriage::AsAddressed => Ok((flow, false)),
            Carriage::ByTcp => {
                let by_tcp = Target { transport: Transport::Tcp, ..target };
                let by_tcp = Attempt { target: by_tcp, ..attempt };
                Ok((self.write_try(by_tcp, message, draft)?, true))
            }
        }
    }

    fn write_try(
        &self,
        attempt: Attempt,
        message: &Message<'_>,
        draft: &mut Draft,
    ) -> Result<Flow, No> {
        let Target { transport, remote } = attempt.target;
        let internal = |what: &str| No::new(Reason::Internal, what);
        let hunt = self.hunts.get(attempt.hunt).ok_or_else(|| internal("no hunt"))?;
        let (session, leg) = self.table.both(hunt.leg).ok_or_else(|| internal("no leg"))?;
        let outside = hunt.through.as_deref().and_then(|through| through.outside.as_deref());
        let (address, secure) = self.called(outside, attempt.pick.member)?;
        let member = self.pool.get(attempt.pick.member);
        let index = self
            .egress(transport, remote)
            .ok_or_else(|| internal("no listener for the resource's transport"))?;
        let listener = self.listener(index).ok_or_else(|| internal("no listener"))?;
        let ingress =
            self.listener(hunt.ingress.listener).ok_or_else(|| internal("no listener"))?;
        draft.clear();
        let Draft { start, top, edits, .. } = draft;
        start.push_str("INVITE ");
        hunt.target.write(address, secure, start)?;
        let aim = self.aim(message, start, transport)?;
        self.via(listener, transport, self.branches, hunt.hash, top);
        let double =
            record_route::is_double((ingress, hunt.ingress.transport), (listener, transport));
        let token = Token {
            guid: session.guid,
            leg: leg.id,
            node: self.settings.node_id,
            epoch: leg.epoch,
            tenant: session.tenant.as_ref().map_or(Dbid(0), |tenant| tenant.dbid),
            profile: session.profile.as_ref().map_or(Dbid(0), |profile| profile.dbid),
            resource: member.map_or(Dbid(0), |member| member.names.dbid),
            start: leg.started,
            revision: low_half(session.revision),
            service: leg.service,
            flags: flags(leg, session, double),
            from_hash: token::tag_hash(leg.texts.get(Text::FromTag)),
        };
        let token = token.seal(&self.settings.keys, message.call_id());
        let entry = record_route::Entry {
            token: token.as_str(),
            node: self.settings.node_id,
            leg: leg.id,
            conference: self.instance_of(hunt.leg),
        };
        record_route::write(
            &entry,
            (ingress, hunt.ingress.transport),
            (listener, transport),
            record_route::Secure { ingress: crate::call::is_secure(message), egress: aim.secure },
            top,
        );
        let flow = Flow { transport, listener: index, remote, conn: None };
        let trust = self.trust_of_try(attempt.hunt, attempt.pick, flow);
        if trust.to {
            headers::session_id(session, self.settings.node_id, top);
            headers::session_data(session, self.settings.node_id, top);
        }
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        rewrite::hop(message, hunt.ingress, edits);
        routes::write(message, aim.gone, aim.last.as_deref(), edits);
        self.asked_timer(attempt.hunt).write(message, top, edits);
        trust.strip_first(message, edits);
        draft.write(message);
        Ok(flow)
    }

    /// The draft, for a new message; it must be put back.
    pub(crate) fn fresh_draft(&mut self) -> Draft {
        let mut draft = std::mem::take(&mut self.draft);
        draft.clear();
        draft
    }

    /// A hunt is over: its memory goes back, its story is still to be told.
    pub(crate) fn dismiss(&mut self, hunt: Hunt) -> Story {
        let Hunt { request, target, current, best, story, .. } = hunt;
        let sent = current.map(|current| current.sent);
        let best = best.map(|(_, bytes)| bytes);
        for bytes in [Some(request), sent, best].into_iter().flatten() {
            self.buffers.release(bytes);
        }
        target.release(&mut self.buffers);
        story
    }
}

fn low_half(revision: u64) -> u32 {
    u32::try_from(revision & u64::from(u32::MAX)).unwrap_or_default()
}

fn flags(leg: &Leg, session: &Session, double: bool) -> u8 {
    let mut flags = session.burst.saturating_sub(1).min(3) << 2;
    if session.cti {
        flags |= token::CTI;
    }
    if leg.primary {
        flags |= token::PRIMARY;
    }
    if double {
        flags |= token::DOUBLE;
    }
    match leg.kind {
        Kind::Inbound => {}
        Kind::Bridged => flags |= token::INTERNAL,
        Kind::Outbound => flags |= token::OUTBOUND,
    }
    flags
}
