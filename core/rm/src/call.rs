//! A call between admit and forward: handed from stage to stage, with what each adds.
//!
//! The stages themselves know neither the table nor each other; here their results are written
//! into the session and the leg. Must not decide.

use std::sync::Arc;

use model::config::Service;
use model::id::Dbid;
use model::record::Level;
use model::time::Now;

use crate::admit::{Request, Source};
use crate::counters::count;
use crate::forward::through::Through;
use crate::log;
use crate::policy;
use crate::pool::{Pick, Pin, Plan, Wish};
use crate::proxy::Proxy;
use crate::record::Story;
use crate::reject::{No, Reason};
use crate::select::{self, Choice};
use crate::session::Text;

/// A call between admit and forward.
#[derive(Debug)]
pub(crate) struct Call {
    /// Key of its leg.
    pub(crate) leg: usize,
    pub(crate) source: Source,
    pub(crate) choice: Option<Choice>,
    pub(crate) plan: Plan,
    /// The Route entry of its sender that it goes through.
    pub(crate) through: Option<Box<Through>>,
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
        through: Option<Box<Through>>,
    ) -> Option<Call> {
        let leg = self.begin(request, &source)?;
        let plan = Plan::of(Dbid(0), Dbid(0), Service::Voicexml);
        Some(Call { leg, source, choice: None, plan, through, story: self.recorder.story() })
    }

    /// The stages that decide, in their order: select, authorise, place.
    pub(crate) fn decide(
        &mut self,
        request: &Request<'_, '_>,
        call: &mut Call,
    ) -> Result<Pick, No> {
        self.select(request, call)?;
        self.authorise(request.now, call)?;
        self.place(request.now, call)
    }

    fn select(&mut self, request: &Request<'_, '_>, call: &mut Call) -> Result<(), No> {
        let snapshot = Arc::clone(&self.snapshot);
        let dn = self.table.leg(call.leg).map_or("", |leg| leg.texts.get(Text::Dn));
        let trace = &mut call.story.trace;
        let message = request.message;
        let choice = select::select(&snapshot, &self.options, &call.source, message, dn, trace)?;
        let tenant = self.names.tenant(&snapshot, choice.tenant);
        let profile = self.names.profile(&snapshot, choice.profile);
        call.plan.tenant = tenant.dbid;
        call.plan.profile = profile.dbid;
        call.plan.service = choice.service;
        call.plan.pin = self.holder(message).map(Pin::dialog);
        let session = self.table.both(call.leg).map(|(session, _)| session.guid);
        self.wish(&mut call.plan, message, call.source.trusted, dn, session);
        call.plan.conference = Wish::of(choice.service, message).map(Arc::new);
        let Some(leg) = self.table.leg_mut(call.leg) else { return Err(Reason::Internal.into()) };
        leg.service = choice.service;
        leg.selected_by = Some(choice.by);
        let session = leg.session;
        if let Some(session) = self.table.session_mut(session) {
            session.belongs(tenant, profile);
        }
        call.choice = Some(choice);
        Ok(())
    }

    fn authorise(&mut self, now: Now, call: &mut Call) -> Result<(), No> {
        let Some(choice) = &call.choice else { return Err(Reason::Internal.into()) };
        if choice.disabled {
            return Err(Reason::Disabled.into());
        }
        let Some(session) = self.table.leg(call.leg).map(|leg| leg.session) else {
            return Err(Reason::Internal.into());
        };
        let snapshot = Arc::clone(&self.snapshot);
        let asked = policy::Asked {
            tenant: choice.tenant,
            profile: choice.profile,
            service: choice.service,
            priority: call.source.priority,
        };
        let judges = policy::levels(&snapshot, &asked);
        let trace = &mut call.story.trace;
        match policy::authorise(&mut self.usage, &judges, &asked, session, trace) {
            Ok(policy::Reserved { burst, figures }) => {
                call.story.usage = figures;
                self.note_burst(session, burst);
                Ok(())
            }
            Err(refused) => {
                let (no, refusal) = *refused;
                let figure = |number: Option<u64>| number.unwrap_or_default().to_string();
                let text = format_args!(
                    "{}|{}|{}|{}",
                    refusal.name.as_deref().unwrap_or_default(),
                    refusal.rule,
                    figure(refusal.limit),
                    figure(refusal.usage)
                );
                self.call_event(now, call.leg, Level::Warning, "policy-violation", text);
                call.story.policy = Some(refusal);
                Err(no)
            }
        }
    }

    fn place(&mut self, now: Now, call: &mut Call) -> Result<Pick, No> {
        let snapshot = Arc::clone(&self.snapshot);
        let trace = &mut call.story.trace;
        self.pool.place(now, &snapshot, &self.options, &mut call.plan, trace)
    }

    /// A "no" to a call that was begun: answered, recorded, taken out of all sets.
    pub(crate) fn refuse_call(&mut self, request: &Request<'_, '_>, call: Call, no: &No) {
        let bytes = request.message.raw();
        self.answer_no(request.now, request.id, request.flow, bytes, no, Some(call.leg));
        self.end_attempt(request.now, call.leg, no.reason.word(), no.status(), call.story);
    }

    fn note_burst(&mut self, key: usize, burst: u8) {
        let Some(session) = self.table.session_mut(key) else { return };
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
