//! From the tables to the views: walks what is asked for, in the order of GUIDs and of the
//! configuration.

use std::time::Duration;

use model::id::Guid;

use super::{CallDetail, CallFilter, CallSlice, CallView, LegView, ResourceView, Status};
use crate::input::{NodeState, Will};
use crate::limits;
use crate::pool::Member;
use crate::proxy::Proxy;
use crate::session::{Leg, Session, Text};

impl Proxy {
    /// What the engine knows of itself.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            name: self.settings.name.clone(),
            node_id: self.settings.node_id.0,
            boot: self.settings.boot.0,
            state: match self.state {
                NodeState::Starting => "starting",
                NodeState::Ready => "ready",
                NodeState::Draining => "draining",
            },
            config_rev: self.snapshot.revision.0,
            sessions: self.table.sessions(),
            legs: self.table.legs(),
            transactions_pending: self.endpoint.pending(),
            transactions_finished: self.endpoint.finished(),
        }
    }

    /// Sessions behind `after` in the order of their GUIDs, at most `limit`. Looks at a bounded
    /// number of them, so that a turn stays short: what is wanted of them may be less than `limit`,
    /// or nothing, and yet there are more.
    #[must_use]
    pub fn calls(&self, filter: &CallFilter, after: Option<Guid>, limit: usize) -> CallSlice {
        let mut slice = CallSlice::default();
        let mut all = self.table.walk(after).map(|(_, session)| session).peekable();
        for looked in 1..=limits::CALLS_LOOKED_AT {
            let Some(session) = all.next() else { break };
            if self.is_wanted(session, filter) {
                slice.calls.push(view(session));
            }
            if looked == limits::CALLS_LOOKED_AT || slice.calls.len() >= limit {
                slice.next = all.peek().map(|_| session.guid);
                break;
            }
        }
        slice
    }

    /// One session with all its legs.
    #[must_use]
    pub fn call(&self, guid: Guid) -> Option<CallDetail> {
        let session = self.table.session(self.table.session_of(guid)?)?;
        let shown = |key: &usize| {
            let story = self.stories.get(key);
            let trace = story.map(|story| story.trace.shown()).unwrap_or_default();
            Some(LegView { trace, ..leg_view(self.table.leg(*key)?) })
        };
        let mut leg: Vec<LegView> = session.legs.iter().filter_map(shown).collect();
        leg.sort_by_key(|leg| leg.id);
        Some(CallDetail { call: view(session), config_rev: session.revision, leg })
    }

    /// All resources of the configuration, group by group.
    #[must_use]
    pub fn resources(&self) -> Vec<ResourceView> {
        self.pool.configured().map(|(_, member)| self.resource_view(member)).collect()
    }

    /// One resource.
    #[must_use]
    pub fn resource(&self, group: &str, name: &str) -> Option<ResourceView> {
        let ix = self.snapshot.resource_by_name(name)?;
        let member = self.pool.get(self.pool.key_of(self.snapshot.resource(ix).dbid)?)?;
        (member.names.group == group).then(|| self.resource_view(member))
    }

    /// What operators want of resources, by their names.
    pub fn wills(&self) -> impl Iterator<Item = (&str, Will)> {
        self.pool.wills.iter().map(|(name, will)| (name.as_str(), *will))
    }

    fn resource_view(&self, member: &Member) -> ResourceView {
        let oldest = member.legs().next().and_then(|leg| self.table.leg(leg));
        let oldest = oldest.map(|leg| leg.started);
        ResourceView { oldest, ..resource_view(member, self.seen.mono) }
    }

    fn legs_of<'a>(&'a self, session: &'a Session) -> impl Iterator<Item = &'a Leg> {
        session.legs.iter().filter_map(|key| self.table.leg(*key))
    }

    fn is_wanted(&self, session: &Session, filter: &CallFilter) -> bool {
        let is = |wanted: &Option<String>, have: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| have == Some(wanted))
        };
        let any = |wanted: &Option<String>, of: fn(&Leg) -> Option<&str>| {
            wanted.is_none() || self.legs_of(session).any(|leg| is(wanted, of(leg)))
        };
        is(&filter.tenant, session.tenant.as_ref().map(|tenant| tenant.name.as_str()))
            && is(&filter.profile, session.profile.as_ref().map(|profile| profile.name.as_str()))
            && filter.before.is_none_or(|before| session.started < before)
            && any(&filter.resource, |leg| leg.resource.as_ref().map(|one| one.name.as_str()))
            && any(&filter.state, |leg| Some(leg.state.as_str()))
            && any(&filter.call_id, |leg| Some(leg.texts.get(Text::CallId)))
    }
}

fn view(session: &Session) -> CallView {
    CallView {
        session: session.guid,
        tenant: session.tenant.as_ref().map(|tenant| tenant.name.clone()),
        profile: session.profile.as_ref().map(|profile| profile.name.clone()),
        legs: session.legs.len(),
        started: session.started,
    }
}

fn leg_view(leg: &Leg) -> LegView {
    LegView {
        id: leg.id,
        epoch: leg.epoch.0,
        state: leg.state.as_str(),
        service: leg.service.as_str(),
        resource: leg.resource.as_ref().map(|one| format!("{}/{}", one.group, one.name)),
        selected_by: leg.selected_by.map_or("", |by| by.as_str()).to_owned(),
        placed_by: leg.placed_by.to_string(),
        call_id: leg.texts.get(Text::CallId).to_owned(),
        started: leg.started,
        answered: leg.answered,
        rebuilt: leg.rebuilt,
        trace: Vec::new(),
    }
}

fn resource_view(member: &Member, now: Duration) -> ResourceView {
    ResourceView {
        group: member.names.group.clone(),
        name: member.names.name.clone(),
        dbid: member.names.dbid.0,
        source: member.source.as_str(),
        address: member.names.address.clone(),
        state: member.shown(now).as_str(),
        admin: member.admin.as_str(),
        configured: member.configured_admin.as_str(),
        deadline: member.until,
        used: member.used(),
        oldest: None,
        capacity: member.capacity,
        total: member.total,
        #[expect(clippy::cast_precision_loss, reason = "a round trip is far below 2^53 µs")]
        rtt_ms: member.probe.rtt_us.map(|us| us as f64 / 1000.0),
        last_error: member.last_error.clone(),
    }
}
