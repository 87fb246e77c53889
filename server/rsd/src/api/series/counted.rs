//! What is counted of calls for a question: numbers that found no room (rs.md §4.2), and peaks of
//! several objects as if they were one (§4.4). Exact, or not told.

use std::collections::{BTreeMap, BTreeSet};

use rs::Day;
use rs::rollup::{
    At, Bin, BinRows, Deltas, Dim, Granularity, Level, LevelKey, LevelRow, Measure, Question,
    RECOUNTED_BINS, Recounted, State, Target, Types, Whose, merged, recount,
};

use super::found::{Found, Out, Search};
use super::{MOST_IDS, touches};
use crate::store::StoreError;
use crate::store::bins::{Bins, Series};

/// Rows of five minutes that are read for one answer.
const MOST_ROWS: usize = RECOUNTED_BINS * MOST_IDS;

/// Whether members of a dimension share no call in this measure, so that their levels add up.
const fn is_apart(dim: Dim, measure: Measure) -> bool {
    match dim {
        Dim::Component | Dim::Kind => true,
        Dim::Profile | Dim::Dn => !matches!(measure, Measure::Sessions),
        Dim::All | Dim::Tenant | Dim::Service => false,
    }
}

impl Search {
    fn granularity(&self) -> Granularity {
        Granularity::from_number(self.at.gran).unwrap_or(Granularity::FiveMinutes)
    }

    /// Counts of facts until the time is over.
    fn count(&self, bins: &dyn Bins, whose: &Whose, of: &[Bin]) -> Result<Recounted, StoreError> {
        let ask = |question: &Question| match (self.in_time)() {
            true => bins.asked(question).map(Some),
            false => Ok(None),
        };
        recount(bins, &ask, whose, (self.granularity(), of))
    }

    /// The peaks of all that are asked for as of one object; `meant`: their ids.
    pub(super) fn combined(
        &self,
        bins: &dyn Bins,
        (state, measure): (&State, Measure),
        meant: Option<BTreeSet<i64>>,
    ) -> Result<Result<Found, Out>, StoreError> {
        let dim = self.asked.dim;
        let members = meant.clone().unwrap_or_else(|| self.asked.ids.clone());
        let mut levels =
            if is_apart(dim, measure) { self.added(bins, state, measure)? } else { None };
        if levels.is_none() {
            let whose = Whose::Union(dim, members, measure);
            let counted = self.count(bins, &whose, &self.shown);
            levels = match told(bins, counted)? {
                Recounted::Rows(rows) => Some(rows.levels),
                Recounted::TooMany => return Ok(Err(Out::TooManyCalls)),
                Recounted::Late => return Ok(Err(Out::Late)),
                Recounted::Unknown => None,
            };
        }
        let Some(levels) = levels else { return Ok(Err(Out::NotOne)) };
        let rows = BinRows { levels, ..BinRows::default() };
        Ok(Ok(Found { rows, meant, ..Found::default() }))
    }

    /// By lists of changes; `None`: some are not kept any more, or do not tell.
    fn added(
        &self,
        bins: &dyn Bins,
        state: &State,
        measure: Measure,
    ) -> Result<Option<Vec<LevelRow>>, StoreError> {
        let Series { from_ms, to_ms, dim, ref ids, .. } = self.asked;
        let granularity = Granularity::FiveMinutes;
        let gone_ms = state.gone_ms(super::Figure::Peaks.sort(), granularity);
        let left_out = dim == Dim::Dn && !state.full_days(from_ms, to_ms).is_empty();
        let fives = (to_ms - from_ms) / 300_000;
        if from_ms < gone_ms || left_out || usize::try_from(fives).is_ok_and(|n| n > RECOUNTED_BINS)
        {
            return Ok(None);
        }
        let asked =
            Series { granularity, changes: true, most: MOST_ROWS + 1, ..self.asked.clone() };
        let mut rows = bins.series(&asked)?.levels;
        if rows.len() > MOST_ROWS {
            return Ok(None);
        }
        rows.retain(|row| row.measure == measure.number());
        let at = At::new(granularity, from_ms);
        let mut before = if ids.is_empty() {
            bins.standing(at)?
        } else {
            let key = |id: &i64| LevelKey { measure, target: Target::new(dim, *id) };
            bins.levels(at, &ids.iter().map(key).collect(), &BTreeSet::new())?.before
        };
        before.retain(|row| row.dim == dim.number() && row.measure == measure.number());
        let key = LevelKey { measure, target: Target::new(dim, 0) };
        Ok(merged(&before, &rows, (key, self.granularity(), &self.shown)))
    }

    /// Counts numbers on days on which they found no room; what cannot be counted stays unknown.
    pub(super) fn recounted(
        &self,
        bins: &dyn Bins,
        (state, measure): (&State, Measure),
        found: &mut Found,
    ) -> Result<Option<Out>, StoreError> {
        let whole = |bin: &&Bin| bin.start_ms >= state.frozen_ms;
        let out = |bin: &Bin, days: &BTreeSet<Day>| days.iter().any(|day| touches(*bin, *day));
        let of = |days: &BTreeSet<Day>| -> BTreeSet<i64> {
            let bins = self.shown.iter().filter(whole).filter(|bin| out(bin, days));
            bins.map(|bin| bin.start_ms).collect()
        };
        let of_number: BTreeMap<i64, BTreeSet<i64>> =
            found.left_out.iter().map(|(id, days)| (*id, of(days))).collect();
        let starts: BTreeSet<i64> = of_number.values().flatten().copied().collect();
        let counted: Vec<Bin> =
            self.shown.iter().filter(|bin| starts.contains(&bin.start_ms)).copied().collect();
        if counted.is_empty() {
            return Ok(None);
        }
        let whose = Whose::Numbers(of_number.keys().copied().collect());
        let counted = self.count(bins, &whose, &counted);
        let mut new = match told(bins, counted)? {
            Recounted::Rows(rows) => rows,
            Recounted::TooMany => return Ok(Some(Out::TooManyCalls)),
            Recounted::Late => return Ok(Some(Out::Late)),
            Recounted::Unknown => return Ok(None),
        };
        let is_new = |id: i64, bin_ms: i64| {
            of_number.get(&id).is_some_and(|starts| starts.contains(&bin_ms))
        };
        new.counts.retain(|row| is_new(row.dim_id, row.at.bin_ms));
        new.levels.retain(|row| is_new(row.dim_id, row.at.bin_ms));
        new.levels.retain(|row| row.measure == measure.number());
        found.rows.counts.retain(|row| !is_new(row.dim_id, row.at.bin_ms));
        found.rows.levels.retain(|row| !is_new(row.dim_id, row.at.bin_ms));
        for (id, starts) in &of_number {
            new.levels.extend(self.resumed(*id, measure, starts, found));
        }
        found.rows.counts.append(&mut new.counts);
        found.rows.levels.append(&mut new.levels);
        let pairs = of_number.iter().flat_map(|(id, starts)| starts.iter().map(|at| (*id, *at)));
        found.counted = pairs.collect();
        Ok(None)
    }

    /// Levels of a number in the first stored bins behind counted ones, where nothing changes by
    /// what is stored: its own levels go on there.
    fn resumed(
        &self,
        id: i64,
        measure: Measure,
        counted: &BTreeSet<i64>,
        found: &Found,
    ) -> Vec<LevelRow> {
        let mine = |row: &&LevelRow| row.dim_id == id && row.measure == measure.number();
        let end = |row: &LevelRow| row.level().map(|level| level.end()).unwrap_or_default();
        let before = found.before.iter().find(mine);
        let mut stands: Types = before.map(end).unwrap_or_default();
        let stored: BTreeMap<i64, Types> =
            found.rows.levels.iter().filter(mine).map(|row| (row.at.bin_ms, end(row))).collect();
        let (mut resumed, mut was_counted) = (Vec::new(), false);
        for Bin { start_ms, .. } in &self.shown {
            let known = stored.get(start_ms);
            if counted.contains(start_ms) {
                was_counted = true;
            } else if std::mem::take(&mut was_counted) && known.is_none() {
                let key = LevelKey { measure, target: Target::new(Dim::Dn, id) };
                let level = Level::of(*start_ms, stands.clone(), Deltas::new());
                resumed.push(LevelRow::of(At::new(self.granularity(), *start_ms), key, &level));
            }
            known.into_iter().for_each(|end| stands.clone_from(end));
        }
        resumed
    }
}

/// What came of a count; of days that cannot be read nobody knows.
fn told(bins: &dyn Bins, counted: Result<Recounted, StoreError>) -> Result<Recounted, StoreError> {
    match counted {
        Err(error) if bins.is_damage(&error) => Ok(Recounted::Unknown),
        counted => counted,
    }
}
