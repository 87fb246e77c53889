//! What happens in a dialog and is told by an update record (rm.md §9.2): a refresh that has
//! failed, and a resource that has given the call to another one.
//!
//! Must not end anything: `relay` does.

use std::sync::Arc;

use model::config::Service;
use model::record::UpdateReason;
use model::time::Now;
use sip::uri::Uri;

use super::hop::is_secure;
use crate::output::FrameKind;
use crate::pool::{Member, Occupant};
use crate::proxy::Proxy;
use crate::session::{State, Text};

/// Answers after which the same is asked again, in another way.
const ASKED_AGAIN: [u16; 4] = [401, 407, 422, 491];

impl Proxy {
    /// A re-INVITE or UPDATE of a leg with a session timer was refused, or could not be sent, and
    /// the leg lives on: it ends by its timer unless another refresh comes.
    pub(crate) fn refresh_failed(&mut self, now: Now, key: usize, status: Option<u16>) {
        let again = status.is_some_and(|status| ASKED_AGAIN.contains(&status));
        let watched =
            |leg: &crate::session::Leg| leg.state == State::Up && leg.session_timer.is_some();
        if !again && self.table.leg(key).is_some_and(watched) {
            self.record_update(now, key, UpdateReason::RefreshFailed, FrameKind::Data);
        }
    }

    /// The called side has told another address. Where another resource of its service is declared
    /// there, the leg takes its place on that one: load follows the call. A leg of a conference
    /// stays where its conference is.
    pub(crate) fn follow_resource(&mut self, now: Now, key: usize) {
        let Some((from, to)) = self.other_resource(now, key) else { return };
        let Some(leg) = self.table.leg_mut(key) else { return };
        let (occupant, direction) = (Occupant::Leg(key), leg.kind.direction());
        leg.resource = self.pool.get(to).map(|member| Arc::clone(&member.names));
        self.pool.free(from, occupant);
        self.pool.occupy(to, occupant, direction);
        // its frame is opened again, so that a restart finds it there
        self.record_update(now, key, UpdateReason::ResourceChanged, FrameKind::Open);
    }

    /// The resource that a leg was on, and the one whose address its called side has told.
    fn other_resource(&self, now: Now, key: usize) -> Option<(usize, usize)> {
        let leg = self.table.leg(key).filter(|leg| leg.state == State::Up)?;
        let from = self.pool.key_of(leg.resource.as_ref()?.dbid)?;
        let told = leg.texts.get(Text::CalleeTarget);
        let remote = self.flow_to(now, &Uri::parse(told).ok()?, is_secure(told)).ok()?.remote;
        let is_there = |one: &Member| one.reach.all().any(|target| target.remote == remote);
        let stays = self.pool.get(from).is_none_or(is_there);
        if stays || self.pool.conferences.of_leg(key).is_some() {
            return None;
        }
        let offers = |one: &Member| self.offers(one, leg.service);
        let mut all = self.pool.configured();
        let (to, _) = all.find(|(_, one)| is_there(one) && offers(one))?;
        Some((from, to))
    }

    fn offers(&self, member: &Member, service: Service) -> bool {
        member.configured.is_some_and(|ix| {
            let group = self.snapshot.resource(ix).group;
            self.snapshot.group(group).services.contains(&service)
        })
    }
}
