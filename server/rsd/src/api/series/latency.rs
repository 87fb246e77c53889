//! Columns of response times: samples and sketches of any number of media servers are one figure
//! (rs.md §4.7, §5.11).

use std::collections::BTreeMap;

use model::latency::category;
use rs::rollup::Dim;
use rs::sketch::Sketch;
use serde_json::{Value, json};

use super::found::Found;
use super::{Question, rounded};

impl Question {
    /// Of each component and kind; of `dim=all` those of all components together.
    pub(super) fn latencies(&self, found: &Found) -> Vec<Value> {
        let mut all: BTreeMap<(i64, &str), BTreeMap<i64, Sketch>> = BTreeMap::new();
        for row in &found.rows.latencies {
            let Some(sketch) = row.sketch() else { continue };
            let id = if self.dim == Dim::All { 0 } else { row.component_id };
            let bins = all.entry((id, &row.kind)).or_default();
            bins.entry(row.at.bin_ms).or_default().merge(&sketch);
        }
        all.iter().map(|((id, kind), bins)| self.latency(*id, kind, bins)).collect()
    }

    fn latency(&self, id: i64, kind: &str, bins: &BTreeMap<i64, Sketch>) -> Value {
        let threshold = self.acceptance.threshold_ms(kind);
        let number = |value: fn(&Sketch) -> Option<f64>| {
            self.column(|bin| bins.get(&bin).and_then(value).map(rounded))
        };
        let whole = |value: fn(&Sketch) -> u64| self.column(|bin| bins.get(&bin).map(value));
        let measured = self.column(|bin| bins.get(&bin).map_or(0, |sketch| sketch.count));
        let percentile = |(text, part): &(String, f64)| {
            let value = |bin| bins.get(&bin).and_then(|sketch| sketch.quantile(*part));
            (text.clone(), self.column(|bin| value(bin).map(rounded)))
        };
        let percentiles: serde_json::Map<String, Value> =
            self.percentiles.iter().map(percentile).collect();
        let acceptable = self.column(|bin| {
            let value = bins.get(&bin)?.quantile(self.acceptance.part())?;
            Some(threshold.is_none_or(|threshold| value <= f64::from(threshold)))
        });
        let mut target = self.target((id, 0));
        target["type"] = json!(kind);
        target["category"] = json!(category(kind));
        json!({
            "target": target, "threshold": threshold, "values": number(Sketch::average),
            "measured": measured, "min": whole(|of| of.min), "max": whole(|of| of.max),
            "std_dev": number(Sketch::deviation), "percentiles": percentiles,
            "acceptable": acceptable,
        })
    }
}
