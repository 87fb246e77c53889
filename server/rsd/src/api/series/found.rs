//! The rows of a series: read, brought into the bins that are shown, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::config::Service;
use model::time::Millis;
use rs::key::day;
use rs::rollup::{
    Aliases, At, BinRows, Dim, LevelKey, LevelRow, Measure, RECOUNTED_BINS, RECOUNTED_CALLS, State,
    Target, United, regrouped, united,
};
use rs::{Day, Refused};

use super::super::Shared;
use super::super::answer::timed_out;
use super::super::heavy::Place;
use super::super::limits::QUESTION;
use super::super::rollups::learned;
use super::span::{Span, not_available};
use super::{Figure, Question, too_many};
use crate::store::StoreError;
use crate::store::bins::{Bins, Series};

/// Rows of one target and bin at most, for both ways to count: of each call type one, or one.
const ROWS_OF_COUNTS: usize = 16;
const ROWS_OF_OTHERS: usize = 2;

/// What is found.
#[derive(Default)]
pub(super) struct Found {
    /// Rows of the bins that are shown, in the order of their objects.
    pub(super) rows: BinRows,
    /// The levels that stood before the first bin.
    pub(super) before: Vec<LevelRow>,
    /// The texts of keys.
    pub(super) texts: BTreeMap<i64, String>,
    /// The objects that were asked for, under the ids that they have now.
    pub(super) meant: Option<BTreeSet<i64>>,
    /// Peaks of objects with rows under several ids.
    pub(super) united: Levels,
    /// Bins that begin before it are gone.
    pub(super) gone_ms: i64,
    /// Bins of numbers that were counted of calls.
    pub(super) counted: BTreeSet<(i64, i64)>,
    /// Numbers that found no room, and when.
    pub(super) left_out: BTreeMap<i64, BTreeSet<Day>>,
}

/// Why there is no answer.
pub(super) enum Out {
    TooMany,
    Gone,
    /// More would have to be counted than may be.
    TooManyCalls,
    /// What they have together is not known.
    NotOne,
    /// It takes too long.
    Late,
}

impl Question {
    /// All of it.
    /// `heavy`: held until the database has answered, also when nobody waits for it any more.
    pub(super) async fn ask(
        &self,
        shared: &Arc<Shared>,
        heavy: Option<Place>,
    ) -> Result<Found, Refused> {
        let (from_ms, to_ms) = self.span.ends();
        // whoever asked has gone then
        let clock = shared.parts.clock;
        let until = clock.mono() + QUESTION;
        let asked = Series {
            table: self.figure.table(),
            granularity: self.span.stored,
            from_ms,
            to_ms,
            dim: self.dim,
            ids: self.ids.clone(),
            changes: false,
            most: self.most_rows() + 1,
        };
        let search = Search {
            asked,
            made: self.span.is_made().then(|| self.span.bins.clone()),
            at: At::new(self.span.granularity, from_ms),
            kinds: self.kinds.clone(),
            most_rows: self.most_rows(),
            most_columns: self.most_points(self.span.granularity) / self.span.bins.len().max(1),
            question: (self.figure, self.by_reason, self.measure),
            allowed: self.allowed.clone(),
            combine: self.combine,
            shown: self.span.bins.clone(),
            in_time: Box::new(move || clock.mono() < until),
        };
        let ask = move |bins: &dyn Bins| {
            let _heavy = heavy;
            search.run(bins)
        };
        match learned(shared, ask).await? {
            Ok(found) => Ok(found),
            Err(Out::TooMany) => Err(too_many()),
            Err(Out::Gone) => Err(not_available()),
            Err(Out::TooManyCalls) => Err(too_many_calls()),
            Err(Out::NotOne) => Err(not_one()),
            Err(Out::Late) => Err(timed_out()),
        }
    }

    fn most_rows(&self) -> usize {
        let of_each = match self.figure {
            Figure::Peaks | Figure::Quality | Figure::Latency => ROWS_OF_OTHERS,
            _ => ROWS_OF_COUNTS,
        };
        // what is made of smaller bins reads as many of these as may be shown of them
        let Span { granularity, stored, .. } = self.span;
        self.most_points(granularity).max(self.most_points(stored)) * of_each
    }
}

/// What is asked of the database.
pub(super) struct Search {
    pub(super) asked: Series,
    /// The bins that are made of smaller ones here.
    made: Option<Vec<rs::rollup::Bin>>,
    pub(super) at: At,
    kinds: BTreeSet<String>,
    most_rows: usize,
    most_columns: usize,
    question: (Figure, bool, Measure),
    allowed: Option<BTreeSet<i64>>,
    combine: bool,
    /// The bins that are shown.
    pub(super) shown: Vec<rs::rollup::Bin>,
    /// Whether there is time for more.
    pub(super) in_time: Box<dyn Fn() -> bool + Send>,
}

impl Search {
    fn run(mut self, bins: &dyn Bins) -> Result<Result<Found, Out>, StoreError> {
        let (figure, by_reason, measure) = self.question;
        let (state, aliases) = (State::of(&bins.meta()?), bins.aliases()?);
        let meant = self.widen(&aliases);
        if meant.as_ref().is_some_and(BTreeSet::is_empty) {
            // the database would take none for all
            return Ok(Ok(Found { meant, ..Found::default() }));
        }
        if self.combine {
            return self.combined(bins, (&state, measure), meant);
        }
        let mut rows = bins.series(&self.asked)?;
        if count(&rows) > self.most_rows {
            return Ok(Err(Out::TooMany));
        }
        let stored_ms = state.gone_ms(figure.sort(), self.asked.granularity);
        if self.made.is_some() && self.asked.from_ms < stored_ms {
            return Ok(Err(Out::Gone));
        }
        let mut before = Vec::new();
        if figure == Figure::Peaks {
            let keys = self.standing(measure, &rows.levels);
            let at = At::new(self.asked.granularity, self.asked.from_ms);
            before = bins.levels(at, &keys, &BTreeSet::new())?.before;
        }
        if let Some(made) = &self.made {
            let of = rs::rollup::Granularity::from_number(self.at.gran);
            rows = of.map(|of| regrouped(&rows, of, made)).unwrap_or_default();
        }
        rows.levels.retain(|row| row.measure == measure.number());
        let mut united = BTreeMap::new();
        if let Some(kind) = self.asked.dim.kind() {
            let meant = |id| aliases.meant(kind, id);
            united = unite(&before, &rows.levels, meant);
            rename(&mut rows, meant);
            before.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
        }
        if !self.kinds.is_empty() {
            rows.latencies.retain(|row| self.kinds.contains(&row.kind));
        }
        sort(&mut rows);
        before.sort_by_key(|row| (row.dim_id, row.sub));
        if columns(&rows, by_reason) > self.most_columns {
            return Ok(Err(Out::TooMany));
        }
        let gone_ms = stored_ms;
        let mut found = Found { rows, before, meant, united, gone_ms, ..Found::default() };
        match figure {
            Figure::Var | Figure::Actions => {
                let reasons = found.rows.outcomes.iter().map(|row| row.reason_key);
                let reasons = reasons.filter(|key| by_reason && *key != 0);
                let actions = found.rows.actions.iter().map(|row| row.action_key);
                found.texts = bins.texts(&reasons.chain(actions).collect())?;
            }
            _ if self.asked.dim == Dim::Dn => {
                found.left_out = self.left_out(bins, &state, &found.rows)?;
                if let Some(out) = self.recounted(bins, (&state, measure), &mut found)? {
                    return Ok(Err(out));
                }
                sort(&mut found.rows);
            }
            _ => {}
        }
        Ok(Ok(found))
    }

    /// Has also rows under other ids of the objects found; gives the ids that these have now.
    fn widen(&mut self, aliases: &Aliases) -> Option<BTreeSet<i64>> {
        let kind = self.asked.dim.kind().filter(|_| !self.asked.ids.is_empty())?;
        let mut meant: BTreeSet<i64> =
            self.asked.ids.iter().map(|id| aliases.meant(kind, *id)).collect();
        if let Some(allowed) = &self.allowed {
            meant.retain(|id| allowed.contains(id));
        }
        self.asked.ids = meant.iter().flat_map(|id| aliases.of(kind, *id)).collect();
        Some(meant)
    }

    /// The days on which numbers that were asked for found no room, and have no row.
    fn left_out(
        &self,
        bins: &dyn Bins,
        state: &State,
        rows: &BinRows,
    ) -> Result<BTreeMap<i64, BTreeSet<Day>>, StoreError> {
        let Series { from_ms, to_ms, ids, .. } = &self.asked;
        let full = state.full_days(*from_ms, *to_ms);
        let asked = full.iter().map(|day| (*day, ids.clone())).collect();
        let known = bins.numbers(&asked)?;
        let at = rows.counts.iter().map(|row| (row.dim_id, row.at.bin_ms));
        let at = at.chain(rows.levels.iter().map(|row| (row.dim_id, row.at.bin_ms)));
        let there: BTreeSet<(i64, Day)> =
            at.map(|(id, at_ms)| (id, day(Millis(at_ms.cast_unsigned())))).collect();
        let mut left_out: BTreeMap<i64, BTreeSet<Day>> = BTreeMap::new();
        for (day, id) in full.iter().flat_map(|day| ids.iter().map(move |id| (*day, *id))) {
            let known = known.get(&day).is_some_and(|(known, _)| known.contains(&id));
            if !known && !there.contains(&(id, day)) {
                left_out.entry(id).or_default().insert(day);
            }
        }
        Ok(left_out)
    }

    /// Whose levels may stand before the first bin: those with rows, and all that are asked for
    /// though nothing of theirs changes in these bins.
    fn standing(&self, measure: Measure, rows: &[LevelRow]) -> BTreeSet<LevelKey> {
        let Series { dim, ref ids, .. } = self.asked;
        let named: Vec<Target> = match dim {
            Dim::All => vec![Target::new(dim, 0)],
            Dim::Service => {
                let each = |id: &i64| Service::ALL.map(|of| Target::service(of as u8, *id));
                ids.iter().flat_map(each).collect()
            }
            _ => ids.iter().map(|id| Target::new(dim, *id)).collect(),
        };
        let there = rows.iter().map(|row| Target { dim, id: row.dim_id, sub: row.sub });
        named.into_iter().chain(there).map(|target| LevelKey { measure, target }).collect()
    }
}

fn too_many_calls() -> Refused {
    let message = format!(
        "this is counted of calls, of at most {RECOUNTED_BINS} bins of five minutes with at most \
         {RECOUNTED_CALLS} calls"
    );
    Refused::parameter("too-many-bins", message, &["from", "to"])
}

fn not_one() -> Refused {
    let message = "what these have together is not known: neither their lists of changes nor \
                   their calls are there, or they were measured by others";
    Refused::parameter("combined-peak-unavailable", message, &["combine"])
}

/// Levels of objects by object and service.
type Levels = BTreeMap<(i64, u8), BTreeMap<i64, United>>;

/// Those of objects that have rows under several ids.
fn unite(before: &[LevelRow], rows: &[LevelRow], meant: impl Fn(i64) -> i64) -> Levels {
    let mut ids: BTreeMap<(i64, u8), BTreeSet<i64>> = BTreeMap::new();
    for row in before.iter().chain(rows) {
        ids.entry((meant(row.dim_id), row.sub)).or_default().insert(row.dim_id);
    }
    ids.retain(|_, ids| ids.len() > 1);
    let mut all = Levels::new();
    for ((object, sub), ids) in ids {
        let mine = |row: &&LevelRow| row.sub == sub && ids.contains(&row.dim_id);
        let first: Vec<_> = before.iter().filter(mine).collect();
        all.insert((object, sub), united(&first, &rows.iter().filter(mine).collect::<Vec<_>>()));
    }
    all
}

/// Puts rows under the ids that their objects have now.
fn rename(rows: &mut BinRows, meant: impl Fn(i64) -> i64) {
    rows.counts.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
    rows.levels.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
    rows.outcomes.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
    rows.actions.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
    rows.quality.iter_mut().for_each(|row| row.dim_id = meant(row.dim_id));
    rows.latencies.iter_mut().for_each(|row| row.component_id = meant(row.component_id));
}

fn count(rows: &BinRows) -> usize {
    let BinRows { counts, levels, outcomes, actions, quality, latencies, .. } = rows;
    let counted = counts.len() + levels.len() + outcomes.len();
    counted + actions.len() + quality.len() + latencies.len()
}

fn sort(rows: &mut BinRows) {
    rows.counts.sort_by_key(|row| (row.dim_id, row.sub));
    rows.levels.sort_by_key(|row| (row.dim_id, row.sub));
    rows.outcomes.sort_by_key(|row| (row.dim_id, row.at.bin_ms));
    rows.actions.sort_by_key(|row| (row.dim_id, row.at.bin_ms));
    rows.quality.sort_by_key(|row| row.dim_id);
    rows.latencies.sort_by(|one, other| {
        (one.component_id, &one.kind).cmp(&(other.component_id, &other.kind))
    });
}

/// Columns of the answer, each with a value for every bin.
fn columns(rows: &BinRows, by_reason: bool) -> usize {
    let counts = rows.counts.iter().map(|row| (row.dim_id, row.sub));
    let levels = rows.levels.iter().map(|row| (row.dim_id, row.sub));
    let quality = rows.quality.iter().map(|row| (row.dim_id, 0));
    let whose: BTreeSet<_> = counts.chain(levels).chain(quality).collect();
    let kinds: BTreeSet<_> =
        rows.latencies.iter().map(|row| (row.component_id, &row.kind)).collect();
    let actions: BTreeSet<_> =
        rows.actions.iter().map(|row| (row.dim_id, row.action_key)).collect();
    let reason = |key: i64| if by_reason { key } else { 0 };
    let outcomes = rows.outcomes.iter().map(|row| (row.dim_id, row.result, reason(row.reason_key)));
    whose.len() + kinds.len() + actions.len() + outcomes.collect::<BTreeSet<_>>().len()
}
