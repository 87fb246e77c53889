//! Calls in progress in memory (rs.md §4.10): what batches have changed becomes the same lists as
//! the database would give.
//!
//! A session stays as long as one of its legs is in progress, with its ended legs: a list shows it
//! by its first leg, and tells how many there are. Whoever feeds it gives the legs of a batch, and
//! ended legs of their sessions that are not here ([`Board::lacks`]). Beyond the limit legs are
//! left out, and the board says that it is not whole; it becomes so when it is made anew.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::id::LegId;
use model::record::{CallType, ComponentType, EndState};
use model::time::Millis;

use crate::key::{Day, Key};
use crate::query::{Filter, Unit};
use crate::report::{Application, Call, Component, Resource, TenantOf, legs_of_session, service};
use crate::row::{CallRow, flag};
use crate::share::{CallLine, DayKey};

/// A leg with the day that it is stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The day.
    pub day: Day,
    /// What is known of it. Names are those that its records told, empty where they told none.
    pub call: Call,
}

/// Where an item stands in a list: its start in ms since 1970 UTC, and its key.
pub type Place = (i64, Key);

/// A session on its day.
type Session = (Day, String);

/// Calls in progress, with the ended legs of their sessions.
#[derive(Clone, Debug)]
pub struct Board {
    most: usize,
    /// Bytes of all legs together at most, and now.
    most_bytes: usize,
    bytes: usize,
    legs: BTreeMap<Place, Leg>,
    starts: HashMap<Key, i64>,
    sessions: HashMap<Session, BTreeSet<Key>>,
    whole: bool,
}

impl Leg {
    /// A row that a share writes.
    #[must_use]
    pub fn of(line: &CallLine) -> Self {
        let row = &line.row;
        let number = |value: Option<i64>| value.map(i64::cast_unsigned);
        let application = line.profile_id.map(|id| Application {
            id: as_id(id),
            name: row.profile.as_ref().and_then(|named| named.name.clone()).unwrap_or_default(),
            service: row.profile.as_ref().and_then(|named| named.service).and_then(service),
            usage: number(row.profile_usage),
            burst: row.profile_burst,
        });
        let resource = Resource {
            group: row.resource_group.clone(),
            name: row.resource_name.clone(),
            address: row.resource_address.clone(),
            attempts: number(row.attempts),
        };
        let call = Call {
            component: Component {
                id: as_id(line.component_id),
                name: row.component.name.clone().unwrap_or_default(),
                kind: ComponentType::from_number(row.component_type)
                    .unwrap_or(ComponentType::Other),
            },
            application,
            tenants: tenants(line),
            resource: Some(resource).filter(|resource| *resource != Resource::default()),
            ..plain(row)
        };
        Self { day: line.day, call }
    }

    /// Whether it is in progress.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.call.ended.is_none()
    }

    /// By what it is found in the database.
    #[must_use]
    pub const fn at(&self) -> DayKey {
        (self.day, self.call.key)
    }

    /// What it takes in memory, nearly: itself with its places, and its texts.
    fn bytes(&self) -> usize {
        let Call { session_id, guid, dn, local_uri, remote_uri, call_id, call_uuid, .. } =
            &self.call;
        let Call { reason, component, application, tenants, resource, .. } = &self.call;
        let of = resource.as_ref();
        let own = [guid, dn, call_id, call_uuid, reason].map(Option::as_ref);
        let of = [
            of.and_then(|of| of.group.as_ref()),
            of.and_then(|of| of.name.as_ref()),
            of.and_then(|of| of.address.as_ref()),
            application.as_ref().map(|of| &of.name),
        ];
        let texts = [session_id, local_uri, remote_uri, &component.name].into_iter();
        let texts = texts.chain(own.into_iter().chain(of).flatten());
        let texts = texts.chain(tenants.iter().map(|of| &of.name)).map(String::len);
        // a session's name stands once more beside its legs
        let names = guid.as_ref().map_or(0, String::len);
        2 * size_of::<Self>() + size_of_val(&**tenants) + names + texts.sum::<usize>()
    }

    fn place(&self) -> Place {
        (i64::try_from(self.call.started.0).unwrap_or(i64::MAX), self.call.key)
    }

    fn session(&self) -> Option<Session> {
        Some((self.day, self.call.guid.clone()?))
    }

    /// The order of a session's legs: RM's first, the earliest first.
    fn order(&self) -> (bool, Millis, LegId, Key) {
        let Call { component, started, leg, key, .. } = &self.call;
        (component.kind != ComponentType::Rm, *started, leg.unwrap_or(LegId(0)), *key)
    }
}

/// What of a call is in its row alone, without objects.
fn plain(row: &CallRow) -> Call {
    let time = |ms: i64| Millis(u64::try_from(ms).unwrap_or(0));
    Call {
        key: row.call_key,
        session_id: row.session_id.clone(),
        guid: row.guid.clone(),
        call_type: CallType::from_number(row.call_type).unwrap_or(CallType::Unknown),
        started: time(row.started_ms),
        answered: row.answered_ms.map(time),
        ended: row.ended_ms.map(time),
        dn: row.dn.clone(),
        local_uri: row.local_uri.clone(),
        remote_uri: row.remote_uri.clone(),
        service: row.service.and_then(service),
        end_state: row.end_state.and_then(EndState::from_number),
        sip_status: row.sip_status,
        call_id: row.call_id.clone(),
        call_uuid: row.call_uuid.clone(),
        reason: row.reason.clone(),
        leg: row.leg.map(LegId),
        epoch: row.epoch.cast_unsigned(),
        config_rev: row.config_rev.map(i64::cast_unsigned),
        component: Component { id: 0, name: String::new(), kind: ComponentType::Other },
        application: None,
        tenants: Vec::new(),
        resource: None,
        led: row.flags & flag::LED != 0,
    }
}

fn tenants(line: &CallLine) -> Vec<TenantOf> {
    let name = |depth: u32| {
        let told = line.row.tenants.iter().find(|told| told.depth == depth);
        told.and_then(|told| told.tenant.name.clone()).unwrap_or_default()
    };
    let tenants = line.tenants.iter().map(|of| TenantOf {
        id: as_id(of.tenant_id),
        name: name(of.depth),
        usage: of.usage.map(i64::cast_unsigned),
        burst: of.burst,
    });
    tenants.collect()
}

fn as_id(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

impl Board {
    /// An empty one for so many legs, which have so many bytes together.
    #[must_use]
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let (legs, starts, sessions) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { most, most_bytes, bytes: 0, legs, starts, sessions, whole: true }
    }

    /// Legs as they are now, each once.
    pub fn take(&mut self, legs: Vec<Leg>) {
        let mut touched = BTreeSet::new();
        let mut alone = Vec::new();
        let mut groups: BTreeMap<Session, Vec<Leg>> = BTreeMap::new();
        for leg in legs {
            touched.extend(self.remove(&leg.call.key).and_then(|old| old.session()));
            match leg.session() {
                Some(session) => groups.entry(session).or_default().push(leg),
                None if leg.is_live() => alone.push(leg),
                None => {}
            }
        }
        groups.retain(|session, legs| {
            touched.remove(session);
            let lives = legs.iter().any(Leg::is_live) || self.lives(session);
            if !lives {
                self.end(session);
            }
            lives
        });
        for session in touched {
            if !self.lives(&session) {
                self.end(&session);
            }
        }
        alone.into_iter().chain(groups.into_values().flatten()).for_each(|leg| self.put(leg));
    }

    /// Some legs of sessions in progress, of which others are still to come: what has ended stays
    /// until the board is [settled](Board::settle).
    pub fn read(&mut self, legs: impl IntoIterator<Item = Leg>) {
        let kept = legs.into_iter().filter(|leg| leg.is_live() || leg.call.guid.is_some());
        for leg in kept {
            self.remove(&leg.call.key);
            self.put(leg);
        }
    }

    /// All has been read: sessions without a leg in progress go.
    pub fn settle(&mut self) {
        let ended = self.sessions.keys().filter(|session| !self.lives(session)).cloned();
        ended.collect::<Vec<_>>().iter().for_each(|session| self.end(session));
    }

    /// Takes these off, and gives where those of them lie that were here. They are missing until
    /// they are given again.
    pub fn leave(&mut self, keys: &[Key]) -> Vec<DayKey> {
        keys.iter().filter_map(|key| Some(self.remove(key)?.at())).collect()
    }

    /// Of these legs those that are not here.
    #[must_use]
    pub fn lacks(&self, legs: &[DayKey]) -> Vec<DayKey> {
        legs.iter().filter(|(_, key)| !self.starts.contains_key(key)).copied().collect()
    }

    /// Some were left out.
    pub const fn leave_out(&mut self) {
        self.whole = false;
    }

    /// None was left out.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many legs there are, ended ones included.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Whether a quarter of its room is free: to be made anew is of use then.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.legs() <= self.most / 4 * 3 && self.bytes <= self.most_bytes / 4 * 3
    }

    /// The items of calls in progress behind a place, newest start first, at most so many; with
    /// the legs that a list shows each by. In the filter are the aliases of ids.
    #[must_use]
    pub fn list(
        &self,
        filter: &Filter,
        unit: Unit,
        after: Option<Place>,
        most: usize,
        now: Millis,
    ) -> Vec<(Place, Vec<Call>)> {
        let hits = self.hits(filter, unit, now);
        let behind = hits.filter(|(place, _)| after.is_none_or(|after| **place < after));
        let items = behind.take(most).map(|(place, leg)| {
            let legs = match unit {
                Unit::Guid => self.shown(leg, filter.scope.as_deref()),
                Unit::Leg => vec![leg.call.clone()],
            };
            (*place, legs)
        });
        items.collect()
    }

    /// How many items there are.
    #[must_use]
    pub fn count(&self, filter: &Filter, unit: Unit, now: Millis) -> u64 {
        u64::try_from(self.hits(filter, unit, now).count()).unwrap_or(u64::MAX)
    }

    fn hits<'b>(
        &'b self,
        filter: &'b Filter,
        unit: Unit,
        now: Millis,
    ) -> impl Iterator<Item = (&'b Place, &'b Leg)> {
        self.legs.iter().rev().filter(move |(_, leg)| {
            leg.is_live()
                && filter.meets(&leg.call, now)
                && (unit == Unit::Leg || self.shows(leg, filter))
        })
    }

    /// Whether a leg shows its session: it is the first of those that the asker may see, and no leg
    /// of RM shows it on another day.
    fn shows(&self, leg: &Leg, filter: &Filter) -> bool {
        let mine = self.legs_of(leg).filter(|other| filter.is_in_scope(&other.call));
        !leg.call.led && mine.map(Leg::order).min().is_none_or(|first| first == leg.order())
    }

    fn shown(&self, leg: &Leg, scope: Option<&[u32]>) -> Vec<Call> {
        let mut legs: Vec<&Leg> = self.legs_of(leg).collect();
        if legs.is_empty() {
            return vec![leg.call.clone()];
        }
        legs.sort_by_key(|leg| leg.order());
        let mut calls = legs.into_iter().map(|leg| leg.call.clone()).collect();
        legs_of_session(&mut calls, scope);
        calls
    }

    /// All legs of its session; none: it has no GUID.
    fn legs_of<'b>(&'b self, leg: &Leg) -> impl Iterator<Item = &'b Leg> {
        let keys = leg.session().and_then(|session| self.sessions.get(&session));
        keys.into_iter().flatten().filter_map(|key| self.leg(key))
    }

    fn leg(&self, key: &Key) -> Option<&Leg> {
        self.legs.get(&(*self.starts.get(key)?, *key))
    }

    fn lives(&self, session: &Session) -> bool {
        let keys = self.sessions.get(session).into_iter().flatten();
        keys.filter_map(|key| self.leg(key)).any(Leg::is_live)
    }

    fn put(&mut self, leg: Leg) {
        let bytes = self.bytes + leg.bytes();
        if self.legs.len() >= self.most || bytes > self.most_bytes {
            self.whole = false;
            return;
        }
        self.bytes = bytes;
        let place = leg.place();
        self.starts.insert(place.1, place.0);
        if let Some(session) = leg.session() {
            self.sessions.entry(session).or_default().insert(place.1);
        }
        self.legs.insert(place, leg);
    }

    fn remove(&mut self, key: &Key) -> Option<Leg> {
        let leg = self.legs.remove(&(self.starts.remove(key)?, *key))?;
        self.bytes -= leg.bytes();
        if let Some(session) = leg.session()
            && let Some(keys) = self.sessions.get_mut(&session)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.sessions.remove(&session);
            }
        }
        Some(leg)
    }

    fn end(&mut self, session: &Session) {
        for key in self.sessions.remove(session).unwrap_or_default() {
            let started = self.starts.remove(&key);
            let leg = started.and_then(|started| self.legs.remove(&(started, key)));
            self.bytes -= leg.map_or(0, |leg| leg.bytes());
        }
    }
}
