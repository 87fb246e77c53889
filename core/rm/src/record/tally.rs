//! What moves in a minute, by object: arrivals, ends, and the highest number at once (rm.md §9.4).
//!
//! A leg is counted out as what it was counted in, so that no level drifts. A minute is closed at
//! once and told in slices, while the next one goes on. Must not write records: `minute` does.

use std::sync::Arc;

use model::config::Service;
use model::map::Map;
use model::record::{CallType, Dimension};
use model::time::Millis;

use crate::session::{ProfileNames, TenantNames};

/// No minute.
const NEVER: u64 = u64::MAX;
/// Milliseconds of a minute.
pub(super) const MINUTE: u64 = 60_000;

/// One object in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) dim: Dimension,
    /// Its dbid, or the number of a service.
    pub(super) number: u32,
    pub(super) call_type: CallType,
}

/// Whose name it is.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    Node,
    Service(Service),
    Tenant(Arc<TenantNames>),
    Profile(Arc<ProfileNames>),
}

/// What a leg or session is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) tenant: Option<u32>,
    pub(crate) profile: Option<u32>,
    pub(crate) service: Option<Service>,
    pub(crate) call_type: CallType,
}

/// A number of things at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// At the start of the minute.
    pub(super) start: u64,
    pub(super) peak: u64,
    pub(super) peak_at: Option<Millis>,
    pub(super) moved: bool,
}

/// One minute of one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) count: u64,
    pub(super) rejected: u64,
    pub(super) duration_ms: u64,
    pub(super) calls: Span,
    pub(super) sessions: Span,
}

/// One object, as long as it has something or something of it is still to be told.
#[derive(Debug)]
struct Cell {
    whose: Whose,
    calls: u64,
    sessions: u64,
    /// Of which minute the figures are.
    minute: u64,
    figures: Figures,
    /// Those of the last minute before in which it moved.
    before: Figures,
}

/// All objects that move.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The minute in hand, since 1970.
    minute: u64,
    cells: Map<Key, Cell>,
    moved: Vec<Key>,
    /// Of the minute that is being told.
    closed: Vec<Key>,
    legs: Map<usize, Counted>,
    sessions: Map<usize, Counted>,
    /// Calls refused in the minute in hand.
    rejected: u64,
}

impl Tally {
    pub(crate) fn new(seed: u64, now: Millis) -> Self {
        Self {
            minute: now.0 / MINUTE,
            cells: Map::new(seed),
            moved: Vec::new(),
            closed: Vec::new(),
            legs: Map::new(seed),
            sessions: Map::new(seed),
            rejected: 0,
        }
    }

    /// Legs that are counted.
    pub(crate) fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Legs of a tenant that come in.
    pub(super) fn inbound(&self, tenant: u32) -> u64 {
        let key = Key { dim: Dimension::Tenant, number: tenant, call_type: CallType::Inbound };
        self.cells.get(&key).map_or(0, |cell| cell.calls)
    }

    /// A leg of a session is there, from now on; `arrived`: it has begun here and now.
    pub(crate) fn enter(
        &mut self,
        at: Millis,
        (leg, session): (usize, usize),
        counted: Counted,
        names: (Option<&Arc<TenantNames>>, Option<&Arc<ProfileNames>>),
        arrived: bool,
    ) {
        self.legs.insert(leg, counted);
        let first = !self.sessions.contains_key(&session);
        if first {
            self.sessions.insert(session, counted);
        }
        let (tenant, profile) = names;
        let whose = |key: Key| match key.dim {
            Dimension::Tenant => tenant.map(|one| Whose::Tenant(Arc::clone(one))),
            Dimension::Profile => profile.map(|one| Whose::Profile(Arc::clone(one))),
            Dimension::Service => counted.service.map(Whose::Service),
            Dimension::Component | Dimension::Dn => Some(Whose::Node),
        };
        for key in counted.keys() {
            let Some(whose) = whose(key) else { continue };
            let cell = self.cell(key, || whose);
            cell.calls += 1;
            let calls = cell.calls;
            cell.figures.calls.reach(at, calls);
            cell.figures.count += u64::from(arrived);
            if first {
                cell.sessions += 1;
                let sessions = cell.sessions;
                cell.figures.sessions.reach(at, sessions);
            }
        }
    }

    /// A leg ends; `last`: its session with it.
    pub(crate) fn leave(
        &mut self,
        (leg, session): (usize, usize),
        last: bool,
        rejected: bool,
        duration_ms: u64,
    ) {
        self.rejected += u64::from(rejected);
        let Some(counted) = self.legs.remove(&leg) else { return };
        for key in counted.keys() {
            let cell = self.cell(key, || Whose::Node);
            cell.calls = cell.calls.saturating_sub(1);
            cell.figures.calls.moved = true;
            cell.figures.rejected += u64::from(rejected);
            cell.figures.duration_ms += duration_ms;
        }
        if !last {
            return;
        }
        let Some(counted) = self.sessions.remove(&session) else { return };
        for key in counted.keys() {
            let cell = self.cell(key, || Whose::Node);
            cell.sessions = cell.sessions.saturating_sub(1);
            cell.figures.sessions.moved = true;
        }
    }

    /// The minute in hand is over if it is; which it was, and how many calls were refused in it.
    pub(crate) fn close(&mut self, now: Millis) -> Option<(Millis, u64)> {
        let minute = now.0 / MINUTE;
        if minute <= self.minute || !self.closed.is_empty() {
            return None;
        }
        let closed = std::mem::replace(&mut self.minute, minute);
        std::mem::swap(&mut self.moved, &mut self.closed);
        // the latest is taken first: in the order of their first movement
        self.closed.reverse();
        Some((Millis(closed * MINUTE), std::mem::take(&mut self.rejected)))
    }

    /// The next objects of the closed minute, at most `most`, into `out`; they are told then.
    pub(super) fn told(&mut self, most: usize, out: &mut Vec<(Key, Whose, Figures)>) {
        out.clear();
        let rest = self.closed.len().saturating_sub(most);
        for key in self.closed.drain(rest..).rev() {
            let Some(cell) = self.cells.get(&key) else { continue };
            let over = cell.minute < self.minute;
            let figures = if over { cell.figures } else { cell.before };
            out.push((key, cell.whose.clone(), figures));
            if over && cell.calls == 0 && cell.sessions == 0 {
                self.cells.remove(&key);
            }
        }
    }

    /// Whether something of the closed minute is still to be told.
    pub(crate) fn is_telling(&self) -> bool {
        !self.closed.is_empty()
    }

    fn cell(&mut self, key: Key, whose: impl FnOnce() -> Whose) -> &mut Cell {
        let Self { minute, cells, moved, .. } = self;
        let cell = cells.get_or_insert_with(key, || Cell {
            whose: whose(),
            calls: 0,
            sessions: 0,
            minute: NEVER,
            figures: Figures::default(),
            before: Figures::default(),
        });
        if cell.minute != *minute {
            moved.push(key);
            cell.minute = *minute;
            let span = |level| Span { start: level, peak: level, ..Span::default() };
            let fresh = Figures {
                calls: span(cell.calls),
                sessions: span(cell.sessions),
                ..Figures::default()
            };
            cell.before = std::mem::replace(&mut cell.figures, fresh);
        }
        cell
    }
}

impl Counted {
    /// All objects in which it counts.
    fn keys(self) -> impl Iterator<Item = Key> {
        let Self { tenant, profile, service, call_type } = self;
        let service = service.map(|one| u32::from(one.number()));
        let all = [
            (Dimension::Component, Some(0)),
            (Dimension::Tenant, tenant),
            (Dimension::Profile, profile),
            (Dimension::Service, service),
        ];
        all.into_iter()
            .filter_map(move |(dim, number)| Some(Key { dim, number: number?, call_type }))
    }
}

impl Span {
    fn reach(&mut self, at: Millis, level: u64) {
        self.moved = true;
        if level > self.peak {
            self.peak = level;
            self.peak_at = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, MINUTE, Tally};
    use model::config::Service;
    use model::record::{CallType, Dimension};
    use model::time::Millis;

    const COUNTED: Counted = Counted {
        tenant: None,
        profile: None,
        service: Some(Service::Voicexml),
        call_type: CallType::Inbound,
    };

    /// Of the node itself: count, rejected, level at the start, peak.
    fn told(tally: &mut Tally) -> Vec<(u64, u64, u64, u64)> {
        let (mut all, mut part) = (Vec::new(), Vec::new());
        while tally.is_telling() {
            tally.told(1, &mut part);
            all.extend(
                part.iter()
                    .filter(|(key, ..)| key.dim == Dimension::Component)
                    .map(|(_, _, one)| (one.count, one.rejected, one.calls.start, one.calls.peak)),
            );
        }
        all
    }

    #[test]
    fn a_minute_is_told_while_the_next_one_goes_on() {
        let at = |minute: u64| Millis(minute * MINUTE + 1);
        let mut tally = Tally::new(1, at(0));
        tally.enter(at(0), (1, 1), COUNTED, (None, None), true);
        tally.enter(at(0), (2, 2), COUNTED, (None, None), true);
        tally.leave((2, 2), true, true, 0);
        assert_eq!(tally.close(at(0)), None, "it is not over");
        assert_eq!(tally.close(at(1)), Some((Millis(0), 1)));
        // the next minute moves before the first one was told
        tally.enter(at(1), (3, 3), COUNTED, (None, None), true);
        assert_eq!(told(&mut tally), [(2, 1, 0, 2)]);
        assert_eq!(tally.close(at(2)), Some((Millis(MINUTE), 0)));
        assert_eq!(told(&mut tally), [(1, 0, 1, 2)]);
        // nothing moves, and nothing is told
        assert_eq!(tally.close(at(3)), Some((Millis(2 * MINUTE), 0)));
        assert_eq!(told(&mut tally), []);
        tally.leave((1, 1), true, false, 5);
        tally.leave((3, 3), true, false, 5);
        tally.close(at(9));
        assert_eq!(told(&mut tally), [(0, 0, 2, 2)]);
        assert!(tally.cells.is_empty() && tally.legs.is_empty() && tally.sessions.is_empty());
    }
}
