//! Rows of the bin tables, as SQL reads and writes them: many at once, by the shape of each table.

use rs::rollup::{ActionRow, At, BinRows, CountRow, LatencyRow, LevelRow, OutcomeRow, SqRow};
use tokio_postgres::Row;

use super::link::{Link, Values};
use super::save::column;
use crate::store::StoreError;
use crate::store::bins::Table;

/// A table: its key, and its other columns, with their types.
pub(super) struct Shape {
    pub(super) table: &'static str,
    key: &'static [Column],
    rest: &'static [Column],
}

type Column = (&'static str, &'static str);

const SMALL: &str = "smallint";
const BIG: &str = "bigint";
const BYTES: &str = "bytea";
const TEXT: &str = "text";
const GRAN: Column = ("gran", SMALL);
const BIN: Column = ("bin_ms", BIG);
const DIM: Column = ("dim", SMALL);
const DIM_ID: Column = ("dim_id", BIG);

pub(super) const COUNTS: Shape = Shape {
    table: "rs_or_bin",
    key: &[GRAN, BIN, ("measure", SMALL), DIM, DIM_ID, ("sub", SMALL), ("call_type", SMALL)],
    rest: &[
        ("count", BIG),
        ("rejected", BIG),
        ("ended", BIG),
        ("duration_ms", BIG),
        ("max_duration_ms", BIG),
        ("answered", BIG),
        ("answered_ms", BIG),
        ("port_ms", BIG),
    ],
};
pub(super) const LEVELS: Shape = Shape {
    table: "rs_conc_bin",
    key: &[GRAN, BIN, ("measure", SMALL), DIM, DIM_ID, ("sub", SMALL)],
    rest: &[
        ("level_start", BIG),
        ("peak", BIG),
        ("peak_ms", BIG),
        ("peak_by_type", TEXT),
        ("net", BIG),
        ("types", BYTES),
        ("deltas", BYTES),
    ],
};
pub(super) const OUTCOMES: Shape = Shape {
    table: "rs_var_bin",
    key: &[GRAN, BIN, DIM, DIM_ID, ("result", SMALL), ("reason_key", BIG)],
    rest: &[("count", BIG), ("duration_ms", BIG)],
};
pub(super) const ACTIONS: Shape = Shape {
    table: "rs_var_action_bin",
    key: &[GRAN, BIN, DIM, DIM_ID, ("action_key", BIG), ("result", SMALL)],
    rest: &[
        ("count", BIG),
        ("last_count", BIG),
        ("duration_ms", BIG),
        ("min_ms", BIG),
        ("max_ms", BIG),
    ],
};
pub(super) const QUALITY: Shape = Shape {
    table: "rs_sq_bin",
    key: &[GRAN, BIN, DIM, DIM_ID],
    rest: &[("calls", BIG), ("failed", BIG), ("by_type", TEXT)],
};
pub(super) const LATENCIES: Shape = Shape {
    table: "rs_latency_bin",
    key: &[GRAN, BIN, ("component_id", BIG), ("type", TEXT)],
    rest: &[
        ("count", BIG),
        ("sum", BIG),
        ("sumsq_high", BIG),
        ("sumsq_low", BIG),
        ("min", BIG),
        ("max", BIG),
        ("hist", BYTES),
    ],
};

/// All of them.
pub(super) const ALL: [&Shape; 6] = [&COUNTS, &LEVELS, &OUTCOMES, &ACTIONS, &QUALITY, &LATENCIES];

/// Of one table.
pub(super) const fn shape(table: Table) -> &'static Shape {
    match table {
        Table::Counts => &COUNTS,
        Table::Levels => &LEVELS,
        Table::Outcomes => &OUTCOMES,
        Table::Actions => &ACTIONS,
        Table::Quality => &QUALITY,
        Table::Latencies => &LATENCIES,
    }
}

fn names<'c>(columns: impl IntoIterator<Item = &'c Column>, of: impl Fn(&str) -> String) -> String {
    columns.into_iter().map(|(name, _)| of(name)).collect::<Vec<_>>().join(", ")
}

impl Shape {
    /// All columns of the rows `b`; without lists of changes on demand.
    pub(super) fn columns(&self, deltas: bool) -> String {
        names(self.key.iter().chain(self.rest), |name| match name {
            "deltas" if !deltas => "NULL::bytea".to_owned(),
            name => format!("b.{name}"),
        })
    }

    /// The order of its key.
    pub(super) fn order(&self) -> String {
        names(self.key, |name| format!("b.{name}"))
    }

    /// `unnest` of arrays, one a column.
    fn arrays(columns: &[&Column]) -> String {
        let arrays = (1..).zip(columns).map(|(n, (_, kind))| format!("${n}::{kind}[]"));
        format!("unnest({})", arrays.collect::<Vec<_>>().join(", "))
    }

    fn delete(&self) -> String {
        let key: Vec<&Column> = self.key.iter().collect();
        let same = self.key.iter().map(|(name, _)| format!("b.{name} = n.{name}"));
        format!(
            "DELETE FROM {} b USING {} AS n ({}) WHERE {}",
            self.table,
            Self::arrays(&key),
            names(self.key, str::to_owned),
            same.collect::<Vec<_>>().join(" AND ")
        )
    }

    fn put(&self) -> String {
        let all: Vec<&Column> = self.key.iter().chain(self.rest).collect();
        format!(
            "INSERT INTO {} ({}) SELECT * FROM {} ON CONFLICT ({}) DO UPDATE SET {}",
            self.table,
            names(all.iter().copied(), str::to_owned),
            Self::arrays(&all),
            names(self.key, str::to_owned),
            names(self.rest, |name| format!("{name} = excluded.{name}"))
        )
    }
}

/// Rows of one table, by key: whether with lists of changes, and whether at most so many (6).
pub(super) fn read<T>(
    link: &mut Link,
    shape: &Shape,
    (deltas, bounded): (bool, bool),
    (which, values): (&str, Values<'_>),
    row: impl Fn(&Row) -> T,
) -> Result<Vec<T>, StoreError> {
    let (columns, order) = (shape.columns(deltas), shape.order());
    let (table, most) = (shape.table, if bounded { "LIMIT $6" } else { "" });
    let sql = format!("SELECT {columns} FROM {table} b WHERE {which} ORDER BY {order} {most}");
    Ok(link.query(&sql, values)?.iter().map(row).collect())
}

/// Rows of all tables, by key.
pub(super) fn all(
    link: &mut Link,
    (which, values): (&str, Values<'_>),
) -> Result<BinRows, StoreError> {
    let (asked, whole) = ((which, values), (true, false));
    Ok(BinRows {
        counts: read(link, &COUNTS, whole, asked, count)?,
        levels: read(link, &LEVELS, whole, asked, level)?,
        outcomes: read(link, &OUTCOMES, whole, asked, outcome)?,
        actions: read(link, &ACTIONS, whole, asked, action)?,
        quality: read(link, &QUALITY, whole, asked, quality)?,
        latencies: read(link, &LATENCIES, whole, asked, latency)?,
        texts: Vec::new(),
    })
}

/// A number of an enumeration.
pub(super) fn small(row: &Row, at: usize) -> u8 {
    u8::try_from(row.get::<_, i16>(at)).unwrap_or_default()
}

fn at(row: &Row) -> At {
    At { gran: small(row, 0), bin_ms: row.get(1) }
}

pub(super) fn count(row: &Row) -> CountRow {
    CountRow {
        at: at(row),
        measure: small(row, 2),
        dim: small(row, 3),
        dim_id: row.get(4),
        sub: small(row, 5),
        call_type: small(row, 6),
        count: row.get(7),
        rejected: row.get(8),
        ended: row.get(9),
        duration_ms: row.get(10),
        max_duration_ms: row.get(11),
        answered: row.get(12),
        answered_ms: row.get(13),
        port_ms: row.get(14),
    }
}

pub(super) fn level(row: &Row) -> LevelRow {
    LevelRow {
        at: at(row),
        measure: small(row, 2),
        dim: small(row, 3),
        dim_id: row.get(4),
        sub: small(row, 5),
        level_start: row.get(6),
        peak: row.get(7),
        peak_ms: row.get(8),
        peak_by_type: row.get(9),
        net: row.get(10),
        types: row.get(11),
        deltas: row.get(12),
    }
}

pub(super) fn outcome(row: &Row) -> OutcomeRow {
    OutcomeRow {
        at: at(row),
        dim: small(row, 2),
        dim_id: row.get(3),
        result: small(row, 4),
        reason_key: row.get(5),
        count: row.get(6),
        duration_ms: row.get(7),
    }
}

pub(super) fn action(row: &Row) -> ActionRow {
    ActionRow {
        at: at(row),
        dim: small(row, 2),
        dim_id: row.get(3),
        action_key: row.get(4),
        result: small(row, 5),
        count: row.get(6),
        last_count: row.get(7),
        duration_ms: row.get(8),
        min_ms: row.get(9),
        max_ms: row.get(10),
    }
}

pub(super) fn quality(row: &Row) -> SqRow {
    SqRow {
        at: at(row),
        dim: small(row, 2),
        dim_id: row.get(3),
        calls: row.get(4),
        failed: row.get(5),
        by_type: row.get(6),
    }
}

pub(super) fn latency(row: &Row) -> LatencyRow {
    LatencyRow {
        at: at(row),
        component_id: row.get(2),
        kind: row.get(3),
        count: row.get(4),
        sum: row.get(5),
        sumsq: (row.get(6), row.get(7)),
        min: row.get(8),
        max: row.get(9),
        hist: row.get(10),
    }
}

/// The columns of all tables end with these arrays.
macro_rules! run {
    ($link:ident, $sql:expr, $rows:expr; $($value:expr),+ $(,)?) => {
        if !$rows.is_empty() {
            $link.execute(&$sql, &[$(&column($rows, $value)),+])?;
        }
    };
}

/// Deletes rows by key.
pub(super) fn delete(link: &mut Link, rows: &BinRows) -> Result<(), StoreError> {
    run!(link, COUNTS.delete(), &rows.counts;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.measure),
        |row| i16::from(row.dim), |row| row.dim_id, |row| i16::from(row.sub),
        |row| i16::from(row.call_type));
    run!(link, LEVELS.delete(), &rows.levels;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.measure),
        |row| i16::from(row.dim), |row| row.dim_id, |row| i16::from(row.sub));
    run!(link, OUTCOMES.delete(), &rows.outcomes;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id, |row| i16::from(row.result), |row| row.reason_key);
    run!(link, ACTIONS.delete(), &rows.actions;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id, |row| row.action_key, |row| i16::from(row.result));
    run!(link, QUALITY.delete(), &rows.quality;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id);
    run!(link, LATENCIES.delete(), &rows.latencies;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| row.component_id,
        |row| &*row.kind);
    Ok(())
}

/// Puts rows in place of those with their key.
pub(super) fn put(link: &mut Link, rows: &BinRows) -> Result<(), StoreError> {
    run!(link, COUNTS.put(), &rows.counts;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.measure),
        |row| i16::from(row.dim), |row| row.dim_id, |row| i16::from(row.sub),
        |row| i16::from(row.call_type), |row| row.count, |row| row.rejected, |row| row.ended,
        |row| row.duration_ms, |row| row.max_duration_ms, |row| row.answered,
        |row| row.answered_ms, |row| row.port_ms);
    run!(link, LEVELS.put(), &rows.levels;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.measure),
        |row| i16::from(row.dim), |row| row.dim_id, |row| i16::from(row.sub),
        |row| row.level_start, |row| row.peak, |row| row.peak_ms, |row| &*row.peak_by_type,
        |row| row.net, |row| &*row.types, |row| row.deltas.as_deref());
    run!(link, OUTCOMES.put(), &rows.outcomes;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id, |row| i16::from(row.result), |row| row.reason_key, |row| row.count,
        |row| row.duration_ms);
    run!(link, ACTIONS.put(), &rows.actions;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id, |row| row.action_key, |row| i16::from(row.result), |row| row.count,
        |row| row.last_count, |row| row.duration_ms, |row| row.min_ms, |row| row.max_ms);
    run!(link, QUALITY.put(), &rows.quality;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| i16::from(row.dim),
        |row| row.dim_id, |row| row.calls, |row| row.failed, |row| &*row.by_type);
    run!(link, LATENCIES.put(), &rows.latencies;
        |row| i16::from(row.at.gran), |row| row.at.bin_ms, |row| row.component_id,
        |row| &*row.kind, |row| row.count, |row| row.sum, |row| row.sumsq.0, |row| row.sumsq.1,
        |row| row.min, |row| row.max, |row| &*row.hist);
    Ok(())
}

/// Puts texts of figures, where they are missing.
pub(super) fn put_texts(link: &mut Link, texts: &[(i64, String)]) -> Result<(), StoreError> {
    let insert = "INSERT INTO rs_text_dim SELECT * FROM unnest($1::bigint[], $2::text[])
        ON CONFLICT DO NOTHING";
    run!(link, insert, texts; |(key, _)| *key, |(_, text)| &**text);
    Ok(())
}
