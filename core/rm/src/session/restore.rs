//! Back from the spool, or from a token alone (rm.md §11.5, §11.6): legs adopted with epoch + 1.
//!
//! From the spool before any packet; from a token when a request of an unknown leg arrives. The
//! update record `adopted` opens the leg's frame again, the older epoch's frame is forgotten.

use std::sync::Arc;
use std::time::Duration;

use model::id::{Epoch, Guid, LegId};
use model::record::Level;
use model::time::Now;
use smallvec::SmallVec;

use super::end::objects;
use super::{
    Kind, Leg, Owner, ProfileNames, Session, Side, State, TenantNames, Text, Texts, block, names,
};
use crate::admit::Request;
use crate::limits;
use crate::log;
use crate::output::Event;
use crate::pool::Occupant;
use crate::proxy::{Proxy, Restored};
use crate::record::frame_key;
use crate::token::{self, Token};

impl Proxy {
    /// Rebuilds sessions, legs, usage sets and places from the packed legs of the spool's open
    /// frames. Call it once, before any other input. Session timers start with their full
    /// interval.
    pub fn restore<'a>(
        &mut self,
        now: Now,
        blocks: impl Iterator<Item = &'a [u8]>,
    ) -> Restored {
        let mut restored = Restored::default();
        for packed in blocks {
            match block::read(packed) {
                Some((session, leg)) => {
                    self.bring_back(now, session, leg);
                    restored.legs += 1;
                }
                None => restored.refused += 1,
            }
        }
        self.check();
        restored
    }

    fn bring_back(&mut self, now: Now, session: Session, mut leg: Leg) {
        let (guid, before) = (session.guid, leg.epoch);
        if let Some(older) = self.table.leg_of(guid, leg.id) {
            // two open frames of one leg: the higher epoch is the one that goes on
            let known = self.table.leg(older).map_or(Epoch(0), |leg| leg.epoch);
            if known > before {
                self.events.push_back(Event::Forget { key: frame_key(guid, leg.id, before) });
                return;
            }
        }
        self.take_over(now, &mut leg);
        let started = leg.answered.unwrap_or(leg.started);
        let age = now.wall.since(started);
        leg.longest = now.mono.saturating_add(limits::MAX_CALL_DURATION.saturating_sub(age));
        let key = self.settle(now, session, leg);
        self.events.push_back(Event::Forget { key: frame_key(guid, self.leg_id(key), before) });
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
        leg.silent = true;
    }

    /// Into the table and all sets, with an update record and an event.
    fn settle(&mut self, now: Now, session: Session, leg: Leg) -> Option<usize> {
        let guid = session.guid;
        let members = objects(&session);
        let owner = match self.table.session_of(guid) {
            Some(key) => key,
            None => self.table.insert_session(session),
        };
        for object in members {
            self.usage.insert(object, owner);
        }
        let resource = leg.resource.as_ref().and_then(|one| self.pool.key_of(one.dbid));
        let (former, epoch, rebuilt) = (leg.owners.first().cloned(), leg.epoch, leg.rebuilt);
        let key = self.table.insert_leg(owner, leg)?;
        if let Some(member) = resource {
            self.pool.occupy(member, Occupant::Leg(key));
        }
        self.counters.adopted += 1;
        self.counters.ledger_in += 1;
        self.set_expiry(key);
        self.record_adopted(now, key);
        let from = former.map_or_else(|| "?".to_owned(), |owner| owner.name);
        let word = if rebuilt { "rebuilt" } else { "" };
        let text = format!("{from}|{}|{word}", epoch.0.saturating_sub(1));
        let fields = vec![("owner", from), ("epoch", epoch.to_string())];
        self.log(log::ADOPTED, Some(guid), fields);
        self.call_event(now, key, Level::Note, "adopted", text);
        Some(key)
    }

    fn leg_id(&self, key: Option<usize>) -> LegId {
        key.and_then(|key| self.table.leg(key)).map_or(LegId(0), |leg| leg.id)
    }

    /// A valid token of a leg that nobody here knows: adopted, unless it was ours in this very
    /// run and has ended.
    pub(crate) fn rebuild(&mut self, request: &Request<'_, '_>, token: &Token) -> Option<usize> {
        let own_run = token.node == self.settings.node_id
            && (token.leg.0 >> 16) & 0x3F == self.settings.boot.0 & 0x3F;
        if own_run || self.table.is_buried(token.guid, token.leg) || self.table.is_full() {
            return None;
        }
        let (session, mut leg) = self.from_token(request, token);
        self.take_over(request.now, &mut leg);
        leg.silent = false;
        self.counters.rebuilt += 1;
        self.settle(request.now, session, leg)
    }

    fn from_token(&mut self, request: &Request<'_, '_>, token: &Token) -> (Session, Leg) {
        let (now, message) = (request.now, request.message);
        let snapshot = Arc::clone(&self.snapshot);
        let tenant = snapshot.tenant_by_dbid(token.tenant).map_or_else(
            || {
                let name = token.tenant.to_string();
                Arc::new(TenantNames { name, dbid: token.tenant, path: Vec::new() })
            },
            |ix| self.names.tenant(&snapshot, ix),
        );
        let profile = snapshot.profile_by_dbid(token.profile).map_or_else(
            || {
                let name = token.profile.to_string();
                Arc::new(ProfileNames::new(name, token.profile, token.service))
            },
            |ix| self.names.profile(&snapshot, ix),
        );
        let resource = snapshot
            .resource_by_dbid(token.resource)
            .map(|ix| Arc::new(names::resource(&snapshot, ix)));
        let (from, to) = (message.from(), message.to());
        let caller = token.from_caller(from.tag().unwrap_or_default());
        let (caller_side, callee_side) = if caller { (from, to) } else { (to, from) };
        let target = message.contacts().next().map_or("", |contact| contact.uri);
        let contact = if caller { Text::CallerTarget } else { Text::CalleeTarget };
        let texts = Texts::pack(&[
            (Text::CallId, message.call_id()),
            (Text::FromTag, caller_side.tag().unwrap_or_default()),
            (Text::ToTag, callee_side.tag().unwrap_or_default()),
            (Text::FromUri, caller_side.uri),
            (Text::ToUri, callee_side.uri),
            (contact, target),
        ]);
        let session = Session {
            guid: token.guid,
            tenant: Some(tenant),
            profile: Some(profile),
            revision: u64::from(token.revision),
            burst: (token.flags >> 2 & 3) + 1,
            priority: false,
            started: token.start,
            legs: SmallVec::new(),
        };
        let mut cseq = [0; 2];
        let side = if caller { Side::Caller } else { Side::Callee };
        if let Some(number) = cseq.get_mut(side.index()) {
            *number = message.cseq();
        }
        let internal = token.flags & token::INTERNAL != 0;
        let leg = Leg {
            id: token.leg,
            session: 0,
            epoch: token.epoch,
            state: State::Up,
            kind: if internal { Kind::Bridged } else { Kind::Inbound },
            service: token.service,
            primary: token.flags & token::PRIMARY != 0,
            rebuilt: true,
            silent: false,
            resource,
            attempts: 0,
            started: token.start,
            ringing: None,
            answered: None,
            last_heard: now.wall,
            bye: None,
            opened: true,
            referred: false,
            cseq,
            session_timer: None,
            heard: now.mono,
            longest: now.mono.saturating_add(
                limits::MAX_CALL_DURATION.saturating_sub(age(now, token)),
            ),
            deadline: None,
            owners: Vec::new(),
            updates: 0,
            events: 0,
            sip_status: None,
            selected_by: None,
            placed_by: "".into(),
            texts,
        };
        (session, leg)
    }

    /// Whether a session of this GUID is here; the simulator and tests ask.
    #[must_use]
    pub fn has_session(&self, guid: Guid) -> bool {
        self.table.session_of(guid).is_some()
    }
}

fn age(now: Now, token: &Token) -> Duration {
    now.wall.since(token.start)
}
