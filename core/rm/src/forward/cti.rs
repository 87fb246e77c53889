//! What becomes of a call that no CTI connector takes (rm.md §3.5): refused, given the service of
//! its profile, or a script.
//!
//! The leg stays the same, and its session stays one of CTI. Which answers of a connector mean
//! what is [`Proxy::instead`]; that a connector has failed is judged by `failover`.

use std::sync::Arc;

use model::config::{CtiAction, Service};
use model::id::Dbid;
use model::time::Now;

use super::verdict::Outcome;
use crate::admit::{Request, Source, Who};
use crate::call::Call;
use crate::pool::{Asks, Pick, Plan};
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

impl Proxy {
    /// What an answer of a connector of this group brings about; None: the hunt goes on, or its
    /// answer goes back.
    pub(crate) fn instead(&self, key: usize, group: Dbid, outcome: Outcome) -> Option<CtiAction> {
        let hunt = self.hunts.get(key).filter(|hunt| hunt.plan.service == Service::Cti)?;
        let Outcome::Answer(code) = outcome else { return None };
        if hunt.cancelled {
            return None;
        }
        if code == 404 {
            return Some(CtiAction::Answer);
        }
        let (_, group) = self.snapshot.groups().find(|(_, one)| one.dbid == group)?;
        let stops = group.cti.stops.as_ref().unwrap_or(&self.options.cti_stops);
        let action = group.cti.stopped.as_ref().unwrap_or(&self.options.cti_stopped);
        stops.contains(code).then(|| action.clone())
    }

    /// What is to happen when all connectors have failed: as the first group says.
    pub(crate) fn when_exhausted(&self, plan: &Plan) -> CtiAction {
        let tenant = self.snapshot.tenant_by_dbid(plan.tenant);
        let groups =
            tenant.map_or(&[][..], |tenant| self.snapshot.groups_for(tenant, Service::Cti));
        let first = groups.first().map(|group| self.snapshot.group(*group));
        first.map_or(CtiAction::Reject, |group| group.cti.exhausted.clone())
    }

    /// Selects, authorises and places again, as if there were no CTI.
    ///
    /// # Errors
    /// `cti-unavailable`, and what any call may be refused for.
    pub(crate) fn instead_of_cti(
        &mut self,
        request: &Request<'_, '_>,
        call: &mut Call,
        action: &CtiAction,
    ) -> Result<Pick, No> {
        if *action == CtiAction::Reject {
            let status = Some(self.options.resource_unavailable_respcode);
            return Err(No::from(Reason::CtiUnavailable).with_status(status));
        }
        let snapshot = Arc::clone(&self.snapshot);
        let mut choice = self.choose(&snapshot, request, call, true)?;
        if let CtiAction::Script { service, url } = action {
            choice.service = *service;
            choice.page = Some(url.clone());
        }
        let Plan { tenant, profile, explained, .. } = call.plan;
        call.plan = Plan { explained, ..Plan::of(tenant, profile, choice.service) };
        self.is_chosen(&snapshot, request, call, choice)?;
        if self.drops_capabilities(&call.source) {
            call.plan.asks = call.plan.asks.take().map(without_capabilities);
        }
        self.authorise(&snapshot, request, call)?;
        self.place(&snapshot, request.now, call)
    }

    /// Whether the gateway that it came from gives up what its calls ask a resource to be able to.
    fn drops_capabilities(&self, source: &Source) -> bool {
        let Who::Resource(number) = source.who else { return false };
        let resource = self.snapshot.nth_resource(number);
        resource.is_some_and(|resource| {
            self.snapshot.group(resource.group).remove_ruri_capability_on_fallback
        })
    }

    /// The hunt goes on without connectors.
    pub(crate) fn go_on_instead(&mut self, now: Now, key: usize, action: &CtiAction) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let bytes = std::mem::take(&mut hunt.request);
        let sent = self.without_connector(now, key, action, &bytes);
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.request = bytes;
        }
        let sent = sent.and_then(|pick| self.first_try(now, key, pick, None));
        match sent {
            Ok(()) => {}
            Err(no) if self.passes_over(key, &no) => self.next_try(now, key, None),
            Err(no) => self.finish_hunt(now, key, &no),
        }
    }

    fn without_connector(
        &mut self,
        now: Now,
        key: usize,
        action: &CtiAction,
        bytes: &[u8],
    ) -> Result<Pick, No> {
        let internal = || No::from(Reason::Internal);
        let hunt = self.hunts.get_mut(key).ok_or_else(internal)?;
        let limits = self.limits;
        let message = sip::parse::parse(bytes, &limits).map_err(|_| internal())?;
        let source = self.sources.of(&self.settings, hunt.ingress);
        let request = Request {
            now,
            id: hunt.server,
            flow: hunt.ingress,
            message: &message,
            source,
            hash: hunt.hash,
        };
        let mut call = Call {
            leg: hunt.leg,
            source,
            choice: None,
            plan: hunt.plan.clone(),
            number: None,
            through: None,
            outside: None,
            story: std::mem::take(&mut hunt.story),
        };
        let placed = self.instead_of_cti(&request, &mut call, action);
        let placed = placed.and_then(|pick| Ok((pick, self.target_of(&request, &call)?)));
        let hunt = self.hunts.get_mut(key).ok_or_else(internal)?;
        hunt.story = call.story;
        let (pick, target) = placed?;
        hunt.plan = call.plan;
        // what takes the place of the connectors is given the time of a hunt too
        hunt.began = now.mono;
        let worse = hunt.best.take();
        let former = std::mem::replace(&mut hunt.target, target);
        former.release(&mut self.buffers);
        if let Some((_, bytes)) = worse {
            self.buffers.release(bytes);
        }
        Ok(pick)
    }
}

/// The location alone is asked for.
fn without_capabilities(asks: Arc<Asks>) -> Arc<Asks> {
    Arc::new(Asks { requires: Vec::new(), ..Arc::unwrap_or_clone(asks) })
}
