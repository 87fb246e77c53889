//! Explain: which way an INVITE would go if it came now, and why (rm.md §10).
//!
//! The stages of a call run as they always do. What they have put into tables and sets is taken out
//! again by the way of every leg that ends; what they have counted, told and drawn by lot is put
//! back as it was. So nothing is sent, no place is taken and nobody's turn moves. Must not decide
//! anything itself.

mod question;

use model::chance::Chance;
use model::record::{Policy, TraceStep};
use model::time::Now;
use serde::Serialize;
use sip::endpoint::ServerId;
use sip::method::Method;
use sip::transport::Flow;

use crate::admit::{Request, Source};
use crate::alarm::Alarms;
use crate::call::Call;
use crate::counters::Counters;
use crate::forward::through::{Ahead, Found};
use crate::forward::{Attempt, branch};
use crate::input::NodeState;
use crate::output::Events;
use crate::policy::rate::Rates;
use crate::pool::Pick;
use crate::proxy::Proxy;
use crate::record::Recorder;
use crate::reject::{No, Reason};
use crate::settings::Role;
pub use question::{Assume, Question};

/// What would become of an INVITE, in the JSON shape of rm.md §10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// `forward` or `reject`.
    pub outcome: &'static str,
    /// Status of the refusal.
    pub code: Option<u16>,
    /// Its reason word.
    pub reason: Option<&'static str>,
    /// Its Retry-After, in seconds.
    pub retry_after: Option<u32>,
    /// What it is about: a number, a limit, a group.
    pub subject: Option<String>,
    /// Configuration revision in force.
    pub config_rev: u64,
    /// Who is taken to be the caller.
    pub source: Caller,
    /// The tenant that was selected.
    pub tenant: Option<Named>,
    /// The profile that was selected.
    pub profile: Option<Named>,
    /// The service that was selected.
    pub service: Option<&'static str>,
    /// Why this tenant and profile.
    pub selected_by: Option<&'static str>,
    /// The limit or rule that refused it.
    pub policy: Option<Policy>,
    /// The resource that was chosen.
    pub resource: Option<Chosen>,
    /// All steps in the order in which they were taken.
    pub trace: Vec<TraceStep>,
    /// The INVITE as it would be sent, without its body.
    pub request: Option<String>,
}

/// An object of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its dbid.
    pub dbid: u32,
}

/// A resource that takes the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// Name of its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its dbid.
    pub dbid: u32,
    /// Its address as configured.
    pub address: String,
    /// Why this one: a scheme, `pin`, `last-resort`.
    pub placed_by: String,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Name of the peer or resource; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where from.
    pub address: String,
    /// `sip-server`, `gateway`, `media` or `probe`; absent for a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// The node does not know yet what is up.
    #[error("the node is not ready")]
    NotReady,
    /// The question is none; the text tells where.
    #[error("{0}")]
    Question(String),
}

/// What the stages change besides tables and sets.
struct Aside {
    counters: Counters,
    events: Events,
    recorder: Recorder,
    chance: Chance,
    branches: u64,
    remade: u16,
    rates: Rates,
    alarms: Alarms,
}

impl Proxy {
    /// What would become of an INVITE that came at `now`. Nothing has changed afterwards.
    ///
    /// # Errors
    /// A question that is none, a node that is not ready.
    pub fn explain(&mut self, now: Now, question: &Question) -> Result<Explained, Unclear> {
        let unclear = Unclear::Question;
        if self.state == NodeState::Starting {
            return Err(Unclear::NotReady);
        }
        let revision = self.snapshot.revision.0;
        if let Some(asked) = question.config_rev.filter(|asked| *asked != revision) {
            let text = format!("config_rev: {asked} is not in force, {revision} is");
            return Err(unclear(text));
        }
        let (flow, source) = self.caller(question.source.as_deref()).map_err(unclear)?;
        let text = question.invite(flow).map_err(unclear)?;
        let message = sip::parse::parse(text.as_bytes(), &self.limits)
            .map_err(|error| unclear(question.fault(&error)))?;
        if message.method() != Method::Invite || message.to().tag().is_some() {
            return Err(unclear("message: expected an INVITE that begins a call".to_owned()));
        }
        let assumed = question.assumed();
        let assumed = self
            .pool
            .assume(now.mono, &self.snapshot, &assumed)
            .map_err(|error| unclear(format!("assume.resources: {error}")))?;
        let hash = branch::loop_hash(&self.settings.keys, &message);
        let request = Request { now, id: ServerId::NONE, flow, message: &message, source, hash };
        let aside = self.set_aside();
        let explained = self.rehearse(&request);
        self.put_back(aside);
        self.pool.no_longer(assumed);
        self.check();
        explained.map_err(unclear)
    }

    fn set_aside(&mut self) -> Aside {
        Aside {
            counters: std::mem::take(&mut self.counters),
            events: std::mem::take(&mut self.events),
            recorder: std::mem::take(&mut self.recorder),
            chance: self.chance.clone(),
            branches: self.branches,
            remade: self.remade,
            rates: self.usage.rates().clone(),
            alarms: std::mem::take(&mut self.alarms),
        }
    }

    fn put_back(&mut self, aside: Aside) {
        let Aside { counters, events, recorder, chance, branches, remade, .. } = aside;
        let Aside { rates, alarms, .. } = aside;
        *self.usage.rates() = rates;
        self.alarms = alarms;
        self.counters = counters;
        self.events = events;
        self.recorder = recorder;
        self.chance = chance;
        self.branches = branches;
        self.remade = remade;
    }

    /// The way of a call (`Proxy::on_invite`) up to where it would be sent.
    ///
    /// # Errors
    /// It goes through a name that nobody has asked for yet.
    fn rehearse(&mut self, request: &Request<'_, '_>) -> Result<Explained, String> {
        let let_in = self.lets_in(request).and_then(|()| self.gate(request));
        let admitted = let_in.and_then(|_| self.admit(request));
        let entry = |source| Ok((source, self.entry(request)?));
        let (mut source, through) = match admitted.and_then(entry) {
            Ok((source, Some(Found::Through(through)))) => (source, Some(Box::new(through))),
            Ok((source, None)) => (source, None),
            Ok((_, Some(Found::Name(goal)))) => {
                return Err(format!("Route: {goal} is not resolved yet; a call would ask for it"));
            }
            Err(no) => return Ok(self.refused(request, &no)),
        };
        source.priority = source.priority || self.is_priority_number(request.message);
        let before = self.session_before(request.message, &source);
        let outside = self.outside_now(request, through.as_deref());
        let Some(mut call) = self.remember(request, source, Ahead { through, outside }) else {
            return Ok(self.refused(request, &Reason::Internal.into()));
        };
        call.plan.explained = true;
        let carried = self
            .decide(request, &mut call)
            .and_then(|pick| self.written_once(request, &mut call, pick));
        let explained = self.all_told(request, &call, carried);
        if let Some((leg, _, session)) = self.leave(call.leg) {
            leg.texts.release(&mut self.buffers);
            session.into_iter().for_each(|session| session.release(&mut self.buffers));
        }
        before.into_iter().for_each(|before| self.session_as_before(before));
        Ok(explained)
    }

    /// The first try as it would be sent, without its body.
    fn written_once(
        &mut self,
        request: &Request<'_, '_>,
        call: &mut Call,
        pick: Pick,
    ) -> Result<String, No> {
        let key = self.hunt(request, call)?;
        let mut written = self.written_for(request, key, pick);
        while let Err(no) = &written
            && self.passes_over(key, no)
        {
            let next = self.another(request.now, key);
            written = next.and_then(|pick| self.written_for(request, key, pick));
        }
        let Some(hunt) = self.hunts.try_remove(key) else { return written };
        let suits_nobody = written.is_err() && hunt.plan.suits_nobody();
        call.story = self.dismiss(hunt);
        if suits_nobody { Err(Reason::TooLarge.into()) } else { written }
    }

    fn written_for(
        &mut self,
        request: &Request<'_, '_>,
        hunt: usize,
        pick: Pick,
    ) -> Result<String, No> {
        let (target, _) = self.first_target(request.now, hunt, pick)?;
        self.occupy_for(hunt, pick);
        self.branches += 1;
        let mut draft = self.fresh_draft();
        let attempt = Attempt { hunt, pick, target };
        let written = self.written(request.now, attempt, request.message, &mut draft);
        let head = draft.bytes.len().saturating_sub(request.message.body().len());
        let head = draft.bytes.get(..head).unwrap_or_default();
        let text = String::from_utf8_lossy(head).into_owned();
        self.draft = draft;
        written.map(|_| text)
    }

    /// A "no" before there is a session.
    fn refused(&self, request: &Request<'_, '_>, no: &No) -> Explained {
        Explained {
            outcome: "reject",
            code: Some(no.status()),
            reason: Some(no.reason.word()),
            retry_after: no.retry_after(),
            subject: Some(no.subject.clone()).filter(|text| !text.is_empty()),
            config_rev: self.snapshot.revision.0,
            source: self.shown_caller(request),
            tenant: None,
            profile: None,
            service: None,
            selected_by: None,
            policy: None,
            resource: None,
            trace: Vec::new(),
            request: None,
        }
    }

    /// What the session, its leg and its story tell.
    fn all_told(
        &self,
        request: &Request<'_, '_>,
        call: &Call,
        carried: Result<String, No>,
    ) -> Explained {
        let explained = match carried {
            Ok(text) => Explained {
                outcome: "forward",
                code: None,
                reason: None,
                retry_after: None,
                subject: None,
                request: Some(text),
                ..self.refused(request, &Reason::Internal.into())
            },
            Err(no) => self.refused(request, &no),
        };
        let Some((session, leg)) = self.table.both(call.leg) else { return explained };
        let named =
            |name: &String, dbid: model::id::Dbid| Named { name: name.clone(), dbid: dbid.0 };
        let resource = leg.resource.as_ref().filter(|_| explained.outcome == "forward");
        Explained {
            tenant: session.tenant.as_ref().map(|one| named(&one.name, one.dbid)),
            profile: session.profile.as_ref().map(|one| named(&one.name, one.dbid)),
            service: session.tenant.as_ref().map(|_| leg.service.as_str()),
            selected_by: leg.selected_by.map(|by| by.as_str()),
            policy: call.story.policy.clone(),
            resource: resource.map(|one| Chosen {
                group: one.group.clone(),
                name: one.name.clone(),
                dbid: one.dbid.0,
                address: one.address.clone(),
                placed_by: leg.placed_by.to_string(),
            }),
            trace: call.story.trace.shown(),
            ..explained
        }
    }

    fn shown_caller(&self, request: &Request<'_, '_>) -> Caller {
        let Source { role, who, .. } = request.source;
        let name = self.sources.name(&self.settings, who);
        Caller {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            address: request.flow.remote.to_string(),
            role: role.map(Role::as_str),
        }
    }

    /// The flow from a source and who that is: an address with or without port, or the name of a
    /// peer or resource. Without one, the first peer that may call.
    fn caller(&self, wanted: Option<&str>) -> Result<(Flow, Source), String> {
        let found = match wanted {
            Some(text) => question::address(text)
                .map(|address| (address, None))
                .or_else(|| self.sources.called(&self.settings, &self.snapshot, text))
                .ok_or_else(|| {
                    format!("source: {text} is no address, and no peer or resource of that name")
                })?,
            None => self.sources.usual(&self.settings),
        };
        let (remote, source) = found;
        let monitor = self.settings.monitor_listener;
        let mut listeners = (0_u8..).zip(&self.settings.listeners);
        let (listener, bound) = listeners
            .find(|(index, one)| *index != monitor && one.bound.is_ipv4() == remote.is_ipv4())
            .ok_or_else(|| format!("source: {remote}: no listener of its address family"))?;
        let flow = Flow { transport: bound.transport, listener, remote, conn: None };
        Ok((flow, source.unwrap_or_else(|| self.sources.of(&self.settings, flow))))
    }
}
