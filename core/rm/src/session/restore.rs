//! Back from the spool, or from a token alone (rm.md §11.5, §11.6): legs adopted with epoch + 1.
//!
//! From the spool before any packet; from a token when a request of an unknown leg arrives. The
//! update record `adopted` opens the leg's frame again, the older epoch's frame is forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::end::{objects, place};
use super::{
    Kind, Leg, Owner, ProfileNames, Session, Side, State, TenantNames, Text, Texts, block, names,
};
use crate::admit::Request;
use crate::log;
use crate::output::Event;
use crate::policy;
use crate::pool::Occupant;
use crate::proxy::{Proxy, Restored};
use crate::record::frame_key;
use crate::token::{self, Token};
use model::id::{Dbid, Epoch, Guid, LegId};
use model::map::Map;
use model::record::Level;
use model::snapshot::ENVIRONMENT;
use model::time::Now;

impl Proxy {
    /// Rebuilds sessions, legs, usage sets and places from the packed legs of the spool's open
    /// frames. Call it once, before any other input. Session timers start with their full
    /// interval.
    pub fn restore<'a>(&mut self, now: Now, blocks: impl Iterator<Item = &'a [u8]>) -> Restored {
        let mut restored = Restored::default();
        let mut found = Vec::new();
        let mut highest: Map<(Guid, LegId), Epoch> = Map::new(self.chance.next_u64());
        for packed in blocks {
            let Some((session, leg)) = block::read(packed, now) else {
                restored.refused += 1;
                continue;
            };
            let epoch = highest.get_or_insert_with((session.guid, leg.id), || leg.epoch);
            *epoch = leg.epoch.max(*epoch);
            found.push((session, leg));
        }
        for (session, leg) in found {
            // two open frames of one leg, after a crash between them: the higher epoch goes on
            let (guid, id, epoch) = (session.guid, leg.id, leg.epoch);
            let newest = highest.get(&(guid, id)) == Some(&epoch);
            if newest && self.table.leg_of(guid, id).is_none() {
                self.bring_back(now, session, leg);
                restored.legs += 1;
            }
            self.events.push(Event::Forget { key: frame_key(guid, id, epoch) });
        }
        self.check();
        restored
    }

    fn bring_back(&mut self, now: Now, session: Session, mut leg: Leg) {
        self.take_over(now, &mut leg);
        let started = leg.answered.unwrap_or(leg.started);
        let age = now.wall.since(started);
        leg.longest = now.mono.saturating_add(session.longest.saturating_sub(age));
        self.settle(now, session, leg);
    }

    /// Epoch + 1, and the owners so far.
    fn take_over(&self, now: Now, leg: &mut Leg) {
        let own = |from| Owner {
            name: self.settings.name.clone(),
            dbid: self.settings.application_dbid,
            from,
        };
        if leg.owners.is_empty() && !leg.rebuilt {
            leg.owners.push(own(leg.started));
        }
        leg.owners.push(own(now.wall));
        leg.epoch = Epoch(leg.epoch.0.saturating_add(1));
        leg.heard = now.mono;
        leg.refreshed = now.mono;
        leg.silent = true;
    }

    /// Into the table and all sets, with an update record and an event.
    fn settle(&mut self, now: Now, session: Session, leg: Leg) -> Option<usize> {
        let guid = session.guid;
        let owner = match self.table.session_of(guid) {
            Some(key) => {
                self.is_mapped_already(now, key, session);
                key
            }
            None => self.table.insert_session(session),
        };
        let resource = leg.resource.as_ref().and_then(|one| self.pool.key_of(one.dbid));
        let direction = leg.kind.direction();
        let (former, epoch, rebuilt) = (leg.owners.first().cloned(), leg.epoch, leg.rebuilt);
        let key = self.table.insert_leg(owner, leg)?;
        if let Some((session, leg)) = self.table.both(key) {
            let numbers = self.usage.numbers(&objects(session));
            self.usage.enter(&numbers, place(session, key, leg));
        }
        if let Some(member) = resource {
            self.pool.occupy(member, Occupant::Leg(key), direction);
            self.back_to_conference(key, member);
        }
        self.counters.adopted += 1;
        self.counters.ledger_in += 1;
        self.count_in(now, key, false);
        self.set_expiry(key);
        self.record_adopted(now, key);
        let from = former.map_or_else(|| "?".to_owned(), |owner| owner.name);
        let word = if rebuilt { "rebuilt" } else { "" };
        let before = epoch.0.saturating_sub(1);
        let text = format_args!("{from}|{before}|{word}");
        self.call_event(now, key, Level::Note, "adopted", text);
        let fields = vec![("owner", from), ("epoch", epoch.to_string())];
        self.log(log::ADOPTED, Some(guid), fields);
        Some(key)
    }

    /// What another leg knows of a session that is back already: when its connector has had it
    /// mapped, the profile, and the tenant that came with it, are the session's, whichever leg was
    /// read first.
    fn is_mapped_already(&mut self, now: Now, key: usize, told: Session) {
        let Some(session) = self.table.session_mut(key) else { return };
        session.burst = session.burst.max(told.burst);
        session.cti |= told.cti;
        let (Some(tenant), Some(profile)) = (told.tenant, told.profile) else { return };
        if session.profile.is_some() {
            return;
        }
        let (before, legs) = (objects(session), session.legs.clone());
        session.longest = told.longest;
        session.belongs(tenant, Some(profile));
        for object in before {
            self.usage.leave_session(object, key, &legs);
        }
        for leg in legs {
            if let Some((session, own)) = self.table.both(leg) {
                let numbers = self.usage.numbers(&objects(session));
                self.usage.enter(&numbers, place(session, leg, own));
                self.record_mapped(now, leg);
            }
        }
    }

    /// A valid token of a leg that nobody here knows: adopted, unless it was ours in this very
    /// run and has ended.
    pub(crate) fn rebuild(&mut self, request: &Request<'_, '_>, token: &Token) -> Option<usize> {
        let runs = self.runs_since(token);
        let known = self.table.leg_of(token.guid, token.leg).is_some()
            || self.table.is_buried(token.guid, token.leg);
        if runs == 0 || known || self.table.is_full() {
            return None;
        }
        let (session, mut leg) = self.of_token(request, token);
        leg.epoch = Epoch(token.epoch.0.saturating_add(runs - 1));
        self.take_over(request.now, &mut leg);
        leg.silent = false;
        self.counters.rebuilt += 1;
        self.settle(request.now, session, leg)
    }

    /// How many times this node has started since the token's leg began, 0 for the present run
    /// (boot epochs count modulo 64 in leg ids); 1 for a leg of another node. Each run adds one
    /// to the epoch, as `restore` does, so that two runs never make records of the same id.
    fn runs_since(&self, token: &Token) -> u16 {
        if token.node != self.settings.node_id {
            return 1;
        }
        let begun = token.leg.0 >> 16 & 0x3F;
        u16::try_from(self.settings.boot.0.wrapping_sub(begun) & 0x3F).unwrap_or(1)
    }

    fn of_token(&mut self, request: &Request<'_, '_>, token: &Token) -> (Session, Leg) {
        let (now, message) = (request.now, request.message);
        let (tenant, profile) = self.names_of(token);
        let resource = self.snapshot.resource_by_dbid(token.resource);
        let resource = resource.map(|ix| Arc::new(names::resource(&self.snapshot, ix)));
        let (from, to) = (message.from(), message.to());
        let caller = token.from_caller(from.tag().unwrap_or_default());
        let (caller_side, callee_side) = if caller { (from, to) } else { (to, from) };
        let side = if caller { Side::Caller } else { Side::Callee };
        let contact = if caller { Text::CallerTarget } else { Text::CalleeTarget };
        let given = [
            (Text::CallId, message.call_id()),
            (Text::FromTag, caller_side.tag().unwrap_or_default()),
            (Text::ToTag, callee_side.tag().unwrap_or_default()),
            (Text::FromUri, caller_side.uri),
            (Text::ToUri, callee_side.uri),
            (contact, message.contacts().next().map_or("", |contact| contact.uri)),
        ];
        let texts = Texts::pack(&given, &mut self.buffers);
        let kind = match token.flags {
            flags if flags & token::OUTBOUND != 0 => Kind::Outbound,
            flags if flags & token::INTERNAL != 0 => Kind::Bridged,
            _ => Kind::Inbound,
        };
        let session = Session {
            tenant: Some(tenant),
            profile,
            revision: u64::from(token.revision),
            burst: (token.flags >> 2 & 3) + 1,
            cti: token.flags & token::CTI != 0,
            lasted: true,
            kind,
            longest: self.longest_of(token),
            ..Session::begun(token.guid, token.start)
        };
        let left = session.longest.saturating_sub(now.wall.since(token.start));
        let mut leg = Leg {
            state: State::Up,
            kind,
            primary: token.flags & token::PRIMARY != 0,
            rebuilt: true,
            resource,
            started: token.start,
            opened: true,
            longest: now.mono.saturating_add(left),
            texts,
            ..Leg::begun(token.leg, token.epoch, token.service, now)
        };
        leg.note_cseq(side, message.cseq());
        (session, leg)
    }

    /// The longest life that the configuration in force gives to the leg of a token.
    fn longest_of(&self, token: &Token) -> Duration {
        let snapshot = &self.snapshot;
        let tenant = snapshot.tenant_by_dbid(token.tenant).unwrap_or(ENVIRONMENT);
        policy::longest(snapshot, tenant, snapshot.profile_by_dbid(token.profile))
    }

    /// The names behind a token's numbers; of an object that is gone its number is the name.
    fn names_of(&mut self, token: &Token) -> (Arc<TenantNames>, Option<Arc<ProfileNames>>) {
        let snapshot = Arc::clone(&self.snapshot);
        let tenant = match snapshot.tenant_by_dbid(token.tenant) {
            Some(ix) => self.names.tenant(&snapshot, ix),
            None => {
                let name = token.tenant.to_string();
                Arc::new(TenantNames { name, dbid: token.tenant, path: Vec::new() })
            }
        };
        let profile = match snapshot.profile_by_dbid(token.profile) {
            Some(ix) => self.names.profile(&snapshot, ix),
            None => {
                let name = token.profile.to_string();
                Arc::new(ProfileNames::new(name, token.profile, token.service))
            }
        };
        (tenant, (token.profile != Dbid(0)).then_some(profile))
    }
}
