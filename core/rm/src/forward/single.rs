//! Requests outside dialogs that are no calls (rm.md §1.5): MESSAGE, unknown methods and OPTIONS
//! through RM. Selected like an INVITE, forwarded to one resource, no session, no record.
//!
//! What names a dialog or a conference goes where that is, else where the turn is (rm.md §7.7).
//! Permissions apply except for OPTIONS that stay on the platform or go to its gateways, limits do
//! not. There is no second try, but all addresses of the resource are asked, and it is judged as
//! by a try of a call (rm.md §7.8).

use std::sync::Arc;

use model::config::Service;
use model::id::Dbid;
use model::snapshot::Snapshot;
use model::time::Now;
use sip::locate::Target;
use sip::message::Message;
use sip::method::Method;
use sip::transport::{Flow, Transport};

use super::draft::Draft;
use super::size::Carriage;
use super::through::{Ahead, Onward};
use super::trust::Trust;
use super::verdict::{Before, Outcome, verdict};
use super::{egress, request_uri, rewrite, routes, session_timer};
use crate::admit::{Request, Source};
use crate::dialog::again::{Again, Sent, Single};
use crate::dialog::{Kind, Passing, Placed, Relay};
use crate::policy;
use crate::pool::Plan;
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::record::Story;
use crate::record::trace::Trace;
use crate::reject::{No, Reason};
use crate::select::{self, Choice, joining, number};
use crate::session;
use crate::wish::conference_of;

/// What a request outside dialogs is worked out in; the memory is the engine's and goes back to it.
struct Desk {
    story: Story,
    /// The dialled number and, behind it, the calling one.
    numbers: String,
    /// So long is the dialled number.
    dialled: usize,
    draft: Draft,
}

impl Proxy {
    /// Admit, select, authorise, place, forward: without a session.
    ///
    /// # Errors
    /// As for a call.
    pub(crate) fn on_single(&mut self, request: &Request<'_, '_>) -> Result<(), No> {
        let source = self.admit(request)?;
        let ahead = match self.onward(request)? {
            Onward::Known(ahead) => ahead,
            Onward::Name(goal) => {
                self.wait_for_name(request, goal);
                return Ok(());
            }
        };
        let (story, draft) = (self.recorder.story(), self.fresh_draft());
        let numbers = std::mem::take(&mut self.scratch);
        let mut desk = Desk { story, numbers, dialled: 0, draft };
        let done = self.pass_single(request, &source, ahead, &mut desk);
        let Desk { story, numbers, draft, .. } = desk;
        self.recorder.told(story);
        (self.scratch, self.draft) = (numbers, draft);
        done
    }

    fn pass_single(
        &mut self,
        request: &Request<'_, '_>,
        source: &Source,
        ahead: Ahead,
        desk: &mut Desk,
    ) -> Result<(), No> {
        let (message, snapshot) = (request.message, Arc::clone(&self.snapshot));
        let Desk { story, numbers, .. } = desk;
        numbers.clear();
        number::dialled(message, &self.options, numbers);
        desk.dialled = numbers.len();
        let dnis = &**numbers;
        let trace = &mut story.trace;
        trace.reads(&snapshot);
        let asking = self.asking(&snapshot, request, source, dnis);
        let choice = match self.living_session(message, source) {
            Some(session) => joining::join(&asking, session, self.first_number(session), trace)?,
            None => select::select(&asking, None, trace)?,
        };
        self.tell_missed(request, &choice, None);
        let placed = self.place_single(request, source, ahead, &choice, desk);
        placed.map_err(|no| no.of(&snapshot, &choice))
    }

    /// What was chosen for it: authorise, place, forward.
    fn place_single(
        &mut self,
        request: &Request<'_, '_>,
        source: &Source,
        ahead: Ahead,
        choice: &Choice,
        desk: &mut Desk,
    ) -> Result<(), No> {
        if choice.disabled {
            return Err(Reason::Disabled.into());
        }
        let (message, snapshot) = (request.message, Arc::clone(&self.snapshot));
        let Desk { story, numbers, draft, dialled } = desk;
        number::calling(message, numbers);
        let (dnis, ani) = numbers.split_at(*dialled);
        let trace = &mut story.trace;
        let leaves = ahead.outside.is_some() && self.lacks_gateway(choice.tenant);
        let number = may_pass(&snapshot, choice, message, leaves, trace)
            .map_err(|refused| refused.no.alarming(refused.alarm))?;
        let profile = choice.profile.map_or(Dbid(0), |ix| snapshot.profile(ix).dbid);
        let mut plan = Plan::of(snapshot.tenant(choice.tenant).dbid, profile, choice.service);
        self.wish(&mut plan, message, source.trusted, dnis, None);
        let conference = conference_of(&snapshot, choice, message, dnis)?;
        plan.pin = self.pin_of_single(&plan, message, conference);
        let placed = self.pool.place(request.now, &snapshot, &self.options, &mut plan, trace);
        self.tell_filled(request.now);
        let (pick, through) = match placed {
            Ok(pick) => (pick, ahead.through),
            Err(no) => {
                let left = self.leave_for(ahead.outside, no, &mut plan, trace);
                left.map(|(pick, through)| (pick, Some(through)))?
            }
        };
        let internal = || No::from(Reason::Internal);
        let line = message.request().ok_or_else(internal)?;
        let trusted = source.trusted;
        let number = number.as_deref();
        let facts =
            request_uri::Facts { dnis, ani, trusted, number, ..request_uri::Facts::default() };
        let text = std::mem::take(&mut draft.top);
        let uri = request_uri::target(&snapshot, choice, &line.target, &facts, text);
        let is_through = through.is_some();
        let (fixed, mut others, outside) = match through {
            Some(through) => (through.fixed, through.targets, through.outside),
            None => {
                let member = self.pool.get(pick.member).ok_or_else(internal)?;
                let address = member.address.as_ref().ok_or_else(internal)?;
                let order = member.reach.order(request.now.mono, &mut self.chance);
                (egress::fixed_transport(address).is_some(), order, None)
            }
        };
        if others.is_empty() {
            return Err(internal());
        }
        let to = others.remove(0);
        if !self.options.dns_routing {
            others.clear();
        }
        let (uri, text) = uri.kept(&mut self.buffers);
        draft.top = text;
        let single = Single { member: pick.member, outside, uri, to, others, fixed };
        let placed = Placed { member: pick.member, plan, through: is_through };
        let trust = Trust { from: source.trusted, to: self.trusts_resource(pick.group, to) };
        self.send_single(request, trust, single, placed, draft)
    }

    /// It goes on, and somebody waits for its answer.
    fn send_single(
        &mut self,
        request: &Request<'_, '_>,
        mut trust: Trust,
        mut single: Single,
        mut placed: Placed,
        draft: &mut Draft,
    ) -> Result<(), No> {
        let Request { now, message, flow: ingress, hash, .. } = *request;
        let timer = session_timer::Timer::default();
        self.branches += 1;
        let sent = loop {
            let passing = Passing { message, ingress, hash, timer, trust };
            let no = match self.written_single(now, &passing, &single, draft) {
                Ok(sent) => break sent,
                Err(no) => no,
            };
            let next = no.reason == Reason::TooLarge
                && self.passes_single_over(now, &mut single, &mut placed, &mut trust);
            if !next {
                single.uri.release(&mut self.buffers);
                return Err(no);
            }
        };
        let options = self.patience(Kind::Other, single.others.len(), sent.by_size);
        let client = self.endpoint.request(now.mono, sent.flow, &draft.bytes, options);
        let bytes = self.buffers.keep(message.raw());
        let again = if sent.by_size || !single.others.is_empty() {
            Some(Box::new(Again::Resource(single)))
        } else {
            single.uri.release(&mut self.buffers);
            None
        };
        let relay = Relay::outside(request, client, bytes, placed, (trust, sent, again));
        let relay = self.relays.insert(relay);
        self.clients.insert(client, ClientUse::Relay(relay));
        self.servers.insert(request.id, ServerUse::Relay(relay));
        Ok(())
    }

    /// Writes it as it goes to an address of its resource, by the transport that its size leaves.
    ///
    /// # Errors
    /// `internal`, `next-hop`, `too-large`.
    pub(crate) fn written_single(
        &self,
        now: Now,
        passing: &Passing<'_, '_>,
        single: &Single,
        draft: &mut Draft,
    ) -> Result<Sent, No> {
        let flow = self.write_single(passing, single, single.to, draft)?;
        match self.carriage(now, single.to, single.fixed, draft.bytes.len())? {
            Carriage::AsAddressed => Ok(Sent { flow, by_size: false }),
            Carriage::ByTcp => {
                let by_tcp = Target { transport: Transport::Tcp, ..single.to };
                let flow = self.write_single(passing, single, by_tcp, draft)?;
                Ok(Sent { flow, by_size: true })
            }
        }
    }

    /// The same to this target.
    fn write_single(
        &self,
        passing: &Passing<'_, '_>,
        single: &Single,
        to: Target,
        draft: &mut Draft,
    ) -> Result<Flow, No> {
        let Passing { message, ingress, hash, trust, .. } = *passing;
        let Target { transport, remote } = to;
        let internal = || No::from(Reason::Internal);
        let (address, secure) = self.called(single.outside.as_deref(), single.member)?;
        let index = self.egress(transport, remote).ok_or_else(internal)?;
        let listener = self.listener(index).ok_or_else(internal)?;
        draft.clear();
        let Draft { start, top, edits, .. } = draft;
        self.via(listener, transport, self.branches, hash, top);
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        start.push_str(message.method().as_str());
        start.push(' ');
        single.uri.write(address, secure, start)?;
        let aim = self.aim(message, start, transport)?;
        rewrite::hop(message, ingress, edits);
        routes::write(message, aim.gone, aim.last.as_deref(), edits);
        trust.strip_first(message, edits);
        draft.write(message);
        Ok(Flow { transport, listener: index, remote, conn: None })
    }

    /// The resource is told what became of it, as after a try of a call (rm.md §7.1, §7.8).
    pub(crate) fn judge_single(
        &mut self,
        now: Now,
        placed: &Placed,
        outcome: Outcome,
        retry_after: Option<u32>,
    ) {
        let judged = verdict(outcome, Before::Nothing, false, retry_after, placed.plan.service);
        // what a Route entry of the sender does not answer says nothing of the resource behind it
        let detour = placed.through && !matches!(outcome, Outcome::Answer(_));
        if let Some(tried) = judged.resource.filter(|_| !detour) {
            self.tell_member(now, placed.member, tried, outcome);
        }
    }

    /// The "no" for its sender when its resource has none to give (rm.md §7.9).
    pub(crate) fn none_for(&self, now: Now, placed: &Placed) -> No {
        self.pool.none(now, &self.snapshot, &self.options, &placed.plan)
    }
}

/// Permissions apply to whatever is passed on, but to questions, unless they may leave for a host
/// outside; gives back the number as it is dialled, where rules changed it.
fn may_pass(
    snapshot: &Snapshot,
    choice: &Choice,
    message: &Message<'_>,
    leaves: bool,
    trace: &mut Trace,
) -> Result<Option<String>, Box<policy::Refused>> {
    let leaves = leaves && choice.service == Service::Gateway;
    if message.method() == Method::Options && !leaves {
        return Ok(None);
    }
    let (mut number, mut direction) = (String::new(), session::Kind::Inbound);
    if choice.service == Service::Gateway {
        number::wanted(message, &mut number);
        direction = session::Kind::Outbound;
    }
    let asked = policy::Asked {
        tenant: choice.tenant,
        profile: choice.profile,
        service: choice.service,
        direction,
        counts_as: direction,
        transfer: false,
        number: &number,
        session: usize::MAX,
        inside: 0,
        priority: false,
    };
    let judges = policy::judges(snapshot, asked.tenant, asked.profile);
    policy::permit::permit(&judges, &asked, trace)
}
