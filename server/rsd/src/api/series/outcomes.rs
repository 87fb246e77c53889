//! Columns of results and actions of voice applications (rs.md §4.6, §5.8).

use std::collections::BTreeMap;

use model::record::VarResult;
use rs::rollup::{ActionRow, OutcomeRow};
use serde_json::{Value, json};

use super::Question;
use super::columns::of_target;
use super::found::Found;

/// Numbers by bin.
type Column = BTreeMap<i64, i64>;

impl Question {
    /// Completed calls by result, and by reason where that is asked for.
    pub(super) fn outcomes(&self, found: &Found) -> Vec<Value> {
        let objects = self.objects(found.rows.outcomes.iter().map(|row| (row.dim_id, 0)));
        let of_object = |of: (i64, u8)| {
            self.outcome(of, of_target(&found.rows.outcomes, |row| row.dim_id, of.0), found)
        };
        objects.into_iter().map(of_object).collect()
    }

    fn outcome(&self, of: (i64, u8), rows: &[OutcomeRow], found: &Found) -> Value {
        let (mut calls, mut durations) = (Column::new(), Column::new());
        let mut results: BTreeMap<u8, Column> = BTreeMap::new();
        let mut reasons: BTreeMap<(u8, i64), Column> = BTreeMap::new();
        for row in rows {
            let bin = row.at.bin_ms;
            *calls.entry(bin).or_default() += row.count;
            *durations.entry(bin).or_default() += row.duration_ms;
            *results.entry(row.result).or_default().entry(bin).or_default() += row.count;
            let reason = reasons.entry((row.result, row.reason_key)).or_default();
            *reason.entry(bin).or_default() += row.count;
        }
        let mut shown = json!({
            "target": self.target(of), "values": self.numbers(&calls),
            "durations": self.numbers(&durations), "by_result": self.by_result(&results),
        });
        if self.by_reason {
            let reason = |((result, key), column): (&(u8, i64), &Column)| {
                let text = found.texts.get(key).map_or("", String::as_str);
                let values = self.numbers(column);
                json!({"result": result_name(*result), "reason": text, "values": values})
            };
            shown["reasons"] = reasons.iter().map(reason).collect();
        }
        shown
    }

    /// Runs of each action.
    pub(super) fn actions(&self, found: &Found) -> Vec<Value> {
        let mut all: BTreeMap<(i64, i64), Vec<&ActionRow>> = BTreeMap::new();
        for row in &found.rows.actions {
            all.entry((row.dim_id, row.action_key)).or_default().push(row);
        }
        let of_action = |((id, key), rows): (&(i64, i64), &Vec<&ActionRow>)| {
            self.action(*id, found.texts.get(key).map_or("", String::as_str), rows)
        };
        all.iter().map(of_action).collect()
    }

    fn action(&self, id: i64, name: &str, rows: &[&ActionRow]) -> Value {
        let sum = |value: fn(&ActionRow) -> i64| {
            let mut column = Column::new();
            for row in rows {
                *column.entry(row.at.bin_ms).or_default() += value(row);
            }
            self.numbers(&column)
        };
        let end = |value: fn(&ActionRow) -> i64, of: fn(i64, i64) -> i64| {
            let mut column = Column::new();
            for row in rows {
                let end = column.entry(row.at.bin_ms).or_insert_with(|| value(row));
                *end = of(*end, value(row));
            }
            self.column(|bin| column.get(&bin).copied())
        };
        let mut results: BTreeMap<u8, Column> = BTreeMap::new();
        for row in rows {
            *results.entry(row.result).or_default().entry(row.at.bin_ms).or_default() += row.count;
        }
        let mut target = self.target((id, 0));
        target["action"] = json!(name);
        json!({
            "target": target, "values": sum(|row| row.count), "last": sum(|row| row.last_count),
            "durations": sum(|row| row.duration_ms), "min": end(|row| row.min_ms, i64::min),
            "max": end(|row| row.max_ms, i64::max), "by_result": self.by_result(&results),
        })
    }

    fn by_result(&self, results: &BTreeMap<u8, Column>) -> Value {
        let column = |(result, of): (&u8, &Column)| (result_name(*result), self.numbers(of));
        Value::Object(results.iter().map(column).collect())
    }
}

fn result_name(number: u8) -> String {
    VarResult::from_number(number).map_or_else(|| "UNKNOWN".to_owned(), |of| of.to_string())
}
