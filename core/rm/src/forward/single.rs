//! Requests outside dialogs that are no calls (rm.md §1.5): MESSAGE, unknown methods and OPTIONS
//! through RM. Selected like an INVITE, forwarded to one resource, no session, no record.
//!
//! Permissions apply except for OPTIONS, limits do not. There is no second try.

use std::sync::Arc;
use std::time::Duration;

use model::snapshot::Snapshot;
use model::time::Now;
use sip::endpoint::ClientOptions;
use sip::locate::Target;
use sip::method::Method;
use sip::transport::Flow;

use super::draft::Draft;
use super::failover::Outcome;
use super::through::{Onward, Through};
use super::{rewrite, routes};
use crate::admit::{Request, Source};
use crate::dialog::{Placed, Relay};
use crate::pool::Plan;
use crate::pool::health::Tried;
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::record::Story;
use crate::reject::{No, Reason};
use crate::select::{self, Choice, number};

/// What a request outside dialogs is worked out in; the memory is the engine's and goes back to it.
struct Desk {
    story: Story,
    /// The dialled number and, behind it, the calling one.
    numbers: String,
    draft: Draft,
}

impl Proxy {
    /// Admit, select, authorise, place, forward: without a session.
    ///
    /// # Errors
    /// As for a call.
    pub(crate) fn on_single(&mut self, request: &Request<'_, '_>) -> Result<(), No> {
        let source = self.admit(request)?;
        let through = match self.onward(request)? {
            Onward::Known(through) => through,
            Onward::Waits => return Ok(()),
        };
        let (story, draft) = (self.recorder.story(), self.fresh_draft());
        let mut desk = Desk { story, numbers: std::mem::take(&mut self.scratch), draft };
        let done = self.pass_single(request, &source, through, &mut desk);
        let Desk { story, numbers, draft } = desk;
        self.recorder.told(story);
        (self.scratch, self.draft) = (numbers, draft);
        done
    }

    fn pass_single(
        &mut self,
        request: &Request<'_, '_>,
        source: &Source,
        through: Option<Box<Through>>,
        desk: &mut Desk,
    ) -> Result<(), No> {
        let (message, snapshot) = (request.message, Arc::clone(&self.snapshot));
        let Desk { story, numbers, draft } = desk;
        numbers.clear();
        number::dialled(message, &self.options, numbers);
        let dialled = numbers.len();
        number::calling(message, numbers);
        let (dnis, ani) = numbers.split_at(dialled);
        let trace = &mut story.trace;
        let choice = select::select(&snapshot, &self.options, source, message, dnis, trace)?;
        may_pass(&snapshot, &choice, request.method())?;
        let mut plan = Plan::of(snapshot.tenant(choice.tenant).dbid, choice.service);
        plan.secure = crate::call::is_secure(message);
        let pick = self.pool.place(request.now, &snapshot, &self.options, &mut plan, trace)?;
        let internal = || No::from(Reason::Internal);
        let line = message.request().ok_or_else(internal)?;
        let facts = rewrite::Facts { dnis, ani, session: None, uuid: "" };
        let text = std::mem::take(&mut draft.top);
        let uri = rewrite::target(&snapshot, &choice, &line.target, source.trusted, facts, text);
        let (is_through, targets) = (through.is_some(), through.map(|through| through.targets));
        let member = self.pool.get(pick.member).ok_or_else(internal)?;
        let order = match targets {
            Some(targets) => targets,
            None => member.reach.order(request.now.mono, &mut self.chance),
        };
        let to = *order.first().ok_or_else(internal)?;
        self.branches += 1;
        let (uri, text) = uri.kept(&mut self.buffers);
        draft.top = text;
        let written = self.write_single(request, source, &uri, (pick.member, to), draft);
        uri.release(&mut self.buffers);
        let (flow, options) = (written?, ClientOptions::default());
        let client = self.endpoint.request(request.now.mono, flow, &draft.bytes, options);
        let bytes = self.buffers.keep(message.raw());
        let placed = Placed { member: pick.member, plan, through: is_through };
        let relay = self.relays.insert(Relay::outside(request, client, bytes, placed));
        self.clients.insert(client, ClientUse::Relay(relay));
        self.servers.insert(request.id, ServerUse::Relay(relay));
        Ok(())
    }

    /// Writes it as it goes to this address of a resource.
    fn write_single(
        &self,
        request: &Request<'_, '_>,
        source: &Source,
        uri: &rewrite::Target,
        (member, to): (usize, Target),
        draft: &mut Draft,
    ) -> Result<Flow, No> {
        let (message, Target { transport, remote }) = (request.message, to);
        let internal = || No::from(Reason::Internal);
        let member = self.pool.get(member).ok_or_else(internal)?;
        let address = member.address.as_ref().ok_or_else(internal)?;
        let index = self.egress(transport, remote).ok_or_else(internal)?;
        let listener = self.listener(index).ok_or_else(internal)?;
        draft.clear();
        let Draft { start, top, edits, .. } = draft;
        self.via(listener, transport, self.branches, request.hash, top);
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        start.push_str(message.method().as_str());
        start.push(' ');
        uri.write(address, start)?;
        let aim = self.aim(message, start, transport)?;
        rewrite::hop(message, request.flow, edits);
        routes::write(message, aim.gone, aim.last.as_deref(), edits);
        for header in message.headers().filter(|one| rewrite::is_internal(one, source.trusted)) {
            edits.drop(header.index);
        }
        draft.write(message);
        Ok(Flow { transport, listener: index, remote, conn: None })
    }

    /// What became of a request outside dialogs without a usable answer: its resource is told as
    /// after a failed try (rm.md §7.8), and this is the "no" for its sender (§7.9), who is not told
    /// of a timeout: no 408 to anything but INVITE (RFC 4320).
    pub(crate) fn single_failed(
        &mut self,
        now: Now,
        placed: &Placed,
        outcome: Outcome,
        retry_after: Option<u32>,
    ) -> Option<No> {
        let tried = match retry_after {
            Some(seconds) => Tried::Full(Duration::from_secs(u64::from(seconds))),
            None => Tried::Failed,
        };
        if matches!(outcome, Outcome::Answer(_)) || !placed.through {
            self.tell_member(now, placed.member, tried, outcome);
        }
        let no = || self.pool.none(now, &self.snapshot, &self.options, &placed.plan);
        (outcome != Outcome::Timeout).then(no)
    }
}

/// Permissions apply to whatever is passed on, but to questions.
fn may_pass(snapshot: &Snapshot, choice: &Choice, method: Method<'_>) -> Result<(), No> {
    if choice.disabled {
        return Err(Reason::Disabled.into());
    }
    let own = &snapshot.profile(choice.profile).policy;
    let mut above = snapshot.chain(choice.tenant).map(|one| &snapshot.tenant(one).policy);
    let service = choice.service;
    if method != Method::Options
        && !(own.allows(service) && above.all(|policy| policy.allows(service)))
    {
        return Err(Reason::ServiceForbidden.into());
    }
    Ok(())
}
