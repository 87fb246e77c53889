//! A leg enters its conference when it takes its place, and finds it again after a restart
//! (rm.md §7.7, §11.6); one of a recording has its name.
//!
//! Between place, which has chosen the server, and forward. What a conference is stands in
//! `pool::conference`.

use model::id::Dbid;

use crate::pool::conference::{self, Instance};
use crate::pool::{Plan, Wish};
use crate::proxy::Proxy;
use crate::session::Text;

impl Proxy {
    /// A leg has its place on a server: it is in the conference of its plan. `listener`: where the
    /// call came in.
    pub(crate) fn enter_conference(
        &mut self,
        plan: &Plan,
        leg: usize,
        member: usize,
        listener: u8,
    ) {
        let (Some(wish), Some(key)) = (&plan.conference, plan.conference_key()) else { return };
        let resource = self.pool.get(member).map_or(Dbid(0), |one| one.names.dbid);
        let started = self.table.leg(leg).map(|leg| leg.started);
        let (Some(started), Some(listener)) = (started, self.listener(listener)) else { return };
        let (host, port) = &listener.advertise;
        let name = conference::name(started, (host, *port));
        self.pool.enter_conference(leg, Instance::new(key, member, resource, wish, name));
        let Some(instance) = self.pool.conferences.of_leg(leg) else { return };
        let kept = instance.kept();
        let texts = [(Text::Conference, wish.id.as_str()), (Text::Instance, kept.as_str())];
        if let Some(leg) = self.table.leg_mut(leg) {
            leg.texts.set(&texts, &mut self.buffers);
        }
    }

    /// A leg of a recording has the name of the recording's first leg, which `other` has kept
    /// (rm.md §1.4); it is the first itself where there is no other.
    pub(crate) fn name_recording(&mut self, leg: usize, other: Option<usize>, listener: u8) {
        let kept = other.and_then(|other| self.table.leg(other));
        let kept =
            kept.map(|other| other.texts.get(Text::Instance)).filter(|kept| !kept.is_empty());
        let started = self.table.leg(leg).map(|leg| leg.started);
        let (Some(started), Some(listener)) = (started, self.listener(listener)) else { return };
        let (host, port) = &listener.advertise;
        let own = || conference::name(started, (host, *port));
        let name = kept.map_or_else(own, str::to_owned);
        if let Some(leg) = self.table.leg_mut(leg) {
            leg.texts.set(&[(Text::Instance, &name)], &mut self.buffers);
        }
    }

    /// What the Record-Route of a leg names: its conference, or its recording.
    pub(crate) fn instance_of(&self, leg: usize) -> Option<&str> {
        if let Some(conference) = self.pool.conferences.of_leg(leg) {
            return Some(&conference.confinstid);
        }
        let texts = &self.table.leg(leg)?.texts;
        let recording = texts.get(Text::Conference).is_empty();
        Some(texts.get(Text::Instance)).filter(|name| recording && !name.is_empty())
    }

    /// A leg that was up before a restart is in its conference again.
    pub(crate) fn back_to_conference(&mut self, leg: usize, member: usize) {
        let Some((session, own)) = self.table.both(leg) else { return };
        let (id, kept) = (own.texts.get(Text::Conference), own.texts.get(Text::Instance));
        let tenant = session.tenant.as_ref().map_or(Dbid(0), |tenant| tenant.dbid);
        let Some((wish, name)) = Wish::restored(id, kept) else { return };
        let key = (tenant, own.service, id.to_owned());
        let resource = self.pool.get(member).map_or(Dbid(0), |one| one.names.dbid);
        self.pool.enter_conference(leg, Instance::new(key, member, resource, &wish, name));
    }
}
