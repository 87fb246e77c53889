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
/// Bytes of lists of changes that are added up for one answer: more than two million changes, each
/// of which takes ten times as much when it is read. A bin may have any number of them.
const MOST_BYTES: usize = 8 << 20;

const FIVE_MINUTES: i64 = 300_000;

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
        let fives = (to_ms - from_ms) / FIVE_MINUTES;
        if from_ms < gone_ms || left_out || usize::try_from(fives).is_ok_and(|n| n > RECOUNTED_BINS)
        {
            return Ok(None);
        }
        let piece = |(from_ms, to_ms), most| {
            let of =
                Series { granularity, changes: true, from_ms, to_ms, most, ..self.asked.clone() };
            Ok(bins.series(&of)?.levels)
        };
        let Some(mut rows) = lists((from_ms, to_ms), piece)? else { return Ok(None) };
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

/// Rows of five minutes with their lists, read piece by piece: `None`: there are too many, or they
/// are too long. Pieces grow while there is little in them.
fn lists(
    (from_ms, to_ms): (i64, i64),
    mut piece: impl FnMut((i64, i64), usize) -> Result<Vec<LevelRow>, StoreError>,
) -> Result<Option<Vec<LevelRow>>, StoreError> {
    let (mut rows, mut room) = (Vec::new(), MOST_BYTES);
    let (mut at, mut bins) = (from_ms, 1);
    while at < to_ms {
        let end = to_ms.min(at + bins * FIVE_MINUTES);
        let read = piece((at, end), MOST_ROWS + 1 - rows.len())?;
        let bytes: usize = read.iter().filter_map(|row| Some(row.deltas.as_ref()?.len())).sum();
        rows.extend(read);
        let Some(left) = room.checked_sub(bytes).filter(|_| rows.len() <= MOST_ROWS) else {
            return Ok(None);
        };
        bins = if bytes < MOST_BYTES / 64 { bins * 2 } else { 1 };
        (room, at) = (left, end);
    }
    Ok(Some(rows))
}

/// What came of a count; of days that cannot be read nobody knows.
fn told(bins: &dyn Bins, counted: Result<Recounted, StoreError>) -> Result<Recounted, StoreError> {
    match counted {
        Err(error) if bins.is_damage(&error) => Ok(Recounted::Unknown),
        counted => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: (i64, i64) = (0, 288 * FIVE_MINUTES);

    /// The pieces that are asked for, of bins each with a list of so many bytes.
    fn asked(bytes: impl Fn(i64) -> usize) -> (Vec<(i64, i64)>, Option<usize>) {
        let mut pieces = Vec::new();
        let found = lists(DAY, |(from_ms, to_ms), most| {
            pieces.push((from_ms / FIVE_MINUTES, to_ms / FIVE_MINUTES));
            let key = LevelKey { measure: Measure::Calls, target: Target::default() };
            let row = |bin: i64| {
                let at = At::new(Granularity::FiveMinutes, bin * FIVE_MINUTES);
                let level = Level::of(at.bin_ms, Types::new(), Deltas::new());
                LevelRow { deltas: Some(vec![0; bytes(bin)]), ..LevelRow::of(at, key, &level) }
            };
            Ok((from_ms / FIVE_MINUTES..to_ms / FIVE_MINUTES).map(row).take(most).collect())
        });
        (pieces, found.unwrap().map(|rows| rows.len()))
    }

    #[test]
    fn lists_are_read_as_far_as_there_is_room() {
        let (pieces, found) = asked(|_| 100);
        assert_eq!((pieces.len(), found), (9, Some(288)), "{pieces:?}");
        // whoever sends what nobody could hold is not read to the end
        let (pieces, found) = asked(|bin| if bin < 30 { 10 } else { 1 << 20 });
        let most: i64 = pieces.iter().map(|(from, to)| to - from).sum();
        assert_eq!(found, None);
        assert!(most < 80, "{pieces:?}");
        let (pieces, found) = asked(|_| MOST_BYTES / 288);
        assert_eq!(found, Some(288));
        assert!(pieces.windows(2).all(|two| two[0].1 == two[1].0), "{pieces:?}");
    }
}
