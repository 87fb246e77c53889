//! A bin that was made again becomes the rows that change: only what is other than what is stored
//! is written.

use std::collections::{BTreeMap, BTreeSet};

use super::figures::Figures;
use super::five::{Admitted, Facts, five};
use super::key::LevelKey;
use super::level::Types;
use super::rows::{At, BinRows, LevelRow};
use super::tables::{Changes, Levels};
use super::zone::{Bin, Granularity};
use crate::key::Day;

/// A five-minute bin on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Remade {
    bin: Bin,
    old: BinRows,
    new: Figures,
    started: BTreeMap<LevelKey, Types>,
    moved: BTreeMap<LevelKey, Types>,
    admitted: Admitted,
}

impl Remade {
    /// Of all its facts, which are let go then, of what its first instant adds, and of the rows
    /// that are there.
    pub(super) fn of(
        bin: Bin,
        facts: Facts,
        old: BinRows,
        entering: &BTreeMap<LevelKey, Types>,
    ) -> Self {
        let (new, admitted) = five(bin, &facts, entering);
        drop(facts);
        let (mut started, mut nets) = (BTreeMap::new(), BTreeMap::new());
        for row in &old.levels {
            if let Some((key, (start, net))) = row.key().zip(row.start_and_net()) {
                started.insert(key, start);
                nets.insert(key, net);
            }
        }
        let moved = new.moved(&nets);
        Self { bin, old, new, started, moved, admitted }
    }

    /// Whose level before the bin is not known: what has no row in it yet.
    pub(super) fn before(&self) -> BTreeSet<LevelKey> {
        let new = self.new.levels.keys();
        new.filter(|key| !self.started.contains_key(key)).copied().collect()
    }

    /// Whose levels after the bin move.
    pub(super) fn after(&self) -> BTreeSet<LevelKey> {
        self.moved.keys().copied().collect()
    }

    /// Numbers that were left out, by day.
    pub(super) const fn left_out(&self) -> &BTreeSet<(Day, i64)> {
        &self.admitted.left_out
    }

    /// The rows that change. `deltas`: whether the bin still keeps its list of changes.
    pub(super) fn finish(self, levels: &Levels, deltas: bool) -> Changes {
        let Self { bin, old, mut new, mut started, moved, admitted } = self;
        for row in &levels.before {
            if let Some((key, level)) = row.key().zip(row.level()) {
                started.entry(key).or_insert_with(|| level.end());
            }
        }
        new.carry(&started);
        if !deltas {
            new.levels.values_mut().for_each(|level| level.deltas = None);
        }
        let mut changes =
            difference(&old, &new.rows(At::new(Granularity::FiveMinutes, bin.start_ms)));
        changes.put.levels.extend(levels.after.iter().filter_map(|row| shifted(row, &moved)));
        changes.numbers = admitted.numbers;
        changes
    }
}

/// The row with its level moved.
fn shifted(row: &LevelRow, moved: &BTreeMap<LevelKey, Types>) -> Option<LevelRow> {
    let (key, mut level) = row.key().zip(row.level())?;
    level.shift(moved.get(&key)?);
    Some(LevelRow::of(row.at, key, &level))
}

/// A larger bin on its way: one smaller bin after the other, since all numbers that were called in
/// a month, day by day, would be too much at once.
pub(super) struct Joined {
    at: At,
    figures: Figures,
}

impl Joined {
    pub(super) fn of(at: At) -> Self {
        Self { at, figures: Figures::default() }
    }

    /// Adds the next smaller bin, by its rows.
    pub(super) fn extend(&mut self, rows: &BinRows) {
        for (start_ms, bin) in Figures::of_rows(rows) {
            self.figures.extend(self.at.bin_ms, start_ms, bin);
        }
    }

    /// The rows that change.
    pub(super) fn finish(mut self, old: &BinRows) -> Changes {
        self.figures.limit();
        difference(old, &self.figures.rows(self.at))
    }
}

/// Rows of smaller bins as those of larger ones, of whichever zone, each of which is made of whole
/// smaller ones.
#[must_use]
pub fn regrouped(rows: &BinRows, of: Granularity, bins: &[Bin]) -> BinRows {
    let mut small = Figures::of_rows(rows);
    let mut large = BinRows::default();
    for bin in bins {
        let later = small.split_off(&bin.end_ms);
        let children = std::mem::replace(&mut small, later);
        let mut made = Figures::join(bin.start_ms, children).rows(At::new(of, bin.start_ms));
        large.counts.append(&mut made.counts);
        large.levels.append(&mut made.levels);
        large.outcomes.append(&mut made.outcomes);
        large.actions.append(&mut made.actions);
        large.quality.append(&mut made.quality);
        large.latencies.append(&mut made.latencies);
    }
    large
}

/// What is to be written where `new` takes the place of `old`.
fn difference(old: &BinRows, new: &BinRows) -> Changes {
    let mut changes = Changes::default();
    let Changes { put, gone, .. } = &mut changes;
    put.texts.clone_from(&new.texts);
    split(&old.counts, &new.counts, (&mut put.counts, &mut gone.counts), |row| {
        (row.at, row.measure, row.dim, row.dim_id, row.sub, row.call_type)
    });
    split(&old.levels, &new.levels, (&mut put.levels, &mut gone.levels), |row| {
        (row.at, row.measure, row.dim, row.dim_id, row.sub)
    });
    split(&old.outcomes, &new.outcomes, (&mut put.outcomes, &mut gone.outcomes), |row| {
        (row.at, row.dim, row.dim_id, row.result, row.reason_key)
    });
    split(&old.actions, &new.actions, (&mut put.actions, &mut gone.actions), |row| {
        (row.at, row.dim, row.dim_id, row.action_key, row.result)
    });
    split(&old.quality, &new.quality, (&mut put.quality, &mut gone.quality), |row| {
        (row.at, row.dim, row.dim_id)
    });
    split(&old.latencies, &new.latencies, (&mut put.latencies, &mut gone.latencies), |row| {
        (row.at, row.component_id, row.kind.clone())
    });
    changes
}

fn split<R: Clone + PartialEq, K: Ord>(
    old: &[R],
    new: &[R],
    (put, gone): (&mut Vec<R>, &mut Vec<R>),
    key: impl Fn(&R) -> K,
) {
    let mut rest: BTreeMap<K, &R> = old.iter().map(|row| (key(row), row)).collect();
    put.extend(new.iter().filter(|row| rest.remove(&key(row)) != Some(row)).cloned());
    gone.extend(rest.into_values().cloned());
}

impl Changes {
    /// Whether no figure changes.
    pub(super) fn is_still(&self) -> bool {
        let BinRows { counts, levels, outcomes, actions, quality, latencies, .. } = &self.put;
        let put = counts.is_empty() && levels.is_empty() && outcomes.is_empty();
        let put = put && actions.is_empty() && quality.is_empty() && latencies.is_empty();
        put && self.gone == BinRows::default()
    }
}
