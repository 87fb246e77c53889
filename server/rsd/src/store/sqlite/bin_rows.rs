//! Rows of the bin tables, as SQL reads and writes them.

use rs::erase::Secret;
use rs::rollup::{ActionRow, At, BinRows, CountRow, LatencyRow, LevelRow, OutcomeRow, SqRow};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, Row, params, params_from_iter};

use super::erasing;
use crate::store::StoreError;
use crate::store::bins::Table;
use crate::store::erasing::untold;

/// Which rows: a condition over the columns, and its values.
pub(super) struct Where {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

pub(super) const COUNTS: &str = "SELECT gran, bin_ms, measure, dim, dim_id, sub, call_type, count,
    rejected, ended, duration_ms, max_duration_ms, answered, answered_ms, port_ms FROM rs_or_bin";
pub(super) const LEVELS: &str = "SELECT gran, bin_ms, measure, dim, dim_id, sub, level_start, peak,
    peak_ms, peak_by_type, net, types, deltas FROM rs_conc_bin";
/// Without lists of changes.
pub(super) const PEAKS: &str = "SELECT gran, bin_ms, measure, dim, dim_id, sub, level_start, peak,
    peak_ms, peak_by_type, net, types, NULL FROM rs_conc_bin";
pub(super) const OUTCOMES: &str =
    "SELECT gran, bin_ms, dim, dim_id, result, reason_key, count, duration_ms FROM rs_var_bin";
pub(super) const ACTIONS: &str = "SELECT gran, bin_ms, dim, dim_id, action_key, result, count,
    last_count, duration_ms, min_ms, max_ms FROM rs_var_action_bin";
pub(super) const QUALITY: &str =
    "SELECT gran, bin_ms, dim, dim_id, calls, failed, by_type FROM rs_sq_bin";
pub(super) const LATENCIES: &str =
    "SELECT gran, bin_ms, component_id, type, count, sum, sumsq_high,
    sumsq_low, min, max, hist FROM rs_latency_bin";

/// The bin tables.
pub(super) const TABLES: [&str; 6] =
    ["rs_or_bin", "rs_conc_bin", "rs_var_bin", "rs_var_action_bin", "rs_sq_bin", "rs_latency_bin"];

/// The name of a table.
pub(super) const fn name(table: Table) -> &'static str {
    match table {
        Table::Counts => "rs_or_bin",
        Table::Levels => "rs_conc_bin",
        Table::Outcomes => "rs_var_bin",
        Table::Actions => "rs_var_action_bin",
        Table::Quality => "rs_sq_bin",
        Table::Latencies => "rs_latency_bin",
    }
}

/// Rows of one table.
pub(super) fn read<T>(
    db: &Connection,
    select: &str,
    which: &Where,
    row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{select} WHERE {}", which.sql))?;
    let rows = statement.query_map(params_from_iter(&which.values), |found| row(found))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Rows of all tables.
pub(super) fn all(db: &Connection, which: &Where) -> Result<BinRows, StoreError> {
    Ok(BinRows {
        counts: read(db, COUNTS, which, count)?,
        levels: read(db, LEVELS, which, level)?,
        outcomes: read(db, OUTCOMES, which, outcome)?,
        actions: read(db, ACTIONS, which, action)?,
        quality: read(db, QUALITY, which, quality)?,
        latencies: read(db, LATENCIES, which, latency)?,
        texts: Vec::new(),
    })
}

fn at(row: &Row<'_>) -> rusqlite::Result<At> {
    Ok(At { gran: row.get(0)?, bin_ms: row.get(1)? })
}

pub(super) fn count(row: &Row<'_>) -> rusqlite::Result<CountRow> {
    Ok(CountRow {
        at: at(row)?,
        measure: row.get(2)?,
        dim: row.get(3)?,
        dim_id: row.get(4)?,
        sub: row.get(5)?,
        call_type: row.get(6)?,
        count: row.get(7)?,
        rejected: row.get(8)?,
        ended: row.get(9)?,
        duration_ms: row.get(10)?,
        max_duration_ms: row.get(11)?,
        answered: row.get(12)?,
        answered_ms: row.get(13)?,
        port_ms: row.get(14)?,
    })
}

pub(super) fn level(row: &Row<'_>) -> rusqlite::Result<LevelRow> {
    Ok(LevelRow {
        at: at(row)?,
        measure: row.get(2)?,
        dim: row.get(3)?,
        dim_id: row.get(4)?,
        sub: row.get(5)?,
        level_start: row.get(6)?,
        peak: row.get(7)?,
        peak_ms: row.get(8)?,
        peak_by_type: row.get(9)?,
        net: row.get(10)?,
        types: row.get(11)?,
        deltas: row.get(12)?,
    })
}

pub(super) fn outcome(row: &Row<'_>) -> rusqlite::Result<OutcomeRow> {
    Ok(OutcomeRow {
        at: at(row)?,
        dim: row.get(2)?,
        dim_id: row.get(3)?,
        result: row.get(4)?,
        reason_key: row.get(5)?,
        count: row.get(6)?,
        duration_ms: row.get(7)?,
    })
}

pub(super) fn action(row: &Row<'_>) -> rusqlite::Result<ActionRow> {
    Ok(ActionRow {
        at: at(row)?,
        dim: row.get(2)?,
        dim_id: row.get(3)?,
        action_key: row.get(4)?,
        result: row.get(5)?,
        count: row.get(6)?,
        last_count: row.get(7)?,
        duration_ms: row.get(8)?,
        min_ms: row.get(9)?,
        max_ms: row.get(10)?,
    })
}

pub(super) fn quality(row: &Row<'_>) -> rusqlite::Result<SqRow> {
    Ok(SqRow {
        at: at(row)?,
        dim: row.get(2)?,
        dim_id: row.get(3)?,
        calls: row.get(4)?,
        failed: row.get(5)?,
        by_type: row.get(6)?,
    })
}

pub(super) fn latency(row: &Row<'_>) -> rusqlite::Result<LatencyRow> {
    Ok(LatencyRow {
        at: at(row)?,
        component_id: row.get(2)?,
        kind: row.get(3)?,
        count: row.get(4)?,
        sum: row.get(5)?,
        sumsq: (row.get(6)?, row.get(7)?),
        min: row.get(8)?,
        max: row.get(9)?,
        hist: row.get(10)?,
    })
}

/// Deletes rows by key.
pub(super) fn delete(db: &Connection, rows: &BinRows) -> Result<(), StoreError> {
    let of = |table: &str, key: &str| {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE gran = ?1 AND bin_ms = ?2 AND {key}"))
    };
    for row in &rows.counts {
        let key = "measure = ?3 AND dim = ?4 AND dim_id = ?5 AND sub = ?6 AND call_type = ?7";
        let CountRow { at, measure, dim, dim_id, sub, call_type, .. } = row;
        let values = params![at.gran, at.bin_ms, measure, dim, dim_id, sub, call_type];
        of("rs_or_bin", key)?.execute(values)?;
    }
    for row in &rows.levels {
        let key = "measure = ?3 AND dim = ?4 AND dim_id = ?5 AND sub = ?6";
        let LevelRow { at, measure, dim, dim_id, sub, .. } = row;
        let values = params![at.gran, at.bin_ms, measure, dim, dim_id, sub];
        of("rs_conc_bin", key)?.execute(values)?;
    }
    for row in &rows.outcomes {
        let key = "dim = ?3 AND dim_id = ?4 AND result = ?5 AND reason_key = ?6";
        let OutcomeRow { at, dim, dim_id, result, reason_key, .. } = row;
        let values = params![at.gran, at.bin_ms, dim, dim_id, result, reason_key];
        of("rs_var_bin", key)?.execute(values)?;
    }
    for row in &rows.actions {
        let key = "dim = ?3 AND dim_id = ?4 AND action_key = ?5 AND result = ?6";
        let ActionRow { at, dim, dim_id, action_key, result, .. } = row;
        let values = params![at.gran, at.bin_ms, dim, dim_id, action_key, result];
        of("rs_var_action_bin", key)?.execute(values)?;
    }
    for SqRow { at, dim, dim_id, .. } in &rows.quality {
        let values = params![at.gran, at.bin_ms, dim, dim_id];
        of("rs_sq_bin", "dim = ?3 AND dim_id = ?4")?.execute(values)?;
    }
    for LatencyRow { at, component_id, kind, .. } in &rows.latencies {
        let values = params![at.gran, at.bin_ms, component_id, kind];
        of("rs_latency_bin", "component_id = ?3 AND type = ?4")?.execute(values)?;
    }
    Ok(())
}

/// Puts rows in place of those with their key.
pub(super) fn put(db: &Connection, rows: &BinRows, secret: &Secret) -> Result<(), StoreError> {
    put_counts(db, rows)?;
    put_outcomes(db, rows)?;
    if rows.texts.is_empty() {
        return Ok(());
    }
    for (key, value) in untold(&rows.texts, &erasing::erased(db, secret)?) {
        let insert = "INSERT OR IGNORE INTO rs_text_dim VALUES (?1, ?2)";
        db.prepare_cached(insert)?.execute(params![key, value])?;
    }
    Ok(())
}

fn replace<'d>(
    db: &'d Connection,
    table: &str,
    columns: usize,
) -> rusqlite::Result<CachedStatement<'d>> {
    let marks: Vec<_> = (1..=columns).map(|n| format!("?{n}")).collect();
    let marks = marks.join(", ");
    db.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"))
}

fn put_counts(db: &Connection, rows: &BinRows) -> Result<(), StoreError> {
    for row in &rows.counts {
        replace(db, "rs_or_bin", 15)?.execute(params![
            row.at.gran,
            row.at.bin_ms,
            row.measure,
            row.dim,
            row.dim_id,
            row.sub,
            row.call_type,
            row.count,
            row.rejected,
            row.ended,
            row.duration_ms,
            row.max_duration_ms,
            row.answered,
            row.answered_ms,
            row.port_ms,
        ])?;
    }
    for row in &rows.levels {
        replace(db, "rs_conc_bin", 13)?.execute(params![
            row.at.gran,
            row.at.bin_ms,
            row.measure,
            row.dim,
            row.dim_id,
            row.sub,
            row.level_start,
            row.peak,
            row.peak_ms,
            row.peak_by_type,
            row.net,
            row.types,
            row.deltas,
        ])?;
    }
    Ok(())
}

fn put_outcomes(db: &Connection, rows: &BinRows) -> Result<(), StoreError> {
    for OutcomeRow { at, dim, dim_id, result, reason_key, count, duration_ms } in &rows.outcomes {
        let At { gran, bin_ms } = at;
        let values = params![gran, bin_ms, dim, dim_id, result, reason_key, count, duration_ms];
        replace(db, "rs_var_bin", 8)?.execute(values)?;
    }
    for row in &rows.actions {
        replace(db, "rs_var_action_bin", 11)?.execute(params![
            row.at.gran,
            row.at.bin_ms,
            row.dim,
            row.dim_id,
            row.action_key,
            row.result,
            row.count,
            row.last_count,
            row.duration_ms,
            row.min_ms,
            row.max_ms,
        ])?;
    }
    for SqRow { at, dim, dim_id, calls, failed, by_type } in &rows.quality {
        let values = params![at.gran, at.bin_ms, dim, dim_id, calls, failed, by_type];
        replace(db, "rs_sq_bin", 7)?.execute(values)?;
    }
    for row in &rows.latencies {
        replace(db, "rs_latency_bin", 11)?.execute(params![
            row.at.gran,
            row.at.bin_ms,
            row.component_id,
            row.kind,
            row.count,
            row.sum,
            row.sumsq.0,
            row.sumsq.1,
            row.min,
            row.max,
            row.hist,
        ])?;
    }
    Ok(())
}
