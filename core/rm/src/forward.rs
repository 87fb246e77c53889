//! Stage 8, forward: rewrite, send, the next one on failure (rm.md §5, §7.8, §1.6).
//!
//! Between place, which chose a resource, and the answers that come back. One branch is active at
//! a time. A `Hunt` lives from the INVITE's arrival to its final answer; then the leg alone
//! remains. Must not choose resources or judge limits: it asks place again.

pub(crate) mod branch;
pub(crate) mod cancel;
pub(crate) mod egress;
pub(crate) mod failover;
pub(crate) mod headers;
pub(crate) mod own_request;
pub(crate) mod record_route;
pub(crate) mod response;
pub(crate) mod rewrite;
pub(crate) mod session_timer;
pub(crate) mod single;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use model::id::Dbid;
use model::time::Now;
use sip::endpoint::{ClientId, ClientOptions, ServerId};
use sip::locate::Target;
use sip::transport::{Flow, Transport};
use smallvec::SmallVec;

use crate::admit::Request;
use crate::call::Call;
use crate::limits;
use crate::pool::{Occupant, Pick, Plan};
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::record::Story;
use crate::reject::{No, Reason};
use crate::session::Text;
use crate::timer::Timer;
use crate::token::{self, Token};
/// An INVITE on its way to a final answer.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) server: ServerId,
    pub(crate) ingress: Flow,
    /// The INVITE as received.
    pub(crate) request: Box<[u8]>,
    /// Key of its leg.
    pub(crate) leg: usize,
    pub(crate) story: Story,
    pub(crate) plan: Plan,
    target: rewrite::Target,
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
    /// Why it was chosen.
    pub(crate) by: &'static str,
    /// dbid of the group in which it was chosen.
    pub(crate) group: Dbid,
    pub(crate) target: Target,
    pub(crate) flow: Flow,
    /// The INVITE as sent: what CANCEL, ACK and BYE of a late answer are made from.
    pub(crate) sent: Vec<u8>,
    pub(crate) began: Duration,
    /// A 101–199 was seen.
    pub(crate) progress: bool,
    /// Session interval that a 2xx without one is given (RFC 4028 §8.2).
    pub(crate) owed: Option<u32>,
    /// TCP only because of its size.
    pub(crate) by_size: bool,
    pub(crate) timer_c: Duration,
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
        let (Some(choice), Some(line)) = (&call.choice, request.message.request()) else {
            return Err(Reason::Internal.into());
        };
        let Some((session, leg)) = self.table.both(call.leg) else {
            return Err(Reason::Internal.into());
        };
        let session = session.guid.to_string();
        let facts = rewrite::Facts {
            dnis: leg.texts.get(Text::Dn),
            ani: leg.texts.get(Text::Ani),
            session: &session,
            uuid: leg.texts.get(Text::CallUuid),
        };
        let (snapshot, trusted) = (Arc::clone(&self.snapshot), call.source.trusted);
        let target = rewrite::target(&snapshot, choice, &line.target, trusted, facts);
        let hunt = self.hunts.insert(Hunt {
            server: request.id,
            ingress: request.flow,
            request: request.message.raw().into(),
            leg: call.leg,
            story: std::mem::take(&mut call.story),
            plan: call.plan.clone(),
            target,
            trusted,
            said: session_timer::Said::of(request.message),
            began: request.now.mono,
            current: None,
            others: SmallVec::new(),
            best: None,
            cancelled: false,
        });
        self.servers.insert(request.id, ServerUse::Hunt(hunt));
        if let Err(no) = self.first_try(request.now, hunt, pick) {
            self.servers.remove(&request.id);
            call.story = self.hunts.remove(hunt).story;
            return Err(no);
        }
        Ok(())
    }

    /// The first target of a resource that was chosen; the others stand by.
    pub(crate) fn first_try(&mut self, now: Now, key: usize, pick: Pick) -> Result<(), No> {
        let member = self.pool.get(pick.member);
        let mut order =
            member.map(|one| one.reach.order(now.mono, &mut self.chance)).unwrap_or_default();
        if order.is_empty() {
            return Err(No::new(Reason::Internal, "resource without address"));
        }
        let target = order.remove(0);
        if !self.options.dns_routing {
            order.clear();
        }
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.others = order;
        }
        self.send_try(now, key, pick, target, false)
    }

    /// Writes and sends one try. `udp_again`: TCP for size was refused, the same one by UDP.
    pub(crate) fn send_try(
        &mut self,
        now: Now,
        key: usize,
        pick: Pick,
        target: Target,
        udp_again: bool,
    ) -> Result<(), No> {
        let group = self.snapshot.group(pick.group);
        let (group, timeout) = (group.dbid, group.try_timeout.unwrap_or(self.options.try_timeout));
        self.occupy_for(key, pick);
        self.branches += 1;
        let number = self.branches;
        let (sent, flow, by_size) =
            self.written(now, key, (pick.member, target), number, udp_again)?;
        // a connect that fails in time must be told apart from a server that does not answer
        let grace = if by_size { limits::CONNECT_GRACE } else { Duration::ZERO };
        let options = ClientOptions { timeout: Some(timeout + grace) };
        let client = self.endpoint.request(now.mono, flow, &sent, options);
        let timer_c = now.mono + self.settings.timers.c;
        self.clients.insert(client, ClientUse::Hunt(key));
        self.timers.set(timer_c, Timer::TimerC(key));
        let owed = self.asked_timer(key).owed();
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.current = Some(Try {
                client,
                number,
                member: pick.member,
                by: pick.by,
                group,
                target,
                flow,
                sent,
                began: now.mono,
                progress: false,
                owed,
                by_size,
                timer_c,
            });
        }
        Ok(())
    }

    /// The session timer of the current try, whose resource the leg has.
    fn asked_timer(&self, key: usize) -> session_timer::Timer {
        let Some(hunt) = self.hunts.get(key) else { return session_timer::Timer::default() };
        let wish = || self.wished_interval(self.table.leg(hunt.leg)?);
        hunt.said.ask(&self.options, wish)
    }

    /// The leg takes its place before the request leaves.
    fn occupy_for(&mut self, key: usize, pick: Pick) {
        let Some(hunt) = self.hunts.get(key) else { return };
        let leg_key = hunt.leg;
        self.pool.occupy(pick.member, Occupant::Leg(leg_key));
        let names = self.pool.get(pick.member).map(|member| Arc::clone(&member.names));
        if let Some(leg) = self.table.leg_mut(leg_key) {
            leg.resource = names;
            leg.attempts = u8::try_from(hunt.plan.tried.len()).unwrap_or(u8::MAX);
            leg.placed_by = pick.by.into();
        }
    }

    /// The bytes of a try, by the transport of the address or by the rule of size (rm.md §1.2).
    fn written(
        &self,
        now: Now,
        key: usize,
        (member, target): (usize, Target),
        number: u64,
        udp_again: bool,
    ) -> Result<(Vec<u8>, Flow, bool), No> {
        let internal = || No::new(Reason::Internal, "resource without address");
        let address = self.pool.get(member).and_then(|one| one.address.as_ref());
        let address = address.ok_or_else(internal)?;
        let fixed = egress::fixed_transport(address).is_some() || target.transport.is_stream();
        let (bytes, flow) = self.write_try(key, member, number, target)?;
        let most = usize::from(self.options.mtu).saturating_sub(limits::MTU_RESERVE);
        if fixed || bytes.len() <= most {
            return Ok((bytes, flow, false));
        }
        let udp_only = udp_again
            || self.pool.get(member).and_then(|one| one.udp_only).is_some_and(|to| to > now.mono);
        if !udp_only && self.egress(Transport::Tcp, target.remote).is_some() {
            let by_tcp = Target { transport: Transport::Tcp, ..target };
            let (bytes, flow) = self.write_try(key, member, number, by_tcp)?;
            return Ok((bytes, flow, true));
        }
        if bytes.len() > limits::UDP_MOST {
            return Err(No::new(Reason::Internal, "request too large for udp"));
        }
        Ok((bytes, flow, false))
    }

    fn write_try(
        &self,
        key: usize,
        member: usize,
        number: u64,
        Target { transport, remote }: Target,
    ) -> Result<(Vec<u8>, Flow), No> {
        let internal = |what: &str| No::new(Reason::Internal, what);
        let hunt = self.hunts.get(key).ok_or_else(|| internal("no hunt"))?;
        let (session, leg) = self.table.both(hunt.leg).ok_or_else(|| internal("no leg"))?;
        let member = self.pool.get(member).ok_or_else(|| internal("no resource"))?;
        let address = member.address.as_ref().ok_or_else(|| internal("no address"))?;
        let index = self
            .egress(transport, remote)
            .ok_or_else(|| internal("no listener for the resource's transport"))?;
        let listener = self.listener(index).ok_or_else(|| internal("no listener"))?;
        let ingress =
            self.listener(hunt.ingress.listener).ok_or_else(|| internal("no listener"))?;
        let message = sip::parse::parse(&hunt.request, &self.limits)
            .map_err(|_| internal("request unreadable"))?;
        let start_line = format!("INVITE {} SIP/2.0", hunt.target.uri(address)?);

        let mut top = self.via(listener, transport, number, &message);
        let double =
            record_route::is_double((ingress, hunt.ingress.transport), (listener, transport));
        let token = Token {
            guid: session.guid,
            leg: leg.id,
            node: self.settings.node_id,
            epoch: leg.epoch,
            tenant: session.tenant.as_ref().map_or(Dbid(0), |tenant| tenant.dbid),
            profile: session.profile.as_ref().map_or(Dbid(0), |profile| profile.dbid),
            resource: member.names.dbid,
            start: leg.started,
            revision: low_half(session.revision),
            service: leg.service,
            flags: flags(leg, session.burst, double),
            from_hash: token::tag_hash(leg.texts.get(Text::FromTag)),
        };
        record_route::write(
            &token.seal(&self.settings.keys, message.call_id()),
            self.settings.node_id,
            leg.id,
            (ingress, hunt.ingress.transport),
            (listener, transport),
            record_route::Secure {
                ingress: crate::call::is_secure(&message),
                egress: start_line.starts_with("INVITE sips:"),
            },
            &mut top,
        );
        headers::session_id(session, self.settings.node_id, &mut top);
        headers::session_data(session, self.settings.node_id, &mut top);
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        let mut edits = rewrite::hop(&message, hunt.ingress, self.own_routes(&message));
        self.asked_timer(key).write(&message, &mut top, &mut edits);
        for header in message.headers().filter(|one| rewrite::is_internal(one, hunt.trusted)) {
            edits.push((header.index, Vec::new()));
        }
        let mut bytes = Vec::new();
        rewrite::write(&message, Some(&start_line), &top, &edits, &mut bytes);
        let flow = Flow { transport, listener: index, remote, conn: None };
        Ok((bytes, flow))
    }
}

fn low_half(revision: u64) -> u32 {
    u32::try_from(revision & u64::from(u32::MAX)).unwrap_or_default()
}

fn flags(leg: &crate::session::Leg, burst: u8, double: bool) -> u8 {
    let mut flags = burst.saturating_sub(1).min(3) << 2;
    if leg.primary {
        flags |= token::PRIMARY;
    }
    if double {
        flags |= token::DOUBLE;
    }
    if leg.kind == crate::session::Kind::Bridged {
        flags |= token::INTERNAL;
    }
    flags
}
