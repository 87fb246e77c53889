//! A resource for which a request is too large is passed over (rm.md §1.2): that is no failed try,
//! and the next one, which may speak TCP, is asked.
//!
//! For calls and for what is selected like them. Which message is too large says `size`.

use std::sync::Arc;

use model::record::{Stage, Verdict};
use model::time::Now;

use super::trust::Trust;
use crate::dialog::Placed;
use crate::dialog::again::Single;
use crate::forward::egress;
use crate::pool::Occupant;
use crate::proxy::Proxy;
use crate::record::trace::{Trace, step};
use crate::reject::{No, Reason};

impl Proxy {
    /// Whether this "no" of the try that was to be sent is for the resource alone, which is passed
    /// over and leaves its place. Behind a Route entry of the sender all are reached alike.
    pub(crate) fn passes_over(&mut self, key: usize, no: &No) -> bool {
        let Some(hunt) = self.hunts.get_mut(key) else { return false };
        let chosen = hunt.plan.tried.last().and_then(|(dbid, _)| self.pool.key_of(*dbid));
        let Some(member) = chosen.filter(|_| no.reason == Reason::TooLarge) else { return false };
        if hunt.through.is_some() || !hunt.plan.pass_over() {
            return false;
        }
        let occupant = Occupant::Leg(hunt.leg);
        self.pool.free(member, occupant);
        if let Some(one) = self.pool.get(member) {
            let why = no.reason.word();
            let step = step(Stage::Forward, &one.names.name, Verdict::Skipped, &why);
            hunt.story.trace.push(step);
        }
        true
    }

    /// Another resource for a request that is no call; false when there is none.
    pub(crate) fn passes_single_over(
        &mut self,
        now: Now,
        single: &mut Single,
        placed: &mut Placed,
        trust: &mut Trust,
    ) -> bool {
        if placed.through || !placed.plan.pass_over() {
            return false;
        }
        let (snapshot, mut trace) = (Arc::clone(&self.snapshot), Trace::default());
        let plan = &mut placed.plan;
        let Ok(pick) = self.pool.place(now, &snapshot, &self.options, plan, &mut trace) else {
            return false;
        };
        let Some(member) = self.pool.get(pick.member) else { return false };
        let Some(address) = &member.address else { return false };
        let fixed = egress::fixed_transport(address).is_some();
        let mut others = member.reach.order(now.mono, &mut self.chance);
        if others.is_empty() {
            return false;
        }
        let to = others.remove(0);
        if !self.options.dns_routing {
            others.clear();
        }
        placed.member = pick.member;
        (single.member, single.to, single.others, single.fixed) = (pick.member, to, others, fixed);
        trust.to = self.trusts_resource(pick.group, to);
        true
    }
}
