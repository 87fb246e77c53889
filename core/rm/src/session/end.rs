//! How sessions and legs begin and end: the one place where all sets are entered and left.
//!
//! A leg that ends leaves its place, its usage, its timers and a tombstone at once; its record is
//! made before, while everything is still known.

use std::fmt::Write;
use std::sync::Arc;

use model::config::Service;
use model::id::{Dbid, Epoch, Guid, LegId};
use model::record::{EndState, Scope};
use model::time::{Millis, Now};
use smallvec::SmallVec;

use super::join::next_remade;
use super::{Kind, Leg, Session, Text, Texts};
use crate::admit::{Request, Source};
use crate::counters::count;
use crate::limits;
use crate::policy::Object;
use crate::policy::usage::Place;
use crate::pool::Occupant;
use crate::proxy::Proxy;
use crate::record::Story;
use crate::select::number;
use crate::settings::Role;
use crate::timer::Timer;

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) state: EndState,
    pub(crate) word: &'static str,
    /// Final answer to the INVITE; None: the leg's own.
    pub(crate) status: Option<u16>,
    pub(crate) ended: Millis,
    /// Somebody waits for the record.
    pub(crate) urgent: bool,
}

impl Proxy {
    /// A new leg, of a session that is joined or new, known to the table and to nobody else yet.
    pub(crate) fn begin(&mut self, request: &Request<'_, '_>, source: &Source) -> Option<usize> {
        let session = self.session_for(request, source);
        let leg = self.new_leg(request, source, session)?;
        self.counters.ledger_in += 1;
        self.table.insert_leg(session, leg)
    }

    /// None: the session has had as many legs as there are numbers for.
    fn new_leg(
        &mut self,
        request: &Request<'_, '_>,
        source: &Source,
        session: usize,
    ) -> Option<Leg> {
        let (now, message) = (request.now, request.message);
        let owner = self.table.session_mut(session)?;
        if owner.resurrected {
            self.remade = next_remade(self.remade);
            owner.counter = self.remade;
        } else {
            owner.counter = owner.counter.checked_add(1)?;
        }
        let id = LegId::new(self.settings.node_id, self.settings.boot, owner.counter);
        let primary = owner.legs.is_empty() && !owner.lasted;
        let owner = self.table.session(session)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        route_set(message.record_routes().map(|route| route.uri), &mut scratch);
        let route = scratch.len();
        number::dialled(message, &self.options, &mut scratch);
        let dn = scratch.len();
        number::calling(message, &mut scratch);
        let ani = scratch.len();
        // writing to a String cannot fail
        let _ = write!(scratch, "{}", request.flow.remote);
        let part = |from, to| scratch.get(from..to).unwrap_or_default();
        let call_uuid = message.named("X-Genesys-CallUUID");
        let call_uuid = call_uuid.map(|header| header.text_lossy());
        let call_uuid = call_uuid.as_deref().unwrap_or(&owner.call_uuid);
        let given = [
            (Text::CallId, message.call_id()),
            (Text::FromTag, message.from().tag().unwrap_or_default()),
            (Text::FromUri, message.from().uri),
            (Text::ToUri, message.to().uri),
            (Text::CallerTarget, message.contacts().next().map_or("", |one| one.uri)),
            (Text::CallerRoute, part(0, route)),
            (Text::CallUuid, call_uuid),
            (Text::Dn, part(route, dn)),
            (Text::Ani, part(dn, ani)),
            (Text::SourceName, self.sources.name(&self.settings, source.who)),
            (Text::SourceAddress, part(ani, scratch.len())),
        ];
        let texts = Texts::pack(&given, &mut self.buffers);
        self.scratch = scratch;
        Some(Leg {
            kind: if source.role == Some(Role::Media) { Kind::Bridged } else { Kind::Inbound },
            primary,
            cseq: [message.cseq(), 0],
            caller_trusted: source.trusted,
            caller_transport: request.flow.transport,
            texts,
            ..Leg::begun(id, Epoch(1), Service::Voicexml, now)
        })
    }

    /// Writes the end record of a leg and takes it out of all sets; gives back the record's number.
    pub(crate) fn end_leg(
        &mut self,
        now: Now,
        key: usize,
        end: End,
        story: Option<&Story>,
    ) -> Option<u64> {
        let number = self.record_end(now, key, end, story)?;
        self.take_leg(now, key);
        Some(number)
    }

    /// An INVITE ended without 2xx: one record tells it all.
    pub(crate) fn end_attempt(
        &mut self,
        now: Now,
        key: usize,
        word: &'static str,
        status: u16,
        story: Story,
    ) {
        let state = match word {
            "cancelled" => EndState::Cancelled,
            "no-answer" => EndState::NoAnswer,
            "internal" => EndState::SystemError,
            "operator" => EndState::OperatorEnd,
            _ => EndState::Rejected,
        };
        if let Some((session, leg)) = self.table.both(key) {
            let tenant = session.tenant.as_ref().map_or("", |tenant| tenant.name.as_str());
            if !matches!(word, "cancelled" | "forwarded" | "operator") {
                count(&mut self.counters.rejected, tenant, word);
            }
            if leg.attempts > 0 {
                let service = leg.service.as_str();
                *self.counters.forwarded.entry((service, status)).or_default() += 1;
            }
        }
        let status = Some(status);
        let end = End { state, word, status, ended: now.wall, urgent: false };
        self.end_leg(now, key, end, Some(&story));
        self.recorder.told(story);
    }

    /// It has ended, and cannot be revived; its session has, if it was the last.
    fn take_leg(&mut self, now: Now, key: usize) {
        self.note_lasting(key);
        let Some((leg, guid, session)) = self.leave(key) else { return };
        if let Some(session) = session {
            self.end_session(now, session);
        }
        let until = now.mono + limits::TOMBSTONE;
        if self.table.bury(until, guid, leg.id, leg.epoch) {
            self.timers.set(until, Timer::Tombstones);
        }
        leg.texts.release(&mut self.buffers);
    }

    /// A session with a leg that was answered lasts beyond its end.
    fn note_lasting(&mut self, key: usize) {
        let Some(leg) = self.table.leg(key) else { return };
        let (session, answered) = (leg.session, leg.answered.is_some() || leg.rebuilt);
        if let Some(session) = self.table.session_mut(session).filter(|_| answered) {
            session.lasted = true;
        }
    }

    /// For a while it can still be joined, if it ever had a leg that was answered; no longer than
    /// before if it had ended already and who wanted to join it was refused.
    fn end_session(&mut self, now: Now, mut session: Session) {
        if let Some(until) = session.lingers.take() {
            return self.lingering.put_back(until, session);
        }
        let linger = self.options.session_linger;
        if !session.lasted || linger.is_zero() {
            return session.release(&mut self.buffers);
        }
        let until = now.mono + linger;
        if self.lingering.keep(until, session, &mut self.buffers) {
            self.timers.set(until, Timer::Linger);
        }
    }

    /// Some that have ended can be joined no longer; how many.
    pub(crate) fn forget_lingering(&mut self, now: Now) -> usize {
        let forgotten = self.lingering.forget_old(now.mono, &mut self.buffers);
        if let Some(next) = self.lingering.next() {
            self.timers.set(next.max(now.mono), Timer::Linger);
        }
        forgotten
    }

    /// Some tombstones are old; how many.
    pub(crate) fn forget_tombstones(&mut self, now: Now) -> usize {
        let forgotten = self.table.forget_old(now.mono);
        if let Some(next) = self.table.next_old() {
            self.timers.set(next.max(now.mono), Timer::Tombstones);
        }
        forgotten
    }

    /// Out of the table, off its resource, out of the usage sets if it was the last.
    pub(crate) fn leave(&mut self, key: usize) -> Option<(Leg, Guid, Option<Session>)> {
        let (leg, guid, session) = self.table.remove_leg(key)?;
        self.timers.take_back(Timer::Leg(key));
        self.timers.take_back(Timer::Update(key));
        if let Some(resource) = &leg.resource
            && let Some(member) = self.pool.key_of(resource.dbid)
        {
            self.pool.free(member, Occupant::Leg(key));
        }
        let last = session.is_some();
        if let Some(session) = session.as_ref().or_else(|| self.table.session(leg.session)) {
            self.usage.leave(place(session, key, &leg), last);
        }
        Some((leg, guid, session))
    }
}

/// Appends a route set as a leg keeps it.
pub(crate) fn route_set<'r>(uris: impl Iterator<Item = &'r str>, out: &mut String) {
    for (at, uri) in uris.enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        let _ = write!(out, "{comma}<{uri}>");
    }
}

/// All objects whose usage a session counts in: the tenants of its path and its profile.
pub(crate) fn objects(session: &Session) -> SmallVec<[Object; 8]> {
    let path = session.tenant.iter().flat_map(|tenant| &tenant.path);
    let tenants = path.map(|(_, dbid)| (Scope::Tenant, *dbid));
    let profile = session.profile.as_ref().map(|profile| (Scope::Profile, profile.dbid));
    tenants.chain(profile).filter(|(_, dbid)| *dbid != Dbid(0)).collect()
}

/// A leg as it is counted.
pub(crate) fn place(session: &Session, key: usize, leg: &Leg) -> Place {
    Place { session: (leg.session, session.kind), leg: (key, leg.service) }
}

impl Session {
    /// Gives it tenant and profile: once, but that a profile may come when a connector was asked.
    pub(crate) fn belongs(
        &mut self,
        tenant: Arc<super::TenantNames>,
        profile: Option<Arc<super::ProfileNames>>,
    ) {
        self.tenant = Some(tenant);
        self.profile = profile;
    }
}
