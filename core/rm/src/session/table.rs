//! All sessions and legs of the engine, found by GUID, by leg and by Call-ID (rm.md §2.1).
//!
//! Only keeps and finds; places and usage sets belong to the stages that judge by them. What has
//! an order that can be seen is kept in order: sessions by GUID.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use model::id::{Dbid, Epoch, Guid, LegId};
use model::index::Index;
use model::map::Map;
use sip::slots::Slots;

use super::Session;
use super::leg::Leg;
use super::texts::Text;
use crate::limits;

/// Sessions, legs, tombstones.
#[derive(Debug)]
pub(crate) struct Table {
    sessions: Slots<Session>,
    legs: Slots<Leg>,
    by_guid: BTreeMap<Guid, u32>,
    by_leg: Index,
    by_call: Index,
    by_affinity: Index,
    tombstones: Map<(Guid, LegId), Epoch>,
    graves: VecDeque<(Duration, Guid, LegId)>,
}

impl Table {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sessions: Slots::default(),
            legs: Slots::default(),
            by_guid: BTreeMap::new(),
            by_leg: Index::new(seed),
            by_call: Index::new(seed),
            by_affinity: Index::new(seed),
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
        let number = self.sessions.insert(session).index;
        self.by_guid.insert(guid, number);
        number as usize
    }

    pub(crate) fn insert_leg(&mut self, session: usize, mut leg: Leg) -> Option<usize> {
        let owner = self.sessions.at_mut(number(session))?;
        leg.session = session;
        let (guid, id) = (owner.guid, leg.id);
        let place = self.legs.insert(leg).index;
        owner.legs.push(place as usize);
        self.by_leg.insert(&(guid, id), place);
        let call_id = self.legs.at(place).map_or("", |leg| leg.texts.get(Text::CallId));
        self.by_call.insert(call_id, place);
        self.index_affinity(place as usize);
        Some(place as usize)
    }

    /// Takes a leg out, and its session if that was the last one; the GUID is the session's.
    pub(crate) fn remove_leg(&mut self, key: usize) -> Option<(Leg, Guid, Option<Session>)> {
        let leg = self.legs.remove(number(key))?;
        let session = self.sessions.at_mut(number(leg.session))?;
        session.legs.retain(|one| *one != key);
        let (guid, last) = (session.guid, session.legs.is_empty());
        self.by_leg.remove(&(guid, leg.id), number(key));
        self.by_call.remove(leg.texts.get(Text::CallId), number(key));
        self.by_affinity.remove(leg.texts.get(Text::Affinity), number(key));
        if !last {
            return Some((leg, guid, None));
        }
        self.by_guid.remove(&guid);
        let session = self.sessions.remove(number(leg.session));
        Some((leg, guid, session))
    }

    pub(crate) fn leg(&self, key: usize) -> Option<&Leg> {
        self.legs.at(number(key))
    }

    pub(crate) fn leg_mut(&mut self, key: usize) -> Option<&mut Leg> {
        self.legs.at_mut(number(key))
    }

    pub(crate) fn session(&self, key: usize) -> Option<&Session> {
        self.sessions.at(number(key))
    }

    pub(crate) fn session_mut(&mut self, key: usize) -> Option<&mut Session> {
        self.sessions.at_mut(number(key))
    }

    /// A leg and its session.
    pub(crate) fn both(&self, key: usize) -> Option<(&Session, &Leg)> {
        let leg = self.legs.at(number(key))?;
        Some((self.sessions.at(number(leg.session))?, leg))
    }

    pub(crate) fn session_of(&self, guid: Guid) -> Option<usize> {
        self.by_guid.get(&guid).map(|number| *number as usize)
    }

    pub(crate) fn leg_of(&self, guid: Guid, id: LegId) -> Option<usize> {
        let is = |place: u32| {
            let found = self.both(place as usize);
            found.is_some_and(|(session, leg)| session.guid == guid && leg.id == id)
        };
        self.by_leg.find(&(guid, id), is).map(|place| place as usize)
    }

    /// The leg of a dialog, in whichever direction the tags are given.
    pub(crate) fn leg_of_dialog(&self, call_id: &str, tags: [&str; 2]) -> Option<usize> {
        let [a, b] = tags;
        let is = |place: u32| {
            self.legs.at(place).is_some_and(|leg| {
                let (from, to) = (leg.texts.get(Text::FromTag), leg.texts.get(Text::ToTag));
                let known = leg.texts.get(Text::CallId) == call_id && !to.is_empty();
                known && ((from, to) == (a, b) || (from, to) == (b, a))
            })
        };
        self.by_call.find(call_id, is).map(|place| place as usize)
    }

    /// Makes a leg known by what it shares with others; once in its life.
    pub(crate) fn index_affinity(&mut self, key: usize) {
        let leg = self.legs.at(number(key));
        let text = leg.map_or("", |leg| leg.texts.get(Text::Affinity));
        if !text.is_empty() {
            self.by_affinity.insert(text, number(key));
        }
    }

    /// The latest leg on a resource that shares this with others of its tenant: where that went
    /// the others have gone since, though earlier ones may still be elsewhere.
    pub(crate) fn leg_of_affinity(&self, tenant: Dbid, text: &str) -> Option<usize> {
        let mut latest = None;
        let each = |place: u32| {
            let found = self.both(place as usize).filter(|(session, leg)| {
                leg.resource.is_some()
                    && leg.texts.get(Text::Affinity) == text
                    && session.tenant.as_ref().is_some_and(|own| own.dbid == tenant)
            });
            latest = latest.max(found.map(|(_, leg)| (leg.started, leg.id, place as usize)));
            // all are looked at
            false
        };
        self.by_affinity.find(text, each);
        latest.map(|(.., place)| place)
    }

    /// Sessions behind `after` in the order of their GUIDs.
    pub(crate) fn walk(&self, after: Option<Guid>) -> impl Iterator<Item = (usize, &Session)> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_guid
            .range((from, Bound::Unbounded))
            .filter_map(|(_, number)| Some((*number as usize, self.sessions.at(*number)?)))
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

    /// Forgets old tombstones, of many the first ones; how many.
    pub(crate) fn forget_old(&mut self, now: Duration) -> usize {
        let mut forgotten = 0;
        while forgotten < limits::DONE_WITH
            && let Some((_, guid, id)) = self.graves.pop_front_if(|(until, ..)| *until <= now)
        {
            self.tombstones.remove(&(guid, id));
            forgotten += 1;
        }
        forgotten
    }

    /// When the next tombstone is old.
    pub(crate) fn next_old(&self) -> Option<Duration> {
        self.graves.front().map(|(until, ..)| *until)
    }
}

/// The place of a key: there are fewer than 2^32 (`limits.rs`).
fn number(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::texts::Texts;
    use super::*;
    use model::config::Service;
    use model::time::{Millis, Now};
    use sip::buffers::Buffers;

    fn session(number: usize) -> Session {
        Session::begun(guid(number), Millis(0))
    }

    fn guid(number: usize) -> Guid {
        Guid((number as u128).to_be_bytes())
    }

    #[test]
    fn it_is_full_of_sessions_or_of_legs_and_a_place_given_back_is_free() {
        let (mut table, mut buffers) = (Table::new(7), Buffers::default());
        let now = Now { mono: Duration::ZERO, wall: Millis(0) };
        let mut legs = 0;
        let mut leg = |table: &mut Table, owner| {
            legs += 1;
            let call_id = format!("{legs}@10.1.1.5");
            let texts = Texts::pack(&[(Text::CallId, &call_id)], &mut buffers);
            let begun = Leg::begun(LegId(legs), Epoch(1), Service::Voicexml, now);
            table.insert_leg(owner, Leg { texts, ..begun }).unwrap()
        };
        let mut keys = Vec::new();
        for number in 0..limits::SESSIONS {
            assert!(!table.is_full(), "{number}");
            let owner = table.insert_session(session(number));
            keys.push((owner, leg(&mut table, owner)));
        }
        assert!(table.is_full());
        let (_, guid, gone) = table.remove_leg(keys[0].1).unwrap();
        assert!(gone.is_some() && !table.is_full() && table.session_of(guid).is_none());
        for (owner, _) in keys.iter().skip(1).take(limits::LEGS - limits::SESSIONS) {
            assert!(!table.is_full());
            leg(&mut table, *owner);
        }
        assert_eq!((table.sessions(), table.legs()), (limits::SESSIONS - 1, limits::LEGS - 1));
        let last = leg(&mut table, keys[1].0);
        assert!(table.is_full());
        table.remove_leg(last).unwrap();
        assert!(!table.is_full());
    }
}
