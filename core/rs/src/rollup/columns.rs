//! Figures as rows of their tables, and back.

use std::collections::BTreeMap;

use super::figures::{Count, Figures};
use super::key::{CountKey, Dim, LevelKey, Measure, Target};
use super::level::{Level, Types, total};
use super::outcome::{Action, ActionKey, Outcome, OutcomeKey};
use super::quality::Quality;
use super::rows::{ActionRow, At, BinRows, CountRow, LatencyRow, LevelRow, OutcomeRow, SqRow};
use super::zone::Granularity;
use crate::sketch::Sketch;

impl At {
    /// A bin.
    #[must_use]
    pub const fn new(granularity: Granularity, bin_ms: i64) -> Self {
        Self { gran: granularity.number(), bin_ms }
    }
}

impl LevelRow {
    /// A level as it is stored.
    #[must_use]
    pub fn of(at: At, key: LevelKey, level: &Level) -> Self {
        let LevelKey { measure, target: Target { dim, id, sub } } = key;
        Self {
            at,
            measure: measure.number(),
            dim: dim.number(),
            dim_id: id,
            sub,
            level_start: total(&level.start),
            peak: level.peak,
            peak_ms: level.peak_ms,
            peak_by_type: json(&level.peak_by_type),
            net: total(&level.net),
            types: level.encode_types(),
            deltas: level.encode_deltas(),
        }
    }

    /// Its key within the bin; `None`: a measure or dimension that this version does not know.
    #[must_use]
    pub fn key(&self) -> Option<LevelKey> {
        let measure = Measure::from_number(self.measure)?;
        Some(LevelKey { measure, target: target(self.dim, self.dim_id, self.sub)? })
    }

    /// The level that is stored; `None`: damaged.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let (start, net, deltas) = Level::decode(&self.types, self.deltas.as_deref())?;
        let peak_by_type = types(&self.peak_by_type)?;
        Some(Level { start, net, peak: self.peak, peak_ms: self.peak_ms, peak_by_type, deltas })
    }

    /// The level just before the bin and the sum of its changes, without these; `None`: damaged.
    pub(super) fn start_and_net(&self) -> Option<(Types, Types)> {
        let (start, net, _) = Level::decode(&self.types, None)?;
        Some((start, net))
    }
}

impl LatencyRow {
    /// What the row says; `None`: damaged.
    #[must_use]
    pub fn sketch(&self) -> Option<Sketch> {
        let (high, low) = self.sumsq;
        Some(Sketch {
            count: self.count.unsigned_abs(),
            sum: u128::from(self.sum.unsigned_abs()),
            sumsq: (u128::from(high.unsigned_abs()) << 63) | u128::from(low.unsigned_abs()),
            min: self.min.unsigned_abs(),
            max: self.max.unsigned_abs(),
            hist: Sketch::decode(&self.hist)?,
        })
    }
}

impl Figures {
    /// The rows of these figures.
    #[must_use]
    pub fn rows(&self, at: At) -> BinRows {
        BinRows {
            counts: self.counts.iter().map(|(key, count)| count_row(at, *key, count)).collect(),
            levels: self.levels.iter().map(|(key, one)| LevelRow::of(at, *key, one)).collect(),
            outcomes: self.outcomes.iter().map(|(key, sum)| outcome_row(at, *key, *sum)).collect(),
            actions: self.actions.iter().map(|(key, sum)| action_row(at, *key, *sum)).collect(),
            quality: self.quality.iter().map(|(key, sum)| sq_row(at, *key, sum)).collect(),
            latencies: self.latencies.iter().map(|(key, one)| latency_row(at, key, one)).collect(),
            texts: self.texts.iter().map(|(id, text)| (*id, text.clone())).collect(),
        }
    }

    /// The figures of each bin in these rows, by its start. A row that cannot be read is left
    /// out: its bin is made again when it is marked, which puts it right.
    #[must_use]
    pub fn of_rows(rows: &BinRows) -> BTreeMap<i64, Self> {
        let mut bins: BTreeMap<i64, Self> = BTreeMap::new();
        for row in &rows.counts {
            if let Some((key, count)) = count(row) {
                bins.entry(row.at.bin_ms).or_default().counts.insert(key, count);
            }
        }
        for row in &rows.levels {
            if let Some((key, level)) = row.key().zip(row.level()) {
                bins.entry(row.at.bin_ms).or_default().levels.insert(key, level);
            }
        }
        for row in &rows.outcomes {
            if let Some((key, sum)) = outcome(row) {
                bins.entry(row.at.bin_ms).or_default().outcomes.insert(key, sum);
            }
        }
        for row in &rows.actions {
            if let Some((key, sum)) = action(row) {
                bins.entry(row.at.bin_ms).or_default().actions.insert(key, sum);
            }
        }
        for row in &rows.quality {
            if let Some((target, sum)) = target(row.dim, row.dim_id, 0).zip(sq(row)) {
                bins.entry(row.at.bin_ms).or_default().quality.insert(target, sum);
            }
        }
        for row in &rows.latencies {
            if let Some(sketch) = row.sketch() {
                let key = (row.component_id, row.kind.clone());
                bins.entry(row.at.bin_ms).or_default().latencies.insert(key, sketch);
            }
        }
        bins
    }
}

fn count_row(at: At, key: CountKey, sum: &Count) -> CountRow {
    let CountKey { measure, target: Target { dim, id, sub }, call_type } = key;
    CountRow {
        at,
        measure: measure.number(),
        dim: dim.number(),
        dim_id: id,
        sub,
        call_type,
        count: sum.count,
        rejected: sum.rejected,
        ended: sum.ended,
        duration_ms: sum.duration_ms,
        max_duration_ms: sum.max_duration_ms,
        answered: sum.answered,
        answered_ms: sum.answered_ms,
        port_ms: sum.port_ms,
    }
}

fn count(row: &CountRow) -> Option<(CountKey, Count)> {
    let measure = Measure::from_number(row.measure)?;
    let target = target(row.dim, row.dim_id, row.sub)?;
    let count = Count {
        count: row.count,
        rejected: row.rejected,
        ended: row.ended,
        duration_ms: row.duration_ms,
        max_duration_ms: row.max_duration_ms,
        answered: row.answered,
        answered_ms: row.answered_ms,
        port_ms: row.port_ms,
    };
    Some((CountKey { measure, target, call_type: row.call_type }, count))
}

const fn outcome_row(at: At, key: OutcomeKey, sum: Outcome) -> OutcomeRow {
    let OutcomeKey { target: Target { dim, id, .. }, result, reason } = key;
    let (count, duration_ms) = (sum.count, sum.duration_ms);
    OutcomeRow { at, dim: dim.number(), dim_id: id, result, reason_key: reason, count, duration_ms }
}

fn outcome(row: &OutcomeRow) -> Option<(OutcomeKey, Outcome)> {
    let (target, result) = (target(row.dim, row.dim_id, 0)?, row.result);
    let sum = Outcome { count: row.count, duration_ms: row.duration_ms };
    Some((OutcomeKey { target, result, reason: row.reason_key }, sum))
}

const fn action_row(at: At, key: ActionKey, sum: Action) -> ActionRow {
    let ActionKey { target: Target { dim, id, .. }, action, result } = key;
    ActionRow {
        at,
        dim: dim.number(),
        dim_id: id,
        action_key: action,
        result,
        count: sum.count,
        last_count: sum.last_count,
        duration_ms: sum.duration_ms,
        min_ms: sum.min_ms,
        max_ms: sum.max_ms,
    }
}

fn action(row: &ActionRow) -> Option<(ActionKey, Action)> {
    let (target, action) = (target(row.dim, row.dim_id, 0)?, row.action_key);
    let ActionRow { result, count, last_count, duration_ms, min_ms, max_ms, .. } = *row;
    let sum = Action { count, last_count, duration_ms, min_ms, max_ms };
    Some((ActionKey { target, action, result }, sum))
}

fn sq_row(at: At, key: Target, sum: &Quality) -> SqRow {
    let (dim, by_type) = (key.dim.number(), json(&sum.by_type));
    SqRow { at, dim, dim_id: key.id, calls: sum.calls, failed: sum.failed, by_type }
}

fn sq(row: &SqRow) -> Option<Quality> {
    Some(Quality { calls: row.calls, failed: row.failed, by_type: types(&row.by_type)? })
}

fn latency_row(at: At, (component_id, kind): &(i64, String), sketch: &Sketch) -> LatencyRow {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let high = i64::try_from(sketch.sumsq >> 63).unwrap_or(i64::MAX);
    let low = sketch.sumsq & u128::from(i64::MAX.unsigned_abs());
    LatencyRow {
        at,
        component_id: *component_id,
        kind: kind.clone(),
        count: whole(sketch.count),
        sum: i64::try_from(sketch.sum).unwrap_or(i64::MAX),
        sumsq: (high, i64::try_from(low).unwrap_or(i64::MAX)),
        min: whole(sketch.min),
        max: whole(sketch.max),
        hist: sketch.encode(),
    }
}

fn target(dim: u8, id: i64, sub: u8) -> Option<Target> {
    Some(Target { dim: Dim::from_number(dim)?, id, sub })
}

/// By number, as a JSON object with the keys in order.
fn json(types: &Types) -> String {
    serde_json::to_string(types).unwrap_or_default()
}

fn types(json: &str) -> Option<Types> {
    serde_json::from_str(json).ok()
}
