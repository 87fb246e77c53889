//! The first bin that is made, behind those that are frozen: levels go on there with what the
//! facts say, whatever the frozen ones have come to (rs.md §4.5).

use std::collections::{BTreeMap, BTreeSet};

use super::super::alias::Aliases;
use super::super::five::{Admitted, covering};
use super::super::key::LevelKey;
use super::super::level::{Types, add, difference};
use super::super::rows::{At, BinRows, LevelRow};
use super::super::state::State;
use super::super::stored::{Question, Which};
use super::super::tables::{Meta, Tables};
use super::super::zone::Granularity;
use super::{Changes, Mark, Work};
use crate::key;

/// What the first instant of that bin adds beside its own facts.
#[derive(Default)]
pub(super) struct Entering {
    pub(super) levels: BTreeMap<LevelKey, Types>,
    /// Numbers of what was there before.
    pub(super) admitted: Admitted,
    /// Of which days it had to do without.
    pub(super) meta: Meta,
}

/// Levels by object.
type Levels = BTreeMap<LevelKey, Types>;

impl<T: Tables + ?Sized> Work<'_, T> {
    /// By how much the levels at the first bin that is made differ from those after the frozen
    /// ones: by what came too late for these, and what was counted under another id in them. What
    /// is over by the facts stands no longer, of whichever object it was.
    pub(super) fn entering(&mut self, at_ms: i64, old: &BinRows) -> Result<Entering, T::Error> {
        let began = self.spans.iter().filter(|span| span.first_ms <= at_ms);
        let days: BTreeSet<_> = began.flat_map(|span| [key::before(span.day), span.day]).collect();
        let missing = &days & &self.unreadable;
        let question =
            Question { which: Which::Covering(at_ms), days: &days - &missing, all_ports: false };
        let (mut levels, admitted) = covering(at_ms, &self.facts(&question)?);
        let at = At::new(Granularity::FiveMinutes, at_ms);
        let mut keys: BTreeSet<LevelKey> = levels.keys().copied().collect();
        keys.extend(old.levels.iter().filter_map(LevelRow::key));
        let mut rows = self.tables.levels(at, &keys, &BTreeSet::new())?.before;
        rows.extend(self.tables.standing(at)?);
        let stood = rows.iter().filter_map(|row| Some((row.key()?, row.level()?.end())));
        let stood: Levels = stood.collect();
        if !missing.is_empty() {
            keep(&mut levels, &stood, &self.aliases);
        }
        for (key, before) in &stood {
            let by = difference(before, &levels.remove(key).unwrap_or_default());
            levels.insert(*key, by);
        }
        levels.retain(|_, by| !by.is_empty());
        let meta = self.state.without(&missing);
        Ok(Entering { levels, admitted, meta })
    }

    /// Days without which the first bin had to be made can be read, or are gone for good: it is
    /// made again. False: it was in vain.
    pub(super) fn returned(&mut self) -> Result<bool, T::Error> {
        let missing = &self.state.missing & &self.unreadable;
        if missing == self.state.missing {
            return Ok(true);
        }
        let changes = Changes {
            fence: Some(self.rules.fence),
            guard: self.state.guard(),
            marks: self.state.boundary().map(Mark::five).into_iter().collect(),
            meta: State::missing(&missing),
            ..Changes::default()
        };
        self.state.missing = missing;
        self.tables.write(&changes, self.rules.now_ms)
    }
}

/// Nothing that stands goes while nobody knows whether it is of a day that cannot be read; what
/// other days have more is added. So a level may be too high until the day can be read, but what
/// began is never missing.
fn keep(levels: &mut Levels, stood: &Levels, aliases: &Aliases) {
    let mut known = Levels::new();
    for (key, types) in stood {
        let of = known.entry(key.meant(aliases)).or_default();
        for (call_type, count) in types {
            add(of, *call_type, *count);
        }
    }
    for (key, types) in known {
        let of = levels.entry(key).or_default();
        for (call_type, count) in types {
            let there = of.get(&call_type).copied().unwrap_or_default();
            add(of, call_type, (count - there).max(0));
        }
    }
}
