//! The rows of a series: read, brought into the bins that are shown, and bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::config::Service;
use rs::Refused;
use rs::rollup::{At, BinRows, Dim, LevelKey, LevelRow, Measure, Target, regrouped};

use super::super::Shared;
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
}

/// Why there is no answer.
enum Out {
    TooMany,
    Gone,
}

impl Question {
    /// All of it.
    pub(super) async fn ask(&self, shared: &Arc<Shared>) -> Result<Found, Refused> {
        let (from_ms, to_ms) = self.span.ends();
        let asked = Series {
            table: self.figure.table(),
            granularity: self.span.stored,
            from_ms,
            to_ms,
            dim: self.dim,
            ids: self.ids.clone(),
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
        };
        match learned(shared, move |bins| search.run(bins)).await? {
            Ok(found) => Ok(found),
            Err(Out::TooMany) => Err(too_many()),
            Err(Out::Gone) => Err(not_available()),
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
struct Search {
    asked: Series,
    /// The bins that are made of smaller ones here.
    made: Option<Vec<rs::rollup::Bin>>,
    at: At,
    kinds: BTreeSet<String>,
    most_rows: usize,
    most_columns: usize,
    question: (Figure, bool, Measure),
}

impl Search {
    fn run(self, bins: &dyn Bins) -> Result<Result<Found, Out>, StoreError> {
        let (figure, by_reason, measure) = self.question;
        let mut rows = bins.series(&self.asked)?;
        if count(&rows) > self.most_rows {
            return Ok(Err(Out::TooMany));
        }
        if let Some(made) = &self.made {
            let kept_ms = rs::rollup::State::of(&bins.meta()?).kept_ms(self.asked.granularity);
            if self.asked.from_ms < kept_ms {
                return Ok(Err(Out::Gone));
            }
            let of = rs::rollup::Granularity::from_number(self.at.gran);
            rows = of.map(|of| regrouped(&rows, of, made)).unwrap_or_default();
        }
        if !self.kinds.is_empty() {
            rows.latencies.retain(|row| self.kinds.contains(&row.kind));
        }
        sort(&mut rows);
        if columns(&rows, by_reason) > self.most_columns {
            return Ok(Err(Out::TooMany));
        }
        let mut found = Found { rows, ..Found::default() };
        match figure {
            Figure::Peaks => {
                let keys = self.standing(measure, &found.rows.levels);
                let at = At::new(self.asked.granularity, self.asked.from_ms);
                found.before = bins.levels(at, &keys, &BTreeSet::new())?.before;
                found.before.sort_by_key(|row| (row.dim_id, row.sub));
            }
            Figure::Var | Figure::Actions => {
                let reasons = found.rows.outcomes.iter().map(|row| row.reason_key);
                let reasons = reasons.filter(|key| by_reason && *key != 0);
                let actions = found.rows.actions.iter().map(|row| row.action_key);
                found.texts = bins.texts(&reasons.chain(actions).collect())?;
            }
            _ => {}
        }
        Ok(Ok(found))
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
