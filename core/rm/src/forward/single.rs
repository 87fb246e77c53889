//! Requests outside dialogs that are no calls (rm.md §1.5): MESSAGE, unknown methods and OPTIONS
//! through RM. Selected like an INVITE, forwarded to one resource, no session, no record.
//!
//! Permissions apply except for OPTIONS, limits do not. There is no second try.

use std::sync::Arc;
use std::time::Duration;

use model::time::Now;
use sip::endpoint::ClientOptions;
use sip::locate::Target;
use sip::method::Method;
use sip::transport::Flow;

use super::draft::Draft;
use super::failover::Outcome;
use super::through::Onward;
use super::{rewrite, routes};
use crate::admit::Request;
use crate::dialog::{Placed, Relay};
use crate::pool::Plan;
use crate::pool::health::Tried;
use crate::proxy::{ClientUse, Proxy, ServerUse};
use crate::record::trace::Trace;
use crate::reject::{No, Reason};
use crate::select::{self, number};

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
        let (message, snapshot) = (request.message, Arc::clone(&self.snapshot));
        let mut trace = Trace::default();
        let (mut dn, mut ani) = (String::new(), String::new());
        number::dialled(message, &self.options, &mut dn);
        number::calling(message, &mut ani);
        let choice = select::select(&snapshot, &self.options, &source, message, &dn, &mut trace)?;
        let options = request.method() == Method::Options;
        if choice.disabled {
            return Err(Reason::Disabled.into());
        }
        let profile = snapshot.profile(choice.profile);
        let mut policies = snapshot.chain(choice.tenant).map(|one| &snapshot.tenant(one).policy);
        let allowed =
            profile.policy.allows(choice.service) && policies.all(|one| one.allows(choice.service));
        if !options && !allowed {
            return Err(Reason::ServiceForbidden.into());
        }
        let tenant = snapshot.tenant(choice.tenant).dbid;
        let mut plan = Plan::of(tenant, choice.service);
        plan.secure = crate::call::is_secure(message);
        let pick = self.pool.place(request.now, &snapshot, &self.options, &mut plan, &mut trace)?;
        let internal = || No::from(Reason::Internal);
        let line = message.request().ok_or_else(internal)?;
        let facts = rewrite::Facts { dnis: &dn, ani: &ani, session: None, uuid: "" };
        let text = String::new();
        let target = rewrite::target(&snapshot, &choice, &line.target, source.trusted, facts, text);
        let address =
            self.pool.get(pick.member).and_then(|one| one.address.clone()).ok_or_else(internal)?;
        let member = self.pool.get(pick.member).ok_or_else(internal)?;
        let (through, targets) = (through.is_some(), through.map(|through| through.targets));
        let order = match targets {
            Some(targets) => targets,
            None => member.reach.order(request.now.mono, &mut self.chance),
        };
        let Target { transport, remote } = *order.first().ok_or_else(internal)?;
        let index = self.egress(transport, remote).ok_or_else(internal)?;
        self.branches += 1;
        let listener = self.listener(index).ok_or_else(internal)?;
        let mut draft = Draft::default();
        let Draft { start, top, edits, .. } = &mut draft;
        self.via(listener, transport, self.branches, request.hash, top);
        if message.max_forwards().is_none() {
            top.push_str("Max-Forwards: 70\r\n");
        }
        start.push_str(line.method.as_str());
        start.push(' ');
        target.write(&address, start)?;
        let aim = self.aim(message, start, transport)?;
        rewrite::hop(message, request.flow, edits);
        routes::write(message, aim.gone, aim.last.as_deref(), edits);
        for header in message.headers().filter(|one| rewrite::is_internal(one, source.trusted)) {
            edits.drop(header.index);
        }
        draft.write(message);
        let flow = Flow { transport, listener: index, remote, conn: None };
        let options = ClientOptions::default();
        let client = self.endpoint.request(request.now.mono, flow, &draft.bytes, options);
        let bytes = self.buffers.keep(message.raw());
        let placed = Placed { member: pick.member, plan, through };
        let relay = self.relays.insert(Relay::outside(request, client, bytes, placed));
        self.clients.insert(client, ClientUse::Relay(relay));
        self.servers.insert(request.id, ServerUse::Relay(relay));
        Ok(())
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
            self.tell_member(now, placed.member, tried, &outcome.to_string());
        }
        let no = || self.pool.none(now, &self.snapshot, &self.options, &placed.plan);
        (outcome != Outcome::Timeout).then(no)
    }
}
