//! All sessions and legs of the engine, found by GUID, by leg and by Call-ID (rm.md §2.1).
//!
//! Only keeps and finds; places and usage sets belong to the stages that judge by them. What has
//! an order that can be seen is kept in order: sessions by GUID.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::id::{Epoch, Guid, LegId};
use model::index::Index;
use model::map::Map;
use slab::Slab;

use super::Session;
use super::leg::Leg;
use super::texts::Text;
use crate::limits;

/// Sessions, legs, tombstones.
#[derive(Debug)]
pub(crate) struct Table {
    sessions: Slab<Session>,
    legs: Slab<Leg>,
    by_guid: BTreeMap<Guid, usize>,
    by_leg: Index,
    by_call: Index,
    tombstones: Map<(Guid, LegId), Epoch>,
    graves: VecDeque<(Duration, Guid, LegId)>,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sessions: Slab::new(),
            legs: Slab::new(),
            by_guid: BTreeMap::new(),
            by_leg: Index::new(seed),
            by_call: Index::new(seed),
            tombstones: Map::new(seed),
            graves: VecDeque::new(),
        }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.sessions.len() >= limits::SESSIONS || self.legs.len() >= limits::LEGS
    }

    pub(crate) fn insert_session(&mut self, session: Session) -> usize {
        let guid = session.guid;
        let key = self.sessions.insert(session);
        self.by_guid.insert(guid, key);
        key
    }

    pub(crate) fn insert_leg(&mut self, session: usize, mut leg: Leg) -> Option<usize> {
        let owner = self.sessions.get_mut(session)?;
        leg.session = session;
        let (guid, id) = (owner.guid, leg.id);
        let key = self.legs.vacant_key();
        let number = u32::try_from(key).ok()?;
        self.by_leg.insert(&(guid, id), number);
        self.by_call.insert(leg.texts.get(Text::CallId), number);
        owner.legs.push(key);
        Some(self.legs.insert(leg))
    }

    /// Takes a leg out, and its session if that was the last one; the GUID is the session's.
    pub(crate) fn remove_leg(&mut self, key: usize) -> Option<(Leg, Guid, Option<Session>)> {
        let leg = self.legs.try_remove(key)?;
        let session = self.sessions.get_mut(leg.session)?;
        session.legs.retain(|one| *one != key);
        let (guid, last) = (session.guid, session.legs.is_empty());
        let number = u32::try_from(key).ok()?;
        self.by_leg.remove(&(guid, leg.id), number);
        self.by_call.remove(leg.texts.get(Text::CallId), number);
        if !last {
            return Some((leg, guid, None));
        }
        self.by_guid.remove(&guid);
        let session = self.sessions.try_remove(leg.session);
        Some((leg, guid, session))
    }

    pub(crate) fn leg(&self, key: usize) -> Option<&Leg> {
        self.legs.get(key)
    }

    pub(crate) fn leg_mut(&mut self, key: usize) -> Option<&mut Leg> {
        self.legs.get_mut(key)
    }

    pub(crate) fn session(&self, key: usize) -> Option<&Session> {
        self.sessions.get(key)
    }

    pub(crate) fn session_mut(&mut self, key: usize) -> Option<&mut Session> {
        self.sessions.get_mut(key)
    }

    /// A leg and its session.
    pub(crate) fn both(&self, key: usize) -> Option<(&Session, &Leg)> {
        let leg = self.legs.get(key)?;
        Some((self.sessions.get(leg.session)?, leg))
    }

    pub(crate) fn session_of(&self, guid: Guid) -> Option<usize> {
        self.by_guid.get(&guid).copied()
    }

    pub(crate) fn leg_of(&self, guid: Guid, id: LegId) -> Option<usize> {
        let is = |number: u32| {
            let found = self.both(number as usize);
            found.is_some_and(|(session, leg)| session.guid == guid && leg.id == id)
        };
        self.by_leg.find(&(guid, id), is).map(|number| number as usize)
    }

    /// The leg of a dialog, in whichever direction the tags are given.
    pub(crate) fn leg_of_dialog(&self, call_id: &str, tags: [&str; 2]) -> Option<usize> {
        let [a, b] = tags;
        let is = |number: u32| {
            self.legs.get(number as usize).is_some_and(|leg| {
                let (from, to) = (leg.texts.get(Text::FromTag), leg.texts.get(Text::ToTag));
                let known = leg.texts.get(Text::CallId) == call_id && !to.is_empty();
                known && ((from, to) == (a, b) || (from, to) == (b, a))
            })
        };
        self.by_call.find(call_id, is).map(|number| number as usize)
    }

    /// Sessions behind `after` in the order of their GUIDs.
    pub(crate) fn walk(&self, after: Option<Guid>) -> impl Iterator<Item = (usize, &Session)> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_guid
            .range((from, Bound::Unbounded))
            .filter_map(|(_, key)| self.sessions.get(*key).map(|session| (*key, session)))
    }

    /// Remembers an ended leg; true if it is the only one, so that a timer must be set.
    pub(crate) fn bury(&mut self, until: Duration, guid: Guid, id: LegId, epoch: Epoch) -> bool {
        self.tombstones.insert((guid, id), epoch);
        self.graves.push_back((until, guid, id));
        self.graves.len() == 1
    }

    pub(crate) fn is_buried(&self, guid: Guid, id: LegId) -> bool {
        self.tombstones.contains_key(&(guid, id))
    }

    /// Forgets old tombstones; gives back when the next one becomes old.
    pub(crate) fn forget_old(&mut self, now: Duration) -> Option<Duration> {
        while let Some((until, guid, id)) = self.graves.front().copied() {
            if until > now {
                return Some(until);
            }
            self.graves.pop_front();
            self.tombstones.remove(&(guid, id));
        }
        None
    }
}
