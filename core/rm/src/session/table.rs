//! All sessions and legs of the engine, found by GUID, by leg and by Call-ID (rm.md §2.1).
//!
//! Only keeps and finds; places and usage sets belong to the stages that judge by them. What has
//! an order that can be seen is kept in order: sessions by GUID.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::id::{Epoch, Guid, LegId};
use model::map::Map;
use slab::Slab;
use smallvec::SmallVec;

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
    by_leg: Map<(Guid, LegId), usize>,
    by_call: Map<Box<str>, SmallVec<[usize; 2]>>,
    tombstones: Map<(Guid, LegId), Epoch>,
    graves: VecDeque<(Duration, Guid, LegId)>,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sessions: Slab::new(),
            legs: Slab::new(),
            by_guid: BTreeMap::new(),
            by_leg: Map::new(seed),
            by_call: Map::new(seed),
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
        let call_id: Box<str> = leg.texts.get(Text::CallId).into();
        let key = self.legs.insert(leg);
        owner.legs.push(key);
        self.by_leg.insert((guid, id), key);
        if !call_id.is_empty() {
            self.by_call.get_or_insert_with(call_id, SmallVec::new).push(key);
        }
        Some(key)
    }

    /// Takes a leg out, and its session if that was the last one.
    pub(crate) fn remove_leg(&mut self, key: usize) -> Option<(Leg, Gone)> {
        let leg = self.legs.try_remove(key)?;
        let session = self.sessions.get_mut(leg.session)?;
        session.legs.retain(|one| *one != key);
        let (guid, last) = (session.guid, session.legs.is_empty());
        self.by_leg.remove(&(guid, leg.id));
        let call_id = leg.texts.get(Text::CallId);
        if let Some(same) = self.by_call.get_mut(call_id) {
            same.retain(|one| *one != key);
            if same.is_empty() {
                self.by_call.remove(call_id);
            }
        }
        if !last {
            return Some((leg, Gone::Leg(guid)));
        }
        self.by_guid.remove(&guid);
        let session = self.sessions.try_remove(leg.session)?;
        Some((leg, Gone::Session(Box::new(session))))
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
        self.by_leg.get(&(guid, id)).copied()
    }

    /// The leg of a dialog, in whichever direction the tags are given.
    pub(crate) fn leg_of_dialog(&self, call_id: &str, tags: [&str; 2]) -> Option<usize> {
        let [a, b] = tags;
        self.by_call.get(call_id)?.iter().copied().find(|key| {
            self.legs.get(*key).is_some_and(|leg| {
                let (from, to) = (leg.texts.get(Text::FromTag), leg.texts.get(Text::ToTag));
                !to.is_empty() && ((from, to) == (a, b) || (from, to) == (b, a))
            })
        })
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

/// What went with a leg.
#[derive(Debug)]
pub(crate) enum Gone {
    /// Only the leg; the session has others.
    Leg(Guid),
    /// The whole session.
    Session(Box<Session>),
}
