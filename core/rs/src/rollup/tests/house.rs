//! What the tests share: calls, a database of maps that works as the job does, and brute force.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{ComponentType, EndState};

use crate::rollup::{
    Bin, Call, Dim, Facts, Figures, Granularity, Level, LevelKey, Measure, Target, Types, Zone,
    five, touched, touched_session,
};

pub(super) const MINUTE: i64 = 60_000;

/// A leg of RM of tenant 2 below 1 and profile 5.
pub(super) fn leg(guid: &str, n: u8, from_ms: i64, to_ms: Option<i64>) -> Call {
    let mut call_key = [n; 16];
    call_key[1] = guid.bytes().fold(0, u8::wrapping_add);
    Call {
        call_key,
        guid: Some(guid.to_owned()),
        kind: ComponentType::Rm.number(),
        owners: vec![(101, from_ms)],
        call_type: 1,
        tenants: vec![1, 2],
        profile: Some(5),
        service: Some(1),
        dn: Some("1800".to_owned()),
        started_ms: from_ms,
        ended_ms: to_ms,
        end_state: to_ms.map(|_| EndState::UserEnd.number()),
        ..Call::default()
    }
}

pub(super) const fn key(measure: Measure, target: Target) -> LevelKey {
    LevelKey { measure, target }
}

/// Calls by key and bins as a database has them.
pub(super) struct Base {
    pub(super) zone: Zone,
    pub(super) calls: BTreeMap<[u8; 16], Call>,
    pub(super) bins: BTreeMap<(Granularity, i64), Figures>,
    pub(super) dirty: BTreeSet<(Granularity, i64)>,
}

impl Base {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, calls: BTreeMap::new(), bins: BTreeMap::new(), dirty: BTreeSet::new() }
    }

    /// Stores a call as it is now, and marks what that touches.
    pub(super) fn put(&mut self, call: Call) {
        let legs = |base: &Self| -> Vec<Call> {
            let of = base.calls.values().filter(|leg| leg.is_rm() && leg.guid == call.guid);
            of.cloned().collect()
        };
        let old = self.calls.get(&call.call_key).cloned();
        let old_legs = legs(self);
        self.calls.insert(call.call_key, call.clone());
        let new_legs = legs(self);
        let (old_legs, new_legs): (Vec<_>, Vec<_>) =
            (old_legs.iter().collect(), new_legs.iter().collect());
        let mut bins = touched(old.as_ref(), Some(&call));
        bins.extend(touched_session(&old_legs, &new_legs));
        self.dirty.extend(bins.into_iter().map(|bin| (Granularity::FiveMinutes, bin)));
    }

    /// Makes every dirty bin again, the smaller ones first.
    pub(super) fn roll(&mut self) {
        while let Some((granularity, start)) = self.dirty.pop_first() {
            let bin = self.zone.bin(granularity, start);
            let figures = match granularity.child() {
                None => self.five(bin),
                Some(child) => {
                    let parts = self.bins.range((child, bin.start_ms)..(child, bin.end_ms));
                    let parts = parts.map(|((_, at), figures)| (*at, figures.clone()));
                    Figures::join(bin.start_ms, parts)
                }
            };
            let old = self.bins.remove(&(granularity, start)).unwrap_or_default();
            if granularity == Granularity::FiveMinutes {
                let nets =
                    old.levels.iter().map(|(key, level)| (*key, level.net.clone())).collect();
                self.shift(start, &figures.moved(&nets));
            }
            if !figures.is_empty() {
                self.bins.insert((granularity, start), figures);
            }
            for parent in granularity.parents() {
                self.dirty.insert((*parent, self.zone.bin(*parent, start).start_ms));
            }
        }
    }

    fn five(&self, bin: Bin) -> Figures {
        let calls = self.calls.values().cloned().collect();
        let facts = Facts { calls, ..Facts::default() };
        let (mut figures, _) = five(bin, &facts, &BTreeMap::new());
        let before: BTreeMap<_, _> =
            figures.levels.keys().map(|key| (*key, self.level_at(*key, bin.start_ms))).collect();
        figures.carry(&before);
        figures
    }

    /// The level just before an instant.
    pub(super) fn level_at(&self, key: LevelKey, at_ms: i64) -> Types {
        let fives = Granularity::FiveMinutes;
        let mut before = self.bins.range((fives, i64::MIN)..(fives, at_ms)).rev();
        before.find_map(|(_, figures)| Some(figures.levels.get(&key)?.end())).unwrap_or_default()
    }

    fn shift(&mut self, after_ms: i64, moved: &BTreeMap<LevelKey, Types>) {
        for ((_, start), figures) in &mut self.bins {
            for (key, by) in moved {
                if let Some(level) = figures.levels.get_mut(key).filter(|_| *start > after_ms) {
                    level.shift(by);
                }
            }
        }
    }

    /// The same calls, all bins made at once.
    pub(super) fn at_once(&self) -> Self {
        let mut fresh = Self::new(self.zone.clone());
        fresh.calls = self.calls.clone();
        for call in self.calls.values() {
            let legs: Vec<_> =
                self.calls.values().filter(|leg| leg.is_rm() && leg.guid == call.guid).collect();
            let mut bins = touched(None, Some(call));
            bins.extend(touched_session(&[], &legs));
            fresh.dirty.extend(bins.into_iter().map(|bin| (Granularity::FiveMinutes, bin)));
        }
        fresh.roll();
        fresh
    }

    /// The level of a bin, also of one in which nothing happened.
    pub(super) fn level(&self, granularity: Granularity, bin: Bin, key: LevelKey) -> (i64, i64) {
        let stored = self.bins.get(&(granularity, bin.start_ms));
        match stored.and_then(|figures| figures.levels.get(&key)) {
            Some(Level { peak, peak_ms, peak_by_type, .. }) => {
                assert_eq!(peak_by_type.values().sum::<i64>(), *peak);
                (*peak, *peak_ms)
            }
            None => (self.level_at(key, bin.start_ms).values().sum(), bin.start_ms),
        }
    }
}

/// The greatest number of intervals at one instant of a bin, and the first such instant.
pub(super) fn brute(bin: Bin, spans: &[(i64, Option<i64>)]) -> (i64, i64) {
    let starts = spans.iter().map(|(from, _)| *from).filter(|from| bin.holds(*from));
    let mut best = (i64::MIN, 0);
    for at in starts.chain([bin.start_ms]).collect::<BTreeSet<_>>() {
        let there = |(from, to): &&(i64, Option<i64>)| *from <= at && to.is_none_or(|to| at < to);
        let count = i64::try_from(spans.iter().filter(there).count()).unwrap();
        if count > best.0 {
            best = (count, at);
        }
    }
    best
}

/// The sessions of tenant 2 by brute force: first start to last end of those of their legs that
/// count.
pub(super) fn sessions(calls: &BTreeMap<[u8; 16], Call>) -> Vec<(i64, Option<i64>)> {
    let mut by_guid: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    let rejected = Some(EndState::Rejected.number());
    let of_tenant = calls.values().filter(|call| call.is_rm() && call.tenants.contains(&2));
    for call in of_tenant.filter(|call| call.end_state != rejected) {
        if call.ended_ms != Some(call.started_ms) {
            by_guid.entry(call.guid.as_deref().unwrap()).or_default().push(call);
        }
    }
    let spans = by_guid.values().map(|legs| {
        let from = legs.iter().map(|leg| leg.started_ms).min().unwrap();
        let open = legs.iter().any(|leg| leg.ended_ms.is_none());
        (from, if open { None } else { legs.iter().filter_map(|leg| leg.ended_ms).max() })
    });
    spans.collect()
}

pub(super) fn tenant_sessions() -> LevelKey {
    key(Measure::Sessions, Target::new(Dim::Tenant, 2))
}
