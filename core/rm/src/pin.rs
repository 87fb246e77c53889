//! The resource that a call must go to because another one is there (rm.md §7.7): the holder of a
//! dialog, the connector and the gateway of a CTI session, the gateway by which a session came in,
//! the servers of a recording, the media server of a call of the SIP Server.
//!
//! Between select and place. Worked out from the legs that live, never kept apart from them.

use model::config::{Policy, SameGateway, Service};
use model::id::Dbid;
use sip::message::Message;

use crate::admit::Request;
use crate::call::Call;
use crate::pool::{Hold, Pin, Plan, Wish};
use crate::proxy::Proxy;
use crate::select::{Choice, cucm};
use crate::session::{Leg, Text};

impl Proxy {
    /// Where a call is pinned to, if it is; what it shares with others is noted on its leg.
    pub(crate) fn pin(
        &mut self,
        request: &Request<'_, '_>,
        call: &Call,
        choice: &Choice,
    ) -> Option<Pin> {
        let held = self.holder(request.message).map(Pin::dialog);
        let cti = self.pin_of_cti(call, choice);
        let cti = cti.map(|resource| Pin { resource, hold: Hold::Hard });
        let shared = self.pin_of_what_is_shared(request, call, choice);
        let msml = choice.service == Service::Msml;
        let hold = if msml { Hold::Soft } else { Hold::WhileAlive };
        let shared = shared.map(|resource| Pin { resource, hold });
        held.or(cti).or(shared).or_else(|| self.pin_of_same_gateway(call, choice))
    }

    /// Where a request that is no call belongs: with the holder of the dialog that it names, or
    /// where its conference is. It takes no place there, so it needs none.
    pub(crate) fn pin_of_single(
        &self,
        plan: &Plan,
        message: &Message<'_>,
        conference: Option<Wish>,
    ) -> Option<Pin> {
        let conference = conference.and_then(|wish| {
            let key = (plan.tenant, plan.service, wish.id);
            Some(self.pool.conferences.find(&key)?.resource)
        });
        self.holder(message).or(conference).map(Pin::dialog)
    }

    /// Where the policy wants it, what leads outside leaves through the gateway that its session
    /// came in by (`use_same_gateway`).
    fn pin_of_same_gateway(&self, call: &Call, choice: &Choice) -> Option<Pin> {
        if choice.service != Service::Gateway {
            return None;
        }
        let (session, _) = self.table.both(call.leg)?;
        let resource = session.gateway?;
        let said = |policy: &Policy| policy.use_same_gateway;
        match self.snapshot.nearest(choice.tenant, choice.profile, said)? {
            SameGateway::No => None,
            SameGateway::Preferred => Some(Pin { resource, hold: Hold::Soft }),
            SameGateway::Required => Some(Pin { resource, hold: Hold::Hard }),
        }
    }

    /// In a CTI session: what a media server asks for goes to the connector, what the connector
    /// asks for goes out where the call came in.
    fn pin_of_cti(&self, call: &Call, choice: &Choice) -> Option<Dbid> {
        let (session, own) = self.table.both(call.leg)?;
        if !session.cti {
            return None;
        }
        match choice.service {
            Service::Cti => {
                let others = |leg: &&Leg| leg.id != own.id && leg.service == Service::Cti;
                self.resource_of(session.legs.iter().copied(), others)
            }
            Service::Gateway => session.gateway,
            _ => None,
        }
    }

    /// The calls of one recording stay together as long as their server lives, the msml legs of one
    /// call of the SIP Server if they can.
    fn pin_of_what_is_shared(
        &mut self,
        request: &Request<'_, '_>,
        call: &Call,
        choice: &Choice,
    ) -> Option<Dbid> {
        let mut shared = std::mem::take(&mut self.scratch);
        shared.clear();
        let call_uuid = self.table.leg(call.leg).map_or("", |leg| leg.texts.get(Text::CallUuid));
        what_is_shared(request.message, choice.service, call_uuid, &mut shared);
        let other = self.who_shares(call, choice.service, &shared);
        if is_recording(choice.service, &shared) {
            self.name_recording(call.leg, other, request.flow.listener);
        }
        if !shared.is_empty()
            && let Some(leg) = self.table.leg_mut(call.leg)
            && leg.texts.get(Text::Affinity).is_empty()
        {
            leg.texts.set(&[(Text::Affinity, &shared)], &mut self.buffers);
            self.table.index_affinity(call.leg);
        }
        self.scratch = shared;
        self.table.leg(other?)?.resource.as_ref().map(|names| names.dbid)
    }

    /// Another leg of the same recording, or of the same call.
    fn who_shares(&self, call: &Call, service: Service, shared: &str) -> Option<usize> {
        if !shared.is_empty() {
            return self.table.leg_of_affinity(call.plan.tenant, shared);
        }
        let (session, own) =
            self.table.both(call.leg).filter(|_| service == Service::Recordingclient)?;
        let is_other = |key: &usize| {
            let leg = self.table.leg(*key);
            leg.is_some_and(|leg| {
                leg.id != own.id && leg.service == service && leg.resource.is_some()
            })
        };
        session.legs.iter().copied().find(is_other)
    }

    /// The resource of the first of these legs that has one.
    fn resource_of(
        &self,
        legs: impl Iterator<Item = usize>,
        wanted: impl Fn(&&Leg) -> bool,
    ) -> Option<Dbid> {
        let mut legs = legs.filter_map(|key| self.table.leg(key)).filter(wanted);
        legs.find_map(|leg| leg.resource.as_ref().map(|names| names.dbid))
    }
}

/// Whether legs that share this are those of one recording.
fn is_recording(service: Service, shared: &str) -> bool {
    match service {
        Service::Recordingclient | Service::Recordingserver => true,
        // the two calls of a phone that is recorded
        Service::Announcement => !shared.is_empty(),
        _ => false,
    }
}

/// Appends what all calls of one recording, or msml legs of one call, have in common.
fn what_is_shared(message: &Message<'_>, service: Service, call_uuid: &str, out: &mut String) {
    let user = message.request().and_then(|line| line.target.user).unwrap_or_default();
    match service {
        Service::Announcement => {
            if let Some(cucm) = cucm::cucm(message) {
                cucm.key(out);
            }
        }
        Service::Recordingserver | Service::Recordingclient => {
            let id = user.split_once('=').map(|(_, id)| id);
            if let Some(id) =
                id.filter(|_| Service::of_user(user) == Some(Service::Recordingserver))
            {
                out.push_str("record ");
                out.push_str(id);
            }
        }
        Service::Msml if !call_uuid.is_empty() => {
            out.push_str("msml ");
            out.push_str(call_uuid);
        }
        _ => {}
    }
}
