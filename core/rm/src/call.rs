//! A call between admit and forward: handed from stage to stage, with what each adds.
//!
//! The stages themselves know neither the table nor each other; here their results are written
//! into the session and the leg. Must not decide.

use std::sync::Arc;

use model::config::Service;
use model::id::{Dbid, Guid};
use model::record::Level;
use model::snapshot::Snapshot;
use model::time::Now;

use crate::admit::{Request, Source, own};
use crate::alarm::{self, About};
use crate::counters::count;
use crate::forward::outside::Outside;
use crate::forward::through::{Ahead, Through};
use crate::log;
use crate::policy::{self, Refused};
use crate::pool::{Pick, Plan};
use crate::proxy::Proxy;
use crate::record::Story;
use crate::reject::{No, Reason};
use crate::select::{self, Asking, Choice, joining, number};
use crate::session::end::{objects, place};
use crate::session::{Kind, Session, State, Text};
use crate::wish::conference_of;

/// A call between admit and forward.
#[derive(Debug)]
pub(crate) struct Call {
    /// Key of its leg.
    pub(crate) leg: usize,
    pub(crate) source: Source,
    pub(crate) choice: Option<Choice>,
    pub(crate) plan: Plan,
    /// The number towards the outside, when dialling rules have changed it.
    pub(crate) number: Option<String>,
    /// The Route entry of its sender that it goes through, or the host outside.
    pub(crate) through: Option<Box<Through>>,
    /// The host that it may leave for.
    pub(crate) outside: Option<Box<Outside>>,
    pub(crate) story: Story,
}

/// The Request-URI is `sips:`: it never leaves over another transport than TLS.
pub(crate) fn is_secure(message: &sip::message::Message<'_>) -> bool {
    message.request().is_some_and(|line| line.target.scheme == sip::uri::Scheme::Sips)
}

impl Proxy {
    pub(crate) fn remember(
        &mut self,
        request: &Request<'_, '_>,
        source: Source,
        ahead: Ahead,
    ) -> Option<Call> {
        let leg = self.begin(request, &source)?;
        let plan = Plan::of(Dbid(0), Dbid(0), Service::Voicexml);
        let story = self.recorder.story();
        let Ahead { through, outside } = ahead;
        Some(Call { leg, source, choice: None, plan, number: None, through, outside, story })
    }

    /// The stages that decide, in their order: select, authorise, place.
    pub(crate) fn decide(
        &mut self,
        request: &Request<'_, '_>,
        call: &mut Call,
    ) -> Result<Pick, No> {
        let snapshot = Arc::clone(&self.snapshot);
        let choice = self.choose(&snapshot, request, call, false)?;
        self.is_chosen(&snapshot, request, call, choice)?;
        self.authorise(&snapshot, request, call)?;
        self.place_or_instead(&snapshot, request, call)
    }

    /// Tenant, profile and service; `past_cti`: connectors were asked in vain.
    pub(crate) fn choose(
        &mut self,
        snapshot: &Arc<Snapshot>,
        request: &Request<'_, '_>,
        call: &mut Call,
        past_cti: bool,
    ) -> Result<Choice, No> {
        call.story.trace.reads(snapshot);
        let Some((session, leg)) = self.table.both(call.leg) else {
            return Err(Reason::Internal.into());
        };
        let dn = leg.texts.get(Text::Dn);
        let asking = self.asking(snapshot, request, &call.source, dn);
        let asking = Asking { past_cti, ..asking };
        let joins = !leg.primary || session.resurrected;
        let choice = if joins {
            let first = self.first_number(session);
            joining::join(&asking, session, first, &mut call.story.trace)?
        } else {
            select::select(&asking, None, &mut call.story.trace)?
        };
        let guid = session.guid;
        self.tell_missed(request, &choice, Some(guid));
        Ok(choice)
    }

    /// The profile that was asked for is not there; a default serves.
    pub(crate) fn tell_missed(
        &mut self,
        request: &Request<'_, '_>,
        choice: &Choice,
        session: Option<Guid>,
    ) {
        let Some(name) = &choice.missed else { return };
        let reason = Reason::NoProfile.word().to_owned();
        let call_id = request.message.call_id().to_owned();
        let mut fields = vec![("reason", reason), ("profile", name.clone()), ("call_id", call_id)];
        let raised = (alarm::Name::NoProfile, About::NODE);
        if self.alarms.raise(request.now, raised, log::NO_PROFILE, name) {
            fields.push(("alarm", alarm::Name::NoProfile.as_str().to_owned()));
        }
        self.log(log::NO_PROFILE, session, fields);
    }

    /// What was chosen holds for the call from here on.
    pub(crate) fn is_chosen(
        &mut self,
        snapshot: &Snapshot,
        request: &Request<'_, '_>,
        call: &mut Call,
        choice: Choice,
    ) -> Result<(), No> {
        self.belongs(snapshot, call, &choice)?;
        let profile = choice.profile.map(|profile| snapshot.profile(profile));
        call.plan.tenant = snapshot.tenant(choice.tenant).dbid;
        call.plan.profile = profile.map_or(Dbid(0), |profile| profile.dbid);
        call.plan.chosen = Some((choice.tenant, choice.profile));
        call.plan.service = choice.service;
        if let Some((session, leg)) = self.table.both(call.leg) {
            let dn = leg.texts.get(Text::Dn);
            let message = request.message;
            self.wish(&mut call.plan, message, call.source.trusted, dn, Some(session.guid));
            call.plan.conference = conference_of(snapshot, &choice, message, dn)?.map(Arc::new);
        }
        call.plan.pin = self.pin(request, call, &choice);
        call.choice = Some(choice);
        Ok(())
    }

    /// What select looks at.
    pub(crate) fn asking<'s, 'm>(
        &'s self,
        snapshot: &'s Snapshot,
        request: &Request<'s, 'm>,
        source: &'s Source,
        dn: &'s str,
    ) -> Asking<'s, 'm> {
        let line = request.message.request();
        let is_for_us = line.is_none_or(|line| {
            !line.target.scheme.is_sip() || own::is_own_host(&self.settings, &line.target)
        });
        let (options, message) = (&self.options, request.message);
        Asking { snapshot, options, source, message, dn, is_for_us, past_cti: false }
    }

    /// What was chosen, as session and leg know it.
    fn belongs(&mut self, snapshot: &Snapshot, call: &Call, choice: &Choice) -> Result<(), No> {
        let tenant = self.names.tenant(snapshot, choice.tenant);
        let profile = choice.profile.map(|profile| self.names.profile(snapshot, profile));
        let Some(leg) = self.table.leg_mut(call.leg) else { return Err(Reason::Internal.into()) };
        leg.service = choice.service;
        leg.selected_by = Some(choice.by);
        if choice.service == Service::Gateway {
            leg.kind = Kind::Outbound;
        }
        let key = leg.session;
        let Some(session) = self.table.session_mut(key) else { return Ok(()) };
        session.cti |= choice.service == Service::Cti;
        if session.tenant.is_none() {
            session.belongs(tenant, profile);
        }
        Ok(())
    }

    /// A session that a connector was given first has got its profile, and maybe a tenant below
    /// its own; it is in their sets now, and its legs that are up say so, for a restart too.
    fn is_mapped(&mut self, now: Now, snapshot: &Snapshot, key: usize, choice: &Choice) {
        let Some(session) = self.table.session_mut(key) else { return };
        let Some(profile) = choice.profile.filter(|_| session.profile.is_none()) else { return };
        let tenant = self.names.tenant(snapshot, choice.tenant);
        session.belongs(tenant, Some(self.names.profile(snapshot, profile)));
        for leg in session.legs.clone() {
            if self.table.leg(leg).is_some_and(|leg| leg.opened) {
                self.record_mapped(now, leg);
            }
        }
    }

    /// The number that the first leg of a session was for.
    pub(crate) fn first_number<'s>(&'s self, session: &'s Session) -> &'s str {
        let mut legs = session.legs.iter().filter_map(|key| self.table.leg(*key));
        legs.find(|leg| leg.primary).map_or("", |leg| leg.texts.get(Text::Dn))
    }

    pub(crate) fn authorise(
        &mut self,
        snapshot: &Snapshot,
        request: &Request<'_, '_>,
        call: &mut Call,
    ) -> Result<(), No> {
        let Some(choice) = &call.choice else { return Err(Reason::Internal.into()) };
        if choice.disabled {
            return Err(Reason::Disabled.into());
        }
        let Some((session, leg)) = self.table.both(call.leg) else {
            return Err(Reason::Internal.into());
        };
        let begun = session.lingers.is_some() || self.usage.contains(policy::ROOT, leg.session);
        let mut dialled = std::mem::take(&mut self.scratch);
        dialled.clear();
        if leg.kind == Kind::Outbound {
            number::wanted(request.message, &mut dialled);
        }
        let asked = policy::Asked {
            tenant: choice.tenant,
            profile: choice.profile,
            service: choice.service,
            direction: leg.kind,
            counts_as: if begun { session.kind } else { leg.kind },
            transfer: leg.kind == Kind::Outbound && self.has_call_from_outside(leg.session),
            number: &dialled,
            session: leg.session,
            inside: self.legs_inside(session, call.leg, choice.service),
            priority: call.source.priority,
        };
        let Story { usage: figures, trace, .. } = &mut call.story;
        let (now, usage) = (request.now, &mut self.usage);
        let judged = policy::authorise(now, snapshot, usage, &asked, figures, trace);
        self.scratch = dialled;
        match judged {
            Ok(granted) => {
                self.is_granted(now, snapshot, call, granted);
                Ok(())
            }
            Err(refused) => Err(self.said_no_by_policy(now, call, *refused)),
        }
    }

    /// A leg may begin: it is in the sets, and what its policies say of it is known.
    fn is_granted(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        call: &mut Call,
        granted: policy::Granted,
    ) {
        let (Some(choice), Some(leg)) = (&call.choice, self.table.leg(call.leg)) else { return };
        let (key, kind) = (leg.session, leg.kind);
        let joined = self.usage.contains(policy::ROOT, key);
        let Some(session) = self.table.session_mut(key) else { return };
        if session.lingers.take().is_some() {
            // it lives again, and counts where its tenant stands now
            let profile = choice.profile.map(|profile| self.names.profile(snapshot, profile));
            session.belongs(self.names.tenant(snapshot, choice.tenant), profile);
        } else if !joined {
            session.kind = kind;
        }
        if !joined || session.profile.is_none() {
            session.longest = policy::longest(snapshot, choice.tenant, choice.profile);
        }
        self.is_mapped(now, snapshot, key, choice);
        let Some(session) = self.table.session(key) else { return };
        // who joins counts where its session does, whatever has judged it
        let numbers = if joined { self.usage.numbers(&objects(session)) } else { granted.objects };
        for leg in &session.legs {
            if let Some(own) = self.table.leg(*leg) {
                self.usage.enter(&numbers, place(session, *leg, own));
            }
        }
        call.number = granted.number;
        self.note_burst(key, granted.burst);
        self.note_number(call);
    }

    /// Legs of a service in a session, besides one.
    fn legs_inside(&self, session: &Session, own: usize, service: Service) -> usize {
        let others = session.legs.iter().filter(|key| **key != own);
        let others = others.filter_map(|key| self.table.leg(*key));
        others.filter(|leg| leg.service == service).count()
    }

    /// A policy has said no: told to the record, and as an alarm where it wants one.
    fn said_no_by_policy(&mut self, now: Now, call: &mut Call, refused: Refused) -> No {
        let Refused { no, policy, alarm } = refused;
        let figure = |number: Option<u64>| number.unwrap_or_default().to_string();
        let text = format_args!(
            "{}|{}|{}|{}",
            policy.name.as_deref().unwrap_or_default(),
            policy.rule,
            figure(policy.limit),
            figure(policy.usage)
        );
        self.call_event(now, call.leg, Level::Warning, "policy-violation", text);
        call.story.usage.clear();
        call.story.policy = Some(policy);
        no.alarming(alarm)
    }

    pub(crate) fn place(
        &mut self,
        snapshot: &Arc<Snapshot>,
        now: Now,
        call: &mut Call,
    ) -> Result<Pick, No> {
        let trace = &mut call.story.trace;
        let placed = self.pool.place(now, snapshot, &self.options, &mut call.plan, trace);
        self.tell_filled(now);
        placed
    }

    /// Groups that have become full, or have a place again.
    pub(crate) fn tell_filled(&mut self, now: Now) {
        while let Some((group, full)) = self.pool.filled.pop() {
            let group = self.snapshot.group(group);
            let (resources, name) = (group.resources.len(), alarm::Name::GroupFull);
            let about = About::of("group", group.name.clone());
            if !full {
                self.alarms.is_over(name, about);
                continue;
            }
            let text = format_args!("{resources} resources");
            self.alarms.raise(now, (name, about), log::GROUP_FULL, text);
            let fields = vec![
                ("group", group.name.clone()),
                ("resources", resources.to_string()),
                ("alarm", name.as_str().to_owned()),
            ];
            self.log(log::GROUP_FULL, None, fields);
        }
    }

    /// A resource for the call; where no connector is left, what is to happen instead, and where
    /// there is no gateway, the host outside.
    pub(crate) fn place_or_instead(
        &mut self,
        snapshot: &Arc<Snapshot>,
        request: &Request<'_, '_>,
        call: &mut Call,
    ) -> Result<Pick, No> {
        match self.place(snapshot, request.now, call) {
            Err(_) if call.plan.service == Service::Cti => {
                let action = self.when_exhausted(&call.plan);
                self.instead_of_cti(request, call, &action)
            }
            Err(no) => {
                let (outside, trace) = (call.outside.take(), &mut call.story.trace);
                let (pick, through) = self.leave_for(outside, no, &mut call.plan, trace)?;
                call.through = Some(through);
                Ok(pick)
            }
            placed => placed,
        }
    }

    /// A "no" to a call that was begun: answered, recorded, taken out of all sets.
    pub(crate) fn refuse_call(&mut self, request: &Request<'_, '_>, call: Call, no: &No) {
        let bytes = request.message.raw();
        self.answer_no(request.now, request.id, request.flow, bytes, no, Some(call.leg));
        self.end_attempt(request.now, call.leg, no.reason.word(), no.status(), call.story);
    }

    /// Whether a leg that came in from outside is up.
    fn has_call_from_outside(&self, session: usize) -> bool {
        let legs = self.table.session(session).into_iter().flat_map(|session| &session.legs);
        let mut legs = legs.filter_map(|key| self.table.leg(*key));
        legs.any(|leg| leg.kind == Kind::Inbound && leg.state == State::Up)
    }

    /// The record of a leg that leads outside tells both numbers.
    fn note_number(&mut self, call: &Call) {
        let Some(leg) = self.table.leg_mut(call.leg) else { return };
        if leg.kind != Kind::Outbound {
            return;
        }
        let mut before = std::mem::take(&mut self.scratch);
        before.clear();
        before.push_str(leg.texts.get(Text::Dn));
        let end = before.len();
        match &call.number {
            Some(number) => model::did::normalise_into(number, &mut before),
            None => before.extend_from_within(..end),
        }
        let (dialled, dn) = before.split_at(end);
        leg.texts.set(&[(Text::Dialled, dialled), (Text::Dn, dn)], &mut self.buffers);
        self.scratch = before;
    }

    fn note_burst(&mut self, key: usize, burst: u8) {
        let Some(session) = self.table.session_mut(key).filter(|one| one.burst < burst) else {
            return;
        };
        session.burst = burst;
        let (guid, tenant) = (session.guid, session.tenant.clone());
        let id = match burst {
            2 => log::BURST_LEVEL_2,
            3 => log::BURST_LEVEL_3,
            _ => return,
        };
        let name = tenant.map(|tenant| tenant.name.clone()).unwrap_or_default();
        count(&mut self.counters.burst, &name, burst);
        self.log(id, Some(guid), vec![("tenant", name)]);
    }
}
