//! Columns of arrivals, durations, peaks and quality.

use std::collections::{BTreeMap, BTreeSet};

use model::record::CallType;
use rs::rollup::{Bin, Deltas, Dim, Level, LevelRow, Measure, SqRow, standing};
use serde_json::{Value, json};

use super::found::Found;
use super::{Figure, Question, at};

impl Question {
    /// The objects that are shown: those that are named, and those that have rows.
    pub(super) fn objects(&self, found: impl Iterator<Item = (i64, u8)>) -> BTreeSet<(i64, u8)> {
        let mut ids: BTreeSet<(i64, u8)> = match self.dim {
            _ if self.combine => [(0, 0)].into(),
            Dim::All => [(0, 0)].into(),
            _ => self.ids.iter().map(|id| (*id, 0)).collect(),
        };
        ids.extend(found);
        ids
    }

    fn is_mine(&self, measure: u8) -> bool {
        measure == self.measure.number()
    }

    /// Arrivals with those refused; or durations of those that ended.
    pub(super) fn counts(&self, found: &Found) -> Vec<Value> {
        let rows = found.rows.counts.iter().filter(|row| self.is_mine(row.measure));
        let objects = self.objects(rows.map(|row| (row.dim_id, row.sub)));
        objects.into_iter().map(|of| self.counts_of(of, found)).collect()
    }

    fn counts_of(&self, of: (i64, u8), found: &Found) -> Value {
        let is_arrivals = self.figure == Figure::Arrivals;
        let is_ports = matches!(self.measure, Measure::Asr | Measure::Tts);
        let mut sums: BTreeMap<i64, [i64; 3]> = BTreeMap::new();
        let mut by_type: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
        for row in of_target(&found.rows.counts, |row| (row.dim_id, row.sub), of) {
            if !self.is_mine(row.measure) {
                continue;
            }
            let long_ms = if is_ports { row.port_ms } else { row.duration_ms };
            let [value, beside] =
                if is_arrivals { [row.count, row.rejected] } else { [long_ms, row.ended] };
            let sum = sums.entry(row.at.bin_ms).or_default();
            sum[0] += value;
            sum[1] += beside;
            sum[2] = sum[2].max(row.max_duration_ms);
            let of_type = by_type.entry(type_name(row.call_type)).or_default();
            *of_type.entry(row.at.bin_ms).or_default() += value;
        }
        let column = |n: usize| {
            let value = |bin: i64| sums.get(&bin).and_then(|sum| sum.get(n)).copied();
            self.column(|bin| value(bin).unwrap_or_default())
        };
        let by_type: BTreeMap<_, _> =
            by_type.iter().map(|(name, of)| (name, self.numbers(of))).collect();
        let mut shown = json!({"target": self.target(of), "values": column(0), "by_type": by_type});
        match self.figure {
            Figure::Arrivals => shown["rejected"] = column(1),
            _ => {
                shown["ended"] = column(1);
                if !is_ports {
                    shown["max"] = column(2);
                }
            }
        }
        shown
    }

    /// The numbers of bins, 0 where there is none.
    pub(super) fn numbers(&self, of: &BTreeMap<i64, i64>) -> Value {
        self.column(|bin| of.get(&bin).copied().unwrap_or_default())
    }

    /// Peaks; in a bin in which nothing changes it is what stood before.
    pub(super) fn peaks(&self, found: &Found) -> Vec<Value> {
        let standing = found.before.iter().filter(|row| row.level_start + row.net != 0);
        let rows = found.rows.levels.iter().chain(standing);
        let rows = rows.filter(|row| self.is_mine(row.measure));
        let objects = self.objects(rows.map(|row| (row.dim_id, row.sub)));
        objects.into_iter().map(|of| self.peaks_of(of, found)).collect()
    }

    fn peaks_of(&self, of: (i64, u8), found: &Found) -> Value {
        let mine = |row: &&LevelRow| self.is_mine(row.measure);
        let key = |row: &LevelRow| (row.dim_id, row.sub);
        let before = of_target(&found.before, key, of).iter().filter(mine);
        let mut stands = standing(&before.collect::<Vec<_>>());
        let rows = of_target(&found.rows.levels, key, of).iter().filter(mine);
        let rows: BTreeMap<i64, &LevelRow> = rows.map(|row| (row.at.bin_ms, row)).collect();
        let mut bin = |bin: &Bin| match found.united.get(&of) {
            Some(bins) => match bins.get(&bin.start_ms) {
                Some(united) => {
                    stands.clone_from(&united.end);
                    united.level.clone()
                }
                None => Some(Level::of(bin.start_ms, stands.clone(), Deltas::new())),
            },
            None => match rows.get(&bin.start_ms) {
                Some(row) => {
                    let level = row.level().unwrap_or_default();
                    stands = level.end();
                    Some(Level { peak: row.peak, peak_ms: row.peak_ms, ..level })
                }
                None => Some(Level::of(bin.start_ms, stands.clone(), Deltas::new())),
            },
        };
        let levels: Vec<Option<Level>> = self.span.bins.iter().map(&mut bin).collect();
        let column = |value: &dyn Fn(&Level) -> Value| -> Value {
            levels.iter().map(|level| level.as_ref().map_or(Value::Null, value)).collect()
        };
        let there = levels.iter().flatten().flat_map(|level| level.peak_by_type.keys());
        let types: BTreeSet<u8> = there.copied().collect();
        let of_type = |of: &u8| {
            let count = |level: &Level| json!(level.peak_by_type.get(of).copied().unwrap_or(0));
            (type_name(*of), column(&count))
        };
        let by_type: BTreeMap<String, Value> = types.iter().map(of_type).collect();
        json!({
            "target": self.target(of), "values": column(&|level| json!(level.peak)),
            "times": column(&|level| json!(at(level.peak_ms))), "by_type": by_type,
        })
    }

    /// Calls of media servers that ended, and those that were served badly.
    pub(super) fn quality(&self, found: &Found) -> Vec<Value> {
        let objects = self.objects(found.rows.quality.iter().map(|row| (row.dim_id, 0)));
        let of_object = |of: (i64, u8)| {
            let rows = of_target(&found.rows.quality, |row| (row.dim_id, 0), of);
            let sum = |value: fn(&SqRow) -> i64| {
                let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
                for row in rows {
                    *sums.entry(row.at.bin_ms).or_default() += value(row);
                }
                sums
            };
            let (calls, failed) = (sum(|row| row.calls), sum(|row| row.failed));
            let (values, failed) = (self.numbers(&calls), self.numbers(&failed));
            json!({"target": self.target(of), "values": values, "failed": failed})
        };
        objects.into_iter().map(of_object).collect()
    }
}

/// The rows of one target, of rows in the order of targets.
pub(super) fn of_target<R, K: Ord>(rows: &[R], key: impl Fn(&R) -> K, of: K) -> &[R] {
    let (_, rows) = rows.split_at(rows.partition_point(|row| key(row) < of));
    rows.split_at(rows.partition_point(|row| key(row) == of)).0
}

fn type_name(number: u8) -> String {
    CallType::from_number(number).map_or_else(|| "UNKNOWN".to_owned(), |of| of.to_string())
}
